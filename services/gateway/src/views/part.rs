//! A part of a view: there, not for this caller, or out of reach.

use callboard_kernel::ErrorKind;
use callboard_service::error::report;
use tokio::time::Instant;
use tonic::{Response, Status};

/// What became of a part.
#[derive(Debug)]
pub enum Part<T> {
    /// There.
    Here(T),
    /// The context answered: nothing for this caller. Also when its read copy has not heard of the ticket yet.
    Nothing(Status),
    /// The context did not answer in time, or not properly.
    Unreachable,
}

impl<T> Part<T> {
    /// Waits for a call until the budget is spent.
    pub async fn of(call: impl Future<Output = Result<Response<T>, Status>>, until: Instant) -> Self {
        match tokio::time::timeout_at(until, call).await {
            Ok(Ok(response)) => Self::Here(response.into_inner()),
            Ok(Err(status)) if answered(&status) => Self::Nothing(status),
            Ok(Err(_)) | Err(_) => Self::Unreachable,
        }
    }

    /// True when the context could not be reached.
    pub const fn is_unreachable(&self) -> bool {
        matches!(self, Self::Unreachable)
    }

    /// What is there.
    pub fn here(self) -> Option<T> {
        match self {
            Self::Here(value) => Some(value),
            Self::Nothing(_) | Self::Unreachable => None,
        }
    }
}

/// Whether a status is the context's own word, as against a failure to get one.
fn answered(status: &Status) -> bool {
    match report(status).kind {
        ErrorKind::InvalidArgument
        | ErrorKind::Unauthenticated
        | ErrorKind::PermissionDenied
        | ErrorKind::NotFound
        | ErrorKind::AlreadyExists
        | ErrorKind::FailedPrecondition
        | ErrorKind::Aborted => true,
        ErrorKind::ResourceExhausted
        | ErrorKind::DeadlineExceeded
        | ErrorKind::Cancelled
        | ErrorKind::Unavailable
        | ErrorKind::Unimplemented
        | ErrorKind::Internal => false,
    }
}
