//! One conversation, for all in this process who watch it: read once, however many they are.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use callboard_kernel::{Actor, OrganisationId};
use callboard_proto::messenger::v1 as proto;
use parking_lot::Mutex;
use tokio::sync::{Notify, broadcast, watch};
use tokio::time::Instant;
use uuid::Uuid;

use super::signal::{Signal, SignalKind};
use crate::convert;
use crate::store::{Queries, Stored, StoredMessage};

/// The latest changes that are kept in memory; whoever is farther behind reads the table.
const RING: usize = 256;
/// Read at once.
const PAGE: i64 = 200;
/// How long a failed read rests.
const PAUSE: Duration = Duration::from_millis(500);
/// Whispers that wait for a slow watcher before it misses some.
const WHISPERS: usize = 64;
/// Who has not been heard of for so long is gone.
const PRESENCE: Duration = Duration::from_secs(45);

/// A message, rendered once for all.
#[derive(Debug, Clone)]
pub struct Shown {
    /// As stored.
    pub stored: StoredMessage,
    /// As shown, without what only its author is told.
    pub proto: Arc<proto::Message>,
}

/// What is known of a conversation at a moment.
#[derive(Debug, Clone)]
pub struct Seen {
    /// It; `None`: deleted, or never there.
    pub conversation: Option<Arc<Stored>>,
    /// Everything up to this position is known.
    pub head: i64,
    /// The ring holds what changed behind this position.
    pub floor: i64,
    /// The latest changes, in order.
    pub ring: Arc<VecDeque<Shown>>,
}

/// A conversation that is watched.
#[derive(Debug)]
pub struct Feed {
    /// The tenant.
    pub organisation: OrganisationId,
    /// Which.
    pub conversation: Uuid,
    queries: Queries,
    woken: Arc<Notify>,
    seen: watch::Sender<Seen>,
    whispers: broadcast::Sender<Signal>,
    /// Who watches in this process, and how often.
    watchers: Mutex<BTreeMap<String, (Actor, usize)>>,
    /// Who watches anywhere, and when that was heard last.
    present: Mutex<BTreeMap<String, (Actor, Instant)>>,
}

impl Feed {
    /// Reads the conversation for the first time.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn open(
        queries: Queries,
        organisation: OrganisationId,
        conversation: Uuid,
    ) -> Result<Self, sqlx::Error> {
        let found = queries.whole(organisation, conversation).await?.map(Arc::new);
        let head = found.as_ref().map_or(0, |found| found.version.0);
        let seen = Seen { conversation: found, head, floor: head, ring: Arc::default() };
        Ok(Self {
            organisation,
            conversation,
            queries,
            woken: Arc::default(),
            seen: watch::Sender::new(seen),
            whispers: broadcast::Sender::new(WHISPERS),
            watchers: Mutex::default(),
            present: Mutex::default(),
        })
    }

    /// Something has happened, perhaps.
    pub fn wake(&self) {
        self.woken.notify_one();
    }

    /// What is known, now and later.
    pub fn seen(&self) -> watch::Receiver<Seen> {
        self.seen.subscribe()
    }

    /// Whispers from now on.
    pub fn whispers(&self) -> broadcast::Receiver<Signal> {
        self.whispers.subscribe()
    }

    /// What wakes: also the feed's end does.
    pub fn woken(&self) -> Arc<Notify> {
        Arc::clone(&self.woken)
    }

    /// Reads what has happened since it was read last, as soon as it can be read.
    pub async fn catch_up(&self) {
        while let Err(error) = self.refresh().await {
            tracing::warn!(%error, "a watched conversation cannot be read now");
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn refresh(&self) -> Result<(), sqlx::Error> {
        let (mut head, mut floor, mut ring) = {
            let seen = self.seen.borrow();
            (seen.head, seen.floor, VecDeque::clone(&seen.ring))
        };
        // The conversation first: all that had changed by its version is among the messages that are read after it.
        let found = self.queries.whole(self.organisation, self.conversation).await?.map(Arc::new);
        if found.is_none() {
            ring.clear();
        }
        loop {
            let page = self.queries.changed_after(self.organisation, self.conversation, head, PAGE).await?;
            let more = page.len() == usize::try_from(PAGE).unwrap_or_default();
            for stored in page {
                head = head.max(stored.position);
                let shown =
                    convert::message(self.conversation, &stored.message, &stored.files, stored.position);
                let proto = Arc::new(shown);
                ring.push_back(Shown { stored, proto });
            }
            while ring.len() > RING {
                floor = ring.pop_front().map_or(floor, |oldest| oldest.stored.position);
            }
            if !more {
                break;
            }
        }
        head = head.max(found.as_ref().map_or(head, |found| found.version.0));
        self.seen.send_replace(Seen { conversation: found, head, floor, ring: Arc::new(ring) });
        Ok(())
    }

    /// One more stream of somebody; true when it is the first in this process.
    pub fn enter(&self, actor: Actor) -> bool {
        let mut watchers = self.watchers.lock();
        let (_, count) = watchers.entry(actor.to_string()).or_insert((actor, 0));
        *count += 1;
        *count == 1
    }

    /// One stream less; true when it was the last in this process.
    pub fn leave(&self, actor: Actor) -> bool {
        let mut watchers = self.watchers.lock();
        let key = actor.to_string();
        let Some((_, count)) = watchers.get_mut(&key) else { return false };
        *count -= 1;
        let last = *count == 0;
        if last {
            watchers.remove(&key);
        }
        last
    }

    /// Who watches in this process.
    pub fn watchers(&self) -> Vec<Actor> {
        self.watchers.lock().values().map(|(actor, _)| *actor).collect()
    }

    /// Who watches anywhere, as far as is known.
    pub fn present(&self) -> Vec<Actor> {
        self.present.lock().values().map(|(actor, _)| *actor).collect()
    }

    /// A whisper was heard; true when it is of somebody who was not known to be there.
    pub fn hear(&self, signal: Signal) -> bool {
        let key = signal.actor.to_string();
        let news = match signal.kind {
            SignalKind::Typing | SignalKind::Still => true,
            SignalKind::Here => {
                let now = Instant::now();
                self.present.lock().insert(key, (signal.actor, now)).is_none()
            }
            SignalKind::Gone => self.present.lock().remove(&key).is_some(),
        };
        if news {
            // Nobody listening is no failure.
            let _ = self.whispers.send(signal);
        }
        news && signal.kind == SignalKind::Here
    }

    /// Forgets who has not been heard of for long.
    pub fn expire(&self) {
        let now = Instant::now();
        let gone: Vec<Actor> = {
            let mut present = self.present.lock();
            let old = |heard: Instant| now.duration_since(heard) > PRESENCE;
            let gone = present.values().filter(|(_, heard)| old(*heard)).map(|(actor, _)| *actor).collect();
            present.retain(|_, (_, heard)| !old(*heard));
            gone
        };
        for actor in gone {
            let _ = self.whispers.send(self.signal(actor, SignalKind::Gone));
        }
    }

    /// A whisper about this conversation.
    pub const fn signal(&self, actor: Actor, kind: SignalKind) -> Signal {
        Signal { organisation: self.organisation, conversation: self.conversation, actor, kind }
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.woken.notify_one();
    }
}
