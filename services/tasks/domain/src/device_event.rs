//! What falls due on a device, once or again and again (K-1, K-3).

use callboard_kernel::{
    Aggregate, DecisionContext, DeviceId, EmployeeId, ErrorKind, FieldViolation, Rejection, Subject,
    Timestamp, derive_uuid,
};
use chrono::NaiveDateTime;

use crate::recurrence::{Occurrence, Schedule, zone};
use crate::text::check_title;
use crate::{DefinitionId, DeviceEventId, MAX_ASSIGNEES, Place, TaskId, Visibility};

/// One event of one device. Its id is the caller's.
#[derive(Debug)]
pub struct DeviceEvent;

/// What people say of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Never changes.
    pub device: DeviceId,
    /// What is to be done; `None`: the title says it.
    pub definition: Option<DefinitionId>,
    /// 1 to 200 characters.
    pub title: String,
    /// Local date and time of the first occurrence.
    pub start: String,
    /// RFC 5545; empty: once.
    pub rule: String,
    /// Who sees it, and the tasks that arise.
    pub visibility: Visibility,
    /// Whether a task arises when it falls due; else people are only reminded.
    pub creates_task: bool,
    /// Who is assigned to the tasks that arise.
    pub assignees: Vec<EmployeeId>,
}

/// A device event that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// What people said. `start` and `rule` are in normal form.
    pub plan: Plan,
    /// Where the device stands.
    pub place: Place,
    /// The device's time zone, IANA.
    pub time_zone: String,
    /// When it falls due next.
    pub next: Option<Occurrence>,
    /// When it fell due last.
    pub last: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was changed by hand last.
    pub updated_at: Timestamp,
}

impl Planned {
    /// Its times.
    pub fn schedule(&self) -> Schedule {
        let start = crate::recurrence::parse_local(&self.plan.start).unwrap_or(NaiveDateTime::MIN);
        Schedule::stored(start, &self.plan.rule, zone(&self.time_zone))
    }
}

/// What a [`DeviceEvent`] knows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeviceEventState {
    /// It; `None`: not there, or removed.
    pub planned: Option<Box<Planned>>,
    /// It was removed; the id is not given again.
    pub removed: bool,
}

/// What can be asked of a [`DeviceEvent`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeviceEventCommand {
    /// Creates or replaces it. Moderators and administrators.
    Put {
        /// What people say.
        plan: Plan,
        /// Where the device stands.
        place: Place,
        /// The device's time zone, IANA.
        time_zone: String,
    },
    /// Removes it. Moderators and administrators; the system, when the device is removed.
    Delete,
    /// The time has come (K-3). The system.
    Fall {
        /// The due time that the timer was set to.
        due: Timestamp,
    },
    /// The device stands elsewhere: other departments, another customer, another time zone. The system.
    Settle {
        /// Where.
        place: Place,
        /// IANA.
        time_zone: String,
    },
    /// An employee left or may no longer see the device. The system.
    Leave {
        /// Who.
        employee: EmployeeId,
    },
}

/// What can happen to a [`DeviceEvent`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeviceEventEvent {
    /// It is this now.
    Changed {
        /// What.
        planned: Box<Planned>,
    },
    /// It fell due (K-3).
    Fell {
        /// When.
        due: Timestamp,
        /// Due times that passed unseen behind it: they make no tasks of their own.
        missed: u32,
        /// When it falls due next.
        next: Option<Occurrence>,
    },
    /// It was removed.
    Removed,
}

/// How a [`DeviceEvent`] says no.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeviceEventRejection {
    /// Neither moderator nor administrator.
    #[error("device events are planned by moderators and administrators")]
    Denied,
    /// No such device event.
    #[error("no such device event")]
    Missing,
    /// Removed under this id before.
    #[error("the id was in use before: take another")]
    IdTaken,
    /// Wrong fields.
    #[error("invalid device event")]
    Invalid(Vec<FieldViolation>),
}

impl Rejection for DeviceEventRejection {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Denied => ErrorKind::PermissionDenied,
            Self::Missing => ErrorKind::NotFound,
            Self::IdTaken => ErrorKind::AlreadyExists,
            Self::Invalid(_) => ErrorKind::InvalidArgument,
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::Denied => "PERMISSION_DENIED",
            Self::Missing => "NOT_FOUND",
            Self::IdTaken => "ID_TAKEN",
            Self::Invalid(_) => "INVALID_FIELDS",
        }
    }

    fn violations(&self) -> Vec<FieldViolation> {
        match self {
            Self::Invalid(violations) => violations.clone(),
            Self::Denied | Self::Missing | Self::IdTaken => Vec::new(),
        }
    }
}

/// The one task of an event and a due time (K-3): whoever makes it, and however often, makes this one.
pub fn task_of(event: DeviceEventId, due: Timestamp) -> TaskId {
    derive_uuid(event.uuid(), &[b"task", &due.timestamp_micros().to_be_bytes()]).into()
}

impl Aggregate for DeviceEvent {
    const KIND: &'static str = "device_event";
    type State = DeviceEventState;
    type Command = DeviceEventCommand;
    type Event = DeviceEventEvent;
    type Rejection = DeviceEventRejection;

