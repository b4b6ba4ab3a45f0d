//! Offers and assignments.

use callboard_bus::{Event, HandleError, Handled};
use callboard_kernel::{Actor, EmployeeId};
use callboard_notifications_domain::{EventType, SubjectKind};
use callboard_proto::Event as _;
use callboard_proto::fleet::v1 as proto;
use callboard_service::reaction::{decode, event_id};
use uuid::Uuid;

use super::{by, handles, lacks, optional_id};
use crate::not_now;
use crate::store::CallChange;
use crate::tell::{Happening, Teller};

/// What it takes; no other event is sent to it.
const HEARS: &[&str] = &[
    proto::OffersMade::SUBJECT,
    proto::OfferDeclined::SUBJECT,
    proto::OfferAccepted::SUBJECT,
    proto::OfferCancelled::SUBJECT,
    proto::OfferExpired::SUBJECT,
    proto::OfferRescinded::SUBJECT,
    proto::EmployeeAssigned::SUBJECT,
    proto::AssignmentCancelled::SUBJECT,
    proto::TicketUnserved::SUBJECT,
    proto::TicketEscalated::SUBJECT,
];

const NOTHING: CallChange = CallChange { declined: None, offered: None, assigned: None };
const OFFERED: CallChange = CallChange { declined: Some(false), offered: Some(true), ..NOTHING };
const DECLINED: CallChange = CallChange { declined: Some(true), offered: Some(false), ..NOTHING };
const WITHDRAWN: CallChange = CallChange { offered: Some(false), ..NOTHING };
const ASSIGNED: CallChange = CallChange { declined: Some(false), offered: Some(false), assigned: Some(true) };
const UNASSIGNED: CallChange = CallChange { assigned: Some(false), ..NOTHING };

/// Tells those whom it is about.
#[derive(Debug, Clone)]
pub struct FleetHandler(pub Teller);

impl FleetHandler {
    async fn react(&self, event: &Event) -> Result<Handled, HandleError> {
        match event.kind.as_str() {
            proto::OffersMade::TYPE => {
                let message: proto::OffersMade = decode(event)?;
                let ticket: Uuid = event_id("ticket_id", &message.ticket_id)?;
                let employees: Vec<EmployeeId> = message
                    .offers
                    .iter()
                    .map(|offer| event_id("employee_id", &offer.employee_id))
                    .collect::<Result<_, _>>()?;
                self.keep(event, ticket, &employees, OFFERED).await?;
                self.tell(event, EventType::Offer, ticket, employees, event.actor).await
            }
            proto::OfferDeclined::TYPE => {
                let (ticket, employee) = facts(event, decode::<proto::OfferDeclined>(event)?.offer)?;
                self.keep(event, ticket, &[employee], DECLINED).await?;
                Ok(Handled::Done)
            }
            proto::OfferAccepted::TYPE => {
                let (ticket, employee) = facts(event, decode::<proto::OfferAccepted>(event)?.offer)?;
                self.keep(event, ticket, &[employee], ASSIGNED).await?;
                Ok(Handled::Done)
            }
            proto::OfferCancelled::TYPE => {
                self.withdrawn(event, decode::<proto::OfferCancelled>(event)?.offer).await
            }
            proto::OfferExpired::TYPE => {
                self.withdrawn(event, decode::<proto::OfferExpired>(event)?.offer).await
            }
            proto::OfferRescinded::TYPE => {
                self.withdrawn(event, decode::<proto::OfferRescinded>(event)?.offer).await
            }
            proto::EmployeeAssigned::TYPE => {
                let message: proto::EmployeeAssigned = decode(event)?;
                let ticket: Uuid = event_id("ticket_id", &message.ticket_id)?;
                let employee: EmployeeId = event_id("employee_id", &message.employee_id)?;
                self.keep(event, ticket, &[employee], ASSIGNED).await?;
                let actor = by(event, message.by.as_ref());
                self.tell(event, EventType::Assigned, ticket, vec![employee], actor).await
            }
            proto::AssignmentCancelled::TYPE => {
                let message: proto::AssignmentCancelled = decode(event)?;
                let ticket: Uuid = event_id("ticket_id", &message.ticket_id)?;
                let employee: EmployeeId = event_id("employee_id", &message.employee_id)?;
                self.keep(event, ticket, &[employee], UNASSIGNED).await?;
                let actor = by(event, message.by.as_ref());
                self.tell(event, EventType::Unassigned, ticket, vec![employee], actor).await
            }
            proto::TicketUnserved::TYPE => {
                let message: proto::TicketUnserved = decode(event)?;
                let ticket: Uuid = event_id("ticket_id", &message.ticket_id)?;
                let group = optional_id("notification_group_id", &message.notification_group_id)?;
                let happening = Happening {
                    group,
                    ..Happening::new(EventType::Unserved, SubjectKind::Ticket, ticket, Actor::System)
                };
                self.0.tell(event, happening).await
            }
            proto::TicketEscalated::TYPE => {
                let message: proto::TicketEscalated = decode(event)?;
                let ticket: Uuid = event_id("ticket_id", &message.ticket_id)?;
                self.tell(event, EventType::Escalated, ticket, Vec::new(), Actor::System).await
            }
            _ => Ok(Handled::Ignored),
        }
    }

    async fn keep(
        &self,
        event: &Event,
        ticket: Uuid,
        employees: &[EmployeeId],
        change: CallChange,
    ) -> Result<(), HandleError> {
        let version = event.aggregate_version.0;
        let copies = &self.0.tables.copies;
        copies.keep_calls(event.organisation, ticket, employees, version, change).await.map_err(not_now)
    }

    async fn withdrawn(
        &self,
        event: &Event,
        offer: Option<proto::OfferFacts>,
    ) -> Result<Handled, HandleError> {
        let (ticket, employee) = facts(event, offer)?;
        self.keep(event, ticket, &[employee], WITHDRAWN).await?;
        self.tell(event, EventType::OfferWithdrawn, ticket, vec![employee], event.actor).await
    }

    async fn tell(
        &self,
        event: &Event,
        event_type: EventType,
        ticket: Uuid,
        named: Vec<EmployeeId>,
        actor: Actor,
    ) -> Result<Handled, HandleError> {
        let happening = Happening { named, ..Happening::new(event_type, SubjectKind::Ticket, ticket, actor) };
        self.0.tell(event, happening).await
    }
}

fn facts(event: &Event, offer: Option<proto::OfferFacts>) -> Result<(Uuid, EmployeeId), HandleError> {
    let offer = offer.ok_or_else(|| lacks(event, "offer"))?;
    Ok((event_id("ticket_id", &offer.ticket_id)?, event_id("employee_id", &offer.employee_id)?))
}

handles!(FleetHandler, HEARS);
