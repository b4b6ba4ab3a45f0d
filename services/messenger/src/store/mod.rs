//! How conversations are stored, and what is read of them and of the read copies.

mod conversation;
mod copies;
mod list;
mod queries;

pub use conversation::ConversationMapping;
pub use copies::Copies;
pub use list::{ListCursor, Listed, Viewer, Wanted};
pub use queries::{Queries, Stored, StoredMessage, StoredRevision};
