//! Open windows: who has one, in any process, and whether it takes what it is told (N-2).
//!
//! Processes whisper to each other over the bus, and nothing of it is kept: a window that misses a whisper was not told,
//! and the next channel has its turn.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use callboard_bus::Bus;
use callboard_kernel::{OrganisationId, derive_uuid};
use callboard_notifications_domain::Person;
use futures::StreamExt;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior, interval};
use uuid::Uuid;

use crate::presence::{BEAT, Part, Presence};

/// The topic of all of them but [`Changed`].
const TOPIC: &str = "notifications.windows";
/// Of [`Changed`]. The gateway listens, too: it shows people's own drawers on the live stream.
const CHANGES: &str = "notifications.drawers";
/// How long a lost connection rests.
const PAUSE: Duration = Duration::from_millis(500);
/// What waits for a slow window; beyond it, it takes nothing.
const WAITING: usize = 64;
/// People in one whisper.
const CROWD: usize = 500;

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Whisper {
    /// Tell this person of this entry.
    Tell { id: Uuid, organisation: OrganisationId, person: String, entry: Uuid },
    /// A window took it.
    Taken { id: Uuid },
    /// This process is there, after so many changes of who has a window in it.
    Here { process: Uuid, version: u64 },
    /// Somebody's first window opened, or the last one closed.
    Moved { process: Uuid, version: u64, organisation: OrganisationId, person: String, is_open: bool },
    /// Who has a window in this process?
    Who { process: Uuid },
    /// These have.
    These {
        process: Uuid,
        version: u64,
        is_first: bool,
        is_last: bool,
        /// How many the whole list has.
        total: usize,
        people: Vec<(OrganisationId, String)>,
    },
}

/// The drawers of these people changed. Others read it: fields are added and never taken away.
#[derive(Debug, Serialize, Deserialize)]
struct Changed {
    organisation: OrganisationId,
    people: Vec<String>,
}

/// What a window is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Its drawer changed.
    Changed,
    /// An event is told here and now; answer [`Windows::taken`].
    Told {
        /// Names the telling.
        id: Uuid,
        /// The entry it landed in.
        entry: Uuid,
    },
}

type Key = (OrganisationId, Person);

/// All windows that are open in this process. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Windows(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    bus: Bus,
    /// Names this process among those that whisper.
    process: Uuid,
    open: Mutex<Open>,
    elsewhere: Mutex<Presence<Key>>,
    moved: Mutex<mpsc::UnboundedReceiver<Moved>>,
    next: std::sync::atomic::AtomicU64,
    asked: Mutex<HashMap<Uuid, oneshot::Sender<()>>>,
    most: usize,
}

/// The windows of this process.
#[derive(Debug)]
struct Open {
    windows: HashMap<Key, HashMap<u64, mpsc::Sender<Signal>>>,
    /// How often somebody's first window opened or the last one closed.
    version: u64,
    moves: mpsc::UnboundedSender<Moved>,
}

/// A change to be told to the others.
#[derive(Debug)]
struct Moved {
    version: u64,
    key: Key,
    is_open: bool,
}

impl Open {
    fn moved(&mut self, key: Key, is_open: bool) {
        self.version += 1;
        // Who tells it ends with the process.
        let _ = self.moves.send(Moved { version: self.version, key, is_open });
    }
}

/// An open window; closed when dropped.
#[derive(Debug)]
pub struct Window {
    windows: Windows,
    key: Key,
    number: u64,
    signals: mpsc::Receiver<Signal>,
}

impl Window {
    /// What it is told next.
    pub async fn signal(&mut self) -> Option<Signal> {
        self.signals.recv().await
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        let mut open = self.windows.0.open.lock();
        if let Some(windows) = open.windows.get_mut(&self.key) {
            windows.remove(&self.number);
            if windows.is_empty() {
                open.windows.remove(&self.key);
                open.moved(self.key, false);
            }
        }
        metrics::gauge!("callboard_notifications_windows").decrement(1.0);
    }
}

