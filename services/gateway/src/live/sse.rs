//! One live stream, as server-sent events.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::response::Response;
use callboard_auth::AuthError;
use callboard_bus::{Start, TailFrom, TailItem};
use callboard_kernel::Rejection;
use futures::StreamExt;
use futures::stream::{BoxStream, unfold};
use http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::json;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval};

use super::drawers::{Follower, News as DrawerNews};
use super::hub::{Item, News, Seat};
use super::position::{Position, index};
use super::relayed::written;
use super::visibility::{Eyes, Undecided, is_hidden};
use crate::call::Call;
use crate::model::mirror::Mirror as _;
use crate::model::notifications::{Notification, UnreadNotifications};
use crate::problem::Problem;
use crate::upstream::CONTEXTS;

/// How often it is checked that the token still counts.
const CHECK: Duration = Duration::from_secs(1);
/// How long a reader waits before it comes back.
const RETRY: Duration = Duration::from_secs(1);
/// How long a context is held at first, and the longest.
const HOLD: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(15));

/// Opens a stream.
pub fn open(call: Call, headers: &HeaderMap) -> Result<Response, Problem> {
    let resume = match headers.get("last-event-id") {
        None => None,
        Some(value) if value.is_empty() => None,
        Some(value) => {
            let position = value.to_str().ok().and_then(|text| text.parse::<Position>().ok());
            Some(position.ok_or_else(|| Problem::field("Last-Event-ID", "is not one of ours"))?)
        }
    };
    let token = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()?.split_once(' '));
    let token = token.map(|(_, token)| token.trim().to_owned()).unwrap_or_default();
    let (organisation, actor) = (call.principal().organisation, call.principal().actor());
    let Some(seat) = call.gateway.live.admit(organisation, actor) else {
        let mut problem = Problem::new(
            StatusCode::TOO_MANY_REQUESTS,
            "TOO_MANY_STREAMS",
            format!("at most {} live streams at once", call.gateway.settings.live.max_streams_per_principal),
        );
        problem.retry_after = Some(RETRY);
        return Err(problem);
    };
    let stream = unfold(Opening { call, token, resume, seat }.into(), |state: Box<State>| async move {
        let mut state = state.begin().await;
        let chunk = state.next().await?;
        Some((Ok::<_, Infallible>(chunk), Box::new(State::Open(state))))
    });
    let mut response = Response::new(Body::from_stream(stream));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Proxies that gather answers would hold events back.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

struct Opening {
    call: Call,
    token: String,
    resume: Option<Position>,
    seat: Seat,
}

enum State {
    Opening(Box<Opening>),
    Open(Box<Connection>),
}

impl From<Opening> for Box<State> {
    fn from(opening: Opening) -> Self {
        Self::new(State::Opening(Box::new(opening)))
    }
}

impl State {
    async fn begin(self: Box<Self>) -> Box<Connection> {
        match *self {
            Self::Opening(opening) => Box::new(Connection::new(*opening).await),
            Self::Open(connection) => connection,
        }
    }
}

/// A reader.
struct Connection {
    call: Call,
    token: String,
    eyes: Eyes,
    drawer: Follower,
    receiver: broadcast::Receiver<News>,
    /// What happened while the reader was away; read before anything new.
    replay: Option<BoxStream<'static, TailItem>>,
    /// Up to where the replay goes: from there on the feed.
    joint: Position,
    /// Sent or passed over.
    position: Position,
    /// Contexts that wait behind an event of which nobody could say whether the reader may see it.
    held: Held,
    /// Written, but not yet asked for.
    waiting: VecDeque<Bytes>,
    heartbeat_at: Instant,
    expires_at: Instant,
    check: Interval,
    ended: bool,
    _seat: Seat,
}

/// What waits while the service that decides about it cannot be asked; all else goes on.
#[derive(Debug, Clone, Copy)]
struct Held {
    contexts: [bool; CONTEXTS.len()],
    /// When it is tried again.
    until: Instant,
    /// How long the next one is held.
    pause: Duration,
}

impl Held {
    fn nothing() -> Self {
        Self { contexts: [false; CONTEXTS.len()], until: Instant::now(), pause: HOLD.0 }
    }

    fn is_any(&self) -> bool {
        self.contexts.contains(&true)
    }

