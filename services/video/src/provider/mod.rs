//! What carries the audio and video of calls (V-10): the port, and who stands behind it.
//!
//! A call keeps the provider that it began with. What people do with a session, who may be in its call, when it begins and
//! ends is decided in the same way whatever carries it: a provider only gets people in and says who is there.

mod built_in;
pub mod livekit;

use std::fmt::Debug;
use std::sync::Arc;

use callboard_auth::Standing;
use callboard_bus::HandleError;
use callboard_kernel::{ErrorKind, Refusal, Timestamp};
use callboard_proto::video::v1 as proto;
use callboard_video_domain::session::{self, SessionContent};
use callboard_video_domain::{ConnectionId, Side, StreamId};
use futures::future::BoxFuture;

use crate::convert;
use crate::store::Room;

pub use built_in::BuiltIn;
pub use livekit::LiveKit;

/// Somebody who has a place in a call.
#[derive(Debug, Clone)]
pub struct Place {
    /// In which.
    pub room: Room,
    /// What the person's access token hangs on: the place ends with it (D-3).
    pub standing: Standing,
    /// By which joining.
    pub connection: ConnectionId,
    /// On which side.
    pub side: Side,
    /// Since when.
    pub now: Timestamp,
}

/// What carries a call.
pub trait Provider: Debug + Send + Sync {
    /// Before anybody takes a place: sees to it that the call can take place. Nothing has happened yet, so a refusal (that
    /// the provider does not answer) costs nothing.
    fn ready(&self, room: Room) -> BoxFuture<'_, Result<(), Refusal>>;

    /// What the browser or app of somebody with a place needs besides what all need.
    fn credentials<'a>(&'a self, place: &'a Place) -> BoxFuture<'a, Result<proto::CallCredentials, Refusal>>;

    /// The streams that stand in a session's call. Whoever is not among them is gone (V-4), so where it cannot be known
    /// the answer is "not now" and never that nobody is there.
    fn alive<'a>(
        &'a self,
        room: Room,
        session: &'a SessionContent,
    ) -> BoxFuture<'a, Result<Vec<StreamId>, HandleError>>;
}

/// All providers there are.
#[derive(Debug, Clone)]
pub struct Providers {
    /// That of calls that begin.
    pub first: session::Provider,
    built_in: Arc<BuiltIn>,
    livekit: Option<Arc<LiveKit>>,
}

impl Providers {
    /// The built-in one is always there, for calls that began with it.
    pub fn new(first: session::Provider, built_in: BuiltIn, livekit: Option<LiveKit>) -> Self {
        Self { first, built_in: Arc::new(built_in), livekit: livekit.map(Arc::new) }
    }

    /// LiveKit, where there is a server.
    pub const fn livekit(&self) -> Option<&Arc<LiveKit>> {
        self.livekit.as_ref()
    }

    /// A provider; `None`: a call began with it, and the settings name it no more.
    pub fn get(&self, provider: session::Provider) -> Option<&dyn Provider> {
        match provider {
            session::Provider::BuiltIn => Some(&*self.built_in),
            session::Provider::Livekit => self.livekit.as_deref().map(|livekit| livekit as &dyn Provider),
        }
    }

    /// A provider that people are to be let in by.
    ///
    /// # Errors
    /// `PROVIDER_UNAVAILABLE` where the settings name it no more.
    pub fn to_join(&self, provider: session::Provider) -> Result<&dyn Provider, Refusal> {
        self.get(provider)
            .ok_or_else(|| unavailable("the call began with a provider that is not set up any more"))
    }
}

/// The provider's server does not answer.
pub fn unavailable(message: &str) -> Refusal {
    Refusal::new(ErrorKind::Unavailable, "PROVIDER_UNAVAILABLE", message)
}

/// Whether a client that speaks these can take part in a call that this one carries; none named: it speaks any.
///
/// # Errors
/// `OTHER_PROVIDER`; a word that is none.
pub fn speaks(asked: &[i32], provider: session::Provider) -> Result<(), Refusal> {
    let known = |word: &i32| proto::CallProvider::try_from(*word).ok().and_then(convert::from_provider);
    if asked.len() > 10 || asked.iter().any(|word| known(word).is_none()) {
        return Err(Refusal::field("providers", "known providers, each once"));
    }
    if asked.is_empty() || asked.iter().any(|word| known(word) == Some(provider)) {
        return Ok(());
    }
    Err(other(provider))
}

/// The call is carried by something else than what was tried.
pub fn other(provider: session::Provider) -> Refusal {
    let message = match provider {
        session::Provider::BuiltIn => "the call goes from browser to browser: use the page of calls",
        session::Provider::Livekit => "the call is carried by a LiveKit server: use a LiveKit client",
    };
    Refusal::new(ErrorKind::FailedPrecondition, "OTHER_PROVIDER", message)
}
