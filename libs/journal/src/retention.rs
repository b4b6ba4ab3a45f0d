//! Removing what nobody needs any more, in small batches.

use std::sync::Arc;
use std::time::Duration;

use crate::Pool;
use callboard_kernel::Clock;
use tokio_util::sync::CancellationToken;

/// Counter, label `what` (`outbox`, `receipts`): rows removed.
const REMOVED: &str = "callboard_retention_removed_total";

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How long things are kept.
#[derive(Debug, Clone)]
pub struct RetentionOptions {
    /// Published events: from these a lost tail or a whole stream is built again, so at least as long as the stream
    /// keeps them. Unpublished and refused ones stay for good.
    pub published: Duration,
    /// Receipts: for so long a repeated command answers the same, and a repeated event has no second effect. Longer
    /// than the stream keeps events, or a republished one would be taken for new.
    pub receipts: Duration,
    /// How often to look.
    pub every: Duration,
    /// The most rows that are removed at once; locks and dead rows stay few.
    pub batch: u16,
}

impl Default for RetentionOptions {
    fn default() -> Self {
        Self { published: 7 * DAY, receipts: 30 * DAY, every: Duration::from_secs(600), batch: 1000 }
    }
}

/// What one round removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Removed {
    /// Published events.
    pub outbox: u64,
    /// Receipts.
    pub receipts: u64,
}

/// Removes what is too old. Every replica may run it.
pub struct Retention {
    pool: Pool,
    clock: Arc<dyn Clock>,
    options: RetentionOptions,
}

impl Retention {
    /// Retention in the pool's schema.
    pub fn new(pool: Pool, clock: Arc<dyn Clock>, options: RetentionOptions) -> Self {
        Self { pool, clock, options }
    }

    /// Runs until `stop`.
    pub async fn run(&self, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(self.options.every) => {}
            }
            match self.round(&stop).await {
                Ok(removed) if removed != Removed::default() => {
                    tracing::info!(removed.outbox, removed.receipts, "removed what was too old");
                }
                Ok(_) => {}
                Err(error) => tracing::warn!(%error, "nothing could be removed"),
            }
        }
    }

    /// Removes everything that is too old now, batch by batch; ends early at `stop`.
    ///
    /// # Errors
    /// What Postgres says. What was removed before stays removed.
    pub async fn round(&self, stop: &CancellationToken) -> Result<Removed, sqlx::Error> {
        let mut removed = Removed::default();
        loop {
            let count = self.remove_outbox().await?;
            removed.outbox += count;
            if count < u64::from(self.options.batch) || stop.is_cancelled() {
                break;
            }
        }
        loop {
            let count = self.remove_receipts().await?;
            removed.receipts += count;
            if count < u64::from(self.options.batch) || stop.is_cancelled() {
                break;
            }
        }
        metrics::counter!(REMOVED, "what" => "outbox").increment(removed.outbox);
        metrics::counter!(REMOVED, "what" => "receipts").increment(removed.receipts);
        Ok(removed)
    }

    /// The highest mark always stays, however old: it tells the relay where the stream should end. Without it a quiet
    /// context's stream would look like a stranger's.
    async fn remove_outbox(&self) -> Result<u64, sqlx::Error> {
        let done = sqlx::query(
            "delete from outbox where position in (\
               select position from outbox where created_at < $1 \
               and (stream_seq = -2 or stream_seq between 1 and (select max(stream_seq) - 1 from outbox)) \
               limit $2)",
        )
        .bind(self.clock.now() - self.options.published)
        .bind(i64::from(self.options.batch))
        .execute(&self.pool)
        .await?;
        Ok(done.rows_affected())
    }

    async fn remove_receipts(&self) -> Result<u64, sqlx::Error> {
        let done = sqlx::query(
            "delete from command_receipt where command_id in (\
               select command_id from command_receipt where created_at < $1 limit $2)",
        )
        .bind(self.clock.now() - self.options.receipts)
        .bind(i64::from(self.options.batch))
        .execute(&self.pool)
        .await?;
        Ok(done.rows_affected())
    }
}
