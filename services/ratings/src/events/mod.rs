//! What ratings tell others, and what they make of what others tell.

pub mod directory;
pub mod outbound;
pub mod tickets;
pub mod video;
