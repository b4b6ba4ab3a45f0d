//! The caller's own drawer as a part of the live stream (N-1).
//!
//! No event tells of a drawer: it is one person's. Notifications whisper whose have changed, one subscription hears it for
//! the whole process, and each stream of such a person reads the drawer anew, with the person's own token: what is shown
//! is what notifications judge that they may see now (T-13). While they are out of reach all else goes on.
//!
//! A live stream is no window (N-2). It may be read by a board on a wall, or by a program; what it took would count as
//! delivered, go to no other channel, and the person would hear of it nowhere. Whoever shows people what they are told
//! opens the drawer's own stream, which is a window.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use callboard_bus::Bus;
use callboard_kernel::{OrganisationId, Principal, Subject};
use callboard_proto::notifications::v1 as proto;
use callboard_service::Seen;
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use parking_lot::Mutex;
use serde::Deserialize;
use tokio::sync::Notify;
use tokio::time::Sleep;
use tonic::{Code, Status};
use uuid::Uuid;

use crate::call::Call;
use crate::state::Gateway;

/// What is whispered here: `{"organisation": …, "people": ["employee:…", "customer_user:…", "code:…"]}`.
const TOPIC: &str = "notifications.drawers";
/// How long a lost subscription rests.
const PAUSE: Duration = Duration::from_millis(500);
/// A whisper may be lost: how long until a drawer is read although nobody said that it has changed.
const LOOK: Duration = Duration::from_secs(60);
/// How long notifications that are out of reach are left alone, and the most of it.
const FIRST_REST: Duration = Duration::from_millis(500);
const LONGEST_REST: Duration = Duration::from_secs(30);
/// Entries that are looked at for what changed.
const LOOKED_AT: i32 = 200;

#[derive(Debug, Deserialize)]
struct Changed {
    organisation: OrganisationId,
    people: Vec<String>,
}

type Key = (OrganisationId, String);

/// Whose drawer a caller has, in the words of notifications: visitors share that of their code; the system has none.
fn owner(principal: &Principal) -> Option<Key> {
    let person = match &principal.subject {
        Subject::Employee(employee) => format!("employee:{}", employee.id),
        Subject::CustomerUser(user) => format!("customer_user:{}", user.id),
        Subject::CodeUser(user) => format!("code:{}", user.code),
        Subject::System => return None,
    };
    Some((principal.organisation, person))
}

/// Who is to be told that a drawer has changed.
#[derive(Debug, Default)]
pub struct Drawers(Mutex<HashMap<Key, Vec<Arc<Notify>>>>);

impl Drawers {
    fn hear(&self, payload: &[u8]) {
        let Ok(Changed { organisation, people }) = serde_json::from_slice(payload) else {
            tracing::debug!("a whisper of another kind");
            return;
        };
        let streams = self.0.lock();
        for person in people {
            for bell in streams.get(&(organisation, person)).into_iter().flatten() {
                bell.notify_one();
            }
        }
    }

