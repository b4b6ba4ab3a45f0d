//! Time, injected.

use std::fmt::Debug;

use chrono::{DateTime, DurationRound, TimeDelta, Utc};

/// A moment, in UTC, to the microsecond (what Postgres keeps).
pub type Timestamp = DateTime<Utc>;

/// Where "now" comes from. Injected, so that tests decide it.
pub trait Clock: Send + Sync + Debug {
    /// Now, to the microsecond.
    fn now(&self) -> Timestamp;
}

/// The system's clock.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one adapter of the Clock port to the system")]
    fn now(&self) -> Timestamp {
        truncate_to_micros(Utc::now())
    }
}

/// Drops what is finer than a microsecond, so that a time read back from Postgres equals the one written.
pub fn truncate_to_micros(time: Timestamp) -> Timestamp {
    time.duration_trunc(TimeDelta::microseconds(1)).unwrap_or(time)
}
