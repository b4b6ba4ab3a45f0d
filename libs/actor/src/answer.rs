//! What a caller gets back.

use std::time::Duration;

use bytes::Bytes;
use callboard_kernel::{ErrorKind, Refusal, Version};

use crate::{Outcome, Receipt};

/// A command was carried out, now or before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The aggregate's version after the command.
    pub version: Version,
    /// How it ended. [`Outcome::Rejected`] occurs in [`Lane::Event`](crate::Lane::Event) only, where the domain's
    /// "no" is an outcome like others and is kept; a call by hand gets [`AskError::Refused`].
    pub outcome: Outcome,
    /// What [`Ask::answer`](crate::Ask::answer) made; empty for a rejection.
    pub bytes: Bytes,
    /// True when the command was carried out before and this is the same answer again.
    pub replayed: bool,
}

impl Answer {
    pub(crate) fn of(receipt: &Receipt, replayed: bool) -> Self {
        Self {
            version: receipt.version,
            outcome: receipt.outcome.clone(),
            bytes: receipt.answer.clone(),
            replayed,
        }
    }
}

/// A command was not carried out, or nobody knows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// The domain said no.
    #[error("{0}")]
    Refused(Refusal),
    /// The aggregate belongs to another organisation: to this caller there is none.
    #[error("no such object")]
    NotFound,
    /// The aggregate is not at the version that the caller saw (AIP-154).
    #[error("the object changed: it is at version {current}")]
    EtagMismatch {
        /// Where it is now.
        current: Version,
    },
    /// The command id was used for something else (AIP-155).
    #[error("the request id was used for another request")]
    RequestIdReused,
    /// Too much is waiting for this aggregate, or too many aggregates are in use. Nothing was done.
    #[error("too much is waiting")]
    Busy {
        /// When to come again.
        retry_after: Duration,
    },
    /// The deadline passed. Whether the command was carried out is unknown; ask again with the same command id.
    #[error("the deadline passed")]
    DeadlineExceeded,
    /// Somebody else changed the aggregate, twice in a row. Nothing was done.
    #[error("somebody else changed the object meanwhile")]
    Conflict,
    /// The store cannot be reached. Ask again with the same command id: it is carried out at most once.
    #[error("not now: {0}")]
    Unavailable(String),
    /// Our fault. The text is for the log.
    #[error("internal error: {0}")]
    Internal(String),
    /// This process is about to stop. Nothing was done.
    #[error("stopping")]
    Stopping,
}

impl From<AskError> for Refusal {
    /// What may be told to the caller. Texts of the store and of bugs stay behind.
    fn from(error: AskError) -> Self {
        let message = error.to_string();
        match error {
            AskError::Refused(refusal) => refusal,
            AskError::NotFound => Self::not_found("object"),
            AskError::EtagMismatch { .. } => Self::new(ErrorKind::Aborted, "ETAG_MISMATCH", message),
            AskError::RequestIdReused => Self::new(ErrorKind::InvalidArgument, "REQUEST_ID_REUSED", message),
            AskError::Busy { .. } => Self::new(ErrorKind::ResourceExhausted, "MAILBOX_FULL", message),
            AskError::DeadlineExceeded => {
                Self::new(ErrorKind::DeadlineExceeded, "DEADLINE_EXCEEDED", message)
            }
            AskError::Conflict => Self::new(ErrorKind::Aborted, "CONCURRENT_CHANGE", message),
            AskError::Unavailable(_) => Self::new(ErrorKind::Unavailable, "UNAVAILABLE", "not now"),
            AskError::Internal(_) => Self::new(ErrorKind::Internal, "INTERNAL", "internal error"),
            AskError::Stopping => Self::new(ErrorKind::Unavailable, "STOPPING", message),
        }
    }
}
