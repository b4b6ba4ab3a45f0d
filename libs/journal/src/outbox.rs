//! What the relay reads and writes of the outbox. All of it goes over the connection that holds the relay's lock: a
//! relay that lost its lock can neither read what to publish nor mark what it did.

use callboard_bus::Event;
use callboard_kernel::EventId;
use sqlx::{PgConnection, Row};
use uuid::Uuid;

use crate::event_row::event;

/// `stream_seq` of an event that the bus refused. Later events of its aggregate wait behind it.
const REFUSED: i64 = -1;
/// `stream_seq` of a refused event that was given up by hand. Never published.
const SKIPPED: i64 = -2;

/// A row of the outbox.
pub(crate) struct OutboxRow {
    pub(crate) position: i64,
    pub(crate) mark: Option<i64>,
    pub(crate) event: Event,
}

fn rows(found: &[sqlx::postgres::PgRow]) -> Result<Vec<OutboxRow>, sqlx::Error> {
    found
        .iter()
        .map(|row| {
            Ok(OutboxRow {
                position: row.try_get("position")?,
                mark: row.try_get("stream_seq")?,
                event: event(row)?,
            })
        })
        .collect()
}

/// What is not published yet, without what waits behind a refused event. Position is the order per aggregate: a
/// version can be written only after the one before it was committed.
pub(crate) async fn unpublished(
    connection: &mut PgConnection,
    limit: i64,
) -> Result<Vec<OutboxRow>, sqlx::Error> {
    let found = sqlx::query(
        "select * from outbox where stream_seq is null \
         and aggregate_id <> all(array(select aggregate_id from outbox where stream_seq = $1)) \
         order by position limit $2",
    )
    .bind(REFUSED)
    .bind(limit)
    .fetch_all(connection)
    .await?;
    rows(&found)
}

/// What was published behind a sequence, in the order of the stream.
pub(crate) async fn published_after(
    connection: &mut PgConnection,
    sequence: i64,
    limit: i64,
) -> Result<Vec<OutboxRow>, sqlx::Error> {
    let found =
        sqlx::query("select * from outbox where stream_seq > greatest($1, 0) order by stream_seq limit $2")
            .bind(sequence)
            .bind(limit)
            .fetch_all(connection)
            .await?;
    rows(&found)
}

/// Marks rows as published.
pub(crate) async fn mark(
    connection: &mut PgConnection,
    positions: &[i64],
    sequences: &[i64],
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update outbox o set stream_seq = u.seq from unnest($1::bigint[], $2::bigint[]) as u(position, seq) \
         where o.position = u.position",
    )
    .bind(positions)
    .bind(sequences)
    .execute(connection)
    .await?;
    Ok(())
}

/// Marks rows whose events were found in the stream. Answers how many of the events are ours at all.
pub(crate) async fn mark_found(
    connection: &mut PgConnection,
    events: &[Uuid],
    sequences: &[i64],
) -> Result<i64, sqlx::Error> {
    sqlx::query(
        "update outbox o set stream_seq = u.seq from unnest($1::uuid[], $2::bigint[]) as u(id, seq) \
         where o.event_id = u.id and (o.stream_seq is null or o.stream_seq < 0)",
    )
    .bind(events)
    .bind(sequences)
    .execute(&mut *connection)
    .await?;
    sqlx::query_scalar("select count(*) from outbox where event_id = any($1)")
        .bind(events)
        .fetch_one(connection)
        .await
}

/// The highest sequence that is marked; 0: none.
pub(crate) async fn highest_mark(connection: &mut PgConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select coalesce(max(stream_seq), 0) from outbox where stream_seq > 0")
        .fetch_one(connection)
        .await
}

/// The event that is marked with a sequence.
pub(crate) async fn event_at(
    connection: &mut PgConnection,
    sequence: i64,
) -> Result<Option<EventId>, sqlx::Error> {
    let id: Option<Uuid> = sqlx::query_scalar("select event_id from outbox where stream_seq = $1 limit 1")
        .bind(sequence)
        .fetch_optional(connection)
        .await?;
    Ok(id.map(EventId))
}

/// True when the event is in the outbox.
pub(crate) async fn knows(connection: &mut PgConnection, event: EventId) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("select exists (select 1 from outbox where event_id = $1)")
        .bind(event.uuid())
        .fetch_one(connection)
        .await
}

/// Takes a row out of the way that the bus will never take.
pub(crate) async fn refuse(connection: &mut PgConnection, position: i64) -> Result<(), sqlx::Error> {
    sqlx::query("update outbox set stream_seq = $2 where position = $1")
        .bind(position)
        .bind(REFUSED)
        .execute(connection)
        .await?;
    Ok(())
}

/// Aggregates with a refused event.
pub(crate) async fn blocked(connection: &mut PgConnection) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar("select distinct aggregate_id from outbox where stream_seq = $1")
        .bind(REFUSED)
        .fetch_all(connection)
        .await
}

/// How much is not published, and for how many seconds the oldest of it has waited.
pub(crate) async fn measure(connection: &mut PgConnection) -> Result<(i64, f64), sqlx::Error> {
    let row = sqlx::query(
        "select count(*) as unpublished, \
         coalesce(extract(epoch from clock_timestamp() - min(created_at)), 0)::double precision as oldest \
         from outbox where stream_seq is null",
    )
    .fetch_one(connection)
    .await?;
    Ok((row.try_get("unpublished")?, row.try_get("oldest")?))
}

/// Events that the bus refused, oldest first; at most `limit`.
///
/// # Errors
/// What Postgres says.
pub async fn refused_events(pool: &crate::Pool, limit: i64) -> Result<Vec<Event>, sqlx::Error> {
    let found = sqlx::query("select * from outbox where stream_seq = $1 order by position limit $2")
        .bind(REFUSED)
        .bind(limit)
        .fetch_all(pool)
        .await?;
    found.iter().map(event).collect()
}

/// Lets go of a refused event by hand. `publish`: try it once more; otherwise it is never published and what waits
/// behind it goes on. False: no such event is refused.
///
/// # Errors
/// What Postgres says.
pub async fn release_refused(pool: &crate::Pool, event: EventId, publish: bool) -> Result<bool, sqlx::Error> {
    let done = sqlx::query("update outbox set stream_seq = $3 where event_id = $1 and stream_seq = $2")
        .bind(event.uuid())
        .bind(REFUSED)
        .bind((!publish).then_some(SKIPPED))
        .execute(pool)
        .await?;
    Ok(done.rows_affected() > 0)
}
