//! Events that a consumer could not process, and those of the same key behind them.
//!
//! # Order
//! An event is parked only by the process that reads the durable, and with [`PgLeases`](crate::PgLeases) that is one
//! at a time. It remembers which keys are parked, having read them when it began, so an event of a key that is not
//! parked costs no query. Other processes only ever *un*park (replay, skip): a remembered "parked" may be out of date,
//! so parking behind asks Postgres again, under a lock on consumer and key that the removal of the last parked event
//! takes too. So an event is either parked while something of its key still is, and a replay that is going on finds
//! it, or handled after everything parked before it was.
//!
//! A consumer without a lease may have several readers; then a key parked by one is unknown to the others until
//! [`RECHECK`] has passed, and order across them is not promised by the bus either.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use crate::Pool;
use callboard_bus::{Event, HandleError, Handler, Key, Parking, Problem};
use callboard_kernel::{EventId, Timestamp};
use futures::future::BoxFuture;
use parking_lot::Mutex;
use sqlx::postgres::PgRow;
use sqlx::{ConnectOptions, Connection, PgConnection, Row};
use uuid::Uuid;

use crate::event_row;

/// Gauge, label `consumer`: parked events. Alert above 0.
const PARKED: &str = "callboard_dead_letters";

/// How long the remembered keys of a consumer with several readers are taken for right without a look.
const RECHECK: Duration = Duration::from_secs(1);

/// What is said of an event that only waits.
const WAITS: &str = "waits behind a parked event of the same key";

/// What is said of one that no handler may be given.
const UNREADABLE: &str =
    "it could not be read and cannot be replayed: skip it, and have it published again as it should be";

/// The most a list answers at once.
const MOST: i64 = 1000;

/// An event that is parked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// Its place: where a list goes on.
    pub position: i64,
    /// Who could not process it.
    pub consumer: String,
    /// What keeps order: the event's aggregate in its organisation.
    pub key: Key,
    /// The event.
    pub event: Event,
    /// What went wrong last.
    pub error: String,
    /// It could not be read, and only what could was kept: it can be looked at and skipped, not replayed.
    pub unreadable: bool,
    /// How often it was tried, beyond the tries before it was parked; 0: it only waits behind another.
    pub attempts: i32,
    /// When it was parked.
    pub first_seen: Timestamp,
}

/// How a replay ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replay {
    /// Events that were handled and are gone.
    pub handled: u64,
    /// The first that failed again, and why; those behind it were not tried.
    pub stopped: Option<(EventId, String)>,
}

/// Dead letters are out of reach, or busy.
#[derive(Debug, thiserror::Error)]
pub enum DeadLetterError {
    /// What Postgres says.
    #[error("the dead letters cannot be reached: {0}")]
    Database(#[from] sqlx::Error),
    /// Somebody else replays or skips this key just now.
    #[error("somebody else is at this key")]
    Busy,
}

/// The dead letters of a context.
#[derive(Debug)]
pub struct DeadLetters {
    pool: Pool,
    known: Mutex<HashMap<String, Known>>,
}

#[derive(Debug)]
struct Known {
    keys: HashSet<Key>,
    /// When it was read last; `None`: whoever reads it is the only one who parks, and knows of all of it.
    read: Option<Instant>,
}

impl DeadLetters {
    /// Dead letters in the pool's schema (its connect options must set the `search_path`).
    pub fn new(pool: Pool) -> Self {
        Self { pool, known: Mutex::default() }
    }

    /// Parked events in the order of parking, of one consumer or all, from behind `after`; at most 1000.
    ///
    /// # Errors
    /// What Postgres says.
    pub async fn list(
        &self,
        consumer: Option<&str>,
        after: Option<i64>,
        limit: i64,
    ) -> Result<Vec<DeadLetter>, DeadLetterError> {
        let rows = sqlx::query(
            "select * from dead_letter where ($1::text is null or consumer = $1) and position > $2 \
             order by position limit $3",
        )
        .bind(consumer)
        .bind(after.unwrap_or(0))
        .bind(limit.clamp(1, MOST))
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.iter().map(letter).collect::<Result<_, _>>()?)
    }

