//! Who is offered, or assigned to, a ticket, as fleet tells: who may confirm a session linked to it (V-2), and make one
//! from its conversation (M-7).

use callboard_bus::{Event, HandleError, Handled, Handler};
use callboard_kernel::{EmployeeId, TicketId};
use callboard_proto::Event as _;
use callboard_proto::fleet::v1 as proto;
use callboard_service::reaction::{decode, event_id};
use futures::future::BoxFuture;

use crate::not_now;
use crate::store::Copies;

/// The durable's name.
pub const CONSUMER: &str = "video-fleet";

/// What it takes; no other event is sent to it.
const HEARS: &[&str] = &[
    proto::OffersMade::SUBJECT,
    proto::OfferDeclined::SUBJECT,
    proto::OfferCancelled::SUBJECT,
    proto::OfferExpired::SUBJECT,
    proto::OfferRescinded::SUBJECT,
    proto::OfferAccepted::SUBJECT,
    proto::EmployeeAssigned::SUBJECT,
    proto::AssignmentCancelled::SUBJECT,
];

/// Keeps the read copies.
#[derive(Debug, Clone)]
pub struct FleetHandler {
    /// They.
    pub copies: Copies,
}

fn employees(texts: &[String]) -> Result<Vec<EmployeeId>, HandleError> {
    texts.iter().map(|text| event_id("employee_ids", text)).collect()
}

impl FleetHandler {
    async fn react(&self, event: &Event) -> Result<Handled, HandleError> {
        match event.kind.as_str() {
            proto::OffersMade::TYPE => {
                let message: proto::OffersMade = decode(event)?;
                let offered: Vec<String> =
                    message.offers.into_iter().map(|offer| offer.employee_id).collect();
                self.offered(event, &message.ticket_id, &offered, true).await?;
            }
            proto::OfferDeclined::TYPE => {
                self.over(event, decode::<proto::OfferDeclined>(event)?.offer).await?;
            }
            proto::OfferCancelled::TYPE => {
                self.over(event, decode::<proto::OfferCancelled>(event)?.offer).await?;
            }
            proto::OfferExpired::TYPE => {
                self.over(event, decode::<proto::OfferExpired>(event)?.offer).await?;
            }
            proto::OfferRescinded::TYPE => {
                self.over(event, decode::<proto::OfferRescinded>(event)?.offer).await?;
            }
            proto::OfferAccepted::TYPE => {
                let message: proto::OfferAccepted = decode(event)?;
                let ticket = message.offer.map(|offer| offer.ticket_id).unwrap_or_default();
                self.assigned(event, &ticket, &message.assigned_employee_ids).await?;
            }
            proto::EmployeeAssigned::TYPE => {
                let message: proto::EmployeeAssigned = decode(event)?;
                self.assigned(event, &message.ticket_id, &message.assigned_employee_ids).await?;
            }
            proto::AssignmentCancelled::TYPE => {
                let message: proto::AssignmentCancelled = decode(event)?;
                self.assigned(event, &message.ticket_id, &message.assigned_employee_ids).await?;
            }
            _ => return Ok(Handled::Ignored),
        }
        Ok(Handled::Done)
    }

    async fn over(&self, event: &Event, offer: Option<proto::OfferFacts>) -> Result<(), HandleError> {
        let offer = offer.ok_or_else(|| HandleError::Poison(format!("{} has no offer", event.kind)))?;
        self.offered(event, &offer.ticket_id, std::slice::from_ref(&offer.employee_id), false).await
    }

    async fn offered(
        &self,
        event: &Event,
        ticket: &str,
        who: &[String],
        offered: bool,
    ) -> Result<(), HandleError> {
        let ticket: TicketId = event_id("ticket_id", ticket)?;
        let (version, who) = (event.aggregate_version.0, employees(who)?);
        self.copies.keep_offers(event.organisation, version, ticket, &who, offered).await.map_err(not_now)
    }

    async fn assigned(&self, event: &Event, ticket: &str, who: &[String]) -> Result<(), HandleError> {
        let ticket: TicketId = event_id("ticket_id", ticket)?;
        let (version, who) = (event.aggregate_version.0, employees(who)?);
        self.copies.keep_assigned(event.organisation, version, ticket, &who).await.map_err(not_now)
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
