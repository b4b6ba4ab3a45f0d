//! Writing a stream in memory.

use std::sync::Arc;

use callboard_kernel::EventId;

use super::{Shared, Stream, happens};
use crate::{Event, PublishError, StreamLog, StreamTail, check};

/// A context's stream in memory, to write it.
#[derive(Debug, Clone)]
pub struct MemLog {
    shared: Arc<Shared>,
    context: String,
}

impl MemLog {
    pub(super) const fn new(shared: Arc<Shared>, context: String) -> Self {
        Self { shared, context }
    }

    fn append(stream: &mut Stream, events: &[Event], expected_last: u64) -> (Vec<u64>, Option<PublishError>) {
        let mut stored = Vec::new();
        for (index, event) in events.iter().enumerate() {
            if let Err(reason) = check(event) {
                return (stored, Some(PublishError::Refused { index, reason }));
            }
            let known = stream.events.iter().any(|there| there.id == event.id);
            if known || stream.events.len() as u64 != expected_last + index as u64 {
                return (stored, Some(PublishError::WrongLastSequence));
            }
            stream.events.push(event.clone());
            stored.push(stream.events.len() as u64);
        }
        (stored, None)
    }
}

impl StreamLog for MemLog {
    async fn tail(&self) -> Result<StreamTail, PublishError> {
        let mut state = self.shared.state.lock();
        let events = &state.ensure(&self.context).events;
        Ok(StreamTail { last_sequence: events.len() as u64, last_event: events.last().map(|event| event.id) })
    }

    async fn events_from(&self, sequence: u64, limit: usize) -> Result<Vec<(u64, EventId)>, PublishError> {
        let mut state = self.shared.state.lock();
        let events = &state.ensure(&self.context).events;
        Ok((1..)
            .zip(events)
            .filter(|(at, _)| *at >= sequence)
            .take(limit)
            .map(|(at, event)| (at, event.id))
            .collect())
    }

    async fn publish(&self, events: &[Event], expected_last: u64) -> (Vec<u64>, Option<PublishError>) {
        let mut state = self.shared.state.lock();
        if happens(&mut state.faults.publish_fails) {
            return (Vec::new(), Some(PublishError::Unavailable("fault: not stored".to_owned())));
        }
        let unanswered = happens(&mut state.faults.publish_unanswered);
        let answer = Self::append(state.ensure(&self.context), events, expected_last);
        drop(state);
        self.shared.wake();
        if unanswered {
            return (Vec::new(), Some(PublishError::Unavailable("fault: answer lost".to_owned())));
        }
        answer
    }

    async fn recreate(&self) -> Result<(), PublishError> {
        let mut state = self.shared.state.lock();
        state.streams.remove(&self.context);
        state.ensure(&self.context);
        drop(state);
        self.shared.wake();
        Ok(())
    }
}