    /// One parked event.
    ///
    /// # Errors
    /// What Postgres says.
    pub async fn show(&self, consumer: &str, event: EventId) -> Result<Option<DeadLetter>, DeadLetterError> {
        // Ids of events that other systems publish are theirs to choose: two organisations may have the same.
        let row = sqlx::query(
            "select * from dead_letter where consumer = $1 and event_id = $2 order by position limit 1",
        )
        .bind(consumer)
        .bind(event.uuid())
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.as_ref().map(letter).transpose()?)
    }

    /// Keys with parked events of a consumer, those parked first at first; at most 1000.
    ///
    /// # Errors
    /// What Postgres says.
    pub async fn keys(&self, consumer: &str) -> Result<Vec<Key>, DeadLetterError> {
        let keys: Vec<(Uuid, Uuid)> = sqlx::query_as(
            "select organisation_id, key from dead_letter where consumer = $1 group by organisation_id, key \
             order by min(position) limit $2",
        )
        .bind(consumer)
        .bind(MOST)
        .fetch_all(&self.pool)
        .await?;
        Ok(keys.into_iter().map(key).collect())
    }

    /// Hands a key's parked events to the handler again, in order, and stops at the first that fails. The consumer
    /// may run meanwhile: what comes for the key is parked behind, and handled here too.
    ///
    /// # Errors
    /// [`DeadLetterError::Busy`]: another replay of this key is at work.
    pub async fn replay(
        &self,
        consumer: &str,
        key: Key,
        handler: &dyn Handler,
    ) -> Result<Replay, DeadLetterError> {
        // A connection of its own: handlers commit through the pool, and nobody waits for a second pooled connection
        // while holding one.
        let mut connection = self.pool.connect_options().as_ref().clone().connect().await?;
        let outcome = self.replay_on(&mut connection, consumer, key, handler).await;
        connection.close().await.unwrap_or_else(|error| tracing::debug!(%error, "closing"));
        self.measure(consumer).await;
        outcome
    }

    async fn replay_on(
        &self,
        connection: &mut PgConnection,
        consumer: &str,
        key: Key,
        handler: &dyn Handler,
    ) -> Result<Replay, DeadLetterError> {
        let alone: bool = sqlx::query_scalar(
            "select pg_try_advisory_lock(hashtextextended(\
               current_schema() || ':replay:' || $1 || ':' || $2::text || ':' || $3::text, 0))",
        )
        .bind(consumer)
        .bind(key.organisation.uuid())
        .bind(key.aggregate)
        .fetch_one(&mut *connection)
        .await?;
        if !alone {
            return Err(DeadLetterError::Busy);
        }
        let mut handled = 0;
        loop {
            let row = sqlx::query(
                "select * from dead_letter where consumer = $1 and organisation_id = $2 and key = $3 \
                 order by position limit 1",
            )
            .bind(consumer)
            .bind(key.organisation.uuid())
            .bind(key.aggregate)
            .fetch_optional(&mut *connection)
            .await?;
            let Some(row) = row else { return Ok(Replay { handled, stopped: None }) };
            let event = event_row::event(&row)?;
            if row.try_get("unreadable")? {
                return Ok(Replay { handled, stopped: Some((event.id, UNREADABLE.to_owned())) });
            }
            match handler.handle(&event).await {
                Ok(_) => {
                    remove(connection, consumer, key, Some(event.id)).await?;
                    handled += 1;
                }
                Err(error) => {
                    let error = error.to_string().replace('\0', "\u{fffd}");
                    sqlx::query(
                        "update dead_letter set error = $3, attempts = attempts + 1 \
                         where consumer = $1 and event_id = $2 and organisation_id = $4",
                    )
                    .bind(consumer)
                    .bind(event.id.uuid())
                    .bind(&error)
                    .bind(key.organisation.uuid())
                    .execute(&mut *connection)
                    .await?;
                    return Ok(Replay { handled, stopped: Some((event.id, error)) });
                }
            }
        }
    }

    /// Gives one parked event up. Those behind it stay parked: replay the key.
    ///
    /// # Errors
    /// What Postgres says. `Ok(false)`: it was not parked.
    pub async fn skip(&self, consumer: &str, event: EventId) -> Result<bool, DeadLetterError> {
        let Some(letter) = self.show(consumer, event).await? else { return Ok(false) };
        let mut connection = self.pool.acquire().await?;
        let removed = remove(&mut connection, consumer, letter.key, Some(event)).await?;
        drop(connection);
        self.measure(consumer).await;
        Ok(removed > 0)
    }

    /// Gives all parked events of a key up; later ones are handled again. Answers how many.
    ///
    /// # Errors
    /// What Postgres says.
    pub async fn skip_key(&self, consumer: &str, key: Key) -> Result<u64, DeadLetterError> {
        let mut connection = self.pool.acquire().await?;
        let removed = remove(&mut connection, consumer, key, None).await?;
        drop(connection);
        self.measure(consumer).await;
        Ok(removed)
    }

    /// Reads again which keys of a consumer are parked.
    async fn look(&self, consumer: &str, alone: bool) -> Result<(), sqlx::Error> {
        let read = (!alone).then(Instant::now);
        let keys: Vec<(Uuid, Uuid)> =
            sqlx::query_as("select distinct organisation_id, key from dead_letter where consumer = $1")
                .bind(consumer)
                .fetch_all(&self.pool)
                .await?;
        let known = Known { keys: keys.into_iter().map(key).collect(), read };
        self.known.lock().insert(consumer.to_owned(), known);
        Ok(())
    }

    /// The number parked, for the alert. Best effort.
    #[expect(clippy::cast_precision_loss, reason = "a gauge")]
    async fn measure(&self, consumer: &str) {
        let count: Result<i64, _> =
            sqlx::query_scalar("select count(*) from dead_letter where consumer = $1")
                .bind(consumer)
                .fetch_one(&self.pool)
                .await;
        if let Ok(count) = count {
            metrics::gauge!(PARKED, "consumer" => consumer.to_owned()).set(count as f64);
        }
    }

    async fn insert(
        &self,
        consumer: &str,
        event: &Event,
        problem: Problem<'_>,
        behind: bool,
    ) -> Result<bool, sqlx::Error> {
        let mut lent = self.pool.acquire().await?;
        let mut transaction = lent.begin().await?;
        lock_key(&mut transaction, consumer, event.key()).await?;
        // A statement of its own, so that it sees what the last holder of the lock did.
        let still: bool = sqlx::query_scalar(
            "select exists (\
               select 1 from dead_letter where consumer = $1 and organisation_id = $2 and key = $3)",
        )
        .bind(consumer)
        .bind(event.organisation.uuid())
        .bind(event.aggregate_id)
        .fetch_one(&mut *transaction)
        .await?;
        if behind && !still {
            return Ok(false);
        }
        sqlx::query(
            "insert into dead_letter (consumer, event_id, key, organisation_id, context, name, kind, aggregate_id, \
               aggregate_version, time, causation, correlation, traceparent, actor, payload, error, attempts, \
               unreadable) \
             values ($1, $2, $3, $4, $5, $6, $7, $3, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17) \
             on conflict (consumer, organisation_id, event_id) do update \
               set attempts = dead_letter.attempts + excluded.attempts, \
                   error = case when excluded.attempts > 0 then excluded.error else dead_letter.error end",
        )
        .bind(consumer)
        .bind(event.id.uuid())
        .bind(event.aggregate_id)
        .bind(event.organisation.uuid())
        .bind(&event.context)
        .bind(&event.name)
        .bind(&event.kind)
        .bind(event.aggregate_version.0)
        .bind(event.time)
        .bind(event.causation.map(EventId::uuid))
        .bind(event.correlation)
        .bind(&event.traceparent)
        .bind(event.actor.to_string())
        .bind(event.payload.as_ref())
        // A handler's text may quote what it read, and Postgres takes no zero character.
        .bind(problem.text().replace('\0', "\u{fffd}"))
        .bind(i32::from(!behind))
        .bind(matches!(problem, Problem::Unreadable(_)))
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        lent.give_back();
        Ok(true)
    }

    fn remember(&self, consumer: &str, key: Key, parked: bool) {
        if let Some(known) = self.known.lock().get_mut(consumer) {
            if parked {
                known.keys.insert(key);
            } else {
                known.keys.remove(&key);
            }
        }
    }
}

