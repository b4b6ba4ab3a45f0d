//! From browser to browser, with our own signalling ([`crate::call`]): who is there is whose exchange of signals stands.

use callboard_bus::HandleError;
use callboard_kernel::Refusal;
use callboard_proto::video::v1 as proto;
use callboard_video_domain::session::SessionContent;
use callboard_video_domain::{Side, StreamId};
use futures::FutureExt;
use futures::future::BoxFuture;

use super::{Place, Provider};
use crate::config::IceConfig;
use crate::store::{Room, Streams};
use crate::{ice, not_now};

/// The built-in provider.
#[derive(Debug)]
pub struct BuiltIn {
    ice: IceConfig,
    streams: Streams,
}

impl BuiltIn {
    /// With these STUN and TURN servers, and the exchanges that stand.
    pub const fn new(ice: IceConfig, streams: Streams) -> Self {
        Self { ice, streams }
    }
}

impl Provider for BuiltIn {
    /// It is this process, and it answers.
    fn ready(&self, _: Room) -> BoxFuture<'_, Result<(), Refusal>> {
        async { Ok(()) }.boxed()
    }

    fn credentials<'a>(&'a self, place: &'a Place) -> BoxFuture<'a, Result<proto::CallCredentials, Refusal>> {
        let credentials = proto::CallCredentials {
            provider: proto::CallProvider::BuiltIn.into(),
            ice_servers: ice::servers(&self.ice, &place.connection.to_string(), place.now),
            // One of the two must give way; which one does not matter.
            polite: place.side == Side::Guest,
            ..proto::CallCredentials::default()
        };
        async { Ok(credentials) }.boxed()
    }

    fn alive<'a>(
        &'a self,
        room: Room,
        _: &'a SessionContent,
    ) -> BoxFuture<'a, Result<Vec<StreamId>, HandleError>> {
        async move { self.streams.alive(room.session).await.map_err(not_now) }.boxed()
    }
}
