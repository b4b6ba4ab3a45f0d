//! Tasks (K-2, K-4, K-5).

use std::sync::Arc;

use callboard_kernel::{DeviceId, Principal, Refusal, TicketId, Version};
use callboard_proto::tasks::v1 as proto;
use callboard_service::Mutation;
use callboard_service::database::refusal;
use callboard_service::page::page;
use callboard_service::request::{self, decode_page_token, encode_page_token, page_size, parse_id};
use callboard_tasks_domain::task::{Edit, NewStep, NewTask, TaskCommand, TaskState};
use callboard_tasks_domain::{DefinitionId, StepId, TaskId, Visibility};
use tonic::Request;
use uuid::Uuid;

use super::{Fields, TaskApi};
use crate::convert;
use crate::store::{StoredTask, TaskCursor, TaskFilter, TaskOrder};

/// The most ids in one list of a filter.
const MAX_FILTER: usize = 100;
/// The longest text that is searched for, in characters.
const MAX_SEARCH: usize = 200;

/// The task as the caller sees it. A ticket of the same device is seen by every employee who sees the task; those
/// outside are told of it only where it is read, since that takes the ticket.
fn shown(id: Uuid, state: &TaskState, version: Version, principal: &Principal) -> Option<proto::Task> {
    convert::task(id, state, version, principal, !principal.is_outsider())
}

fn as_read(found: &StoredTask, principal: &Principal) -> Option<proto::Task> {
    let stored = &found.stored;
    convert::task(stored.id, &stored.state, stored.version, principal, found.ticket_is_seen)
}

impl TaskApi {
    /// A task the caller may see.
    async fn visible(&self, principal: &Principal, id: TaskId) -> Result<StoredTask, Refusal> {
        let viewer = self.reads.viewer(principal).await?;
        let found = self.reads.queries.task(&viewer, id).await.map_err(refusal)?;
        found.ok_or_else(|| Refusal::missing("task", id))
    }

    pub(super) async fn create(
        &self,
        request: &Request<proto::CreateTaskRequest>,
    ) -> Result<proto::Task, Refusal> {
        let message = request.get_ref();
        let mutation = Mutation::new(request, "CreateTask", &message.request_id)?.creating();
        let mut fields = Fields::default();
        let device_id: DeviceId = fields.id("device_id", &message.device_id);
        let definition: Option<DefinitionId> = fields.optional_id("definition_id", &message.definition_id);
        let ticket: Option<TicketId> = fields.optional_id("ticket_id", &message.ticket_id);
        let assignees = fields.assignees("assignee_ids", &message.assignee_ids);
        let due = fields.time("due_time", message.due_time.as_ref());
        if proto::Visibility::try_from(message.visibility).is_err() {
            fields.refuse("visibility", "INTERNAL or EXTERNAL");
        }
        if definition.is_some() && !message.steps.is_empty() {
            fields.refuse("steps", "come from the definition");
        }
        if message.steps.len() > 100 {
            fields.refuse("steps", "at most 100");
        }
        fields.finish()?;
        let mutation = mutation.about("device", device_id);
        let principal = Arc::clone(&mutation.principal);
        let id: TaskId = mutation.command_id.uuid().into();
        let step_id =
            |at: usize| -> StepId { callboard_kernel::derive_uuid(id.uuid(), &[&at.to_be_bytes()]).into() };
        let prepared = async {
            let principal = &mutation.principal;
            let device = self.reads.device(principal, device_id).await?;
            let content = match definition {
                Some(definition) if !principal.is_outsider() => {
                    let known = self
                        .reads
                        .queries
                        .definition(principal.organisation, definition)
                        .await
                        .map_err(refusal)?
                        .and_then(|known| known.state.content)
                        .filter(|content| content.template == device.place.template);
                    let rule = "names no definition of the device's template";
                    Some(known.ok_or_else(|| Refusal::field("definition_id", rule))?)
                }
                Some(_) | None => None,
            };
            if !principal.is_outsider() {
                self.reads
                    .assignable(principal, "assignee_ids", &assignees, &device.place.departments)
                    .await?;
                if let Some(ticket) = ticket {
                    self.reads.linkable(principal, ticket, device_id).await?;
                }
            }
            let given = |text: &str, other: fn(&callboard_tasks_domain::definition::Content) -> &String| {
                let text = text.trim();
                match &content {
                    Some(content) if text.is_empty() => other(content).clone(),
                    Some(_) | None => text.to_owned(),
                }
            };
            let steps = match &content {
                Some(content) => content
                    .steps
                    .iter()
                    .enumerate()
                    .map(|(at, step)| NewStep {
                        id: step_id(at),
                        text: step.text.clone(),
                        attachments: step.attachments.clone(),
                    })
                    .collect(),
                None => message
                    .steps
                    .iter()
                    .enumerate()
                    .map(|(at, text)| NewStep {
                        id: step_id(at),
                        text: text.trim().to_owned(),
                        attachments: Vec::new(),
                    })
                    .collect(),
            };
            let new = NewTask {
                device: device_id,
                place: device.place,
                definition,
                event: None,
                visibility: convert::from_visibility(message.visibility()).unwrap_or(Visibility::Internal),
                title: given(&message.title, |content| &content.title),
                description: given(&message.description, |content| &content.description),
                steps,
                assignees,
                due,
                ticket,
            };
            Ok((id.uuid(), TaskCommand::Create(Box::new(new))))
        };
        let answer = move |state: &TaskState, _: &[_], version: Version| {
            shown(id.uuid(), state, version, &principal).unwrap_or_default()
        };
        let mut task = mutation.carry_out(&self.actors.tasks, prepared, answer).await?;
        self.show_files(task.steps.iter_mut()).await?;
        Ok(task)
    }

