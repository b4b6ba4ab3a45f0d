//! What fleet tells others, and what it makes of what others tell.

pub mod directory;
pub mod outbound;
mod planning;
pub mod tickets;
pub mod timers;

pub use planning::Planner;
