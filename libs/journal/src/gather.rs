//! Small writes that are asked for one by one and written together, and questions that are answered together: read copies,
//! which many reactions keep and ask at once. One statement, and so one commit, for all that came while the one before was
//! on its way.

use std::collections::{HashSet, VecDeque};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::future::BoxFuture;
use futures::{FutureExt as _, TryFutureExt as _};
use tokio::sync::{mpsc, oneshot};
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::failure::{Failure, MOST_TRIES};

/// How many may wait; who comes then waits for a place.
const WAITING: usize = 1024;

type Outcome<O> = Result<O, Arc<sqlx::Error>>;
type Work<I, O> = dyn Fn(Vec<I>) -> BoxFuture<'static, Result<Vec<O>, sqlx::Error>> + Send + Sync;

struct Asked<I, O> {
    item: I,
    answer: oneshot::Sender<Outcome<O>>,
}

/// Gathers writes, or questions. Cheap to clone; its task ends with the last clone.
pub struct Gather<I, O = ()> {
    sender: mpsc::Sender<Asked<I, O>>,
}

impl<I, O> Clone for Gather<I, O> {
    fn clone(&self) -> Self {
        Self { sender: self.sender.clone() }
    }
}

impl<I, O> std::fmt::Debug for Gather<I, O> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gather").finish_non_exhaustive()
    }
}

impl<I: Clone + Send + Sync + 'static> Gather<I> {
    /// Writes at most `most` at once with `write`, never two of the same key: of those the one that came first is
    /// written first. `write` must write all or nothing, and may be called again with the same.
    pub fn new(
        most: usize,
        key: fn(&I) -> Uuid,
        write: impl Fn(Vec<I>) -> BoxFuture<'static, Result<(), sqlx::Error>> + Send + Sync + 'static,
    ) -> Self {
        Self::keyed(most, key, move |items| {
            let done = vec![(); items.len()];
            Box::pin(write(items).map_ok(|()| done))
        })
    }
}

impl<I: Clone + Send + Sync + 'static, O: Send + 'static> Gather<I, O> {
    /// Asks at most `most` questions at once with `ask`, which answers each in its place, and may be called again with the
    /// same.
    pub fn asking(
        most: usize,
        ask: impl Fn(Vec<I>) -> BoxFuture<'static, Result<Vec<O>, sqlx::Error>> + Send + Sync + 'static,
    ) -> Self {
        Self::start(most, None, ask)
    }

    /// As [`Gather::asking`], never two of the same key at once.
    pub fn keyed(
        most: usize,
        key: fn(&I) -> Uuid,
        ask: impl Fn(Vec<I>) -> BoxFuture<'static, Result<Vec<O>, sqlx::Error>> + Send + Sync + 'static,
    ) -> Self {
        Self::start(most, Some(key), ask)
    }

    fn start(
        most: usize,
        key: Option<fn(&I) -> Uuid>,
        work: impl Fn(Vec<I>) -> BoxFuture<'static, Result<Vec<O>, sqlx::Error>> + Send + Sync + 'static,
    ) -> Self {
        let (sender, receiver) = mpsc::channel(WAITING);
        // On no tracker that is waited for: whoever asked waits for the answer, and who holds it may live as long as the
        // process.
        TaskTracker::new().spawn(run(receiver, most.max(1), key, Box::new(work)));
        Self { sender }
    }

    /// Returns when it is written, or answered.
    ///
    /// # Errors
    /// What Postgres says of this one; of all that were worked on together, when it cannot be reached, when somebody else
    /// holds a lock for too long, or when `write` or `ask` panics.
    pub async fn put(&self, item: I) -> Result<O, sqlx::Error> {
        let (answer, answered) = oneshot::channel();
        self.sender.send(Asked { item, answer }).await.map_err(|_| sqlx::Error::WorkerCrashed)?;
        answered.await.unwrap_or_else(|_| Err(Arc::new(sqlx::Error::WorkerCrashed))).map_err(|error| {
            Arc::try_unwrap(error).unwrap_or_else(|shared| sqlx::Error::Protocol(shared.to_string()))
        })
    }
}

