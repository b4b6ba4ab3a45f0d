//! How fleet's aggregates are stored, and what is read of them and of the read copies.

mod copies;
mod dispatch;
mod groups;
mod queries;

pub use copies::{Copies, EmployeeCopy};
pub use dispatch::DispatchMapping;
pub use groups::GroupSetMapping;
pub use queries::{DispatchView, Holding, OfferCursor, OfferHome, Queries, StoredOffer, StoredRound, Whose};

use callboard_journal::{Corrupt, Value};
use serde::Serialize;

/// A list as JSON; ids and plain records always are.
fn json(value: &impl Serialize) -> Value {
    Value::Json(serde_json::to_value(value).unwrap_or_default())
}

/// A count as Postgres has it.
fn int(count: u32) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

/// A count from Postgres.
fn count(cells: &mut callboard_journal::Cells<'_>) -> Result<u32, Corrupt> {
    u32::try_from(cells.int()?).map_err(|_| cells.corrupt("is negative"))
}
