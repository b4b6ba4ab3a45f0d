//! The life of one service: prepare, build, serve, stop in order.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use callboard_auth::{Revocations, Verifier};
use callboard_bus::Bus;
use callboard_journal::Pool;
use callboard_kernel::{Clock, IdGenerator};
use chrono::TimeDelta;
use futures::FutureExt;
use metrics_exporter_prometheus::PrometheusHandle;
use secrecy::ExposeSecret;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::service::Routes;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

use crate::config::Config;
use crate::database;
use crate::definition::{BuildContext, Built, Definition};
use crate::lifecycle::{BackgroundTask, BoxError, Stage, Stop, Tasks};
use crate::nats::{self, RevocationFeed};
use crate::readiness::{Readiness, ReadinessCheck, Verdict};
use crate::server::lazily::Lazily;
use crate::server::{CallServer, admin};

/// Between two looks at something that is not there yet.
const RETRY: Duration = Duration::from_millis(500);
/// Between two looks at readiness for gRPC health.
const HEALTH_PERIOD: Duration = Duration::from_secs(1);
/// The same until it is ready for the first time.
const STARTING_PERIOD: Duration = Duration::from_millis(20);

/// Gauge, labels `service` and `without`: 1 while the service serves on without something. Alert on it.
const DEGRADED: &str = "callboard_degraded";

/// Where a service is in its life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum State {
    Starting,
    Serving,
    Ended,
    Failed(String),
}

pub(crate) struct Supervisor {
    pub definition: Definition,
    pub config: Arc<Config>,
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<dyn IdGenerator>,
    pub metrics: PrometheusHandle,
    pub readiness: Arc<Readiness>,
    pub requested: CancellationToken,
    pub state: watch::Sender<State>,
}

impl Supervisor {
    /// From bound ports to the end.
    ///
    /// # Errors
    /// What went wrong.
    pub async fn run(self, calls: TcpListener, admin_listener: TcpListener) -> Result<(), String> {
        let (closing, extra) = (CancellationToken::new(), admin::ExtraRoutes::default());
        let operators = TaskTracker::new();
        operators.spawn(admin::serve(
            admin_listener,
            self.readiness.clone(),
            self.metrics.clone(),
            extra.clone(),
            closing.clone(),
        ));
        let outcome = Box::pin(self.live(calls, &extra)).await.map_err(|error| error.to_string());
        self.readiness.stop();
        closing.cancel();
        operators.close();
        // Somebody may be in the middle of a slow scrape.
        let _ = tokio::time::timeout(Duration::from_secs(1), operators.wait()).await;
        self.state.send_replace(match &outcome {
            Ok(()) => State::Ended,
            Err(problem) => State::Failed(problem.clone()),
        });
        outcome
    }

