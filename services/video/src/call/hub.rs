//! All exchanges of this process.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use callboard_auth::{AuthError, Revocations};
use callboard_bus::{Bus, Start, TailFrom, TailItem};
use callboard_kernel::{Clock, ErrorKind, IdGenerator, OrganisationId, Refusal};
use callboard_proto::video::v1 as proto;
use callboard_service::database::refusal;
use callboard_service::{BoxError, BuildContext};
use callboard_video_domain::session::{Call, Provider};
use callboard_video_domain::{SessionId, Side, StreamId};
use futures::StreamExt;
use futures::stream::BoxStream;
use parking_lot::Mutex;
use proto::signal_request::Signal as Said;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::exchange::{Exchange, Heard};
use super::whisper::{TOPIC, Whisper};
use crate::Sessions;
use crate::api::Reads;
use crate::provider;
use crate::store::Streams;
use crate::token::{self, Signer, Speaker};

/// How long the first word may take.
const HELLO: Duration = Duration::from_secs(10);
/// How long a lost connection rests.
const PAUSE: Duration = Duration::from_millis(500);
/// Whispers that wait to be sent; beyond it they are lost.
const OUTGOING: usize = 4_096;
/// Signals that wait for one browser; beyond it the exchange ends.
const WAITING: usize = 256;

/// What is read from a browser; `None`: it went away in disorder.
pub type SaidStream = BoxStream<'static, Option<proto::SignalRequest>>;

/// Knows who is in which call in this process. Cheap to clone.
#[derive(Clone)]
pub struct Calls(Arc<Inner>);

pub(super) struct Inner {
    pub sessions: Sessions,
    pub reads: Reads,
    pub streams: Streams,
    pub signer: Arc<Signer>,
    pub revocations: Arc<Revocations>,
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<dyn IdGenerator>,
    pub stop: CancellationToken,
    bus: Bus,
    tracker: TaskTracker,
    rooms: Mutex<HashMap<SessionId, Vec<Seat>>>,
    outgoing: mpsc::Sender<Whisper>,
    waiting: Mutex<Option<mpsc::Receiver<Whisper>>>,
}

/// Where an exchange hears.
#[derive(Debug)]
struct Seat {
    stream: StreamId,
    organisation: OrganisationId,
    side: Side,
    hears: mpsc::Sender<Heard>,
}

impl Seat {
    /// What is missing spoils a negotiation: for whoever is too slow the exchange ends, and begins anew.
    fn hear(&mut self, heard: Heard) {
        if self.hears.try_send(heard).is_err() {
            self.hears = mpsc::channel(1).0;
        }
    }
}

impl std::fmt::Debug for Calls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Calls").field("rooms", &self.0.rooms.lock().len()).finish_non_exhaustive()
    }
}

impl Calls {
    /// Nobody is there yet.
    ///
    /// # Errors
    /// Without a bus.
    pub fn new(
        build: &BuildContext,
        sessions: Sessions,
        reads: Reads,
        streams: Streams,
        signer: Arc<Signer>,
    ) -> Result<Self, BoxError> {
        let (outgoing, waiting) = mpsc::channel(OUTGOING);
        Ok(Self(Arc::new(Inner {
            sessions,
            reads,
            streams,
            signer,
            revocations: Arc::clone(&build.revocations),
            clock: Arc::clone(&build.clock),
            ids: Arc::clone(&build.ids),
            stop: build.stop.requested.clone(),
            bus: build.bus()?,
            tracker: build.tracker.clone(),
            rooms: Mutex::default(),
            outgoing,
            waiting: Mutex::new(Some(waiting)),
        })))
    }

