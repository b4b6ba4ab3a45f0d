//! What is known of a subject and its rating.

use std::sync::Arc;

use callboard_kernel::{
    Actor, CustomerId, DepartmentId, DeviceId, EmployeeId, Isolation, Principal, TemplateId, Timestamp,
};

use crate::request::RequestEvent;
use crate::words;

words! {
    /// What is rated.
    SubjectKind as "subject kind" {
        /// A ticket.
        Ticket = "TICKET",
        /// A video session.
        VideoSession = "VIDEO_SESSION",
    }
}

words! {
    /// Who may see the subject.
    Visibility as "visibility" {
        /// Employees only: never asked about.
        Internal = "INTERNAL",
        /// Also code users and customer users of the device.
        Public = "PUBLIC",
    }
}

words! {
    /// Where the asking stands.
    Standing as "rating state" {
        /// Not asked so far.
        Unasked = "UNASKED",
        /// Asked, not answered.
        Requested = "REQUESTED",
        /// Answered.
        Submitted = "SUBMITTED",
        /// Nothing is asked: switched off or internal.
        Waived = "WAIVED",
        /// No longer asked: closed by hand, cancelled or opened again.
        Withdrawn = "WITHDRAWN",
    }
}

/// A device as the directory told last, as far as it decides who sees the subjects on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// The device's version these facts are of.
    pub version: i64,
    /// Whose it is.
    pub customer: Option<CustomerId>,
    /// For isolation.
    pub departments: Vec<DepartmentId>,
    /// It was removed. What was on it stays, for employees.
    pub removed: bool,
}

/// What decides, besides subject and caller, who sees a subject.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sight {
    /// The organisation's isolation.
    pub isolation: Isolation,
    /// The subject's device; `None`: the directory has not told of it, or it makes no difference to the caller.
    pub device: Option<Arc<Device>>,
}

/// The facts of a subject that ratings keep a copy of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// What it is.
    pub kind: SubjectKind,
    /// The version these facts are of; older facts never replace newer ones.
    pub version: i64,
    /// The device it is about.
    pub device: DeviceId,
    /// The device's template: its switches and figures.
    pub template: TemplateId,
    /// The version of the device that `customer` and `departments` are of; 0: not told.
    pub device_version: i64,
    /// The device's customer when the subject was made or opened.
    pub customer: Option<CustomerId>,
    /// Who may see it.
    pub visibility: Visibility,
    /// The device's departments when the subject was made or opened.
    pub departments: Vec<DepartmentId>,
    /// Who worked on it.
    pub involved: Vec<EmployeeId>,
    /// How many times it has become DONE.
    pub done_round: i32,
}

impl Subject {
    /// True when the facts say the same, whatever version they are of.
    pub fn same_facts(&self, other: &Self) -> bool {
        Self { version: other.version, ..self.clone() } == *other
    }

    /// Whether the caller may see the subject (table of actors, department isolation), judged by the device as it is
    /// now, unless what the subject itself tells of it is newer: the two come on ways of their own.
    ///
    /// A customer user sees what is on the own company's devices, except what is from when the device was another
    /// company's: a device may be sold, its former owner's reports are not. The tickets context judges the same way.
    pub fn visible_to(&self, principal: &Principal, sight: &Sight) -> bool {
        use callboard_kernel::Subject as Who;
        let device = sight.device.as_deref().filter(|device| device.version >= self.device_version);
        match &principal.subject {
            Who::System => true,
            Who::Employee(employee) => {
                let departments = device.map_or(&self.departments, |device| &device.departments);
                sight.isolation.admits(&employee.departments, departments)
            }
            Who::CodeUser(user) => self.visibility == Visibility::Public && user.device == self.device,
            Who::CustomerUser(user) => {
                let owns = device.map_or(self.customer == Some(user.customer), |device| {
                    !device.removed && device.customer == Some(user.customer)
                });
                self.visibility == Visibility::Public
                    && owns
                    && self.customer.is_none_or(|customer| customer == user.customer)
            }
        }
    }
}

/// A rating as given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// 1 to 5.
    pub score: i32,
    /// At most 2,000 characters; may be empty.
    pub comment: String,
    /// A code user or customer user.
    pub author: Actor,
    /// When.
    pub at: Timestamp,
}

/// What a [`RatingRequest`](crate::RatingRequest) knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestState {
    /// The subject; `None`: never heard of, or deleted.
    pub subject: Option<Arc<Subject>>,
    /// It was deleted (T-11): nothing is kept but this.
    pub deleted: bool,
    /// Where the asking stands.
    pub standing: Standing,
    /// The DONE that was asked or waived last; 0: none.
    pub asked_round: i32,
    /// When it was asked last.
    pub requested_at: Option<Timestamp>,
    /// The rating in force. A new question keeps it until the new rating replaces it.
    pub given: Option<Given>,
}

impl Default for RequestState {
    fn default() -> Self {
        Self {
            subject: None,
            deleted: false,
            standing: Standing::Unasked,
            asked_round: 0,
            requested_at: None,
            given: None,
        }
    }
}

impl RequestState {
    /// Whether this caller may rate now: the buttons of a screen.
    pub fn may_submit(&self, principal: &Principal, sight: &Sight) -> bool {
        self.standing == Standing::Requested
            && principal.is_outsider()
            && self.subject.as_ref().is_some_and(|subject| subject.visible_to(principal, sight))
    }

    pub(super) fn apply(&mut self, event: &RequestEvent) {
        match event {
            RequestEvent::Observed { subject } => self.subject = Some(Arc::clone(subject)),
            RequestEvent::Deleted => *self = Self { deleted: true, ..Self::default() },
            RequestEvent::Requested { at } => {
                self.standing = Standing::Requested;
                self.requested_at = Some(*at);
                self.asked_round = self.done_round();
            }
            RequestEvent::Waived => {
                self.standing = Standing::Waived;
                self.asked_round = self.done_round();
            }
            RequestEvent::Withdrawn => self.standing = Standing::Withdrawn,
            RequestEvent::Submitted { given, .. } => {
                self.standing = Standing::Submitted;
                self.given = Some(given.clone());
            }
        }
    }

    fn done_round(&self) -> i32 {
        self.subject.as_ref().map_or(0, |subject| subject.done_round)
    }
}
