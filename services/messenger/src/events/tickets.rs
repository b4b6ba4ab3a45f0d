//! What the messenger makes of the tickets context's events: opening, locking, hiding, deleting (M-1, T-9, T-11, T-13).

use std::sync::Arc;

use callboard_bus::{Event, HandleError, Handled, Handler};
use callboard_messenger_domain::conversation::ConversationCommand;
use callboard_proto::Event as _;
use callboard_proto::tickets::v1 as proto;
use callboard_service::Reaction;
use callboard_service::reaction::{decode, event_id};
use futures::future::BoxFuture;
use uuid::Uuid;

use crate::live::Hub;
use crate::store::Queries;
use crate::{Conversations, convert};

/// The durable's name; part of command ids.
pub const CONSUMER: &str = "messenger-tickets";

/// What it takes; no other event is sent to it.
const HEARS: &[&str] = &[
    proto::TicketOpened::SUBJECT,
    proto::TicketAssigned::SUBJECT,
    proto::TicketUnassigned::SUBJECT,
    proto::TicketStarted::SUBJECT,
    proto::TicketDone::SUBJECT,
    proto::TicketClosed::SUBJECT,
    proto::TicketCancelled::SUBJECT,
    proto::TicketReopened::SUBJECT,
    proto::TicketVisibilityChanged::SUBJECT,
    proto::TicketDeleted::SUBJECT,
];

/// Follows tickets.
#[derive(Debug, Clone)]
pub struct TicketsHandler {
    /// Conversations.
    pub conversations: Conversations,
    /// Those who watch.
    pub hub: Hub,
    /// The tables.
    pub queries: Queries,
}

/// The ticket in an event, where its facts may concern a conversation.
fn facts(event: &Event) -> Result<Option<Option<proto::TicketFacts>>, HandleError> {
    Ok(Some(match event.kind.as_str() {
        proto::TicketOpened::TYPE => decode::<proto::TicketOpened>(event)?.ticket,
        proto::TicketAssigned::TYPE => decode::<proto::TicketAssigned>(event)?.ticket,
        proto::TicketUnassigned::TYPE => decode::<proto::TicketUnassigned>(event)?.ticket,
        proto::TicketStarted::TYPE => decode::<proto::TicketStarted>(event)?.ticket,
        proto::TicketDone::TYPE => decode::<proto::TicketDone>(event)?.ticket,
        proto::TicketClosed::TYPE => decode::<proto::TicketClosed>(event)?.ticket,
        proto::TicketCancelled::TYPE => decode::<proto::TicketCancelled>(event)?.ticket,
        proto::TicketReopened::TYPE => decode::<proto::TicketReopened>(event)?.ticket,
        proto::TicketVisibilityChanged::TYPE => decode::<proto::TicketVisibilityChanged>(event)?.ticket,
        _ => return Ok(None),
    }))
}

impl TicketsHandler {
    async fn react(&self, event: &Event) -> Result<Handled, HandleError> {
        if event.kind == proto::TicketDeleted::TYPE {
            let message: proto::TicketDeleted = decode(event)?;
            let id = event_id("ticket_id", &message.ticket_id)?;
            let handled = self.give(event, id, ConversationCommand::Delete).await;
            self.queries.wake_files();
            return handled;
        }
        let Some(facts) = facts(event)? else { return Ok(Handled::Ignored) };
        let facts = facts.ok_or_else(|| HandleError::Poison(format!("{} has no ticket", event.kind)))?;
        let id = event_id("ticket_id", &facts.ticket_id)?;
        let ticket = convert::ticket(&facts, event.aggregate_version.0)
            .map_err(|problem| HandleError::Poison(format!("{}: {problem}", event.kind)))?;
        self.give(event, id, ConversationCommand::Observe { ticket: Arc::new(ticket) }).await
    }

    async fn give(
        &self,
        event: &Event,
        id: Uuid,
        command: ConversationCommand,
    ) -> Result<Handled, HandleError> {
        let reaction = Reaction { consumer: CONSUMER, event };
        let handled = if event.kind == proto::TicketOpened::TYPE {
            reaction.give_first(&self.conversations, id, command).await?
        } else {
            reaction.give(&self.conversations, id, command).await?
        };
        self.hub.wake(id);
        Ok(handled)
    }
}

impl Handler for TicketsHandler {
    fn handle<'a>(&'a self, event: &'a Event) -> BoxFuture<'a, Result<Handled, HandleError>> {
        Box::pin(self.react(event))
    }

    fn hears(&self) -> Option<&'static [&'static str]> {
        Some(HEARS)
    }
}
