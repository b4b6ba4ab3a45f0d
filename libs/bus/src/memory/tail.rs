//! The tail of a stream in memory.

use std::sync::Arc;

use futures::stream::{BoxStream, StreamExt, unfold};

use super::Shared;
use crate::event::matches;
use crate::tail::OneItem;
use crate::{Start, TailFrom};

struct Tail {
    shared: Arc<Shared>,
    from: TailFrom,
    made: Option<u64>,
    last: u64,
    goal: u64,
    caught_up: bool,
}

pub(super) fn tail_one(shared: Arc<Shared>, from: TailFrom) -> BoxStream<'static, OneItem> {
    let mut tail = Tail { shared, from, made: None, last: 0, goal: 0, caught_up: false };
    tail.begin();
    unfold(tail, |mut tail| async move {
        let item = tail.next().await;
        Some((item, tail))
    })
    .boxed()
}

impl Tail {
    fn begin(&mut self) {
        let state = self.shared.state.lock();
        let Some(stream) = state.streams.get(&self.from.context) else { return };
        self.made = Some(stream.made);
        self.goal = stream.events.len() as u64;
        self.last = match self.from.start {
            Start::Beginning => 0,
            Start::New => self.goal,
            Start::Sequence(sequence) => sequence.saturating_sub(1),
            // Memory keeps no time of storing; the time of the event is as good in a test.
            Start::Time(time) => stream.events.iter().take_while(|event| event.time < time).count() as u64,
        };
    }

    fn look(&mut self) -> Option<OneItem> {
        let state = self.shared.state.lock();
        if let Some(stream) = state.streams.get(&self.from.context) {
            if self.made.is_some_and(|made| made != stream.made) {
                self.made = Some(stream.made);
                self.last = 0;
                return Some(OneItem::Rebuilt);
            }
            self.made = Some(stream.made);
            let passed = self.last;
            for (sequence, event) in (1..).zip(&stream.events).filter(|(at, _)| *at > passed) {
                let wanted =
                    self.from.filter.as_ref().is_none_or(|pattern| matches(pattern, &event.subject()));
                // "Caught up" comes before what was not there at the beginning.
                if sequence > self.goal && !self.caught_up {
                    break;
                }
                self.last = sequence;
                if wanted {
                    return Some(OneItem::Event { sequence, event: event.clone() });
                }
            }
        }
        if !self.caught_up && self.last >= self.goal {
            self.caught_up = true;
            return Some(OneItem::CaughtUp);
        }
        None
    }

    async fn next(&mut self) -> OneItem {
        let mut changed = self.shared.changed.subscribe();
        loop {
            if let Some(item) = self.look() {
                return item;
            }
            let _ = changed.changed().await;
        }
    }
}
