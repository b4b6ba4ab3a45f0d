//! The support desk (S-3, S-5).

use callboard_bus::{Event, HandleError, Handled};
use callboard_kernel::{Actor, EmployeeId};
use callboard_notifications_domain::{EventType, SubjectKind};
use callboard_proto::Event as _;
use callboard_proto::support::v1 as proto;
use callboard_service::convert::from_proto_actor;
use callboard_service::reaction::{decode, event_id};
use serde_json::json;
use uuid::Uuid;

use super::{by, handles, lacks, optional_id};
use crate::not_now;
use crate::store::KnownSubject;
use crate::tell::{Happening, Teller};

/// What it takes; no other event is sent to it.
const HEARS: &[&str] = &[
    proto::TicketOpened::SUBJECT,
    proto::TicketAssigned::SUBJECT,
    proto::TicketCommented::SUBJECT,
    proto::DomainDecided::SUBJECT,
];

/// Tells agents, assignees and requesters.
#[derive(Debug, Clone)]
pub struct SupportHandler(pub Teller);

/// The support role whose field a type of tickets is.
const fn field(kind: proto::TicketType) -> Option<&'static str> {
    match kind {
        proto::TicketType::ServiceRequest | proto::TicketType::CareCoordination => Some("CARE"),
        proto::TicketType::DomainApproval | proto::TicketType::PermissionRequest => Some("ACCESS"),
        proto::TicketType::AccountCreated | proto::TicketType::Purchase | proto::TicketType::SeatAdded => {
            Some("SALES")
        }
        proto::TicketType::Unspecified => None,
    }
}

const fn word(kind: proto::TicketType) -> &'static str {
    match kind {
        proto::TicketType::Unspecified => "",
        proto::TicketType::ServiceRequest => "SERVICE_REQUEST",
        proto::TicketType::CareCoordination => "CARE_COORDINATION",
        proto::TicketType::DomainApproval => "DOMAIN_APPROVAL",
        proto::TicketType::PermissionRequest => "PERMISSION_REQUEST",
        proto::TicketType::AccountCreated => "ACCOUNT_CREATED",
        proto::TicketType::Purchase => "PURCHASE",
        proto::TicketType::SeatAdded => "SEAT_ADDED",
    }
}

const fn decision(decision: proto::DomainDecision) -> &'static str {
    match decision {
        proto::DomainDecision::Unspecified => "",
        proto::DomainDecision::Approved => "APPROVED",
        proto::DomainDecision::Declined => "DECLINED",
        proto::DomainDecision::Cleared => "CLEARED",
    }
}

impl SupportHandler {
    async fn react(&self, event: &Event) -> Result<Handled, HandleError> {
        match event.kind.as_str() {
            proto::TicketOpened::TYPE => {
                let facts = decode::<proto::TicketOpened>(event)?.ticket;
                let (facts, id) = self.keep(event, facts).await?;
                // S-5: of new unassigned tickets. What was settled as it opened, such as a domain that is on the list (S-4), asks
                // nobody to act.
                if !facts.assignee_id.is_empty() || facts.status() != proto::TicketStatus::New {
                    return Ok(Handled::Done);
                }
                let happening = happening(EventType::SupportOpened, &facts, id, Actor::System);
                self.0.tell(event, happening).await
            }
            proto::TicketAssigned::TYPE => {
                let message: proto::TicketAssigned = decode(event)?;
                let (facts, id) = self.keep(event, message.ticket).await?;
                let assignee = optional_id("assignee_id", &facts.assignee_id)?;
                let Some(assignee) = assignee.filter(|_| message.mail_at_once) else {
                    return Ok(Handled::Done);
                };
                let actor = by(event, message.assigned_by.as_ref());
                let happening = Happening {
                    named: vec![assignee],
                    ..happening(EventType::SupportAssigned, &facts, id, actor)
                };
                self.0.tell(event, happening).await
            }
            proto::TicketCommented::TYPE => {
                let message: proto::TicketCommented = decode(event)?;
                let (facts, id) = self.keep(event, message.ticket).await?;
                let author = by(event, message.author.as_ref());
                let requester = facts.requester.as_ref().and_then(from_proto_actor);
                // S-2: of care coordination alone, whose ticket is the requester's to see. What staff wrote; one's own
                // comment is no news.
                let sees = facts.r#type() == proto::TicketType::CareCoordination;
                let requester = requester.filter(|requester| sees && *requester != author);
                // Whose ticket it is hears of it in whatever field they work.
                let assignee: Option<EmployeeId> = optional_id("assignee_id", &facts.assignee_id)?;
                let assignee = assignee.filter(|assignee| Actor::Employee(*assignee) != author);
                let happening = Happening {
                    requester,
                    named: assignee.into_iter().collect(),
                    ..happening(EventType::SupportComment, &facts, id, author)
                };
                self.0.tell(event, happening).await
            }
            proto::DomainDecided::TYPE => {
                let message: proto::DomainDecided = decode(event)?;
                let (facts, id) = self.keep(event, message.ticket).await?;
                let actor = by(event, message.decided_by.as_ref());
                self.0.tell(event, happening(EventType::SupportDecided, &facts, id, actor)).await
            }
            _ => Ok(Handled::Ignored),
        }
    }

    async fn keep(
        &self,
        event: &Event,
        facts: Option<proto::TicketFacts>,
    ) -> Result<(proto::TicketFacts, Uuid), HandleError> {
        let facts = facts.ok_or_else(|| lacks(event, "ticket"))?;
        let id: Uuid = event_id("ticket_id", &facts.ticket_id)?;
        let assignee: Option<EmployeeId> = optional_id("assignee_id", &facts.assignee_id)?;
        let subject = KnownSubject {
            version: event.aggregate_version.0,
            involved: assignee.into_iter().collect(),
            ..KnownSubject::unheard(SubjectKind::SupportTicket, id)
        };
        self.0.tables.copies.keep_subject(event.organisation, &subject).await.map_err(not_now)?;
        Ok((facts, id))
    }
}

/// Something that those hear of whose field the ticket is.
fn happening(event_type: EventType, facts: &proto::TicketFacts, id: Uuid, actor: Actor) -> Happening {
    Happening {
        field: field(facts.r#type()),
        details: json!({ "decision": decision(facts.decision()), "type": word(facts.r#type()) }),
        ..Happening::new(event_type, SubjectKind::SupportTicket, id, actor)
    }
}

handles!(SupportHandler, HEARS);