    /// Hears what is whispered. Ends never; drop it.
    pub async fn listen(&self, bus: &Bus) {
        loop {
            match bus.listen(TOPIC).await {
                Ok(mut whispers) => {
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

/// Rings when one person's drawer has changed; until dropped.
struct Bell {
    gateway: Arc<Gateway>,
    owner: Key,
    rung: Arc<Notify>,
}

impl Bell {
    fn new(call: &Call) -> Option<Self> {
        let owner = owner(call.principal())?;
        let rung = Arc::new(Notify::new());
        let gateway = Arc::clone(&call.gateway);
        gateway.live.drawers.0.lock().entry(owner.clone()).or_default().push(Arc::clone(&rung));
        Some(Self { gateway, owner, rung })
    }
}

impl Drop for Bell {
    fn drop(&mut self) {
        let mut streams = self.gateway.live.drawers.0.lock();
        if let Some(theirs) = streams.get_mut(&self.owner) {
            theirs.retain(|bell| !Arc::ptr_eq(bell, &self.rung));
            if theirs.is_empty() {
                streams.remove(&self.owner);
            }
        }
    }
}

/// What is new in a drawer.
#[derive(Debug)]
pub struct News {
    /// New or changed, the oldest change first.
    pub entries: Vec<proto::Entry>,
    /// How many are unread, and the position of the latest: where that is news.
    pub count: Option<proto::GetUnreadCountResponse>,
}

/// A drawer as it was found.
struct Found {
    count: proto::GetUnreadCountResponse,
    /// The latest, the latest first; `None`: not looked at, since nothing has changed.
    entries: Option<Vec<proto::Entry>>,
}

/// An entry by what tells whether it has changed.
fn mark(entry: &proto::Entry) -> (Uuid, i64) {
    (entry.id.parse().unwrap_or_default(), entry.position)
}

/// Follows the caller's drawer for as long as a stream is open.
pub struct Follower {
    call: Call,
    /// None: the caller has no drawer.
    bell: Option<Bell>,
    state: Following,
    /// What was found last.
    known: Option<proto::GetUnreadCountResponse>,
    /// What was in it.
    seen: Seen,
    failures: u32,
}

enum Following {
    Looking(BoxFuture<'static, Result<Found, Status>>),
    /// Until something changes, or for so long.
    Waiting(Pin<Box<Sleep>>),
    /// Notifications were out of reach.
    Resting(Pin<Box<Sleep>>),
}

impl Follower {
    /// From now on. Reads nothing before it is asked.
    pub fn new(call: &Call) -> Self {
        let state = Following::Looking(look(call.clone(), None).boxed());
        Self {
            call: call.clone(),
            bell: Bell::new(call),
            state,
            known: None,
            seen: Seen::default(),
            failures: 0,
        }
    }

    /// What is new, once something is. Given up while it waits, it misses nothing.
    pub async fn next(&mut self) -> News {
        let Some(rung) = self.bell.as_ref().map(|bell| Arc::clone(&bell.rung)) else {
            return std::future::pending().await;
        };
        loop {
            match &mut self.state {
                Following::Looking(looking) => match looking.await {
                    Ok(found) => {
                        self.failures = 0;
                        self.state = Following::Waiting(self.after(LOOK));
                        let news = self.take(found);
                        if !news.entries.is_empty() || news.count.is_some() {
                            return news;
                        }
                    }
                    Err(status) if status.code() == Code::PermissionDenied => {
                        self.bell = None;
                        return std::future::pending().await;
                    }
                    Err(status) => {
                        tracing::debug!(code = ?status.code(), "a drawer cannot be read now");
                        let rest = FIRST_REST.saturating_mul(1 << self.failures.min(8)).min(LONGEST_REST);
                        self.failures += 1;
                        self.state = Following::Resting(self.after(rest));
                    }
                },
                Following::Waiting(enough) => {
                    let known = tokio::select! {
                        () = rung.notified() => None,
                        () = enough => self.known,
                    };
                    self.look(known);
                }
                Following::Resting(rested) => {
                    rested.await;
                    self.look(None);
                }
            }
        }
    }

    /// Looks again; not further than at the count, where that is still the known one.
    fn look(&mut self, known: Option<proto::GetUnreadCountResponse>) {
        self.state = Following::Looking(look(self.call.clone(), known).boxed());
    }

    /// So long and up to half as long again, that not all streams ask at the same moment.
    fn after(&self, time: Duration) -> Pin<Box<Sleep>> {
        let some = u32::from(self.call.gateway.ids.next().as_bytes()[15]);
        Box::pin(tokio::time::sleep(time + time * some / 512))
    }

    fn take(&mut self, found: Found) -> News {
        let Found { count, entries } = found;
        // A position that is behind the one before: something is gone, as when the drawer was emptied elsewhere.
        let mut is_news =
            self.known.is_none_or(|known| known.unread != count.unread || count.position < known.position);
        let mut news = Vec::new();
        if let Some(entries) = entries {
            let now = Seen::of(entries.iter().map(mark), LOOKED_AT as usize);
            if self.known.is_some() {
                is_news |= self.seen.has_lost(&now);
                let is_new = |entry: &proto::Entry| {
                    let (id, position) = mark(entry);
                    !self.seen.holds(id, position)
                };
                news = entries.into_iter().filter(is_new).collect();
                news.reverse();
            }
            self.seen = now;
        }
        self.known = Some(count);
        News { entries: news, count: is_news.then_some(count) }
    }
}

/// Reads a drawer: how many are unread, and the latest entries, unless the count is the known one.
async fn look(call: Call, known: Option<proto::GetUnreadCountResponse>) -> Result<Found, Status> {
    let time = call.gateway.settings.call_timeout;
    let mut drawer = call.gateway.upstreams.notifications();
    let count = drawer.get_unread_count(call.request_within(proto::GetUnreadCountRequest {}, time)).await?;
    let count = count.into_inner();
    if known == Some(count) {
        return Ok(Found { count, entries: None });
    }
    let message = proto::ListEntriesRequest { page_size: LOOKED_AT, ..Default::default() };
    // What comes in between is told of by another whisper.
    let page = drawer.list_entries(call.request_within(message, time)).await?.into_inner();
    Ok(Found { count, entries: Some(page.entries) })
}
