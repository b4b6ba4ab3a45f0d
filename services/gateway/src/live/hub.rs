//! The feed of a process: reads all contexts' streams along, learns from them, fans them out.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use callboard_bus::{Bus, Event, Start, TailFrom, TailItem};
use callboard_kernel::{Actor, OrganisationId};
use callboard_proto::directory::v1 as directory;
use futures::StreamExt;
use parking_lot::Mutex;
use prost::Message;
use tokio::sync::{broadcast, watch};
use uuid::Uuid;

use super::drawers::Drawers;
use super::facts::{Facts, isolation};
use super::position::{Position, index};
use super::project::{Projected, project, ticket_facts, turned};
use crate::config::LiveSettings;
use crate::upstream::CONTEXTS;

/// So many events of each stream are read at the start, to know their tickets.
const WARM_UP: u64 = 5_000;
const PAUSE: Duration = Duration::from_millis(500);

/// What the feed tells connections.
#[derive(Debug, Clone)]
pub enum News {
    /// An event, at its place.
    Event(Arc<Item>),
    /// A stream was built anew: its sequences mean nothing any more.
    Rebuilt(usize),
}

/// An event at its place.
#[derive(Debug)]
pub struct Item {
    /// Of which context.
    pub context: usize,
    /// Where in its stream.
    pub sequence: u64,
    /// The tenant: nothing crosses.
    pub organisation: OrganisationId,
    /// What to send; `None`: passed over.
    pub projected: Option<Projected>,
}

impl Item {
    /// From an event of a context.
    pub fn new(context: usize, sequence: u64, event: &Event) -> Self {
        Self { context, sequence, organisation: event.organisation, projected: project(event) }
    }
}

/// The feed, its memory, and who listens.
#[derive(Debug)]
pub struct Hub {
    pub(super) bus: Bus,
    pub(super) facts: Facts,
    pub(super) drawers: Drawers,
    news: broadcast::Sender<News>,
    /// Where the feed is. Also the lock that makes "subscribe and note the position" one step.
    state: Mutex<State>,
    ready: watch::Sender<bool>,
    streams: Mutex<HashMap<(OrganisationId, Actor), usize>>,
    most_streams: usize,
}

#[derive(Debug, Default)]
struct State {
    position: Position,
    /// The newest event of each context, by id (UUIDv7).
    newest: [Option<Uuid>; CONTEXTS.len()],
    /// What a rebuilt stream repeats up to here is not sent again. Ids are not strictly in the order of the stream;
    /// readers were told to read anew, so nothing is missed by it.
    repeats_until: [Option<Uuid>; CONTEXTS.len()],
}

impl Hub {
    /// A feed that has read nothing yet.
    pub fn new(bus: Bus, settings: &LiveSettings) -> Self {
        Self {
            bus,
            facts: Facts::new(usize::try_from(settings.remembered_tickets).unwrap_or(usize::MAX)),
            drawers: Drawers::default(),
            news: broadcast::Sender::new(settings.buffer),
            state: Mutex::default(),
            ready: watch::Sender::new(false),
            streams: Mutex::default(),
            most_streams: settings.max_streams_per_principal,
        }
    }

    /// Reads and listens until dropped.
    pub async fn run(&self) {
        tokio::join!(self.read(), self.drawers.listen(&self.bus));
    }

    async fn read(&self) {
        let mut from = Vec::new();
        let mut position = Position::default();
        for (at, context) in CONTEXTS.iter().enumerate() {
            let last = loop {
                match self.bus.last_sequence(context).await {
                    Ok(last) => break last,
                    Err(error) => {
                        tracing::warn!(%error, context, "the live feed waits");
                        tokio::time::sleep(PAUSE).await;
                    }
                }
            };
            position.0[at] = last;
            from.push(TailFrom::new(*context, Start::Sequence(last.saturating_sub(WARM_UP) + 1)));
        }
        self.state.lock().position = position;
        let mut tail = self.bus.tail(from);
        while let Some(item) = tail.next().await {
            match item {
                TailItem::Event { context, sequence, event } => self.take(&context, sequence, &event),
                TailItem::CaughtUp => drop(self.ready.send_replace(true)),
                TailItem::Rebuilt { context } => {
                    tracing::warn!(context, "a stream was built anew");
                    if let Some(at) = index(&context) {
                        let mut state = self.state.lock();
                        state.position.0[at] = 0;
                        state.repeats_until[at] = state.newest[at];
                        let _ = self.news.send(News::Rebuilt(at));
                    }
                }
            }
        }
    }

