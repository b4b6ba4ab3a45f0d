//! Tokens that are refused before they expire.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

use callboard_kernel::Timestamp;
use chrono::TimeDelta;
use parking_lot::RwLock;
use uuid::Uuid;

/// What is known of ended sessions, in memory, by subject or code.
///
/// An entry says: of this key, tokens below this epoch are refused, and tokens without an epoch that were issued at or
/// before this moment. Entries are forgotten after the retention, which must be at least the longest life of a token
/// ([`crate::VerifierConfig::max_token_lifetime`]): then the tokens they speak of have expired by themselves.
#[derive(Debug)]
pub struct Revocations {
    entries: RwLock<Entries>,
    retention: TimeDelta,
    complete: AtomicBool,
}

/// What can end a token before it expires. Whatever is given out on its strength and outlives it keeps this, and ends with
/// it: also where the token's end was said before, and heard of only after. A time of giving out says nothing there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Whose end ends it: the person's, the code's.
    pub keys: Vec<Uuid>,
    /// The token's, where its issuer counts.
    pub epoch: Option<i64>,
    /// When the token was issued.
    pub issued_at: Timestamp,
}

impl Standing {
    /// Whether the token was ended.
    pub fn is_ended(&self, revocations: &Revocations) -> bool {
        revocations.is_revoked(&self.keys, self.epoch, self.issued_at)
    }
}

#[derive(Debug, Default)]
struct Entries {
    by_key: HashMap<Uuid, Entry>,
    /// Forgetting is worth a walk when the map has grown to this size.
    sweep_at: usize,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    min_epoch: i64,
    revoked_before: Timestamp,
}

const SMALLEST_SWEEP: usize = 1024;

impl Revocations {
    /// None known, and none to be waited for; entries are kept for `retention`.
    pub fn new(retention: TimeDelta) -> Self {
        let entries = Entries { by_key: HashMap::new(), sweep_at: SMALLEST_SWEEP };
        Self { entries: RwLock::new(entries), retention, complete: AtomicBool::new(true) }
    }

    /// None known, but some to be read: until [`Self::caught_up`] no token is accepted, since an ended session must not
    /// live again while a process starts.
    pub fn behind(retention: TimeDelta) -> Self {
        Self { complete: AtomicBool::new(false), ..Self::new(retention) }
    }

    /// All that was said before now is known.
    pub fn caught_up(&self) {
        self.complete.store(true, Ordering::Release);
    }

    /// Whether tokens can be judged.
    pub fn is_complete(&self) -> bool {
        self.complete.load(Ordering::Acquire)
    }

    /// From now on refuses tokens of this subject or code below `min_epoch`; those without an epoch, when they were
    /// issued at or before `at`. Repeated or late news never weakens what is known.
    pub fn revoke(&self, key: Uuid, min_epoch: i64, at: Timestamp) {
        let mut entries = self.entries.write();
        entries
            .by_key
            .entry(key)
            .and_modify(|entry| {
                entry.min_epoch = entry.min_epoch.max(min_epoch);
                entry.revoked_before = entry.revoked_before.max(at);
            })
            .or_insert(Entry { min_epoch, revoked_before: at });
        if entries.by_key.len() >= entries.sweep_at {
            let oldest = at - self.retention;
            entries.by_key.retain(|_, entry| entry.revoked_before >= oldest);
            entries.sweep_at = (entries.by_key.len() * 2).max(SMALLEST_SWEEP);
        }
    }

    /// Whether a token of these keys is refused.
    ///
    /// `iat` counts whole seconds, so a token of the very second of the revocation counts as older: who logs in again
    /// within that second has to do it once more, which is better than an ended session that lives on.
    pub fn is_revoked(&self, keys: &[Uuid], epoch: Option<i64>, issued_at: Timestamp) -> bool {
        let entries = self.entries.read();
        if entries.by_key.is_empty() {
            return false;
        }
        keys.iter().filter_map(|key| entries.by_key.get(key)).any(|entry| match epoch {
            Some(epoch) => epoch < entry.min_epoch,
            None => issued_at <= entry.revoked_before,
        })
    }

    /// How many keys are known.
    pub fn len(&self) -> usize {
        self.entries.read().by_key.len()
    }

    /// True when nothing is known.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }

    #[test]
    fn late_news_never_weakens_what_is_known() {
        let revocations = Revocations::new(TimeDelta::hours(1));
        let key = Uuid::from_u128(1);
        revocations.revoke(key, 5, at(1000));
        revocations.revoke(key, 3, at(900));
        assert!(revocations.is_revoked(&[key], Some(4), at(2000)));
        assert!(!revocations.is_revoked(&[key], Some(5), at(2000)));
        assert!(revocations.is_revoked(&[key], None, at(1000)));
        assert!(!revocations.is_revoked(&[key], None, at(1001)));
        assert!(!revocations.is_revoked(&[Uuid::from_u128(2)], Some(0), at(0)));
    }

    #[test]
    fn what_has_outlived_every_token_is_forgotten() {
        let revocations = Revocations::new(TimeDelta::seconds(10));
        for number in 0..2000_u32 {
            revocations.revoke(Uuid::from_u128(number.into()), 1, at(number.into()));
        }
        assert!(revocations.len() < 1100, "{} kept", revocations.len());
        assert!(revocations.is_revoked(&[Uuid::from_u128(1999)], Some(0), at(0)));
    }
}