    pub(super) async fn get(&self, request: &Request<proto::GetTaskRequest>) -> Result<proto::Task, Refusal> {
        let principal = request::principal(request)?;
        let id: TaskId = parse_id("task_id", &request.get_ref().task_id)?;
        let found = self.visible(&principal, id).await?;
        let mut task = as_read(&found, &principal).ok_or_else(|| Refusal::missing("task", id))?;
        self.show_files(task.steps.iter_mut()).await?;
        Ok(task)
    }

    pub(super) async fn list(
        &self,
        request: &Request<proto::ListTasksRequest>,
    ) -> Result<proto::ListTasksResponse, Refusal> {
        let principal = request::principal(request)?;
        let message = request.get_ref();
        let now = self.reads.clock.now();
        let filter =
            filter(message.filter.as_ref().unwrap_or(&proto::TaskFilter::default()), &principal, now)?;
        let order = match proto::TaskOrder::try_from(message.order) {
            Ok(proto::TaskOrder::Unspecified) => TaskOrder::Newest,
            Ok(proto::TaskOrder::Due) => TaskOrder::Due,
            Err(_) => return Err(Refusal::field("order", "must be a known order")),
        };
        let size = page_size(message.page_size, 50, 200)?;
        let query = request::page_query(message);
        let after: Option<TaskCursor> = decode_page_token(&message.page_token, query, now)?;
        let viewer = self.reads.viewer(&principal).await?;
        let found =
            self.reads.queries.tasks(&viewer, &filter, order, after, size + 1).await.map_err(refusal)?;
        let at = |found: &StoredTask| {
            let task = found.stored.state.task.as_ref()?;
            let at = match order {
                TaskOrder::Newest => Some(task.created_at),
                TaskOrder::Due => task.due,
            };
            Some(TaskCursor { at, id: found.stored.id })
        };
        // The query leaves out what is removed: all of these are there.
        let there = found.iter().filter_map(|found| Some((at(found)?, as_read(found, &principal)?)));
        let (cursors, mut tasks): (Vec<_>, Vec<_>) = there.unzip();
        self.show_files(tasks.iter_mut().flat_map(|task| &mut task.steps)).await?;
        let (tasks, last) = page(cursors.into_iter().zip(tasks), size);
        let next_page_token = last.map(|last| encode_page_token(&last, query, now)).unwrap_or_default();
        Ok(proto::ListTasksResponse { tasks, next_page_token })
    }

    pub(super) async fn update(
        &self,
        request: &Request<proto::UpdateTaskRequest>,
    ) -> Result<proto::Task, Refusal> {
        let message = request.get_ref();
        let mutation = Mutation::new(request, "UpdateTask", &message.request_id)?;
        let mut fields = Fields::default();
        let id: TaskId = fields.id("task_id", &message.task_id);
        let due = fields.time("due_time", message.due_time.as_ref());
        let ticket: Option<Option<TicketId>> =
            message.ticket_id.as_deref().map(|text| fields.optional_id("ticket_id", text));
        if proto::Visibility::try_from(message.visibility).is_err() {
            fields.refuse("visibility", "INTERNAL or EXTERNAL");
        }
        if due.is_some() && message.clear_due_time {
            fields.refuse("clear_due_time", "either a due time or none");
        }
        fields.finish()?;
        let edit = Edit {
            title: message.title.as_ref().map(|title| title.trim().to_owned()),
            description: message.description.as_ref().map(|text| text.trim().to_owned()),
            visibility: convert::from_visibility(message.visibility()),
            due: if message.clear_due_time { Some(None) } else { due.map(Some) },
            ticket,
        };
        let mutation = mutation.expecting("etag", &message.etag)?;
        self.change(mutation, id, async |found| {
            if let (Some(Some(ticket)), Some(task)) = (ticket, &found.stored.state.task)
                && task.ticket != Some(ticket)
            {
                let principal = request::principal(request)?;
                if !principal.is_outsider() {
                    self.reads.linkable(&principal, ticket, task.device).await?;
                }
            }
            Ok(TaskCommand::Edit(edit))
        })
        .await
    }

    /// One of the verbs without arguments.
    pub(super) async fn verb<T: prost::Message>(
        &self,
        request: &Request<T>,
        rpc: &str,
        (request_id, task_id, etag): (&str, &str, &str),
        command: TaskCommand,
    ) -> Result<proto::Task, Refusal> {
        let mutation = Mutation::new(request, rpc, request_id)?;
        let id: TaskId = parse_id("task_id", task_id)?;
        self.change(mutation.expecting("etag", etag)?, id, async |_| Ok(command)).await
    }

