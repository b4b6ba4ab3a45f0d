//! What the tests of every service share: the service itself, running on a database and a bus of its own; the contexts
//! it hears, as far as their streams go; people with tokens; and what it was heard to say.
//!
//! ```ignore
//! let stage = Stage::start(callboard_ratings::definition(), &["directory", "tickets"]).await;
//! let organisation = Organisation::new();
//! stage.publish(organisation.id, ticket, 1, &TicketOpened { .. }).await;
//! let boss = organisation.moderator();
//! let answer = RatingServiceClient::new(stage.channel()).get_rating(signed(&boss, request)).await;
//! stage.told(ticket, "rating.requested").await;
//! stage.stop().await;
//! ```
//!
//! For tests only: it panics with a sentence that says what was wanted. It depends on no service.

mod facts;
mod people;
mod refusals;
mod running;
mod stores;
mod streams;

pub use people::{Organisation, Token, signed, signed_by, token};
pub use refusals::{done, fields, reason, refused};
pub use running::{Stage, StageBuilder};
pub use stores::{comes_back, fresh_journal};
pub use streams::{Around, event};

use callboard_kernel::{IdGenerator, RandomIds};
use uuid::Uuid;

/// A new id.
pub fn id() -> Uuid {
    RandomIds.next()
}

/// A new request id.
pub fn request_id() -> String {
    id().to_string()
}
