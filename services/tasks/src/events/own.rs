//! A device event that fell due makes its task (K-2, K-3).
//!
//! The two are aggregates of their own, and across aggregates there are only events: what fell due is committed with
//! the event `task.due`, and the task's creation is a command named by that event. Its receipt, and the task's id made
//! of device event and due time, make it one task however often, and by however many replicas, the event is taken.

use callboard_bus::{Event, HandleError, Handled, Handler};
use callboard_kernel::Principal;
use callboard_proto::Event as _;
use callboard_proto::tasks::v1 as proto;
use callboard_service::Reaction;
use callboard_service::convert::from_proto_time;
use callboard_service::reaction::{decode, event_id};
use callboard_tasks_domain::task::{NewStep, NewTask, TaskCommand};
use callboard_tasks_domain::{DeviceEventId, StepId, TaskId};
use futures::future::BoxFuture;

use crate::api::Reads;
use crate::store::Viewer;
use crate::{Tasks, not_now};

/// The durable's name; part of command ids.
pub const CONSUMER: &str = "tasks-due";

/// What it takes; no other event is sent to it.
const HEARS: &[&str] = &[proto::TaskDue::SUBJECT];

/// Makes tasks.
#[derive(Debug, Clone)]
pub struct OwnHandler {
    /// Tasks.
    pub tasks: Tasks,
    /// Device events and definitions.
    pub reads: Reads,
}

impl OwnHandler {
    async fn react(&self, event: &Event) -> Result<Handled, HandleError> {
        if event.kind != proto::TaskDue::TYPE {
            return Ok(Handled::Ignored);
        }
        let due: proto::TaskDue = decode(event)?;
        // A task's own due time, or only a reminder.
        if due.device_event_id.is_empty() || due.task_id.is_empty() {
            return Ok(Handled::Ignored);
        }
        let id: DeviceEventId = event_id("device_event_id", &due.device_event_id)?;
        let task: TaskId = event_id("task_id", &due.task_id)?;
        let due_at = due.due_time.as_ref().and_then(|time| from_proto_time("due_time", time).ok());
        let due_at = due_at.ok_or_else(|| HandleError::Poison("due_time is missing".to_owned()))?;
        let viewer = Viewer::new(&Principal::system(event.organisation), callboard_kernel::Isolation::Off);
        let queries = &self.reads.queries;
        let found = queries.device_event(&viewer, id).await.map_err(not_now)?;
        // Removed in the moment in which it fell due: nothing is wanted any more.
        let Some(planned) = found.and_then(|found| found.state.planned) else { return Ok(Handled::Done) };
        let content = match planned.plan.definition {
            Some(definition) => queries
                .definition(event.organisation, definition)
                .await
                .map_err(not_now)?
                .and_then(|found| found.state.content),
            None => None,
        };
        // Steps get ids of their own: those of the definition may be given a new meaning (K-4).
        let step_id =
            |step: StepId| callboard_kernel::derive_uuid(task.uuid(), &[step.uuid().as_bytes()]).into();
        let steps = content.iter().flat_map(|content| &content.steps);
        let new = NewTask {
            device: planned.plan.device,
            place: planned.place,
            definition: planned.plan.definition,
            event: Some(id),
            visibility: planned.plan.visibility,
            title: planned.plan.title,
            steps: steps
                .map(|step| NewStep {
                    id: step_id(step.id),
                    text: step.text.clone(),
                    attachments: step.attachments.clone(),
                })
                .collect(),
            description: content.as_ref().map(|content| content.description.clone()).unwrap_or_default(),
            assignees: planned.plan.assignees,
            due: Some(due_at),
            ticket: None,
        };
        let command = TaskCommand::Create(Box::new(new));
        Reaction { consumer: CONSUMER, event }.give(&self.tasks, task.uuid(), command).await
    }
}

impl Handler for OwnHandler {
    fn handle<'a>(&'a self, event: &'a Event) -> BoxFuture<'a, Result<Handled, HandleError>> {
        Box::pin(self.react(event))
    }

    fn hears(&self) -> Option<&'static [&'static str]> {
        Some(HEARS)
    }
}
