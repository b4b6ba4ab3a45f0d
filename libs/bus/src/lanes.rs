//! Keyed lanes: order within a key, concurrency across keys.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt;
use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use crate::{
    ConsumerOptions, Delivery, Event, HandleError, Handled, Handler, Parking, Problem, Settle, all_of, metric,
};

/// What all lanes of a consumer share.
pub(crate) struct Lane {
    pub(crate) consumer: String,
    pub(crate) context: String,
    pub(crate) handler: Arc<dyn Handler>,
    pub(crate) parking: Arc<dyn Parking>,
    pub(crate) options: ConsumerOptions,
}

/// The lanes of one consumer while it reads. Dropped without an end, they let go of everything: nothing may handle
/// events for a reader that is no more.
pub(crate) struct Lanes {
    senders: Vec<mpsc::Sender<Delivery>>,
    hasher: RandomState,
    held: Arc<Held>,
    tasks: TaskTracker,
    keeper: TaskTracker,
    /// Stop trying again: what does not succeed now stays unacknowledged, and what waits behind it too.
    patience_over: CancellationToken,
    /// Let go of everything at once, half-done or not.
    abandon: DropGuard,
    beat: DropGuard,
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
        let (patience_over, abandon, beat) =
            (CancellationToken::new(), CancellationToken::new(), CancellationToken::new());
        let capacity = usize::try_from(shared.options.max_ack_pending).unwrap_or(1).max(1);
        let senders = (0..shared.options.lanes.max(1))
            .map(|_| {
                // Large enough for all that the server hands out unacknowledged: feeding a lane never waits for it.
                let (sender, receiver) = mpsc::channel(capacity);
                tasks.spawn(run_lane(
                    Arc::clone(&shared),
                    receiver,
                    Arc::clone(&held),
                    patience_over.clone(),
                    abandon.clone(),
                ));
                sender
            })
            .collect();
        keeper.spawn(keep_alive(Arc::clone(&held), shared.options.ack_wait / 3, beat.clone()));
        let (abandon, beat) = (abandon.drop_guard(), beat.drop_guard());
        Self { senders, hasher: RandomState::new(), held, tasks, keeper, patience_over, abandon, beat }
    }

    /// Hands a message to its key's lane.
    pub(crate) async fn push(&self, delivery: Delivery) {
        let key = match &delivery.event {
            Ok(event) => event.key(),
            Err(undecodable) => undecodable.event.key(),
        };
        let lane = self.hasher.hash_one(key) % self.senders.len() as u64;
        // Given to us again although it is held (word of its progress was late): whoever holds it settles it. In its
        // lane a second time, it would only fill it.
        if self.held.0.lock().insert(delivery.sequence, Arc::clone(&delivery.settle)).is_some() {
            return;
        }
        if let Some(sender) = usize::try_from(lane).ok().and_then(|lane| self.senders.get(lane)) {
            // Fails only when the lane gave up; the message stays unacknowledged and comes again.
            let _ = sender.send(delivery).await;
        }
    }

    /// Ends the lanes. `finish`: what is held is handled once more and acknowledged; otherwise it is let go of.
    pub(crate) async fn end(self, finish: bool, limit: Duration) {
        self.patience_over.cancel();
        drop(self.senders);
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
    mut receiver: mpsc::Receiver<Delivery>,
    held: Arc<Held>,
    patience_over: CancellationToken,
    abandon: CancellationToken,
) {
    while let Some(delivery) = receiver.recv().await {
        let (sequence, settle) = (delivery.sequence, Arc::clone(&delivery.settle));
        let settled = tokio::select! {
            biased;
            () = abandon.cancelled() => false,
            settled = shared.take(delivery, &patience_over) => settled,
        };
        // The newest way to settle it: it may have been given to us again meanwhile.
        let newest = held.0.lock().remove(&sequence).unwrap_or(settle);
        if settled {
            newest.ack().await;
        } else {
            // Nothing behind it may be handled: it may be of the same key.
            return;
        }
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
            let started = Instant::now();
            let result = AssertUnwindSafe(self.handler.handle(event)).catch_unwind().await;
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
