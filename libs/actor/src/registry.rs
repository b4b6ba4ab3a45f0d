//! Who is in memory, who comes in, who goes.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use callboard_kernel::{Aggregate, Clock, CommandId, IdGenerator};
use parking_lot::Mutex;
use tokio::sync::{Semaphore, oneshot, watch};
use tokio::time::{Instant, timeout_at};
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::actor::Actor;
use crate::mailbox::Mailbox;
use crate::metric_names as metric;
use crate::{Answer, Ask, AskError, Lane, Options, Receipt, Store, StoreError};

/// When a caller turned away comes again.
const RETRY_AFTER: Duration = Duration::from_millis(200);

/// The actors of one kind of aggregate in this process. Clones are handles to the same actors.
///
/// The channel into an actor never leaves the registry. A message is put into a mailbox under the registry's lock,
/// and an actor leaves under the same lock and only when nothing waits for it and nothing is in its hands; so no
/// command can come to an actor that has gone.
pub struct Registry<A: Aggregate, S: Store<A>> {
    inner: Arc<Inner<A, S>>,
}

impl<A: Aggregate, S: Store<A>> Clone for Registry<A, S> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl<A: Aggregate, S: Store<A>> fmt::Debug for Registry<A, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").field("kind", &A::KIND).finish_non_exhaustive()
    }
}

impl<A: Aggregate, S: Store<A>> Registry<A, S> {
    /// A registry without residents. Actors are spawned on `tracker`; they end after [`Registry::stop`].
    pub fn new(
        store: S,
        options: Options,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn IdGenerator>,
        tracker: TaskTracker,
    ) -> Self {
        let slots = Slots { by_id: HashMap::new(), by_use: BTreeMap::new(), uses: 0, stopping: false };
        Self {
            inner: Arc::new(Inner {
                loads: Semaphore::new(options.max_loads.max(1)),
                store,
                options,
                clock,
                ids,
                tracker,
                slots: Mutex::new(slots),
                living: watch::Sender::new(0),
            }),
        }
    }

    /// Asks an aggregate to carry out a command and waits for the outcome, at most until the command's deadline.
    ///
    /// Commands that one task asks one after the other are carried out in that order within a lane.
    ///
    /// # Errors
    /// See [`AskError`].
    pub async fn ask(&self, id: Uuid, ask: Ask<A>) -> Result<Answer, AskError> {
        let deadline = Instant::from_std(ask.deadline);
        let reply = self.inner.admit(id, ask)?;
        match timeout_at(deadline, reply).await {
            Ok(Ok(outcome)) => outcome,
            // The actor dropped the reply: it panicked, which is in the log.
            Ok(Err(_)) => Err(AskError::Internal("the actor failed".to_owned())),
            Err(_) => Err(AskError::DeadlineExceeded),
        }
    }

    /// What is kept of a command, whichever aggregate carried it out: for a repeat whose aggregate the caller cannot
    /// be led to any more. Whoever can ask the aggregate asks it, and is answered by the receipt there.
    ///
    /// # Errors
    /// [`AskError::Unavailable`] or [`AskError::Internal`], as of the store.
    pub async fn receipt(&self, command: CommandId) -> Result<Option<Receipt>, AskError> {
        let mut found = self.inner.store.receipts(&[command]).await.map_err(|error| match error {
            StoreError::Unavailable(problem) => AskError::Unavailable(problem),
            StoreError::Corrupt(problem) => AskError::Internal(problem),
        })?;
        Ok(found.pop())
    }

    /// Makes the aggregate's actor read the store again before its next command, since another writer is known.
    pub fn forget(&self, id: Uuid) {
        if let Some(slot) = self.inner.slots.lock().by_id.get(&id) {
            slot.shared.forget.store(true, Ordering::Release);
        }
    }

    /// Takes no more commands, carries out those that wait, and returns when every actor is gone.
    pub async fn stop(&self) {
        {
            let mut slots = self.inner.slots.lock();
            slots.stopping = true;
            for slot in slots.by_id.values() {
                slot.shared.mailbox.drain();
            }
        }
        // The sender lives in `self`, so waiting cannot fail.
        let _ = self.inner.living.subscribe().wait_for(|living| *living == 0).await;
    }

    /// How many aggregates are in memory.
    pub fn residents(&self) -> usize {
        self.inner.slots.lock().by_id.len()
    }
}

/// One command and where its answer goes.
pub(crate) struct Envelope<A: Aggregate> {
    pub(crate) ask: Ask<A>,
    pub(crate) reply: oneshot::Sender<Result<Answer, AskError>>,
}

/// What registry and actor share.
pub(crate) struct Shared<A: Aggregate> {
    pub(crate) mailbox: Mailbox<Box<Envelope<A>>>,
    pub(crate) forget: AtomicBool,
}

pub(crate) struct Inner<A: Aggregate, S> {
    pub(crate) store: S,
    pub(crate) options: Options,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<dyn IdGenerator>,
    pub(crate) loads: Semaphore,
    tracker: TaskTracker,
    slots: Mutex<Slots<A>>,
    /// Actor tasks that have not ended.
    living: watch::Sender<usize>,
}

struct Slots<A: Aggregate> {
    by_id: HashMap<Uuid, Slot<A>>,
    /// Ids by when they were last asked, the longest ago first.
    by_use: BTreeMap<u64, Uuid>,
    uses: u64,
    stopping: bool,
}

