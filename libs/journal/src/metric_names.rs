//! The metrics of the commit path. All carry the label `context`.

/// Histogram: units written in one statement.
pub const BATCH_UNITS: &str = "callboard_journal_batch_units";
/// Histogram, seconds: writing one batch.
pub const BATCH_SECONDS: &str = "callboard_journal_batch_seconds";
/// Counter: batches whose statement failed, so that their units were written one by one.
pub const BATCHES_SPLIT: &str = "callboard_journal_batches_split_total";
/// Counter: units by outcome. Label `outcome`: `written`, `conflict`, `replayed`, `refused`, `unknown`.
pub const UNITS: &str = "callboard_journal_units_total";
