//! One WebSocket and one stream of the video service, tied together for as long as both last.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::ws::{CloseFrame, Message, WebSocket};
use callboard_proto::video::v1 as proto;
use callboard_proto::video::v1::video_service_client::VideoServiceClient;
use futures::stream::poll_fn;
use http::StatusCode;
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};
use tonic::{Status, Streaming};

use super::MAX_MESSAGE;
use super::words::{CallEnded, CallEnding, CallHello, HeardInCall, SaidInCall};
use crate::call::Guest;
use crate::model::mirror::Mirror;
use crate::problem::Problem;

/// How long a browser may take to hear something: as long as the service waits for us.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long is waited for a browser's own goodbye.
const GOODBYE: Duration = Duration::from_secs(2);
/// What was said and is not passed on yet; beyond it nothing is read.
const WAITING: usize = 16;
/// The largest message of the service.
const MAX_TOLD: usize = 1024 * 1024;

/// Codes of RFC 6455, section 7.4.1; further ones are [`OWN`] and an HTTP status.
const NORMAL: u16 = 1000;
const GOING_AWAY: u16 = 1001;
const PROTOCOL: u16 = 1002;
const UNSUPPORTED: u16 = 1003;
const TOO_LARGE: u16 = 1009;
const OWN: u16 = 4000;

/// Why it is over.
#[derive(Debug)]
enum Over {
    /// The browser is not there any more.
    Gone,
    /// It is told a code and a reason.
    Told(u16, String),
}

impl Over {
    fn told(code: u16, reason: &str) -> Self {
        Self::Told(code, reason.to_owned())
    }

    fn wrong() -> Self {
        Self::of(&Problem::field("signal", "is none"))
    }

    /// As REST would answer.
    fn of(problem: &Problem) -> Self {
        Self::told(OWN + problem.status.as_u16(), &problem.reason)
    }

    fn status(status: &Status) -> Self {
        Self::of(&Problem::of(status, false))
    }

    /// The service's last word.
    fn ended(ending: Option<CallEnding>) -> Self {
        match ending {
            Some(CallEnding::CallEnded) => Self::told(NORMAL, "CALL_ENDED"),
            Some(CallEnding::Replaced) => Self::told(OWN + StatusCode::CONFLICT.as_u16(), "REPLACED"),
            Some(CallEnding::GoingAway) | None => Self::told(GOING_AWAY, "GOING_AWAY"),
        }
    }
}

/// A browser's exchange.
#[derive(Debug)]
pub struct Exchange {
    guest: Guest,
    session: String,
    socket: WebSocket,
    /// When the browser was heard last.
    heard: Instant,
}

impl Exchange {
    /// Of this session, over this socket.
    pub fn new(guest: Guest, session: String, socket: WebSocket) -> Self {
        Self { guest, session, socket, heard: Instant::now() }
    }

    /// Runs until either side or this process ends it, and says goodbye.
    pub async fn run(mut self) {
        let Err(over) = self.talk().await;
        tracing::debug!(?over, "a call's socket is closed");
        let socket = &mut self.socket;
        let goodbye = async move {
            if let Over::Told(code, reason) = over {
                let frame = CloseFrame { code, reason: reason.into() };
                socket.send(Message::Close(Some(frame))).await.ok()?;
            }
            // Until both have said it.
            while let Some(Ok(_)) = socket.recv().await {}
            Some(())
        };
        // Who does not answer is left.
        let _ = timeout(GOODBYE, goodbye).await;
    }

    /// Never ends without a reason.
    async fn talk(&mut self) -> Result<Infallible, Over> {
        let stopping = self.guest.gateway.stopping.clone();
        let opened = tokio::select! {
            biased;
            () = stopping.cancelled() => None,
            opened = self.open() => Some(opened?),
        };
        let Some((said, told)) = opened else { return self.go_away().await };
        self.carry(&said, told).await
    }

    async fn go_away(&mut self) -> Result<Infallible, Over> {
        self.tell(&HeardInCall::ended(CallEnding::GoingAway)).await?;
        Err(Over::ended(Some(CallEnding::GoingAway)))
    }

