//! What others hear of tasks, device events and definitions. Titles and texts stay home.

use callboard_actor::Step;
use callboard_bus::Event;
use callboard_proto::tasks::v1 as proto;
use callboard_service::convert::{to_proto_actor, to_proto_time};
use callboard_service::outbound;
use callboard_tasks_domain::definition::DefinitionEvent;
use callboard_tasks_domain::device_event::{DeviceEventEvent, Planned, task_of};
use callboard_tasks_domain::task::{Edit, TaskContent, TaskEvent};
use callboard_tasks_domain::{Definition, DeviceEvent, Task};
use uuid::Uuid;

use crate::convert::{ids, int, optional_id, status, visibility};

/// The events of a definition's step.
pub fn of_definition(step: &Step<'_, Definition>) -> Vec<Event> {
    let definition_id = step.meta.aggregate_id.to_string();
    let organisation_id = step.meta.principal.organisation.to_string();
    let content = step.after.content.as_ref().or(step.before.content.as_ref());
    let template_id = content.map(|content| content.template.to_string()).unwrap_or_default();
    let told = |(index, event): (usize, &DefinitionEvent)| match event {
        DefinitionEvent::Put { .. } => outbound(
            step.meta,
            index,
            &proto::DefinitionChanged {
                definition_id: definition_id.clone(),
                organisation_id: organisation_id.clone(),
                template_id: template_id.clone(),
            },
        ),
        DefinitionEvent::Deleted => outbound(
            step.meta,
            index,
            &proto::DefinitionRemoved {
                definition_id: definition_id.clone(),
                organisation_id: organisation_id.clone(),
                template_id: template_id.clone(),
            },
        ),
    };
    step.events.iter().enumerate().map(told).collect()
}

/// The events of a device event's step.
pub fn of_device_event(step: &Step<'_, DeviceEvent>) -> Vec<Event> {
    let Some(planned) = step.after.planned.as_deref().or(step.before.planned.as_deref()) else {
        return Vec::new();
    };
    let told = |(index, event): (usize, &DeviceEventEvent)| match event {
        DeviceEventEvent::Changed { planned } => outbound(
            step.meta,
            index,
            &proto::DeviceEventChanged {
                device_event_id: step.meta.aggregate_id.to_string(),
                organisation_id: step.meta.principal.organisation.to_string(),
                device_id: planned.plan.device.to_string(),
                definition_id: optional_id(planned.plan.definition),
                visibility: visibility(planned.plan.visibility).into(),
                creates_task: planned.plan.creates_task,
                next_time: planned.next.map(|next| to_proto_time(next.at)),
                template_id: planned.place.template.to_string(),
                customer_id: optional_id(planned.place.customer),
                department_ids: ids(&planned.place.departments),
            },
        ),
        DeviceEventEvent::Fell { due, missed, .. } => {
            outbound(step.meta, index, &fell(step, planned, *due, *missed))
        }
        DeviceEventEvent::Removed => outbound(
            step.meta,
            index,
            &proto::DeviceEventRemoved {
                device_event_id: step.meta.aggregate_id.to_string(),
                organisation_id: step.meta.principal.organisation.to_string(),
                device_id: planned.plan.device.to_string(),
                template_id: planned.place.template.to_string(),
                customer_id: optional_id(planned.place.customer),
                department_ids: ids(&planned.place.departments),
                visibility: visibility(planned.plan.visibility).into(),
            },
        ),
    };
    step.events.iter().enumerate().map(told).collect()
}

fn fell(
    step: &Step<'_, DeviceEvent>,
    planned: &Planned,
    due: callboard_kernel::Timestamp,
    missed: u32,
) -> proto::TaskDue {
    let id = step.meta.aggregate_id;
    let task = planned.plan.creates_task.then(|| task_of(id.into(), due));
    proto::TaskDue {
        organisation_id: step.meta.principal.organisation.to_string(),
        device_id: planned.plan.device.to_string(),
        template_id: planned.place.template.to_string(),
        customer_id: optional_id(planned.place.customer),
        department_ids: ids(&planned.place.departments),
        device_event_id: id.to_string(),
        task_id: optional_id(task),
        due_time: Some(to_proto_time(due)),
        visibility: visibility(planned.plan.visibility).into(),
        assignee_ids: ids(&planned.plan.assignees),
        missed: int(missed),
    }
}

