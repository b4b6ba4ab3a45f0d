//! What publishing and subscribing need.

use std::future::Future;

use callboard_kernel::EventId;
use futures::future::BoxFuture;

use crate::{Event, Key};

/// The end of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamTail {
    /// Sequence of the last message; 0: none was ever written.
    pub last_sequence: u64,
    /// Its event, if the message is still there.
    pub last_event: Option<EventId>,
}

/// Publishing stopped. What was stored before it is told.
#[derive(Debug, Clone, thiserror::Error)]
pub enum PublishError {
    /// The stream's last sequence is not what was expected: read its tail, mark what is there, go on.
    #[error("wrong last sequence")]
    WrongLastSequence,
    /// This event (index into the batch) will never be taken: too large, or its subject is bad.
    #[error("event {index} refused: {reason}")]
    Refused {
        /// Index into the batch.
        index: usize,
        /// What the server said.
        reason: String,
    },
    /// The server cannot be reached or did not answer; what is stored is unknown.
    #[error("the bus cannot be reached: {0}")]
    Unavailable(String),
}

/// One stream, as its only writer sees it.
pub trait StreamLog: Send + Sync + 'static {
    /// The end of the stream.
    fn tail(&self) -> impl Future<Output = Result<StreamTail, PublishError>> + Send;

    /// Ids of the events from a sequence on, in order, with their sequences. At most `limit`.
    fn events_from(
        &self,
        sequence: u64,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<(u64, EventId)>, PublishError>> + Send;

    /// Appends events, pipelined, expecting the stream to end at `expected_last`. Answers the sequences of those
    /// that were stored, in order, a prefix of the batch, and why it stopped if it did.
    fn publish(
        &self,
        events: &[Event],
        expected_last: u64,
    ) -> impl Future<Output = (Vec<u64>, Option<PublishError>)> + Send;

    /// Removes the stream and makes it anew, empty. For `republish`.
    fn recreate(&self) -> impl Future<Output = Result<(), PublishError>> + Send;
}

/// How an event was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handled {
    /// It had its effect, now or before, or the domain said no, which is an outcome too.
    Done,
    /// Of no interest, or of an unknown type.
    Ignored,
}

/// An event was not taken.
#[derive(Debug, Clone, thiserror::Error)]
pub enum HandleError {
    /// Try again: the database is away, a mailbox is full.
    #[error("not now: {0}")]
    Retry(String),
    /// It failed and should not have: a bug, perhaps one that passes. Tried again a few times, then parked.
    #[error("failed: {0}")]
    Failed(String),
    /// Trying again will not help: it cannot be decoded, or a bug. Goes to the dead letters by key.
    #[error("cannot be processed: {0}")]
    Poison(String),
}

/// Why an event is parked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Problem<'a> {
    /// It could not be read, and what is kept of it is only what could: no handler may ever be given it.
    Unreadable(&'a str),
    /// Handling it failed.
    Failed(&'a str),
}

impl<'a> Problem<'a> {
    /// In words.
    pub const fn text(self) -> &'a str {
        match self {
            Self::Unreadable(text) | Self::Failed(text) => text,
        }
    }
}

/// Takes the events of one stream for one consumer. Must be idempotent by event id.
pub trait Handler: Send + Sync + 'static {
    /// Takes one event. Events of one aggregate come one at a time and in order.
    fn handle<'a>(&'a self, event: &'a Event) -> BoxFuture<'a, Result<Handled, HandleError>>;

    /// What it takes of its stream, by name (`ticket.opened`); `None`: everything. The server sends it nothing else, so
    /// that what is of no interest costs nobody anything. What is added here later is heard from then on.
    fn hears(&self) -> Option<&'static [&'static str]> {
        None
    }
}

/// Where events wait that cannot be processed, and those of the same key behind them.
///
/// The consumer asks [`is_parked`](Self::is_parked) before each event; it must cost nothing in the common case. A
/// "yes" may be out of date (somebody replayed the key meanwhile), so [`park_behind`](Self::park_behind) has the
/// last word.
pub trait Parking: Send + Sync + 'static {
    /// A consumer begins to read: forget what was remembered of its keys and look again. `alone`: nobody else reads the
    /// durable meanwhile, so nobody else parks.
    fn open<'a>(&'a self, consumer: &'a str, alone: bool) -> BoxFuture<'a, Result<(), HandleError>>;
    /// True when an event of this key may be parked for this consumer; false only when none is.
    fn is_parked<'a>(&'a self, consumer: &'a str, key: Key) -> BoxFuture<'a, Result<bool, HandleError>>;
    /// Parks an event behind those of its key, if there still are any; false: there are none, so handle it.
    fn park_behind<'a>(
        &'a self,
        consumer: &'a str,
        event: &'a Event,
    ) -> BoxFuture<'a, Result<bool, HandleError>>;
    /// Parks an event. Parked before: nothing changes but the number of attempts.
    fn park<'a>(
        &'a self,
        consumer: &'a str,
        event: &'a Event,
        problem: Problem<'a>,
    ) -> BoxFuture<'a, Result<(), HandleError>>;
}
