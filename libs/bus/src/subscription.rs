//! What a consumer reads from: a durable subscription, whatever carries it.

use std::sync::Arc;

use futures::future::BoxFuture;

use crate::{ConfigDifference, Event, Undecodable};

/// Why nothing can be read now.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SubscribeError {
    /// The stream or the durable is not there (not yet, or not any more): open again.
    #[error("{0} is not there")]
    Missing(String),
    /// The server cannot be reached or did not answer.
    #[error("the bus cannot be reached: {0}")]
    Unavailable(String),
    /// The server made something else of what was asked for. Trying again does not help.
    #[error(transparent)]
    Differs(#[from] ConfigDifference),
}

/// Tells the bus how far a delivered message is. Both may get lost: the message then comes again.
pub trait Settle: Send + Sync + 'static {
    /// Done with it, for good.
    fn ack(&self) -> BoxFuture<'_, ()>;
    /// Still at it: do not give it to anybody else yet.
    fn progress(&self) -> BoxFuture<'_, ()>;
}

/// One delivered message.
pub struct Delivery {
    /// Where it is in its stream.
    pub sequence: u64,
    /// The event, or what could be read of it.
    pub event: Result<Event, Box<Undecodable>>,
    /// How to settle it.
    pub settle: Arc<dyn Settle>,
}

/// A durable subscription that is open.
pub trait Subscription: Send {
    /// The next message. Dropping the future loses nothing.
    fn next(&mut self) -> BoxFuture<'_, Result<Delivery, SubscribeError>>;
    /// Messages not yet acknowledged, those not yet delivered included.
    fn lag(&mut self) -> BoxFuture<'_, Result<u64, SubscribeError>>;
    /// Waits until acknowledgements are on their way.
    fn flush(&mut self) -> BoxFuture<'_, ()>;
}
