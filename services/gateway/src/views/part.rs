//! A part of a view: there, not for this caller, or out of reach.

use callboard_kernel::ErrorKind;
use callboard_service::error::report;
use tokio::time::Instant;
use tonic::{Request, Response, Status};

use crate::call::Call;

/// Notes a context that cannot be reached.
pub type Miss<'a> = dyn Fn(&'static str) + Sync + 'a;

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

/// A message on its way, with what is left of the view's time.
pub fn within<T>(call: &Call, message: T, until: Instant) -> Request<T> {
    call.request_within(message, until.saturating_duration_since(Instant::now()))
}

/// What is there of a part; its context is noted where it cannot be reached.
pub async fn part<T>(
    context: &'static str,
    miss: &Miss<'_>,
    part: impl Future<Output = Part<T>>,
) -> Option<T> {
    let part = part.await;
    if part.is_unreachable() {
        miss(context);
    }
    part.here()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_answer_too_large_to_be_taken_is_no_word_of_its_context() {
        let until = Instant::now() + std::time::Duration::from_secs(60);
        let too_large = Status::out_of_range("Error, decoded message length too large");
        let part = Part::<()>::of(async { Err(too_large) }, until).await;
        assert!(part.is_unreachable());
        let part = Part::<()>::of(async { Err(Status::invalid_argument("a field")) }, until).await;
        assert!(!part.is_unreachable());
    }
}
