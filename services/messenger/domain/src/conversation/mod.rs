//! The conversation of a ticket (M-1).

mod decide;
mod state;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use callboard_kernel::{
    Actor, Aggregate, DecisionContext, EmployeeId, ErrorKind, FieldViolation, Rejection, Timestamp,
};
use chrono::TimeDelta;
use uuid::Uuid;

pub use state::{
    ConversationState, Device, MAX_MARKERS, MAX_TOUCHED, MAX_WRITERS, Marker, Message, MessageKind,
    RECENT_CLIENTS, Sight, Ticket, Touched, client_key,
};

/// The most attachments of a message.
pub const MAX_ATTACHMENTS: usize = 20;
/// The longest client id, in characters.
pub const MAX_CLIENT_ID: usize = 64;

/// The conversation of a ticket. Its id is the ticket's.
#[derive(Debug)]
pub struct Conversation;

/// What can be asked of a [`Conversation`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConversationCommand {
    /// The tickets context told of the ticket, which is no draft (M-3).
    Observe {
        /// Its facts.
        ticket: Arc<Ticket>,
    },
    /// Fleet told who is involved.
    Involve {
        /// Everybody involved now.
        employees: Vec<EmployeeId>,
        /// Fleet's version of it.
        version: i64,
    },
    /// The ticket was deleted (T-11).
    Delete,
    /// Somebody says something.
    Send {
        /// How far the caller sees.
        sight: Sight,
        /// 1 to 64 visible ASCII characters (M-4).
        client_id: String,
        /// At most 4,000 characters.
        text: String,
        /// At most 20.
        attachments: Vec<Uuid>,
    },
    /// Callboard posts the join link of a video session, once per session (M-7).
    PostJoinLink {
        /// The session.
        session: Uuid,
        /// The link, as text.
        text: String,
    },
    /// An author changes what was said (M-6).
    Edit {
        /// How far the caller sees.
        sight: Sight,
        /// The message as it was read before.
        message: Arc<Message>,
        /// The revision the caller saw; `None`: whichever.
        expected: Option<i32>,
        /// What it says from now on.
        text: String,
        /// How long after sending it may be changed.
        window: TimeDelta,
    },
    /// An author takes back what was said (M-6).
    Withdraw {
        /// How far the caller sees.
        sight: Sight,
        /// The message as it was read before.
        message: Arc<Message>,
        /// The revision the caller saw; `None`: whichever.
        expected: Option<i32>,
        /// How long after sending it may be taken back.
        window: TimeDelta,
    },
    /// Somebody has read up to a message (M-6).
    MarkRead {
        /// How far the caller sees.
        sight: Sight,
        /// Up to here; more than there is counts as all there is.
        sequence: i64,
    },
}

/// What can happen to a [`Conversation`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConversationEvent {
    /// It was opened, because its ticket was.
    Opened {
        /// The ticket.
        ticket: Arc<Ticket>,
        /// When.
        at: Timestamp,
    },
    /// The ticket is known anew.
    Observed {
        /// The ticket.
        ticket: Arc<Ticket>,
    },
    /// Others are involved.
    Involved {
        /// Everybody.
        employees: Vec<EmployeeId>,
        /// Fleet's version.
        version: i64,
    },
    /// The ticket was deleted.
    Deleted,
    /// Something was said. Whoever says something has read what is before it.
    Sent {
        /// It.
        message: Arc<Message>,
        /// Whose marker makes room for the author's.
        forgets: Option<Actor>,
    },
    /// It was changed.
    Edited {
        /// As it was.
        before: Arc<Message>,
        /// As it is.
        after: Arc<Message>,
        /// Until when it may be changed again.
        until: Timestamp,
    },
    /// It was taken back.
    Withdrawn {
        /// As it was.
        before: Arc<Message>,
        /// What is left.
        after: Arc<Message>,
        /// Until when it might have been changed.
        until: Timestamp,
    },
    /// Somebody has read further.
    Read {
        /// Who.
        reader: Actor,
        /// How far.
        marker: Marker,
        /// How far before; 0: nothing.
        previous: i64,
        /// Whose marker makes room for it.
        forgets: Option<Actor>,
    },
}

/// How a [`Conversation`] says no.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConversationRejection {
    /// No such conversation, or none the caller may see.
    #[error("no such conversation")]
    NoConversation,
    /// The caller may see it but not do this.
    #[error("{0}")]
    Denied(&'static str),
    /// The ticket is closed or cancelled, and the caller is from outside (T-9).
    #[error("the ticket is closed or cancelled: only employees may write (T-9)")]
    Locked,
    /// The message was taken back.
    #[error("the message was withdrawn")]
    Withdrawn,
    /// It is too late.
    #[error("a message can be edited or withdrawn for a limited time only (M-6)")]
    TooLate,
    /// The message is not as the caller saw it.
    #[error("the message has changed since the etag was read")]
    EtagMismatch,
    /// The message changed between reading it and deciding.
    #[error("the message changed meanwhile")]
    Stale,
    /// Too much was edited at once.
    #[error("at most 500 messages of a conversation can be edited within the time for editing")]
    TooManyEdits,
    /// Wrong fields.
    #[error("invalid message")]
    Invalid(Vec<FieldViolation>),
}

impl Rejection for ConversationRejection {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NoConversation => ErrorKind::NotFound,
            Self::Denied(_) => ErrorKind::PermissionDenied,
            Self::Locked | Self::Withdrawn | Self::TooLate => ErrorKind::FailedPrecondition,
            Self::EtagMismatch | Self::Stale => ErrorKind::Aborted,
            Self::TooManyEdits => ErrorKind::ResourceExhausted,
            Self::Invalid(_) => ErrorKind::InvalidArgument,
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::NoConversation => "NOT_FOUND",
            Self::Denied(_) => "PERMISSION_DENIED",
            Self::Locked => "TICKET_LOCKED",
            Self::Withdrawn => "MESSAGE_WITHDRAWN",
            Self::TooLate => "EDIT_TIME_OVER",
            Self::EtagMismatch => "ETAG_MISMATCH",
            Self::Stale => "CONCURRENT_CHANGE",
            Self::TooManyEdits => "TOO_MANY_EDITS",
            Self::Invalid(_) => "INVALID_FIELDS",
        }
    }

    fn violations(&self) -> Vec<FieldViolation> {
        match self {
            Self::Invalid(violations) => violations.clone(),
            Self::NoConversation
            | Self::Denied(_)
            | Self::Locked
            | Self::Withdrawn
            | Self::TooLate
            | Self::EtagMismatch
            | Self::Stale
            | Self::TooManyEdits => Vec::new(),
        }
    }
}

impl Aggregate for Conversation {
    const KIND: &'static str = "conversation";
    type State = ConversationState;
    type Command = ConversationCommand;
    type Event = ConversationEvent;
    type Rejection = ConversationRejection;

    fn decide(
        state: &Self::State,
        command: &Self::Command,
        context: &DecisionContext<'_>,
    ) -> Result<Vec<Self::Event>, Self::Rejection> {
        decide::decide(state, command, context)
    }

    fn evolve(state: &mut Self::State, event: &Self::Event) {
        state.apply(event);
    }
}
