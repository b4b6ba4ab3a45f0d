//! Tasks and what falls due.

use callboard_bus::{Event, HandleError, Handled};
use callboard_kernel::{Actor, EmployeeId};
use callboard_notifications_domain::{EventType, SubjectKind};
use callboard_proto::Event as _;
use callboard_proto::tasks::v1 as proto;
use callboard_service::reaction::{decode, event_id};
use serde_json::json;

use super::{by, departments, employees, handles, ids, lacks, optional_id};
use crate::not_now;
use crate::store::KnownSubject;
use crate::tell::{Happening, Teller};

/// What it takes; no other event is sent to it.
const HEARS: &[&str] = &[
    proto::TaskCreated::SUBJECT,
    proto::TaskStatusChanged::SUBJECT,
    proto::TaskAssigneesChanged::SUBJECT,
    proto::TaskVisibilityChanged::SUBJECT,
    proto::TaskStepTicked::SUBJECT,
    proto::TaskEdited::SUBJECT,
    proto::TaskDue::SUBJECT,
    proto::TaskDeleted::SUBJECT,
];

/// Keeps tasks, and tells of them.
#[derive(Debug, Clone)]
pub struct TasksHandler(pub Teller);

const fn word(status: proto::TaskStatus) -> &'static str {
    match status {
        proto::TaskStatus::Unspecified => "",
        proto::TaskStatus::Open => "OPEN",
        proto::TaskStatus::InProgress => "IN_PROGRESS",
        proto::TaskStatus::Closed => "CLOSED",
    }
}

impl TasksHandler {
    async fn react(&self, event: &Event) -> Result<Handled, HandleError> {
        match event.kind.as_str() {
            proto::TaskCreated::TYPE => {
                let message: proto::TaskCreated = decode(event)?;
                let subject = self.keep(event, message.task.as_ref()).await?;
                let creator = message.task.as_ref().and_then(|task| task.creator.as_ref());
                let actor = by(event, creator);
                let about = |event_type| Happening::new(event_type, SubjectKind::Task, subject.id, actor);
                // K-5: whom somebody makes a task for is assigned by that. Of one that fell due its assignees hear as such.
                let is_due = message.task.as_ref().is_some_and(|task| !task.device_event_id.is_empty());
                let is_others = |id: &&EmployeeId| Actor::Employee(**id) != actor;
                let named: Vec<EmployeeId> = if is_due {
                    Vec::new()
                } else {
                    subject.involved.iter().filter(is_others).copied().collect()
                };
                if !named.is_empty() {
                    let assigned = Happening { named, ..about(EventType::TaskAssigned) };
                    self.0.tell(event, assigned).await?;
                }
                // Nobody is told twice of one event: those who are assigned were told (N-5).
                self.0.tell(event, about(EventType::TaskCreated)).await
            }
            proto::TaskStatusChanged::TYPE => {
                let message: proto::TaskStatusChanged = decode(event)?;
                let subject = self.keep(event, message.task.as_ref()).await?;
                let status = message.task.as_ref().map_or("", |task| word(task.status()));
                let actor = by(event, message.by.as_ref());
                let happening = Happening {
                    details: json!({ "status": status }),
                    ..Happening::new(EventType::TaskStatus, SubjectKind::Task, subject.id, actor)
                };
                self.0.tell(event, happening).await
            }
            proto::TaskAssigneesChanged::TYPE => {
                let message: proto::TaskAssigneesChanged = decode(event)?;
                let subject = self.keep(event, message.task.as_ref()).await?;
                let actor = by(event, message.by.as_ref());
                let happening = Happening {
                    named: ids("added_ids", &message.added_ids)?,
                    ..Happening::new(EventType::TaskAssigned, SubjectKind::Task, subject.id, actor)
                };
                self.0.tell(event, happening).await
            }
            proto::TaskVisibilityChanged::TYPE => {
                let subject =
                    self.keep(event, decode::<proto::TaskVisibilityChanged>(event)?.task.as_ref()).await?;
                let people = self.0.tables.drawers.people_of(event.organisation, subject.id).await;
                self.0.windows.changed(event.organisation, people.map_err(not_now)?).await;
                Ok(Handled::Done)
            }
            proto::TaskStepTicked::TYPE => {
                self.keep(event, decode::<proto::TaskStepTicked>(event)?.task.as_ref()).await?;
                Ok(Handled::Done)
            }
            proto::TaskEdited::TYPE => {
                self.keep(event, decode::<proto::TaskEdited>(event)?.task.as_ref()).await?;
                Ok(Handled::Done)
            }
            proto::TaskDue::TYPE => self.due(event).await,
            proto::TaskDeleted::TYPE => {
                let task = decode::<proto::TaskDeleted>(event)?.task.ok_or_else(|| lacks(event, "task"))?;
                let id = event_id("task_id", &task.task_id)?;
                let people = self.0.tables.drawers.people_of(event.organisation, id).await;
                let people = people.map_err(not_now)?;
                let copies = &self.0.tables.copies;
                copies.purge(event.organisation, SubjectKind::Task, id).await.map_err(not_now)?;
                self.0.windows.changed(event.organisation, people).await;
                Ok(Handled::Done)
            }
            _ => Ok(Handled::Ignored),
        }
    }

    async fn keep(
        &self,
        event: &Event,
        facts: Option<&proto::TaskFacts>,
    ) -> Result<KnownSubject, HandleError> {
        let facts = facts.ok_or_else(|| lacks(event, "task"))?;
        let subject = KnownSubject {
            id: event_id("task_id", &facts.task_id)?,
            kind: SubjectKind::Task,
            version: event.aggregate_version.0,
            deleted: false,
            number: 0,
            device: optional_id("device_id", &facts.device_id)?,
            device_version: 0,
            customer: optional_id("customer_id", &facts.customer_id)?,
            internal: facts.visibility() != proto::Visibility::External,
            departments: departments(&facts.department_ids)?,
            involved: employees(&facts.assignee_ids)?,
            group: None,
        };
        self.0.tables.copies.keep_subject(event.organisation, &subject).await.map_err(not_now)?;
        Ok(subject)
    }

    /// A task's own due time, or that of a device event, whose task may be about to arise: then it is told of the task.
    async fn due(&self, event: &Event) -> Result<Handled, HandleError> {
        let message: proto::TaskDue = decode(event)?;
        let task = optional_id("task_id", &message.task_id)?;
        let (kind, id) = match task {
            Some(task) => (SubjectKind::Task, task),
            None => (SubjectKind::DeviceEvent, event_id("device_event_id", &message.device_event_id)?),
        };
        let subject = KnownSubject {
            id,
            kind,
            // Of a task its own events say more; a device event has no others here.
            version: if task.is_some() { 0 } else { event.aggregate_version.0 },
            deleted: false,
            number: 0,
            device: optional_id("device_id", &message.device_id)?,
            device_version: 0,
            customer: optional_id("customer_id", &message.customer_id)?,
            internal: message.visibility() != proto::Visibility::External,
            departments: departments(&message.department_ids)?,
            involved: employees(&message.assignee_ids)?,
            group: None,
        };
        self.0.tables.copies.keep_subject(event.organisation, &subject).await.map_err(not_now)?;
        self.0.tell(event, Happening::new(EventType::TaskDue, kind, id, event.actor)).await
    }
}

handles!(TasksHandler, HEARS);
