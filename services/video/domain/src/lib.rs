//! Pure decisions of the video sessions context: who may call whom, when a call begins and ends (V-1 to V-9).
//!
//! Two aggregates: [`Session`] and [`SessionFlow`] (one per template, its id is the template's).

pub mod flow;
pub mod session;

pub use flow::SessionFlow;
pub use session::Session;

use callboard_kernel::{CustomerId, DepartmentId, FieldViolation, Principal, TemplateId};
use serde::{Deserialize, Serialize};

callboard_kernel::define_id! {
    /// A video session.
    SessionId
}
callboard_kernel::define_id! {
    /// One joining of one person; the next joining of the same person is another.
    ConnectionId
}
callboard_kernel::define_id! {
    /// A file.
    FileId
}
callboard_kernel::define_id! {
    /// One open exchange of signals: a browser that was cut off comes back with another.
    StreamId
}

/// The longest name of a requester, in characters.
pub const MAX_NAME: usize = 100;
/// The longest reason, in characters.
pub const MAX_REASON: usize = 500;
/// The most tickets that are linked to one session (V-9).
pub const MAX_TICKETS: usize = 50;

/// The most recordings and screenshots of one session (V-8).
pub const MAX_FILES: usize = 100;

/// Where a device stands: what decides who sees what hangs on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Its template.
    pub template: TemplateId,
    /// Whose it is.
    pub customer: Option<CustomerId>,
    /// For isolation.
    pub departments: Vec<DepartmentId>,
}

pub(crate) use callboard_kernel::words;

words! {
    /// Who sees a session (V-7).
    Visibility as "visibility" {
        /// Employees only.
        Internal = "INTERNAL",
        /// Also code users of the device and users of the customer.
        Public = "PUBLIC",
    }
}

words! {
    /// The two sides of a call (V-1).
    Side as "side" {
        /// The code user or customer user.
        Guest = "GUEST",
        /// The employee.
        Employee = "EMPLOYEE",
    }
}

impl Side {
    /// The side this caller is on; `None`: Callboard itself is on neither.
    pub const fn of(principal: &Principal) -> Option<Self> {
        if principal.is_outsider() {
            Some(Self::Guest)
        } else if principal.employee().is_some() {
            Some(Self::Employee)
        } else {
            None
        }
    }

    /// The other one.
    pub const fn other(self) -> Self {
        match self {
            Self::Guest => Self::Employee,
            Self::Employee => Self::Guest,
        }
    }
}

/// One line of at most so many characters.
fn check_line(field: &str, text: &str, most: usize, violations: &mut Vec<FieldViolation>) {
    if text.chars().count() > most || text.chars().any(char::is_control) {
        let rule = format!("at most {most} characters in one line");
        violations.push(FieldViolation::new(field, rule));
    }
}

/// Lines of together at most so many characters.
fn check_lines(field: &str, text: &str, most: usize, violations: &mut Vec<FieldViolation>) {
    let is_odd = |character: char| character.is_control() && !matches!(character, '\n' | '\r' | '\t');
    if text.chars().count() > most || text.chars().any(is_odd) {
        let rule = format!("at most {most} characters, no control characters");
        violations.push(FieldViolation::new(field, rule));
    }
}

#[cfg(test)]
mod world;
