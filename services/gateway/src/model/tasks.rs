//! Shapes of tasks.

use callboard_proto::tasks::v1 as proto;
use serde::Deserialize;
use utoipa::ToSchema;

use super::attachments::Attachment;
use super::mirror::{mirror, words};
use super::{Actor, Time};

words! {
    /// Where a task stands.
    TaskStatus of proto::TaskStatus { Open, InProgress, Closed }

    /// Who sees a task or a device event: employees only, or also those outside.
    TaskVisibility of proto::Visibility { Internal, External }

    /// How tasks are sorted; not set: newest first.
    TaskOrder of proto::TaskOrder { Due }

    /// What a feed shows; not set: all its owner may see.
    FeedScope of proto::FeedScope { Mine }
}

mirror! {
    /// One step of a definition.
    DefinitionStep of proto::DefinitionStep {
        /// UUID; may be chosen by who writes it.
        id: Option<String>,
        /// 1 to 2,000 characters.
        text: Option<String>,
        /// Files that explain it, uploaded before; at most 10.
        attachment_ids: Vec<String>,
        /// The files themselves. Output only.
        attachments: Vec<Attachment>,
    }

    /// What is to be done, again and again (K-1).
    TaskDefinition of proto::Definition {
        /// UUID.
        id: Option<String>,
        /// UUID.
        template_id: Option<String>,
        /// 1 to 200 characters.
        title: Option<String>,
        /// At most 4,000 characters.
        description: Option<String>,
        /// At most 100, in order.
        steps: Vec<DefinitionStep>,
        /// Output only.
        create_time: Option<Time>,
        /// Output only.
        update_time: Option<Time>,
        /// Strong entity tag, also in the header `ETag`.
        etag: Option<String>,
    }

    /// The definitions of a template.
    TaskDefinitionList of proto::ListDefinitionsResponse { definitions: Vec<TaskDefinition> }

    /// What falls due on a device, once or again and again (K-1).
    DeviceEvent of proto::DeviceEvent {
        /// UUID.
        id: Option<String>,
        /// Never changes. UUID.
        device_id: Option<String>,
        /// Of the device's template. UUID.
        definition_id: Option<String>,
        /// Not set: the definition's title.
        title: Option<String>,
        /// Local date and time of the first occurrence: `2026-03-29T08:00:00`.
        start: Option<String>,
        /// RFC 5545 recurrence rule, `FREQ=MONTHLY;BYMONTHDAY=-1`; not set: once.
        rule: Option<String>,
        /// Not set: internal.
        visibility: Option<TaskVisibility>,
        /// A task arises when it falls due; otherwise people are only reminded.
        creates_task: bool,
        /// Employees who are assigned to the tasks that arise.
        assignee_ids: Vec<String>,
        /// The device's time zone. Output only.
        time_zone: Option<String>,
        /// When it falls due next. Output only.
        next_time: Option<Time>,
        /// When it fell due last. Output only.
        last_time: Option<Time>,
        /// Output only.
        create_time: Option<Time>,
        /// Output only.
        update_time: Option<Time>,
        /// Strong entity tag, also in the header `ETag`.
        etag: Option<String>,
    }

    /// A page of device events.
    DeviceEventPage of proto::ListDeviceEventsResponse {
        device_events: Vec<DeviceEvent>,
        /// Not set: the end.
        next_page_token: Option<String>,
    }

    /// One step of a task.
    TaskStep of proto::TaskStep {
        /// UUID.
        id: Option<String>,
        /// What to do.
        text: Option<String>,
        /// Those of the definition's step when the task arose.
        attachment_ids: Vec<String>,
        /// The files themselves.
        attachments: Vec<Attachment>,
        /// Not set: not ticked off.
        tick_time: Option<Time>,
        /// By whom.
        ticked_by: Option<Actor>,
    }

    /// What this caller may do with a task now.
    TaskMoves of proto::TaskMoves {
        start: bool,
        close: bool,
        reopen: bool,
        tick: bool,
        edit: bool,
        set_visibility: bool,
        assign: bool,
        assign_self: bool,
        delete: bool,
    }

    /// Something to do on a device.
    Task of proto::Task {
        /// UUID.
        id: Option<String>,
        /// UUID.
        device_id: Option<String>,
        /// UUID.
        template_id: Option<String>,
        /// The customer when the task arose.
        customer_id: Option<String>,
        /// What it was made from.
        definition_id: Option<String>,
        /// What fell due.
        device_event_id: Option<String>,
        /// Where it stands.
        status: Option<TaskStatus>,
        /// Who sees it.
        visibility: Option<TaskVisibility>,
        /// 1 to 200 characters.
        title: Option<String>,
        /// At most 4,000 characters.
        description: Option<String>,
        /// In order.
        steps: Vec<TaskStep>,
        /// Employees. Empty for callers from outside.
        assignee_ids: Vec<String>,
        /// When it is to be done.
        due_time: Option<Time>,
        /// The linked ticket, if the caller may see it.
        ticket_id: Option<String>,
        /// Who made it.
        creator: Option<Actor>,
        /// When.
        create_time: Option<Time>,
        /// When it was changed last.
        update_time: Option<Time>,
        /// Not set: not closed.
        close_time: Option<Time>,
        /// By whom.
        closed_by: Option<Actor>,
        /// The buttons of a screen.
        moves: Option<TaskMoves>,
        /// Strong entity tag, also in the header `ETag`.
        etag: Option<String>,
    }

    /// A page of tasks.
    TaskPage of proto::ListTasksResponse {
        tasks: Vec<Task>,
        /// Not set: the end.
        next_page_token: Option<String>,
    }

    /// One thing in the calendar: an occurrence of a device event, or a task with a due time.
    CalendarEntry of proto::CalendarEntry {
        /// When.
        time: Option<Time>,
        /// What.
        title: Option<String>,
        /// UUID.
        device_id: Option<String>,
        /// UUID.
        device_event_id: Option<String>,
        /// Set for tasks.
        task_id: Option<String>,
        /// Set for tasks.
        status: Option<TaskStatus>,
        /// Who sees it.
        visibility: Option<TaskVisibility>,
        /// Whether a task will arise.
        creates_task: bool,
        /// Of the device.
        time_zone: Option<String>,
        /// Employees.
        assignee_ids: Vec<String>,
    }

    /// The calendar of a span, in order of time.
    CalendarPage of proto::GetCalendarResponse {
        /// At most 1,000.
        entries: Vec<CalendarEntry>,
        /// There is more: ask for a shorter span.
        truncated: bool,
    }

    /// A calendar that a calendar program subscribes to.
    CalendarFeed of proto::Feed {
        /// UUID.
        id: Option<String>,
        /// 1 to 200 characters.
        name: Option<String>,
        /// What it shows.
        scope: Option<FeedScope>,
        /// When it was made.
        create_time: Option<Time>,
        /// Strong entity tag, also in the header `ETag`.
        etag: Option<String>,
    }

    /// The caller's feeds.
    CalendarFeedList of proto::ListFeedsResponse { feeds: Vec<CalendarFeed> }

    /// A feed just made, with what its address is made of.
    NewCalendarFeed of proto::CreateFeedResponse {
        /// The feed.
        feed: Option<CalendarFeed>,
        /// Part of its address. Shown this once: a repeat of the request answers without it.
        token: Option<String>,
    } + {
        /// What a calendar program subscribes to. Whoever has it reads the feed.
        url: Option<String>,
    }
}