/// Only one at a time adds to or takes from what is parked of a key.
async fn lock_key(connection: &mut PgConnection, consumer: &str, key: Key) -> Result<(), sqlx::Error> {
    sqlx::query(
        "select pg_advisory_xact_lock(hashtextextended(\
           current_schema() || ':parked:' || $1 || ':' || $2::text || ':' || $3::text, 0))",
    )
    .bind(consumer)
    .bind(key.organisation.uuid())
    .bind(key.aggregate)
    .execute(connection)
    .await?;
    Ok(())
}

/// Removes one event of a key, or all.
async fn remove(
    connection: &mut PgConnection,
    consumer: &str,
    key: Key,
    event: Option<EventId>,
) -> Result<u64, sqlx::Error> {
    let mut transaction = connection.begin().await?;
    lock_key(&mut transaction, consumer, key).await?;
    let done = sqlx::query(
        "delete from dead_letter where consumer = $1 and organisation_id = $2 and key = $3 \
         and ($4::uuid is null or event_id = $4)",
    )
    .bind(consumer)
    .bind(key.organisation.uuid())
    .bind(key.aggregate)
    .bind(event.map(EventId::uuid))
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(done.rows_affected())
}

fn key((organisation, aggregate): (Uuid, Uuid)) -> Key {
    Key { organisation: organisation.into(), aggregate }
}

