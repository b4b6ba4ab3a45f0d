//! All conversations that are watched in this process.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use callboard_bus::{Bus, Start, TailFrom, TailItem};
use callboard_kernel::{Actor, OrganisationId};
use futures::StreamExt;
use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::feed::Feed;
use super::signal::{Signal, SignalKind, TOPIC};
use crate::store::Queries;

/// How often others are told again who watches here.
const REMIND: Duration = Duration::from_secs(20);
/// How long a lost connection rests.
const PAUSE: Duration = Duration::from_millis(500);
/// Whispers that wait to be sent; beyond it they are lost.
const OUTGOING: usize = 1_024;

/// Knows who watches what. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Hub(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    queries: Queries,
    bus: Bus,
    tracker: TaskTracker,
    stop: CancellationToken,
    feeds: Mutex<HashMap<Uuid, Weak<Feed>>>,
    seats: Mutex<HashMap<(OrganisationId, Actor), usize>>,
    most_seats: usize,
    outgoing: mpsc::Sender<Signal>,
    waiting: Mutex<Option<mpsc::Receiver<Signal>>>,
}

/// One open stream of somebody; counted and present until dropped.
#[derive(Debug)]
pub struct Seat {
    hub: Hub,
    feed: Arc<Feed>,
    actor: Actor,
}

impl Seat {
    /// What is watched.
    pub const fn feed(&self) -> &Arc<Feed> {
        &self.feed
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let key = (self.feed.organisation, self.actor);
        let mut seats = self.hub.0.seats.lock();
        if let Some(open) = seats.get_mut(&key) {
            *open -= 1;
            if *open == 0 {
                seats.remove(&key);
            }
        }
        drop(seats);
        if self.feed.leave(self.actor) {
            self.hub.tell(self.feed.signal(self.actor, SignalKind::Gone));
        }
        metrics::gauge!("callboard_messenger_streams").decrement(1.0);
    }
}

impl Hub {
    /// Nobody watches yet. `stop`: streams and feeds end then.
    pub fn new(
        queries: Queries,
        bus: Bus,
        tracker: TaskTracker,
        stop: CancellationToken,
        most_seats: usize,
    ) -> Self {
        let (outgoing, waiting) = mpsc::channel(OUTGOING);
        Self(Arc::new(Inner {
            queries,
            bus,
            tracker,
            stop,
            feeds: Mutex::default(),
            seats: Mutex::default(),
            most_seats,
            outgoing,
            waiting: Mutex::new(Some(waiting)),
        }))
    }

    /// When streams end.
    pub fn stop(&self) -> &CancellationToken {
        &self.0.stop
    }

    /// Something was committed in a conversation: whoever watches it here is told.
    pub fn wake(&self, conversation: Uuid) {
        let feed = self.0.feeds.lock().get(&conversation).and_then(Weak::upgrade);
        if let Some(feed) = feed {
            feed.wake();
        }
    }

    fn feeds(&self) -> Vec<Arc<Feed>> {
        self.0.feeds.lock().values().filter_map(Weak::upgrade).collect()
    }

    /// Takes a seat before a conversation; `Ok(None)`: this person has too many.
    ///
    /// # Errors
    /// When the conversation cannot be read.
    pub async fn join(
        &self,
        organisation: OrganisationId,
        conversation: Uuid,
        actor: Actor,
    ) -> Result<Option<Seat>, sqlx::Error> {
        {
            let mut seats = self.0.seats.lock();
            let open = seats.entry((organisation, actor)).or_default();
            if *open >= self.0.most_seats {
                return Ok(None);
            }
            *open += 1;
        }
        let feed = match self.feed(organisation, conversation).await {
            Ok(feed) => feed,
            Err(error) => {
                let mut seats = self.0.seats.lock();
                if let Some(open) = seats.get_mut(&(organisation, actor)) {
                    *open -= 1;
                }
                return Err(error);
            }
        };
        metrics::gauge!("callboard_messenger_streams").increment(1.0);
        if feed.enter(actor) {
            self.tell(feed.signal(actor, SignalKind::Here));
        }
        Ok(Some(Seat { hub: self.clone(), feed, actor }))
    }

