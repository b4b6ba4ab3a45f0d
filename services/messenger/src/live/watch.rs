//! One watcher: what is there, then what happens (M-5).
//!
//! Nothing is kept for a watcher but where it is: whatever is behind that is read again, from memory or from the
//! table. So a slow watcher costs nothing, and one that comes back is one that is far behind. Who may see the
//! conversation, and whether the token still counts, is judged before everything that is sent (T-13).

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use callboard_auth::{AuthError, Verifier};
use callboard_kernel::{Actor, Clock, ErrorKind, Principal, Refusal};
use callboard_messenger_domain::conversation::{ConversationState, Marker};
use callboard_proto::messenger::v1 as proto;
use callboard_proto::messenger::v1::watch_response::Event;
use callboard_service::convert::{to_proto_actor, to_proto_time};
use callboard_service::database::refusal;
use chrono::TimeDelta;
use futures::stream::{BoxStream, StreamExt, unfold};
use tokio::sync::{broadcast, watch};
use tokio::time::{Interval, MissedTickBehavior, interval};
use uuid::Uuid;

use super::feed::{Seen, Shown};
use super::hub::Seat;
use super::signal::{Signal, SignalKind};
use crate::convert::{self, Eyes};
use crate::store::{Copies, Queries, Stored, StoredMessage};

/// How often it is checked that the token still counts and the ticket may still be seen.
const CHECK: Duration = Duration::from_secs(1);
/// Messages that are read at once by who is far behind.
const PAGE: i64 = 100;
/// After which typing is forgotten.
const TYPING: TimeDelta = TimeDelta::seconds(6);

/// What a watcher needs.
#[derive(Debug)]
pub struct Watching {
    /// Its place.
    pub seat: Seat,
    /// Who watches.
    pub principal: Arc<Principal>,
    /// The access token; `None`: called without one, by a test of this crate.
    pub token: Option<String>,
    /// Judges it.
    pub verifier: Arc<Verifier>,
    /// The tables.
    pub queries: Queries,
    /// Read copies of the directory.
    pub copies: Copies,
    /// Now.
    pub clock: Arc<dyn Clock>,
    /// The time for editing (M-6).
    pub window: TimeDelta,
    /// When the process stops.
    pub stop: tokio_util::sync::CancellationToken,
    /// Resume behind it; 0: from the latest messages on.
    pub after: i64,
    /// How many of the latest messages come first where there is nothing to resume.
    pub history: i64,
}

/// Watches until the caller goes or may not see it any more.
pub fn watch(watching: Watching) -> BoxStream<'static, Result<proto::WatchResponse, Refusal>> {
    let feed = Arc::clone(watching.seat.feed());
    let mut check = interval(CHECK);
    check.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let watcher = Watcher {
        conversation: feed.conversation,
        seen: feed.seen(),
        whispers: feed.whispers(),
        check,
        position: watching.after,
        started: false,
        behind: watching.after > 0,
        told: None,
        waiting: VecDeque::new(),
        ended: false,
        watching,
    };
    unfold(Box::new(watcher), |mut watcher| async move {
        let next = watcher.next().await?;
        Some((next, watcher))
    })
    .boxed()
}

/// What was said of the conversation last.
struct Told {
    /// What it looks like without what messages and markers say.
    shape: proto::Conversation,
    markers: HashMap<Actor, Marker>,
    position: i64,
}

struct Watcher {
    watching: Watching,
    conversation: Uuid,
    seen: watch::Receiver<Seen>,
    whispers: broadcast::Receiver<Signal>,
    check: Interval,
    /// Everything up to here was sent.
    position: i64,
    started: bool,
    /// Resumed, and not yet where everybody else is.
    behind: bool,
    told: Option<Told>,
    /// To be sent.
    waiting: VecDeque<proto::WatchResponse>,
    ended: bool,
}

enum Woken {
    Seen,
    Whisper(Signal),
    Check,
    Stop,
}

impl Watcher {
    async fn next(&mut self) -> Option<Result<proto::WatchResponse, Refusal>> {
        loop {
            if self.ended {
                return None;
            }
            if let Err(refusal) = self.judge().await {
                self.ended = true;
                return Some(Err(refusal));
            }
            if let Some(response) = self.waiting.pop_front() {
                return Some(Ok(response));
            }
            match self.gather().await {
                Ok(true) => continue,
                Ok(false) => {}
                Err(error) => {
                    self.ended = true;
                    return Some(Err(refusal(error)));
                }
            }
            match self.wait().await {
                Woken::Seen | Woken::Check => {}
                Woken::Whisper(signal) => self.whisper(signal),
                Woken::Stop => {
                    self.ended = true;
                    let refusal = Refusal::new(
                        ErrorKind::Unavailable,
                        "STOPPING",
                        "this replica is stopping: resume with another",
                    );
                    return Some(Err(refusal));
                }
            }
        }
    }

