//! What a task knows, and who may do what with it.

use callboard_kernel::{Actor, DeviceId, EmployeeId, Principal, Subject, TicketId, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::TaskEvent;
use crate::{DefinitionId, DeviceEventId, Place, StepId, Visibility, words};

words! {
    /// Where a task stands.
    Status as "task status" {
        /// Nobody has begun.
        Open = "OPEN",
        /// Somebody has.
        InProgress = "IN_PROGRESS",
        /// Over.
        Closed = "CLOSED",
    }
}

/// Who ticked a step off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tick {
    /// Who.
    pub by: Actor,
    /// When.
    pub at: Timestamp,
}

/// A step of a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Which.
    pub id: StepId,
    /// 1 to 2,000 characters.
    pub text: String,
    /// What explains it: those of the definition's step when the task arose (K-4).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Uuid>,
    /// `None`: not ticked off.
    pub tick: Option<Tick>,
}

/// Who closed a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closing {
    /// Who.
    pub by: Actor,
    /// When.
    pub at: Timestamp,
}

/// A task that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskContent {
    /// The device.
    pub device: DeviceId,
    /// Where it stood when the task arose: no other customer than the one then sees it.
    pub place: Place,
    /// What it was made from.
    pub definition: Option<DefinitionId>,
    /// What fell due.
    pub event: Option<DeviceEventId>,
    /// Where it stands.
    pub status: Status,
    /// Who sees it.
    pub visibility: Visibility,
    /// 1 to 200 characters.
    pub title: String,
    /// At most 4,000 characters.
    pub description: String,
    /// In order.
    pub steps: Vec<Step>,
    /// Each once, in order of id.
    pub assignees: Vec<EmployeeId>,
    /// When it is to be done.
    pub due: Option<Timestamp>,
    /// Whether its due time is still to be told: it lay ahead when it was set.
    pub due_ahead: bool,
    /// The linked ticket.
    pub ticket: Option<TicketId>,
    /// Who made it.
    pub creator: Actor,
    /// When.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
    /// Who closed it, while it is closed.
    pub closing: Option<Closing>,
}

/// What a caller may do with a task now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Moves {
    /// OPEN → IN_PROGRESS.
    pub start: bool,
    /// → CLOSED.
    pub close: bool,
    /// CLOSED → back.
    pub reopen: bool,
    /// Tick steps.
    pub tick: bool,
    /// Title, description, due time, ticket.
    pub edit: bool,
    /// Internal or external.
    pub set_visibility: bool,
    /// Assign anybody.
    pub assign: bool,
    /// Take it on, or give it back.
    pub assign_self: bool,
    /// For good.
    pub delete: bool,
}

impl TaskContent {
    /// Whether a caller from outside may see it at all. Whose the device is now, and which departments it has, the service
    /// judges before; here it is seen to that nobody takes over a former owner's tasks.
    pub fn admits(&self, principal: &Principal) -> bool {
        match &principal.subject {
            Subject::System | Subject::Employee(_) => true,
            Subject::CodeUser(user) => self.visibility == Visibility::External && user.device == self.device,
            Subject::CustomerUser(user) => {
                self.visibility == Visibility::External
                    && self.place.customer.is_none_or(|customer| customer == user.customer)
            }
        }
    }

    /// Whether the caller counts as working on it: the domain's "involved". Members work on what they are assigned to,
    /// what they made, and what nobody is assigned to, so that an unassigned task is not left lying for a moderator.
    pub fn works_on_it(&self, principal: &Principal) -> bool {
        principal.is_moderator()
            || principal.employee().is_some_and(|employee| {
                self.assignees.is_empty()
                    || self.assignees.contains(&employee.id)
                    || self.creator == Actor::Employee(employee.id)
            })
    }

    /// What a caller who sees it may do with it now. Whoever sees an external task from outside may work it off (an
    /// external task is theirs to do as much as ours), until it is closed; the rest is for employees.
    pub fn moves(&self, principal: &Principal) -> Moves {
        let is_closed = self.status == Status::Closed;
        let works = self.works_on_it(principal);
        let does = works || principal.is_outsider() && self.admits(principal);
        Moves {
            start: does && self.status == Status::Open,
            close: does && !is_closed,
            reopen: works && is_closed,
            tick: does && !is_closed,
            edit: works,
            set_visibility: works,
            assign: principal.is_moderator() && !is_closed,
            assign_self: principal.employee().is_some() && !is_closed,
            delete: principal.is_moderator(),
        }
    }

    /// When its own due time is still to be told.
    pub fn alarm(&self) -> Option<Timestamp> {
        self.due.filter(|_| self.due_ahead && self.status != Status::Closed)
    }
}

/// What a [`Task`](super::Task) knows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TaskState {
    /// It; `None`: not there, or deleted.
    pub task: Option<Box<TaskContent>>,
    /// It was deleted: nothing is kept but this.
    pub deleted: bool,
}

impl TaskState {
    pub(super) fn apply(&mut self, event: &TaskEvent) {
        match event {
            TaskEvent::Created(content) => self.task = Some(content.clone()),
            TaskEvent::Deleted => *self = Self { task: None, deleted: true },
            TaskEvent::Edited { .. }
            | TaskEvent::VisibilityChanged { .. }
            | TaskEvent::StatusChanged { .. }
            | TaskEvent::Ticked { .. }
            | TaskEvent::AssigneesChanged { .. }
            | TaskEvent::FellDue { .. } => {
                if let Some(task) = &mut self.task {
                    change(task, event);
                }
            }
        }
    }
}

fn change(task: &mut TaskContent, event: &TaskEvent) {
    match event {
        TaskEvent::Edited { edit, at } => {
            task.updated_at = *at;
            if let Some(title) = &edit.title {
                task.title.clone_from(title);
            }
            if let Some(description) = &edit.description {
                task.description.clone_from(description);
            }
            if let Some(due) = edit.due {
                task.due = due;
                task.due_ahead = due.is_some_and(|due| due > *at);
            }
            if let Some(ticket) = edit.ticket {
                task.ticket = ticket;
            }
        }
        TaskEvent::VisibilityChanged { to, at, .. } => {
            task.updated_at = *at;
            task.visibility = *to;
        }
        TaskEvent::StatusChanged { to, closing, at, .. } => {
            task.updated_at = *at;
            task.status = *to;
            task.closing = *closing;
        }
        TaskEvent::Ticked { step, tick, at } => {
            task.updated_at = *at;
            if let Some(found) = task.steps.iter_mut().find(|known| known.id == *step) {
                found.tick = *tick;
            }
        }
        TaskEvent::AssigneesChanged { added, removed, at } => {
            task.updated_at = *at;
            task.assignees.retain(|known| !removed.contains(known));
            task.assignees.extend(added);
            task.assignees.sort_unstable();
        }
        TaskEvent::FellDue { .. } => task.due_ahead = false,
        TaskEvent::Created(_) | TaskEvent::Deleted => {}
    }
}
