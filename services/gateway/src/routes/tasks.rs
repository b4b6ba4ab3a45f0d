//! Definitions, device events and tasks (K-1 to K-5).

use callboard_proto::tasks::v1 as proto;
use http::StatusCode;
use serde::Deserialize;
use utoipa::IntoParams;

use super::{ask, rpc};
use crate::answer::{Answer, Gone, show, show_created, show_inner};
use crate::call::{Call, Id, IdAndKey};
use crate::extract::{Json, Patch, Patchable, Query};
use crate::model::Time;
use crate::model::common::time_range;
use crate::model::mirror::Mirror;
use crate::model::tasks::{
    DeviceEvent, DeviceEventPage, NewTask, Task, TaskAssignment, TaskDefinition, TaskDefinitionList,
    TaskOrder, TaskPage, TaskStatus, TaskVisibility,
};
use crate::openapi::{Resource, Route};
use crate::problem::Problem;

impl Patchable for Task {
    const WRITABLE: &'static [&'static str] = &["title", "description", "visibility", "dueTime", "ticketId"];
}

/// Which device events.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct AskedEvents {
    /// Of this device; not given: of all.
    device_id: String,
    /// 0 or not given: 50; more than 200 counts as 200.
    page_size: i32,
    /// The `nextPageToken` of the page before.
    page_token: String,
}

/// Which tasks.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Asked {
    /// Statuses; repeat it for several.
    #[param(inline)]
    status: Vec<TaskStatus>,
    /// Who sees them.
    #[param(inline)]
    visibility: Option<TaskVisibility>,
    /// Devices; repeat it for several.
    device_id: Vec<String>,
    /// Templates; repeat it for several.
    template_id: Vec<String>,
    /// Customers; repeat it for several.
    customer_id: Vec<String>,
    /// Employees; repeat it for several.
    assignee_id: Vec<String>,
    /// Linked to this ticket.
    ticket_id: String,
    /// Arose from this device event.
    device_event_id: String,
    /// Due at or after.
    #[param(inline)]
    due_from: Option<Time>,
    /// Due before.
    #[param(inline)]
    due_before: Option<Time>,
    /// Assigned to me.
    mine: bool,
    /// Nobody is assigned.
    unassigned: bool,
    /// Due and not closed.
    overdue: bool,
    /// In title or description.
    text: String,
    /// How they are sorted.
    #[param(inline)]
    order_by: Option<TaskOrder>,
    /// 0 or not given: 50; more than 200 counts as 200.
    page_size: i32,
    /// The `nextPageToken` of the page before.
    page_token: String,
}

async fn definitions(call: Call, Id(template_id): Id) -> Answer<TaskDefinitionList> {
    show(ask!(call, tasks.list_definitions(proto::ListDefinitionsRequest { template_id })))
}

async fn put_definition(
    call: Call,
    IdAndKey(template_id, id): IdAndKey,
    Json(definition): Json<TaskDefinition>,
) -> Answer<TaskDefinition> {
    let mut definition: proto::Definition = definition.back();
    definition.etag = call.etag(Some(std::mem::take(&mut definition.etag)));
    let definition = Some(proto::Definition { id, template_id, ..definition });
    let message = proto::PutDefinitionRequest { request_id: call.request_uuid(), definition };
    show_inner(ask!(call, tasks.put_definition(message)).definition)
}

async fn delete_definition(call: Call, IdAndKey(_, definition_id): IdAndKey) -> Gone {
    let etag = call.etag(None);
    let message = proto::DeleteDefinitionRequest { request_id: call.request_uuid(), definition_id, etag };
    ask!(call, tasks.delete_definition(message));
    Ok(StatusCode::NO_CONTENT)
}

async fn events(call: Call, Query(asked): Query<AskedEvents>) -> Answer<DeviceEventPage> {
    let AskedEvents { device_id, page_size, page_token } = asked;
    show(ask!(
        call,
        tasks.list_device_events(proto::ListDeviceEventsRequest { device_id, page_size, page_token })
    ))
}

async fn event(call: Call, Id(device_event_id): Id) -> Answer<DeviceEvent> {
    show_inner(
        ask!(call, tasks.get_device_event(proto::GetDeviceEventRequest { device_event_id })).device_event,
    )
}

async fn put_event(call: Call, Id(id): Id, Json(event): Json<DeviceEvent>) -> Answer<DeviceEvent> {
    let mut event: proto::DeviceEvent = event.back();
    event.etag = call.etag(Some(std::mem::take(&mut event.etag)));
    let device_event = Some(proto::DeviceEvent { id, ..event });
    let message = proto::PutDeviceEventRequest { request_id: call.request_uuid(), device_event };
    show_inner(ask!(call, tasks.put_device_event(message)).device_event)
}

async fn delete_event(call: Call, Id(device_event_id): Id) -> Gone {
    let etag = call.etag(None);
    let message = proto::DeleteDeviceEventRequest { request_id: call.request_uuid(), device_event_id, etag };
    ask!(call, tasks.delete_device_event(message));
    Ok(StatusCode::NO_CONTENT)
}

