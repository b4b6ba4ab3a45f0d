//! What people do with a session (V-2 to V-9).

use std::sync::Arc;

use callboard_kernel::{Refusal, TicketId, Version};
use callboard_proto::video::v1 as proto;
use callboard_service::Mutation;
use callboard_service::request::{self, parse_id};
use callboard_video_domain::session::{Act, SessionCommand, SessionState};
use callboard_video_domain::{ConnectionId, SessionId, Side};
use tonic::Request;

use super::VideoApi;
use super::fields::Fields;
use crate::convert::{self, Eyes};
use crate::events::outbound::join_url;
use crate::provider::livekit::unverified;
use crate::provider::{self, Place};
use crate::store::{Room, StoredSession};

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
        let principal = Arc::clone(&mutation.principal);
        let organisation = principal.organisation;
        let session = self
            .change(&mutation, id, async |found| {
                let content = &found.content;
                let running = content.call.as_ref();
                let provider = running.map_or(self.providers.first, |call| call.provider);
                provider::speaks(&message.providers, provider)?;
                // Only for who is let in: the rest is told why not.
                if content.moves(&principal, found.offered).join {
                    let number = running.map_or(content.calls + 1, |call| call.number);
                    let room = Room { organisation, session: id, number };
                    self.providers.to_join(provider)?.ready(room).await?;
                }
                Ok(Act::Join(connection, provider))
            })
            .await?;
        let now = self.reads.clock.now();
        let side = Side::of(&principal).ok_or_else(|| Refusal::denied("calls are for people"))?;
        let call = session.call.unwrap_or_default();
        // Answers of older releases do not say: there was only one.
        let provider = convert::from_provider(call.provider()).unwrap_or_default();
        let room = Room { organisation, session: id, number: call.number };
        let standing = request::standing(request)?;
        let call_token = self.signer.seal((&principal, &standing), id, connection, now)?;
        let place = Place { room, standing, connection, side, now };
        let credentials = proto::CallCredentials {
            connection_id: connection.to_string(),
            call_token,
            page_url: join_url(&self.config.call_page, id.uuid()),
            side: convert::side(side).into(),
            ..self.providers.to_join(provider)?.credentials(&place).await?
        };
        Ok(proto::JoinSessionResponse { session: Some(session), credentials: Some(credentials) })
    }

    /// From a provider's server, whose signature is its credential.
    pub(super) async fn webhook(
        &self,
        request: &Request<proto::ReceiveProviderWebhookRequest>,
    ) -> Result<proto::ReceiveProviderWebhookResponse, Refusal> {
        let message = request.get_ref();
        // Where there is no such server nobody can have signed it.
        let livekit = self.providers.livekit().filter(|_| message.provider() == proto::CallProvider::Livekit);
        let livekit = livekit.ok_or_else(unverified)?;
        livekit.heard(&message.authorization_token, &message.body).await?;
        Ok(proto::ReceiveProviderWebhookResponse {})
    }
}
