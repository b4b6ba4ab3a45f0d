//! What the support desk tells others, and what it makes of what others tell.

pub mod directory;
pub mod outbound;
pub mod partners;