    async fn feed(&self, organisation: OrganisationId, conversation: Uuid) -> Result<Arc<Feed>, sqlx::Error> {
        let known = self.0.feeds.lock().get(&conversation).and_then(Weak::upgrade);
        if let Some(feed) = known.filter(|feed| feed.organisation == organisation) {
            // It may not have heard of the latest yet; the watcher is told when it has.
            feed.wake();
            return Ok(feed);
        }
        let opened = Arc::new(Feed::open(self.0.queries.clone(), organisation, conversation).await?);
        let mut feeds = self.0.feeds.lock();
        let other = feeds.get(&conversation).and_then(Weak::upgrade);
        if let Some(other) = other.filter(|other| other.organisation == organisation) {
            return Ok(other);
        }
        if opened.seen().borrow().conversation.is_some() {
            feeds.retain(|_, feed| feed.strong_count() > 0);
            feeds.insert(conversation, Arc::downgrade(&opened));
        }
        drop(feeds);
        let (weak, stop) = (Arc::downgrade(&opened), self.0.stop.clone());
        self.0.tracker.spawn(async move {
            stop.run_until_cancelled(read_on(weak)).await;
        });
        // What was committed between the read and the registration woke nobody.
        opened.wake();
        Ok(opened)
    }

    /// Whispers to all processes, this one included. Lost when there are too many.
    pub fn tell(&self, signal: Signal) {
        if self.0.outgoing.try_send(signal).is_err() {
            tracing::debug!("a whisper was lost");
        }
    }

    /// Reads this context's own stream along: what other processes committed.
    pub async fn follow(&self, context: &'static str) {
        let mut tail = self.0.bus.tail(vec![TailFrom::new(context, Start::New)]);
        while let Some(item) = tail.next().await {
            match item {
                TailItem::Event { event, .. } => self.wake(event.aggregate_id),
                // What was told before is not told again.
                TailItem::CaughtUp | TailItem::Rebuilt { .. } => {
                    self.feeds().iter().for_each(|feed| feed.wake());
                }
            }
        }
    }

    /// Sends whispers, and reminds others who watches here.
    pub async fn speak(&self) {
        let waiting = self.0.waiting.lock().take();
        let Some(mut waiting) = waiting else { return };
        let mut remind = tokio::time::interval(REMIND);
        loop {
            tokio::select! {
                signal = waiting.recv() => {
                    let Some(signal) = signal else { return };
                    self.0.bus.whisper(TOPIC, signal.to_bytes()).await;
                }
                _ = remind.tick() => {
                    for feed in self.feeds() {
                        feed.expire();
                        self.remind(&feed).await;
                    }
                }
            }
        }
    }

    async fn remind(&self, feed: &Feed) {
        for actor in feed.watchers() {
            let signal = feed.signal(actor, SignalKind::Here);
            self.0.bus.whisper(TOPIC, signal.to_bytes()).await;
        }
    }

    /// Hears whispers.
    pub async fn listen(&self) {
        loop {
            match self.0.bus.listen(TOPIC).await {
                Ok(mut heard) => {
                    while let Some(bytes) = heard.next().await {
                        if let Some(signal) = Signal::from_bytes(&bytes) {
                            self.hear(signal).await;
                        }
                    }
                }
                Err(error) => tracing::warn!(%error, "whispers are not heard"),
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn hear(&self, signal: Signal) {
        let feed = self.0.feeds.lock().get(&signal.conversation).and_then(Weak::upgrade);
        let Some(feed) = feed.filter(|feed| feed.organisation == signal.organisation) else { return };
        // Somebody new: they do not know yet who else is there.
        if feed.hear(signal) && !feed.watchers().contains(&signal.actor) {
            self.remind(&feed).await;
        }
    }
}

/// Reads on whenever woken, for as long as somebody watches.
async fn read_on(feed: Weak<Feed>) {
    let Some(woken) = feed.upgrade().map(|feed| feed.woken()) else { return };
    loop {
        woken.notified().await;
        let Some(feed) = feed.upgrade() else { return };
        feed.catch_up().await;
    }
}
