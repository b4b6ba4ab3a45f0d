//! Keyed lanes: order within a key, concurrency across keys.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt;
use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use crate::{
    ConsumerOptions, Delivery, Event, HandleError, Handled, Handler, Key, Parking, Problem, Settle, all_of,
    metric,
};

/// What all lanes of a consumer share.
pub(crate) struct Lane {
    pub(crate) consumer: String,
    pub(crate) context: String,
    pub(crate) handler: Arc<dyn Handler>,
    pub(crate) parking: Arc<dyn Parking>,
    pub(crate) options: ConsumerOptions,
    /// One for each event that may be handled at once.
    pub(crate) slots: Semaphore,
}

/// The lanes of one consumer while it reads: one for each key of which something is held, so that no key waits for
/// another. Dropped without an end, they let go of everything: nothing may handle events for a reader that is no more.
pub(crate) struct Lanes {
    shared: Arc<Lane>,
    waiting: Arc<Waiting>,
    held: Arc<Held>,
    tasks: TaskTracker,
    keeper: TaskTracker,
    /// Stop trying again: what does not succeed now stays unacknowledged, and what waits behind it too.
    patience_over: CancellationToken,
    /// Let go of everything at once, half-done or not.
    abandon: DropGuard,
    abandoned: CancellationToken,
    beat: DropGuard,
}

/// By key: what waits behind what is being handled. As many at most as the server hands out without an acknowledgement.
#[derive(Default)]
struct Waiting(Mutex<HashMap<Key, VecDeque<Delivery>>>);

impl Waiting {
    /// Queues a delivery behind those of its key, or gives it back when there are none.
    fn queue(&self, key: Key, delivery: Delivery) -> Option<Delivery> {
        match self.0.lock().entry(key) {
            Entry::Occupied(mut lane) => {
                lane.get_mut().push_back(delivery);
                None
            }
            Entry::Vacant(free) => {
                free.insert(VecDeque::new());
                Some(delivery)
            }
        }
    }

    /// The next of a key whose last one is settled. `None`: there is none, and the lane is closed.
    fn next(&self, key: Key) -> Option<Delivery> {
        let mut all = self.0.lock();
        let next = all.get_mut(&key).and_then(VecDeque::pop_front);
        if next.is_none() {
            all.remove(&key);
        }
        next
    }
}

/// Messages that were taken and are not settled: each is kept from being given to anybody else.
#[derive(Default)]
struct Held(Mutex<HashMap<u64, Arc<dyn Settle>>>);

impl Held {
    async fn progress(&self) {
        let all: Vec<_> = self.0.lock().values().cloned().collect();
        for settle in all {
            settle.progress().await;
        }
    }
}

impl Lanes {
    pub(crate) fn start(shared: Lane) -> Self {
        let shared = Arc::new(shared);
        let held = Arc::new(Held::default());
        let (tasks, keeper) = (TaskTracker::new(), TaskTracker::new());
        let (abandoned, beat) = (CancellationToken::new(), CancellationToken::new());
        keeper.spawn(keep_alive(Arc::clone(&held), shared.options.ack_wait / 3, beat.clone()));
        Self {
            shared,
            waiting: Arc::default(),
            held,
            tasks,
            keeper,
            patience_over: CancellationToken::new(),
            abandon: abandoned.clone().drop_guard(),
            abandoned,
            beat: beat.drop_guard(),
        }
    }

    /// Hands a message to its key's lane. Never waits.
    pub(crate) fn push(&self, delivery: Delivery) {
        let key = match &delivery.event {
            Ok(event) => event.key(),
            Err(undecodable) => undecodable.event.key(),
        };
        // Given to us again although it is held (word of its progress was late): whoever holds it settles it.
        if self.held.0.lock().insert(delivery.sequence, Arc::clone(&delivery.settle)).is_some() {
            return;
        }
        if let Some(first) = self.waiting.queue(key, delivery) {
            self.tasks.spawn(run_lane(
                Arc::clone(&self.shared),
                key,
                first,
                Arc::clone(&self.waiting),
                Arc::clone(&self.held),
                self.patience_over.clone(),
                self.abandoned.clone(),
            ));
        }
    }

    /// Ends the lanes. `finish`: what is held is handled once more and acknowledged; otherwise it is let go of.
    pub(crate) async fn end(self, finish: bool, limit: Duration) {
        self.patience_over.cancel();
        self.tasks.close();
        let finished = finish && tokio::time::timeout(limit, self.tasks.wait()).await.is_ok();
        if finish && !finished {
            tracing::warn!("handlers did not finish in time; their events come again");
        }
        drop(self.abandon);
        self.tasks.wait().await;
        // Last, so that what is being finished is kept until it is settled.
        drop(self.beat);
        self.keeper.close();
        self.keeper.wait().await;
    }
}

async fn keep_alive(held: Arc<Held>, every: Duration, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(every.max(Duration::from_millis(10)));
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = held.progress() => {}
        }
    }
}

async fn run_lane(
    shared: Arc<Lane>,
    key: Key,
    first: Delivery,
    waiting: Arc<Waiting>,
    held: Arc<Held>,
    patience_over: CancellationToken,
    abandoned: CancellationToken,
) {
    let mut next = Some(first);
    while let Some(delivery) = next {
        let (sequence, settle) = (delivery.sequence, Arc::clone(&delivery.settle));
        let settled = tokio::select! {
            biased;
            () = abandoned.cancelled() => false,
            settled = shared.take(delivery, &patience_over) => settled,
        };
        // The newest way to settle it: it may have been given to us again meanwhile.
        let newest = held.0.lock().remove(&sequence).unwrap_or(settle);
        if !settled {
            // Nothing behind it may be handled; the lane stays closed to what comes.
            return;
        }
        newest.ack().await;
        next = waiting.next(key);
    }
}

