//! The three lists of a ticket (F-4).

use std::collections::HashSet;

use callboard_fleet_domain::dispatch::{Assignment, Offer, OfferStatus};
use callboard_kernel::{EmployeeId, Principal, TicketId, Version};
use callboard_proto::fleet::v1 as proto;

use crate::convert;

/// The most employees in *available* (F-4).
pub const MAX_AVAILABLE: usize = 1_000;

/// The three lists of a ticket (F-4).
pub struct Lists<'a> {
    /// The ticket.
    pub id: TicketId,
    /// The newest of each employee, in order.
    pub offers: &'a [Offer],
    /// In order.
    pub assignments: &'a [Assignment],
    /// Every employee who may see the ticket, at least [`MAX_AVAILABLE`] of those in neither of the other lists.
    pub may_see: &'a [EmployeeId],
}

impl Lists<'_> {
    /// As it is read.
    pub fn message(&self, principal: &Principal, required_workers: i32, version: Version) -> proto::Dispatch {
        let assigned: Vec<EmployeeId> =
            self.assignments.iter().map(|assignment| assignment.employee).collect();
        // Whose offer was taken back is available again (F-6); whoever accepted is assigned.
        let requested: Vec<&Offer> = self
            .offers
            .iter()
            .filter(|offer| {
                !matches!(offer.status, OfferStatus::Cancelled | OfferStatus::Accepted)
                    && !assigned.contains(&offer.employee)
            })
            .collect();
        let taken: HashSet<EmployeeId> =
            assigned.iter().copied().chain(requested.iter().map(|offer| offer.employee)).collect();
        let own = principal.employee().map(|employee| employee.id);
        let own_offer = requested.iter().find(|offer| Some(offer.employee) == own && offer.status.is_open());
        proto::Dispatch {
            ticket_id: self.id.to_string(),
            own_offer_id: own_offer.map(|offer| offer.id.to_string()).unwrap_or_default(),
            assigned: self.assignments.iter().map(convert::assignment).collect(),
            requested: requested.iter().map(|offer| convert::offer(self.id.uuid(), offer, version)).collect(),
            available_employee_ids: self
                .may_see
                .iter()
                .filter(|employee| !taken.contains(employee))
                .take(MAX_AVAILABLE)
                .map(ToString::to_string)
                .collect(),
            required_workers,
            may_manage: principal.is_moderator(),
            etag: version.etag(),
        }
    }
}
