//! The table of device events, and the timers that let them fall due (K-3).

use bytes::Bytes;
use callboard_actor::Step;
use callboard_journal::{
    Cells, Column, ColumnType, Corrupt, Mapping, Record, Row, RowChange, Rows, Schema, Table, TimerChange,
    Value,
};
use callboard_tasks_domain::device_event::{DeviceEventState, Plan, Planned};
use callboard_tasks_domain::{DeviceEvent, Place};
use uuid::Uuid;

use super::json;
use crate::events::outbound;
use crate::events::timers::DUE;

pub(super) static DEVICE_EVENT: Table = Table {
    name: "device_event",
    key: &["id"],
    columns: &[
        Column::new("id", ColumnType::Uuid),
        Column::new("removed", ColumnType::Bool),
        Column::new("device_id", ColumnType::Uuid),
        Column::new("definition_id", ColumnType::Uuid),
        Column::new("title", ColumnType::Text),
        Column::new("start", ColumnType::Text),
        Column::new("rule", ColumnType::Text),
        Column::new("visibility", ColumnType::Text),
        Column::new("creates_task", ColumnType::Bool),
        Column::new("assignee_ids", ColumnType::Json),
        Column::new("template_id", ColumnType::Uuid),
        Column::new("customer_id", ColumnType::Uuid),
        Column::new("department_ids", ColumnType::Json),
        Column::new("time_zone", ColumnType::Text),
        Column::new("next", ColumnType::Json),
        Column::new("next_at", ColumnType::Timestamp),
        Column::new("last_at", ColumnType::Timestamp),
        Column::new("created_at", ColumnType::Timestamp),
        Column::new("updated_at", ColumnType::Timestamp),
    ],
};

static SCHEMA: Schema = Schema { root: &DEVICE_EVENT, children: &[] };

/// Maps device events to rows, events and timers.
#[derive(Debug, Default, Clone, Copy)]
pub struct DeviceEventMapping;

impl Mapping for DeviceEventMapping {
    type Aggregate = DeviceEvent;

    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }

    fn load(&self, rows: &Rows) -> Result<DeviceEventState, Corrupt> {
        rows.root.as_ref().map_or_else(|| Ok(DeviceEventState::default()), state)
    }

    fn record(&self, step: &Step<'_, DeviceEvent>) -> Result<Record, String> {
        let rows = vec![RowChange::Put(&DEVICE_EVENT, row(step.meta.aggregate_id, step.after))];
        let next = |state: &DeviceEventState| state.planned.as_ref().and_then(|planned| planned.next);
        let timers = match (next(step.before), next(step.after)) {
            (before, after) if before.map(|next| next.at) == after.map(|next| next.at) => Vec::new(),
            (_, Some(after)) => {
                vec![TimerChange::Set { name: DUE.to_owned(), due: after.at, payload: Bytes::new() }]
            }
            (_, None) => vec![TimerChange::Cancel { name: DUE.to_owned() }],
        };
        let erases = step.after.removed && !step.before.removed;
        Ok(Record { rows, events: outbound::of_device_event(step), timers, erases })
    }
}

fn row(id: Uuid, state: &DeviceEventState) -> Row {
    let planned = state.planned.as_deref();
    let plan = planned.map(|planned| &planned.plan);
    let place = planned.map(|planned| &planned.place);
    vec![
        id.into(),
        state.removed.into(),
        plan.map(|plan| plan.device.uuid()).into(),
        plan.and_then(|plan| plan.definition).map(Uuid::from).into(),
        plan.map(|plan| plan.title.clone()).into(),
        plan.map(|plan| plan.start.clone()).into(),
        plan.map(|plan| plan.rule.clone()).into(),
        plan.map(|plan| plan.visibility.as_str().to_owned()).into(),
        plan.is_some_and(|plan| plan.creates_task).into(),
        json(&plan.map(|plan| plan.assignees.as_slice()).unwrap_or_default()),
        place.map(|place| place.template.uuid()).into(),
        place.and_then(|place| place.customer).map(Uuid::from).into(),
        json(&place.map(|place| place.departments.as_slice()).unwrap_or_default()),
        planned.map(|planned| planned.time_zone.clone()).into(),
        planned.and_then(|planned| planned.next).map_or(Value::Null, |next| json(&next)),
        planned.and_then(|planned| planned.next).map(|next| next.at).into(),
        planned.and_then(|planned| planned.last).into(),
        planned.map(|planned| planned.created_at).into(),
        planned.map(|planned| planned.updated_at).into(),
    ]
}

pub(super) fn state(row: &Row) -> Result<DeviceEventState, Corrupt> {
    let mut cells = Cells::new(&DEVICE_EVENT, row);
    cells.uuid()?;
    let removed = cells.bool()?;
    let Some(device) = cells.optional_uuid()? else {
        return Ok(DeviceEventState { planned: None, removed });
    };
    let plan = Plan {
        device: device.into(),
        definition: cells.optional_uuid()?.map(Into::into),
        title: cells.text()?,
        start: cells.text()?,
        rule: cells.text()?,
        visibility: cells.word()?,
        creates_task: cells.bool()?,
        assignees: cells.json()?,
    };
    let place = Place {
        template: cells.uuid()?.into(),
        customer: cells.optional_uuid()?.map(Into::into),
        departments: cells.json()?,
    };
    let time_zone = cells.text()?;
    let next = cells.optional_json()?;
    cells.optional_time()?;
    let planned = Planned {
        plan,
        place,
        time_zone,
        next,
        last: cells.optional_time()?,
        created_at: cells.time()?,
        updated_at: cells.time()?,
    };
    Ok(DeviceEventState { planned: Some(Box::new(planned)), removed })
}
