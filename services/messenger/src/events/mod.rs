//! What the messenger tells others, and what it makes of what others tell.

pub mod directory;
pub mod fleet;
pub mod outbound;
pub mod tickets;
pub mod video;
