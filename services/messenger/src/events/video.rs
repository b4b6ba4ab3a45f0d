//! The join links of video sessions (M-7).

use callboard_bus::{Event, HandleError, Handled, Handler};
use callboard_messenger_domain::conversation::ConversationCommand;
use callboard_proto::Event as _;
use callboard_proto::video::v1 as proto;
use callboard_service::Reaction;
use callboard_service::reaction::{decode, event_id};
use futures::future::BoxFuture;
use uuid::Uuid;

use crate::live::Hub;
use crate::store::Queries;
use crate::{Conversations, not_now};

/// The durable's name; part of command ids.
pub const CONSUMER: &str = "messenger-video";

/// What it takes; no other event is sent to it.
const HEARS: &[&str] = &[proto::SessionCreated::SUBJECT];

/// Posts join links.
#[derive(Debug, Clone)]
pub struct VideoHandler {
    /// Conversations.
    pub conversations: Conversations,
    /// Which there are.
    pub queries: Queries,
    /// Those who watch.
    pub hub: Hub,
}

impl VideoHandler {
    async fn react(&self, event: &Event) -> Result<Handled, HandleError> {
        if event.kind != proto::SessionCreated::TYPE {
            return Ok(Handled::Ignored);
        }
        let message: proto::SessionCreated = decode(event)?;
        let facts =
            message.session.ok_or_else(|| HandleError::Poison(format!("{} has no session", event.kind)))?;
        // Made somewhere else than in a conversation.
        if facts.conversation_ticket_id.is_empty() {
            return Ok(Handled::Ignored);
        }
        let id: Uuid = event_id("conversation_ticket_id", &facts.conversation_ticket_id)?;
        let session: Uuid = event_id("session_id", &facts.session_id)?;
        // Of a ticket that is there video may hear before the messenger does. Also one that was deleted is known.
        if !self.queries.was_opened(event.organisation, id).await.map_err(not_now)? {
            return Err(HandleError::Retry("the conversation has not been opened yet".to_owned()));
        }
        let command = ConversationCommand::PostJoinLink { session, text: message.join_url };
        let handled = Reaction { consumer: CONSUMER, event }.give(&self.conversations, id, command).await?;
        self.hub.wake(id);
        Ok(handled)
    }
}

impl Handler for VideoHandler {
    fn handle<'a>(&'a self, event: &'a Event) -> BoxFuture<'a, Result<Handled, HandleError>> {
        Box::pin(self.react(event))
    }

    fn hears(&self) -> Option<&'static [&'static str]> {
        Some(HEARS)
    }
}
