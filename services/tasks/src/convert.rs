//! Between the domain's words and the protos'.

use callboard_kernel::{Principal, Version};
use callboard_proto::tasks::v1 as proto;
use callboard_service::convert::{to_proto_actor, to_proto_time};
use callboard_tasks_domain::Visibility;
use callboard_tasks_domain::definition::DefinitionState;
use callboard_tasks_domain::device_event::DeviceEventState;
use callboard_tasks_domain::feed::{FeedScope, FeedState};
use callboard_tasks_domain::task::{Status, TaskState};
use uuid::Uuid;

/// A count as protobuf has it.
pub fn int(count: u32) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

/// Ids as protobuf has them.
pub fn ids<I: Copy + Into<Uuid>>(ids: &[I]) -> Vec<String> {
    ids.iter().map(|id| (*id).into().to_string()).collect()
}

/// An id that may be missing: empty then.
pub fn optional_id(id: Option<impl Into<Uuid>>) -> String {
    id.map(|id| id.into().to_string()).unwrap_or_default()
}

/// Where a task stands.
pub const fn status(status: Status) -> proto::TaskStatus {
    match status {
        Status::Open => proto::TaskStatus::Open,
        Status::InProgress => proto::TaskStatus::InProgress,
        Status::Closed => proto::TaskStatus::Closed,
    }
}

/// Where a task stands; `None` when unspecified.
pub const fn from_status(status: proto::TaskStatus) -> Option<Status> {
    match status {
        proto::TaskStatus::Unspecified => None,
        proto::TaskStatus::Open => Some(Status::Open),
        proto::TaskStatus::InProgress => Some(Status::InProgress),
        proto::TaskStatus::Closed => Some(Status::Closed),
    }
}

/// Who sees it.
pub const fn visibility(visibility: Visibility) -> proto::Visibility {
    match visibility {
        Visibility::Internal => proto::Visibility::Internal,
        Visibility::External => proto::Visibility::External,
    }
}

/// Who sees it; `None` when unspecified.
pub const fn from_visibility(visibility: proto::Visibility) -> Option<Visibility> {
    match visibility {
        proto::Visibility::Unspecified => None,
        proto::Visibility::Internal => Some(Visibility::Internal),
        proto::Visibility::External => Some(Visibility::External),
    }
}

/// A definition; `None`: removed.
pub fn definition(id: Uuid, state: &DefinitionState, version: Version) -> Option<proto::Definition> {
    let content = state.content.as_ref()?;
    Some(proto::Definition {
        id: id.to_string(),
        template_id: content.template.to_string(),
        title: content.title.clone(),
        description: content.description.clone(),
        steps: content
            .steps
            .iter()
            .map(|step| proto::DefinitionStep {
                id: step.id.to_string(),
                text: step.text.clone(),
                attachment_ids: ids(&step.attachments),
                ..proto::DefinitionStep::default()
            })
            .collect(),
        create_time: state.created_at.map(to_proto_time),
        update_time: state.updated_at.map(to_proto_time),
        etag: version.etag(),
    })
}

/// A device event; `None`: removed. Who is assigned is no affair of those outside.
pub fn device_event(
    id: Uuid,
    state: &DeviceEventState,
    version: Version,
    principal: &Principal,
) -> Option<proto::DeviceEvent> {
    let planned = state.planned.as_deref()?;
    let plan = &planned.plan;
    Some(proto::DeviceEvent {
        id: id.to_string(),
        device_id: plan.device.to_string(),
        definition_id: optional_id(plan.definition),
        title: plan.title.clone(),
        start: plan.start.clone(),
        rule: plan.rule.clone(),
        visibility: visibility(plan.visibility).into(),
        creates_task: plan.creates_task,
        assignee_ids: if principal.is_outsider() { Vec::new() } else { ids(&plan.assignees) },
        time_zone: planned.time_zone.clone(),
        next_time: planned.next.map(|next| to_proto_time(next.at)),
        last_time: planned.last.map(to_proto_time),
        create_time: Some(to_proto_time(planned.created_at)),
        update_time: Some(to_proto_time(planned.updated_at)),
        etag: version.etag(),
    })
}

/// A task as this caller sees it; `None`: deleted.
pub fn task(
    id: Uuid,
    state: &TaskState,
    version: Version,
    principal: &Principal,
    ticket_is_seen: bool,
) -> Option<proto::Task> {
    let task = state.task.as_deref()?;
    let moves = task.moves(principal);
    Some(proto::Task {
        id: id.to_string(),
        device_id: task.device.to_string(),
        template_id: task.place.template.to_string(),
        customer_id: optional_id(task.place.customer),
        definition_id: optional_id(task.definition),
        device_event_id: optional_id(task.event),
        status: status(task.status).into(),
        visibility: visibility(task.visibility).into(),
        title: task.title.clone(),
        description: task.description.clone(),
        steps: task
            .steps
            .iter()
            .map(|step| proto::TaskStep {
                id: step.id.to_string(),
                text: step.text.clone(),
                attachment_ids: ids(&step.attachments),
                tick_time: step.tick.map(|tick| to_proto_time(tick.at)),
                ticked_by: step.tick.map(|tick| to_proto_actor(tick.by)),
                ..proto::TaskStep::default()
            })
            .collect(),
        assignee_ids: if principal.is_outsider() { Vec::new() } else { ids(&task.assignees) },
        due_time: task.due.map(to_proto_time),
        ticket_id: optional_id(task.ticket.filter(|_| ticket_is_seen)),
        creator: Some(to_proto_actor(task.creator)),
        create_time: Some(to_proto_time(task.created_at)),
        update_time: Some(to_proto_time(task.updated_at)),
        close_time: task.closing.map(|closing| to_proto_time(closing.at)),
        closed_by: task.closing.map(|closing| to_proto_actor(closing.by)),
        moves: Some(proto::TaskMoves {
            start: moves.start,
            close: moves.close,
            reopen: moves.reopen,
            tick: moves.tick,
            edit: moves.edit,
            set_visibility: moves.set_visibility,
            assign: moves.assign,
            assign_self: moves.assign_self,
            delete: moves.delete,
        }),
        etag: version.etag(),
    })
}

/// A feed; `None`: ended.
pub fn feed(id: Uuid, state: &FeedState, version: Version) -> Option<proto::Feed> {
    let content = state.content.as_ref()?;
    let scope = match content.scope {
        FeedScope::All => proto::FeedScope::Unspecified,
        FeedScope::Mine => proto::FeedScope::Mine,
    };
    Some(proto::Feed {
        id: id.to_string(),
        name: content.name.clone(),
        scope: scope.into(),
        create_time: Some(to_proto_time(content.created_at)),
        etag: version.etag(),
    })
}
