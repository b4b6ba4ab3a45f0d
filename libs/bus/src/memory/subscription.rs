//! A durable in memory.

use std::collections::VecDeque;
use std::sync::Arc;

use callboard_kernel::Timestamp;
use futures::future::BoxFuture;
use tokio::time::Instant;

use super::{DurableState, Shared, happens};
use crate::jetstream::Durable;
use crate::{Delivery, Event, Settle, SubscribeError, Subscription};

/// An open durable in memory.
pub(crate) struct MemSubscription {
    shared: Arc<Shared>,
    durable: Durable,
    /// The stream this durable belongs to; another one by now: gone.
    made: u64,
    /// Deliveries that come twice.
    again: VecDeque<(u64, Event)>,
}

enum Look {
    Found(u64, Box<Event>),
    Gone,
    Nothing(Option<Instant>),
}

impl MemSubscription {
    pub(super) fn open(shared: Arc<Shared>, durable: Durable) -> Result<Self, SubscribeError> {
        let mut state = shared.state.lock();
        let stream = state
            .streams
            .get_mut(&durable.context)
            .ok_or_else(|| SubscribeError::Missing(format!("stream of {}", durable.context)))?;
        let made = stream.made;
        let before = |at: Timestamp| stream.events.iter().take_while(|event| event.time < at).count() as u64;
        let delivered = durable.since.map_or(0, before);
        let own = stream
            .durables
            .entry(durable.name.clone())
            .or_insert_with(|| DurableState { delivered, ..DurableState::default() });
        if durable.only_reader
            && let Some((&first, _)) = own.pending.first_key_value()
        {
            own.delivered = first - 1;
            own.pending.clear();
        }
        drop(state);
        Ok(Self { shared, durable, made, again: VecDeque::new() })
    }

    fn look(&mut self) -> Look {
        if let Some((sequence, event)) = self.again.pop_front() {
            return Look::Found(sequence, Box::new(event));
        }
        let now = Instant::now();
        let mut state = self.shared.state.lock();
        let Some(stream) =
            state.streams.get_mut(&self.durable.context).filter(|stream| stream.made == self.made)
        else {
            return Look::Gone;
        };
        let Some(own) = stream.durables.get_mut(&self.durable.name) else { return Look::Gone };
        let overdue = own.pending.iter().find(|(_, at)| **at <= now).map(|(sequence, _)| *sequence);
        let full = i64::try_from(own.pending.len()).unwrap_or(i64::MAX) >= self.durable.max_ack_pending;
        let next = overdue.or_else(|| {
            if full {
                return None;
            }
            (own.delivered + 1..=stream.events.len() as u64).find(|sequence| {
                at(&stream.events, *sequence).is_some_and(|event| self.durable.takes(&event.subject()))
            })
        });
        let Some((sequence, event)) =
            next.and_then(|sequence| Some((sequence, at(&stream.events, sequence)?.clone())))
        else {
            return Look::Nothing(own.pending.values().min().copied());
        };
        own.delivered = own.delivered.max(sequence);
        own.pending.insert(sequence, now + self.durable.ack_wait);
        if happens(&mut state.faults.duplicate) {
            self.again.push_back((sequence, event.clone()));
        }
        Look::Found(sequence, Box::new(event))
    }
}

fn at(events: &[Event], sequence: u64) -> Option<&Event> {
    events.get(usize::try_from(sequence).ok()?.checked_sub(1)?)
}

impl Subscription for MemSubscription {
    fn next(&mut self) -> BoxFuture<'_, Result<Delivery, SubscribeError>> {
        Box::pin(async move {
            let mut changed = self.shared.changed.subscribe();
            let delay = self.shared.state.lock().faults.delay;
            if let Some(delay) = delay {
                tokio::time::sleep(delay).await;
            }
            loop {
                match self.look() {
                    Look::Found(sequence, event) => {
                        let settle = Arc::new(Token {
                            shared: Arc::clone(&self.shared),
                            durable: self.durable.clone(),
                            sequence,
                        });
                        return Ok(Delivery { sequence, event: Ok(*event), settle });
                    }
                    Look::Gone => return Err(SubscribeError::Missing(self.durable.name.clone())),
                    Look::Nothing(again_at) => {
                        let again = async {
                            match again_at {
                                Some(time) => tokio::time::sleep_until(time).await,
                                None => futures::future::pending().await,
                            }
                        };
                        tokio::select! {
                            _ = changed.changed() => {}
                            () = again => {}
                        }
                    }
                }
            }
        })
    }

    fn lag(&mut self) -> BoxFuture<'_, Result<u64, SubscribeError>> {
        Box::pin(async move {
            let state = self.shared.state.lock();
            let Some(stream) = state.streams.get(&self.durable.context) else { return Ok(0) };
            let Some(own) = stream.durables.get(&self.durable.name) else { return Ok(0) };
            let waiting = (1..)
                .zip(&stream.events)
                .filter(|(at, event)| *at > own.delivered && self.durable.takes(&event.subject()))
                .count();
            Ok((waiting + own.pending.len()) as u64)
        })
    }

    fn flush(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}

struct Token {
    shared: Arc<Shared>,
    durable: Durable,
    sequence: u64,
}

impl Settle for Token {
    fn ack(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let mut state = self.shared.state.lock();
            if happens(&mut state.faults.drop_acks) {
                return;
            }
            if let Some(stream) = state.streams.get_mut(&self.durable.context)
                && let Some(own) = stream.durables.get_mut(&self.durable.name)
            {
                own.pending.remove(&self.sequence);
            }
            drop(state);
            self.shared.wake();
        })
    }

    fn progress(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let mut state = self.shared.state.lock();
            if let Some(stream) = state.streams.get_mut(&self.durable.context)
                && let Some(own) = stream.durables.get_mut(&self.durable.name)
                && let Some(at) = own.pending.get_mut(&self.sequence)
            {
                *at = Instant::now() + self.durable.ack_wait;
            }
        })
    }
}
