//! What people and programs read and write over REST: shapes of our own, free to differ from the protos.
//!
//! Names are lowerCamelCase, times RFC 3339, enums short stable words (`OPEN`), ids UUIDs as text. What is not set is
//! left out; lists are always there. Output-only fields are accepted and ignored on input, so that what was read can
//! be sent back (AIP-203).

pub mod attachments;
pub mod common;
pub mod directory;
pub mod fleet;
pub mod messenger;
pub mod mirror;
pub mod notifications;
pub mod ratings;
pub mod support;
pub mod tasks;
pub mod tickets;
pub mod video;
pub mod webhooks;

pub use common::{Actor, ActorKind, Localized, Role, Time};