    fn take(&self, context: &str, sequence: u64, event: &Event) {
        let Some(at) = index(context) else { return };
        self.learn(event);
        // Outside the lock, and not at all while nobody listens.
        let item = (self.news.receiver_count() > 0).then(|| Item::new(at, sequence, event));
        let mut state = self.state.lock();
        if sequence <= state.position.0[at] {
            return;
        }
        state.position.0[at] = sequence;
        let id = Some(event.id.uuid());
        state.newest[at] = state.newest[at].max(id);
        // Whoever subscribes does so under the lock: nobody comes after this look and before the sequence above.
        if id > state.repeats_until[at] && self.news.receiver_count() > 0 {
            let item = item.unwrap_or_else(|| Item::new(at, sequence, event));
            // Somebody who left meanwhile is no failure.
            let _ = self.news.send(News::Event(Arc::new(item)));
        }
    }

    /// What the event says of tickets and organisations, before anybody is sent anything.
    fn learn(&self, event: &Event) {
        if let Some((ticket, facts)) = ticket_facts(event) {
            self.facts.learn_ticket(ticket, facts);
        }
        if let Some((thing, is_internal)) = turned(event) {
            self.facts.learn_turned(thing, is_internal);
        }
        if event.context == "directory" {
            self.facts.directory_changed(event.organisation);
        }
        match (event.context.as_str(), event.name.as_str()) {
            ("directory", "organisation.changed") => {
                let message = directory::OrganisationChanged::decode(event.payload.clone()).ok();
                if let Some(organisation) = message.and_then(|message| message.organisation) {
                    self.facts.learn_isolation(event.organisation, isolation(organisation.isolation()));
                }
            }
            ("directory", "device.changed" | "device.removed") => {
                self.facts.forget_device(event.aggregate_id);
            }
            _ => {}
        }
    }

    /// How often the directory has told of something in an organisation: what was read of it before is old.
    pub fn changes_of_directory(&self, organisation: OrganisationId) -> u64 {
        self.facts.changes_of_directory(organisation)
    }

    /// Waits until the feed knows where it is.
    pub async fn ready(&self) {
        // The sender lives as long as the hub.
        let _ = self.ready.subscribe().wait_for(|ready| *ready).await;
    }

    /// Everything from the answered position on.
    pub fn subscribe(&self) -> (broadcast::Receiver<News>, Position) {
        let state = self.state.lock();
        (self.news.subscribe(), state.position)
    }

    /// Counts one more stream of a caller; `None` when there are too many.
    pub fn admit(self: &Arc<Self>, organisation: OrganisationId, actor: Actor) -> Option<Seat> {
        let key = (organisation, actor);
        let mut streams = self.streams.lock();
        let open = streams.entry(key).or_default();
        if *open >= self.most_streams {
            return None;
        }
        *open += 1;
        metrics::gauge!("callboard_gateway_live_streams").increment(1.0);
        Some(Seat { hub: self.clone(), key })
    }
}

/// One open stream; counted until dropped.
#[derive(Debug)]
pub struct Seat {
    hub: Arc<Hub>,
    key: (OrganisationId, Actor),
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut streams = self.hub.streams.lock();
        if let Some(open) = streams.get_mut(&self.key) {
            *open -= 1;
            if *open == 0 {
                streams.remove(&self.key);
            }
        }
        metrics::gauge!("callboard_gateway_live_streams").decrement(1.0);
    }
}
