//! Where tickets and flows are kept: tables, mappings, read copies, and what is read from them.

mod copies;
mod flow_set;
mod list;
mod numbers;
mod read;
pub mod tables;
mod ticket;
mod visible;

pub use copies::{Copies, Device};
pub use flow_set::FlowSetMapping;
pub use list::{Cursor, Filter, Order, Text};
pub use numbers::Numbers;
pub use read::{Found, Reads, StoredUpdate, TimelineEntry};
pub use ticket::{CLOSE_UNRATED, DISCARD_DRAFT, Limits, TicketMapping};
pub use visible::Viewer;

use callboard_journal::Corrupt;
use callboard_kernel::{ErrorKind, Refusal};

/// Something could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Postgres did not answer, or said no.
    #[error("database: {0}")]
    Sql(#[from] sqlx::Error),
    /// What is stored makes no sense.
    #[error("stored data makes no sense: {0}")]
    Corrupt(#[from] Corrupt),
}

impl From<ReadError> for Refusal {
    /// A database that is away is `UNAVAILABLE`, since trying again helps; all else is our fault.
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Sql(error) => callboard_service::database::refusal(error),
            ReadError::Corrupt(_) => Self::new(ErrorKind::Internal, "INTERNAL", error.to_string()),
        }
    }
}
