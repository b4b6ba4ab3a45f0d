//! How a dispatch says no.

use callboard_kernel::{ErrorKind, FieldViolation, Rejection};

use crate::dispatch::{MAX_REASON, OfferStatus};

/// How a [`Dispatch`](crate::Dispatch) says no.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DispatchRejection {
    /// No such ticket, or none the caller may see.
    #[error("no such ticket")]
    NoTicket,
    /// No such offer.
    #[error("no such offer")]
    NoOffer,
    /// The table of actors forbids it.
    #[error("{0}")]
    Denied(&'static str),
    /// The ticket has the workers it needs (F-7).
    #[error("the ticket has all the workers it asked for")]
    Filled,
    /// The offer was answered or ended.
    #[error("the offer is {0} and can no longer be answered")]
    OfferNotOpen(OfferStatus),
    /// CLOSED or CANCELLED.
    #[error("the ticket is closed or cancelled")]
    TicketEnded,
    /// Already involved.
    #[error("the employee is already involved")]
    AlreadyInvolved,
    /// The employee may not see the ticket.
    #[error("the employee may not see the ticket (department isolation)")]
    EmployeeMayNotSee,
    /// The reason of a decline is too long, or cannot be shown.
    #[error("reason: at most {MAX_REASON} characters, no control characters")]
    InvalidReason,
}

impl Rejection for DispatchRejection {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NoTicket | Self::NoOffer => ErrorKind::NotFound,
            Self::Denied(_) => ErrorKind::PermissionDenied,
            Self::Filled
            | Self::OfferNotOpen(_)
            | Self::TicketEnded
            | Self::AlreadyInvolved
            | Self::EmployeeMayNotSee => ErrorKind::FailedPrecondition,
            Self::InvalidReason => ErrorKind::InvalidArgument,
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::NoTicket | Self::NoOffer => "NOT_FOUND",
            Self::Denied(_) => "PERMISSION_DENIED",
            Self::Filled => "OFFER_FILLED",
            Self::OfferNotOpen(_) => "OFFER_NOT_OPEN",
            Self::TicketEnded => "TICKET_ENDED",
            Self::AlreadyInvolved => "ALREADY_INVOLVED",
            Self::EmployeeMayNotSee => "EMPLOYEE_MAY_NOT_SEE",
            Self::InvalidReason => "INVALID_FIELDS",
        }
    }

    fn violations(&self) -> Vec<FieldViolation> {
        match self {
            Self::InvalidReason => {
                vec![FieldViolation::new("reason", "at most 500 characters, no control characters (F-5)")]
            }
            _ => Vec::new(),
        }
    }
}
