//! What fleet tells others, and what it makes of what others tell.

pub mod directory;
pub mod outbound;
mod planning;
mod review;
pub mod tickets;
pub mod timers;

pub use planning::Planner;
pub use review::{Because, look_again, review};