fn letter(row: &PgRow) -> Result<DeadLetter, sqlx::Error> {
    Ok(DeadLetter {
        position: row.try_get("position")?,
        consumer: row.try_get("consumer")?,
        key: key((row.try_get("organisation_id")?, row.try_get("key")?)),
        event: event_row::event(row)?,
        unreadable: row.try_get("unreadable")?,
        error: row.try_get("error")?,
        attempts: row.try_get("attempts")?,
        first_seen: row.try_get("first_seen")?,
    })
}

fn not_now(error: &sqlx::Error) -> HandleError {
    HandleError::Retry(error.to_string())
}

impl Parking for DeadLetters {
    fn open<'a>(&'a self, consumer: &'a str, alone: bool) -> BoxFuture<'a, Result<(), HandleError>> {
        Box::pin(async move {
            self.look(consumer, alone).await.map_err(|error| not_now(&error))?;
            self.measure(consumer).await;
            Ok(())
        })
    }

    fn is_parked<'a>(&'a self, consumer: &'a str, key: Key) -> BoxFuture<'a, Result<bool, HandleError>> {
        Box::pin(async move {
            let fresh = self
                .known
                .lock()
                .get(consumer)
                .is_some_and(|known| known.read.is_none_or(|read| read.elapsed() < RECHECK));
            if !fresh {
                self.look(consumer, false).await.map_err(|error| not_now(&error))?;
            }
            Ok(self.known.lock().get(consumer).is_some_and(|known| known.keys.contains(&key)))
        })
    }

    fn park_behind<'a>(
        &'a self,
        consumer: &'a str,
        event: &'a Event,
    ) -> BoxFuture<'a, Result<bool, HandleError>> {
        Box::pin(async move {
            let parked = self
                .insert(consumer, event, Problem::Failed(WAITS), true)
                .await
                .map_err(|error| not_now(&error))?;
            self.remember(consumer, event.key(), parked);
            if parked {
                self.measure(consumer).await;
            }
            Ok(parked)
        })
    }

    fn park<'a>(
        &'a self,
        consumer: &'a str,
        event: &'a Event,
        problem: Problem<'a>,
    ) -> BoxFuture<'a, Result<(), HandleError>> {
        Box::pin(async move {
            self.insert(consumer, event, problem, false).await.map_err(|error| not_now(&error))?;
            self.remember(consumer, event.key(), true);
            self.measure(consumer).await;
            Ok(())
        })
    }
}