    /// Hears who speaks, and begins.
    async fn open(
        &mut self,
    ) -> Result<(mpsc::Sender<proto::SignalRequest>, Streaming<proto::SignalResponse>), Over> {
        let wait = self.guest.gateway.settings.calls.hello_timeout;
        let first = timeout(wait, self.first()).await;
        let late = || Over::told(OWN + StatusCode::REQUEST_TIMEOUT.as_u16(), "HELLO_MISSING");
        let hello: CallHello = first.map_err(|_| late())??;
        if hello.session_id != self.session {
            return Err(Over::wrong());
        }
        let (said, mut waiting) = mpsc::channel(WAITING);
        let hello = proto::SignalRequest { signal: Some(proto::signal_request::Signal::Hello(hello.back())) };
        said.try_send(hello).map_err(|_| Over::Gone)?;
        let gateway = &self.guest.gateway;
        let missing = || Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL", "internal error");
        let channel = gateway.upstreams.channel("video").ok_or_else(|| Over::of(&missing()))?;
        let stream = poll_fn(move |context| waiting.poll_recv(context));
        let request = self.guest.request_within(stream, gateway.settings.call_timeout);
        let opened =
            VideoServiceClient::new(channel).max_decoding_message_size(MAX_TOLD).signal(request).await;
        Ok((said, opened.map_err(|status| Over::status(&status))?.into_inner()))
    }

    async fn first(&mut self) -> Result<CallHello, Over> {
        loop {
            let next = self.socket.recv().await;
            if let Some(hello) = self.understand(next)? {
                return Ok(hello);
            }
        }
    }

    /// Passes on what is said and told.
    async fn carry(
        &mut self,
        said: &mpsc::Sender<proto::SignalRequest>,
        mut told: Streaming<proto::SignalResponse>,
    ) -> Result<Infallible, Over> {
        let stopping = self.guest.gateway.stopping.clone();
        let pause = self.guest.gateway.settings.calls.ping_interval;
        let mut pings = interval_at(Instant::now() + pause, pause);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.heard = Instant::now();
        loop {
            // Nothing is read that could not be passed on.
            let socket = &mut self.socket;
            let next_said = async {
                match said.reserve().await {
                    Ok(room) => (room, socket.recv().await),
                    // The service hears nothing more; why, comes from the other side.
                    Err(_) => std::future::pending().await,
                }
            };
            tokio::select! {
                () = stopping.cancelled() => return self.go_away().await,
                (room, next) = next_said => {
                    if let Some(said) = self.understand::<SaidInCall>(next)? {
                        room.send(said.back());
                    }
                }
                next = told.message() => match next {
                    Ok(Some(next)) => self.pass_on(next).await?,
                    // It always says why it ends, unless its process is gone.
                    Ok(None) => return Err(Over::status(&Status::unavailable("it ended"))),
                    Err(status) => return Err(Over::status(&status)),
                },
                _ = pings.tick() => {
                    if self.heard.elapsed() >= pause * 2 {
                        return Err(Over::told(OWN + StatusCode::REQUEST_TIMEOUT.as_u16(), "NOT_HEARD"));
                    }
                    self.send(Message::Ping(Bytes::new())).await?;
                }
            }
        }
    }

    async fn pass_on(&mut self, told: proto::SignalResponse) -> Result<(), Over> {
        let Some(heard) = HeardInCall::out(told) else { return Ok(()) };
        self.tell(&heard).await?;
        match heard {
            HeardInCall::Ended(CallEnded { ending }) => Err(Over::ended(ending)),
            _ => Ok(()),
        }
    }

    /// What came, if it was something to be understood.
    fn understand<T: DeserializeOwned>(
        &mut self,
        next: Option<Result<Message, axum::Error>>,
    ) -> Result<Option<T>, Over> {
        let Some(next) = next else { return Err(Over::Gone) };
        self.heard = Instant::now();
        match next {
            Ok(Message::Text(text)) if text.len() > MAX_MESSAGE => {
                Err(Over::told(TOO_LARGE, "MESSAGE_TOO_LARGE"))
            }
            Ok(Message::Text(text)) => {
                serde_json::from_str(text.as_str()).map(Some).map_err(|_| Over::wrong())
            }
            Ok(Message::Binary(_)) => Err(Over::told(UNSUPPORTED, "INVALID_FIELDS")),
            Ok(Message::Ping(_) | Message::Pong(_)) => Ok(None),
            Ok(Message::Close(_)) => Err(Over::Gone),
            // The connection is broken, or no WebSocket any more: whoever is still there is told.
            Err(_) => Err(Over::told(PROTOCOL, "PROTOCOL_BROKEN")),
        }
    }

    async fn tell(&mut self, heard: &HeardInCall) -> Result<(), Over> {
        let text = serde_json::to_string(heard).unwrap_or_default();
        self.send(Message::Text(text.into())).await
    }

    async fn send(&mut self, message: Message) -> Result<(), Over> {
        match timeout(PATIENCE, self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Over::Gone),
        }
    }
}