impl Windows {
    /// None is open yet. `process` names this one among all; `most`: of one person in it.
    pub fn new(bus: Bus, process: Uuid, most: usize) -> Self {
        let (moves, moved) = mpsc::unbounded_channel();
        Self(Arc::new(Inner {
            bus,
            process,
            open: Mutex::new(Open { windows: HashMap::new(), version: 0, moves }),
            elsewhere: Mutex::default(),
            moved: Mutex::new(moved),
            next: std::sync::atomic::AtomicU64::new(0),
            asked: Mutex::default(),
            most,
        }))
    }

    /// Opens a window; `None`: this person has too many.
    pub fn open(&self, organisation: OrganisationId, person: Person) -> Option<Window> {
        let key = (organisation, person);
        let number = self.0.next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let (sender, signals) = mpsc::channel(WAITING);
        {
            let mut open = self.0.open.lock();
            let windows = open.windows.entry(key).or_default();
            if windows.len() >= self.0.most {
                return None;
            }
            windows.insert(number, sender);
            if windows.len() == 1 {
                open.moved(key, true);
            }
        }
        metrics::gauge!("callboard_notifications_windows").increment(1.0);
        Some(Window { windows: self.clone(), key, number, signals })
    }

    async fn whisper(&self, whisper: &Whisper) {
        let payload = serde_json::to_vec(whisper).unwrap_or_default();
        self.0.bus.whisper(TOPIC, payload.into()).await;
    }

    /// Whether the person may have a window open, in any process; false only when it is known that there is none.
    pub fn may_be_open(&self, organisation: OrganisationId, person: Person) -> bool {
        let key = (organisation, person);
        self.0.open.lock().windows.contains_key(&key)
            || self.0.elsewhere.lock().may_be_open(&key, Instant::now())
    }

    /// Tells a person's windows, in any process; true when one of them has taken it in time.
    pub async fn tell(
        &self,
        organisation: OrganisationId,
        person: Person,
        event: Uuid,
        entry: Uuid,
        patience: Duration,
    ) -> bool {
        let id = derive_uuid(event, &[b"window", person.to_string().as_bytes()]);
        let (taken, answer) = oneshot::channel();
        self.0.asked.lock().insert(id, taken);
        self.whisper(&Whisper::Tell { id, organisation, person: person.to_string(), entry }).await;
        let answered = tokio::time::timeout(patience, answer).await;
        self.0.asked.lock().remove(&id);
        matches!(answered, Ok(Ok(())))
    }

    /// A window took what it was told.
    pub async fn taken(&self, id: Uuid) {
        self.whisper(&Whisper::Taken { id }).await;
    }

    /// The drawers of these people changed.
    pub async fn changed(&self, organisation: OrganisationId, people: impl IntoIterator<Item = Person>) {
        let names: Vec<String> = people.into_iter().map(|person| person.to_string()).collect();
        for crowd in names.chunks(CROWD) {
            let changed = Changed { organisation, people: crowd.to_vec() };
            let payload = serde_json::to_vec(&changed).unwrap_or_default();
            self.0.bus.whisper(CHANGES, payload.into()).await;
        }
    }

    fn signal(&self, organisation: OrganisationId, person: &str, signal: Signal) {
        let Ok(person) = person.parse::<Person>() else { return };
        let open = self.0.open.lock();
        for window in open.windows.get(&(organisation, person)).into_iter().flat_map(HashMap::values) {
            // A window that does not keep up takes nothing.
            let _ = window.try_send(signal);
        }
    }

    /// Whoever may have missed a whisper looks for itself.
    fn wake_all(&self) {
        for window in self.0.open.lock().windows.values().flat_map(HashMap::values) {
            let _ = window.try_send(Signal::Changed);
        }
    }

    fn hear_of_changes(&self, payload: &[u8]) {
        match serde_json::from_slice(payload) {
            Ok(Changed { organisation, people }) => {
                for person in people {
                    self.signal(organisation, &person, Signal::Changed);
                }
            }
            Err(error) => tracing::debug!(%error, "a whisper of another kind"),
        }
    }

