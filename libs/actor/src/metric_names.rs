//! The metrics of the actor runtime. All carry the label `kind`: the aggregate's.

/// Gauge: aggregates in memory.
pub const RESIDENTS: &str = "callboard_actor_residents";
/// Histogram, seconds: reading an aggregate from the store, without the wait for its turn.
pub const LOAD_SECONDS: &str = "callboard_actor_load_seconds";
/// Histogram: commands waiting for one aggregate when another one comes. Label `lane`.
pub const MAILBOX_DEPTH: &str = "callboard_actor_mailbox_depth";
/// Counter: commands turned away. Label `lane`.
pub const MAILBOX_FULL: &str = "callboard_actor_mailbox_full_total";
/// Counter: commands turned away because every resident aggregate was in use.
pub const RESIDENTS_FULL: &str = "callboard_actor_residents_full_total";
/// Histogram: commands decided in one go.
pub const BATCH_SIZE: &str = "callboard_actor_batch_size";
/// Histogram, seconds: deciding one batch.
pub const DECIDE_SECONDS: &str = "callboard_actor_decide_seconds";
/// Histogram, seconds: committing one unit, as the actor sees it.
pub const COMMIT_SECONDS: &str = "callboard_actor_commit_seconds";
/// Counter: units that somebody else was faster than.
pub const CONFLICTS: &str = "callboard_actor_conflicts_total";
/// Counter: commands skipped because nobody waited any more. Label `why`: `expired`, `abandoned`.
pub const SKIPPED: &str = "callboard_actor_skipped_total";
/// Counter: commands answered from a receipt.
pub const REPLAYED: &str = "callboard_actor_replayed_total";
/// Counter: reactions to events and timers among them: the inbox knew what came again.
pub const INBOX_DUPLICATES: &str = "callboard_inbox_duplicates_total";
/// Counter: panics caught in an aggregate or a store.
pub const PANICS: &str = "callboard_actor_panics_total";
/// Counter: actors that left memory. Label `why`: `idle`, `room`, `stop`.
pub const RETIRED: &str = "callboard_actor_retired_total";
