//! The table of session flows.

use callboard_actor::Step;
use callboard_journal::{
    Cells, Column, ColumnType, Corrupt, Mapping, Record, Row, RowChange, Rows, Schema, Table,
};
use callboard_video_domain::SessionFlow;
use callboard_video_domain::flow::Flow;

use super::json;
use crate::events::outbound;

pub(super) static SESSION_FLOW: Table = Table {
    name: "session_flow",
    key: &["id"],
    columns: &[
        Column::new("id", ColumnType::Uuid),
        Column::new("requests_allowed", ColumnType::Bool),
        Column::new("name", ColumnType::Text),
        Column::new("reason", ColumnType::Text),
        Column::new("reasons", ColumnType::Json),
        Column::new("asks_consent", ColumnType::Bool),
        Column::new("employee_ids", ColumnType::Json),
        Column::new("department_ids", ColumnType::Json),
    ],
};

static SCHEMA: Schema = Schema { root: &SESSION_FLOW, children: &[] };

/// Maps session flows to rows and events.
#[derive(Debug, Default, Clone, Copy)]
pub struct FlowMapping;

impl Mapping for FlowMapping {
    type Aggregate = SessionFlow;

    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }

    fn load(&self, rows: &Rows) -> Result<Flow, Corrupt> {
        rows.root.as_ref().map_or_else(|| Ok(Flow::default()), state)
    }

    fn record(&self, step: &Step<'_, SessionFlow>) -> Result<Record, String> {
        let flow = step.after;
        let row = vec![
            step.meta.aggregate_id.into(),
            flow.requests_allowed.into(),
            flow.name.as_str().into(),
            flow.reason.as_str().into(),
            json(&flow.reasons),
            flow.asks_consent.into(),
            json(&flow.employees),
            json(&flow.departments),
        ];
        let rows = vec![RowChange::Put(&SESSION_FLOW, row)];
        Ok(Record { rows, events: outbound::of_flow(step), ..Record::default() })
    }
}

/// The state of a row.
pub(super) fn state(row: &Row) -> Result<Flow, Corrupt> {
    let mut cells = Cells::new(&SESSION_FLOW, row);
    cells.uuid()?;
    Ok(Flow {
        requests_allowed: cells.bool()?,
        name: cells.word()?,
        reason: cells.word()?,
        reasons: cells.json()?,
        asks_consent: cells.bool()?,
        employees: cells.json()?,
        departments: cells.json()?,
    })
}
