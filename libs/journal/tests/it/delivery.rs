//! What the tests of relay, timers and dead letters share: an outbox of their own, and events in it.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use callboard_bus::{Bus, Event, Log, Nats, NatsOptions, StreamLog, StreamSpec};
use callboard_journal::Pool;
use callboard_journal::{Relay, RelayHandle, RelayOptions, migrate};
use callboard_kernel::{Actor, EventId, Timestamp, Version};
use callboard_testkit::{Database, PATIENCE, Servers, eventually};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection, PgConnection};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

pub const CONTEXT: &str = "tickets";

/// A schema with the journal's tables.
pub struct Outbox {
    pub pool: Pool,
    _database: Database,
}

impl Outbox {
    pub async fn new() -> Self {
        let database = Servers::shared().await.fresh_database().await;
        let mut connection = PgConnection::connect(database.url()).await.unwrap();
        migrate(&mut connection, "tickets").await.unwrap();
        connection.close().await.unwrap();
        let options =
            PgConnectOptions::from_str(database.url()).unwrap().options([("search_path", "tickets")]);
        let pool = Pool::new(PgPoolOptions::new().max_connections(8), options);
        Self { pool, _database: database }
    }

    pub async fn commit(&self, events: &[Event]) {
        let mut connection = self.pool.acquire().await.unwrap();
        for event in events {
            insert(&mut connection, event).await;
        }
    }

    /// Version and mark of all rows of an aggregate, by position.
    pub async fn marks(&self) -> Vec<(Uuid, Option<i64>)> {
        sqlx::query_as("select event_id, stream_seq from outbox order by position")
            .fetch_all(&self.pool)
            .await
            .unwrap()
    }

    pub async fn until_published(&self) {
        eventually("everything is published and marked", PATIENCE, || async {
            let left: i64 = sqlx::query_scalar("select count(*) from outbox where stream_seq is null")
                .fetch_one(&self.pool)
                .await
                .unwrap();
            if left == 0 { Ok(()) } else { Err(left) }
        })
        .await;
    }

    /// Cuts connections, as a failed network or server would.
    pub async fn cut(&self, application: &str) -> i64 {
        sqlx::query_scalar(
            "select count(pg_terminate_backend(pid)) from pg_stat_activity \
             where application_name = $1 and datname = current_database()",
        )
        .bind(application)
        .fetch_one(&self.pool)
        .await
        .unwrap()
    }
}

pub async fn insert(connection: &mut PgConnection, event: &Event) {
    sqlx::query(
        "insert into outbox (event_id, organisation_id, context, name, kind, aggregate_id, aggregate_version, time, \
         causation, correlation, traceparent, actor, payload) values ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13)",
    )
    .bind(event.id.uuid())
    .bind(event.organisation.uuid())
    .bind(&event.context)
    .bind(&event.name)
    .bind(&event.kind)
    .bind(event.aggregate_id)
    .bind(event.aggregate_version.0)
    .bind(event.time)
    .bind(event.causation.map(EventId::uuid))
    .bind(event.correlation)
    .bind(&event.traceparent)
    .bind(event.actor.to_string())
    .bind(event.payload.as_ref())
    .execute(connection)
    .await
    .unwrap();
}

/// Version `version` of aggregate `key`; the id follows from both.
pub fn event(key: u128, version: i64) -> Event {
    Event {
        id: event_id(key, version),
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

pub fn event_id(key: u128, version: i64) -> EventId {
    EventId(Uuid::from_u128(key << 64 | u128::from(version.unsigned_abs())))
}

pub async fn connect(server: &callboard_testkit::Nats) -> Bus {
    Nats::connect(NatsOptions::new(server.url(), "test")).await.unwrap().into()
}

pub fn log(bus: &Bus) -> Log {
    bus.log(StreamSpec::new(CONTEXT))
}

/// Everything in the stream.
pub async fn stream(bus: &Bus) -> Vec<(u64, EventId)> {
    eventually("the stream can be read", PATIENCE, || async { log(bus).events_from(1, 100_000).await }).await
}

/// A relay that runs.
pub struct Running {
    pub handle: RelayHandle,
    pub wake: Arc<Notify>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    pub fn start(outbox: &Outbox, bus: &Bus) -> Self {
        Self::of(CONTEXT, outbox, bus)
    }

    pub fn of(context: &str, outbox: &Outbox, bus: &Bus) -> Self {
        let options = RelayOptions {
            poll: Duration::from_millis(20),
            verify: Duration::from_millis(50),
            measure: Duration::from_millis(20),
            ..RelayOptions::default()
        };
        let wake = Arc::new(Notify::new());
        let (relay, handle) = Relay::new(&outbox.pool, context, log(bus), Arc::clone(&wake), options);
        let stop = CancellationToken::new();
        let task = TaskTracker::new().spawn(relay.run(stop.clone()));
        Self { handle, wake, stop, task }
    }

    pub async fn until_it_leads(&self) {
        eventually("the relay leads", PATIENCE, || async {
            if self.handle.leads() { Ok(()) } else { Err(()) }
        })
        .await;
    }

    pub async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }

    pub async fn die(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}
