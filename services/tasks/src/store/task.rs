//! The table of tasks, and the timers of their due times.

use bytes::Bytes;
use callboard_actor::Step;
use callboard_journal::{
    Cells, Column, ColumnType, Corrupt, Mapping, Record, Row, RowChange, Rows, Schema, Table, TimerChange,
};
use callboard_tasks_domain::task::{Closing, TaskContent, TaskState};
use callboard_tasks_domain::{Place, Task};
use uuid::Uuid;

use super::json;
use crate::events::outbound;
use crate::events::timers::DUE;

pub(super) static TASK: Table = Table {
    name: "task",
    key: &["id"],
    columns: &[
        Column::new("id", ColumnType::Uuid),
        Column::new("deleted", ColumnType::Bool),
        Column::new("device_id", ColumnType::Uuid),
        Column::new("template_id", ColumnType::Uuid),
        Column::new("customer_id", ColumnType::Uuid),
        Column::new("department_ids", ColumnType::Json),
        Column::new("definition_id", ColumnType::Uuid),
        Column::new("event_id", ColumnType::Uuid),
        Column::new("status", ColumnType::Text),
        Column::new("visibility", ColumnType::Text),
        Column::new("title", ColumnType::Text),
        Column::new("description", ColumnType::Text),
        Column::new("steps", ColumnType::Json),
        Column::new("assignee_ids", ColumnType::Json),
        Column::new("due_at", ColumnType::Timestamp),
        Column::new("due_ahead", ColumnType::Bool),
        Column::new("ticket_id", ColumnType::Uuid),
        Column::new("creator", ColumnType::Text),
        Column::new("created_at", ColumnType::Timestamp),
        Column::new("updated_at", ColumnType::Timestamp),
        Column::new("closed_by", ColumnType::Text),
        Column::new("closed_at", ColumnType::Timestamp),
    ],
};

static SCHEMA: Schema = Schema { root: &TASK, children: &[] };

/// Maps tasks to rows, events and timers.
#[derive(Debug, Default, Clone, Copy)]
pub struct TaskMapping;

impl Mapping for TaskMapping {
    type Aggregate = Task;

    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }

    fn load(&self, rows: &Rows) -> Result<TaskState, Corrupt> {
        rows.root.as_ref().map_or_else(|| Ok(TaskState::default()), state)
    }

    fn record(&self, step: &Step<'_, Task>) -> Result<Record, String> {
        let rows = vec![RowChange::Put(&TASK, row(step.meta.aggregate_id, step.after))];
        let alarm = |state: &TaskState| state.task.as_ref().and_then(|task| task.alarm());
        let timers = match (alarm(step.before), alarm(step.after)) {
            (before, after) if before == after => Vec::new(),
            (_, Some(due)) => vec![TimerChange::Set { name: DUE.to_owned(), due, payload: Bytes::new() }],
            (_, None) => vec![TimerChange::Cancel { name: DUE.to_owned() }],
        };
        // Titles and texts stand in earlier answers.
        let erases = step.after.deleted && !step.before.deleted;
        Ok(Record { rows, events: outbound::of_task(step), timers, erases })
    }
}

fn row(id: Uuid, state: &TaskState) -> Row {
    let task = state.task.as_deref();
    vec![
        id.into(),
        state.deleted.into(),
        task.map(|task| task.device.uuid()).into(),
        task.map(|task| task.place.template.uuid()).into(),
        task.and_then(|task| task.place.customer).map(Uuid::from).into(),
        json(&task.map(|task| task.place.departments.as_slice()).unwrap_or_default()),
        task.and_then(|task| task.definition).map(Uuid::from).into(),
        task.and_then(|task| task.event).map(Uuid::from).into(),
        task.map(|task| task.status.as_str().to_owned()).into(),
        task.map(|task| task.visibility.as_str().to_owned()).into(),
        task.map(|task| task.title.clone()).into(),
        task.map(|task| task.description.clone()).into(),
        json(&task.map(|task| task.steps.as_slice()).unwrap_or_default()),
        json(&task.map(|task| task.assignees.as_slice()).unwrap_or_default()),
        task.and_then(|task| task.due).into(),
        task.is_some_and(|task| task.due_ahead).into(),
        task.and_then(|task| task.ticket).map(Uuid::from).into(),
        task.map(|task| task.creator.to_string()).into(),
        task.map(|task| task.created_at).into(),
        task.map(|task| task.updated_at).into(),
        task.and_then(|task| task.closing).map(|closing| closing.by.to_string()).into(),
        task.and_then(|task| task.closing).map(|closing| closing.at).into(),
    ]
}

pub(super) fn state(row: &Row) -> Result<TaskState, Corrupt> {
    let mut cells = Cells::new(&TASK, row);
    cells.uuid()?;
    let deleted = cells.bool()?;
    let Some(device) = cells.optional_uuid()? else { return Ok(TaskState { task: None, deleted }) };
    let place = Place {
        template: cells.uuid()?.into(),
        customer: cells.optional_uuid()?.map(Into::into),
        departments: cells.json()?,
    };
    let task = TaskContent {
        device: device.into(),
        place,
        definition: cells.optional_uuid()?.map(Into::into),
        event: cells.optional_uuid()?.map(Into::into),
        status: cells.word()?,
        visibility: cells.word()?,
        title: cells.text()?,
        description: cells.text()?,
        steps: cells.json()?,
        assignees: cells.json()?,
        due: cells.optional_time()?,
        due_ahead: cells.bool()?,
        ticket: cells.optional_uuid()?.map(Into::into),
        creator: cells.word()?,
        created_at: cells.time()?,
        updated_at: cells.time()?,
        closing: match cells.optional_text()? {
            Some(by) => {
                Some(Closing { by: by.parse().map_err(|_| cells.corrupt("is nobody"))?, at: cells.time()? })
            }
            None => None,
        },
    };
    Ok(TaskState { task: Some(Box::new(task)), deleted })
}
