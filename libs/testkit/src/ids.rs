//! Ids that are the same in every run.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use callboard_kernel::{Clock, IdGenerator};
use uuid::{Builder, Uuid};

use crate::ManualClock;

/// UUIDv7 that depend on nothing but the seed, the clock and how many were made before. Clones go on with the same
/// sequence. Ids of one generator rise with their number as long as its clock does not go backwards.
#[derive(Debug, Clone)]
pub struct SeededIds {
    seed: u64,
    clock: ManualClock,
    made: Arc<AtomicU64>,
}

impl SeededIds {
    /// Ids of a seed, with the time of the standard [`ManualClock`].
    pub fn new(seed: u64) -> Self {
        Self::with_clock(seed, ManualClock::default())
    }

    /// Ids of a seed, with the time of a clock that the test moves.
    pub fn with_clock(seed: u64, clock: ManualClock) -> Self {
        Self { seed, clock, made: Arc::default() }
    }
}

impl IdGenerator for SeededIds {
    fn next(&self) -> Uuid {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let millis = u64::try_from(self.clock.now().timestamp_millis()).unwrap_or_default();
        // Ten bytes after the time. The version takes the upper half of the first, the variant the two upper bits of
        // the third; the number stands clear of both, before the seed, so that ids of one millisecond rise.
        let mut rest = [0; 10];
        let number = number.to_be_bytes();
        rest[1] = number[3];
        rest[3..7].copy_from_slice(&number[4..]);
        let seed = scramble(self.seed).to_be_bytes();
        rest[7..].copy_from_slice(&seed[..3]);
        Builder::from_unix_timestamp_millis(millis, &rest).into_uuid()
    }
}

/// Spreads neighbouring seeds (the finaliser of SplitMix64).
fn scramble(seed: u64) -> u64 {
    let mut mixed = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}
