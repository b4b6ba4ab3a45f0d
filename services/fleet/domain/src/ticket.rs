//! What fleet knows of a ticket: a copy of facts, kept by events of the tickets context.

use callboard_kernel::{CustomerId, DepartmentId, DeviceId, Isolation, Principal, Subject, TemplateId};

use crate::{GroupId, words};

words! {
    /// Where the ticket stands. DRAFT is unknown here: no offer goes out before OPEN (T-2).
    TicketStatus as "ticket status" {
        /// Nobody has it yet.
        Open = "OPEN",
        /// Somebody has it.
        Assigned = "ASSIGNED",
        /// Being worked on.
        InProgress = "IN_PROGRESS",
        /// Worked off, maybe still to be rated.
        Done = "DONE",
        /// Over.
        Closed = "CLOSED",
        /// Called off.
        Cancelled = "CANCELLED",
    }
}

impl TicketStatus {
    /// CLOSED and CANCELLED: nobody is asked any more.
    pub const fn is_ended(self) -> bool {
        matches!(self, Self::Closed | Self::Cancelled)
    }
}

words! {
    /// Who may see the ticket.
    Visibility as "visibility" {
        /// Employees only.
        Internal = "INTERNAL",
        /// Also code users and customer users of the device.
        Public = "PUBLIC",
    }
}

/// The facts of a ticket that decide who is offered it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket {
    /// The ticket's version these facts are of; older facts never replace newer ones.
    pub version: i64,
    /// Whose groups apply (F-1).
    pub template: TemplateId,
    /// The device it hangs on.
    pub device: DeviceId,
    /// The device's customer when the ticket opened; routes meta teams (F-2, D-5).
    pub customer: Option<CustomerId>,
    /// The group the flow names; `None`: the template's first (F-1).
    pub group: Option<GroupId>,
    /// Who is told when nobody serves it (F-11); opaque here.
    pub notification_group: Option<uuid::Uuid>,
    /// Where it stands.
    pub status: TicketStatus,
    /// Who may see it.
    pub visibility: Visibility,
    /// The device's departments, for isolation.
    pub departments: Vec<DepartmentId>,
}

impl Ticket {
    /// True when the facts say the same, whatever version they are of.
    pub fn same_facts(&self, other: &Self) -> bool {
        Self { version: other.version, ..self.clone() } == *other
    }

    /// Whether the caller may see the ticket (table of actors, department isolation).
    pub fn visible_to(&self, principal: &Principal, isolation: Isolation) -> bool {
        match &principal.subject {
            Subject::System => true,
            Subject::Employee(employee) => isolation.admits(&employee.departments, &self.departments),
            Subject::CodeUser(user) => self.visibility == Visibility::Public && user.device == self.device,
            Subject::CustomerUser(user) => {
                self.visibility == Visibility::Public && Some(user.customer) == self.customer
            }
        }
    }
}
