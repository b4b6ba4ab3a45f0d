//! What fleet knows of a ticket and its device: copies of facts, kept by events of tickets and of the directory.

use std::sync::Arc;

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

/// A device as the directory told last, as far as it decides who sees the tickets on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// The device's version these facts are of.
    pub version: i64,
    /// Whose it is.
    pub customer: Option<CustomerId>,
    /// For isolation.
    pub departments: Vec<DepartmentId>,
    /// It was removed. Its tickets stay, for employees.
    pub removed: bool,
}

/// What decides, besides ticket and caller, who sees a ticket.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sight {
    /// The organisation's isolation.
    pub isolation: Isolation,
    /// The ticket's device; `None`: the directory has not told of it, or it makes no difference to the caller.
    pub device: Option<Arc<Device>>,
}

impl From<Isolation> for Sight {
    fn from(isolation: Isolation) -> Self {
        Self { isolation, device: None }
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
    /// The version of the device that `customer` and `departments` are of; 0: not told.
    pub device_version: i64,
    /// The device's customer when the ticket opened; routes meta teams, whoever owns it since (F-2, D-5).
    pub customer: Option<CustomerId>,
    /// The group the flow names; `None`: the template's first (F-1).
    pub group: Option<GroupId>,
    /// Who is told when nobody serves it (F-11); opaque here.
    pub notification_group: Option<uuid::Uuid>,
    /// Where it stands.
    pub status: TicketStatus,
    /// Who may see it.
    pub visibility: Visibility,
    /// The device's departments when the ticket opened.
    pub departments: Vec<DepartmentId>,
}

impl Ticket {
    /// True when the facts say the same, whatever version they are of.
    pub fn same_facts(&self, other: &Self) -> bool {
        Self { version: other.version, ..self.clone() } == *other
    }

    /// The device, unless what the ticket itself tells of it is newer: the two come on ways of their own.
    fn newer<'a>(&self, device: Option<&'a Device>) -> Option<&'a Device> {
        device.filter(|device| device.version >= self.device_version)
    }

    /// The departments that decide who sees the ticket: the device's as they are now, not as they were when the ticket
    /// opened. The tickets context judges the same way.
    pub fn departments_now<'a>(&'a self, device: Option<&'a Device>) -> &'a [DepartmentId] {
        self.newer(device).map_or(&self.departments, |device| &device.departments)
    }

    /// Whether the caller may see the ticket (table of actors, department isolation). A customer user sees what is on
    /// the own company's devices, except what opened while the device was another company's: a device may be sold, its
    /// former owner's reports are not.
    pub fn visible_to(&self, principal: &Principal, sight: &Sight) -> bool {
        let device = sight.device.as_deref();
        match &principal.subject {
            Subject::System => true,
            Subject::Employee(employee) => {
                sight.isolation.admits(&employee.departments, self.departments_now(device))
            }
            Subject::CodeUser(user) => self.visibility == Visibility::Public && user.device == self.device,
            Subject::CustomerUser(user) => {
                let owns = self.newer(device).map_or(self.customer == Some(user.customer), |device| {
                    !device.removed && device.customer == Some(user.customer)
                });
                self.visibility == Visibility::Public
                    && owns
                    && self.customer.is_none_or(|customer| customer == user.customer)
            }
        }
    }
}
