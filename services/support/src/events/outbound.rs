//! What others hear of tickets. Texts, names and addresses stay home.

use callboard_actor::Step;
use callboard_bus::Event;
use callboard_kernel::{Actor, EmployeeId};
use callboard_proto::support::v1 as proto;
use callboard_service::convert::to_proto_actor;
use callboard_service::outbound;
use callboard_support_domain::Ticket;
use callboard_support_domain::ticket::TicketEvent;

use crate::convert;

/// The events of a ticket's step.
///
/// # Errors
/// A ticket about nothing, which no decision makes.
pub fn of_ticket(step: &Step<'_, Ticket>) -> Result<Vec<Event>, String> {
    let facts = Some(facts(step)?);
    let meta = step.meta;
    let mut events = Vec::new();
    for event in step.events {
        let (index, ticket) = (events.len(), facts.clone());
        let told = match event {
            TicketEvent::Opened { event, .. } => {
                outbound(meta, index, &proto::TicketOpened { ticket, event_id: event.to_string() })
            }
            TicketEvent::RequestedAgain { event } => {
                outbound(meta, index, &proto::DomainRequestedAgain { ticket, event_id: event.to_string() })
            }
            TicketEvent::StatusChanged { from, .. } => {
                let previous_status = convert::status(*from).into();
                outbound(meta, index, &proto::TicketStatusChanged { ticket, previous_status })
            }
            TicketEvent::PriorityChanged { from, .. } => {
                let previous_priority = convert::priority(*from).into();
                outbound(meta, index, &proto::TicketPriorityChanged { ticket, previous_priority })
            }
            TicketEvent::Assigned { from, to, by } => {
                let message = proto::TicketAssigned {
                    ticket,
                    previous_assignee_id: from.map(|id| id.to_string()).unwrap_or_default(),
                    assigned_by: Some(to_proto_actor(*by)),
                    mail_at_once: mails_at_once(*to, *by),
                };
                outbound(meta, index, &message)
            }
            TicketEvent::Decided { previous, now } => {
                let message = proto::DomainDecided {
                    ticket,
                    previous_decision: previous
                        .map_or(proto::DomainDecision::Unspecified, convert::decision)
                        .into(),
                    decided_by: Some(to_proto_actor(now.by)),
                    event_ids: step.after.requests.iter().map(ToString::to_string).collect(),
                };
                outbound(meta, index, &message)
            }
            TicketEvent::Remarked(remark) if !remark.is_note => {
                let author = Some(to_proto_actor(remark.author));
                outbound(meta, index, &proto::TicketCommented { ticket, number: remark.number, author })
            }
            // Notes are for staff only and told to nobody.
            TicketEvent::Remarked(_) | TicketEvent::Touched(_) => continue,
        };
        events.push(told);
    }
    Ok(events)
}

/// S-3: being assigned by someone else sends that person an e-mail at once; taking a ticket oneself does not.
fn mails_at_once(to: Option<EmployeeId>, by: Actor) -> bool {
    to.is_some_and(|to| by != Actor::Employee(to))
}

fn facts(step: &Step<'_, Ticket>) -> Result<proto::TicketFacts, String> {
    let state = step.after;
    let matter = state.matter.as_deref().ok_or("a ticket about nothing")?;
    Ok(proto::TicketFacts {
        ticket_id: step.meta.aggregate_id.to_string(),
        organisation_id: step.meta.principal.organisation.to_string(),
        r#type: convert::kind(matter.kind).into(),
        status: convert::status(state.status).into(),
        priority: convert::priority(state.priority).into(),
        assignee_id: state.assignee.map(|id| id.to_string()).unwrap_or_default(),
        account_id: matter.account_id.clone(),
        person_id: matter.person_id.clone(),
        domain: matter.domain.clone().unwrap_or_default(),
        decision: state
            .decided
            .map_or(proto::DomainDecision::Unspecified, |decided| convert::decision(decided.decision))
            .into(),
        requester: matter.requester.map(to_proto_actor),
    })
}
