//! The rating of one subject: asked, given, waived or withdrawn.

mod decide;
mod state;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use callboard_kernel::{Aggregate, DecisionContext, ErrorKind, FieldViolation, Rejection};

pub use state::{Device, Given, RequestState, Sight, Standing, Subject, SubjectKind, Visibility};

/// The longest comment, in characters.
pub const MAX_COMMENT: usize = 2_000;

/// The rating of one subject. Its id is the subject's.
#[derive(Debug)]
pub struct RatingRequest;

/// What became of a subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// Its facts are as told; nothing to ask or to withdraw.
    Facts,
    /// It became DONE. `switched_on`: the template's switch at that moment.
    Done {
        /// The switch.
        switched_on: bool,
    },
    /// CLOSED, CANCELLED, or open again: an open question is withdrawn. The CLOSED that follows from our own rating
    /// or waiver finds no open question, so it changes nothing.
    Over,
}

/// What can be asked of a [`RatingRequest`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestCommand {
    /// The context of the subject told of it.
    Observe {
        /// Its facts.
        subject: Arc<Subject>,
        /// What became of it.
        news: News,
    },
    /// It was deleted (T-11).
    Delete,
    /// The caller rates it.
    Submit {
        /// How far the caller sees.
        sight: Sight,
        /// What the caller takes the subject for.
        kind: SubjectKind,
        /// 1 to 5.
        score: i32,
        /// At most 2,000 characters.
        comment: String,
    },
}

/// What can happen to a [`RatingRequest`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestEvent {
    /// The subject is known, or known anew.
    Observed {
        /// Its facts.
        subject: Arc<Subject>,
    },
    /// It was deleted.
    Deleted,
    /// Somebody is asked.
    Requested {
        /// When.
        at: callboard_kernel::Timestamp,
    },
    /// Nothing is to be rated.
    Waived,
    /// The question was withdrawn.
    Withdrawn,
    /// A rating was given.
    Submitted {
        /// It.
        given: Given,
        /// The one it replaces; 0: the first.
        previous_score: i32,
    },
}

/// How a [`RatingRequest`] says no.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestRejection {
    /// No such subject, or none the caller may see.
    #[error("no such subject")]
    NoSubject,
    /// Employees do not rate.
    #[error("rating is for code users and customer users of the device")]
    Denied,
    /// Not asked: not DONE yet, switched off, or internal when it became DONE.
    #[error("no rating is asked for")]
    NotAsked,
    /// Closed by hand, cancelled or opened again.
    #[error("the rating is no longer asked for")]
    Withdrawn,
    /// Somebody was first.
    #[error("it has been rated already")]
    AlreadyRated,
    /// Wrong fields.
    #[error("invalid rating")]
    Invalid(Vec<FieldViolation>),
}

impl Rejection for RequestRejection {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NoSubject => ErrorKind::NotFound,
            Self::Denied => ErrorKind::PermissionDenied,
            Self::NotAsked | Self::Withdrawn | Self::AlreadyRated => ErrorKind::FailedPrecondition,
            Self::Invalid(_) => ErrorKind::InvalidArgument,
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::NoSubject => "NOT_FOUND",
            Self::Denied => "PERMISSION_DENIED",
            Self::NotAsked => "RATING_NOT_ASKED",
            Self::Withdrawn => "RATING_WITHDRAWN",
            Self::AlreadyRated => "ALREADY_RATED",
            Self::Invalid(_) => "INVALID_FIELDS",
        }
    }

    fn violations(&self) -> Vec<FieldViolation> {
        match self {
            Self::Invalid(violations) => violations.clone(),
            Self::NoSubject | Self::Denied | Self::NotAsked | Self::Withdrawn | Self::AlreadyRated => {
                Vec::new()
            }
        }
    }
}

impl Aggregate for RatingRequest {
    const KIND: &'static str = "rating_request";
    type State = RequestState;
    type Command = RequestCommand;
    type Event = RequestEvent;
    type Rejection = RequestRejection;

    fn decide(
        state: &Self::State,
        command: &Self::Command,
        context: &DecisionContext<'_>,
    ) -> Result<Vec<Self::Event>, Self::Rejection> {
        decide::decide(state, command, context)
    }

    fn evolve(state: &mut Self::State, event: &Self::Event) {
        state.apply(event);
    }
}
