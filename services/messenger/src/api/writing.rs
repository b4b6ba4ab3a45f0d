//! Saying something, changing it, taking it back, having read it.

use std::sync::Arc;

use callboard_kernel::{ErrorKind, Refusal, Version};
use callboard_messenger_domain::conversation::{
    ConversationCommand, ConversationEvent, ConversationState, MAX_ATTACHMENTS, client_key,
};
use callboard_proto::messenger::v1 as proto;
use callboard_service::Mutation;
use callboard_service::database::refusal;
use callboard_service::request::parse_id;
use tonic::Request;
use uuid::Uuid;

use super::MessengerApi;
use super::files::of_message;
use crate::convert::{self, Eyes};
use crate::live::SignalKind;
use crate::store::StoredMessage;

/// How often an edit that met another one is decided anew.
const TRIES: usize = 3;

/// The revision an entity tag of a message stands for; an empty tag: any.
fn revision(etag: &str) -> Result<Option<i32>, Refusal> {
    if etag.is_empty() {
        return Ok(None);
    }
    let version = Version::from_etag(etag).and_then(|version| i32::try_from(version.0).ok());
    version.map(Some).ok_or_else(|| Refusal::field("etag", "is no entity tag of ours"))
}

fn sequence(number: i64) -> Result<i64, Refusal> {
    if number < 1 {
        return Err(Refusal::field("sequence", "must be at least 1"));
    }
    Ok(number)
}

/// The answer to a caller, from what happened. None happened: nothing, and the table is asked.
fn said(
    api: &MessengerApi,
    mutation: &Mutation,
    id: Uuid,
) -> impl Fn(&ConversationState, &[ConversationEvent], Version) -> proto::SendMessageResponse + Send + Sync + 'static
{
    let (principal, window, clock) = (Arc::clone(&mutation.principal), api.window, Arc::clone(&api.clock));
    move |state, events, version| {
        let message = events.iter().find_map(|event| match event {
            ConversationEvent::Sent { message, .. }
            | ConversationEvent::Edited { after: message, .. }
            | ConversationEvent::Withdrawn { after: message, .. } => Some(message),
            ConversationEvent::Opened { .. }
            | ConversationEvent::Observed { .. }
            | ConversationEvent::Involved { .. }
            | ConversationEvent::Deleted
            | ConversationEvent::Read { .. } => None,
        });
        let message = message.map(|message| {
            let may_write = state.may_write(&principal);
            let eyes = Eyes { principal: &principal, may_write, window, now: clock.now() };
            // Its files are added once they are linked.
            eyes.on(convert::message(id, message, &[], version.0), message)
        });
        proto::SendMessageResponse { message }
    }
}

impl MessengerApi {
    /// Adds to a message what is known of its files.
    async fn show_files(&self, message: &mut Option<proto::Message>) -> Result<(), Refusal> {
        if let Some(message) = message {
            let ids: Vec<Uuid> = message.attachment_ids.iter().filter_map(|id| id.parse().ok()).collect();
            message.attachments = self.queries.files(&ids).await.map_err(refusal)?;
        }
        Ok(())
    }

    /// A message as this caller sees it now.
    pub(super) fn shown(
        &self,
        mutation: &Mutation,
        id: Uuid,
        state: &ConversationState,
        stored: &StoredMessage,
    ) -> proto::Message {
        let may_write = state.may_write(&mutation.principal);
        let eyes =
            Eyes { principal: &mutation.principal, may_write, window: self.window, now: self.clock.now() };
        eyes.on(convert::message(id, &stored.message, &stored.files, stored.position), &stored.message)
    }

    pub(super) async fn send(
        &self,
        request: &Request<proto::SendMessageRequest>,
    ) -> Result<proto::SendMessageResponse, Refusal> {
        let message = request.get_ref();
        let mutation = Mutation::new(request, "SendMessage", &message.request_id)?;
        let id: Uuid = parse_id("conversation_id", &message.conversation_id)?;
        let mutation = mutation.about("conversation", id);
        let client_id = if message.client_id.is_empty() { &message.request_id } else { &message.client_id };
        let key = client_key(mutation.principal.actor(), client_id);
        let organisation = mutation.principal.organisation;
        let (seen, sight) = match self.visible(&mutation.principal, id).await {
            Ok(visible) => visible,
            Err(refusal) => return mutation.repeated(&self.conversations, refusal).await,
        };
        // M-4, however long ago: what was sent since is remembered by the conversation itself.
        let earlier = self.queries.by_client_key(organisation, id, key).await.map_err(refusal)?;
        if let Some(earlier) = earlier {
            let message = Some(self.shown(&mutation, id, &seen.state, &earlier));
            return Ok(proto::SendMessageResponse { message });
        }
        // More than that is refused by the conversation, which names the rule.
        let named = &message.attachment_ids[..message.attachment_ids.len().min(MAX_ATTACHMENTS)];
        let owner = of_message(id);
        let files = self.attachments.check(&mutation.principal, &owner, "attachment_ids", named);
        if let Err(refusal) = files.await {
            return mutation.repeated(&self.conversations, refusal).await;
        }
        let command = ConversationCommand::Send {
            sight,
            client_id: client_id.clone(),
            text: message.text.clone(),
            attachments: message.attachment_ids.iter().filter_map(|id| id.parse().ok()).collect(),
        };
        let mut answered: proto::SendMessageResponse =
            mutation.ask(&self.conversations, id, command, said(self, &mutation, id)).await?;
        self.show_files(&mut answered.message).await?;
        self.hub.wake(id);
        if answered.message.is_some() {
            return Ok(answered);
        }
        // Sent a moment ago under the same client id, by a call that ran beside this one.
        let earlier = self.queries.by_client_key(organisation, id, key).await.map_err(refusal)?;
        let earlier = earlier.ok_or_else(|| Refusal::missing("message", client_id))?;
        let message = Some(self.shown(&mutation, id, &seen.state, &earlier));
        Ok(proto::SendMessageResponse { message })
    }