    async fn wait(&mut self) -> Woken {
        tokio::select! {
            biased;
            () = self.watching.stop.cancelled() => Woken::Stop,
            changed = self.seen.changed() => if changed.is_ok() { Woken::Seen } else { Woken::Stop },
            heard = self.whispers.recv() => match heard {
                Ok(signal) => Woken::Whisper(signal),
                // It is no fact; what was missed was missed.
                Err(_) => Woken::Check,
            },
            _ = self.check.tick() => Woken::Check,
        }
    }

    fn known(&self) -> Option<Arc<Stored>> {
        self.seen.borrow().conversation.clone()
    }

    /// Whether the caller may be told anything now.
    async fn judge(&self) -> Result<(), Refusal> {
        if let Some(token) = &self.watching.token {
            match self.watching.verifier.verify(token).await {
                // Keys that cannot be fetched now take nobody's session away.
                Ok(_) | Err(AuthError::KeysUnavailable) => {}
                Err(error) => return Err(Refusal::from(&error)),
            }
        }
        let principal = &self.watching.principal;
        let known = self.known();
        let device = known.as_ref().and_then(|known| known.state.ticket.as_ref()).map(|ticket| ticket.device);
        let sight = self.watching.copies.sight(principal, device).await.map_err(refusal)?;
        let visible = known.is_some_and(|known| known.state.visible_to(principal, &sight).is_some());
        if visible { Ok(()) } else { Err(Refusal::missing("conversation", self.conversation)) }
    }

    /// Puts what is to be sent into the queue; false: there is nothing.
    async fn gather(&mut self) -> Result<bool, sqlx::Error> {
        let seen = self.seen.borrow_and_update().clone();
        let Some(conversation) = seen.conversation.clone() else { return Ok(true) };
        if !self.started {
            self.begin(&conversation, seen.head).await?;
            return Ok(true);
        }
        if self.position < seen.head {
            self.follow(&seen, &conversation).await?;
        }
        if self.behind && self.position >= seen.head {
            self.behind = false;
            self.push(self.position, Event::CaughtUp(proto::CaughtUp {}));
        }
        if self.waiting.is_empty() {
            self.compare(&conversation).await?;
        }
        Ok(!self.waiting.is_empty())
    }

    /// The conversation, and the latest messages where there is nothing to resume.
    async fn begin(&mut self, conversation: &Arc<Stored>, head: i64) -> Result<(), sqlx::Error> {
        let principal = Arc::clone(&self.watching.principal);
        let state = &conversation.state;
        let shown = self.shown(conversation).await?;
        self.push(0, Event::Conversation(shown));
        self.told = Some(Told {
            shape: self.shape(conversation),
            markers: state.markers.clone(),
            position: conversation.version.0,
        });
        for actor in self.watching.seat.feed().present() {
            if actor != principal.actor() {
                self.push(0, Event::Presence(presence(actor, true)));
            }
        }
        self.started = true;
        if self.behind {
            return Ok(());
        }
        let mut latest = self
            .watching
            .queries
            .messages_before(principal.organisation, self.conversation, i64::MAX, self.watching.history)
            .await?;
        // In the order of their changes: whoever is cut off in between resumes behind what came and misses nothing.
        latest.sort_by_key(|one| (one.position, one.message.sequence));
        let until = latest.last().map_or(head, |last| last.position.max(head));
        for one in &latest {
            self.message(state, one, None);
        }
        self.position = until;
        self.push(until, Event::CaughtUp(proto::CaughtUp {}));
        Ok(())
    }

    /// Messages that changed behind the watcher's position.
    async fn follow(&mut self, seen: &Seen, conversation: &Arc<Stored>) -> Result<(), sqlx::Error> {
        if self.position >= seen.floor {
            let from = seen.ring.partition_point(|shown| shown.stored.position <= self.position);
            let fresh: Vec<Shown> = seen.ring.iter().skip(from).cloned().collect();
            for shown in &fresh {
                self.message(&conversation.state, &shown.stored, Some(&shown.proto));
            }
            self.position = seen.head;
        } else {
            let organisation = self.watching.principal.organisation;
            let page = self
                .watching
                .queries
                .changed_after(organisation, self.conversation, self.position, PAGE)
                .await?;
            for one in &page {
                self.message(&conversation.state, one, None);
            }
            let full = page.len() == usize::try_from(PAGE).unwrap_or_default();
            let last = page.last().map_or(self.position, |last| last.position);
            self.position = if full { last } else { last.max(seen.head) };
        }
        Ok(())
    }

