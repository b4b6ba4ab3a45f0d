//! From a definition to a running service, and to its end.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use callboard_kernel::{Clock, IdGenerator, RandomIds, SystemClock};
use clap::{CommandFactory, FromArgMatches};
use futures::FutureExt;
use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::cli::{Cli, Command};
use crate::config::{Config, Sources};
use crate::database;
use crate::definition::{Definition, Operation};
use crate::lifecycle::{self, BoxError};
use crate::memory::small_pages;
use crate::readiness::Readiness;
use crate::supervise::{State, Supervisor};
use crate::telemetry::{self, Telemetry};

/// What the starter of a service decides; the defaults are those of production.
#[derive(Debug, Clone)]
pub struct StartOptions {
    /// Settings that win over all others, by path (`grpc.listen`).
    pub overrides: Vec<(String, Value)>,
    /// A configuration file.
    pub file: Option<PathBuf>,
    /// `CALLBOARD__…` variables.
    pub environment: Vec<(String, String)>,
    /// Now.
    pub clock: Arc<dyn Clock>,
    /// New ids.
    pub ids: Arc<dyn IdGenerator>,
}

impl Default for StartOptions {
    /// No file, nothing from the environment: for several services in one process, and for tests.
    fn default() -> Self {
        Self {
            overrides: Vec::new(),
            file: None,
            environment: Vec::new(),
            clock: Arc::new(SystemClock),
            ids: Arc::new(RandomIds),
        }
    }
}

impl StartOptions {
    /// With these settings over all others.
    #[must_use]
    pub fn with(mut self, path: impl Into<String>, value: impl Into<Value>) -> Self {
        self.overrides.push((path.into(), value.into()));
        self
    }

    fn load(&self, definition: &Definition) -> Result<Config, BoxError> {
        let config = Config::load(&Sources {
            service: definition.name,
            defaults: definition.default_config,
            file: self.file.clone(),
            environment: self.environment.clone(),
            overrides: self.overrides.clone(),
        })?;
        (definition.check)(&config)?;
        Ok(config)
    }
}

/// A service that was started.
#[derive(Debug)]
pub struct Running {
    /// Where calls are served.
    pub grpc_addr: SocketAddr,
    /// Where operators look.
    pub admin_addr: SocketAddr,
    stop: CancellationToken,
    state: watch::Receiver<State>,
    work: JoinHandle<Result<(), String>>,
}

impl Running {
    /// Waits until it serves.
    ///
    /// # Errors
    /// Why it ended before.
    pub async fn ready(&mut self) -> Result<(), BoxError> {
        let state = self.state.wait_for(|state| *state != State::Starting).await.map(|state| state.clone());
        match state {
            Ok(State::Serving) => Ok(()),
            Ok(State::Starting | State::Ended) | Err(_) => Err("it ended before it served".into()),
            Ok(State::Failed(problem)) => Err(problem.into()),
        }
    }

    /// Asks it to stop, without waiting.
    pub fn request_stop(&self) {
        self.stop.cancel();
    }

    /// Stops it in order and waits for the end.
    ///
    /// # Errors
    /// What went wrong while it ran or ended.
    pub async fn stop(self) -> Result<(), BoxError> {
        self.stop.cancel();
        self.wait().await
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// What went wrong.
    pub async fn wait(self) -> Result<(), BoxError> {
        match self.work.await {
            Ok(outcome) => outcome.map_err(Into::into),
            Err(error) => Err(error.to_string().into()),
        }
    }
}

/// Makes TLS work in this process. Harmless when repeated.
pub fn install_crypto_provider() {
    // Refused when one is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// Starts a service: reads its settings and binds its ports before it returns; everything else follows in the
/// background ([`Running::ready`]). Cancel `stop` to end it.
///
/// # Errors
/// Settings that are wrong, ports that are taken.
pub async fn start(
    definition: Definition,
    options: StartOptions,
    metrics: PrometheusHandle,
    stop: CancellationToken,
) -> Result<Running, BoxError> {
    install_crypto_provider();
    let config = Arc::new(options.load(&definition)?);
    start_configured(definition, config, options, metrics, stop).await
}

async fn start_configured(
    definition: Definition,
    config: Arc<Config>,
    options: StartOptions,
    metrics: PrometheusHandle,
    stop: CancellationToken,
) -> Result<Running, BoxError> {
    let calls = bind(config.grpc.listen, "grpc.listen").await?;
    let admin = bind(config.admin.listen, "admin.listen").await?;
    let (grpc_addr, admin_addr) = (calls.local_addr()?, admin.local_addr()?);
    tracing::info!(%grpc_addr, %admin_addr, service = definition.name, "bound");
    let (state, watched) = watch::channel(State::Starting);
    let supervisor = Supervisor {
        definition,
        readiness: Arc::new(Readiness::new(config.admin.readiness_grace)),
        config,
        clock: options.clock,
        ids: options.ids,
        metrics,
        requested: stop.clone(),
        state,
    };
    // Waited for by `Running`; a tracker only because tasks are spawned on trackers.
    let work = TaskTracker::new().spawn(supervisor.run(calls, admin).boxed());
    Ok(Running { grpc_addr, admin_addr, stop, state: watched, work })
}

async fn bind(address: SocketAddr, key: &str) -> Result<TcpListener, BoxError> {
    TcpListener::bind(address)
        .await
        .map_err(|error| format!("{key}: cannot listen on {address}: {error}").into())
}

/// The whole `main` of a service: command line, settings, telemetry, serving, and the exit code.
pub fn run_main(definition: Definition) -> ExitCode {
    small_pages();
    install_crypto_provider();
    let name = format!("callboard-{}", definition.name);
    let about = format!("The {} service of Callboard", definition.name);
    let matches = Cli::command().about(about).name(definition.name).bin_name(name.clone()).get_matches();
    let cli = match Cli::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(error) => error.exit(),
    };
    let outcome = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name(name)
        .build()
        .map_err(BoxError::from)
        .and_then(|runtime| runtime.block_on(Box::pin(execute(definition, cli))));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "callboard-{}: {error}", definition.name);
            ExitCode::FAILURE
        }
    }
}

