//! What a dispatch knows, and how events change it.

use std::collections::BTreeMap;
use std::sync::Arc;

use callboard_kernel::{Actor, EmployeeId, Timestamp};

use crate::dispatch::DispatchEvent;
use crate::group::MAX_WORKERS;
use crate::{GroupId, LeftOut, OfferId, Ticket, words};

words! {
    /// Where an offer stands (F-3).
    OfferStatus as "offer status" {
        /// Sent.
        Unseen = "UNSEEN",
        /// That employee opened the ticket's details.
        Seen = "SEEN",
        /// Taken.
        Accepted = "ACCEPTED",
        /// Not taken.
        Declined = "DECLINED",
        /// Taken back.
        Cancelled = "CANCELLED",
        /// Its lifetime ended (F-9).
        Expired = "EXPIRED",
        /// Others filled the ticket (F-7).
        Rescinded = "RESCINDED",
    }
}

impl OfferStatus {
    /// UNSEEN and SEEN: it can still be answered.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Unseen | Self::Seen)
    }
}

words! {
    /// How somebody became involved.
    AssignmentSource as "assignment source" {
        /// Accepted an offer.
        Accepted = "ACCEPTED",
        /// Was assigned by a moderator or administrator (F-6).
        Assigned = "ASSIGNED",
    }
}

/// An invitation to one employee to take the ticket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// Its id.
    pub id: OfferId,
    /// To whom.
    pub employee: EmployeeId,
    /// Where it stands.
    pub status: OfferStatus,
    /// Which round made it.
    pub round: u32,
    /// On DECLINED, where given: at most 500 characters (F-5).
    pub decline_reason: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When that employee first opened the ticket.
    pub seen_at: Option<Timestamp>,
    /// When it was answered, cancelled, expired or rescinded.
    pub decided_at: Option<Timestamp>,
    /// When it ends by itself (F-9).
    pub expires_at: Option<Timestamp>,
}

/// One employee working on the ticket. There is at most one per employee, so it has exactly one source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// Who.
    pub employee: EmployeeId,
    /// How it came about.
    pub source: AssignmentSource,
    /// Who did it: the employee who accepted, or who assigned.
    pub by: Actor,
    /// When.
    pub created_at: Timestamp,
}

/// One round of offers: who was eligible, who was left out and why (F-10).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Round {
    /// 1, 2, 3 …
    pub number: u32,
    /// Whose group; `None`: requested by hand, or the template has no groups.
    pub group: Option<GroupId>,
    /// Everyone who got an offer.
    pub eligible: Vec<EmployeeId>,
    /// Everyone of the group who did not.
    pub left_out: Vec<LeftOut>,
    /// When.
    pub created_at: Timestamp,
}

/// What a [`Dispatch`](crate::Dispatch) knows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DispatchState {
    /// The ticket; `None`: never heard of, or deleted.
    pub ticket: Option<Arc<Ticket>>,
    /// The ticket was deleted (T-11): nothing is kept but this.
    pub deleted: bool,
    /// The newest offer of each employee.
    pub offers: BTreeMap<EmployeeId, Offer>,
    /// Offers that a newer one to the same employee replaced.
    pub replaced: Vec<Arc<Offer>>,
    /// Who is involved.
    pub assignments: BTreeMap<EmployeeId, Assignment>,
    /// All rounds, by number.
    pub rounds: Vec<Arc<Round>>,
    /// How many may be assigned; 0: unlimited (F-7).
    pub required_workers: u32,
    /// The round whose group waits to be escalated (F-9); `None`: nothing waits.
    pub escalating: Option<u32>,
}

impl DispatchState {
    /// True when no more can be assigned (F-7).
    pub fn is_filled(&self) -> bool {
        self.would_be_filled(self.required_workers)
    }

    /// True when no more could be assigned if so many workers were asked for; 0: unlimited.
    pub(super) fn would_be_filled(&self, required_workers: u32) -> bool {
        let limit = if required_workers == 0 { MAX_WORKERS } else { required_workers };
        self.assignments.len() >= limit as usize
    }

    /// Offers that can still be answered.
    pub fn open_offers(&self) -> impl Iterator<Item = &Offer> {
        self.offers.values().filter(|offer| offer.status.is_open())
    }

    /// True when somebody has the ticket or may still take it (F-11 asks).
    pub fn is_served(&self) -> bool {
        !self.assignments.is_empty() || self.open_offers().next().is_some()
    }

    /// An offer by id, replaced ones included.
    pub fn offer(&self, id: OfferId) -> Option<&Offer> {
        self.offers
            .values()
            .find(|offer| offer.id == id)
            .or_else(|| self.replaced.iter().map(AsRef::as_ref).find(|offer| offer.id == id))
    }

    /// Ids of those involved.
    pub fn assigned(&self) -> Vec<EmployeeId> {
        self.assignments.keys().copied().collect()
    }

    pub(super) fn apply(&mut self, event: &DispatchEvent) {
        match event {
            DispatchEvent::TicketObserved { ticket } => {
                if ticket.status.is_ended() {
                    self.escalating = None;
                }
                self.ticket = Some(Arc::clone(ticket));
            }
            DispatchEvent::TicketDeleted => *self = Self { deleted: true, ..Self::default() },
            DispatchEvent::RoundMade { round, offers, terms } => {
                for offer in offers {
                    if let Some(replaced) = self.offers.insert(offer.employee, offer.clone()) {
                        self.replaced.push(Arc::new(replaced));
                    }
                }
                if let Some(terms) = terms {
                    self.required_workers = terms.required_workers;
                    self.escalating = terms.escalates_at.map(|_| round.number);
                }
                self.rounds.push(Arc::clone(round));
            }
            DispatchEvent::OfferChanged { offer, .. } => {
                self.offers.insert(offer.employee, offer.clone());
            }
            DispatchEvent::Assigned { assignment, .. } => {
                self.escalating = None;
                self.assignments.insert(assignment.employee, assignment.clone());
            }
            DispatchEvent::AssignmentCancelled { employee, .. } => {
                self.assignments.remove(employee);
            }
            DispatchEvent::Escalated { .. } => self.escalating = None,
            DispatchEvent::Unserved { .. } => {}
        }
    }
}
