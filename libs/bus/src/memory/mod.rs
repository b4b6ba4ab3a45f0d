//! The bus in memory, with the same semantics and with faults on demand.

mod log;
mod parking;
mod subscription;
mod tail;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::{BoxStream, unfold};
use parking_lot::Mutex;
use tokio::sync::{broadcast, watch};
use tokio::time::Instant;

pub use log::MemLog;
pub use parking::MemParking;

use crate::jetstream::Durable;
use crate::tail::OneItem;
use crate::{Event, SubscribeError, TailFrom};

/// So many whispers wait for a slow listener before it misses some.
const WHISPERS: usize = 1_024;

/// What goes wrong next. Each number counts down as it happens.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    /// So many deliveries come twice.
    pub duplicate: u32,
    /// So many acknowledgements get lost: the messages come again after `ack_wait`.
    pub drop_acks: u32,
    /// Every delivery takes so long.
    pub delay: Option<Duration>,
    /// So many publishes of a batch are not stored at all.
    pub publish_fails: u32,
    /// So many publishes of a batch are stored, and the answer gets lost.
    pub publish_unanswered: u32,
}

/// A bus in memory. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct MemBus {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: watch::Sender<u64>,
    whispers: broadcast::Sender<(String, Bytes)>,
}

impl Default for Shared {
    fn default() -> Self {
        Self {
            state: Mutex::default(),
            changed: watch::Sender::new(0),
            whispers: broadcast::Sender::new(WHISPERS),
        }
    }
}

#[derive(Debug, Default)]
struct State {
    streams: HashMap<String, Stream>,
    faults: Faults,
    made: u64,
}

#[derive(Debug, Default)]
struct Stream {
    /// Tells one that was made anew.
    made: u64,
    /// The event of sequence n is at n - 1.
    events: Vec<Event>,
    durables: HashMap<String, DurableState>,
}

#[derive(Debug, Default)]
struct DurableState {
    /// Delivered up to here.
    delivered: u64,
    /// Delivered, not acknowledged; when to deliver again.
    pending: BTreeMap<u64, Instant>,
}

impl MemBus {
    /// An empty bus.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets what goes wrong from now on.
    pub fn set_faults(&self, faults: Faults) {
        self.shared.state.lock().faults = faults;
    }

    /// The last `count` events of a stream are lost, as when a server dies before it synced. Durables keep what
    /// they know.
    pub fn roll_back(&self, context: &str, count: usize) {
        let mut state = self.shared.state.lock();
        if let Some(stream) = state.streams.get_mut(context) {
            let keep = stream.events.len().saturating_sub(count);
            stream.events.truncate(keep);
        }
        drop(state);
        self.shared.wake();
    }

    /// All events of a stream, in order.
    pub fn events(&self, context: &str) -> Vec<Event> {
        self.shared.state.lock().streams.get(context).map(|stream| stream.events.clone()).unwrap_or_default()
    }

    /// A context's stream, to write it.
    pub fn log(&self, context: &str) -> MemLog {
        self.ensure(context);
        MemLog::new(Arc::clone(&self.shared), context.to_owned())
    }

    pub(crate) fn whisper(&self, topic: &str, payload: Bytes) {
        // Nobody listening is no failure.
        let _ = self.shared.whispers.send((topic.to_owned(), payload));
    }

    pub(crate) fn listen(&self, topic: String) -> BoxStream<'static, Bytes> {
        let heard = self.shared.whispers.subscribe();
        unfold((heard, topic), |(mut heard, topic)| async move {
            loop {
                match heard.recv().await {
                    Ok((of, payload)) if of == topic => return Some((payload, (heard, topic))),
                    Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => {}
                    Err(broadcast::error::RecvError::Closed) => return None,
                }
            }
        })
        .boxed()
    }

    pub(crate) fn ensure(&self, context: &str) {
        self.shared.state.lock().ensure(context);
        self.shared.wake();
    }

    pub(crate) fn open(&self, durable: &Durable) -> Result<subscription::MemSubscription, SubscribeError> {
        subscription::MemSubscription::open(Arc::clone(&self.shared), durable.clone())
    }

    pub(crate) fn remove_durable(&self, context: &str, name: &str) {
        if let Some(stream) = self.shared.state.lock().streams.get_mut(context) {
            stream.durables.remove(name);
        }
        self.shared.wake();
    }

    pub(crate) fn tail_one(&self, from: TailFrom) -> BoxStream<'static, OneItem> {
        tail::tail_one(Arc::clone(&self.shared), from)
    }
}

impl Shared {
    fn wake(&self) {
        self.changed.send_modify(|count| *count += 1);
    }
}

impl State {
    fn ensure(&mut self, context: &str) -> &mut Stream {
        let made = &mut self.made;
        self.streams.entry(context.to_owned()).or_insert_with(|| {
            *made += 1;
            Stream { made: *made, ..Stream::default() }
        })
    }
}

/// Counts a fault down; true when it happens.
fn happens(left: &mut u32) -> bool {
    let happens = *left > 0;
    *left = left.saturating_sub(1);
    happens
}
