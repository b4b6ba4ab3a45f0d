//! Building a stream anew from the outbox, with the same event ids.
//!
//! Consumers lose their durables with the stream, make them anew and see everything again; their receipts know what
//! they had. Whoever remembers sequences (live streams) is told that the stream was rebuilt.

use std::time::{Duration, Instant};

use crate::Pool;
use callboard_bus::StreamLog;
use sqlx::ConnectOptions;

use crate::outbox;
use crate::place::{holder, try_claim, try_lock};
use crate::relay::{RelayError, Session, answered, mark};

/// Counter, label `context`: streams built anew. Alert on any that nobody asked for.
const REBUILDS: &str = "callboard_relay_rebuilds_total";

/// How often it is asked whether the relay has given way. A relay looks every half second.
const LOOK: Duration = Duration::from_millis(100);

/// Builds a context's stream anew, from a process of its own (`<service> republish`), beside running replicas or
/// without them: it claims the relay's place, the relay of the replicas gives way at its next look, and none comes
/// back before this is over. Commands go on meanwhile; their events are published at the end, or by the relay that
/// comes after. Waits at most `patience` for the relay to give way. Answers how many events it published.
///
/// # Errors
/// [`RelayError::Claimed`] when another does the same, [`RelayError::Held`] when the relay does not give way, or what
/// stopped it. Safe to run again: what is missing then is published by the next run or the next relay.
pub async fn republish<L: StreamLog>(
    pool: &Pool,
    context: &str,
    log: &L,
    patience: Duration,
) -> Result<u64, RelayError> {
    let options = pool.connect_options();
    let mut connection =
        options.as_ref().clone().application_name(&format!("{context}-republish")).connect().await?;
    let until = Instant::now() + patience;
    while !answered(try_claim(&mut connection, context)).await? {
        if Instant::now() >= until {
            return Err(RelayError::Claimed);
        }
        tokio::time::sleep(LOOK).await;
    }
    while !answered(try_lock(&mut connection, context)).await? {
        if Instant::now() >= until {
            let by = answered(holder(pool, context)).await?;
            return Err(RelayError::Held(by.unwrap_or_else(|| "somebody who has just let go".to_owned())));
        }
        tokio::time::sleep(LOOK).await;
    }
    let mut session = Session::new(connection, context, log, 512);
    let mut count = session.rebuild("asked for").await?;
    // Not for ever: what is committed all the time is the next relay's.
    count += session.drain(patience).await?.published;
    session.close().await;
    Ok(count)
}

impl<L: StreamLog> Session<'_, L> {
    /// Removes the stream and publishes what is retained. Should it stop half-way, the stream is shorter than the
    /// marks, and healing goes on where it stopped.
    pub(crate) async fn rebuild(&mut self, why: &str) -> Result<u64, RelayError> {
        tracing::error!(context = self.context, why, "builds the stream anew");
        metrics::counter!(REBUILDS, "context" => self.context.to_owned()).increment(1);
        self.log.recreate().await?;
        self.last = 0;
        self.republish_marked().await
    }

    /// Publishes everything that is marked behind `last` again, in the order of the marks, and marks it with the
    /// sequence it gets. That is never higher than the old one, so going by the old marks skips nothing.
    pub(crate) async fn republish_marked(&mut self) -> Result<u64, RelayError> {
        let mut passed = mark(self.last);
        let mut count = 0;
        loop {
            let rows = answered(outbox::published_after(&mut self.connection, passed, self.batch)).await?;
            let Some(end) = rows.last().and_then(|row| row.mark) else { return Ok(count) };
            let published = self.publish(&rows).await?;
            if published < rows.len() as u64 {
                // One was refused that was taken before: a smaller limit on the server, perhaps. The rest goes on
                // behind it.
                passed = rows
                    .get(usize::try_from(published).unwrap_or_default())
                    .and_then(|row| row.mark)
                    .unwrap_or(end);
            } else {
                passed = end;
            }
            count += published;
        }
    }
}
