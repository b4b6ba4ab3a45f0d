//! A ticket of the support desk.

mod decide;
mod state;
#[cfg(test)]
mod tests;

use callboard_kernel::{
    Actor, Aggregate, DecisionContext, EmployeeId, ErrorKind, EventId, FieldViolation, Rejection, Timestamp,
};

use crate::{Decision, Priority, Status};

pub use state::{Decided, Matter, TicketState};

/// Longest name of a person, account, title.
pub const MAX_NAME: usize = 200;
/// Longest text, note, comment.
pub const MAX_TEXT: usize = 10_000;
/// The most requests that one decision settles (S-4): what an event can tell.
pub const MAX_REQUESTS: usize = 500;

/// One ticket. Its id is derived from the event it arose from, or from the domain and how often it was decided about.
#[derive(Debug)]
pub struct Ticket;

/// Who the caller is to the desk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Standing {
    /// An employee with a support role.
    pub is_agent: bool,
}

/// What can be asked of a [`Ticket`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TicketCommand {
    /// An event of a partner system came (S-1). Opens the ticket; of a domain that is pending already, joins it (S-4).
    Receive {
        /// The event.
        event: EventId,
        /// What it says.
        matter: Box<Matter>,
        /// The domain is on the organisation's list (S-4).
        listed: bool,
    },
    /// Sets the status.
    SetStatus(Standing, Status),
    /// Sets the priority.
    SetPriority(Standing, Priority),
    /// Makes somebody the assignee, or nobody.
    Assign {
        /// Who asks.
        standing: Standing,
        /// To whom.
        to: Option<EmployeeId>,
        /// Whether that is a support agent.
        is_agent: bool,
    },
    /// Decides about the domain.
    Decide(Standing, Decision),
    /// Writes a note.
    AddNote(Standing, String),
    /// Writes a comment.
    AddComment(Standing, String),
    /// An employee is no support agent any more.
    Leave(EmployeeId),
}

/// What can happen to a [`Ticket`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TicketEvent {
    /// It arose (S-1).
    Opened {
        /// Then.
        at: Timestamp,
        /// From this event.
        event: EventId,
        /// About this.
        matter: Box<Matter>,
    },
    /// The domain was asked for again (S-4).
    RequestedAgain {
        /// By this event.
        event: EventId,
    },
    /// The status changed.
    StatusChanged {
        /// From.
        from: Status,
        /// To.
        to: Status,
    },
    /// The priority changed.
    PriorityChanged {
        /// From.
        from: Priority,
        /// To.
        to: Priority,
    },
    /// The assignee changed.
    Assigned {
        /// From.
        from: Option<EmployeeId>,
        /// To.
        to: Option<EmployeeId>,
        /// By whom.
        by: Actor,
    },
    /// The domain was decided about.
    Decided {
        /// Before.
        previous: Option<Decision>,
        /// Now.
        now: Decided,
    },
    /// A note or comment was written.
    Remarked(Remark),
    /// It changed, then. Comes last in every step.
    Touched(Timestamp),
}

/// A note or a comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// 1, 2, 3 … in each ticket.
    pub number: i32,
    /// For staff only.
    pub is_note: bool,
    /// By whom.
    pub author: Actor,
    /// What.
    pub text: String,
}

/// How a [`Ticket`] says no.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TicketRejection {
    /// Not there, or not for these eyes.
    #[error("no such ticket")]
    NoTicket,
    /// To be seen, but not to be done by the requester.
    #[error("this is for support agents")]
    Denied,
    /// Wrong fields.
    #[error("some fields are wrong")]
    Invalid(Vec<FieldViolation>),
    /// No such step.
    #[error("a ticket that is {} cannot become {} by hand", .from.as_str(), .to.as_str())]
    Transition {
        /// From.
        from: Status,
        /// To.
        to: Status,
    },
    /// Only agents work here.
    #[error("the assignee must be a support agent")]
    NotAnAgent,
    /// No domain.
    #[error("only domain approvals are decided")]
    NoDomain,
    /// Nothing decided.
    #[error("a domain approval is solved by its decision")]
    Undecided,
    /// The domain was declined: ask again for a new ticket.
    #[error("the domain was decided about already")]
    AlreadyDecided,
    /// The requester is too late.
    #[error("the ticket is closed")]
    Closed,
    /// Too many ask for one domain.
    #[error("one decision settles at most {MAX_REQUESTS} requests")]
    TooManyRequests,
}

impl Rejection for TicketRejection {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NoTicket => ErrorKind::NotFound,
            Self::Denied => ErrorKind::PermissionDenied,
            Self::Invalid(_) => ErrorKind::InvalidArgument,
            Self::Transition { .. }
            | Self::NotAnAgent
            | Self::NoDomain
            | Self::Undecided
            | Self::AlreadyDecided
            | Self::Closed => ErrorKind::FailedPrecondition,
            Self::TooManyRequests => ErrorKind::ResourceExhausted,
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::NoTicket => "NOT_FOUND",
            Self::Denied => "PERMISSION_DENIED",
            Self::Invalid(_) => "INVALID_FIELDS",
            Self::Transition { .. } => "STATUS_TRANSITION",
            Self::NotAnAgent => "ASSIGNEE_NO_AGENT",
            Self::NoDomain => "NO_DOMAIN",
            Self::Undecided => "DECISION_MISSING",
            Self::AlreadyDecided => "DOMAIN_DECIDED",
            Self::Closed => "TICKET_CLOSED",
            Self::TooManyRequests => "TOO_MANY_REQUESTS",
        }
    }

    fn violations(&self) -> Vec<FieldViolation> {
        match self {
            Self::Invalid(violations) => violations.clone(),
            _ => Vec::new(),
        }
    }
}

impl Aggregate for Ticket {
    const KIND: &'static str = "support_ticket";
    type State = TicketState;
    type Command = TicketCommand;
    type Event = TicketEvent;
    type Rejection = TicketRejection;

    fn decide(
        state: &Self::State,
        command: &Self::Command,
        context: &DecisionContext<'_>,
    ) -> Result<Vec<Self::Event>, Self::Rejection> {
        let mut events = decide::decide(state, command, context)?;
        if !events.is_empty() {
            events.push(TicketEvent::Touched(context.now));
        }
        Ok(events)
    }

    fn evolve(state: &mut Self::State, event: &Self::Event) {
        state.evolve(event);
    }
}
