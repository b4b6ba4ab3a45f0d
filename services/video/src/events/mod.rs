//! What video tells others, what it makes of what others tell, and what happens when its time comes.

pub mod directory;
pub mod fleet;
pub mod outbound;
pub mod ratings;
pub mod tickets;
pub mod timers;
