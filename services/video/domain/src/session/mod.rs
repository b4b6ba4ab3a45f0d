//! One video session and its calls (V-1 to V-9).

mod call;
mod decide;
mod files;
mod state;
#[cfg(test)]
mod tests;

use callboard_kernel::{
    Actor, Aggregate, DecisionContext, DeviceId, ErrorKind, FieldViolation, Rejection, TicketId, Timestamp,
};
use chrono::TimeDelta;

pub use files::{FileKind, Kept, Recorder, SessionFile};
pub use state::{Call, Moves, Party, Presence, Provider, SessionContent, SessionState, Status};

use crate::flow::Flow;
use crate::{ConnectionId, FileId, Place, Side, StreamId, Visibility};

/// One session.
#[derive(Debug)]
pub struct Session;

/// A session to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSession {
    /// The device.
    pub device: DeviceId,
    /// Where it stands.
    pub place: Place,
    /// What the device's template asks of who requests.
    pub flow: Flow,
    /// From outside: at most 100 characters.
    pub requester_name: String,
    /// At most 500 characters.
    pub reason: String,
    /// From outside: consent to recording.
    pub consents: bool,
    /// Tickets of the device.
    pub tickets: Vec<TicketId>,
    /// The ticket from whose conversation it is made (M-7), and whether the caller may write there.
    pub conversation: Option<(TicketId, bool)>,
}

/// How long things take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// How long nobody may be there until the call is over (V-4).
    pub grace: TimeDelta,
    /// How often it is looked whether those who are there are there.
    pub watch: TimeDelta,
}

/// What a decision must know besides the session: read copies say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Around {
    /// The caller is responsible for requests of this template, or has an offer of, or is assigned to, a linked
    /// ticket (V-2).
    pub offered: bool,
    /// The template's sessions are rated, now.
    pub rated: bool,
    /// The settings.
    pub timing: Timing,
}

/// What people do with a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// REQUESTED → CONFIRMED (V-2).
    Confirm,
    /// REQUESTED → CANCELLED by the requester (V-5).
    Withdraw,
    /// → CANCELLED by an employee (V-5).
    Cancel,
    /// DONE, CLOSED, CANCELLED → CONFIRMED (V-6).
    Reopen,
    /// Internal or public (V-7).
    SetVisibility(Visibility),
    /// Links a ticket (V-9).
    Link(TicketId),
    /// Takes a link away (V-9).
    Unlink(TicketId),
    /// The caller's side consents to recordings, or no more (V-8).
    Consent(bool),
    /// The caller records, or no more (V-8).
    Record(bool),
    /// Brings a recording or a screenshot (V-8).
    AddFile(FileId, FileKind),
    /// Removes one, for good.
    RemoveFile(FileId),
    /// Takes part in the call (V-3); one that begins with this is carried by that provider (V-10).
    Join(ConnectionId, Provider),
    /// Hangs up (V-4).
    End,
}

/// What can be asked of a [`Session`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionCommand {
    /// It is requested, or made (V-1).
    Create(Box<NewSession>),
    /// Somebody does something.
    Act {
        /// What.
        act: Act,
        /// What must be known.
        around: Around,
    },
    /// A person's signals arrive. The system.
    Appear {
        /// Whose.
        connection: ConnectionId,
        /// By which exchange.
        stream: StreamId,
        /// The settings.
        timing: Timing,
    },
    /// Their exchange broke off: not an end (V-4). The system.
    Vanish {
        /// Whose.
        connection: ConnectionId,
        /// Which exchange.
        stream: StreamId,
        /// The settings.
        timing: Timing,
    },
    /// The provider was asked who is in a call (V-10). The system.
    Found {
        /// In which call: an answer about an earlier one is late.
        call: i32,
        /// Whose connections stand.
        present: Vec<Presence>,
        /// The settings.
        timing: Timing,
    },
    /// It is time to look who is still there (V-4). The system.
    Watch {
        /// The time that the timer was set to.
        due: Timestamp,
        /// The exchanges that live.
        alive: Vec<StreamId>,
        /// What must be known.
        around: Around,
    },
    /// It was rated, or nothing is to be rated (V-4, R-3). The system.
    Rate {
        /// Which DONE it belongs to.
        round: i32,
        /// 1 to 5; `None`: nothing is to be rated.
        score: Option<i32>,
    },
    /// A linked ticket turned internal, and takes the session along (T-13). The system.
    Hide {
        /// Which.
        ticket: TicketId,
        /// What must be known.
        around: Around,
    },
    /// A ticket was deleted (T-11). The system.
    Forget {
        /// Which.
        ticket: TicketId,
    },
}