    pub(super) async fn edit(
        &self,
        request: &Request<proto::EditMessageRequest>,
    ) -> Result<proto::EditMessageResponse, Refusal> {
        let message = request.get_ref();
        let mutation = Mutation::new(request, "EditMessage", &message.request_id)?;
        let id: Uuid = parse_id("conversation_id", &message.conversation_id)?;
        let (sequence, expected) = (sequence(message.sequence)?, revision(&message.etag)?);
        let answered = self
            .change(&mutation, id, sequence, |sight, stored| ConversationCommand::Edit {
                sight,
                message: stored,
                expected,
                text: message.text.clone(),
                window: self.window,
            })
            .await?;
        Ok(proto::EditMessageResponse { message: answered })
    }

    pub(super) async fn withdraw(
        &self,
        request: &Request<proto::WithdrawMessageRequest>,
    ) -> Result<proto::WithdrawMessageResponse, Refusal> {
        let message = request.get_ref();
        let mutation = Mutation::new(request, "WithdrawMessage", &message.request_id)?;
        let id: Uuid = parse_id("conversation_id", &message.conversation_id)?;
        let (sequence, expected) = (sequence(message.sequence)?, revision(&message.etag)?);
        let answered = self
            .change(&mutation, id, sequence, |sight, stored| ConversationCommand::Withdraw {
                sight,
                message: stored,
                expected,
                window: self.window,
            })
            .await?;
        Ok(proto::WithdrawMessageResponse { message: answered })
    }

    /// Reads a message and asks the conversation to change it; again when it changed in between.
    async fn change(
        &self,
        mutation: &Mutation,
        id: Uuid,
        sequence: i64,
        command: impl Fn(
            callboard_messenger_domain::conversation::Sight,
            Arc<callboard_messenger_domain::conversation::Message>,
        ) -> ConversationCommand
        + Send
        + Sync,
    ) -> Result<Option<proto::Message>, Refusal> {
        let mutation = mutation.clone().about("conversation", id);
        let organisation = mutation.principal.organisation;
        for attempt in 1.. {
            let prepared = async {
                let (_, sight) = self.visible(&mutation.principal, id).await?;
                let found = self.queries.message(organisation, id, sequence).await.map_err(refusal)?;
                let found = found.ok_or_else(|| Refusal::missing("message", sequence))?;
                Ok((id, command(sight, found.message)))
            };
            // The two answers are of one shape, so that one closure makes both.
            let answered: Result<proto::SendMessageResponse, Refusal> =
                mutation.carry_out(&self.conversations, prepared, said(self, &mutation, id)).await;
            match answered {
                Err(refusal) if refusal.reason == "CONCURRENT_CHANGE" && attempt < TRIES => {}
                Err(refusal) => return Err(refusal),
                Ok(mut answered) if answered.message.is_some() => {
                    self.show_files(&mut answered.message).await?;
                    self.hub.wake(id);
                    return Ok(answered.message);
                }
                // There was nothing to change.
                Ok(_) => break,
            }
        }
        let (seen, _) = self.visible(&mutation.principal, id).await?;
        let found = self.queries.message(organisation, id, sequence).await.map_err(refusal)?;
        let found = found.ok_or_else(|| Refusal::missing("message", sequence))?;
        Ok(Some(self.shown(&mutation, id, &seen.state, &found)))
    }

    pub(super) async fn mark_read(
        &self,
        request: &Request<proto::MarkReadRequest>,
    ) -> Result<proto::MarkReadResponse, Refusal> {
        let message = request.get_ref();
        let mutation = Mutation::new(request, "MarkRead", &message.request_id)?;
        let id: Uuid = parse_id("conversation_id", &message.conversation_id)?;
        let mutation = mutation.about("conversation", id);
        let device = self.queries.device_of(mutation.principal.organisation, id).await.map_err(refusal)?;
        let sight = self.copies.sight(&mutation.principal, device).await.map_err(refusal)?;
        let command = ConversationCommand::MarkRead { sight, sequence: message.sequence };
        let reader = mutation.principal.actor();
        let answered = mutation
            .ask(&self.conversations, id, command, move |state, _, _| proto::MarkReadResponse {
                marker: state.markers.get(&reader).map(|marker| convert::marker(reader, *marker)),
            })
            .await?;
        self.hub.wake(id);
        Ok(answered)
    }

    pub(super) async fn set_typing(
        &self,
        request: &Request<proto::SetTypingRequest>,
    ) -> Result<proto::SetTypingResponse, Refusal> {
        let principal = callboard_service::request::principal(request)?;
        let message = request.get_ref();
        let id: Uuid = parse_id("conversation_id", &message.conversation_id)?;
        let (seen, _) = self.visible(&principal, id).await?;
        if !seen.state.may_write(&principal) {
            return Err(if principal.is_outsider() {
                Refusal::new(
                    ErrorKind::FailedPrecondition,
                    "TICKET_LOCKED",
                    "the ticket is closed or cancelled: only employees may write (T-9)",
                )
            } else {
                Refusal::denied("writing is for those involved, moderators and administrators")
            });
        }
        let kind = if message.typing { SignalKind::Typing } else { SignalKind::Still };
        let (organisation, actor) = (principal.organisation, principal.actor());
        self.hub.tell(crate::live::Signal { organisation, conversation: id, actor, kind });
        Ok(proto::SetTypingResponse {})
    }
}
