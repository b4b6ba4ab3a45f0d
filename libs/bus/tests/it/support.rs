//! What the tests of the bus share.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use callboard_bus::{
    Bus, Consumer, ConsumerOptions, Event, HandleError, Handled, Handler, MemBus, Nats, NatsOptions, Parking,
    StreamLog, StreamSpec,
};
use callboard_kernel::{Actor, EventId, Timestamp, Version};
use futures::future::BoxFuture;
use parking_lot::Mutex;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

pub const CONTEXT: &str = "tickets";

pub async fn connect(server: &callboard_testkit::Nats) -> Bus {
    Nats::connect(NatsOptions::new(server.url(), "test")).await.unwrap().into()
}

/// Both adapters, the real one with the server that it runs on.
pub async fn both() -> Vec<(Bus, Option<callboard_testkit::Nats>)> {
    let server = callboard_testkit::fresh_nats().await;
    vec![(MemBus::new().into(), None), (connect(&server).await, Some(server))]
}

/// Version `version` of aggregate `key`; the id follows from both.
pub fn event(key: u128, version: i64) -> Event {
    Event {
        id: EventId(Uuid::from_u128(key << 64 | u128::from(version.unsigned_abs()))),
        context: CONTEXT.into(),
        name: "ticket.opened".into(),
        kind: "callboard.tickets.v1.TicketOpened".into(),
        organisation: Uuid::from_u128(0xa).into(),
        aggregate_id: Uuid::from_u128(key),
        aggregate_version: Version(version),
        time: Timestamp::from_timestamp_micros(1_767_603_600_000_000 + version).unwrap(),
        causation: None,
        correlation: Some(Uuid::from_u128(7)),
        traceparent: None,
        actor: Actor::System,
        payload: Bytes::from_static(b"payload"),
    }
}

/// Stores events behind what is there.
pub async fn publish(bus: &Bus, events: &[Event]) {
    let log = bus.log(StreamSpec::new(CONTEXT));
    let last = log.tail().await.unwrap().last_sequence;
    let (stored, stopped) = log.publish(events, last).await;
    assert!(stopped.is_none(), "{stopped:?}");
    assert_eq!(stored.len(), events.len());
}

type Answer = dyn Fn(&Event, usize) -> Result<Handled, HandleError> + Send + Sync;

/// Records what was handled; answers as told. The number is how often this event came before.
pub struct Recorder {
    seen: Mutex<Vec<Event>>,
    done: Mutex<Vec<(u128, i64)>>,
    answer: Box<Answer>,
}

impl Recorder {
    pub fn new(
        answer: impl Fn(&Event, usize) -> Result<Handled, HandleError> + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self { seen: Mutex::default(), done: Mutex::default(), answer: Box::new(answer) })
    }

    pub fn content() -> Arc<Self> {
        Self::new(|_, _| Ok(Handled::Done))
    }

    /// Key and version of what was taken, in the order in which it was.
    pub fn done(&self) -> Vec<(u128, i64)> {
        self.done.lock().clone()
    }

    /// How often something was tried.
    pub fn tried(&self) -> usize {
        self.seen.lock().len()
    }

    pub fn done_of(&self, key: u128) -> Vec<i64> {
        self.done().into_iter().filter(|(of, _)| *of == key).map(|(_, version)| version).collect()
    }
}

impl Handler for Recorder {
    fn handle<'a>(&'a self, event: &'a Event) -> BoxFuture<'a, Result<Handled, HandleError>> {
        Box::pin(async move {
            let before = {
                let mut seen = self.seen.lock();
                let before = seen.iter().filter(|there| there.id == event.id).count();
                seen.push(event.clone());
                before
            };
            tokio::task::yield_now().await;
            let answer = (self.answer)(event, before);
            if answer.is_ok() {
                self.done.lock().push((event.aggregate_id.as_u128(), event.aggregate_version.0));
            }
            answer
        })
    }
}

/// Impatient enough for a test.
pub fn options() -> ConsumerOptions {
    ConsumerOptions {
        ack_wait: Duration::from_millis(500),
        retry_first: Duration::from_millis(5),
        retry_most: Duration::from_millis(50),
        poison_after: 3,
        lag_every: Duration::from_millis(50),
        ..ConsumerOptions::default()
    }
}

/// A consumer that runs.
pub struct Running {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    pub fn start(bus: &Bus, handler: Arc<dyn Handler>, parking: Arc<dyn Parking>) -> Self {
        Self::of(bus, Consumer::new("fleet-reacts", CONTEXT, handler, parking).options(options()))
    }

    pub fn of(bus: &Bus, consumer: Consumer) -> Self {
        let stop = CancellationToken::new();
        let (bus, token) = (bus.clone(), stop.clone());
        let task = TaskTracker::new().spawn(async move { consumer.run(&bus, token).await.unwrap() });
        Self { stop, task }
    }

    /// In good order.
    pub async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }

    /// As if the process died.
    pub async fn die(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

/// The metrics of this process, as Prometheus sees them.
pub fn metrics() -> String {
    use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
    static METRICS: std::sync::OnceLock<PrometheusHandle> = std::sync::OnceLock::new();
    METRICS.get_or_init(|| PrometheusBuilder::new().install_recorder().unwrap()).render()
}
