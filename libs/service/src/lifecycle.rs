//! How a service ends: in order, each stage waited for, all within a hard limit.

use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Any error, for reporting.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// When a background task is asked to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// After the last call in flight: consumers, timers, whatever takes new work. Finishes what it holds.
    Fetch,
    /// After those: the committer, the relay. Writes and publishes what is left.
    Flush,
}

/// The tokens of a stop, cancelled one after another.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    /// A stop was asked for. Not serving any more, but calls may still come until routers have noticed.
    pub requested: CancellationToken,
    /// No call is in flight any more: stop taking work.
    pub fetch: CancellationToken,
    /// No work is taken any more: write and publish what is left, then end.
    pub flush: CancellationToken,
    /// Time is up: end now.
    pub hard: CancellationToken,
}

/// A task that runs as long as its service. If it ends before it is asked to, the service stops with an error.
pub struct BackgroundTask {
    /// For the log.
    pub name: &'static str,
    /// When it is asked to end.
    pub stage: Stage,
    /// The work. Watches the token of its stage ([`Stop`]).
    pub work: BoxFuture<'static, Result<(), BoxError>>,
}

impl BackgroundTask {
    /// A task that ends when its stage is reached.
    pub fn new(
        name: &'static str,
        stage: Stage,
        work: impl Future<Output = Result<(), BoxError>> + Send + 'static,
    ) -> Self {
        Self { name, stage, work: Box::pin(work) }
    }
}

impl std::fmt::Debug for BackgroundTask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BackgroundTask")
            .field("name", &self.name)
            .field("stage", &self.stage)
            .finish_non_exhaustive()
    }
}

/// The background tasks of a service, and the first that failed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tasks {
    pub fetch: TaskTracker,
    pub flush: TaskTracker,
    pub crashed: CancellationToken,
    problem: Arc<Mutex<Option<String>>>,
}

impl Tasks {
    /// Runs a task until its stage or the hard stop.
    pub fn spawn(&self, task: BackgroundTask, stop: &Stop) {
        let BackgroundTask { name, stage, work } = task;
        let (tracker, asked) = match stage {
            Stage::Fetch => (&self.fetch, stop.fetch.clone()),
            Stage::Flush => (&self.flush, stop.flush.clone()),
        };
        let (tasks, hard) = (self.clone(), stop.hard.clone());
        tracker.spawn(async move {
            let outcome = tokio::select! {
                outcome = std::panic::AssertUnwindSafe(work).catch_unwind() => outcome,
                () = hard.cancelled() => {
                    tracing::warn!(task = name, "cut off at the hard limit");
                    return;
                }
            };
            let problem = match outcome {
                Ok(Ok(())) if asked.is_cancelled() => return,
                Ok(Ok(())) => "ended before it was asked to".to_owned(),
                Ok(Err(error)) => error.to_string(),
                Err(_) => "panicked".to_owned(),
            };
            tasks.fail(&format!("{name}: {problem}"));
        });
    }

    /// Records why the service has to stop; the first reason counts.
    pub fn fail(&self, problem: &str) {
        tracing::error!(problem, "a background task failed");
        self.problem.lock().get_or_insert_with(|| problem.to_owned());
        self.crashed.cancel();
    }

    pub fn problem(&self) -> Option<String> {
        self.problem.lock().clone()
    }
}

/// Waits for SIGTERM or SIGINT.
pub async fn signal() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        match signal(SignalKind::terminate()) {
            Ok(mut terminate) => tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            },
            Err(_) => drop(tokio::signal::ctrl_c().await),
        }
    }
    #[cfg(not(unix))]
    drop(tokio::signal::ctrl_c().await);
}