async fn run<I: Clone + Send + Sync + 'static, O: Send>(
    mut receiver: mpsc::Receiver<Asked<I, O>>,
    most: usize,
    key: Option<fn(&I) -> Uuid>,
    work: Box<Work<I, O>>,
) {
    let mut waiting: VecDeque<Asked<I, O>> = VecDeque::new();
    loop {
        if waiting.is_empty() {
            let Some(first) = receiver.recv().await else { return };
            waiting.push_back(first);
        }
        while waiting.len() < most
            && let Ok(next) = receiver.try_recv()
        {
            waiting.push_back(next);
        }
        let mut keys = HashSet::new();
        let (batch, rest): (Vec<_>, VecDeque<_>) = {
            let mut batch = Vec::new();
            let mut rest = VecDeque::new();
            for asked in waiting {
                if batch.len() < most && key.is_none_or(|key| keys.insert(key(&asked.item))) {
                    batch.push(asked);
                } else {
                    rest.push_back(asked);
                }
            }
            (batch, rest)
        };
        waiting = rest;
        work_off(batch, work.as_ref()).await;
    }
}

async fn work_off<I: Clone, O>(batch: Vec<Asked<I, O>>, work: &Work<I, O>) {
    let items: Vec<I> = batch.iter().map(|asked| asked.item.clone()).collect();
    match attempt(&items, work).await {
        Ok(answers) => {
            batch.into_iter().zip(answers).for_each(|(asked, answer)| tell(asked.answer, Ok(answer)));
        }
        // One of them is at fault, and not the others.
        Err(error) if batch.len() > 1 && Failure::of(&error) == Failure::Unit => {
            for Asked { item, answer } in batch {
                let alone = attempt(&[item], work).await.map_err(Arc::new);
                // Where it answers nothing, whoever asked hears that from the channel.
                if let Some(alone) = alone.map(|answers| answers.into_iter().next()).transpose() {
                    tell(answer, alone);
                }
            }
        }
        Err(error) => {
            let error = Arc::new(error);
            batch.into_iter().for_each(|asked| tell(asked.answer, Err(Arc::clone(&error))));
        }
    }
}

/// Works on these together, a few times when it fails by bad luck: of those that wait for a lock each would wait by itself.
/// A panic costs these and no others.
async fn attempt<I: Clone, O>(items: &[I], work: &Work<I, O>) -> Result<Vec<O>, sqlx::Error> {
    let mut tries = 1;
    loop {
        let done = AssertUnwindSafe(async { work(items.to_vec()).await }).catch_unwind().await;
        let outcome = done.unwrap_or_else(|_| {
            tracing::error!(count = items.len(), "working on several together panicked");
            Err(sqlx::Error::WorkerCrashed)
        });
        match outcome {
            Err(error) if tries < MOST_TRIES && Failure::of(&error) == Failure::Again => tries += 1,
            outcome => return outcome,
        }
    }
}