/// A task to make.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewTask {
    /// UUID.
    pub device_id: String,
    /// Of the device's template: title, description and steps are copied. Employees.
    #[serde(default)]
    pub definition_id: String,
    /// 1 to 200 characters; not needed with a definition.
    #[serde(default)]
    pub title: String,
    /// At most 4,000 characters.
    #[serde(default)]
    pub description: String,
    /// Texts of the steps, without a definition. Employees.
    #[serde(default)]
    pub steps: Vec<String>,
    /// Not set: internal; from outside always external.
    #[serde(default)]
    pub visibility: Option<TaskVisibility>,
    /// Employees.
    #[serde(default)]
    pub assignee_ids: Vec<String>,
    /// When it is to be done. Employees.
    #[serde(default)]
    pub due_time: Option<Time>,
    /// A ticket of the same device. Employees.
    #[serde(default)]
    pub ticket_id: String,
}

/// Who is assigned from now on, and who is not any more.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct TaskAssignment {
    /// Employees.
    pub add_ids: Vec<String>,
    /// Employees.
    pub remove_ids: Vec<String>,
}

/// A feed to make.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FeedToMake {
    /// 1 to 200 characters.
    pub name: String,
    /// What it shows.
    #[serde(default)]
    pub scope: Option<FeedScope>,
}
