//! An event in columns: the same in the outbox and among the dead letters.

use bytes::Bytes;
use callboard_bus::Event;
use callboard_kernel::{EventId, Version};
use sqlx::Row;
use sqlx::postgres::PgRow;

/// Reads an event from a row that has all of its columns.
pub(crate) fn event(row: &PgRow) -> Result<Event, sqlx::Error> {
    let actor: String = row.try_get("actor")?;
    Ok(Event {
        id: EventId(row.try_get("event_id")?),
        context: row.try_get("context")?,
        name: row.try_get("name")?,
        kind: row.try_get("kind")?,
        organisation: row.try_get::<uuid::Uuid, _>("organisation_id")?.into(),
        aggregate_id: row.try_get("aggregate_id")?,
        aggregate_version: Version(row.try_get("aggregate_version")?),
        time: row.try_get("time")?,
        causation: row.try_get::<Option<uuid::Uuid>, _>("causation")?.map(EventId),
        correlation: row.try_get("correlation")?,
        traceparent: row.try_get("traceparent")?,
        actor: actor.parse().map_err(|error| sqlx::Error::ColumnDecode {
            index: "actor".to_owned(),
            source: Box::new(error),
        })?,
        payload: Bytes::from(row.try_get::<Vec<u8>, _>("payload")?),
    })
}
