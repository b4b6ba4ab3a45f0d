//! What every context runs beside its calls: journal, relay, consumers, timers, dead letters, retention.
//!
//! ```ignore
//! let mut context = Context::new(&build)?;
//! let tickets = context.registry(TicketMapping);
//! context.consume("tickets-fleet", "fleet", Arc::new(FleetHandler::new(tickets.clone())));
//! // serving: `context.furnish(&mut built).await?`; on the command line: `context.operate(operation).await`
//! ```

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use callboard_actor::{Options, Registry};
use callboard_bus::{Bus, Consumer, Event, HandleError, Handled, Handler, StreamSpec};
use callboard_journal::Pool;
use callboard_journal::{
    DeadLetter, DeadLetters, DueTimer, JournalOptions, Mapping, PgJournal, PgLeases, PgStore, Relay,
    RelayOptions, Retention, RetentionOptions, TimerOptions, Timers, refused_events, release_refused,
    republish,
};
use callboard_kernel::{EventId, Timestamp};
use futures::future::{BoxFuture, join_all};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use crate::cli::{DlqCommand, OutboxCommand};
use crate::definition::{BuildContext, Built, Operation};
use crate::demand::{Demand, Look};
use crate::lifecycle::{BackgroundTask, BoxError, Stage};
use crate::telemetry;

/// How long a stop waits for the relay to publish what was committed. What is left is published after the next start.
const FLUSH_LIMIT: Duration = Duration::from_secs(5);
/// How long `republish` waits for the relay of a running replica to give way, which it does within a second.
const REPUBLISH_PATIENCE: Duration = Duration::from_secs(20);

/// How long one try at an event or a timer may take: longer than a command of it may wait for its actor.
const TRY_LIMIT: Duration = Duration::from_secs(45);

/// The most refused events that are listed at once.
const MOST_LISTED: u32 = 1000;

/// The registry of one kind of aggregate, on Postgres.
pub type PgRegistry<M> = Registry<<M as Mapping>::Aggregate, PgStore<M>>;

type Fire = Box<dyn Fn(DueTimer) -> BoxFuture<'static, Result<(), HandleError>> + Send + Sync>;

struct Subscriber {
    name: &'static str,
    producer: &'static str,
    handler: Arc<dyn Handler>,
    demand: Option<Demand>,
}

