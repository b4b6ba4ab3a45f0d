//! A consumer: takes the events of one stream, in order per key, each at least once.

use std::sync::Arc;
use std::time::Duration;

use callboard_kernel::Timestamp;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::jetstream::Durable;
use crate::lanes::{Lane, Lanes};
use crate::{
    Bus, ConfigDifference, Exclusive, Handler, Held, Parking, SubscribeError, Subscription, all_of, metric,
    subject,
};

/// How a consumer works.
#[derive(Debug, Clone)]
pub struct ConsumerOptions {
    /// So many events are handled at once at most, each of another key.
    pub concurrency: usize,
    /// The most that the server hands out without an acknowledgement.
    pub max_ack_pending: i64,
    /// After it the server gives a message to somebody else, unless told of progress (which is told all the time).
    pub ack_wait: Duration,
    /// Pause before the second try; doubles with each.
    pub retry_first: Duration,
    /// The longest pause.
    pub retry_most: Duration,
    /// Parked after so many tries that failed ([`crate::HandleError::Failed`], a panic). "Not now" does not count.
    pub poison_after: u32,
    /// How long a stop waits for handlers.
    pub stop_limit: Duration,
    /// How often the lag is measured.
    pub lag_every: Duration,
}

impl Default for ConsumerOptions {
    fn default() -> Self {
        Self {
            concurrency: 64,
            max_ack_pending: 256,
            ack_wait: Duration::from_secs(30),
            retry_first: Duration::from_millis(50),
            retry_most: Duration::from_secs(5),
            poison_after: 5,
            stop_limit: Duration::from_secs(10),
            lag_every: Duration::from_secs(5),
        }
    }
}

/// One consumer of one stream. What it promises to its handler:
///
/// - every event that matches the filter comes at least once, from the beginning of the stream;
/// - events of one aggregate come one at a time and in order, given an [`Exclusive`]; without one that holds only
///   while a single process reads the durable and does not die;
/// - "not now" is tried again without end and without a NAK (redelivery would break the order);
/// - an event that cannot be processed is parked, later ones of its key behind it, and the others go on.
pub struct Consumer {
    name: String,
    context: String,
    handler: Arc<dyn Handler>,
    parking: Arc<dyn Parking>,
    exclusive: Option<Arc<dyn Exclusive>>,
    since: Option<Timestamp>,
    options: ConsumerOptions,
}

impl Consumer {
    /// A consumer of a context's events, as far as the handler hears them. `name` is the durable's name and part of metrics and dead letters:
    /// `<service>-<purpose>`, letters, digits and dashes.
    pub fn new(
        name: impl Into<String>,
        context: impl Into<String>,
        handler: Arc<dyn Handler>,
        parking: Arc<dyn Parking>,
    ) -> Self {
        let context = context.into();
        Self {
            name: name.into(),
            context,
            handler,
            parking,
            exclusive: None,
            since: None,
            options: ConsumerOptions::default(),
        }
    }

    /// Reads only while it is the only process that does. Needed for order per key with several replicas.
    #[must_use]
    pub fn exclusive(mut self, exclusive: Arc<dyn Exclusive>) -> Self {
        self.exclusive = Some(exclusive);
        self
    }

    /// Where it begins when the durable is not there: with the first event that was stored at that time or later. Without
    /// this, with the oldest event that the stream holds.
    #[must_use]
    pub const fn since(mut self, at: Timestamp) -> Self {
        self.since = Some(at);
        self
    }

    /// Works with other options.
    #[must_use]
    pub fn options(mut self, options: ConsumerOptions) -> Self {
        self.options = options;
        self
    }

    /// Reads until `stop`, then stops fetching, finishes what is held and acknowledges it. A missing stream or
    /// durable (not made yet, made anew, the server lost its data) is waited for and opened again.
    ///
    /// # Errors
    /// Only when the server makes something else of the durable than was asked for.
    pub async fn run(self, bus: &Bus, stop: CancellationToken) -> Result<(), ConfigDifference> {
        let mut pause = self.options.retry_first;
        while !stop.is_cancelled() {
            let Some(held) = self.hold(&stop).await else { break };
            match self.read(bus, held.as_ref(), &stop).await {
                Ok(worked) => {
                    if worked {
                        pause = self.options.retry_first;
                    }
                }
                Err(difference) => {
                    tracing::error!(%difference, consumer = self.name, "the consumer cannot run");
                    return Err(difference);
                }
            }
            drop(held);
            if !wait(pause, &stop).await {
                break;
            }
            pause = (pause * 2).min(self.options.retry_most);
        }
        Ok(())
    }

