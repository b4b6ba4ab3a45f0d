//! The contexts around a service, as far as their streams go.

use std::collections::BTreeMap;
use std::fmt;

use callboard_bus::{Bus, Event, Log, StreamLog, StreamSpec};
use callboard_kernel::{Actor, Clock, SystemClock, Version};
use callboard_proto::Event as ProtoEvent;
use tokio::sync::Mutex;
use uuid::Uuid;

use crate::id;

/// An event as another context publishes it.
pub fn event<M: ProtoEvent>(organisation: Uuid, key: Uuid, version: i64, message: &M) -> Event {
    Event {
        id: id().into(),
        context: M::CONTEXT.into(),
        name: M::SUBJECT.into(),
        kind: M::TYPE.into(),
        organisation: organisation.into(),
        aggregate_id: key,
        aggregate_version: Version(version),
        time: SystemClock.now(),
        causation: None,
        correlation: None,
        traceparent: None,
        actor: Actor::System,
        payload: message.encode_to_vec().into(),
    }
}

/// Streams that are written on behalf of the contexts a service hears. Each is written by this alone.
pub struct Around {
    // Kept connected as long as its streams are written.
    _bus: Bus,
    logs: BTreeMap<String, Mutex<(Log, u64)>>,
}

impl fmt::Debug for Around {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Around").field("contexts", &self.logs.keys()).finish_non_exhaustive()
    }
}

impl Around {
    /// Makes the streams of these contexts, new and empty.
    ///
    /// # Panics
    /// If the bus refuses.
    pub async fn new(bus: Bus, contexts: &[&str]) -> Self {
        let mut logs = BTreeMap::new();
        for context in contexts {
            let spec = StreamSpec::new(*context);
            bus.ensure_stream(&spec).await.expect("a stream");
            logs.insert((*context).to_owned(), Mutex::new((bus.log(spec), 0)));
        }
        Self { _bus: bus, logs }
    }

    /// Publishes an event as it is. One that is on the stream already is refused.
    ///
    /// # Panics
    /// If its context has no stream here, or the bus refuses it.
    pub async fn publish(&self, event: Event) {
        let log = self.logs.get(&*event.context);
        let log =
            log.unwrap_or_else(|| panic!("{}: no context this service was said to hear", event.context));
        let (log, last) = &mut *log.lock().await;
        let (stored, problem) = log.publish(&[event], *last).await;
        assert!(problem.is_none(), "{problem:?}");
        *last = *stored.last().expect("stored");
    }
}
