//! A LiveKit server carries the call (V-10): its own clients connect to it, and it is asked who is there.
//!
//! Nothing that it sends is believed but that it is worth asking: a webhook that is dropped, comes twice or late makes no
//! difference but in time. Each room of a call has a row that says when it is asked about next ([`crate::store::Rooms`]);
//! [`Keeper`] takes what is due.

mod keeper;
mod names;
mod server;
mod token;
mod webhook;

use std::sync::Arc;
use std::time::Duration;

use callboard_auth::Revocations;
use callboard_bus::HandleError;
use callboard_kernel::{Cause, Clock, ErrorKind, IdGenerator, Principal, Refusal};
use callboard_proto::video::v1 as proto;
use callboard_service::convert::to_proto_time;
use callboard_service::database::refusal;
use callboard_service::reaction::give;
use callboard_service::{BoxError, BuildContext};
use callboard_video_domain::StreamId;
use callboard_video_domain::session::{self, Call, Presence, SessionCommand, SessionContent, Timing};
use chrono::TimeDelta;
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::Notify;

use super::{Place, Provider, unavailable};
use crate::config::LiveKitConfig;
use crate::store::{Queries, Room, Rooms, Seat};
use crate::{Sessions, not_now};

pub use keeper::Keeper;
pub use server::Failure;
pub use token::unverified;

use server::Server;
use token::Keys;

/// A server, and what is known of its rooms.
pub struct LiveKit {
    config: LiveKitConfig,
    keys: Arc<Keys>,
    server: Server,
    rooms: Rooms,
    sessions: Sessions,
    queries: Queries,
    timing: Timing,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdGenerator>,
    revocations: Arc<Revocations>,
    /// A room is to be looked at now.
    wake: Notify,
}

impl std::fmt::Debug for LiveKit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LiveKit").field("server", &self.server).finish_non_exhaustive()
    }
}

/// What a look at a room found.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Seen {
    /// The call runs; these are there.
    Running(Vec<Presence>),
    /// The call is over, and its room closed.
    Over,
}

/// Why a look found nothing out.
#[derive(Debug, thiserror::Error)]
enum NotSeen {
    /// The server's fault.
    #[error(transparent)]
    Server(#[from] Failure),
    /// Ours.
    #[error("the database does not answer: {0}")]
    Database(#[from] sqlx::Error),
    /// Ours.
    #[error("who is there could not be kept: {0:?}")]
    Kept(HandleError),
}

impl LiveKit {
    /// The server of the settings.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(
        build: &BuildContext,
        config: LiveKitConfig,
        timing: Timing,
        (sessions, queries, rooms): (Sessions, Queries, Rooms),
    ) -> Result<Self, BoxError> {
        let keys = Arc::new(Keys::new(&config.api_key, &config.api_secret));
        let clock = Arc::clone(&build.clock);
        let server = Server::new(config.asked_at(), Arc::clone(&keys), config.timeout, Arc::clone(&clock))?;
        Ok(Self {
            config,
            keys,
            server,
            rooms,
            sessions,
            queries,
            timing,
            clock,
            ids: Arc::clone(&build.ids),
            revocations: Arc::clone(&build.revocations),
            wake: Notify::new(),
        })
    }

    /// For how long after a call a token may still let somebody into its room: the one that was given out, and the one
    /// that the server itself gives its clients for coming back, which is good for ten minutes.
    fn tokens_outlive(&self) -> Duration {
        self.config.token_lifetime + Duration::from_secs(11 * 60)
    }

    /// Asks who is in a room, and sees to it that the session knows; puts out whoever has no place (any more). The room of
    /// a call that is over is closed.
    async fn look(&self, room: Room) -> Result<Seen, NotSeen> {
        let name = names::room(room);
        let found = self.server.participants(&name).await?;
        // Read after asking: whoever came in until then had a place by then, and is known here.
        let content = self.queries.content(room.organisation, room.session).await?;
        let Some(call) = content.as_ref().and_then(|content| running(content, room)) else {
            self.server.close(&name).await?;
            return Ok(Seen::Over);
        };
        let seats = self.rooms.seats(room).await?;
        let mut present = Vec::new();
        for participant in found.iter().filter(|participant| participant.is_present()) {
            let Some(connection) = names::connection_of(&participant.identity) else { continue };
            let seat = seats.iter().find(|seat| seat.connection == connection);
            if call.side_of(connection).is_some() && !seat.is_some_and(|seat| self.is_ended(seat)) {
                let stream = names::stream(connection, &participant.sid);
                present.push(Presence { connection, stream });
            } else {
                self.server.remove(&name, &participant.identity).await?;
            }
        }
        if !call.agrees_with(&present) {
            let timing = self.timing;
            let command = SessionCommand::Found { call: room.number, present: present.clone(), timing };
            let (id, principal) = (self.ids.next().into(), Principal::system(room.organisation));
            let given =
                give(&self.sessions, room.session.uuid(), command, id, principal, Cause::default()).await;
            given.map_err(NotSeen::Kept)?;
        }
        Ok(Seen::Running(present))
    }

    /// Whether the session that let somebody in was ended (D-3).
    fn is_ended(&self, seat: &Seat) -> bool {
        seat.standing.is_ended(&self.revocations)
    }
}

/// The session's call, where it is this one.
fn running(content: &SessionContent, room: Room) -> Option<&Call> {
    let is_it = |call: &&Call| call.number == room.number && call.provider == session::Provider::Livekit;
    content.call.as_ref().filter(is_it)
}

/// What a person with no access to logs is told.
fn away(failure: &Failure) -> Refusal {
    tracing::warn!(%failure, "nobody can join");
    unavailable("the server that carries calls does not answer: try again")
}

impl Provider for LiveKit {
    fn ready(&self, room: Room) -> BoxFuture<'_, Result<(), Refusal>> {
        async move {
            let grace = self.timing.grace.to_std().unwrap_or_default();
            self.server.open(&names::room(room), grace).await.map_err(|failure| away(&failure))
        }
        .boxed()
    }

