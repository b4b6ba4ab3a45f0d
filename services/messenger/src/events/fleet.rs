//! Who is involved, as fleet tells.

use callboard_bus::{Event, HandleError, Handled, Handler};
use callboard_kernel::EmployeeId;
use callboard_messenger_domain::conversation::ConversationCommand;
use callboard_proto::Event as _;
use callboard_proto::fleet::v1 as proto;
use callboard_service::Reaction;
use callboard_service::reaction::{decode, event_id};
use futures::future::BoxFuture;
use uuid::Uuid;

use crate::Conversations;
use crate::live::Hub;

/// The durable's name; part of command ids.
pub const CONSUMER: &str = "messenger-fleet";

/// What it takes; no other event is sent to it.
const HEARS: &[&str] =
    &[proto::OfferAccepted::SUBJECT, proto::EmployeeAssigned::SUBJECT, proto::AssignmentCancelled::SUBJECT];

/// Keeps who is involved. It may hear of them before it hears of their ticket.
#[derive(Debug, Clone)]
pub struct FleetHandler {
    /// Conversations.
    pub conversations: Conversations,
    /// Those who watch.
    pub hub: Hub,
}

impl FleetHandler {
    async fn react(&self, event: &Event) -> Result<Handled, HandleError> {
        let (ticket, employees) = match event.kind.as_str() {
            proto::OfferAccepted::TYPE => {
                let message: proto::OfferAccepted = decode(event)?;
                let ticket = message.offer.map(|offer| offer.ticket_id).unwrap_or_default();
                (ticket, message.assigned_employee_ids)
            }
            proto::EmployeeAssigned::TYPE => {
                let message: proto::EmployeeAssigned = decode(event)?;
                (message.ticket_id, message.assigned_employee_ids)
            }
            proto::AssignmentCancelled::TYPE => {
                let message: proto::AssignmentCancelled = decode(event)?;
                (message.ticket_id, message.assigned_employee_ids)
            }
            _ => return Ok(Handled::Ignored),
        };
        let id: Uuid = event_id("ticket_id", &ticket)?;
        let employees: Vec<EmployeeId> =
            employees.iter().map(|text| event_id("assigned_employee_ids", text)).collect::<Result<_, _>>()?;
        let command = ConversationCommand::Involve { employees, version: event.aggregate_version.0 };
        let handled = Reaction { consumer: CONSUMER, event }.give(&self.conversations, id, command).await?;
        self.hub.wake(id);
        Ok(handled)
    }
}

impl Handler for FleetHandler {
    fn handle<'a>(&'a self, event: &'a Event) -> BoxFuture<'a, Result<Handled, HandleError>> {
        Box::pin(self.react(event))
    }

    fn hears(&self) -> Option<&'static [&'static str]> {
        Some(HEARS)
    }
}