    /// Removes the durable, unless somebody reads it just now or `wanted` says that it is. That is asked while nobody else
    /// may read: whoever wants it from then on finds none and begins as told. True: it is not there any more.
    pub async fn remove(&self, bus: &Bus, wanted: impl Future<Output = bool>) -> bool {
        let held = match &self.exclusive {
            None => None,
            Some(exclusive) => match exclusive.try_hold(&self.lease()).await {
                Ok(Some(held)) => Some(held),
                Ok(None) => return false,
                Err(error) => {
                    tracing::warn!(%error, consumer = self.name, "cannot become the one that removes it");
                    return false;
                }
            },
        };
        if wanted.await || held.as_ref().is_some_and(|held| held.lost().is_cancelled()) {
            return false;
        }
        match bus.remove_durable(&self.context, &self.name).await {
            Ok(()) => true,
            Err(error) => {
                tracing::info!(%error, consumer = self.name, "the durable stays for now");
                false
            }
        }
    }

    fn lease(&self) -> String {
        format!("consumer:{}", self.name)
    }

    /// Waits until this process is the only reader. `None`: stopped.
    async fn hold(&self, stop: &CancellationToken) -> Option<Option<Held>> {
        let Some(exclusive) = &self.exclusive else { return Some(None) };
        let name = self.lease();
        loop {
            match exclusive.try_hold(&name).await {
                Ok(Some(held)) => return Some(Some(held)),
                Ok(None) => {}
                Err(error) => tracing::warn!(%error, consumer = self.name, "cannot become the reader"),
            }
            if !wait(Duration::from_millis(500), stop).await {
                return None;
            }
        }
    }

    /// The subjects of what the handler hears.
    fn filters(&self) -> Vec<String> {
        match self.handler.hears() {
            None => vec![all_of(&self.context)],
            Some(names) => names.iter().map(|name| subject("*", &self.context, name)).collect(),
        }
    }

    /// Opens the durable and reads until something ends it. True: it could be opened.
    async fn read(
        &self,
        bus: &Bus,
        held: Option<&Held>,
        stop: &CancellationToken,
    ) -> Result<bool, ConfigDifference> {
        let durable = Durable {
            name: self.name.clone(),
            context: self.context.clone(),
            filters: self.filters(),
            ack_wait: self.options.ack_wait,
            max_ack_pending: self.options.max_ack_pending,
            only_reader: held.is_some(),
            since: self.since,
        };
        let mut subscription = match bus.subscribe(&durable).await {
            Ok(subscription) => subscription,
            Err(SubscribeError::Differs(difference)) => return Err(difference),
            Err(error) => {
                tracing::info!(%error, consumer = self.name, "waits for the bus");
                return Ok(false);
            }
        };
        // After the durable's place is read: an earlier reader that has not noticed yet that it is none may still park and
        // acknowledge, and what it acknowledged is not sent here.
        if let Err(error) = self.parking.open(&self.name, held.is_some()).await {
            tracing::warn!(%error, consumer = self.name, "the dead letters cannot be read");
            return Ok(false);
        }
        let lanes = Lanes::start(Lane {
            consumer: self.name.clone(),
            context: self.context.clone(),
            handler: Arc::clone(&self.handler),
            parking: Arc::clone(&self.parking),
            slots: Semaphore::new(self.options.concurrency.max(1)),
            options: self.options.clone(),
        });
        let keeps = self.feed(subscription.as_mut(), &lanes, held, stop).await;
        // Whoever is not the reader any more lets go at once: the next one begins with what is not acknowledged.
        lanes.end(keeps, self.options.stop_limit).await;
        subscription.flush().await;
        Ok(true)
    }

    /// Reads messages into lanes. True: what is held may be finished.
    async fn feed(
        &self,
        subscription: &mut dyn Subscription,
        lanes: &Lanes,
        held: Option<&Held>,
        stop: &CancellationToken,
    ) -> bool {
        let lost = held.map(|held| held.lost().clone()).unwrap_or_default();
        let gauge = metrics::gauge!(metric::CONSUMER_LAG, "consumer" => self.name.clone(), "context" => self.context.clone());
        let mut ticks = tokio::time::interval(self.options.lag_every);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = lost.cancelled() => {
                    tracing::warn!(consumer = self.name, "is not the only reader any more");
                    // Another process reports it from now on.
                    gauge.set(0.0);
                    return false;
                }
                () = stop.cancelled() => return true,
                _ = ticks.tick() => {
                    let lag = tokio::select! {
                        biased;
                        () = lost.cancelled() => continue,
                        () = stop.cancelled() => continue,
                        lag = subscription.lag() => lag,
                    };
                    match lag {
                        #[expect(clippy::cast_precision_loss, reason = "a gauge")]
                        Ok(lag) => gauge.set(lag as f64),
                        Err(error) => tracing::debug!(%error, consumer = self.name, "lag unknown"),
                    }
                }
                next = subscription.next() => match next {
                    Ok(delivery) => lanes.push(delivery),
                    Err(error) => {
                        tracing::warn!(%error, consumer = self.name, "opens again");
                        return true;
                    }
                },
            }
        }
    }
}

/// False: stopped before the time was over.
async fn wait(time: Duration, stop: &CancellationToken) -> bool {
    tokio::select! {
        biased;
        () = stop.cancelled() => false,
        () = tokio::time::sleep(time) => true,
    }
}