async fn create(call: Call, Json(new): Json<NewTask>) -> Answer<Task> {
    let message = proto::CreateTaskRequest {
        request_id: call.request_uuid(),
        device_id: new.device_id,
        definition_id: new.definition_id,
        title: new.title,
        description: new.description,
        steps: new.steps,
        visibility: new.visibility.back(),
        assignee_ids: new.assignee_ids,
        due_time: new.due_time.map(Mirror::back),
        ticket_id: new.ticket_id,
    };
    show_created(ask!(call, tasks.create_task(message)).task, "/v1/tasks")
}

async fn get(call: Call, Id(task_id): Id) -> Answer<Task> {
    show_inner(ask!(call, tasks.get_task(proto::GetTaskRequest { task_id })).task)
}

async fn list(call: Call, Query(asked): Query<Asked>) -> Answer<TaskPage> {
    let filter = proto::TaskFilter {
        statuses: TaskStatus::numbers(asked.status),
        visibility: asked.visibility.back(),
        device_ids: asked.device_id,
        template_ids: asked.template_id,
        customer_ids: asked.customer_id,
        assignee_ids: asked.assignee_id,
        ticket_id: asked.ticket_id,
        device_event_id: asked.device_event_id,
        due: time_range(asked.due_from, asked.due_before),
        mine: asked.mine,
        unassigned: asked.unassigned,
        overdue: asked.overdue,
        text: asked.text,
    };
    let message = proto::ListTasksRequest {
        filter: Some(filter),
        order: asked.order_by.back(),
        page_size: asked.page_size,
        page_token: asked.page_token,
    };
    show(ask!(call, tasks.list_tasks(message)))
}

async fn update(call: Call, Id(task_id): Id, patch: Patch<Task>) -> Answer<Task> {
    let Patch { resource, mask } = patch;
    let masked = |field: &str| mask.iter().any(|name| name == field);
    let message = proto::UpdateTaskRequest {
        request_id: call.request_uuid(),
        task_id,
        // What is null is empty: the service says what may be.
        title: masked("title").then(|| resource.title.unwrap_or_default()),
        description: masked("description").then(|| resource.description.unwrap_or_default()),
        visibility: if masked("visibility") {
            let known =
                resource.visibility.ok_or_else(|| Problem::field("visibility", "cannot be cleared"))?;
            Some(known).back()
        } else {
            None::<TaskVisibility>.back()
        },
        clear_due_time: masked("due_time") && resource.due_time.is_none(),
        due_time: resource.due_time.filter(|_| masked("due_time")).map(Mirror::back),
        ticket_id: masked("ticket_id").then(|| resource.ticket_id.unwrap_or_default()),
        etag: call.etag(resource.etag),
    };
    show_inner(ask!(call, tasks.update_task(message)).task)
}

async fn start(call: Call, Id(task_id): Id) -> Answer<Task> {
    let message = proto::StartTaskRequest { request_id: call.request_uuid(), task_id, etag: call.etag(None) };
    show_inner(ask!(call, tasks.start_task(message)).task)
}

async fn close(call: Call, Id(task_id): Id) -> Answer<Task> {
    let message = proto::CloseTaskRequest { request_id: call.request_uuid(), task_id, etag: call.etag(None) };
    show_inner(ask!(call, tasks.close_task(message)).task)
}

async fn reopen(call: Call, Id(task_id): Id) -> Answer<Task> {
    let message =
        proto::ReopenTaskRequest { request_id: call.request_uuid(), task_id, etag: call.etag(None) };
    show_inner(ask!(call, tasks.reopen_task(message)).task)
}

async fn tick(call: Call, IdAndKey(task_id, step_id): IdAndKey) -> Answer<Task> {
    set_tick(call, task_id, step_id, true).await
}

async fn untick(call: Call, IdAndKey(task_id, step_id): IdAndKey) -> Answer<Task> {
    set_tick(call, task_id, step_id, false).await
}

async fn set_tick(call: Call, task_id: String, step_id: String, done: bool) -> Answer<Task> {
    let message = proto::TickStepRequest { request_id: call.request_uuid(), task_id, step_id, done };
    show_inner(ask!(call, tasks.tick_step(message)).task)
}

async fn assign(call: Call, Id(task_id): Id, Json(wanted): Json<TaskAssignment>) -> Answer<Task> {
    let message = proto::AssignTaskRequest {
        request_id: call.request_uuid(),
        task_id,
        add_ids: wanted.add_ids,
        remove_ids: wanted.remove_ids,
        etag: call.etag(None),
    };
    show_inner(ask!(call, tasks.assign_task(message)).task)
}

async fn delete(call: Call, Id(task_id): Id) -> Gone {
    let message =
        proto::DeleteTaskRequest { request_id: call.request_uuid(), task_id, etag: call.etag(None) };
    ask!(call, tasks.delete_task(message));
    Ok(StatusCode::NO_CONTENT)
}