    fn credentials<'a>(&'a self, place: &'a Place) -> BoxFuture<'a, Result<proto::CallCredentials, Refusal>> {
        async move {
            let Place { room, ref standing, connection, side, now } = *place;
            // A repeat of a request may come when its call is over: nothing lets anybody into that room again.
            let content = self.queries.content(room.organisation, room.session).await.map_err(refusal)?;
            let call = content.as_ref().and_then(|content| running(content, room));
            if call.and_then(|call| call.side_of(connection)) != Some(side) {
                let message = "this connection is in no call (any more): join again";
                return Err(Refusal::new(ErrorKind::FailedPrecondition, "NO_CALL", message));
            }
            let seat = Seat { connection, standing: standing.clone() };
            self.rooms.seat(room, &seat).await.map_err(refusal)?;
            let until = now + TimeDelta::from_std(self.config.token_lifetime).unwrap_or_default();
            let livekit = proto::LiveKitCredentials {
                server_url: self.config.url.clone(),
                access_token: self.keys.access(connection, side, &names::room(room), now, until)?,
                expire_time: Some(to_proto_time(until)),
            };
            Ok(proto::CallCredentials {
                provider: proto::CallProvider::Livekit.into(),
                livekit: Some(livekit),
                ..proto::CallCredentials::default()
            })
        }
        .boxed()
    }

    /// Asks the server: also after hours without an answer nobody is thought to be gone for want of one.
    fn alive<'a>(
        &'a self,
        room: Room,
        session: &'a SessionContent,
    ) -> BoxFuture<'a, Result<Vec<StreamId>, HandleError>> {
        async move {
            if running(session, room).is_none() {
                return Ok(Vec::new());
            }
            match self.look(room).await {
                Ok(Seen::Running(present)) => Ok(present.into_iter().map(|found| found.stream).collect()),
                Ok(Seen::Over) => Ok(Vec::new()),
                Err(NotSeen::Database(error)) => Err(not_now(error)),
                Err(NotSeen::Kept(error)) => Err(error),
                Err(NotSeen::Server(failure)) => Err(HandleError::Retry(failure.to_string())),
            }
        }
        .boxed()
    }
}
