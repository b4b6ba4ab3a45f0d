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
use uuid::Uuid;

/// The topic of all of them.
const TOPIC: &str = "notifications.windows";
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
    /// The drawers of these people changed.
    Changed { organisation: OrganisationId, people: Vec<String> },
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
    open: Mutex<HashMap<Key, HashMap<u64, mpsc::Sender<Signal>>>>,
    next: std::sync::atomic::AtomicU64,
    asked: Mutex<HashMap<Uuid, oneshot::Sender<()>>>,
    most: usize,
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
        if let Some(windows) = open.get_mut(&self.key) {
            windows.remove(&self.number);
            if windows.is_empty() {
                open.remove(&self.key);
            }
        }
        metrics::gauge!("callboard_notifications_windows").decrement(1.0);
    }
}

impl Windows {
    /// None is open yet. `most`: of one person in this process.
    pub fn new(bus: Bus, most: usize) -> Self {
        Self(Arc::new(Inner {
            bus,
            open: Mutex::default(),
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
            let windows = open.entry(key).or_default();
            if windows.len() >= self.0.most {
                return None;
            }
            windows.insert(number, sender);
        }
        metrics::gauge!("callboard_notifications_windows").increment(1.0);
        Some(Window { windows: self.clone(), key, number, signals })
    }

    async fn whisper(&self, whisper: &Whisper) {
        let payload = serde_json::to_vec(whisper).unwrap_or_default();
        self.0.bus.whisper(TOPIC, payload.into()).await;
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
            self.whisper(&Whisper::Changed { organisation, people: crowd.to_vec() }).await;
        }
    }

    fn signal(&self, organisation: OrganisationId, person: &str, signal: Signal) {
        let Ok(person) = person.parse::<Person>() else { return };
        let open = self.0.open.lock();
        for window in open.get(&(organisation, person)).into_iter().flat_map(HashMap::values) {
            // A window that does not keep up takes nothing.
            let _ = window.try_send(signal);
        }
    }

    /// Whoever may have missed a whisper looks for itself.
    fn wake_all(&self) {
        for window in self.0.open.lock().values().flat_map(HashMap::values) {
            let _ = window.try_send(Signal::Changed);
        }
    }

    fn hear(&self, payload: &[u8]) {
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
            Ok(Whisper::Changed { organisation, people }) => {
                for person in people {
                    self.signal(organisation, &person, Signal::Changed);
                }
            }
            Err(error) => tracing::debug!(%error, "a whisper of another kind"),
        }
    }

    /// Listens to what processes whisper, this one included. Ends never; drop it.
    pub async fn listen(&self) {
        loop {
            match self.0.bus.listen(TOPIC).await {
                Ok(mut whispers) => {
                    self.wake_all();
                    while let Some(payload) = whispers.next().await {
                        self.hear(&payload);
                    }
                }
                Err(error) => tracing::debug!(%error, "whispers cannot be heard now"),
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}
