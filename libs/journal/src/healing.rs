//! Bringing the stream and the marks together again. Postgres is the truth.
//!
//! JetStream acknowledges before it syncs, a server may come back without its last events or without any, a relay may
//! die between publishing and marking, a database may be restored from a backup. Whatever happened, one of these holds:
//!
//! 1. The stream goes beyond the highest mark: those events are published and not marked. They are marked by their
//!    ids.
//! 2. The stream ends below the highest mark: its tail is lost. It is published again, in the old order, so that each
//!    event gets its old sequence back, before anything new. A durable that is ahead of the stream then skips, or sees
//!    again, what it already had, and never takes a new event for an old one.
//! 3. The stream holds at its end, or at the highest mark, another event than was marked, or events that the outbox
//!    does not know: it is not the outbox's stream any more. It is built anew.

use callboard_bus::StreamLog;
use callboard_kernel::EventId;

use crate::outbox;
use crate::relay::{RelayError, Session, answered, mark};

/// Events of the stream that are looked at per round.
const ROUND: usize = 1000;

impl<L: StreamLog> Session<'_, L> {
    /// Looks at the stream and brings it and the marks together. Afterwards `last` is the stream's last sequence and
    /// new events can be published behind it.
    pub(crate) async fn heal(&mut self) -> Result<(), RelayError> {
        let tail = self.log.tail().await?;
        let highest = answered(outbox::highest_mark(&mut self.connection)).await?;
        if mark(tail.last_sequence) < highest {
            if self.is_foreign(tail.last_sequence, tail.last_event).await? {
                self.rebuild("the stream ends with another event than was marked").await?;
                return Ok(());
            }
            tracing::warn!(
                context = self.context,
                stream = tail.last_sequence,
                marked = highest,
                "the stream lost its tail: publishes it again"
            );
            self.last = tail.last_sequence;
            self.republish_marked().await?;
            return Ok(());
        }
        self.last = tail.last_sequence;
        self.mark_what_is_there(highest, tail.last_sequence).await
    }

    /// Cheap look whether the stream still ends where it should; heals if not.
    pub(crate) async fn verify(&mut self) -> Result<(), RelayError> {
        let tail = self.log.tail().await?;
        let moved = tail.last_sequence != self.last;
        if moved || self.is_foreign(tail.last_sequence, tail.last_event).await? {
            self.heal().await?;
        }
        Ok(())
    }

    /// True when the stream's event at a sequence is not what was marked there.
    async fn is_foreign(&mut self, sequence: u64, there: Option<EventId>) -> Result<bool, RelayError> {
        // Gone by age, or nothing was ever there: nothing to compare.
        let Some(there) = there else { return Ok(false) };
        Ok(match answered(outbox::event_at(&mut self.connection, mark(sequence))).await? {
            Some(marked) => marked != there,
            // Nothing is marked there. Known under another sequence: foreign. Not known at all: retention took it.
            None => answered(outbox::knows(&mut self.connection, there)).await?,
        })
    }

    /// Marks what the stream holds behind the highest mark.
    async fn mark_what_is_there(&mut self, highest: i64, last: u64) -> Result<(), RelayError> {
        let highest = u64::try_from(highest).unwrap_or_default();
        let mut next = highest.max(1);
        while next <= last {
            let found = self.log.events_from(next, ROUND).await?;
            let Some(&(end, _)) = found.last() else { break };
            if let Some(&(_, there)) = found.iter().find(|(sequence, _)| *sequence == highest)
                && answered(outbox::event_at(&mut self.connection, mark(highest))).await? != Some(there)
            {
                self.rebuild("the stream holds another event than was marked").await?;
                return Ok(());
            }
            let (ids, sequences): (Vec<_>, Vec<_>) = found
                .iter()
                .filter(|(sequence, _)| *sequence > highest)
                .map(|(sequence, event)| (event.uuid(), mark(*sequence)))
                .unzip();
            if !ids.is_empty() {
                let ours = answered(outbox::mark_found(&mut self.connection, &ids, &sequences)).await?;
                if ours < i64::try_from(ids.len()).unwrap_or(i64::MAX) {
                    self.rebuild("the stream holds events that the outbox does not know").await?;
                    return Ok(());
                }
                tracing::info!(context = self.context, count = ids.len(), "were published and not marked");
            }
            next = end + 1;
        }
        Ok(())
    }
}
