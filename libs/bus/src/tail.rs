//! Reading along: an ordered, ephemeral subscription for live streams and feeds.

use std::collections::HashSet;

use callboard_kernel::Timestamp;
use futures::stream::{BoxStream, StreamExt, select_all};

use crate::{Bus, Event};

/// Where to begin in a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// With the oldest event that is still there.
    Beginning,
    /// With what comes from now on.
    New,
    /// With this sequence, or the first after it that is there.
    Sequence(u64),
    /// With the first event that was stored at this time or later.
    Time(Timestamp),
}

/// One stream to read along with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TailFrom {
    /// Its context.
    pub context: String,
    /// Where to begin.
    pub start: Start,
    /// Only subjects that match this pattern; `None`: all.
    pub filter: Option<String>,
}

impl TailFrom {
    /// All events of a context from there on.
    pub fn new(context: impl Into<String>, start: Start) -> Self {
        Self { context: context.into(), start, filter: None }
    }
}

/// What a tail yields.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "nearly all of them are events")]
pub enum TailItem {
    /// An event, once, in the order of its stream.
    Event {
        /// Its stream's context.
        context: String,
        /// Its place in the stream: what a reader remembers to resume behind it.
        sequence: u64,
        /// The event.
        event: Event,
    },
    /// All that was in the streams when the tail began has been yielded. Comes once; a stream that does not exist
    /// yet counts as read.
    CaughtUp,
    /// The stream was built anew: sequences begin again, and the events in it (known by their ids) come again from
    /// the beginning. Remembered sequences of this stream mean nothing any more.
    Rebuilt {
        /// The stream's context.
        context: String,
    },
}

/// What one stream's tail yields; sent on by [`tail`].
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly all of them are events")]
pub(crate) enum OneItem {
    Event { sequence: u64, event: Event },
    CaughtUp,
    Rebuilt,
}

/// Merges the tails of several streams.
pub(crate) fn tail(bus: &Bus, from: Vec<TailFrom>) -> BoxStream<'static, TailItem> {
    let behind: HashSet<usize> = (0..from.len()).collect();
    let streams = from.into_iter().enumerate().map(|(index, from)| {
        let context = from.context.clone();
        bus.tail_one(from).map(move |item| (index, context.clone(), item)).boxed()
    });
    select_all(streams)
        .scan(behind, |behind, (index, context, item)| {
            let item = match item {
                OneItem::Event { sequence, event } => Some(TailItem::Event { context, sequence, event }),
                OneItem::Rebuilt => Some(TailItem::Rebuilt { context }),
                OneItem::CaughtUp => {
                    (behind.remove(&index) && behind.is_empty()).then_some(TailItem::CaughtUp)
                }
            };
            futures::future::ready(Some(item))
        })
        .filter_map(futures::future::ready)
        .boxed()
}
