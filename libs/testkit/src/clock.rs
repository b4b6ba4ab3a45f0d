//! A clock that stands still until a test moves it.

use std::sync::Arc;
use std::time::Duration;

use callboard_kernel::{Clock, Timestamp, truncate_to_micros};
use chrono::TimeDelta;
use parking_lot::Mutex;

/// A clock that tells the time a test has set. Clones are the same clock.
#[derive(Debug, Clone)]
pub struct ManualClock(Arc<Mutex<Timestamp>>);

impl ManualClock {
    /// A clock that stands at the given time, to the microsecond.
    pub fn at(time: Timestamp) -> Self {
        Self(Arc::new(Mutex::new(truncate_to_micros(time))))
    }

    /// Moves the clock forward.
    ///
    /// # Panics
    /// Past the end of time.
    pub fn advance(&self, by: Duration) {
        let by = TimeDelta::from_std(by).expect("a duration that fits");
        let mut time = self.0.lock();
        *time = truncate_to_micros(*time + by);
    }

    /// Sets the clock, also backwards, as a correction of a machine's clock would.
    pub fn set(&self, time: Timestamp) {
        *self.0.lock() = truncate_to_micros(time);
    }
}

impl Default for ManualClock {
    /// Monday, 5 January 2026, 09:00 UTC: an ordinary working hour.
    fn default() -> Self {
        Self::at(Timestamp::from_timestamp_secs(1_767_603_600).expect("a time"))
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.0.lock()
    }
}
