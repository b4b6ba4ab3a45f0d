//! Exchanges of signals that stand (V-4). Whoever serves one says so every few seconds; what has not been heard of for
//! longer is gone, whatever became of the process that served it. Written past the journal: it is no fact.

use std::sync::Arc;

use callboard_journal::Pool;
use callboard_kernel::Clock;
use callboard_video_domain::{SessionId, StreamId};
use chrono::TimeDelta;
use uuid::Uuid;

use super::{Sql, typed};

/// What was not seen for so long is gone.
const SILENCE: TimeDelta = TimeDelta::seconds(30);
/// What was not seen for so long is swept.
const FORGOTTEN: TimeDelta = TimeDelta::minutes(10);

/// The table of exchanges.
#[derive(Debug, Clone)]
pub struct Streams {
    pool: Pool,
    clock: Arc<dyn Clock>,
}

impl Streams {
    /// The exchanges in this database.
    pub const fn new(pool: Pool, clock: Arc<dyn Clock>) -> Self {
        Self { pool, clock }
    }

    /// It stands.
    pub async fn seen(&self, session: SessionId, stream: StreamId) -> Sql<()> {
        sqlx::query(
            "insert into call_stream (id, session_id, seen_at) values ($1, $2, $3)
             on conflict (id) do update set seen_at = excluded.seen_at",
        )
        .bind(stream.uuid())
        .bind(session.uuid())
        .bind(self.clock.now())
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// It ended.
    pub async fn gone(&self, stream: StreamId) -> Sql<()> {
        sqlx::query("delete from call_stream where id = $1 or seen_at < $2")
            .bind(stream.uuid())
            .bind(self.clock.now() - FORGOTTEN)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Those of a session that stand.
    pub async fn alive(&self, session: SessionId) -> Sql<Vec<StreamId>> {
        let ids: Vec<Uuid> =
            sqlx::query_scalar("select id from call_stream where session_id = $1 and seen_at > $2")
                .bind(session.uuid())
                .bind(self.clock.now() - SILENCE)
                .fetch_all(&self.pool)
                .await?;
        Ok(typed(ids))
    }
}