    async fn live(&self, calls: TcpListener, extra: &admin::ExtraRoutes) -> Result<(), BoxError> {
        let context = tokio::select! {
            context = self.context() => context?,
            () = self.requested.cancelled() => return Ok(()),
        };
        // However this ends, nothing that was spawned stays behind.
        let _hard = context.stop.hard.clone().drop_guard();
        let tasks = Tasks::default();
        let mut checks = self.checks(&context)?;
        self.keep_keys_fresh(&context, &tasks, &mut checks);
        self.follow_revocations(&context, &tasks, &mut checks)?;
        self.readiness.starting("building");
        let mut built = (self.definition.build)(context.clone()).await?;
        checks.append(&mut built.readiness);
        *extra.write() = built.admin_routes.take();
        for task in std::mem::take(&mut built.tasks) {
            tasks.spawn(task, &context.stop);
        }
        let drain = built.drain.take();
        let (reporter, routes) = self.furnish(&built)?;
        let names = built.service_names.clone();
        let tell = built.health.take();
        let cut_off = CancellationToken::new();
        let server = CallServer {
            service: self.definition.name,
            config: self.config.grpc.clone(),
            routes,
            public: built.public_rpcs,
            unhurried: built.unhurried_rpcs,
            serves_http: built.serves_http,
            verifier: context.verifier.clone(),
            ids: self.ids.clone(),
            cut_off: cut_off.clone(),
        };
        self.readiness.started(checks);
        let others = built.passed_names.clone();
        let health = self.watch_health(reporter.clone(), names, &context.stop);
        if let Some(tell) = tell {
            let requested = context.stop.requested.clone();
            health.spawn(async move {
                requested.run_until_cancelled(tell(reporter.clone())).await;
                for name in others {
                    reporter.set_service_status(name, ServingStatus::NotServing).await;
                }
            });
        }
        let refuse_new = CancellationToken::new();
        let serving = TaskTracker::new();
        let mut served = serving.spawn(server.serve(calls, refuse_new.clone()));
        tracing::info!(service = self.definition.name, "serving");
        let early = tokio::select! {
            () = self.requested.cancelled() => None,
            () = tasks.crashed.cancelled() => None,
            outcome = &mut served => Some(outcome),
        };
        if let Some(outcome) = early {
            tasks.fail(&format!("the server for calls ended: {outcome:?}"));
        }
        let limits = &self.config.shutdown;
        let in_order = async {
            // 1. Not serving, for those who watch; health flips before anything is refused.
            self.readiness.stop();
            context.stop.requested.cancel();
            health.close();
            health.wait().await;
            // 2. Those who route to us take a while to notice. Nobody does when we crash.
            if !tasks.crashed.is_cancelled() {
                tokio::time::sleep(limits.propagation_delay).await;
            }
            // 3. Finish what is in flight.
            refuse_new.cancel();
            serving.close();
            if !serving.is_empty()
                && tokio::time::timeout(limits.drain_timeout, serving.wait()).await.is_err()
            {
                tracing::warn!("calls are cut off: shutdown.drain_timeout is over");
                cut_off.cancel();
                // They are told; what is left then are streams.
                if tokio::time::timeout(Duration::from_millis(500), serving.wait()).await.is_err() {
                    served.abort();
                }
            }
            // 4. Take no more work, finish what is held.
            context.stop.fetch.cancel();
            tasks.fetch.close();
            tasks.fetch.wait().await;
            if let Some(drain) = drain {
                drain.await;
            }
            context.tracker.close();
            context.tracker.wait().await;
            // 5. Write and publish what is left.
            context.stop.flush.cancel();
            tasks.flush.close();
            tasks.flush.wait().await;
        };
        let in_time = tokio::time::timeout(limits.hard_limit, in_order).await.is_ok();
        context.stop.hard.cancel();
        if !in_time {
            // What is left is told, and given one more moment to let go.
            tasks.fail("shutdown.hard_limit is over");
            let _ = tokio::time::timeout(Duration::from_secs(1), async {
                tasks.fetch.wait().await;
                tasks.flush.wait().await;
            })
            .await;
        }
        // 6. Close.
        if let Some(pool) = &context.pool {
            let _ = tokio::time::timeout(Duration::from_secs(2), pool.close()).await;
        }
        if let Some(bus) = &context.bus {
            let _ = tokio::time::timeout(Duration::from_secs(1), bus.close()).await;
        }
        tracing::info!(service = self.definition.name, "stopped");
        match tasks.problem() {
            Some(problem) => Err(problem.into()),
            None => Ok(()),
        }
    }

    /// Waits for what the service needs, for as long as it takes.
    pub async fn context(&self) -> Result<BuildContext, BoxError> {
        let pool = self.prepare_database().await?;
        let bus = self.prepare_bus().await?;
        let verifier = self.config.auth.verifier()?;
        let revocations =
            Arc::new(Revocations::behind(verifier.max_token_lifetime + verifier.clock_skew * 2));
        let verifier = Verifier::new(verifier, self.clock.clone(), revocations.clone());
        Ok(BuildContext {
            config: self.config.clone(),
            clock: self.clock.clone(),
            ids: self.ids.clone(),
            verifier: Arc::new(verifier),
            revocations,
            stop: Stop::default(),
            tracker: TaskTracker::new(),
            pool,
            bus,
        })
    }

