//! How tickets are stored, and what is read of them and of the read copy.

mod copies;
mod list;
mod queries;
mod ticket;

pub use copies::Copies;
pub use list::{Cursor, Filter, Order};
pub use queries::{DomainRow, History, Queries, RemarkRow, StoredTicket};
pub use ticket::TicketMapping;
