//! The gRPC API: requests become commands and questions, states become messages.

mod ask;
mod attachments;
mod creating;
mod flow_service;
mod lists;
mod record;
mod screen;
mod ticket_service;

pub use ask::Api;
pub use attachments::{AttachmentApi, TicketOwners};
pub use flow_service::FlowApi;
pub use ticket_service::TicketApi;

/// The domain of all errors of this service.
pub const SERVICE: &str = "tickets";