struct Slot<A: Aggregate> {
    shared: Arc<Shared<A>>,
    used: u64,
}

impl<A: Aggregate> Slots<A> {
    fn touch(&mut self, id: Uuid) -> Option<&Arc<Shared<A>>> {
        let slot = self.by_id.get_mut(&id)?;
        self.by_use.remove(&slot.used);
        self.uses += 1;
        slot.used = self.uses;
        self.by_use.insert(slot.used, id);
        Some(&slot.shared)
    }

    fn insert(&mut self, id: Uuid, shared: Arc<Shared<A>>) {
        self.uses += 1;
        self.by_use.insert(self.uses, id);
        self.by_id.insert(id, Slot { shared, used: self.uses });
    }

    /// Takes out an actor that is idle; its inbox closes in the same breath.
    fn remove(&mut self, id: Uuid) {
        if let Some(slot) = self.by_id.remove(&id) {
            self.by_use.remove(&slot.used);
            slot.shared.mailbox.close();
        }
    }

    /// The idle one that was not used for the longest time.
    fn least_used(&self) -> Option<Uuid> {
        self.by_use
            .values()
            .copied()
            .find(|id| self.by_id.get(id).is_some_and(|slot| slot.shared.mailbox.is_idle()))
    }
}

impl<A: Aggregate, S: Store<A>> Inner<A, S> {
    /// Puts a command into its aggregate's mailbox, bringing the aggregate to life if need be.
    fn admit(
        self: &Arc<Self>,
        id: Uuid,
        ask: Ask<A>,
    ) -> Result<oneshot::Receiver<Result<Answer, AskError>>, AskError> {
        let lane = ask.lane;
        let (limit, lane_name) = match lane {
            Lane::User => (self.options.user_mailbox, "user"),
            Lane::Event => (self.options.event_mailbox, "event"),
        };
        let (reply, answer) = oneshot::channel();
        let envelope = Box::new(Envelope { ask, reply });
        let mut slots = self.slots.lock();
        if slots.stopping {
            return Err(AskError::Stopping);
        }
        let pushed = if let Some(shared) = slots.touch(id) {
            shared.mailbox.push(lane, envelope, limit)
        } else {
            if slots.by_id.len() >= self.options.max_resident.max(1) {
                let Some(oldest) = slots.least_used() else {
                    metrics::counter!(metric::RESIDENTS_FULL, "kind" => A::KIND).increment(1);
                    return Err(AskError::Busy { retry_after: RETRY_AFTER });
                };
                slots.remove(oldest);
                metrics::counter!(metric::RETIRED, "kind" => A::KIND, "why" => "room").increment(1);
            }
            let shared = Arc::new(Shared { mailbox: Mailbox::new(), forget: AtomicBool::new(false) });
            let pushed = shared.mailbox.push(lane, envelope, limit);
            slots.insert(id, Arc::clone(&shared));
            let living = Living::new(Arc::clone(self));
            self.tracker.spawn(async move { Actor::new(id, shared, &living.0).run().await });
            pushed
        };
        metrics::gauge!(metric::RESIDENTS, "kind" => A::KIND).set(count(slots.by_id.len()));
        drop(slots);
        match pushed {
            Ok(depth) => {
                metrics::histogram!(metric::MAILBOX_DEPTH, "kind" => A::KIND, "lane" => lane_name)
                    .record(count(depth));
                Ok(answer)
            }
            Err(()) => {
                metrics::counter!(metric::MAILBOX_FULL, "kind" => A::KIND, "lane" => lane_name).increment(1);
                Err(AskError::Busy { retry_after: RETRY_AFTER })
            }
        }
    }

    /// An actor that found nothing to do wants to go, having idled long enough (`idled`) or because of the stop.
    /// True when it may, and is no longer registered.
    pub(crate) fn retire(&self, id: Uuid, shared: &Arc<Shared<A>>, idled: bool) -> bool {
        let mut slots = self.slots.lock();
        let Some(slot) = slots.by_id.get(&id) else { return true };
        if !Arc::ptr_eq(&slot.shared, shared) {
            return true;
        }
        if !(idled || slots.stopping) || !shared.mailbox.is_idle() {
            return false;
        }
        let why = if slots.stopping { "stop" } else { "idle" };
        slots.remove(id);
        metrics::gauge!(metric::RESIDENTS, "kind" => A::KIND).set(count(slots.by_id.len()));
        drop(slots);
        metrics::counter!(metric::RETIRED, "kind" => A::KIND, "why" => why).increment(1);
        true
    }
}

/// Counts an actor task for as long as it lives, however it ends.
struct Living<A: Aggregate, S: Store<A>>(Arc<Inner<A, S>>);

impl<A: Aggregate, S: Store<A>> Living<A, S> {
    fn new(inner: Arc<Inner<A, S>>) -> Self {
        inner.living.send_modify(|living| *living += 1);
        Self(inner)
    }
}

impl<A: Aggregate, S: Store<A>> Drop for Living<A, S> {
    fn drop(&mut self) {
        self.0.living.send_modify(|living| *living -= 1);
    }
}

/// A small count as metrics want it.
#[expect(clippy::cast_precision_loss, reason = "counts of things in memory are far below 2^52")]
pub(crate) fn count(n: usize) -> f64 {
    n as f64
}