    async fn prepare_database(&self) -> Result<Option<Pool>, BoxError> {
        let Some(migrations) = self.definition.migrations else { return Ok(None) };
        let (config, name) = (&self.config.database, self.definition.name);
        let pool = database::pool(config, name)?;
        self.readiness.starting("waiting for the database");
        let mut told = false;
        loop {
            match database::check_version(&pool).await {
                Ok(()) => break,
                Err(error) if error.is_passing() => {
                    if !std::mem::replace(&mut told, true) {
                        tracing::warn!(%error, "waiting for the database");
                    }
                    tokio::time::sleep(RETRY).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
        if config.migrate_on_start {
            self.readiness.starting("applying migrations");
            database::migrate(config, name, migrations).boxed().await?;
        }
        self.readiness.starting("waiting for migrations: run `migrate`");
        let mut told = false;
        loop {
            match database::pending(&pool, name, migrations).await {
                Ok(pending) if pending.is_empty() => return Ok(Some(pool)),
                Ok(pending) => {
                    if !std::mem::replace(&mut told, true) {
                        tracing::warn!(pending = pending.len(), "migrations are not applied: run `migrate`");
                    }
                }
                Err(error) if error.is_passing() => {}
                Err(error) => return Err(error.into()),
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    async fn prepare_bus(&self) -> Result<Option<Bus>, BoxError> {
        if !self.definition.uses_bus {
            return Ok(None);
        }
        if self.config.nats.url.expose_secret().is_empty() {
            return Err("nats.url is required".into());
        }
        self.readiness.starting("waiting for NATS");
        let mut told = false;
        loop {
            match nats::connect(&self.config.nats, self.definition.name).await {
                Ok(bus) => return Ok(Some(bus)),
                Err(error) if !nats::is_passing(&error) => return Err(error.into()),
                Err(error) => {
                    if !std::mem::replace(&mut told, true) {
                        tracing::warn!(%error, "waiting for NATS");
                    }
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    }

    fn checks(&self, context: &BuildContext) -> Result<Vec<ReadinessCheck>, BoxError> {
        let mut checks = Vec::new();
        if context.pool.is_some() {
            let probe = Arc::new(database::Probe::new(&self.config.database, self.definition.name)?);
            checks.push(ReadinessCheck::new("database", move || {
                let probe = Arc::clone(&probe);
                async move { probe.ask().await.map_err(|error| error.to_string()) }
            }));
        }
        if let Some(bus) = context.bus.clone() {
            // Commands need Postgres alone; their events wait in the outbox (ADR 0009).
            checks.push(ReadinessCheck::degrading("nats", move || {
                let connected = bus.is_connected();
                async move { if connected { Ok(()) } else { Err("not connected: events wait".to_owned()) } }
            }));
        }
        Ok(checks)
    }

    fn keep_keys_fresh(&self, context: &BuildContext, tasks: &Tasks, checks: &mut Vec<ReadinessCheck>) {
        let (verifier, stop) = (context.verifier.clone(), context.stop.fetch.clone());
        let known = verifier.clone();
        checks.push(ReadinessCheck::new("issuer keys", move || {
            let has_keys = known.has_keys();
            async move { if has_keys { Ok(()) } else { Err("no issuer's keys are known yet".to_owned()) } }
        }));
        let work = async move {
            stop.run_until_cancelled(verifier.keep_keys_fresh()).await;
            Ok(())
        };
        tasks.spawn(BackgroundTask::new("issuer keys", Stage::Fetch, work), &context.stop);
    }

    fn follow_revocations(
        &self,
        context: &BuildContext,
        tasks: &Tasks,
        checks: &mut Vec<ReadinessCheck>,
    ) -> Result<(), BoxError> {
        let revocations = context.revocations.clone();
        let Some(bus) = context.bus.clone() else {
            // Nobody tells of any.
            revocations.caught_up();
            return Ok(());
        };
        let feed = RevocationFeed { bus, revocations: revocations.clone(), clock: self.clock.clone() };
        // A token is accepted for its life and the skew; and the clock it was made by may be off as much.
        let skew = TimeDelta::from_std(self.config.auth.clock_skew)?;
        let window = TimeDelta::from_std(self.config.auth.max_token_lifetime)? + skew * 2;
        let stop = context.stop.fetch.clone();
        let work = async move {
            match stop.run_until_cancelled(feed.run(window)).await {
                // The tail has no end of its own.
                Some(()) => Err("the news of ended sessions stopped".into()),
                None => Ok(()),
            }
        };
        tasks.spawn(BackgroundTask::new("ended sessions", Stage::Fetch, work), &context.stop);
        // No token is accepted before.
        checks.push(ReadinessCheck::new("ended sessions", move || {
            let known = revocations.is_complete();
            async move { if known { Ok(()) } else { Err("not read yet".to_owned()) } }
        }));
        Ok(())
    }

    /// Adds health and reflection.
    fn furnish(&self, built: &Built) -> Result<(HealthReporter, Routes), BoxError> {
        let (reporter, health) = tonic_health::server::health_reporter();
        let mut routes = built.routes.clone().add_service(health);
        if self.config.grpc.reflection {
            let names: Vec<&str> = built.service_names.iter().chain(&built.passed_names).copied().collect();
            routes = routes.add_service(Lazily::new(move || {
                let all = tonic_reflection::server::Builder::configure()
                    .register_encoded_file_descriptor_set(callboard_proto::FILE_DESCRIPTOR_SET)
                    .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
                    .with_service_name("grpc.health.v1.Health");
                names.iter().fold(all, |all, name| all.with_service_name(*name)).build_v1().ok()
            }));
        }
        Ok((reporter, routes))
    }

    /// Lets gRPC health follow readiness, and flip the moment a stop is asked for.
    fn watch_health(&self, reporter: HealthReporter, names: Vec<&'static str>, stop: &Stop) -> TaskTracker {
        let tracker = TaskTracker::new();
        let (readiness, stop, metrics, state) =
            (self.readiness.clone(), stop.requested.clone(), self.metrics.clone(), self.state.clone());
        let service = self.definition.name;
        tracker.spawn(async move {
            let (mut last, mut missing) = (None, Missing::new(service));
            loop {
                let verdict = readiness.verdict().await;
                missing.tell(&verdict);
                let ready = !stop.is_cancelled() && verdict.ready;
                if last != Some(ready) {
                    let status = if ready { ServingStatus::Serving } else { ServingStatus::NotServing };
                    for name in names.iter().copied().chain([""]) {
                        reporter.set_service_status(name, status).await;
                    }
                    metrics::gauge!("callboard_ready", "service" => service).set(if ready {
                        1.0
                    } else {
                        0.0
                    });
                    last = Some(ready);
                }
                if stop.is_cancelled() {
                    return;
                }
                let waits = *state.borrow() == State::Starting;
                if waits && ready {
                    state.send_replace(State::Serving);
                }
                metrics.run_upkeep();
                let pause = if waits && !ready { STARTING_PERIOD } else { HEALTH_PERIOD };
                stop.run_until_cancelled(tokio::time::sleep(pause)).await;
            }
        });
        tracker
    }
}

/// What the service goes on without: a line in the log when it begins and when it ends, and a gauge to alert on.
struct Missing {
    service: &'static str,
    names: BTreeSet<&'static str>,
}

impl Missing {
    const fn new(service: &'static str) -> Self {
        Self { service, names: BTreeSet::new() }
    }

    fn tell(&mut self, verdict: &Verdict) {
        for (name, problem) in &verdict.degraded {
            if self.names.insert(name) {
                tracing::warn!(without = name, problem, "degraded: serves on without it");
                metrics::gauge!(DEGRADED, "service" => self.service, "without" => *name).set(1.0);
            }
        }
        self.names.retain(|name| {
            let still = verdict.degraded.iter().any(|(missing, _)| missing == name);
            if !still {
                tracing::info!(with = name, "no longer degraded");
                metrics::gauge!(DEGRADED, "service" => self.service, "without" => *name).set(0.0);
            }
            still
        });
    }
}
