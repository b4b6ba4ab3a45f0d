//! Drivers: as fast as it goes, and at a given rate.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hdrhistogram::Histogram;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::Failure;

/// Somebody who calls again and again.
pub trait Caller: Send + 'static {
    /// One call, to its end.
    fn call(&mut self) -> impl Future<Output = Result<(), Failure>> + Send;
}

/// What came of a run.
#[derive(Debug)]
pub struct Outcome {
    /// How many called at once.
    pub callers: u64,
    /// From the first call to the end of the last.
    pub elapsed: Duration,
    /// Calls that failed; they have no time.
    pub failed: u64,
    /// Why, the first of them.
    pub first_error: String,
    /// Nanoseconds.
    pub times: Histogram<u64>,
}

/// An empty histogram of nanoseconds up to a minute.
pub fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 60_000_000_000, 3).unwrap_or_else(|error| unreachable!("{error}"))
}

/// Records a time.
pub fn record(times: &mut Histogram<u64>, time: Duration) {
    times.saturating_record(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX).max(1));
}

impl Outcome {
    fn new(callers: usize) -> Self {
        Self {
            callers: callers as u64,
            elapsed: Duration::ZERO,
            failed: 0,
            first_error: String::new(),
            times: histogram(),
        }
    }

    /// Calls that succeeded.
    pub fn count(&self) -> u64 {
        self.times.len()
    }

    /// Calls a second.
    pub fn rate(&self) -> f64 {
        self.count() as f64 / self.elapsed.as_secs_f64()
    }

    /// A quantile in milliseconds.
    pub fn quantile_ms(&self, quantile: f64) -> f64 {
        self.times.value_at_quantile(quantile) as f64 / 1e6
    }

    fn add(&mut self, outcome: Result<(), Failure>, time: Duration) {
        match outcome {
            Ok(()) => record(&mut self.times, time),
            Err(error) => {
                if self.failed == 0 {
                    self.first_error = error.to_string();
                }
                self.failed += 1;
            }
        }
    }

    /// With what came of another run.
    pub fn merge(&mut self, other: &Self) {
        if self.failed == 0 {
            self.first_error.clone_from(&other.first_error);
        }
        self.failed += other.failed;
        let _ = self.times.add(&other.times);
    }
}

async fn gather(mut tasks: JoinSet<Outcome>, callers: usize, began: Instant) -> Outcome {
    let mut all = Outcome::new(callers);
    while let Some(one) = tasks.join_next().await {
        match one {
            Ok(one) => all.merge(&one),
            Err(error) => all.add(Err(error.into()), Duration::ZERO),
        }
    }
    all.elapsed = began.elapsed();
    all
}

/// Everybody calls, and calls again as soon as the answer is there, for so long. For throughput.
pub async fn closed<C: Caller>(callers: Vec<C>, span: Duration) -> Outcome {
    let (began, count) = (Instant::now(), callers.len());
    let end = began + span;
    let mut tasks = JoinSet::new();
    for mut caller in callers {
        tasks.spawn(async move {
            let mut outcome = Outcome::new(1);
            loop {
                let start = Instant::now();
                if start >= end || outcome.failed > 100 {
                    return outcome;
                }
                let result = caller.call().await;
                outcome.add(result, start.elapsed());
            }
        });
    }
    gather(tasks, count, began).await
}

/// Everybody calls until so many calls were made.
pub async fn exactly<C: Caller>(callers: Vec<C>, calls: u64) -> Outcome {
    let (began, count) = (Instant::now(), callers.len());
    let left = Arc::new(AtomicU64::new(calls));
    let mut tasks = JoinSet::new();
    for mut caller in callers {
        let left = Arc::clone(&left);
        tasks.spawn(async move {
            let mut outcome = Outcome::new(1);
            while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
            {
                let start = Instant::now();
                let result = caller.call().await;
                outcome.add(result, start.elapsed());
            }
            outcome
        });
    }
    gather(tasks, count, began).await
}

/// Calls are due at a rate, whether or not earlier ones were answered. The time of a call that is late counts from when it
/// was due, so that a stall is seen by all who would have called in it. Where the caller waited for its time, it counts
/// from the moment it woke: timers are of whole milliseconds, and their slack in both sides would move a ratio towards 1.
pub async fn open<C: Caller>(callers: Vec<C>, per_second: f64, span: Duration) -> Outcome {
    let (began, count) = (Instant::now(), callers.len());
    let calls = (span.as_secs_f64() * per_second) as usize;
    let mut tasks = JoinSet::new();
    for (at, mut caller) in callers.into_iter().enumerate() {
        tasks.spawn(async move {
            let mut outcome = Outcome::new(1);
            for call in (at..calls).step_by(count) {
                let due = began + Duration::from_secs_f64(call as f64 / per_second);
                let late = Instant::now() >= due;
                sleep_until(due).await;
                let start = if late { due } else { Instant::now() };
                let result = caller.call().await;
                outcome.add(result, start.elapsed());
            }
            outcome
        });
    }
    gather(tasks, count, began).await
}

/// The middle one of some figures.
pub fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}
