//! The life of a ticket over separate processes, and what must hold when they die.

mod crash;
mod events;
mod life;
