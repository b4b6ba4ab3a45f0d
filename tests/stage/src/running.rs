//! A service that runs.

use std::fmt;
use std::sync::Arc;

use callboard_bus::{Bus, Event, Nats, NatsOptions};
use callboard_journal::Pool;
use callboard_kernel::Clock;
use callboard_proto::Event as ProtoEvent;
use callboard_service::{Definition, Running, StartOptions};
use callboard_testkit::{Database, PATIENCE, Servers, eventually, fresh_nats};
use futures::TryStreamExt as _;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;
use uuid::Uuid;

use crate::people;
use crate::streams::{Around, event};

/// How a [`Stage`] is set up.
#[derive(Debug)]
pub struct StageBuilder {
    definition: Definition,
    hears: Vec<&'static str>,
    options: StartOptions,
    database: Option<(Database, String)>,
}

impl StageBuilder {
    /// With a setting over those of a test.
    #[must_use]
    pub fn with(mut self, path: &str, value: impl Into<serde_json::Value>) -> Self {
        let value: serde_json::Value = value.into();
        self.options = self.options.with(path, value);
        self
    }

    /// With this clock.
    #[must_use]
    pub fn at(mut self, clock: impl Clock + 'static) -> Self {
        self.options.clock = Arc::new(clock);
        self
    }

    /// On this database, which the service reaches by `url`: through a proxy, say.
    #[must_use]
    pub fn on(mut self, database: Database, url: String) -> Self {
        self.database = Some((database, url));
        self
    }

    /// Starts the service and waits until it serves.
    ///
    /// # Panics
    /// If it does not start.
    pub async fn start(self) -> Stage {
        let (database, url) = match self.database {
            Some(given) => given,
            None => {
                let database = Servers::shared().await.fresh_database().await;
                let url = database.url().to_owned();
                (database, url)
            }
        };
        let broker = fresh_nats().await;
        let bus: Bus =
            Nats::connect(NatsOptions::new(broker.url(), "test")).await.expect("a connection").into();
        let around = Around::new(bus, &self.hears).await;
        let mut options = StartOptions { overrides: Vec::new(), ..self.options.clone() }
            .with("grpc.listen", "127.0.0.1:0")
            .with("admin.listen", "127.0.0.1:0")
            .with("auth.issuers", people::issuers())
            .with("database.url", url)
            .with("database.migrate_on_start", true)
            .with("nats.url", broker.url())
            .with("shutdown.propagation_delay", "0ms")
            .with("shutdown.drain_timeout", "5s")
            .with("shutdown.hard_limit", "25s");
        options.overrides.extend(self.options.overrides);
        let metrics = callboard_service::telemetry::metrics();
        let stop = CancellationToken::new();
        let mut running =
            callboard_service::start(self.definition, options, metrics, stop).await.expect("it starts");
        running.ready().await.expect("it serves");
        let grpc = format!("http://{}", running.grpc_addr);
        let channel = callboard_service::client::channel(&grpc).expect("a channel");
        let connect: PgConnectOptions = database.url().parse().expect("a database's address");
        let pool = Pool::new(
            PgPoolOptions::new().max_connections(4),
            connect.options([("search_path", self.definition.name)]),
        );
        Stage { channel, pool, grpc, around, running: Some(running), database, broker }
    }
}

/// A service that runs on a database and a bus of its own. Dropped, it goes with its test's runtime; [`Stage::stop`]
/// ends it in order and says whether it ended well.
pub struct Stage {
    channel: Channel,
    pool: Pool,
    grpc: String,
    around: Around,
    running: Option<Running>,
    database: Database,
    broker: callboard_testkit::Nats,
}

impl fmt::Debug for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stage").field("grpc", &self.grpc).finish_non_exhaustive()
    }
}

impl Stage {
    /// A service to be started, and the contexts it hears: `["directory", "tickets"]`.
    pub fn of(definition: Definition, hears: &[&'static str]) -> StageBuilder {
        StageBuilder { definition, hears: hears.to_vec(), options: StartOptions::default(), database: None }
    }

    /// Starts a service with the settings of a test.
    ///
    /// # Panics
    /// If it does not start.
    pub async fn start(definition: Definition, hears: &[&'static str]) -> Self {
        Self::of(definition, hears).start().await
    }

    /// Ends it in order.
    ///
    /// # Panics
    /// If something in it ended with an error.
    pub async fn stop(mut self) {
        if let Some(running) = self.running.take() {
            running.stop().await.expect("it ends well");
        }
    }

    /// Where it is called.
    pub fn channel(&self) -> Channel {
        self.channel.clone()
    }

    /// Where it is called: `http://127.0.0.1:…`.
    pub fn grpc(&self) -> &str {
        &self.grpc
    }

    /// Its tables; its schema needs no naming.
    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    /// Its database.
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// Its bus.
    pub fn broker(&self) -> &callboard_testkit::Nats {
        &self.broker
    }

    /// Publishes as another context does; answers the event's id.
    pub async fn publish<M: ProtoEvent>(
        &self,
        organisation: Uuid,
        key: Uuid,
        version: i64,
        message: &M,
    ) -> Uuid {
        let event = event(organisation, key, version, message);
        let id = event.id.uuid();
        self.publish_event(event).await;
        id
    }

    /// Publishes an event as it is. One that is on the stream already is refused.
    pub async fn publish_event(&self, event: Event) {
        self.around.publish(event).await;
    }

    /// The durables on a context's stream.
    pub async fn durables(&self, producer: &str) -> Vec<String> {
        let client = async_nats::connect(self.broker.url()).await.expect("a connection");
        let jetstream = async_nats::jetstream::new(client);
        let stream = jetstream.get_stream(callboard_bus::stream_name(producer)).await.expect("a stream");
        let mut names: Vec<String> = stream.consumer_names().try_collect().await.expect("names");
        names.sort();
        names
    }

    /// The names of an aggregate's events that are on the stream, in order.
    pub async fn events(&self, key: Uuid) -> Vec<String> {
        sqlx::query_scalar(
            "select name from outbox where aggregate_id = $1 and stream_seq is not null order by position",
        )
        .bind(key)
        .fetch_all(&self.pool)
        .await
        .expect("names")
    }

    /// The events of one kind that are on the stream, in order.
    pub async fn messages<M: ProtoEvent + Default>(&self, key: Uuid) -> Vec<M> {
        let payloads: Vec<Vec<u8>> = sqlx::query_scalar(
            "select payload from outbox
             where aggregate_id = $1 and name = $2 and stream_seq is not null order by position",
        )
        .bind(key)
        .bind(M::SUBJECT)
        .fetch_all(&self.pool)
        .await
        .expect("payloads");
        payloads.iter().map(|payload| M::decode(payload.as_slice()).expect("a message")).collect()
    }

    /// Waits until an aggregate's published events satisfy a condition.
    pub async fn until_told(&self, key: Uuid, what: &str, holds: impl Fn(&[String]) -> bool) -> Vec<String> {
        eventually(what, PATIENCE, || async {
            let names = self.events(key).await;
            if holds(&names) { Ok(names) } else { Err(names) }
        })
        .await
    }

    /// What has been published of an aggregate, in order, once an event of this name is among it.
    pub async fn told(&self, key: Uuid, wanted: &str) -> Vec<String> {
        self.until_told(key, wanted, |names| names.iter().any(|name| name == wanted)).await
    }
}
