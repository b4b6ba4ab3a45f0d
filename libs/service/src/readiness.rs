//! Whether the service can serve.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::future::{BoxFuture, join_all};
use parking_lot::Mutex;

/// Longest that one check may take.
const CHECK_TIMEOUT: Duration = Duration::from_secs(2);

type Check = Arc<dyn Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync>;

/// One thing that the service needs, or goes on without for a while.
#[derive(Clone)]
pub struct ReadinessCheck {
    /// For operators: `database`.
    pub name: &'static str,
    check: Check,
    needed: bool,
}

impl fmt::Debug for ReadinessCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadinessCheck").field("name", &self.name).finish_non_exhaustive()
    }
}

impl ReadinessCheck {
    /// A thing without which the service cannot serve. The check says what is wrong, and is given two seconds.
    pub fn new<F>(name: &'static str, check: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<(), String>> + Send + 'static,
    {
        Self { name, check: Arc::new(move || check().boxed()), needed: true }
    }

    /// A thing without which the service serves on, worse: told to operators, and no reason to send calls elsewhere.
    pub fn degrading<F>(name: &'static str, check: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<(), String>> + Send + 'static,
    {
        Self { needed: false, ..Self::new(name, check) }
    }
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Whether calls should come here.
    pub ready: bool,
    /// What is wrong, by name; also within the grace.
    pub problems: Vec<(&'static str, String)>,
    /// What is missing and can be done without for a while, by name.
    pub degraded: Vec<(&'static str, String)>,
}

impl Verdict {
    fn not_ready(problem: &str) -> Self {
        Self { ready: false, problems: vec![("process", problem.to_owned())], degraded: Vec::new() }
    }
}

/// Gathers the checks; tolerates a short loss once everything was well.
#[derive(Debug)]
pub struct Readiness {
    grace: Duration,
    stopping: AtomicBool,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// What is not done yet at start-up.
    starting: Option<&'static str>,
    checks: Vec<ReadinessCheck>,
    last_good: Option<Instant>,
}

impl Readiness {
    /// Not ready until [`Self::started`].
    pub fn new(grace: Duration) -> Self {
        let inner = Inner { starting: Some("starting"), ..Inner::default() };
        Self { grace, stopping: AtomicBool::new(false), inner: Mutex::new(inner) }
    }

    /// What start-up waits for, for operators.
    pub fn starting(&self, what: &'static str) {
        self.inner.lock().starting = Some(what);
    }

    /// Start-up is over; from now on these checks decide.
    pub fn started(&self, checks: Vec<ReadinessCheck>) {
        let mut inner = self.inner.lock();
        inner.starting = None;
        inner.checks = checks;
    }

    /// Not ready from now on, whatever the checks say.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
    }

    /// Checks now. Never longer than two seconds.
    pub async fn verdict(&self) -> Verdict {
        if self.stopping.load(Ordering::SeqCst) {
            return Verdict::not_ready("stopping");
        }
        let (starting, checks) = {
            let inner = self.inner.lock();
            (inner.starting, inner.checks.clone())
        };
        if let Some(what) = starting {
            return Verdict::not_ready(what);
        }
        let outcomes = join_all(checks.into_iter().map(|check| async move {
            let outcome = tokio::time::timeout(CHECK_TIMEOUT, (check.check)()).await;
            let outcome = outcome.unwrap_or_else(|_| Err("does not answer".to_owned()));
            outcome.err().map(|problem| (check.needed, (check.name, problem)))
        }))
        .await;
        let (mut problems, mut degraded) = (Vec::new(), Vec::new());
        for (needed, problem) in outcomes.into_iter().flatten() {
            if needed { &mut problems } else { &mut degraded }.push(problem);
        }
        let mut inner = self.inner.lock();
        if problems.is_empty() {
            inner.last_good = Some(Instant::now());
        }
        let ready = inner.last_good.is_some_and(|at| problems.is_empty() || at.elapsed() <= self.grace);
        Verdict { ready: ready && !self.stopping.load(Ordering::SeqCst), problems, degraded }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn switch(on: &Arc<AtomicBool>) -> ReadinessCheck {
        let on = on.clone();
        ReadinessCheck::new("thing", move || {
            let ok = on.load(Ordering::SeqCst);
            async move { if ok { Ok(()) } else { Err("away".to_owned()) } }
        })
    }

    #[tokio::test]
    async fn a_short_loss_is_forgiven_after_it_was_well_once() {
        let on = Arc::new(AtomicBool::new(false));
        let readiness = Readiness::new(Duration::from_secs(3600));
        assert!(!readiness.verdict().await.ready);
        readiness.started(vec![switch(&on)]);
        assert!(!readiness.verdict().await.ready, "never well: no grace");
        on.store(true, Ordering::SeqCst);
        assert!(readiness.verdict().await.ready);
        on.store(false, Ordering::SeqCst);
        let verdict = readiness.verdict().await;
        assert!(verdict.ready && verdict.problems.len() == 1);
        readiness.stop();
        assert!(!readiness.verdict().await.ready);
    }

    #[tokio::test]
    async fn what_can_be_done_without_is_told_and_takes_nothing_away() {
        let (needed, extra) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicBool::new(false)));
        let readiness = Readiness::new(Duration::ZERO);
        let degrading = ReadinessCheck { name: "extra", needed: false, ..switch(&extra) };
        readiness.started(vec![switch(&needed), degrading]);
        let verdict = readiness.verdict().await;
        assert!(verdict.ready && verdict.problems.is_empty(), "{verdict:?}");
        assert_eq!(verdict.degraded, [("extra", "away".to_owned())]);
        extra.store(true, Ordering::SeqCst);
        assert!(readiness.verdict().await.degraded.is_empty());
        needed.store(false, Ordering::SeqCst);
        assert!(!readiness.verdict().await.ready);
    }

    #[tokio::test]
    async fn without_grace_a_loss_counts_at_once() {
        let on = Arc::new(AtomicBool::new(true));
        let readiness = Readiness::new(Duration::ZERO);
        readiness.started(vec![switch(&on)]);
        assert!(readiness.verdict().await.ready);
        on.store(false, Ordering::SeqCst);
        assert!(!readiness.verdict().await.ready);
    }
}
