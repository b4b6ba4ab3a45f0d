//! Pure decisions of the support desk (S-1 to S-5): one aggregate, [`Ticket`].

pub mod ticket;
mod words;

pub use ticket::Ticket;
pub use words::{Decision, Kind, Priority, Status};
