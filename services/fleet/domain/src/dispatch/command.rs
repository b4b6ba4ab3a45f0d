//! What can be asked of a dispatch, and what can happen to it.

use std::sync::Arc;

use callboard_kernel::{Actor, DepartmentId, EmployeeId, Isolation, Timestamp};
use chrono::TimeDelta;

use crate::dispatch::{Assignment, Offer, OfferStatus, Round};
use crate::{Device, Expansion, GroupId, OfferId, Sight, Ticket};

/// A round to be made: a group expanded from the read copies, and its terms.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// The group; `None`: the template has none, so nobody is eligible.
    pub group: Option<GroupId>,
    /// The people in it (F-2).
    pub expansion: Expansion,
    /// How many may accept; 0: unlimited (F-7).
    pub required_workers: u32,
    /// Offers end after it (F-9).
    pub offer_lifetime: Option<TimeDelta>,
    /// Without an acceptance the next group is asked after it (F-9).
    pub escalate_after: Option<TimeDelta>,
}

/// An employee whom somebody wants to ask or assign, as the directory last told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Who.
    pub id: EmployeeId,
    /// Departments, for isolation.
    pub departments: Vec<DepartmentId>,
}

/// What became of an employee (F-8).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Left the organisation.
    Left,
    /// Is there, with these departments under this isolation.
    Present {
        /// Departments; none: sees all.
        departments: Vec<DepartmentId>,
        /// The organisation's isolation.
        isolation: Isolation,
    },
}

impl Standing {
    /// Whether the employee may hold an offer of the ticket, which is on this device, or work on it (F-8).
    pub fn may_hold(&self, ticket: &Ticket, device: Option<&Device>) -> bool {
        match self {
            Self::Left => false,
            Self::Present { departments, isolation } => {
                isolation.admits(departments, ticket.departments_now(device))
            }
        }
    }
}

/// What can be asked of a [`Dispatch`](crate::Dispatch).
///
/// Those by hand carry what, besides ticket and caller, decides whether the caller may see the ticket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DispatchCommand {
    /// The tickets context told of the ticket. Ended: open offers are cancelled. With a plan and the ticket OPEN: a
    /// round goes out to those who have none (F-2, T-9).
    Observe {
        /// The facts.
        ticket: Arc<Ticket>,
        /// The round, when the ticket opened or opened again.
        plan: Option<Plan>,
        /// Involved employees who left or no longer see the ticket: checked when it opens again, because those of an
        /// ended ticket stay on record (F-8).
        gone: Vec<EmployeeId>,
    },
    /// The ticket was deleted (T-11).
    Delete,
    /// The caller takes the ticket (F-5, F-7).
    Accept {
        /// How far the caller sees.
        sight: Sight,
        /// The caller's own offer.
        offer: OfferId,
    },
    /// The caller does not take the ticket (F-5).
    Decline {
        /// How far the caller sees.
        sight: Sight,
        /// The caller's own offer.
        offer: OfferId,
        /// At most 500 characters.
        reason: Option<String>,
    },
    /// The caller opened the ticket's details (F-3).
    MarkSeen {
        /// How far the caller sees.
        sight: Sight,
    },
    /// Offers the ticket to somebody (F-6).
    Request {
        /// How far the caller sees.
        sight: Sight,
        /// To whom.
        candidate: Candidate,
    },
    /// Assigns somebody (F-6).
    Assign {
        /// How far the caller sees.
        sight: Sight,
        /// Whom.
        candidate: Candidate,
    },
    /// Takes offer and assignment away (F-6).
    Cancel {
        /// How far the caller sees.
        sight: Sight,
        /// From whom.
        employee: EmployeeId,
    },
    /// An employee left or sees other things than before, or the device came to other departments (F-8).
    Review {
        /// Who.
        employee: EmployeeId,
        /// What became of them.
        standing: Standing,
        /// The ticket's device; `None`: the directory has not told of it.
        device: Option<Arc<Device>>,
    },
    /// The lifetime of a round's offers ended (F-9).
    Expire {
        /// The round.
        round: u32,
    },
    /// A group's time is over (F-9).
    Escalate {
        /// The round whose time it is.
        round: u32,
        /// The next group; `None`: there is none, and it stays with those asked.
        plan: Option<Plan>,
    },
}

/// The terms a round was made on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// How many may be assigned from now on; 0: unlimited (F-7).
    pub required_workers: u32,
    /// When the round's offers end (F-9).
    pub expires_at: Option<Timestamp>,
    /// When the next group is asked (F-9).
    pub escalates_at: Option<Timestamp>,
}

/// What can happen to a [`Dispatch`](crate::Dispatch).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DispatchEvent {
    /// The ticket is known, or known anew.
    TicketObserved {
        /// The facts.
        ticket: Arc<Ticket>,
    },
    /// The ticket is gone for good (T-11).
    TicketDeleted,
    /// A round was made (F-2, F-10).
    RoundMade {
        /// Its record.
        round: Arc<Round>,
        /// Its offers.
        offers: Vec<Offer>,
        /// `None`: by hand, the terms stay.
        terms: Option<Terms>,
    },
    /// An offer moved on: seen, accepted, declined, cancelled, expired, rescinded.
    OfferChanged {
        /// After it.
        offer: Offer,
        /// Where it stood before.
        previous: OfferStatus,
    },
    /// Somebody became involved.
    Assigned {
        /// How.
        assignment: Assignment,
    },
    /// Somebody is involved no more.
    AssignmentCancelled {
        /// Who.
        employee: EmployeeId,
        /// By whom.
        by: Actor,
    },
    /// Nobody of one group accepted in time; the next was asked (F-9).
    Escalated {
        /// From.
        from: GroupId,
        /// To.
        to: GroupId,
    },
    /// Nobody is left who could take the ticket (F-11).
    Unserved {
        /// True: nobody was eligible; false: all declined, let it expire, or lost it.
        nobody_eligible: bool,
    },
}
