//! Dead letters in memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::{Event, HandleError, Key, Parking, Problem};
use futures::future::BoxFuture;
use parking_lot::Mutex;

/// Parks events in memory. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct MemParking {
    parked: Arc<Mutex<Parked>>,
}

/// By consumer and key: events in order, each with why.
type Parked = BTreeMap<(String, Key), Vec<(Event, String)>>;

impl MemParking {
    /// Parked events of a consumer's key, in order, with why.
    pub fn parked(&self, consumer: &str, key: Key) -> Vec<(Event, String)> {
        self.parked.lock().get(&(consumer.to_owned(), key)).cloned().unwrap_or_default()
    }

    /// Forgets a key: later events are handled again.
    pub fn skip(&self, consumer: &str, key: Key) {
        self.parked.lock().remove(&(consumer.to_owned(), key));
    }
}

impl Parking for MemParking {
    fn open<'a>(&'a self, _consumer: &'a str, _alone: bool) -> BoxFuture<'a, Result<(), HandleError>> {
        Box::pin(async { Ok(()) })
    }

    fn is_parked<'a>(&'a self, consumer: &'a str, key: Key) -> BoxFuture<'a, Result<bool, HandleError>> {
        Box::pin(async move { Ok(self.parked.lock().contains_key(&(consumer.to_owned(), key))) })
    }

    fn park_behind<'a>(
        &'a self,
        consumer: &'a str,
        event: &'a Event,
    ) -> BoxFuture<'a, Result<bool, HandleError>> {
        Box::pin(async move {
            let mut parked = self.parked.lock();
            let Some(events) = parked.get_mut(&(consumer.to_owned(), event.key())) else {
                return Ok(false);
            };
            if !events.iter().any(|(there, _)| there.id == event.id) {
                events.push((event.clone(), "waits behind a parked event".to_owned()));
            }
            Ok(true)
        })
    }

    fn park<'a>(
        &'a self,
        consumer: &'a str,
        event: &'a Event,
        problem: Problem<'a>,
    ) -> BoxFuture<'a, Result<(), HandleError>> {
        Box::pin(async move {
            let mut parked = self.parked.lock();
            let events = parked.entry((consumer.to_owned(), event.key())).or_default();
            if !events.iter().any(|(there, _)| there.id == event.id) {
                events.push((event.clone(), problem.text().to_owned()));
            }
            Ok(())
        })
    }
}
