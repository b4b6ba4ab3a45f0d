//! Destinations that failed last, and when they are tried again: nobody waits for another's (N-5).

use callboard_journal::Pool;
use callboard_kernel::Timestamp;
use callboard_notifications_domain::delivery;
use chrono::TimeDelta;

use super::Sql;

/// The longest rest that nobody asked for: somebody else may have a message there.
const MOST: TimeDelta = TimeDelta::minutes(10);

/// How a destination has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failing {
    /// In a row.
    pub failures: u32,
    /// Since when.
    pub since: Timestamp,
}

/// Keeps destinations, by lane (a channel, or webhooks) and name.
#[derive(Debug, Clone)]
pub struct Destinations {
    pool: Pool,
}

impl Destinations {
    /// In this database.
    pub const fn new(pool: Pool) -> Self {
        Self { pool }
    }

    /// A destination failed: it rests, for longer each time, and at least for as long as it `asked`.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn rest(
        &self,
        lane: &str,
        name: &str,
        asked: Option<TimeDelta>,
        now: Timestamp,
    ) -> Sql<Failing> {
        let (failures, since): (i32, Timestamp) = sqlx::query_as(
            "insert into destination (channel, name, failures, not_before, failing_since) values ($1, $2, 1, $3, $3)
             on conflict (channel, name) do update set failures = destination.failures + 1
             returning failures, failing_since",
        )
        .bind(lane)
        .bind(name)
        .bind(now)
        .fetch_one(&self.pool)
        .await?;
        let failures = u32::try_from(failures).unwrap_or_default();
        let pause = delivery::pause(failures.min(delivery::MAX_ATTEMPTS - 1), 0).unwrap_or_default();
        let pause = pause.min(MOST).max(asked.unwrap_or_default());
        sqlx::query(
            "update destination set not_before = greatest(not_before, $3) where channel = $1 and name = $2",
        )
        .bind(lane)
        .bind(name)
        .bind(now + pause)
        .execute(&self.pool)
        .await?;
        Ok(Failing { failures, since })
    }

    /// A destination answered, or is another one by now.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn answers(&self, lane: &str, name: &str) -> Sql<()> {
        sqlx::query("delete from destination where channel = $1 and name = $2")
            .bind(lane)
            .bind(name)
            .execute(&self.pool)
            .await?;
        Ok(())
    }
}