/// What others may know of a task.
fn facts(id: Uuid, step: &Step<'_, Task>, task: &TaskContent) -> proto::TaskFacts {
    proto::TaskFacts {
        task_id: id.to_string(),
        organisation_id: step.meta.principal.organisation.to_string(),
        device_id: task.device.to_string(),
        template_id: task.place.template.to_string(),
        customer_id: optional_id(task.place.customer),
        department_ids: ids(&task.place.departments),
        definition_id: optional_id(task.definition),
        device_event_id: optional_id(task.event),
        status: status(task.status).into(),
        visibility: visibility(task.visibility).into(),
        assignee_ids: ids(&task.assignees),
        due_time: task.due.map(to_proto_time),
        ticket_id: optional_id(task.ticket),
        creator: Some(to_proto_actor(task.creator)),
        create_time: Some(to_proto_time(task.created_at)),
        step_count: int(u32::try_from(task.steps.len()).unwrap_or(u32::MAX)),
        ticked_count: int(
            u32::try_from(task.steps.iter().filter(|step| step.tick.is_some()).count()).unwrap_or(u32::MAX)
        ),
    }
}

fn fields(edit: &Edit) -> Vec<String> {
    [
        ("title", edit.title.is_some()),
        ("description", edit.description.is_some()),
        ("due_time", edit.due.is_some()),
        ("ticket_id", edit.ticket.is_some()),
    ]
    .into_iter()
    .filter(|(_, changed)| *changed)
    .map(|(name, _)| name.to_owned())
    .collect()
}

/// The events of a task's step.
pub fn of_task(step: &Step<'_, Task>) -> Vec<Event> {
    let Some(content) = step.after.task.as_deref().or(step.before.task.as_deref()) else {
        return Vec::new();
    };
    let task = || Some(facts(step.meta.aggregate_id, step, content));
    let by = || Some(to_proto_actor(step.meta.principal.actor()));
    let told = |(index, event): (usize, &TaskEvent)| match event {
        TaskEvent::Created(_) => outbound(step.meta, index, &proto::TaskCreated { task: task() }),
        TaskEvent::Edited { edit, .. } => {
            outbound(step.meta, index, &proto::TaskEdited { task: task(), fields: fields(edit), by: by() })
        }
        TaskEvent::VisibilityChanged { from, .. } => {
            let previous_visibility = visibility(*from).into();
            let message = proto::TaskVisibilityChanged { task: task(), previous_visibility, by: by() };
            outbound(step.meta, index, &message)
        }
        TaskEvent::StatusChanged { from, .. } => {
            let previous_status = status(*from).into();
            outbound(step.meta, index, &proto::TaskStatusChanged { task: task(), previous_status, by: by() })
        }
        TaskEvent::Ticked { step: ticked, tick, .. } => {
            let message = proto::TaskStepTicked {
                task: task(),
                step_id: ticked.to_string(),
                done: tick.is_some(),
                by: by(),
            };
            outbound(step.meta, index, &message)
        }
        TaskEvent::AssigneesChanged { added, removed, .. } => {
            let message = proto::TaskAssigneesChanged {
                task: task(),
                added_ids: ids(added),
                removed_ids: ids(removed),
                by: by(),
            };
            outbound(step.meta, index, &message)
        }
        TaskEvent::FellDue { due } => {
            let message = proto::TaskDue {
                organisation_id: step.meta.principal.organisation.to_string(),
                device_id: content.device.to_string(),
                template_id: content.place.template.to_string(),
                customer_id: optional_id(content.place.customer),
                department_ids: ids(&content.place.departments),
                device_event_id: String::new(),
                task_id: step.meta.aggregate_id.to_string(),
                due_time: Some(to_proto_time(*due)),
                visibility: visibility(content.visibility).into(),
                assignee_ids: ids(&content.assignees),
                missed: 0,
            };
            outbound(step.meta, index, &message)
        }
        TaskEvent::Deleted => outbound(step.meta, index, &proto::TaskDeleted { task: task(), by: by() }),
    };
    step.events.iter().enumerate().map(told).collect()
}
