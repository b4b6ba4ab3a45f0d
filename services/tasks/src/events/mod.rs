//! What tasks tell others, and what they make of what others tell, of their own due times, and of timers.

pub mod directory;
pub mod outbound;
pub mod own;
pub mod tickets;
pub mod timers;
