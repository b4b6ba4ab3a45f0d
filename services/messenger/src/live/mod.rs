//! Who watches conversations, and what they are told: facts from the tables, whispers from everywhere.

mod feed;
mod hub;
mod signal;
mod watch;

pub use feed::{Feed, Seen};
pub use hub::{Hub, Seat};
pub use signal::{Signal, SignalKind};
pub use watch::{Watching, watch};
