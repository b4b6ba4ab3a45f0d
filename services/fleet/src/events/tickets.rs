//! What fleet makes of the tickets context's events.

use std::sync::Arc;

use callboard_bus::{Event, HandleError, Handled, Handler};
use callboard_fleet_domain::Ticket;
use callboard_fleet_domain::dispatch::DispatchCommand;
use callboard_kernel::EmployeeId;
use callboard_proto::Event as _;
use callboard_proto::tickets::v1 as proto;
use callboard_service::Reaction;
use callboard_service::reaction::{decode, event_id};
use futures::future::BoxFuture;

use super::Planner;
use crate::{Dispatches, convert, not_now};

/// The durable's name; part of command ids.
pub const CONSUMER: &str = "fleet-tickets";

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
        let id = event_id("ticket_id", &facts.ticket_id)?;
        let ticket = convert::ticket(&facts, event.aggregate_version.0)
            .map_err(|problem| HandleError::Poison(format!("{}: {problem}", event.kind)))?;
        let (plan, gone) = match meaning {
            Meaning::Facts => (None, Vec::new()),
            Meaning::Opened => {
                (Some(self.planner.first(event.organisation, &ticket).await.map_err(not_now)?), Vec::new())
            }
            Meaning::Reopened => (
                Some(self.planner.first(event.organisation, &ticket).await.map_err(not_now)?),
                self.planner
                    .involved_gone(event.organisation, uuid::Uuid::into(id), &ticket)
                    .await
                    .map_err(not_now)?,
            ),
        };
        let offered = plan.as_ref().map(|plan| plan.expansion.eligible.clone()).unwrap_or_default();
        let ticket = Arc::new(ticket);
        let observe = DispatchCommand::Observe { ticket: Arc::clone(&ticket), plan, gone };
        let handled = self.give(event, id, observe).await?;
        self.look_again(event, id, &ticket, &offered).await?;
        Ok(handled)
    }

    /// Somebody may have left, or moved to other departments, between the expansion and its commit. Whoever handled
    /// that did not see the offer yet; here the newer copy is seen, so one of the two takes the offer away (F-8).
    async fn look_again(
        &self,
        event: &Event,
        id: uuid::Uuid,
        ticket: &Ticket,
        offered: &[EmployeeId],
    ) -> Result<(), HandleError> {
        if offered.is_empty() {
            return Ok(());
        }
        let gone = self.planner.gone(event.organisation, ticket, offered).await.map_err(not_now)?;
        for (employee, standing) in gone {
            super::review(&self.dispatches, CONSUMER, event, id, employee, standing).await?;
        }
        Ok(())
    }

    async fn give(
        &self,
        event: &Event,
        ticket: uuid::Uuid,
        command: DispatchCommand,
    ) -> Result<Handled, HandleError> {
        Reaction { consumer: CONSUMER, event }.give(&self.dispatches, ticket, command).await
    }
}

impl Handler for TicketsHandler {
    fn handle<'a>(&'a self, event: &'a Event) -> BoxFuture<'a, Result<Handled, HandleError>> {
        Box::pin(self.react(event))
    }
}