    fn decide(
        state: &Self::State,
        command: &Self::Command,
        context: &DecisionContext<'_>,
    ) -> Result<Vec<Self::Event>, Self::Rejection> {
        let is_system = matches!(context.principal.subject, Subject::System);
        if !is_system && !context.principal.is_moderator() {
            return Err(DeviceEventRejection::Denied);
        }
        match command {
            DeviceEventCommand::Put { .. } if state.removed => Err(DeviceEventRejection::IdTaken),
            DeviceEventCommand::Put { plan, place, time_zone } => {
                put(state.planned.as_deref(), plan, place, time_zone, context.now)
            }
            DeviceEventCommand::Delete if state.planned.is_some() => Ok(vec![DeviceEventEvent::Removed]),
            DeviceEventCommand::Delete if !is_system => Err(DeviceEventRejection::Missing),
            // What is only the system's finds nothing to do where there is nothing any more.
            DeviceEventCommand::Delete
            | DeviceEventCommand::Fall { .. }
            | DeviceEventCommand::Settle { .. }
            | DeviceEventCommand::Leave { .. } => {
                let Some(planned) = state.planned.as_deref().filter(|_| is_system) else {
                    return Ok(Vec::new());
                };
                Ok(by_system(planned, command, context))
            }
        }
    }

    fn evolve(state: &mut Self::State, event: &Self::Event) {
        match event {
            DeviceEventEvent::Changed { planned } => state.planned = Some(planned.clone()),
            DeviceEventEvent::Fell { due, next, .. } => {
                if let Some(planned) = &mut state.planned {
                    planned.last = Some(*due);
                    planned.next = *next;
                }
            }
            DeviceEventEvent::Removed => *state = Self::State { planned: None, removed: true },
        }
    }
}

fn put(
    before: Option<&Planned>,
    plan: &Plan,
    place: &Place,
    time_zone: &str,
    now: Timestamp,
) -> Result<Vec<DeviceEventEvent>, DeviceEventRejection> {
    let mut violations = Vec::new();
    check_title("device_event.title", &plan.title, &mut violations);
    if plan.assignees.len() > MAX_ASSIGNEES {
        violations.push(FieldViolation::new("device_event.assignee_ids", "at most 50"));
    }
    if before.is_some_and(|known| known.plan.device != plan.device) {
        violations.push(FieldViolation::new("device_event.device_id", "never changes"));
    }
    let schedule = Schedule::parse(&plan.start, &plan.rule, zone(time_zone)).map_err(|violation| {
        violations
            .push(FieldViolation::new(format!("device_event.{}", violation.field), violation.description));
    });
    let Ok(schedule) = schedule else { return Err(DeviceEventRejection::Invalid(violations)) };
    let start = crate::recurrence::local_text(schedule.start());
    let mut assignees = plan.assignees.clone();
    assignees.sort_unstable();
    assignees.dedup();
    let plan = Plan { start, rule: schedule.rule().to_owned(), assignees, ..plan.clone() };
    let same_times = before.filter(|known| {
        known.plan.start == plan.start && known.plan.rule == plan.rule && known.time_zone == time_zone
    });
    let next = match same_times {
        Some(known) => known.next,
        None => {
            // What is past falls due no more: a rule may have begun years ago.
            let next = schedule.next_after(now, None);
            if next.is_none() {
                violations
                    .push(FieldViolation::new("device_event.start", "lies in the past, and nothing follows"));
            }
            next
        }
    };
    if !violations.is_empty() {
        return Err(DeviceEventRejection::Invalid(violations));
    }
    let planned = Planned {
        plan,
        place: place.clone(),
        time_zone: time_zone.to_owned(),
        next,
        last: before.and_then(|known| known.last),
        created_at: before.map_or(now, |known| known.created_at),
        updated_at: before.map_or(now, |known| known.updated_at),
    };
    if before == Some(&planned) {
        return Ok(Vec::new());
    }
    Ok(vec![DeviceEventEvent::Changed { planned: Box::new(Planned { updated_at: now, ..planned }) }])
}

fn by_system(
    planned: &Planned,
    command: &DeviceEventCommand,
    context: &DecisionContext<'_>,
) -> Vec<DeviceEventEvent> {
    match command {
        DeviceEventCommand::Fall { due } => match planned.next {
            // A timer that was set before the times changed says nothing.
            Some(next) if next.at == *due => {
                // After a downtime one task, not one for each due time that passed (K-3): it is due since the first.
                let (following, missed) = planned.schedule().skip_to(next, context.now);
                vec![DeviceEventEvent::Fell { due: *due, missed, next: following }]
            }
            Some(_) | None => Vec::new(),
        },
        DeviceEventCommand::Settle { place, time_zone } => {
            if planned.place == *place && planned.time_zone == *time_zone {
                return Vec::new();
            }
            let mut moved = Planned { place: place.clone(), time_zone: time_zone.clone(), ..planned.clone() };
            if planned.time_zone != *time_zone
                && let Some(next) = planned.next
            {
                // The same hour on another clock. Where that hour has just passed there, it falls due at once: the
                // timer of the past fires.
                moved.next = Some(Occurrence {
                    local: next.local,
                    at: crate::recurrence::moment(zone(time_zone), next.local),
                });
            }
            vec![DeviceEventEvent::Changed { planned: Box::new(moved) }]
        }
        DeviceEventCommand::Leave { employee } => {
            if !planned.plan.assignees.contains(employee) {
                return Vec::new();
            }
            let mut left = planned.clone();
            left.plan.assignees.retain(|assignee| assignee != employee);
            vec![DeviceEventEvent::Changed { planned: Box::new(left) }]
        }
        DeviceEventCommand::Put { .. } | DeviceEventCommand::Delete => Vec::new(),
    }
}

#[cfg(test)]
mod tests;
