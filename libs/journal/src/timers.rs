//! Timers that fire once in effect, however many replicas there are.
//!
//! Every replica looks for what is due and claims it, without a transaction held while it fires. A claim runs out, so
//! a timer of a replica that died is fired by another; then it may be handed out twice, and the receipt of its command
//! (whose id is made of the timer and its due time) makes the second one nothing.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use crate::Pool;
use bytes::Bytes;
use callboard_bus::HandleError;
use callboard_kernel::{Clock, CommandId, OrganisationId, Timestamp, derive_uuid};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use sqlx::Row;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Histogram in seconds, label `kind`: how long after its due time a timer fired.
const LATE: &str = "callboard_timer_late_seconds";
/// Counter, labels `kind`, `outcome` (`fired`, `retry`, `failed`).
const FIRED: &str = "callboard_timer_fired_total";

/// Namespace of the ids of commands that timers cause.
const TIMER_COMMANDS: Uuid = Uuid::from_u128(0x6f0d_83c5_3c5e_5d57_9c0f_7d3d_2a6b_94e1);

/// A timer whose time has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueTimer {
    /// Kind of the aggregate that set it: `ticket`.
    pub kind: String,
    /// The aggregate.
    pub aggregate_id: Uuid,
    /// Its organisation.
    pub organisation: OrganisationId,
    /// The timer's name, unique within the aggregate.
    pub name: String,
    /// What was set with it.
    pub payload: Bytes,
    /// When it was due.
    pub due_at: Timestamp,
}

impl DueTimer {
    /// The id of the command that this timer causes: the same whoever fires it and how often, another once it is set
    /// to another time.
    pub fn command_id(&self) -> CommandId {
        CommandId(derive_uuid(
            TIMER_COMMANDS,
            &[
                self.kind.as_bytes(),
                self.aggregate_id.as_bytes(),
                self.name.as_bytes(),
                &self.due_at.timestamp_micros().to_be_bytes(),
            ],
        ))
    }
}

/// How timers are fired.
#[derive(Debug, Clone)]
pub struct TimerOptions {
    /// How often to look, unless woken.
    pub poll: Duration,
    /// The most that are fired at once.
    pub batch: u16,
    /// How long a claim lasts. One that fires for longer than half of it counts as "not now".
    pub claim: Duration,
    /// Pause before one that said "not now" is fired again.
    pub retry: Duration,
    /// Pause before one that failed is fired again. It stays until it succeeds or is cancelled.
    pub retry_failed: Duration,
}

impl Default for TimerOptions {
    fn default() -> Self {
        Self {
            poll: Duration::from_millis(500),
            batch: 64,
            claim: Duration::from_secs(30),
            retry: Duration::from_secs(2),
            retry_failed: Duration::from_secs(60),
        }
    }
}

/// Fires the timers of one context.
pub struct Timers {
    pool: Pool,
    clock: Arc<dyn Clock>,
    wake: Arc<Notify>,
    options: TimerOptions,
}

impl Timers {
    /// Timers of the pool's schema. `wake` is notified when a timer may be due sooner than the next look.
    pub fn new(pool: Pool, clock: Arc<dyn Clock>, wake: Arc<Notify>, options: TimerOptions) -> Self {
        Self { pool, clock, wake, options }
    }

    /// Fires until `stop`, then finishes what is being fired. `fire` turns a timer into a command with
    /// [`DueTimer::command_id`] in the event lane; a timer is gone once that says `Ok`.
    pub async fn run<F, R>(&self, fire: F, stop: CancellationToken)
    where
        F: Fn(DueTimer) -> R + Send + Sync,
        R: Future<Output = Result<(), HandleError>> + Send,
    {
        while !stop.is_cancelled() {
            let full = match self.fire_due(&fire).await {
                Ok(count) => count >= usize::from(self.options.batch),
                Err(error) => {
                    tracing::warn!(%error, "timers cannot be read");
                    false
                }
            };
            if full {
                continue;
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.wake.notified() => {}
                () = tokio::time::sleep(self.options.poll) => {}
            }
        }
    }

    /// Claims what is due and fires it. Answers how many were claimed.
    ///
    /// # Errors
    /// What Postgres says; claims then run out by themselves.
    pub async fn fire_due<F, R>(&self, fire: &F) -> Result<usize, sqlx::Error>
    where
        F: Fn(DueTimer) -> R + Send + Sync,
        R: Future<Output = Result<(), HandleError>> + Send,
    {
        let due = self.claim().await?;
        let count = due.len();
        let mut firing: FuturesUnordered<_> =
            due.into_iter().map(|timer| self.fire_one(fire, timer)).collect();
        while let Some(outcome) = firing.next().await {
            outcome?;
        }
        Ok(count)
    }