/// What can happen to a [`Session`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionEvent {
    /// It is there: REQUESTED or CONFIRMED.
    Created(Box<SessionContent>),
    /// It was confirmed, by this employee where one did it.
    Confirmed {
        /// The employee.
        by: Actor,
        /// When.
        at: Timestamp,
    },
    /// It was withdrawn or cancelled.
    Cancelled {
        /// Before.
        from: Status,
        /// When.
        at: Timestamp,
    },
    /// It is open again.
    Reopened {
        /// Before.
        from: Status,
        /// When.
        at: Timestamp,
    },
    /// Other people see it.
    VisibilityChanged {
        /// Before.
        from: Visibility,
        /// Now.
        to: Visibility,
        /// When.
        at: Timestamp,
    },
    /// A ticket was linked.
    Linked {
        /// Which.
        ticket: TicketId,
        /// When.
        at: Timestamp,
    },
    /// A ticket is linked no more.
    Unlinked {
        /// Which.
        ticket: TicketId,
        /// When.
        at: Timestamp,
    },
    /// A side's consent: whose; `None`: withdrawn.
    Consented {
        /// The side.
        side: Side,
        /// Who.
        by: Option<Actor>,
        /// When.
        at: Timestamp,
    },
    /// A recording began or ended.
    Recorded {
        /// It runs.
        running: bool,
        /// When.
        at: Timestamp,
    },
    /// A recording or a screenshot stays.
    FileAdded {
        /// It.
        file: SessionFile,
        /// When.
        at: Timestamp,
    },
    /// One is gone.
    FileRemoved {
        /// Which.
        file: FileId,
        /// When.
        at: Timestamp,
    },
    /// The call began: IN_PROGRESS.
    CallStarted {
        /// It.
        call: Call,
    },
    /// Somebody takes part: the other side, or the same person anew.
    Joined {
        /// The side.
        side: Side,
        /// Who.
        party: Party,
        /// Since when nobody is there.
        quiet_since: Option<Timestamp>,
        /// When it is looked next.
        watch_at: Timestamp,
        /// When.
        at: Timestamp,
    },
    /// Somebody's exchange stands, or broke off.
    Presence {
        /// The side.
        side: Side,
        /// The exchange; `None`: broken off.
        stream: Option<StreamId>,
        /// Since when nobody is there.
        quiet_since: Option<Timestamp>,
        /// When it is looked next.
        watch_at: Timestamp,
    },
    /// Somebody is still there; it is looked again then.
    Watched {
        /// When.
        watch_at: Timestamp,
    },
    /// The call is over: DONE, CLOSED, or CANCELLED with [`SessionEvent::Cancelled`] behind it.
    CallEnded {
        /// The call as it was.
        call: Call,
        /// When.
        at: Timestamp,
    },
    /// A rating is awaited (V-4).
    Done {
        /// Which DONE it is: 1, 2, 3 …
        round: i32,
        /// When.
        at: Timestamp,
    },
    /// Nothing more is awaited.
    Closed {
        /// Before.
        from: Status,
        /// When.
        at: Timestamp,
    },
    /// It was rated.
    Rated {
        /// 1 to 5.
        score: i32,
        /// 0: the first.
        previous: i32,
        /// When.
        at: Timestamp,
    },
}

/// How a [`Session`] says no.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SessionRejection {
    /// No such session, or none the caller may see.
    #[error("no such session")]
    Missing,
    /// The caller sees it but may not do this.
    #[error("{0}")]
    Denied(&'static str),
    /// The template does not let sessions be requested.
    #[error("sessions of this device cannot be requested (V-1)")]
    RequestsNotAllowed,
    /// Only a REQUESTED session can be confirmed or withdrawn.
    #[error("the session is not REQUESTED")]
    NotRequested,
    /// It cannot be called before it is confirmed.
    #[error("the session is not confirmed yet (V-2)")]
    NotConfirmed,
    /// It is over.
    #[error("the session is over; employees may reopen it (V-6)")]
    Over,
    /// It is not over.
    #[error("the session is not over")]
    NotOver,
    /// No call runs.
    #[error("no call runs")]
    NoCall,
    /// Somebody else is in the caller's place.
    #[error("somebody else is on this side of the call (V-1)")]
    SideTaken,
    /// Not both sides consent.
    #[error("both sides must consent to recordings (V-8)")]
    NoConsent,
    /// A recording that Callboard knows nothing of.
    #[error("you recorded nothing here within the last hour (V-8)")]
    NotRecorded,
    /// Wrong fields.
    #[error("invalid session")]
    Invalid(Vec<FieldViolation>),
}

impl Rejection for SessionRejection {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Missing => ErrorKind::NotFound,
            Self::Denied(_) => ErrorKind::PermissionDenied,
            Self::RequestsNotAllowed
            | Self::NotRequested
            | Self::NotConfirmed
            | Self::Over
            | Self::NotOver
            | Self::NoCall
            | Self::SideTaken
            | Self::NoConsent
            | Self::NotRecorded => ErrorKind::FailedPrecondition,
            Self::Invalid(_) => ErrorKind::InvalidArgument,
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::Missing => "NOT_FOUND",
            Self::Denied(_) => "PERMISSION_DENIED",
            Self::RequestsNotAllowed => "SESSION_REQUESTS_NOT_ALLOWED",
            Self::NotRequested => "SESSION_NOT_REQUESTED",
            Self::NotConfirmed => "SESSION_NOT_CONFIRMED",
            Self::Over => "SESSION_OVER",
            Self::NotOver => "SESSION_NOT_OVER",
            Self::NoCall => "NO_CALL",
            Self::SideTaken => "SIDE_TAKEN",
            Self::NoConsent => "NO_CONSENT",
            Self::NotRecorded => "NOT_RECORDED",
            Self::Invalid(_) => "INVALID_FIELDS",
        }
    }

    fn violations(&self) -> Vec<FieldViolation> {
        match self {
            Self::Invalid(violations) => violations.clone(),
            Self::Missing
            | Self::Denied(_)
            | Self::RequestsNotAllowed
            | Self::NotRequested
            | Self::NotConfirmed
            | Self::Over
            | Self::NotOver
            | Self::NoCall
            | Self::SideTaken
            | Self::NoConsent
            | Self::NotRecorded => Vec::new(),
        }
    }
}

impl Aggregate for Session {
    const KIND: &'static str = "session";
    type State = SessionState;
    type Command = SessionCommand;
    type Event = SessionEvent;
    type Rejection = SessionRejection;

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
