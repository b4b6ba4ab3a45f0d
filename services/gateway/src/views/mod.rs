//! One screen in one call: several contexts asked at once, within a time budget.

pub mod around;
pub mod linked;
pub mod names;
pub mod part;
pub mod screen;
pub mod ticket;