    fn hold(&mut self, at: usize) {
        if !self.is_any() {
            self.until = Instant::now() + self.pause;
            self.pause = (self.pause * 2).min(HOLD.1);
        }
        self.contexts[at] = true;
    }
}

#[expect(clippy::large_enum_variant, reason = "lives for a moment, one at a time")]
enum Incoming {
    Replayed(Option<TailItem>),
    News(Result<News, RecvError>),
}

impl Connection {
    async fn new(opening: Opening) -> Self {
        let Opening { call, token, resume, seat } = opening;
        let gateway = call.gateway.clone();
        let hub = gateway.live.clone();
        let ready = tokio::time::timeout(gateway.settings.call_timeout, hub.ready()).await.is_ok();
        let (receiver, joint) = hub.subscribe();
        let left = (call.verified.expires_at - gateway.clock.now()).to_std().unwrap_or_default();
        let mut check = interval(CHECK);
        check.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut connection = Self {
            drawer: Follower::new(&call),
            receiver,
            joint,
            position: joint,
            token,
            eyes: Eyes::default(),
            replay: None,
            held: Held::nothing(),
            waiting: VecDeque::new(),
            heartbeat_at: Instant::now() + gateway.settings.live.heartbeat,
            expires_at: Instant::now() + left,
            check,
            ended: false,
            _seat: seat,
            call,
        };
        if !ready {
            connection.end("FEED_UNAVAILABLE");
            return connection;
        }
        let mut reset = false;
        if let Some(resume) = resume {
            connection.position = resume;
            for (at, context) in CONTEXTS.iter().enumerate() {
                if resume.0[at] <= joint.0[at] {
                    continue;
                }
                // Ahead of this process' feed: another one was faster, unless the stream was built anew.
                let last = hub.bus.last_sequence(context).await.unwrap_or(u64::MAX);
                if last < resume.0[at] {
                    connection.position.0[at] = joint.0[at];
                    reset = true;
                }
            }
            connection.catch_up();
        }
        connection.write(&format!("retry: {}\n", RETRY.as_millis()), "ready", &json!({}));
        if reset {
            connection.write("", "reset", &json!({}));
        }
        connection
    }

    /// Reads what is between the reader's position and the feed's.
    fn catch_up(&mut self) {
        let behind: Vec<TailFrom> = CONTEXTS
            .iter()
            .enumerate()
            .filter(|(at, _)| self.position.0[*at] < self.joint.0[*at])
            .map(|(at, context)| TailFrom::new(*context, Start::Sequence(self.position.0[at] + 1)))
            .collect();
        self.replay = (!behind.is_empty()).then(|| self.call.gateway.live.bus.tail(behind));
    }

    /// Tries again what was held.
    fn release(&mut self) {
        self.held.contexts = Held::nothing().contexts;
        (self.receiver, self.joint) = self.call.gateway.live.subscribe();
        self.catch_up();
    }

