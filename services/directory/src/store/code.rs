//! The table of codes.

use callboard_actor::Step;
use callboard_directory_domain::code::{Code, Kept, State};
use callboard_journal::{
    Cells, Column, ColumnType, Corrupt, Mapping, Record as Written, Row, RowChange, Rows, Schema, Table,
    Value,
};
use callboard_kernel::OrganisationId;

use crate::events::announce_code;

/// The table of codes.
pub static CODE: Table = Table {
    name: "code",
    key: &["id"],
    columns: &[
        Column::new("id", ColumnType::Uuid),
        Column::new("removed", ColumnType::Bool),
        Column::new("token", ColumnType::Text),
        Column::new("device_id", ColumnType::Uuid),
        Column::new("active", ColumnType::Bool),
        Column::new("pin_hash", ColumnType::Text),
        Column::new("wrong_pins", ColumnType::Int),
        Column::new("locked_until", ColumnType::Timestamp),
        Column::new("session_epoch", ColumnType::BigInt),
        Column::new("created_at", ColumnType::Timestamp),
        Column::new("updated_at", ColumnType::Timestamp),
    ],
};
static SCHEMA: Schema = Schema { root: &CODE, children: &[] };

/// Maps codes to rows and events.
#[derive(Debug, Default)]
pub struct CodeMapping;

fn row(id: uuid::Uuid, code: &Kept, removed: bool) -> Row {
    vec![
        id.into(),
        removed.into(),
        code.token.as_str().into(),
        code.device.map(callboard_kernel::DeviceId::uuid).into(),
        code.active.into(),
        code.pin.clone().into(),
        i32::try_from(code.wrong_pins).unwrap_or(i32::MAX).into(),
        code.locked_until.into(),
        code.session_epoch.into(),
        code.created_at.into(),
        code.updated_at.into(),
    ]
}

/// The code of a row.
///
/// # Errors
/// Where it makes no sense.
pub fn state(row: &[Value], organisation: Option<OrganisationId>) -> Result<State, Corrupt> {
    let mut cells = Cells::new(&CODE, row);
    let organisation = organisation.ok_or_else(|| cells.corrupt("has no organisation"))?;
    cells.uuid()?;
    let removed = cells.bool()?;
    let kept = Kept {
        organisation,
        token: cells.text()?,
        device: cells.optional_uuid()?.map(Into::into),
        active: cells.bool()?,
        pin: cells.optional_text()?,
        wrong_pins: u32::try_from(cells.int()?).map_err(|_| cells.corrupt("is negative"))?,
        locked_until: cells.optional_time()?,
        session_epoch: cells.bigint()?,
        created_at: cells.time()?,
        updated_at: cells.time()?,
    };
    Ok(if removed { State::Removed(kept) } else { State::Kept(kept) })
}

impl Mapping for CodeMapping {
    type Aggregate = Code;

    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }

    fn load(&self, rows: &Rows) -> Result<State, Corrupt> {
        match &rows.root {
            Some(root) => state(root, rows.organisation),
            None => Ok(State::Absent),
        }
    }

    fn record(&self, step: &Step<'_, Code>) -> Result<Written, String> {
        let id = step.meta.aggregate_id;
        let row = match step.after {
            State::Kept(code) => row(id, code, false),
            State::Removed(code) => row(id, code, true),
            State::Absent => return Err("a step without a code after it".to_owned()),
        };
        Ok(Written {
            rows: vec![RowChange::Put(&CODE, row)],
            events: announce_code(step),
            ..Written::default()
        })
    }
}
