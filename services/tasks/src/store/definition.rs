//! The table of definitions.

use callboard_actor::Step;
use callboard_journal::{
    Cells, Column, ColumnType, Corrupt, Mapping, Record, Row, RowChange, Rows, Schema, Table,
};
use callboard_tasks_domain::Definition;
use callboard_tasks_domain::definition::{Content, DefinitionState};

use super::json;
use crate::events::outbound;

pub(super) static DEFINITION: Table = Table {
    name: "definition",
    key: &["id"],
    columns: &[
        Column::new("id", ColumnType::Uuid),
        Column::new("removed", ColumnType::Bool),
        Column::new("template_id", ColumnType::Uuid),
        Column::new("title", ColumnType::Text),
        Column::new("description", ColumnType::Text),
        Column::new("steps", ColumnType::Json),
        Column::new("created_at", ColumnType::Timestamp),
        Column::new("updated_at", ColumnType::Timestamp),
    ],
};

static SCHEMA: Schema = Schema { root: &DEFINITION, children: &[] };

/// Maps definitions to rows and events.
#[derive(Debug, Default, Clone, Copy)]
pub struct DefinitionMapping;

impl Mapping for DefinitionMapping {
    type Aggregate = Definition;

    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }

    fn load(&self, rows: &Rows) -> Result<DefinitionState, Corrupt> {
        rows.root.as_ref().map_or_else(|| Ok(DefinitionState::default()), state)
    }

    fn record(&self, step: &Step<'_, Definition>) -> Result<Record, String> {
        let state = step.after;
        let content = state.content.as_ref();
        let row: Row = vec![
            step.meta.aggregate_id.into(),
            state.removed.into(),
            content.map(|content| content.template.uuid()).into(),
            content.map(|content| content.title.clone()).into(),
            content.map(|content| content.description.clone()).into(),
            json(&content.map(|content| content.steps.as_slice()).unwrap_or_default()),
            state.created_at.into(),
            state.updated_at.into(),
        ];
        let erases = state.removed && !step.before.removed;
        let rows = vec![RowChange::Put(&DEFINITION, row)];
        Ok(Record { rows, events: outbound::of_definition(step), erases, ..Record::default() })
    }
}

pub(super) fn state(row: &Row) -> Result<DefinitionState, Corrupt> {
    let mut cells = Cells::new(&DEFINITION, row);
    cells.uuid()?;
    let removed = cells.bool()?;
    let Some(template) = cells.optional_uuid()? else {
        return Ok(DefinitionState { removed, ..DefinitionState::default() });
    };
    let content = Content {
        template: template.into(),
        title: cells.text()?,
        description: cells.text()?,
        steps: cells.json()?,
    };
    let (created_at, updated_at) = (cells.optional_time()?, cells.optional_time()?);
    Ok(DefinitionState { content: Some(content), removed, created_at, updated_at })
}