    pub(super) async fn tick(
        &self,
        request: &Request<proto::TickStepRequest>,
    ) -> Result<proto::Task, Refusal> {
        let message = request.get_ref();
        let step: StepId = parse_id("step_id", &message.step_id)?;
        let at = (message.request_id.as_str(), message.task_id.as_str(), "");
        self.verb(request, "TickStep", at, TaskCommand::Tick { step, done: message.done }).await
    }

    pub(super) async fn assign(
        &self,
        request: &Request<proto::AssignTaskRequest>,
    ) -> Result<proto::Task, Refusal> {
        let message = request.get_ref();
        let mutation = Mutation::new(request, "AssignTask", &message.request_id)?;
        let mut fields = Fields::default();
        let id: TaskId = fields.id("task_id", &message.task_id);
        let add = fields.assignees("add_ids", &message.add_ids);
        let remove = fields.assignees("remove_ids", &message.remove_ids);
        if add.iter().any(|employee| remove.contains(employee)) {
            fields.refuse("remove_ids", "names somebody who is to be added");
        }
        fields.finish()?;
        let mutation = mutation.expecting("etag", &message.etag)?;
        let principal = Arc::clone(&mutation.principal);
        self.change(mutation, id, async |found| {
            if let Some(task) = &found.stored.state.task
                && !principal.is_outsider()
            {
                let device =
                    self.reads.copies.device(principal.organisation, task.device).await.map_err(refusal)?;
                let departments = device.map(|device| device.place.departments).unwrap_or_default();
                self.reads.assignable(&principal, "add_ids", &add, &departments).await?;
            }
            Ok(TaskCommand::Assign { add, remove })
        })
        .await
    }

    /// A command to a task the caller may see.
    async fn change(
        &self,
        mutation: Mutation,
        id: TaskId,
        command: impl AsyncFnOnce(StoredTask) -> Result<TaskCommand, Refusal>,
    ) -> Result<proto::Task, Refusal> {
        let mutation = mutation.about("task", id);
        let principal = Arc::clone(&mutation.principal);
        let prepared = async {
            let found = self.visible(&mutation.principal, id).await?;
            Ok((id.uuid(), command(found).await?))
        };
        let answer = move |state: &TaskState, _: &[_], version: Version| {
            shown(id.uuid(), state, version, &principal).unwrap_or_default()
        };
        mutation.carry_out(&self.actors.tasks, prepared, answer).await
    }
}

fn filter(
    asked: &proto::TaskFilter,
    principal: &Principal,
    now: callboard_kernel::Timestamp,
) -> Result<TaskFilter, Refusal> {
    let mut fields = Fields::default();
    let mut statuses = Vec::new();
    for status in &asked.statuses {
        match proto::TaskStatus::try_from(*status).ok().and_then(convert::from_status) {
            Some(status) if asked.statuses.len() <= 3 => statuses.push(status),
            Some(_) | None => fields.refuse("filter.statuses", "OPEN, IN_PROGRESS, CLOSED, each once"),
        }
    }
    if proto::Visibility::try_from(asked.visibility).is_err() {
        fields.refuse("filter.visibility", "INTERNAL or EXTERNAL");
    }
    if asked.text.chars().count() > MAX_SEARCH {
        fields.refuse("filter.text", "at most 200 characters");
    }
    let mut assignees = fields.ids("filter.assignee_ids", &asked.assignee_ids, MAX_FILTER);
    match principal.employee() {
        Some(employee) if asked.mine => assignees.push(employee.id),
        Some(_) => {}
        None => {
            for (field, is_given) in [
                ("filter.mine", asked.mine),
                ("filter.unassigned", asked.unassigned),
                ("filter.assignee_ids", !asked.assignee_ids.is_empty()),
            ] {
                if is_given {
                    fields.refuse(field, "who is assigned is for employees");
                }
            }
        }
    }
    let due = asked.due.as_ref();
    let filter = TaskFilter {
        statuses,
        visibility: convert::from_visibility(asked.visibility()),
        devices: fields.ids("filter.device_ids", &asked.device_ids, MAX_FILTER),
        templates: fields.ids("filter.template_ids", &asked.template_ids, MAX_FILTER),
        customers: fields.ids("filter.customer_ids", &asked.customer_ids, MAX_FILTER),
        assignees,
        unassigned: asked.unassigned,
        ticket: fields.optional_id("filter.ticket_id", &asked.ticket_id),
        event: fields.optional_id("filter.device_event_id", &asked.device_event_id),
        due_from: due.and_then(|due| fields.time("filter.due.start", due.start.as_ref())),
        due_before: due.and_then(|due| fields.time("filter.due.end", due.end.as_ref())),
        overdue_at: asked.overdue.then_some(now),
        text: asked.text.trim().to_owned(),
    };
    fields.finish()?;
    Ok(filter)
}