    /// Takes a whisper; answers what is to be whispered in turn.
    fn hear(&self, payload: &[u8]) -> Vec<Whisper> {
        let now = Instant::now();
        match serde_json::from_slice(payload) {
            Ok(Whisper::Tell { id, organisation, person, entry }) => {
                self.signal(organisation, &person, Signal::Told { id, entry });
            }
            Ok(Whisper::Taken { id }) => {
                if let Some(asked) = self.0.asked.lock().remove(&id) {
                    // Nobody waits any more: too late, which is not taken.
                    let _ = asked.send(());
                }
            }
            Ok(Whisper::Who { process }) if process == self.0.process || process.is_nil() => {
                return self.list();
            }
            Ok(Whisper::Who { .. }) => {}
            Ok(Whisper::Here { process, .. }) if process == self.0.process => {
                self.0.elsewhere.lock().hears_itself(now);
            }
            Ok(Whisper::Moved { process, .. } | Whisper::These { process, .. })
                if process == self.0.process => {}
            Ok(Whisper::Here { process, version }) => {
                if self.0.elsewhere.lock().beats(process, version, now) {
                    return vec![Whisper::Who { process }];
                }
            }
            Ok(Whisper::Moved { process, version, organisation, person, is_open }) => {
                if let Ok(person) = person.parse() {
                    let key = (organisation, person);
                    self.0.elsewhere.lock().changed(process, version, key, is_open, now);
                }
            }
            Ok(Whisper::These { process, version, is_first, is_last, total, people }) => {
                let key = |(organisation, person): (OrganisationId, String)| {
                    Some((organisation, person.parse().ok()?))
                };
                let people = people.into_iter().filter_map(key).collect();
                let part = Part { is_first, is_last, total, people };
                self.0.elsewhere.lock().listed(process, version, part, now);
            }
            Err(error) => tracing::debug!(%error, "a whisper of another kind"),
        }
        Vec::new()
    }

    /// Who has a window in this process.
    fn list(&self) -> Vec<Whisper> {
        let open = self.0.open.lock();
        let people: Vec<(OrganisationId, String)> =
            open.windows.keys().map(|(organisation, person)| (*organisation, person.to_string())).collect();
        let (process, version) = (self.0.process, open.version);
        drop(open);
        let crowds: Vec<Vec<_>> = if people.is_empty() {
            vec![Vec::new()]
        } else {
            people.chunks(CROWD).map(<[_]>::to_vec).collect()
        };
        let (last, total) = (crowds.len() - 1, people.len());
        let these = |(at, people)| Whisper::These {
            process,
            version,
            is_first: at == 0,
            is_last: at == last,
            total,
            people,
        };
        crowds.into_iter().enumerate().map(these).collect()
    }

    fn here(&self) -> Whisper {
        Whisper::Here { process: self.0.process, version: self.0.open.lock().version }
    }

    /// Listens to what processes whisper, this one included, and tells who has a window here. Ends never; drop it.
    pub async fn listen(&self) {
        loop {
            match tokio::try_join!(self.0.bus.listen(TOPIC), self.0.bus.listen(CHANGES)) {
                Ok((mut whispers, mut changes)) => {
                    self.wake_all();
                    self.0.elsewhere.lock().listens(Instant::now());
                    self.whisper(&Whisper::Who { process: Uuid::nil() }).await;
                    let mut beat = interval(BEAT);
                    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
                    loop {
                        tokio::select! {
                            heard = whispers.next() => {
                                let Some(payload) = heard else { break };
                                for answer in self.hear(&payload) {
                                    self.whisper(&answer).await;
                                }
                            }
                            changed = changes.next() => {
                                let Some(payload) = changed else { break };
                                self.hear_of_changes(&payload);
                            }
                            Moved { version, key: (organisation, person), is_open } = self.next_move() => {
                                let (process, person) = (self.0.process, person.to_string());
                                self.whisper(&Whisper::Moved { process, version, organisation, person, is_open }).await;
                            }
                            _ = beat.tick() => self.whisper(&self.here()).await,
                        }
                    }
                }
                Err(error) => tracing::debug!(%error, "whispers cannot be heard now"),
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn next_move(&self) -> Moved {
        let next = std::future::poll_fn(|context| self.0.moved.lock().poll_recv(context)).await;
        match next {
            Some(moved) => moved,
            // Who sends is held by the same.
            None => std::future::pending().await,
        }
    }
}