fn tell<O>(answer: oneshot::Sender<Outcome<O>>, outcome: Outcome<O>) {
    // Who asked may have gone; it is written all the same.
    let _ = answer.send(outcome);
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use futures::future::join_all;
    use parking_lot::Mutex;
    use sqlx::error::{DatabaseError, ErrorKind};
    use tokio::sync::Semaphore;

    use super::*;

    /// What Postgres says, by its code.
    #[derive(Debug)]
    struct Said(&'static str);

    impl std::fmt::Display for Said {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str(self.0)
        }
    }

    impl std::error::Error for Said {}

    impl DatabaseError for Said {
        fn message(&self) -> &str {
            self.0
        }

        fn code(&self) -> Option<Cow<'_, str>> {
            Some(self.0.into())
        }

        fn kind(&self) -> ErrorKind {
            ErrorKind::Other
        }

        fn as_error(&self) -> &(dyn std::error::Error + Send + Sync + 'static) {
            self
        }

        fn as_error_mut(&mut self) -> &mut (dyn std::error::Error + Send + Sync + 'static) {
            self
        }

        fn into_error(self: Box<Self>) -> Box<dyn std::error::Error + Send + Sync + 'static> {
            self
        }
    }

    const LOCK_TIMEOUT: &str = "55P03";
    const CHECK_VIOLATION: &str = "23514";

    type Item = (Uuid, &'static str);
    type Batches = Arc<Mutex<Vec<Vec<&'static str>>>>;

    fn item(key: u128, name: &'static str) -> Item {
        (Uuid::from_u128(key), name)
    }

    /// Writes into a list, each batch when `open` lets it. "bad" is refused with all that is written beside it, "panic"
    /// panics, "locked" waits in vain for a lock, and "locked once" does so the first time that anything is written.
    fn gather(most: usize) -> (Gather<Item>, Batches, Arc<Semaphore>) {
        let (batches, open) = (Batches::default(), Arc::new(Semaphore::new(0)));
        let (written, gate) = (Arc::clone(&batches), Arc::clone(&open));
        let gather = Gather::new(
            most,
            |item: &Item| item.0,
            move |items| {
                let (written, gate) = (Arc::clone(&written), Arc::clone(&gate));
                async move {
                    gate.acquire().await.expect("open").forget();
                    let names: Vec<_> = items.iter().map(|item| item.1).collect();
                    assert!(!names.contains(&"panic"), "as asked");
                    let mut written = written.lock();
                    let locked =
                        names.contains(&"locked") || names.contains(&"locked once") && written.is_empty();
                    let code = if locked { Some(LOCK_TIMEOUT) } else { None };
                    let code = code.or_else(|| names.contains(&"bad").then_some(CHECK_VIOLATION));
                    written.push(names);
                    code.map_or(Ok(()), |code| Err(sqlx::Error::Database(Box::new(Said(code)))))
                }
                .boxed()
            },
        );
        (gather, batches, open)
    }

    #[tokio::test]
    async fn what_comes_while_one_is_written_is_written_together_and_never_one_key_twice() {
        let (gather, batches, open) = gather(3);
        let asked = [item(1, "a"), item(2, "b"), item(1, "a again"), item(3, "c"), item(4, "d")];
        let first = gather.put(item(9, "first"));
        let others = async {
            tokio::task::yield_now().await;
            let puts = join_all(asked.map(|item| gather.put(item)));
            tokio::join!(puts, async { open.add_permits(10) }).0
        };
        let (first, others) = tokio::join!(first, others);
        assert!(first.is_ok() && others.iter().all(Result::is_ok));
        let batches = batches.lock().clone();
        let all: Vec<_> = batches.iter().flatten().copied().collect();
        assert_eq!(all.len(), 6, "{batches:?}");
        assert!(batches.len() < 6 && batches.iter().all(|batch| batch.len() <= 3), "{batches:?}");
        let at = |name| batches.iter().position(|batch| batch.contains(&name));
        assert!(at("a") < at("a again"), "{batches:?}");
    }

    #[tokio::test]
    async fn one_that_is_refused_takes_no_other_along() {
        let (gather, _, open) = gather(10);
        open.add_permits(20);
        let asked = [item(1, "a"), item(2, "bad"), item(3, "c")];
        let outcomes = join_all(asked.map(|item| gather.put(item))).await;
        let refused: Vec<bool> = outcomes.iter().map(Result::is_err).collect();
        assert_eq!(refused, [false, true, false]);
    }

    #[tokio::test]
    async fn what_waits_in_vain_for_a_lock_is_written_together_once_more_and_not_one_by_one() {
        let (gather, batches, open) = gather(10);
        open.add_permits(20);
        let asked = [item(1, "a"), item(2, "locked once"), item(3, "c")];
        let outcomes = join_all(asked.map(|item| gather.put(item))).await;
        assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
        let all = vec!["a", "locked once", "c"];
        assert_eq!(*batches.lock(), [all.clone(), all]);
        // Again and again: all of them hear so.
        batches.lock().clear();
        let asked = [item(1, "a"), item(2, "locked")];
        let outcomes = join_all(asked.map(|item| gather.put(item))).await;
        assert!(outcomes.iter().all(Result::is_err), "{outcomes:?}");
        assert_eq!(batches.lock().len(), MOST_TRIES as usize, "and never one by one");
    }

    #[tokio::test]
    async fn a_panic_fails_what_was_written_with_it_and_the_next_is_written() {
        let (gather, _, open) = gather(10);
        open.add_permits(20);
        let asked = [item(1, "a"), item(2, "panic")];
        let outcomes = join_all(asked.map(|item| gather.put(item))).await;
        assert!(outcomes.iter().all(Result::is_err), "{outcomes:?}");
        gather.put(item(3, "b")).await.expect("it goes on");
    }
}
