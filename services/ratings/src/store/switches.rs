//! The tables of switches.

use callboard_actor::Step;
use callboard_journal::{
    Cells, Column, ColumnType, Corrupt, Mapping, Record, RowChange, Rows, Schema, Table,
};
use callboard_ratings_domain::switches::{SwitchSetEvent, SwitchSetState};
use callboard_ratings_domain::{SwitchSet, Switches};

use crate::events::outbound;

static SWITCH_SET: Table = Table {
    name: "switch_set",
    key: &["id"],
    columns: &[
        Column::new("id", ColumnType::Uuid),
        Column::new("tickets", ColumnType::Bool),
        Column::new("video_sessions", ColumnType::Bool),
        Column::new("changes", ColumnType::Int),
    ],
};

static SWITCH_CHANGE: Table = Table {
    name: "switch_change",
    key: &["aggregate_id", "number"],
    columns: &[
        Column::new("aggregate_id", ColumnType::Uuid),
        Column::new("number", ColumnType::Int),
        Column::new("at", ColumnType::Timestamp),
        Column::new("tickets", ColumnType::Bool),
        Column::new("video_sessions", ColumnType::Bool),
    ],
};

static SCHEMA: Schema = Schema { root: &SWITCH_SET, children: &[&SWITCH_CHANGE] };

/// Maps switches to rows and events.
#[derive(Debug, Default, Clone, Copy)]
pub struct SwitchSetMapping;

fn int(count: u32) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

impl Mapping for SwitchSetMapping {
    type Aggregate = SwitchSet;

    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }

    /// Changes only grow, and decisions never look at them.
    fn loads(&self, _: &Table) -> bool {
        false
    }

    fn load(&self, rows: &Rows) -> Result<SwitchSetState, Corrupt> {
        let Some(row) = &rows.root else { return Ok(SwitchSetState::default()) };
        let mut cells = Cells::new(&SWITCH_SET, row);
        cells.uuid()?;
        let switches = Switches { tickets: cells.bool()?, video_sessions: cells.bool()? };
        let changes = u32::try_from(cells.int()?).map_err(|_| cells.corrupt("is negative"))?;
        Ok(SwitchSetState { switches, changes })
    }

    fn record(&self, step: &Step<'_, SwitchSet>) -> Result<Record, String> {
        let id = step.meta.aggregate_id;
        let now = step.after.switches;
        let mut rows = vec![RowChange::Put(
            &SWITCH_SET,
            vec![id.into(), now.tickets.into(), now.video_sessions.into(), int(step.after.changes).into()],
        )];
        rows.extend(step.events.iter().map(|SwitchSetEvent::Changed { number, change, .. }| {
            RowChange::Put(
                &SWITCH_CHANGE,
                vec![
                    id.into(),
                    int(*number).into(),
                    change.at.into(),
                    change.switches.tickets.into(),
                    change.switches.video_sessions.into(),
                ],
            )
        }));
        Ok(Record { rows, events: outbound::of_switches(step), ..Record::default() })
    }
}
