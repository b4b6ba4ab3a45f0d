//! Something to do on a device (K-2, K-4, K-5).

mod decide;
mod state;
#[cfg(test)]
mod tests;

use callboard_kernel::{
    Aggregate, DecisionContext, DeviceId, EmployeeId, ErrorKind, FieldViolation, Rejection, TicketId,
    Timestamp,
};

use uuid::Uuid;

pub use state::{Closing, Moves, Status, Step, TaskContent, TaskState, Tick};

use crate::{DefinitionId, DeviceEventId, Place, StepId, Visibility};

/// One task.
#[derive(Debug)]
pub struct Task;

/// A step of a task to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewStep {
    /// Which.
    pub id: StepId,
    /// 1 to 2,000 characters.
    pub text: String,
    /// Those of the definition's step.
    pub attachments: Vec<Uuid>,
}

/// A task to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTask {
    /// The device.
    pub device: DeviceId,
    /// Where it stands.
    pub place: Place,
    /// What its text and steps were copied from.
    pub definition: Option<DefinitionId>,
    /// What fell due.
    pub event: Option<DeviceEventId>,
    /// Who sees it.
    pub visibility: Visibility,
    /// 1 to 200 characters.
    pub title: String,
    /// At most 4,000 characters.
    pub description: String,
    /// A copy (K-4), at most 100.
    pub steps: Vec<NewStep>,
    /// Employees.
    pub assignees: Vec<EmployeeId>,
    /// When it is to be done.
    pub due: Option<Timestamp>,
    /// A ticket of the same device.
    pub ticket: Option<TicketId>,
}

/// What to change about a task; `None` stays.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Edit {
    /// 1 to 200 characters.
    pub title: Option<String>,
    /// At most 4,000 characters.
    pub description: Option<String>,
    /// Who sees it.
    pub visibility: Option<Visibility>,
    /// When it is to be done; `Some(None)`: at no time.
    pub due: Option<Option<Timestamp>>,
    /// The linked ticket; `Some(None)`: none.
    pub ticket: Option<Option<TicketId>>,
}

/// What can be asked of a [`Task`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TaskCommand {
    /// It arises (K-2, K-3).
    Create(Box<NewTask>),
    /// Edits it.
    Edit(Edit),
    /// OPEN → IN_PROGRESS.
    Start,
    /// → CLOSED, whatever is ticked off (K-4).
    Close,
    /// CLOSED → IN_PROGRESS or OPEN (K-4).
    Reopen,
    /// Ticks a step off, or unticks it (K-2).
    Tick {
        /// Which.
        step: StepId,
        /// False: untick it.
        done: bool,
    },
    /// Assigns, and takes assignments away (K-5).
    Assign {
        /// Who is assigned besides.
        add: Vec<EmployeeId>,
        /// Who is not any more.
        remove: Vec<EmployeeId>,
    },
    /// Deletes it for good.
    Delete,
    /// The ticket was deleted (T-11). The system.
    Unlink {
        /// Which.
        ticket: TicketId,
    },
    /// An employee left or may no longer see it. The system.
    Leave {
        /// Who.
        employee: EmployeeId,
    },
    /// Its due time has come. The system.
    FallDue {
        /// The time that the timer was set to.
        due: Timestamp,
    },
}

/// What can happen to a [`Task`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TaskEvent {
    /// It arose.
    Created(Box<TaskContent>),
    /// Title, description, due time or ticket changed; what is `None` did not.
    Edited {
        /// What.
        edit: Edit,
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
    /// It stands elsewhere.
    StatusChanged {
        /// Before.
        from: Status,
        /// Now.
        to: Status,
        /// Who closed it, where it was closed.
        closing: Option<Closing>,
        /// When.
        at: Timestamp,
    },
    /// A step was ticked off, or unticked.
    Ticked {
        /// Which.
        step: StepId,
        /// By whom and when; `None`: unticked.
        tick: Option<Tick>,
        /// When.
        at: Timestamp,
    },
    /// Other people are assigned.
    AssigneesChanged {
        /// Who came.
        added: Vec<EmployeeId>,
        /// Who went.
        removed: Vec<EmployeeId>,
        /// When.
        at: Timestamp,
    },
    /// Its due time came and it was not closed.
    FellDue {
        /// When.
        due: Timestamp,
    },
    /// It was deleted.
    Deleted,
}

/// How a [`Task`] says no.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TaskRejection {
    /// No such task, or none the caller may see.
    #[error("no such task")]
    Missing,
    /// The caller sees it but may not do this.
    #[error("{0}")]
    Denied(&'static str),
    /// It is closed.
    #[error("the task is closed; employees may reopen it (K-4)")]
    Closed,
    /// It is not closed.
    #[error("the task is not closed")]
    NotClosed,
    /// It was started before.
    #[error("the task is in progress already")]
    Started,
    /// Wrong fields.
    #[error("invalid task")]
    Invalid(Vec<FieldViolation>),
}

impl Rejection for TaskRejection {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Missing => ErrorKind::NotFound,
            Self::Denied(_) => ErrorKind::PermissionDenied,
            Self::Closed | Self::NotClosed | Self::Started => ErrorKind::FailedPrecondition,
            Self::Invalid(_) => ErrorKind::InvalidArgument,
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::Missing => "NOT_FOUND",
            Self::Denied(_) => "PERMISSION_DENIED",
            Self::Closed => "TASK_CLOSED",
            Self::NotClosed => "TASK_NOT_CLOSED",
            Self::Started => "TASK_STARTED",
            Self::Invalid(_) => "INVALID_FIELDS",
        }
    }

    fn violations(&self) -> Vec<FieldViolation> {
        match self {
            Self::Invalid(violations) => violations.clone(),
            Self::Missing | Self::Denied(_) | Self::Closed | Self::NotClosed | Self::Started => Vec::new(),
        }
    }
}

impl Aggregate for Task {
    const KIND: &'static str = "task";
    type State = TaskState;
    type Command = TaskCommand;
    type Event = TaskEvent;
    type Rejection = TaskRejection;

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