async fn execute(definition: Definition, cli: Cli) -> Result<(), BoxError> {
    let mut options = StartOptions {
        file: cli.config,
        // A variable that is not UTF-8 is none of ours.
        environment: std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect(),
        ..StartOptions::default()
    };
    if matches!(cli.command, Command::Serve { migrate: true }) {
        options = options.with("database.migrate_on_start", true);
    }
    let config = Arc::new(options.load(&definition)?);
    if matches!(cli.command, Command::CheckConfig) {
        return print(&config.render());
    }
    let telemetry = match cli.command {
        Command::Serve { .. } => Telemetry::install(&config.telemetry, definition.name)?,
        _ => Telemetry::install_aside(&config.telemetry, definition.name)?,
    };
    let outcome = match cli.command {
        Command::Serve { .. } => serve(definition, config, options).await,
        Command::Migrate { dry_run } => migrate(&definition, &config, dry_run).await,
        Command::CheckConfig => Ok(()),
        Command::Republish => work(definition, config, options, Operation::Republish).await,
        Command::Outbox { command } => work(definition, config, options, Operation::Outbox(command)).await,
        Command::Dlq { command } => work(definition, config, options, Operation::Dlq(command)).await,
    };
    telemetry.shutdown();
    outcome
}

async fn serve(definition: Definition, config: Arc<Config>, options: StartOptions) -> Result<(), BoxError> {
    let stop = CancellationToken::new();
    let running = start_configured(definition, config, options, telemetry::metrics(), stop.clone()).await?;
    let signals = TaskTracker::new();
    signals.spawn(async move {
        lifecycle::signal().await;
        tracing::info!("asked to stop");
        stop.cancel();
    });
    running.wait().await
}

async fn migrate(definition: &Definition, config: &Config, dry_run: bool) -> Result<(), BoxError> {
    let Some(migrations) = definition.migrations else { return print("this service has no database\n") };
    let pool = database::pool(&config.database, definition.name)?;
    database::check_version(&pool).await?;
    let pending = database::pending(&pool, definition.name, migrations).await?;
    if !dry_run {
        database::migrate(&config.database, definition.name, migrations).await?;
    }
    let word = if dry_run { "would apply" } else { "applied" };
    let lines: String = pending.iter().map(|name| format!("{word} {name}\n")).collect();
    print(if lines.is_empty() { "up to date\n" } else { &lines })
}

/// Does an operator's work as the command line does, beside a running service or without one, and answers what to
/// print. Waits for database and broker.
///
/// # Errors
/// Settings that are wrong, a service that has no such work, or what stopped it.
pub async fn operate(
    definition: Definition,
    options: StartOptions,
    operation: Operation,
) -> Result<String, BoxError> {
    install_crypto_provider();
    let config = Arc::new(options.load(&definition)?);
    operate_configured(definition, config, options, operation).await
}

async fn work(
    definition: Definition,
    config: Arc<Config>,
    options: StartOptions,
    operation: Operation,
) -> Result<(), BoxError> {
    print(&operate_configured(definition, config, options, operation).await?)
}

async fn operate_configured(
    definition: Definition,
    config: Arc<Config>,
    options: StartOptions,
    operation: Operation,
) -> Result<String, BoxError> {
    let operate =
        definition.operate.ok_or("this service has neither a stream nor dead letters of its own")?;
    let (state, _) = watch::channel(State::Starting);
    let supervisor = Supervisor {
        definition,
        readiness: Arc::new(Readiness::new(config.admin.readiness_grace)),
        config,
        clock: options.clock,
        ids: options.ids,
        metrics: telemetry::metrics(),
        requested: CancellationToken::new(),
        state,
    };
    let context = supervisor.context().await?;
    operate(context, operation).await
}

fn print(text: &str) -> Result<(), BoxError> {
    Ok(std::io::stdout().write_all(text.as_bytes())?)
}
