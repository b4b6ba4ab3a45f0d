//! Group commit: what is waiting is written together.

use std::collections::{HashSet, VecDeque};
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use callboard_actor::CommitError;
use futures::FutureExt;
use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, timeout};
use tokio_util::task::TaskTracker;

use crate::metric_names as metric;
use crate::prepared::Prepared;

/// How long the writing task stays (and holds its connection) after the last unit.
const LINGER: Duration = Duration::from_millis(200);

/// Writes batches.
pub(crate) trait Writer: Send + Sync + 'static {
    /// What is kept from one batch to the next while there is work: a connection.
    type Session: Default + Send;

    /// Writes units of different aggregates, in order of aggregate id. Answers one outcome per unit, in order.
    fn write(
        &self,
        session: &mut Self::Session,
        units: &[Prepared],
    ) -> impl Future<Output = Vec<Result<(), CommitError>>> + Send;
}

/// Collects units while a batch is being written and writes them as the next one. A unit that comes while nothing is
/// being written goes at once, so waiting costs nothing when there is little to do.
///
/// The writing task lives only while there is work, so there is nothing to stop: what was handed over before a stop
/// is written, and the tracker can be waited for.
pub(crate) struct Committer<W> {
    shared: Arc<Shared<W>>,
}

impl<W> Clone for Committer<W> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

struct Shared<W> {
    writer: W,
    context: &'static str,
    limit: usize,
    tracker: TaskTracker,
    queue: Mutex<Queue>,
    arrived: Notify,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    /// True while a task is writing.
    attended: bool,
}

struct Job {
    unit: Prepared,
    reply: oneshot::Sender<Result<(), CommitError>>,
}

impl<W: Writer> Committer<W> {
    pub(crate) fn new(writer: W, context: &'static str, limit: usize, tracker: TaskTracker) -> Self {
        let queue = Mutex::default();
        let limit = limit.max(1);
        Self { shared: Arc::new(Shared { writer, context, limit, tracker, queue, arrived: Notify::new() }) }
    }

    /// Writes a unit together with others and waits for its own outcome. Once handed over it is written even if
    /// nobody waits any more.
    pub(crate) async fn commit(&self, unit: Prepared) -> Result<(), CommitError> {
        let (reply, outcome) = oneshot::channel();
        {
            let mut queue = self.shared.queue.lock();
            queue.jobs.push_back(Job { unit, reply });
            if !queue.attended {
                queue.attended = true;
                let shared = Arc::clone(&self.shared);
                self.shared.tracker.spawn(async move { shared.attend().await });
            }
        }
        self.shared.arrived.notify_one();
        outcome.await.unwrap_or_else(|_| Err(CommitError::Unknown("the committer failed".to_owned())))
    }
}

impl<W: Writer> Shared<W> {
    async fn attend(&self) {
        let mut session = W::Session::default();
        loop {
            let jobs = self.take();
            if jobs.is_empty() {
                let waited =
                    !self.tracker.is_closed() && timeout(LINGER, self.arrived.notified()).await.is_ok();
                if !waited && self.leave() {
                    return;
                }
                continue;
            }
            let (units, replies): (Vec<Prepared>, Vec<_>) =
                jobs.into_iter().map(|job| (job.unit, job.reply)).unzip();
            let began = Instant::now();
            let written = AssertUnwindSafe(self.writer.write(&mut session, &units)).catch_unwind().await;
            // A panic costs this batch and no other: units that wait would otherwise wait for the next to come.
            let outcomes = written.unwrap_or_else(|_| {
                tracing::error!(context = self.context, "writing a batch panicked");
                session = W::Session::default();
                units.iter().map(|_| Err(CommitError::Unknown("the committer panicked".to_owned()))).collect()
            });
            metrics::histogram!(metric::BATCH_UNITS, "context" => self.context).record(count(units.len()));
            metrics::histogram!(metric::BATCH_SECONDS, "context" => self.context)
                .record(began.elapsed().as_secs_f64());
            for (reply, outcome) in replies.into_iter().zip(outcomes) {
                // The actor may be gone.
                let _ = reply.send(outcome);
            }
        }
    }

    /// The next batch: at most one unit per aggregate, in order of aggregate id.
    fn take(&self) -> Vec<Job> {
        let mut queue = self.queue.lock();
        let mut aggregates = HashSet::new();
        let mut batch = Vec::with_capacity(queue.jobs.len().min(self.limit));
        let mut others = VecDeque::new();
        while batch.len() < self.limit
            && let Some(job) = queue.jobs.pop_front()
        {
            if aggregates.insert(job.unit.aggregate_id) {
                batch.push(job);
            } else {
                others.push_back(job);
            }
        }
        others.append(&mut queue.jobs);
        queue.jobs = others;
        drop(queue);
        batch.sort_by_key(|job| job.unit.aggregate_id);
        batch
    }

    /// True when there is nothing to do and the next unit starts another task.
    fn leave(&self) -> bool {
        let mut queue = self.queue.lock();
        queue.attended = !queue.jobs.is_empty();
        !queue.attended
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of things in memory are far below 2^52")]
fn count(n: usize) -> f64 {
    n as f64
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use callboard_kernel::Version;
    use uuid::Uuid;

    use super::*;

    /// Panics over aggregate 1.
    struct Nervous;

    impl Writer for Nervous {
        type Session = ();

        async fn write(&self, (): &mut (), units: &[Prepared]) -> Vec<Result<(), CommitError>> {
            assert!(units.iter().all(|unit| unit.aggregate_id != Uuid::from_u128(1)), "as asked");
            units.iter().map(|_| Ok(())).collect()
        }
    }

    fn unit(aggregate: u128) -> Prepared {
        Prepared {
            aggregate_id: Uuid::from_u128(aggregate),
            organisation: Uuid::nil().into(),
            expected: Version(0),
            version: Version(0),
            root: None,
            children: Vec::new(),
            receipts: Vec::new(),
            events: Vec::new(),
            timers: BTreeMap::new(),
            erases: false,
        }
    }

    #[tokio::test]
    async fn a_panic_costs_its_own_batch_and_leaves_nobody_waiting() {
        // One unit per batch: the second waits while the first is written, and nothing comes after it.
        let committer = Committer::new(Nervous, "test", 1, TaskTracker::new());
        let both = async { tokio::join!(committer.commit(unit(1)), committer.commit(unit(2))) };
        let (bad, good) = timeout(Duration::from_secs(10), both).await.expect("nobody waits for ever");
        assert!(matches!(bad, Err(CommitError::Unknown(_))), "{bad:?}");
        assert!(good.is_ok(), "{good:?}");
    }
}
