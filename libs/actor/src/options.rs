//! What can be set.

use std::time::Duration;

/// Limits of a registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Calls by hand that may wait for one aggregate. More are told to come again.
    pub user_mailbox: usize,
    /// Reactions to events and timers that may wait for one aggregate. More are told to come again.
    pub event_mailbox: usize,
    /// Commands of one aggregate that are decided in sequence and committed as one unit.
    pub batch: usize,
    /// After so long without a command an actor retires.
    pub idle: Duration,
    /// Aggregates kept in memory. Above it the one that was not used for the longest time makes room.
    pub max_resident: usize,
    /// Aggregates read from the store at the same time. Keep it well below the size of the connection pool.
    pub max_loads: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            user_mailbox: 1024,
            event_mailbox: 1024,
            batch: 256,
            idle: Duration::from_secs(300),
            max_resident: 10_000,
            max_loads: 8,
        }
    }
}
