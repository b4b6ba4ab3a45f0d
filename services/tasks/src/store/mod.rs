//! Tables, how they are written, and what is read of them.

mod calendar;
mod copies;
mod definition;
mod device_event;
mod feed;
mod queries;
mod task;
mod tickets;
mod viewer;

pub use calendar::CalendarSpan;
pub use copies::{Copies, DeviceCopy};
pub use definition::DefinitionMapping;
pub use device_event::DeviceEventMapping;
pub use feed::FeedMapping;
pub use queries::{
    Assigned, Concerned, EventCursor, MAX_DEFINITIONS, Queries, Stored, StoredTask, TaskCursor, TaskFilter,
    TaskOrder,
};
pub use task::TaskMapping;
pub use tickets::TicketCopy;
pub use viewer::Viewer;

use callboard_journal::{Corrupt, Row, Table, Value, selected};
use serde::Serialize;
use sqlx::postgres::PgRow;

type Sql<T> = Result<T, sqlx::Error>;

fn json(value: &impl Serialize) -> Value {
    Value::Json(serde_json::to_value(value).unwrap_or_default())
}

/// A state out of a row that a query selected.
fn read<T>(table: &'static Table, row: &PgRow, state: fn(&Row) -> Result<T, Corrupt>) -> Sql<T> {
    let cells = selected(table, row)?;
    state(&cells).map_err(|corrupt| sqlx::Error::Decode(Box::new(corrupt)))
}
