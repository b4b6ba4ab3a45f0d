//! Being the only one.

use futures::future::BoxFuture;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::HandleError;

/// Lets one process at a time hold a name. Consumers that need order per key across replicas hold their durable's
/// name: two replicas that pull from one durable would be given neighbouring events of a key at the same time.
pub trait Exclusive: Send + Sync + 'static {
    /// Tries to hold a name; `None`: somebody else does.
    fn try_hold<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<Held>, HandleError>>;
}

/// A name that is held. Dropping it gives it up.
#[derive(Debug)]
pub struct Held {
    lost: CancellationToken,
    _given_up: DropGuard,
}

impl Held {
    /// A held name and its other end: the first token is cancelled by the holder of the lease when it is lost, the
    /// second when [`Held`] is dropped.
    pub fn new(lost: CancellationToken, given_up: CancellationToken) -> Self {
        Self { lost, _given_up: given_up.drop_guard() }
    }

    /// Cancelled when somebody else may hold the name: stop at once.
    pub const fn lost(&self) -> &CancellationToken {
        &self.lost
    }
}
