//! Tables, how they are written, and what is read of them.

mod copies;
mod flow;
mod queries;
mod rooms;
mod session;
mod streams;
mod tickets;
mod viewer;

pub use copies::{Copies, DeviceCopy, TicketCopy};
pub use flow::FlowMapping;
pub use queries::{ListCursor, Queries, SessionFilter, StoredFlow, StoredSession};
pub use rooms::{ClaimedRoom, Next, Room, Rooms, Seat};
pub use session::SessionMapping;
pub use streams::Streams;
pub use viewer::Viewer;

use callboard_journal::Value;
use serde::Serialize;
use uuid::Uuid;

type Sql<T> = Result<T, sqlx::Error>;

fn json(value: &impl Serialize) -> Value {
    Value::Json(serde_json::to_value(value).unwrap_or_default())
}

fn uuids<I: Copy + Into<Uuid>>(ids: &[I]) -> Vec<Uuid> {
    ids.iter().map(|id| (*id).into()).collect()
}

fn texts<I: ToString>(ids: &[I]) -> Vec<String> {
    ids.iter().map(ToString::to_string).collect()
}

fn typed<I: From<Uuid>>(ids: Vec<Uuid>) -> Vec<I> {
    ids.into_iter().map(I::from).collect()
}
