//! What a service says of itself, and what it gets to build itself from.

use std::sync::Arc;

use callboard_auth::{Revocations, Verifier};
use callboard_bus::{Bus, StreamSpec};
use callboard_journal::Pool;
use callboard_kernel::{Clock, IdGenerator};
use futures::future::BoxFuture;
use sqlx::migrate::Migrator;
use tokio_util::task::TaskTracker;
use tonic::service::Routes;
use tonic_health::server::HealthReporter;

use crate::config::{Config, ConfigError};
use crate::lifecycle::{BackgroundTask, BoxError, Stop};
use crate::readiness::ReadinessCheck;

/// A service: all that its `main` hands over.
#[derive(Debug, Clone, Copy)]
pub struct Definition {
    /// One lower-case word: the name of its schema, its configuration section, its error domain.
    pub name: &'static str,
    /// Its `config.default.toml`.
    pub default_config: &'static str,
    /// Checks the settings of its own, as `check-config` and every start do: unknown keys, durations, addresses,
    /// limits. [`no_section`](crate::config::no_section) where it has none.
    pub check: fn(&Config) -> Result<(), ConfigError>,
    /// Its migrations; `None`: it has no database.
    pub migrations: Option<&'static Migrator>,
    /// Whether it publishes or hears events. It then also learns of ended sessions.
    pub uses_bus: bool,
    /// Builds it. Called when database and bus can be reached and the schema is up to date.
    pub build: fn(BuildContext) -> BoxFuture<'static, Result<Built, BoxError>>,
    /// What only this service can do on the command line; `None`: it has neither stream nor dead letters.
    pub operate: Option<Operate>,
}

/// Does an operator's work and answers what to print.
pub type Operate = fn(BuildContext, Operation) -> BoxFuture<'static, Result<String, BoxError>>;

/// Work of an operator, on the command line. Answers what to print.
#[derive(Debug, Clone)]
pub enum Operation {
    /// Rebuild the stream from Postgres.
    Republish,
    /// Dead letters.
    Dlq(crate::cli::DlqCommand),
    /// Events of its own that the bus refused.
    Outbox(crate::cli::OutboxCommand),
}

/// What a service is built from.
#[derive(Debug, Clone)]
pub struct BuildContext {
    /// Its settings.
    pub config: Arc<Config>,
    /// Now.
    pub clock: Arc<dyn Clock>,
    /// New ids.
    pub ids: Arc<dyn IdGenerator>,
    /// Verifies access tokens; the server uses the same.
    pub verifier: Arc<Verifier>,
    /// What is known of ended sessions.
    pub revocations: Arc<Revocations>,
    /// When to end: see [`Stop`].
    pub stop: Stop,
    /// For tasks that come and go, such as actors. Waited for between the stages `Fetch` and `Flush`.
    pub tracker: TaskTracker,
    pub(crate) pool: Option<Pool>,
    pub(crate) bus: Option<Bus>,
}

impl BuildContext {
    /// The pool; its connections work in the service's own schema.
    ///
    /// # Errors
    /// When the definition has no migrations, hence no database.
    pub fn pool(&self) -> Result<Pool, BoxError> {
        self.pool.clone().ok_or_else(|| "this service has no database".into())
    }

    /// The bus.
    ///
    /// # Errors
    /// When the definition does not use one.
    pub fn bus(&self) -> Result<Bus, BoxError> {
        self.bus.clone().ok_or_else(|| "this service does not use the bus".into())
    }

    /// The stream this service publishes to.
    pub fn stream_spec(&self) -> StreamSpec {
        crate::nats::stream_spec(&self.config.nats, self.config.service())
    }
}

/// Runs for as long as the service does and says how others are.
pub type TellHealth = Box<dyn FnOnce(HealthReporter) -> BoxFuture<'static, ()> + Send>;

/// A built service.
pub struct Built {
    /// Its gRPC services, each with `max_decoding_message_size(config.grpc.max_message_bytes)`; for the gateway made
    /// from an axum router.
    pub routes: Routes,
    /// Full names of its gRPC services, for health and reflection: `callboard.tickets.v1.TicketsService`.
    pub service_names: Vec<&'static str>,
    /// Full names of gRPC services of others that pass through it: for reflection. Their health is told by `health`.
    pub passed_names: Vec<&'static str>,
    /// Tells gRPC health of more than this service's own readiness, until the stop is asked for.
    pub health: Option<TellHealth>,
    /// RPCs that need no token: `callboard.directory.v1.SessionsService/ScanCode`. All others do.
    pub public_rpcs: &'static [&'static str],
    /// RPCs that take as long as what they are sent: uploads. A caller's deadline holds, ours does not; the handler
    /// itself must not wait for ever for the next part.
    pub unhurried_rpcs: &'static [&'static str],
    /// True when plain HTTP is served on the same port. Such requests are not authenticated here.
    pub serves_http: bool,
    /// Further routes of the admin port.
    pub admin_routes: Option<axum::Router>,
    /// What runs beside the calls.
    pub tasks: Vec<BackgroundTask>,
    /// What it needs besides database and bus.
    pub readiness: Vec<ReadinessCheck>,
    /// Awaited at the stop between the stages: empties mailboxes before the committer and the relay end.
    pub drain: Option<BoxFuture<'static, ()>>,
}

impl Built {
    /// A service of these routes and names; the rest empty.
    pub fn new(routes: Routes, service_names: Vec<&'static str>) -> Self {
        Self {
            routes,
            service_names,
            passed_names: Vec::new(),
            health: None,
            public_rpcs: &[],
            unhurried_rpcs: &[],
            serves_http: false,
            admin_routes: None,
            tasks: Vec::new(),
            readiness: Vec::new(),
            drain: None,
        }
    }
}

impl std::fmt::Debug for Built {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Built")
            .field("services", &self.service_names)
            .field("tasks", &self.tasks)
            .finish_non_exhaustive()
    }
}