/// The spine of one context. Nothing runs before [`Context::furnish`].
pub struct Context {
    build: BuildContext,
    name: &'static str,
    bus: Bus,
    spec: StreamSpec,
    journal: PgJournal,
    subscribers: Vec<Subscriber>,
    looks: Vec<Look>,
    drains: Vec<BoxFuture<'static, ()>>,
    fire: Option<Fire>,
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Context {
    /// The spine of the service that is being built.
    ///
    /// # Errors
    /// When its definition has no migrations or does not use the bus.
    pub fn new(build: &BuildContext) -> Result<Self, BoxError> {
        let name = build.config.service();
        let journal = PgJournal::new(build.pool()?, JournalOptions::new(name), build.tracker.clone());
        Ok(Self {
            name,
            bus: build.bus()?,
            spec: build.stream_spec(),
            journal,
            subscribers: Vec::new(),
            looks: Vec::new(),
            drains: Vec::new(),
            fire: None,
            build: build.clone(),
        })
    }

    /// The pool, in the context's schema.
    pub const fn pool(&self) -> &Pool {
        self.journal.pool()
    }

    /// The registry of one kind of aggregate. Once per kind; clone it.
    pub fn registry<M: Mapping>(&mut self, mapping: M) -> PgRegistry<M> {
        let registry = Registry::new(
            self.journal.store(mapping),
            Options::default(),
            Arc::clone(&self.build.clock),
            Arc::clone(&self.build.ids),
            self.build.tracker.clone(),
        );
        let stopping = registry.clone();
        self.drains.push(Box::pin(async move { stopping.stop().await }));
        registry
    }

    /// Takes the events of a context. `name` is the durable's: `<service>-<purpose>`; it must never change.
    pub fn consume(&mut self, name: &'static str, producer: &'static str, handler: Arc<dyn Handler>) {
        self.subscribers.push(Subscriber { name, producer, handler, demand: None });
    }

    /// What consumers that are not always wanted depend on. `ask` answers since when they are; `None`: nobody wants them.
    /// It is asked every second, and when nudged.
    pub fn demand(
        &mut self,
        nudge: Arc<Notify>,
        ask: impl Fn() -> BoxFuture<'static, Result<Option<Timestamp>, sqlx::Error>> + Send + Sync + 'static,
    ) -> Demand {
        let (demand, look) = Demand::new(nudge, ask);
        self.looks.push(look);
        demand
    }

    /// As [`Context::consume`], but only while it is wanted. While it is not there is no durable; it begins with what was
    /// stored since it was wanted.
    pub fn consume_while(
        &mut self,
        demand: &Demand,
        name: &'static str,
        producer: &'static str,
        handler: Arc<dyn Handler>,
    ) {
        self.subscribers.push(Subscriber { name, producer, handler, demand: Some(demand.clone()) });
    }

    /// Fires the context's timers. Give the command under [`DueTimer::command_id`].
    pub fn on_timer(
        &mut self,
        fire: impl Fn(DueTimer) -> BoxFuture<'static, Result<(), HandleError>> + Send + Sync + 'static,
    ) {
        self.fire = Some(Box::new(move |timer| Box::pin(in_time(fire(timer)))));
    }

    /// Makes the stream, and hands relay, consumers, timers, retention and the drain to the chassis.
    ///
    /// # Errors
    /// When the stream is there and looks otherwise, or cannot be made.
    pub async fn furnish(self, built: &mut Built) -> Result<(), BoxError> {
        self.bus.ensure_stream(&self.spec).await?;
        let stop = &self.build.stop;
        let pool = self.journal.pool();
        let (relay, handle) = Relay::new(
            pool,
            self.name,
            self.bus.log(self.spec.clone()),
            Arc::clone(self.journal.outbox_wake()),
            RelayOptions::default(),
        );
        let flush = stop.flush.clone();
        built.tasks.push(BackgroundTask::new("relay", Stage::Flush, async move {
            let end = CancellationToken::new();
            let ending = async {
                flush.cancelled().await;
                let flushed = handle.flush(FLUSH_LIMIT).await;
                tracing::debug!(?flushed, "the relay ends");
                end.cancel();
            };
            tokio::join!(relay.run(end.clone()), ending);
            Ok(())
        }));
        // Not on the chassis' tracker: leases outlive the consumers that hold them.
        let leases = Arc::new(PgLeases::start(pool, &TaskTracker::new(), stop.flush.clone()));
        let parking = Arc::new(DeadLetters::new(pool.clone()));
        for subscriber in self.subscribers {
            let Subscriber { name, producer, handler, demand } = subscriber;
            let handler = Arc::new(Linked(handler));
            let (parking, leases) = (parking.clone(), leases.clone());
            let consumer = move || {
                Consumer::new(name, producer, handler.clone(), parking.clone()).exclusive(leases.clone())
            };
            let (bus, fetch) = (self.bus.clone(), stop.fetch.clone());
            built.tasks.push(BackgroundTask::new(name, Stage::Fetch, async move {
                match demand {
                    None => consumer().run(&bus, fetch).await,
                    Some(demand) => demand.run(consumer, &bus, fetch).await,
                }
                .map_err(Into::into)
            }));
        }
        for look in self.looks {
            let fetch = stop.fetch.clone();
            built.tasks.push(BackgroundTask::new("demand", Stage::Fetch, async move {
                look.run(fetch).await;
                Ok(())
            }));
        }
        if let Some(fire) = self.fire {
            let timers = Timers::new(
                pool.clone(),
                Arc::clone(&self.build.clock),
                Arc::clone(self.journal.timer_wake()),
                TimerOptions::default(),
            );
            let fetch = stop.fetch.clone();
            built.tasks.push(BackgroundTask::new("timers", Stage::Fetch, async move {
                timers.run(fire, fetch).await;
                Ok(())
            }));
        }
        let retention =
            Retention::new(pool.clone(), Arc::clone(&self.build.clock), kept_for(self.spec.max_age));
        let fetch = stop.fetch.clone();
        built.tasks.push(BackgroundTask::new("retention", Stage::Fetch, async move {
            retention.run(fetch).await;
            Ok(())
        }));
        let drains = self.drains;
        let earlier = built.drain.take();
        built.drain = Some(Box::pin(async move {
            if let Some(earlier) = earlier {
                earlier.await;
            }
            join_all(drains).await;
        }));
        Ok(())
    }

    /// Does an operator's work on the command line; answers what to print.
    ///
    /// # Errors
    /// What stopped it.
    pub async fn operate(self, operation: Operation) -> Result<String, BoxError> {
        // Not `&self` across a wait: the drains cannot be shared between threads.
        let Self { name, bus, spec, journal, subscribers, .. } = self;
        let pool = journal.pool();
        let letters = DeadLetters::new(pool.clone());
        match operation {
            Operation::Republish => {
                let log = bus.log(spec);
                let count = republish(pool, name, &log, REPUBLISH_PATIENCE).await?;
                Ok(format!("published {count} events again\n"))
            }
            Operation::Outbox(OutboxCommand::ListRefused { limit }) => {
                let found = refused_events(pool, i64::from(limit.clamp(1, MOST_LISTED))).await?;
                Ok(if found.is_empty() { "none\n".to_owned() } else { found.iter().map(refused).collect() })
            }
            Operation::Outbox(OutboxCommand::Release { id, skip }) => {
                if !release_refused(pool, id.into(), !skip).await? {
                    return Err(format!("the bus has not refused {id}").into());
                }
                // A running relay finds it at its next look.
                Ok(if skip { "skipped\n" } else { "will be tried once more\n" }.to_owned())
            }
            Operation::Dlq(DlqCommand::List { limit }) => {
                let found = letters.list(None, None, i64::from(limit)).await?;
                Ok(if found.is_empty() { "none\n".to_owned() } else { found.iter().map(line).collect() })
            }
            Operation::Dlq(DlqCommand::Show { id }) => {
                let (_, letter) = find(&subscribers, &letters, id.into()).await?;
                Ok(format!("{letter:#?}\n"))
            }
            Operation::Dlq(DlqCommand::Replay { id }) => {
                let (subscriber, letter) = find(&subscribers, &letters, id.into()).await?;
                let replay = letters.replay(subscriber.name, letter.key, subscriber.handler.as_ref()).await?;
                let mut text = format!("handled {}\n", replay.handled);
                if let Some((event, problem)) = replay.stopped {
                    let _ = writeln!(text, "stopped at {event}: {problem}");
                }
                Ok(text)
            }
            Operation::Dlq(DlqCommand::Skip { id }) => {
                let (subscriber, letter) = find(&subscribers, &letters, id.into()).await?;
                letters.skip(subscriber.name, id.into()).await?;
                let replay = letters.replay(subscriber.name, letter.key, subscriber.handler.as_ref()).await?;
                Ok(format!("skipped; handled {} behind it\n", replay.handled))
            }
        }
    }
}

/// What is published is kept for longer than the stream keeps it, so that the stream can be built again whole; and
/// receipts for longer than an event can come again, which after a rebuild is both times one after the other.
fn kept_for(stream_max_age: Duration) -> RetentionOptions {
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    let least = RetentionOptions::default();
    let published = least.published.max(stream_max_age + DAY);
    RetentionOptions { published, receipts: least.receipts.max(published + stream_max_age + DAY), ..least }
}

/// Links what a handler does to the trace in which its event happened: it is caused by it and no part of it.
struct Linked(Arc<dyn Handler>);

impl Handler for Linked {
    fn handle<'a>(&'a self, event: &'a Event) -> BoxFuture<'a, Result<Handled, HandleError>> {
        Box::pin(async move {
            // Another span for each try: the consumer's own is that of all tries.
            let attempt = tracing::info_span!("attempt", event.kind = event.kind);
            if let Some(traceparent) = &event.traceparent {
                telemetry::link_traceparent(&attempt, traceparent);
            }
            in_time(self.0.handle(event).instrument(attempt)).await
        })
    }

