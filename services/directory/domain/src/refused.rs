//! How the directory says no.

use callboard_kernel::{ErrorKind, FieldViolation, Rejection};

/// A decision's "no".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// No such thing, or of another organisation, or not for the caller's eyes.
    #[error("no such {0}")]
    NotFound(&'static str),
    /// The id names something already, or did once.
    #[error("this id is taken")]
    IdTaken,
    /// The caller may see it but not do this.
    #[error("{0}")]
    Denied(&'static str),
    /// With isolation on, one hands out only one's own departments.
    #[error("with isolation on, one hands out only one's own departments")]
    ForeignDepartment,
    /// At least one administrator remains.
    #[error("at least one administrator remains")]
    LastAdministrator,
    /// Something else needs it.
    #[error("it still has {by}")]
    InUse {
        /// What needs it, in the plural.
        by: &'static str,
    },
    /// The request contradicts a rule in one field.
    #[error("{field}: {rule}")]
    Field {
        /// The field.
        field: &'static str,
        /// The rule.
        rule: &'static str,
    },
    /// The state does not allow it.
    #[error("{message}")]
    State {
        /// Stable reason.
        reason: &'static str,
        /// For a person.
        message: &'static str,
    },
    /// D-3: five wrong PINs; try again later.
    #[error("too many wrong PINs; try again later")]
    PinLocked,
    /// The PIN was changed while it was being checked.
    #[error("the PIN changed meanwhile")]
    PinChanged,
    /// D-3: deactivated or unpaired.
    #[error("{message}")]
    NotAdmitted {
        /// Stable reason.
        reason: &'static str,
        /// For a person.
        message: &'static str,
    },
    /// The refresh token is none of this session's, or the session is over.
    #[error("the session is over")]
    SessionEnded,
}

impl Rejection for Refused {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NotFound(_) => ErrorKind::NotFound,
            Self::IdTaken => ErrorKind::AlreadyExists,
            Self::Denied(_) | Self::ForeignDepartment | Self::NotAdmitted { .. } => {
                ErrorKind::PermissionDenied
            }
            Self::LastAdministrator | Self::InUse { .. } | Self::State { .. } => {
                ErrorKind::FailedPrecondition
            }
            Self::Field { .. } => ErrorKind::InvalidArgument,
            Self::PinLocked => ErrorKind::ResourceExhausted,
            Self::PinChanged => ErrorKind::Aborted,
            Self::SessionEnded => ErrorKind::Unauthenticated,
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::NotFound(_) => "NOT_FOUND",
            Self::IdTaken => "ID_TAKEN",
            Self::Denied(_) => "PERMISSION_DENIED",
            Self::ForeignDepartment => "FOREIGN_DEPARTMENT",
            Self::LastAdministrator => "LAST_ADMINISTRATOR",
            Self::InUse { .. } => "IN_USE",
            Self::Field { .. } => "INVALID_FIELDS",
            Self::State { reason, .. } | Self::NotAdmitted { reason, .. } => reason,
            Self::PinLocked => "PIN_LOCKED",
            Self::PinChanged => "PIN_CHANGED",
            Self::SessionEnded => "SESSION_ENDED",
        }
    }

    fn violations(&self) -> Vec<FieldViolation> {
        match self {
            Self::Field { field, rule } => vec![FieldViolation::new(*field, *rule)],
            _ => Vec::new(),
        }
    }
}
