//! How a ticket says no.

use callboard_kernel::{ErrorKind, FieldViolation, Rejection as Refuses};

/// Why not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// No such ticket, or one the caller may not see, or deleted.
    #[error("no such ticket")]
    NotFound,
    /// The permission table says no.
    #[error("not allowed: {0}")]
    Denied(&'static str),
    /// There is a ticket of this id.
    #[error("there is a ticket of this id already")]
    Exists,
    /// Wrong fields.
    #[error("{}", describe(.0))]
    Fields(Vec<FieldViolation>),
    /// T-4: required steps have no answer.
    #[error("not answered yet: {}", .0.join(", "))]
    Missing(Vec<String>),
    /// T-7: a draft only becomes OPEN or is deleted.
    #[error("the ticket is a draft: submit it or delete it")]
    IsDraft,
    /// T-2: only a draft is answered and submitted.
    #[error("the ticket is not a draft any more")]
    NotDraft,
    /// T-1: the device of the draft was removed.
    #[error("the device was removed: the draft can only be deleted")]
    DeviceRemoved,
    /// T-7: nothing goes back to DRAFT.
    #[error("nothing goes back to DRAFT")]
    NoWayBack,
    /// T-9: CLOSED and CANCELLED lock people from outside out of writing.
    #[error("the ticket is closed or cancelled: it can be read, but not written on")]
    Locked,
    /// T-10: from outside, a ticket is cancelled only while OPEN.
    #[error("the ticket is not OPEN any more: it cannot be cancelled from outside")]
    NotOpen,
    /// T-9: only CLOSED and CANCELLED are reopened.
    #[error("only a closed or cancelled ticket is reopened; otherwise set its status")]
    NotClosed,
    /// The most updates are written.
    #[error("a ticket has at most {} updates", crate::MAX_UPDATES)]
    TooManyUpdates,
}

impl Rejection {
    /// One wrong field.
    pub(crate) fn field(field: &str, rule: impl Into<String>) -> Self {
        Self::Fields(vec![FieldViolation::new(field, rule)])
    }
}

fn describe(violations: &[FieldViolation]) -> String {
    violations
        .iter()
        .map(|violation| format!("{}: {}", violation.field, violation.description))
        .collect::<Vec<_>>()
        .join("; ")
}

impl Refuses for Rejection {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NotFound => ErrorKind::NotFound,
            Self::Denied(_) => ErrorKind::PermissionDenied,
            Self::Exists => ErrorKind::AlreadyExists,
            Self::Fields(_) => ErrorKind::InvalidArgument,
            Self::Missing(_)
            | Self::IsDraft
            | Self::NotDraft
            | Self::DeviceRemoved
            | Self::NoWayBack
            | Self::Locked
            | Self::NotOpen
            | Self::NotClosed
            | Self::TooManyUpdates => ErrorKind::FailedPrecondition,
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::NotFound => "NOT_FOUND",
            Self::Denied(_) => "PERMISSION_DENIED",
            Self::Exists => "ALREADY_EXISTS",
            Self::Fields(_) => "INVALID_FIELDS",
            Self::Missing(_) => "STEPS_MISSING",
            Self::IsDraft => "TICKET_IS_DRAFT",
            Self::NotDraft => "TICKET_NOT_DRAFT",
            Self::DeviceRemoved => "DEVICE_REMOVED",
            Self::NoWayBack => "NO_WAY_BACK_TO_DRAFT",
            Self::Locked => "TICKET_LOCKED",
            Self::NotOpen => "TICKET_NOT_OPEN",
            Self::NotClosed => "TICKET_NOT_CLOSED",
            Self::TooManyUpdates => "TOO_MANY_UPDATES",
        }
    }

    fn violations(&self) -> Vec<FieldViolation> {
        match self {
            Self::Fields(violations) => violations.clone(),
            Self::NotFound
            | Self::Denied(_)
            | Self::Exists
            | Self::Missing(_)
            | Self::IsDraft
            | Self::NotDraft
            | Self::DeviceRemoved
            | Self::NoWayBack
            | Self::Locked
            | Self::NotOpen
            | Self::NotClosed
            | Self::TooManyUpdates => Vec::new(),
        }
    }
}
