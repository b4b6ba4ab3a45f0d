//! Small writes that are asked for one by one and written together, and questions that are answered together: read copies,
//! which many reactions keep and ask at once. One statement, and so one commit, for all that came while the one before was
//! on its way.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use futures::TryFutureExt as _;
use futures::future::BoxFuture;
use tokio::sync::{mpsc, oneshot};
use tokio_util::task::TaskTracker;
use uuid::Uuid;

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
    /// What Postgres says of this one; of all, when it cannot be reached.
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
    match work(items).await {
        Ok(answers) => {
            batch.into_iter().zip(answers).for_each(|(asked, answer)| tell(asked.answer, Ok(answer)));
        }
        // One of them is at fault, and not the others.
        Err(sqlx::Error::Database(_) | sqlx::Error::Encode(_)) if batch.len() > 1 => {
            for Asked { item, answer } in batch {
                let alone = work(vec![item]).await.map_err(Arc::new);
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

fn tell<O>(answer: oneshot::Sender<Outcome<O>>, outcome: Outcome<O>) {
    // Who asked may have gone; it is written all the same.
    let _ = answer.send(outcome);
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;
    use futures::future::join_all;
    use parking_lot::Mutex;
    use tokio::sync::Semaphore;

    use super::*;

    type Item = (Uuid, &'static str);
    type Batches = Arc<Mutex<Vec<Vec<&'static str>>>>;

    fn item(key: u128, name: &'static str) -> Item {
        (Uuid::from_u128(key), name)
    }

    /// Writes into a list, each batch when `open` lets it. "bad" is refused with all that is written beside it.
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
                    let bad = names.contains(&"bad");
                    written.lock().push(names);
                    if bad { Err(sqlx::Error::Encode("bad".into())) } else { Ok(()) }
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
}