    async fn claim(&self) -> Result<Vec<DueTimer>, sqlx::Error> {
        let now = self.clock.now();
        let rows = sqlx::query(
            "update timer t set claimed_until = $2 from (\
               select aggregate_kind, aggregate_id, name from timer \
               where due_at <= $1 and (claimed_until is null or claimed_until <= $1) \
               order by due_at limit $3 for update skip locked) c \
             where t.aggregate_kind = c.aggregate_kind and t.aggregate_id = c.aggregate_id and t.name = c.name \
             returning t.aggregate_kind, t.aggregate_id, t.name, t.organisation_id, t.payload, t.due_at",
        )
        .bind(now)
        .bind(now + self.options.claim)
        .bind(i64::from(self.options.batch))
        .fetch_all(&self.pool)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(DueTimer {
                    kind: row.try_get("aggregate_kind")?,
                    aggregate_id: row.try_get("aggregate_id")?,
                    organisation: row.try_get::<Uuid, _>("organisation_id")?.into(),
                    name: row.try_get("name")?,
                    payload: Bytes::from(row.try_get::<Vec<u8>, _>("payload")?),
                    due_at: row.try_get("due_at")?,
                })
            })
            .collect()
    }

    async fn fire_one<F, R>(&self, fire: &F, timer: DueTimer) -> Result<(), sqlx::Error>
    where
        F: Fn(DueTimer) -> R + Send + Sync,
        R: Future<Output = Result<(), HandleError>> + Send,
    {
        let late = (self.clock.now() - timer.due_at).to_std().unwrap_or_default();
        metrics::histogram!(LATE, "kind" => timer.kind.clone()).record(late);
        let limit = self.options.claim / 2;
        let outcome = match tokio::time::timeout(limit, fire(timer.clone())).await {
            Ok(outcome) => outcome,
            Err(_) => Err(HandleError::Retry("it took too long".to_owned())),
        };
        let (word, again) = match &outcome {
            Ok(()) => ("fired", None),
            Err(HandleError::Retry(_)) => ("retry", Some(self.options.retry)),
            Err(HandleError::Failed(_) | HandleError::Poison(_)) => {
                ("failed", Some(self.options.retry_failed))
            }
        };
        metrics::counter!(FIRED, "kind" => timer.kind.clone(), "outcome" => word).increment(1);
        if let Err(error) = outcome {
            tracing::warn!(%error, kind = timer.kind, timer = timer.name, id = %timer.aggregate_id, "fires again");
        }
        match again {
            Some(pause) => self.postpone(&timer, pause).await,
            None => self.remove(&timer).await,
        }
    }

    /// Removes a timer that fired, unless its own command (or another) set it anew meanwhile: then the claim on the
    /// old one must not hold the new one back.
    async fn remove(&self, timer: &DueTimer) -> Result<(), sqlx::Error> {
        let removed = sqlx::query(
            "delete from timer where aggregate_kind = $1 and aggregate_id = $2 and name = $3 and due_at = $4",
        )
        .bind(&timer.kind)
        .bind(timer.aggregate_id)
        .bind(&timer.name)
        .bind(timer.due_at)
        .execute(&self.pool)
        .await?;
        if removed.rows_affected() == 0 {
            sqlx::query(
                "update timer set claimed_until = null \
                 where aggregate_kind = $1 and aggregate_id = $2 and name = $3 and due_at <> $4",
            )
            .bind(&timer.kind)
            .bind(timer.aggregate_id)
            .bind(&timer.name)
            .bind(timer.due_at)
            .execute(&self.pool)
            .await?;
        }
        Ok(())
    }

    async fn postpone(&self, timer: &DueTimer, pause: Duration) -> Result<(), sqlx::Error> {
        sqlx::query(
            "update timer set claimed_until = case when due_at = $4 then $5 end \
             where aggregate_kind = $1 and aggregate_id = $2 and name = $3",
        )
        .bind(&timer.kind)
        .bind(timer.aggregate_id)
        .bind(&timer.name)
        .bind(timer.due_at)
        .bind(self.clock.now() + pause)
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}