    fn message(&mut self, state: &ConversationState, stored: &StoredMessage, shown: Option<&proto::Message>) {
        let shown = shown.cloned().unwrap_or_else(|| {
            convert::message(self.conversation, &stored.message, &stored.files, stored.position)
        });
        let eyes = Eyes {
            principal: &self.watching.principal,
            may_write: state.may_write(&self.watching.principal),
            window: self.watching.window,
            now: self.watching.clock.now(),
        };
        let shown = eyes.on(shown, &stored.message);
        if let Some(told) = &mut self.told {
            // Whoever writes has read what is before it: the message says so.
            let marker = Marker { sequence: stored.message.sequence, at: stored.message.sent_at };
            let known = told.markers.entry(stored.message.author).or_insert(marker);
            if known.sequence < marker.sequence {
                *known = marker;
            }
        }
        self.push(stored.position, Event::Message(shown));
    }

    /// What a conversation looks like without what messages and markers say.
    fn shape(&self, conversation: &Stored) -> proto::Conversation {
        let state = &conversation.state;
        let version = conversation.version;
        proto::Conversation {
            last_sequence: 0,
            position: 0,
            read_markers: Vec::new(),
            own_read_sequence: 0,
            unread_count: 0,
            last_message_time: None,
            etag: String::new(),
            ..convert::conversation(self.conversation, state, version, 0, &self.watching.principal)
        }
    }

    /// The conversation as this caller sees it.
    async fn shown(&self, conversation: &Stored) -> Result<proto::Conversation, sqlx::Error> {
        let (principal, state) = (&self.watching.principal, &conversation.state);
        let (organisation, actor) = (principal.organisation, principal.actor());
        let read = state.read_by(actor);
        let unread = self.watching.queries.unread(organisation, self.conversation, actor, read).await?;
        Ok(convert::conversation(self.conversation, state, conversation.version, unread, principal))
    }

    /// What has changed besides messages.
    async fn compare(&mut self, conversation: &Arc<Stored>) -> Result<(), sqlx::Error> {
        let version = conversation.version.0;
        let shape = self.shape(conversation);
        let Some(told) = &mut self.told else { return Ok(()) };
        if told.position >= version {
            return Ok(());
        }
        told.position = version;
        let state = &conversation.state;
        let principal = Arc::clone(&self.watching.principal);
        let moved: Vec<(Actor, Marker)> = state
            .markers
            .iter()
            .filter(|(reader, _)| convert::shows_marker(&principal, **reader))
            .filter(|(reader, marker)| {
                told.markers.get(reader).is_none_or(|known| known.sequence < marker.sequence)
            })
            .map(|(reader, marker)| (*reader, *marker))
            .collect();
        told.markers.clone_from(&state.markers);
        let changed = told.shape != shape;
        told.shape = shape;
        for (reader, marker) in moved {
            self.push(version, Event::ReadMarker(convert::marker(reader, marker)));
        }
        if changed {
            let shown = self.shown(conversation).await?;
            self.push(version, Event::Conversation(shown));
        }
        self.position = self.position.max(version);
        Ok(())
    }

    fn whisper(&mut self, signal: Signal) {
        if signal.actor == self.watching.principal.actor() {
            return;
        }
        let event = match signal.kind {
            SignalKind::Here => Event::Presence(presence(signal.actor, true)),
            SignalKind::Gone => Event::Presence(presence(signal.actor, false)),
            SignalKind::Typing | SignalKind::Still => Event::Typing(proto::Typing {
                actor: Some(to_proto_actor(signal.actor)),
                typing: signal.kind == SignalKind::Typing,
                expire_time: Some(to_proto_time(self.watching.clock.now() + TYPING)),
            }),
        };
        self.push(0, event);
    }

    fn push(&mut self, position: i64, event: Event) {
        self.waiting.push_back(proto::WatchResponse { position, event: Some(event) });
    }
}

fn presence(actor: Actor, present: bool) -> proto::Presence {
    proto::Presence { actor: Some(to_proto_actor(actor)), present }
}