    fn hears(&self) -> Option<&'static [&'static str]> {
        self.0.hears()
    }
}

/// Ends what takes too long, since a database that was cut off without a word never answers; it is tried again, as
/// everything in a reaction may be.
async fn in_time<T>(work: impl Future<Output = Result<T, HandleError>>) -> Result<T, HandleError> {
    tokio::time::timeout(TRY_LIMIT, work)
        .await
        .unwrap_or_else(|_| Err(HandleError::Retry("no answer in time".to_owned())))
}

/// Where an event is parked.
async fn find<'a>(
    subscribers: &'a [Subscriber],
    letters: &DeadLetters,
    event: EventId,
) -> Result<(&'a Subscriber, DeadLetter), BoxError> {
    for subscriber in subscribers {
        if let Some(letter) = letters.show(subscriber.name, event).await? {
            return Ok((subscriber, letter));
        }
    }
    Err(format!("no consumer of this service has parked {event}").into())
}

fn refused(event: &Event) -> String {
    let why = callboard_bus::check(event).err().unwrap_or_else(|| "the server refused it".to_owned());
    format!("{} {} aggregate {} {why}\n", event.id, event.kind, event.aggregate_id)
}

fn line(letter: &DeadLetter) -> String {
    format!(
        "{} {} {} organisation {} key {} attempts {} {}\n",
        letter.event.id,
        letter.consumer,
        letter.event.kind,
        letter.key.organisation,
        letter.key.aggregate,
        letter.attempts,
        letter.error
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn postgres_keeps_the_truth_for_longer_than_the_stream() {
        for days in [1, 7, 30, 400] {
            let stream = Duration::from_secs(days * 24 * 60 * 60);
            let kept = kept_for(stream);
            assert!(kept.published > stream, "{days}");
            assert!(kept.receipts > kept.published + stream, "{days}");
        }
        assert_eq!(kept_for(Duration::from_secs(60)).receipts, RetentionOptions::default().receipts);
    }
}
