//! What others hear of a ticket. Never free text, names or addresses.

use callboard_actor::Step;
use callboard_bus::Event;
use callboard_proto::tickets::v1 as proto;
use callboard_service::convert::{to_proto_actor, to_proto_time};
use callboard_service::outbound;
use callboard_tickets_domain::{Fact, State, Status, Ticket, TicketAggregate};

use crate::convert::{to_proto_priority, to_proto_status, to_proto_visibility};

/// What others may know of a ticket.
pub fn facts(ticket: &Ticket) -> proto::TicketFacts {
    let id = |id: Option<uuid::Uuid>| id.map(|id| id.to_string()).unwrap_or_default();
    proto::TicketFacts {
        ticket_id: ticket.id.to_string(),
        organisation_id: ticket.organisation.to_string(),
        number: ticket.number.unwrap_or(0),
        device_id: ticket.device.to_string(),
        template_id: ticket.place.template.to_string(),
        customer_id: id(ticket.place.customer.map(Into::into)),
        flow_id: id(ticket.flow.map(Into::into)),
        group_id: id(ticket.group.map(Into::into)),
        notification_group_id: id(ticket.notification_group.map(Into::into)),
        status: to_proto_status(ticket.status).into(),
        visibility: to_proto_visibility(ticket.visibility).into(),
        priority: to_proto_priority(ticket.priority).into(),
        involved_employee_ids: ticket.involved.iter().map(ToString::to_string).collect(),
        creator: Some(to_proto_actor(ticket.creator)),
        department_ids: ticket.place.departments.iter().map(ToString::to_string).collect(),
        create_time: Some(to_proto_time(ticket.create_time)),
        done_round: ticket.done_round,
        rating: ticket.rating.unwrap_or(0),
        device_version: ticket.place.version,
    }
}

/// The events of a step, in order. Nobody hears of a draft (T-2).
pub fn events(step: &Step<'_, TicketAggregate>) -> Vec<Event> {
    let ticket = match (step.before, step.after) {
        (_, State::Live(after)) => after,
        (State::Live(before), State::Gone) => before,
        (State::None | State::Gone, State::None | State::Gone) | (State::Live(_), State::None) => {
            return Vec::new();
        }
    };
    if ticket.status == Status::Draft {
        return Vec::new();
    }
    let mut out = Publisher { step, facts: facts(ticket), events: Vec::new() };
    for event in step.events {
        out.publish(&event.fact);
    }
    out.involved();
    out.edited();
    out.events
}

struct Publisher<'a> {
    step: &'a Step<'a, TicketAggregate>,
    facts: proto::TicketFacts,
    events: Vec<Event>,
}

impl Publisher<'_> {
    fn push<M: callboard_proto::Event>(&mut self, message: &M) {
        self.events.push(outbound(self.step.meta, self.events.len(), message));
    }

    fn by(&self) -> Option<callboard_proto::common::v1::Actor> {
        Some(to_proto_actor(self.step.meta.principal.actor()))
    }

    fn publish(&mut self, fact: &Fact) {
        let (ticket, by) = (Some(self.facts.clone()), self.by());
        match fact {
            Fact::Opened(_) => self.push(&proto::TicketOpened { ticket }),
            Fact::StatusChanged { from, to } => self.status(*from, *to),
            Fact::VisibilityChanged { from, .. } => {
                let previous_visibility = to_proto_visibility(*from).into();
                self.push(&proto::TicketVisibilityChanged { ticket, previous_visibility, by });
            }
            Fact::PriorityChanged { from, .. } => {
                let previous_priority = to_proto_priority(*from).into();
                self.push(&proto::TicketPriorityChanged { ticket, previous_priority, by });
            }
            Fact::Rated { from, .. } => {
                self.push(&proto::TicketRated { ticket, previous_rating: from.unwrap_or(0) });
            }
            Fact::UpdatePosted(update) => self.push(&proto::TicketUpdatePosted {
                ticket,
                update_id: update.id.to_string(),
                update_visibility: to_proto_visibility(update.visibility).into(),
                by,
            }),
            Fact::Deleted => self.push(&proto::TicketDeleted {
                ticket_id: self.facts.ticket_id.clone(),
                organisation_id: self.facts.organisation_id.clone(),
                ticket,
                by,
            }),
            // Those that were involved, and those that were edited, are told once per step: see below.
            Fact::Involved(_)
            | Fact::Uninvolved(_)
            | Fact::TitleEdited { .. }
            | Fact::DescriptionEdited { .. }
            | Fact::Created { .. }
            | Fact::Answered { .. } => {}
        }
    }

    /// A change of status. Leaving CLOSED, CANCELLED or DONE for work to be done is reopening, whichever way it was
    /// asked for (T-7, T-9). CLOSED or CANCELLED → DONE by hand is both: the conversation unlocks, and the ticket is
    /// done (again).
    fn status(&mut self, from: Status, to: Status) {
        let (ticket, by) = (Some(self.facts.clone()), self.by());
        let previous_status = to_proto_status(from).into();
        let reopens = match to {
            Status::Open | Status::Assigned | Status::InProgress => from.is_locked() || from == Status::Done,
            Status::Done => from.is_locked(),
            Status::Draft | Status::Closed | Status::Cancelled => false,
        };
        if reopens {
            let (ticket, by) = (ticket.clone(), by.clone());
            self.push(&proto::TicketReopened { ticket, previous_status, by });
        }
        match to {
            Status::Done => self.push(&proto::TicketDone { ticket, previous_status, by }),
            Status::Closed => self.push(&proto::TicketClosed { ticket, previous_status, by }),
            Status::Cancelled => self.push(&proto::TicketCancelled { ticket, previous_status, by }),
            Status::Open if !reopens => self.push(&proto::TicketUnassigned { ticket, previous_status, by }),
            Status::Assigned if !reopens => self.push(&proto::TicketAssigned { ticket, previous_status, by }),
            Status::InProgress if !reopens => {
                self.push(&proto::TicketStarted { ticket, previous_status, by })
            }
            // Reopened: said above. Nothing becomes DRAFT (T-7).
            Status::Draft | Status::Open | Status::Assigned | Status::InProgress => {}
        }
    }

    /// Who is involved changed without a change of status.
    fn involved(&mut self) {
        let (Some(before), Some(after)) = (self.step.before.live(), self.step.after.live()) else { return };
        if before.involved != after.involved && before.status == after.status {
            let previous_involved_employee_ids = before.involved.iter().map(ToString::to_string).collect();
            let ticket = Some(self.facts.clone());
            self.push(&proto::TicketInvolvedChanged { ticket, previous_involved_employee_ids });
        }
    }

    fn edited(&mut self) {
        let (Some(before), Some(after)) = (self.step.before.live(), self.step.after.live()) else { return };
        // Opening a draft gives it its title: that is not editing.
        if before.status == Status::Draft {
            return;
        }
        let fields: Vec<String> = [
            ("title", before.title != after.title),
            ("description", before.description != after.description),
        ]
        .into_iter()
        .filter(|(_, changed)| *changed)
        .map(|(field, _)| field.to_owned())
        .collect();
        if !fields.is_empty() {
            let (ticket, by) = (Some(self.facts.clone()), self.by());
            self.push(&proto::TicketEdited { ticket, fields, by });
        }
    }
}