/// The routes of definitions, device events and tasks.
pub fn resource() -> Resource {
    Resource {
        tag: "tasks",
        about: "What is to be done on devices, once or again and again.",
        routes: vec![
            Route::get("/v1/templates/{id}/taskDefinitions", definitions)
                .rpc(rpc!("tasks.v1.TaskService", "ListDefinitions"))
                .answers::<TaskDefinitionList>()
                .about("Definitions of a template, by title. Employees (K-1)."),
            Route::put("/v1/templates/{id}/taskDefinitions/{definitionId}", put_definition)
                .rpc(rpc!("tasks.v1.TaskService", "PutDefinition"))
                .body::<TaskDefinition>()
                .answers::<TaskDefinition>()
                .conditional()
                .about("Creates or replaces a definition under the caller's id. Moderators and administrators."),
            Route::delete("/v1/templates/{id}/taskDefinitions/{definitionId}", delete_definition)
                .rpc(rpc!("tasks.v1.TaskService", "DeleteDefinition"))
                .conditional()
                .about("Removes a definition that no device event uses. Moderators and administrators."),
            Route::get("/v1/deviceEvents", events)
                .rpc(rpc!("tasks.v1.TaskService", "ListDeviceEvents"))
                .query::<AskedEvents>()
                .answers::<DeviceEventPage>()
                .about("Device events, by next due time."),
            Route::get("/v1/deviceEvents/{id}", event)
                .rpc(rpc!("tasks.v1.TaskService", "GetDeviceEvent"))
                .answers::<DeviceEvent>()
                .about("A device event."),
            Route::put("/v1/deviceEvents/{id}", put_event)
                .rpc(rpc!("tasks.v1.TaskService", "PutDeviceEvent"))
                .body::<DeviceEvent>()
                .answers::<DeviceEvent>()
                .conditional()
                .about("Creates or replaces a device event under the caller's id (K-1). Moderators and administrators."),
            Route::delete("/v1/deviceEvents/{id}", delete_event)
                .rpc(rpc!("tasks.v1.TaskService", "DeleteDeviceEvent"))
                .conditional()
                .about("Removes a device event; its tasks stay. Moderators and administrators."),
            Route::get("/v1/tasks", list)
                .rpc(rpc!("tasks.v1.TaskService", "ListTasks"))
                .query::<Asked>()
                .answers::<TaskPage>()
                .about("Tasks the caller may see (K-5)."),
            Route::post("/v1/tasks", create)
                .rpc(rpc!("tasks.v1.TaskService", "CreateTask"))
                .body::<NewTask>()
                .creates::<Task>()
                .about("Makes a task by hand; from outside an external one (K-2)."),
            Route::get("/v1/tasks/{id}", get)
                .rpc(rpc!("tasks.v1.TaskService", "GetTask"))
                .answers::<Task>()
                .about("A task."),
            Route::patch("/v1/tasks/{id}", update)
                .rpc(rpc!("tasks.v1.TaskService", "UpdateTask"))
                .body::<Task>()
                .answers::<Task>()
                .conditional()
                .about("Edits title, description, visibility, due time and the linked ticket (K-5); null clears."),
            Route::delete("/v1/tasks/{id}", delete)
                .rpc(rpc!("tasks.v1.TaskService", "DeleteTask"))
                .conditional()
                .about("Deletes a task for good. Moderators and administrators."),
            Route::post("/v1/tasks/{id}:start", start)
                .rpc(rpc!("tasks.v1.TaskService", "StartTask"))
                .answers::<Task>()
                .conditional()
                .about("OPEN → IN_PROGRESS."),
            Route::post("/v1/tasks/{id}:close", close)
                .rpc(rpc!("tasks.v1.TaskService", "CloseTask"))
                .answers::<Task>()
                .conditional()
                .about("→ CLOSED, whatever is ticked off (K-4)."),
            Route::post("/v1/tasks/{id}:reopen", reopen)
                .rpc(rpc!("tasks.v1.TaskService", "ReopenTask"))
                .answers::<Task>()
                .conditional()
                .about("CLOSED → IN_PROGRESS or OPEN (K-4). Employees."),
            Route::post("/v1/tasks/{id}/steps/{stepId}:tick", tick)
                .rpc(rpc!("tasks.v1.TaskService", "TickStep"))
                .answers::<Task>()
                .about("Ticks a step off (K-2)."),
            Route::post("/v1/tasks/{id}/steps/{stepId}:untick", untick)
                .rpc(rpc!("tasks.v1.TaskService", "TickStep"))
                .named("untickStep")
                .answers::<Task>()
                .about("Unticks a step."),
            Route::post("/v1/tasks/{id}:assign", assign)
                .rpc(rpc!("tasks.v1.TaskService", "AssignTask"))
                .body::<TaskAssignment>()
                .answers::<Task>()
                .conditional()
                .about("Sets who is assigned (K-5)."),
        ],
    }
}