    /// The next piece of the answer; `None`: the end.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(bytes) = self.waiting.pop_front() {
                return Some(bytes);
            }
            if self.ended {
                return None;
            }
            let stopping = self.call.gateway.stopping.clone();
            let incoming = async {
                match &mut self.replay {
                    Some(replay) => Incoming::Replayed(replay.next().await),
                    None => Incoming::News(self.receiver.recv().await),
                }
            };
            tokio::select! {
                biased;
                () = stopping.cancelled() => self.end("STOPPING"),
                () = tokio::time::sleep_until(self.expires_at) => self.end("TOKEN_EXPIRED"),
                _ = self.check.tick() => self.check_token().await,
                news = self.drawer.next() => self.tell(news),
                () = tokio::time::sleep_until(self.held.until), if self.held.is_any() => self.release(),
                incoming = incoming => self.take(incoming).await,
                () = tokio::time::sleep_until(self.heartbeat_at) => self.beat(),
            }
        }
    }

    async fn check_token(&mut self) {
        match self.call.gateway.verifier.verify(&self.token).await {
            // Keys that cannot be fetched now take nobody's session away.
            Ok(_) | Err(AuthError::KeysUnavailable) => {}
            Err(error) => self.end(error.reason()),
        }
    }

    async fn take(&mut self, incoming: Incoming) {
        match incoming {
            Incoming::Replayed(Some(TailItem::Event { context, sequence, event })) => {
                let Some(at) = index(&context) else { return };
                if sequence > self.joint.0[at] || sequence <= self.position.0[at] || self.held.contexts[at] {
                    return;
                }
                // Only age takes events out of a stream, from its beginning: a hole here is what was lost to it.
                if sequence > self.position.0[at] + 1 {
                    self.position.0[at] = sequence - 1;
                    self.write("", "reset", &json!({}));
                }
                self.send(&Item::new(at, sequence, &event)).await;
            }
            Incoming::Replayed(Some(TailItem::Rebuilt { .. })) => self.rebuilt(None),
            Incoming::Replayed(Some(TailItem::CaughtUp) | None) => {
                self.replay = None;
                if !self.held.is_any() {
                    self.held.pause = HOLD.0;
                }
                for at in 0..CONTEXTS.len() {
                    if self.position.0[at] < self.joint.0[at] && !self.held.contexts[at] {
                        // All of it aged out.
                        self.position.0[at] = self.joint.0[at];
                        self.write("", "reset", &json!({}));
                    }
                }
            }
            Incoming::News(Ok(News::Event(item))) => {
                if item.sequence > self.position.0[item.context] && !self.held.contexts[item.context] {
                    self.send(&item).await;
                }
            }
            Incoming::News(Ok(News::Rebuilt(at))) => self.rebuilt(Some(at)),
            Incoming::News(Err(RecvError::Lagged(_))) => {
                metrics::counter!("callboard_gateway_live_cut_off_total").increment(1);
                self.end("TOO_SLOW");
            }
            Incoming::News(Err(RecvError::Closed)) => self.end("STOPPING"),
        }
    }

    /// Positions in a stream that was built anew mean nothing any more.
    fn rebuilt(&mut self, at: Option<usize>) {
        match at {
            Some(at) => {
                self.position.0[at] = 0;
                self.held.contexts[at] = false;
            }
            None => {
                self.replay = None;
                self.position = self.joint;
                self.held = Held::nothing();
            }
        }
        self.write("", "reset", &json!({}));
    }

    async fn send(&mut self, item: &Item) {
        let before = self.position;
        self.position.0[item.context] = item.sequence;
        if item.organisation != self.call.principal().organisation {
            return;
        }
        let Some(projected) = &item.projected else { return };
        // What cannot be decided soon holds nobody else up.
        let budget = self.call.gateway.settings.view_budget;
        let seen = tokio::time::timeout(budget, self.eyes.see(&self.call, projected)).await;
        match seen.unwrap_or(Err(Undecided)) {
            Ok(Some(event)) => {
                let data = serde_json::to_string(event).unwrap_or_default();
                self.push(format!("id: {}\ndata: {data}\n\n", self.position));
            }
            Ok(None) => {}
            Err(Undecided) => {
                self.position = before;
                self.held.hold(item.context);
            }
        }
    }

    /// Of the caller's own drawer. It has no place in the streams, and the heartbeat, which carries the place, goes on
    /// beside it.
    fn tell(&mut self, news: DrawerNews) {
        let DrawerNews { entries, count } = news;
        for entry in entries {
            if !is_hidden(&self.call, &entry) {
                self.waiting.push_back(written(0, "notification", &Notification::out(entry)));
            }
        }
        if let Some(count) = count {
            self.waiting.push_back(written(0, "unread", &UnreadNotifications::out(count)));
        }
    }

    /// A comment that keeps the connection, and the position, so that a reader to whom nothing happened resumes from
    /// here. An event without data sets the id and is not shown to the page.
    fn beat(&mut self) {
        self.push(format!(": still here\nid: {}\n\n", self.position));
    }

    fn end(&mut self, reason: &str) {
        self.write("", "end", &json!({ "reason": reason }));
        self.ended = true;
    }

    fn write(&mut self, before: &str, event: &str, data: &serde_json::Value) {
        self.push(format!("{before}id: {}\nevent: {event}\ndata: {data}\n\n", self.position));
    }

    fn push(&mut self, text: String) {
        self.heartbeat_at = Instant::now() + self.call.gateway.settings.live.heartbeat;
        self.waiting.push_back(text.into());
    }
}
