//! What a ticket knows.

use callboard_kernel::{Actor, EmployeeId, EventId, Principal, Timestamp};

use super::TicketEvent;
use crate::{Decision, Kind, Priority, Status};

/// What a ticket is about: as the partner system told it, the person and account concerned among it (S-5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matter {
    /// What it arose from.
    pub kind: Kind,
    /// In a line. Empty where the type says it all.
    pub title: String,
    /// At length.
    pub text: String,
    /// The partner system's own name for the person; may be empty.
    pub person_id: String,
    /// Its name.
    pub person_name: String,
    /// Its address; may be empty.
    pub person_email: String,
    /// The partner system's own name for the account.
    pub account_id: String,
    /// Its name.
    pub account_name: String,
    /// The plan it is on; may be empty.
    pub plan: String,
    /// The registrable name, of a domain approval.
    pub domain: Option<String>,
    /// Who asks, where that is somebody with a login here.
    pub requester: Option<Actor>,
}

/// A decision about a domain, and who made it (S-4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decided {
    /// What.
    pub decision: Decision,
    /// By whom; the system: by itself.
    pub by: Actor,
    /// When.
    pub at: Timestamp,
}

/// What a [`Ticket`](super::Ticket) knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TicketState {
    /// `None`: it does not exist.
    pub matter: Option<Box<Matter>>,
    /// When it arose.
    pub opened_at: Option<Timestamp>,
    /// When it changed last.
    pub updated_at: Option<Timestamp>,
    /// Where it stands.
    pub status: Status,
    /// How urgent it is.
    pub priority: Priority,
    /// Nobody at first (S-2).
    pub assignee: Option<EmployeeId>,
    /// Of a domain approval.
    pub decided: Option<Decided>,
    /// The events that asked for it, in order.
    pub requests: Vec<EventId>,
    /// How many notes there are.
    pub notes: i32,
    /// How many comments there are.
    pub comments: i32,
}

impl Default for TicketState {
    fn default() -> Self {
        Self {
            matter: None,
            opened_at: None,
            updated_at: None,
            status: Status::New,
            priority: Priority::Normal,
            assignee: None,
            decided: None,
            requests: Vec::new(),
            notes: 0,
            comments: 0,
        }
    }
}

impl TicketState {
    /// Whether this is the requester of care coordination, who sees the ticket and its comments (S-2).
    pub fn is_requester(&self, principal: &Principal) -> bool {
        self.matter.as_ref().is_some_and(|matter| {
            matter.kind == Kind::CareCoordination && matter.requester == Some(principal.actor())
        })
    }

    pub(super) fn evolve(&mut self, event: &TicketEvent) {
        match event {
            TicketEvent::Opened { event, matter, at } => {
                self.opened_at = Some(*at);
                self.matter = Some(matter.clone());
                self.requests.push(*event);
            }
            TicketEvent::RequestedAgain { event } => self.requests.push(*event),
            TicketEvent::StatusChanged { to, .. } => self.status = *to,
            TicketEvent::PriorityChanged { to, .. } => self.priority = *to,
            TicketEvent::Assigned { to, .. } => self.assignee = *to,
            TicketEvent::Decided { now, .. } => self.decided = Some(*now),
            TicketEvent::Remarked(remark) if remark.is_note => self.notes += 1,
            TicketEvent::Remarked(_) => self.comments += 1,
            TicketEvent::Touched(at) => self.updated_at = Some(*at),
        }
    }
}