impl Lane {
    /// Handles or parks one message. False: neither, it must come again.
    async fn take(&self, delivery: Delivery, patience_over: &CancellationToken) -> bool {
        metrics::counter!(
            metric::CONSUMED,
            "messaging_system" => "nats",
            "messaging_consumer_group_name" => self.consumer.clone(),
            "messaging_destination_template" => all_of(&self.context),
        )
        .increment(1);
        let event = match delivery.event {
            Ok(event) => event,
            Err(undecodable) => {
                return self
                    .stubbornly(patience_over, || {
                        self.park(&undecodable.event, Problem::Unreadable(&undecodable.reason))
                    })
                    .await
                    .is_some();
            }
        };
        let Some(behind) = self.stubbornly(patience_over, || self.park_if_behind(&event)).await else {
            return false;
        };
        if behind {
            self.count(metric::CONSUMER_PARKED);
            self.processed("parked");
            return true;
        }
        let span = tracing::info_span!(
            "process",
            otel.kind = "consumer",
            messaging.system = "nats",
            messaging.operation.name = "process",
            "messaging.operation.type" = "process",
            messaging.destination.template = all_of(&self.context),
            messaging.consumer.group.name = self.consumer,
            messaging.message.id = %event.id,
            event.kind = event.kind,
        );
        match self.handle(&event, patience_over).instrument(span).await {
            Verdict::Done(Handled::Done) => self.processed("done"),
            Verdict::Done(Handled::Ignored) => self.processed("ignored"),
            Verdict::Park(reason) => {
                if self
                    .stubbornly(patience_over, || self.park(&event, Problem::Failed(&reason)))
                    .await
                    .is_none()
                {
                    return false;
                }
                self.processed("parked");
            }
            Verdict::Again => return false,
        }
        true
    }

    async fn handle(&self, event: &Event, patience_over: &CancellationToken) -> Verdict {
        let mut failures = 0;
        let mut pause = self.options.retry_first;
        loop {
            // Never closed. Not held while a try is waited for, so that what cannot be handled now holds nobody up.
            let slot = self.slots.acquire().await;
            let started = Instant::now();
            let result = AssertUnwindSafe(self.handler.handle(event)).catch_unwind().await;
            drop(slot);
            metrics::histogram!(
                metric::PROCESS_DURATION,
                "messaging_system" => "nats",
                "messaging_consumer_group_name" => self.consumer.clone(),
                "messaging_destination_template" => all_of(&self.context),
            )
            .record(started.elapsed());
            let problem = match result {
                Ok(Ok(handled)) => return Verdict::Done(handled),
                Ok(Err(HandleError::Poison(reason))) => return Verdict::Park(reason),
                Ok(Err(HandleError::Retry(reason))) => reason,
                Ok(Err(HandleError::Failed(reason))) => {
                    failures += 1;
                    reason
                }
                Err(_panic) => {
                    failures += 1;
                    "the handler panicked".to_owned()
                }
            };
            if failures >= self.options.poison_after.max(1) {
                return Verdict::Park(format!("failed {failures} times: {problem}"));
            }
            self.count(metric::CONSUMER_RETRIED);
            tracing::warn!(problem, failures, pause_ms = pause.as_millis(), "tried again");
            if !self.pause(&mut pause, patience_over).await {
                return Verdict::Again;
            }
        }
    }

    async fn park_if_behind(&self, event: &Event) -> Result<bool, HandleError> {
        Ok(self.parking.is_parked(&self.consumer, event.key()).await?
            && self.parking.park_behind(&self.consumer, event).await?)
    }

    async fn park(&self, event: &Event, problem: Problem<'_>) -> Result<(), HandleError> {
        self.parking.park(&self.consumer, event, problem).await?;
        self.count(metric::CONSUMER_PARKED);
        tracing::error!(
            consumer = self.consumer,
            event.id = %event.id,
            event.kind = event.kind,
            reason = problem.text(),
            "parked: later events of the same key wait behind it"
        );
        Ok(())
    }

    /// Does something until it succeeds. `None`: patience is over.
    async fn stubbornly<T, F, R>(&self, patience_over: &CancellationToken, action: F) -> Option<T>
    where
        F: Fn() -> R,
        R: Future<Output = Result<T, HandleError>>,
    {
        let mut pause = self.options.retry_first;
        loop {
            match action().await {
                Ok(value) => return Some(value),
                Err(error) => {
                    tracing::warn!(%error, consumer = self.consumer, "the dead letters cannot be reached");
                    if !self.pause(&mut pause, patience_over).await {
                        return None;
                    }
                }
            }
        }
    }

    /// Waits before the next try, longer each time. False: there is to be none.
    async fn pause(&self, pause: &mut Duration, patience_over: &CancellationToken) -> bool {
        tokio::select! {
            biased;
            () = patience_over.cancelled() => false,
            () = tokio::time::sleep(*pause) => {
                *pause = (*pause * 2).min(self.options.retry_most);
                true
            }
        }
    }

    fn count(&self, name: &'static str) {
        metrics::counter!(name, "consumer" => self.consumer.clone()).increment(1);
    }

    fn processed(&self, outcome: &'static str) {
        metrics::counter!(metric::CONSUMER_PROCESSED, "consumer" => self.consumer.clone(), "outcome" => outcome)
            .increment(1);
    }
}

enum Verdict {
    Done(Handled),
    Park(String),
    Again,
}
