//! What fleet makes of the tickets context's events.

use std::sync::Arc;

use callboard_bus::{Event, HandleError, Handled, Handler};
use callboard_fleet_domain::dispatch::DispatchCommand;
use callboard_proto::Event as _;
use callboard_proto::tickets::v1 as proto;
use callboard_service::Reaction;
use callboard_service::reaction::{decode, event_id};
use futures::future::BoxFuture;
use uuid::Uuid;

use super::{Because, Planner, look_again};
use crate::{Dispatches, convert, not_now};

/// The durable's name; part of command ids.
pub const CONSUMER: &str = "fleet-tickets";

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

/// Reacts to tickets. Events of one ticket come in order, so offers never go out for a ticket that has ended since.
#[derive(Debug, Clone)]
pub struct TicketsHandler {
    /// Dispatches.
    pub dispatches: Dispatches,
    /// Makes rounds.
    pub planner: Planner,
}

/// What an event means besides its facts.
enum Meaning {
    /// Offers go out (F-2).
    Opened,
    /// Offers may go out again (T-9), and those involved are checked (F-8).
    Reopened,
    /// Nothing more.
    Facts,
}

impl TicketsHandler {
    async fn react(&self, event: &Event) -> Result<Handled, HandleError> {
        let (facts, meaning) = match event.kind.as_str() {
            proto::TicketOpened::TYPE => (decode::<proto::TicketOpened>(event)?.ticket, Meaning::Opened),
            proto::TicketAssigned::TYPE => (decode::<proto::TicketAssigned>(event)?.ticket, Meaning::Facts),
            proto::TicketUnassigned::TYPE => {
                (decode::<proto::TicketUnassigned>(event)?.ticket, Meaning::Facts)
            }
            proto::TicketStarted::TYPE => (decode::<proto::TicketStarted>(event)?.ticket, Meaning::Facts),
            proto::TicketDone::TYPE => (decode::<proto::TicketDone>(event)?.ticket, Meaning::Facts),
            proto::TicketClosed::TYPE => (decode::<proto::TicketClosed>(event)?.ticket, Meaning::Facts),
            proto::TicketCancelled::TYPE => (decode::<proto::TicketCancelled>(event)?.ticket, Meaning::Facts),
            proto::TicketReopened::TYPE => {
                (decode::<proto::TicketReopened>(event)?.ticket, Meaning::Reopened)
            }
            proto::TicketVisibilityChanged::TYPE => {
                (decode::<proto::TicketVisibilityChanged>(event)?.ticket, Meaning::Facts)
            }
            proto::TicketDeleted::TYPE => {
                let message: proto::TicketDeleted = decode(event)?;
                let id = event_id("ticket_id", &message.ticket_id)?;
                return self.give(event, id, DispatchCommand::Delete).await;
            }
            _ => return Ok(Handled::Ignored),
        };
        let facts = facts.ok_or_else(|| HandleError::Poison(format!("{} has no ticket", event.kind)))?;
        let id: Uuid = event_id("ticket_id", &facts.ticket_id)?;
        let ticket = convert::ticket(&facts, event.aggregate_version.0)
            .map_err(|problem| HandleError::Poison(format!("{}: {problem}", event.kind)))?;
        if let Meaning::Facts = meaning {
            let ticket = Arc::new(ticket);
            return self
                .give(event, id, DispatchCommand::Observe { ticket, plan: None, gone: Vec::new() })
                .await;
        }
        let organisation = event.organisation;
        let plan = self.planner.first(organisation, &ticket).await.map_err(not_now)?;
        let grouped = plan.group.is_some();
        let gone = match meaning {
            Meaning::Opened | Meaning::Facts => Vec::new(),
            Meaning::Reopened => {
                let gone = self.planner.gone(organisation, id.into(), &ticket).await.map_err(not_now)?;
                gone.into_iter().map(|(holding, _)| holding.employee).collect()
            }
        };
        let ticket = Arc::new(ticket);
        let observe = DispatchCommand::Observe { ticket: Arc::clone(&ticket), plan: Some(plan), gone };
        let reaction = Reaction { consumer: CONSUMER, event };
        let handled = match meaning {
            Meaning::Opened => reaction.give_first(&self.dispatches, id, observe).await?,
            Meaning::Reopened | Meaning::Facts => reaction.give(&self.dispatches, id, observe).await?,
        };
        // Where there is no group, nobody was given anything. Not asked of whoever is eligible now: if this event comes
        // again, that need not be who was.
        if !grouped && matches!(meaning, Meaning::Opened) {
            return Ok(handled);
        }
        let because = Because::of(Reaction { consumer: CONSUMER, event }, id);
        look_again(&self.dispatches, &self.planner, &because, id, &ticket).await?;
        Ok(handled)
    }

    async fn give(
        &self,
        event: &Event,
        ticket: Uuid,
        command: DispatchCommand,
    ) -> Result<Handled, HandleError> {
        Reaction { consumer: CONSUMER, event }.give(&self.dispatches, ticket, command).await
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
