//! The store in memory, for tests and simulations: the same outcomes as on Postgres, and faults on demand.

mod world;

use std::fmt;
use std::sync::Arc;

use callboard_actor::{CommitError, Loaded, Receipt, Step, Store, StoreError, Unit};
use callboard_bus::Event;
use callboard_kernel::{Aggregate, CommandId, Version};
use parking_lot::Mutex;
use tokio::sync::Notify;
use uuid::Uuid;

use crate::prepared::{Prepared, check_schema};
use crate::{JournalOptions, Mapping, Record};

pub use world::MemTimer;
use world::World;

/// What goes wrong with one commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Another writer was faster, so it seems.
    Conflict,
    /// Nothing is written and nobody is told.
    Lost,
    /// It is written and nobody is told.
    Written,
}

/// Looks at the aggregate's id and the commands of a unit and decides what goes wrong.
type Faults = Box<dyn FnMut(Uuid, &[CommandId]) -> Option<Fault> + Send>;

/// The journal of one context in memory. Clones share everything, as processes share a database.
#[derive(Clone)]
pub struct MemJournal {
    shared: Arc<Shared>,
}

struct Shared {
    options: JournalOptions,
    world: Mutex<World>,
    faults: Mutex<Option<Faults>>,
    away: Mutex<bool>,
    outbox_wake: Arc<Notify>,
    timer_wake: Arc<Notify>,
}

impl fmt::Debug for MemJournal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemJournal").field("options", &self.shared.options).finish_non_exhaustive()
    }
}

impl MemJournal {
    /// An empty journal.
    pub fn new(options: JournalOptions) -> Self {
        Self {
            shared: Arc::new(Shared {
                options,
                world: Mutex::default(),
                faults: Mutex::new(None),
                away: Mutex::new(false),
                outbox_wake: Arc::default(),
                timer_wake: Arc::default(),
            }),
        }
    }

    /// The store of one kind of aggregate.
    ///
    /// # Panics
    /// If the schema is not of the form that [`Table`](crate::Table) describes: a mistake in a constant.
    pub fn store<M: Mapping>(&self, mapping: M) -> MemStore<M> {
        if let Err(problem) = check_schema(mapping.schema()) {
            panic!("{problem}");
        }
        MemStore { journal: self.clone(), mapping: Arc::new(mapping) }
    }

    /// Asks this before every commit what goes wrong with it.
    pub fn set_faults(&self, faults: impl FnMut(Uuid, &[CommandId]) -> Option<Fault> + Send + 'static) {
        *self.shared.faults.lock() = Some(Box::new(faults));
    }

    /// While true every read says that the store cannot be reached, and every commit has an unknown outcome.
    pub fn set_away(&self, away: bool) {
        *self.shared.away.lock() = away;
    }

    /// The receipt of a command.
    pub fn receipt(&self, id: CommandId) -> Option<Receipt> {
        self.shared.world.lock().receipts.get(&id).cloned()
    }

    /// All events, in the order of their commits.
    pub fn outbox(&self) -> Vec<Event> {
        self.shared.world.lock().outbox.clone()
    }

    /// All timers that are set, by kind, aggregate and name.
    pub fn timers(&self) -> Vec<MemTimer> {
        self.shared.world.lock().timers()
    }

    /// Notified after every commit with events.
    pub fn outbox_wake(&self) -> &Arc<Notify> {
        &self.shared.outbox_wake
    }

    /// Notified after every commit that sets or cancels timers.
    pub fn timer_wake(&self) -> &Arc<Notify> {
        &self.shared.timer_wake
    }

    fn reachable(&self) -> Result<(), StoreError> {
        if *self.shared.away.lock() { Err(StoreError::Unavailable("away".to_owned())) } else { Ok(()) }
    }
}

/// The store of one kind of aggregate in memory.
pub struct MemStore<M> {
    journal: MemJournal,
    mapping: Arc<M>,
}

impl<M> Clone for MemStore<M> {
    fn clone(&self) -> Self {
        Self { journal: self.journal.clone(), mapping: Arc::clone(&self.mapping) }
    }
}

impl<M: Mapping> fmt::Debug for MemStore<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemStore").field("root", &self.mapping.schema().root.name).finish_non_exhaustive()
    }
}

impl<M: Mapping> Store<M::Aggregate> for MemStore<M> {
    type Record = Record;

    fn record(&self, step: &Step<'_, M::Aggregate>) -> Result<Record, String> {
        self.mapping.record(step)
    }

    fn erases(&self, record: &Record) -> bool {
        record.erases
    }

    async fn load(&self, id: Uuid) -> Result<Loaded<<M::Aggregate as Aggregate>::State>, StoreError> {
        self.journal.reachable()?;
        let schema = self.mapping.schema();
        let (mut rows, version) = self.journal.shared.world.lock().rows(schema, id);
        rows.children.retain(|name, _| {
            schema.children.iter().any(|child| child.name == *name && self.mapping.loads(child))
        });
        let state = match rows.root {
            Some(_) => {
                self.mapping.load(&rows).map_err(|corrupt| StoreError::Corrupt(corrupt.to_string()))?
            }
            None => Default::default(),
        };
        Ok(Loaded { state, version, organisation: rows.organisation })
    }

    async fn version(&self, id: Uuid) -> Result<Version, StoreError> {
        self.journal.reachable()?;
        Ok(self.journal.shared.world.lock().rows(self.mapping.schema(), id).1)
    }

    async fn receipts(&self, ids: &[CommandId]) -> Result<Vec<Receipt>, StoreError> {
        self.journal.reachable()?;
        let world = self.journal.shared.world.lock();
        Ok(ids.iter().filter_map(|id| world.receipts.get(id).cloned()).collect())
    }

    async fn commit(&self, unit: Unit<Record>) -> Result<(), CommitError> {
        let shared = &self.journal.shared;
        let schema = self.mapping.schema();
        let unit =
            Prepared::new(schema, unit, shared.options.max_event_bytes).map_err(CommitError::Refused)?;
        let unknown = || CommitError::Unknown("as asked".to_owned());
        self.journal.reachable().map_err(|_| unknown())?;
        let commands: Vec<CommandId> = unit.receipts.iter().map(|receipt| receipt.command_id).collect();
        let fault = shared.faults.lock().as_mut().and_then(|faults| faults(unit.aggregate_id, &commands));
        match fault {
            Some(Fault::Conflict) => return Err(CommitError::Conflict),
            Some(Fault::Lost) => return Err(unknown()),
            Some(Fault::Written) | None => {}
        }
        let (events, timers) = (!unit.events.is_empty(), !unit.timers.is_empty());
        shared.world.lock().write(M::Aggregate::KIND, schema, unit)?;
        if events {
            shared.outbox_wake.notify_one();
        }
        if timers {
            shared.timer_wake.notify_one();
        }
        if fault.is_some() { Err(unknown()) } else { Ok(()) }
    }
}