    /// Opens an exchange: the first word says who speaks. What comes back ends with the exchange.
    ///
    /// # Errors
    /// `CALL_TOKEN_INVALID`, `NO_CALL`; `OTHER_PROVIDER` where signals do not make the call; what is no hello;
    /// `REVOCATIONS_UNKNOWN` just after the start.
    pub async fn open(
        &self,
        mut said: SaidStream,
    ) -> Result<ReceiverStream<Result<proto::SignalResponse, Refusal>>, Refusal> {
        let inner = &self.0;
        let first = tokio::time::timeout(HELLO, said.next()).await.ok().flatten().flatten();
        let Some(Said::Hello(hello)) = first.and_then(|first| first.signal) else {
            return Err(Refusal::field("hello", "is the first thing to be said"));
        };
        let speaker = self.speaker(&hello.call_token)?;
        if hello.session_id.parse::<Uuid>().ok() != Some(speaker.session.uuid()) {
            return Err(token::refused());
        }
        let content = inner.reads.queries.content(speaker.organisation, speaker.session);
        let call = content.await.map_err(refusal)?.and_then(|content| content.call);
        let side = call.as_ref().and_then(|call: &Call| call.side_of(speaker.connection));
        if let Some(call) = call.as_ref().filter(|call| call.provider != Provider::BuiltIn) {
            return Err(provider::other(call.provider));
        }
        let Some(side) = side else {
            let message = "this connection is in no call (any more): join again";
            return Err(Refusal::new(ErrorKind::FailedPrecondition, "NO_CALL", message));
        };
        let stream: StreamId = inner.ids.next().into();
        let (hears, heard) = mpsc::channel(WAITING);
        let (tells, told) = mpsc::channel(WAITING);
        let seat = Seat { stream, organisation: speaker.organisation, side, hears };
        inner.rooms.lock().entry(speaker.session).or_default().push(seat);
        let session = speaker.session;
        let exchange = Exchange::new(Arc::clone(inner), speaker, side, stream, heard, tells);
        if let Err(refusal) = exchange.appear().await {
            inner.leave(session, stream);
            return Err(refusal);
        }
        inner.tracker.spawn(exchange.run(said));
        metrics::gauge!("callboard_video_exchanges").increment(1.0);
        Ok(ReceiverStream::new(told))
    }

    /// Who speaks by a call token.
    ///
    /// # Errors
    /// `CALL_TOKEN_INVALID`; `REVOCATIONS_UNKNOWN` just after the start.
    pub fn speaker(&self, token: &str) -> Result<Speaker, Refusal> {
        let inner = &self.0;
        if !inner.revocations.is_complete() {
            return Err(Refusal::from(&AuthError::RevocationsUnknown));
        }
        inner.signer.open(token, inner.clock.now(), &inner.revocations)
    }

    /// Something was committed in a session: whoever is in its call here looks again.
    fn wake(&self, session: SessionId) {
        if let Some(seats) = self.0.rooms.lock().get_mut(&session) {
            seats.iter_mut().for_each(|seat| seat.hear(Heard::Look));
        }
    }

    fn wake_all(&self) {
        let sessions: Vec<SessionId> = self.0.rooms.lock().keys().copied().collect();
        sessions.into_iter().for_each(|session| self.wake(session));
    }

    /// Reads this context's own stream along: what any process committed. `then` is told of everything.
    pub async fn follow(&self, context: &'static str, then: impl Fn() + Send) {
        let mut tail = self.0.bus.tail(vec![TailFrom::new(context, Start::New)]);
        while let Some(item) = tail.next().await {
            match item {
                TailItem::Event { event, .. } => self.wake(event.aggregate_id.into()),
                // What was told before is not told again.
                TailItem::CaughtUp | TailItem::Rebuilt { .. } => self.wake_all(),
            }
            then();
        }
    }

    /// Sends whispers, in order.
    pub async fn speak(&self) {
        let waiting = self.0.waiting.lock().take();
        let Some(mut waiting) = waiting else { return };
        while let Some(whisper) = waiting.recv().await {
            self.0.bus.whisper(TOPIC, whisper.to_bytes()).await;
        }
    }

    /// Hears whispers.
    pub async fn listen(&self) {
        loop {
            match self.0.bus.listen(TOPIC).await {
                Ok(mut heard) => {
                    while let Some(bytes) = heard.next().await {
                        if let Some(whisper) = Whisper::from_bytes(&bytes) {
                            self.0.hear(whisper);
                        }
                    }
                }
                Err(error) => tracing::warn!(%error, "signals are not heard"),
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

impl Inner {
    /// Whispers to all processes, this one included.
    pub fn tell(&self, whisper: Whisper) {
        if self.outgoing.try_send(whisper).is_err() {
            metrics::counter!("callboard_video_signals_lost_total").increment(1);
        }
    }

    fn hear(&self, whisper: Whisper) {
        let mut rooms = self.rooms.lock();
        let Some(seats) = rooms.get_mut(&whisper.session) else { return };
        for seat in seats {
            if seat.organisation == whisper.organisation && seat.side == whisper.to {
                seat.hear(Heard::Signal(Box::new(whisper.signal.clone())));
            }
        }
    }

    /// An exchange is over.
    pub fn leave(&self, session: SessionId, stream: StreamId) {
        let mut rooms = self.rooms.lock();
        if let Some(seats) = rooms.get_mut(&session) {
            seats.retain(|seat| seat.stream != stream);
            if seats.is_empty() {
                rooms.remove(&session);
            }
        }
    }
}
