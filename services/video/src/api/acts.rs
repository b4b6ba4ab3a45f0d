//! What people do with a session (V-2 to V-9).

use std::sync::Arc;

use callboard_kernel::{Refusal, TicketId, Version};
use callboard_proto::video::v1 as proto;
use callboard_service::Mutation;
use callboard_service::request::parse_id;
use callboard_video_domain::session::{Act, SessionCommand, SessionState};
use callboard_video_domain::{ConnectionId, SessionId, Side};
use tonic::Request;

use super::VideoApi;
use super::fields::Fields;
use crate::convert::{self, Eyes};
use crate::events::outbound::join_url;
use crate::ice;
use crate::store::StoredSession;

impl VideoApi {
    /// One of the verbs without arguments.
    pub(super) async fn verb<T: prost::Message>(
        &self,
        request: &Request<T>,
        rpc: &str,
        (request_id, session_id, etag): (&str, &str, &str),
        act: Act,
    ) -> Result<proto::Session, Refusal> {
        let mutation = Mutation::new(request, rpc, request_id)?;
        let id: SessionId = parse_id("session_id", session_id)?;
        self.change(&mutation.expecting("etag", etag)?, id, async |_| Ok(act)).await
    }

    /// Something done to a session the caller may see.
    pub(super) async fn change(
        &self,
        mutation: &Mutation,
        id: SessionId,
        act: impl AsyncFnOnce(&StoredSession) -> Result<Act, Refusal>,
    ) -> Result<proto::Session, Refusal> {
        let mutation = mutation.clone().about("session", id);
        let principal = &mutation.principal;
        // Before the answer is made: what these eyes see is read with the session.
        let found = self.reads.session(principal, id).await;
        let eyes = Eyes {
            principal: Arc::clone(principal),
            offered: found.as_ref().is_ok_and(|found| found.offered),
            seen: found.as_ref().map(|found| found.seen.clone()).unwrap_or_default(),
        };
        let prepared = async {
            let found = found?;
            let around = self.reads.around(principal, &found).await?;
            let act = act(&found).await?;
            Ok((id.uuid(), SessionCommand::Act { act, around }))
        };
        let answer =
            move |state: &SessionState, _: &[_], version: Version| eyes.on(id.uuid(), state, version);
        self.with_files(mutation.carry_out(&self.sessions, prepared, answer).await?).await
    }

    pub(super) async fn set_visibility(
        &self,
        request: &Request<proto::SetSessionVisibilityRequest>,
    ) -> Result<proto::Session, Refusal> {
        let message = request.get_ref();
        let to = proto::Visibility::try_from(message.visibility).ok().and_then(convert::from_visibility);
        let to = to.ok_or_else(|| Refusal::field("visibility", "INTERNAL or PUBLIC"))?;
        let at = (message.request_id.as_str(), message.session_id.as_str(), message.etag.as_str());
        self.verb(request, "SetSessionVisibility", at, Act::SetVisibility(to)).await
    }

    pub(super) async fn link(
        &self,
        request: &Request<proto::LinkTicketRequest>,
    ) -> Result<proto::Session, Refusal> {
        let message = request.get_ref();
        let mutation = Mutation::new(request, "LinkTicket", &message.request_id)?;
        let mut fields = Fields::default();
        let id: SessionId = fields.id("session_id", &message.session_id);
        let ticket: TicketId = fields.id("ticket_id", &message.ticket_id);
        fields.finish()?;
        let principal = Arc::clone(&mutation.principal);
        self.change(&mutation, id, async |found| {
            // Who may not link at all is told so, and not what tickets there are.
            if !principal.is_outsider() {
                let device = self.reads.device(&principal, found.content.device).await?;
                self.linkable(&principal, "ticket_id", ticket, &device).await?;
            }
            Ok(Act::Link(ticket))
        })
        .await
    }

    pub(super) async fn unlink(
        &self,
        request: &Request<proto::UnlinkTicketRequest>,
    ) -> Result<proto::Session, Refusal> {
        let message = request.get_ref();
        let ticket: TicketId = parse_id("ticket_id", &message.ticket_id)?;
        let at = (message.request_id.as_str(), message.session_id.as_str(), "");
        self.verb(request, "UnlinkTicket", at, Act::Unlink(ticket)).await
    }

    pub(super) async fn consent(
        &self,
        request: &Request<proto::SetConsentRequest>,
    ) -> Result<proto::Session, Refusal> {
        let message = request.get_ref();
        let at = (message.request_id.as_str(), message.session_id.as_str(), "");
        self.verb(request, "SetConsent", at, Act::Consent(message.given)).await
    }

    pub(super) async fn record(
        &self,
        request: &Request<proto::SetRecordingRequest>,
    ) -> Result<proto::Session, Refusal> {
        let message = request.get_ref();
        let at = (message.request_id.as_str(), message.session_id.as_str(), "");
        self.verb(request, "SetRecording", at, Act::Record(message.running)).await
    }

    pub(super) async fn end(
        &self,
        request: &Request<proto::EndCallRequest>,
    ) -> Result<proto::Session, Refusal> {
        let message = request.get_ref();
        let at = (message.request_id.as_str(), message.session_id.as_str(), "");
        self.verb(request, "EndCall", at, Act::End).await
    }

    /// The session is kept as the answer; credentials are made anew each time, and kept nowhere.
    pub(super) async fn join(
        &self,
        request: &Request<proto::JoinSessionRequest>,
    ) -> Result<proto::JoinSessionResponse, Refusal> {
        let message = request.get_ref();
        let mutation = Mutation::new(request, "JoinSession", &message.request_id)?;
        let id: SessionId = parse_id("session_id", &message.session_id)?;
        let connection: ConnectionId = mutation.command_id.uuid().into();
        let session = self.change(&mutation, id, async |_| Ok(Act::Join(connection))).await?;
        let principal = &mutation.principal;
        let now = self.reads.clock.now();
        let side = Side::of(principal).ok_or_else(|| Refusal::denied("calls are for people"))?;
        let credentials = proto::CallCredentials {
            provider: proto::CallProvider::BuiltIn.into(),
            connection_id: connection.to_string(),
            call_token: self.signer.seal(principal, id, connection, now)?,
            ice_servers: ice::servers(&self.config.ice, &connection.to_string(), now),
            // One of the two must give way; which one does not matter.
            polite: side == Side::Guest,
            page_url: join_url(&self.config.call_page, id.uuid()),
            side: convert::side(side).into(),
        };
        Ok(proto::JoinSessionResponse { session: Some(session), credentials: Some(credentials) })
    }
}
