//! An aggregate that remembers its commands and a store that fails on demand.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use callboard_actor::{
    Ask, CommitError, Lane, Loaded, Options, Receipt, Registry, Step, Store, StoreError, Unit,
};
use callboard_kernel::{
    Aggregate, Cause, CommandId, DecisionContext, ErrorKind, OrganisationId, Principal, RandomIds, Rejection,
    SystemClock, Version,
};
use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

/// Remembers which commands it took.
#[derive(Debug)]
pub struct Ledger;

#[derive(Debug, Clone)]
pub enum Command {
    /// Only as the first.
    Create,
    /// Happens always.
    Add,
    /// Happens when there is none of this command yet, like most real commands.
    AddOnce,
    /// Happens once so many were added.
    AddAfter(usize),
    Refuse,
    Nothing,
    PanicInDecide,
    PanicInEvolve,
    Unwritable,
    /// The store refuses the unit it is in.
    Bad,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Happened {
    Added(CommandId),
    Unwritable,
    Bad(CommandId),
    Panic,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct No(pub &'static str);

impl fmt::Display for No {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no")
    }
}

impl Rejection for No {
    fn kind(&self) -> ErrorKind {
        ErrorKind::FailedPrecondition
    }
    fn reason(&self) -> &'static str {
        self.0
    }
}

impl Aggregate for Ledger {
    const KIND: &'static str = "ledger";
    type State = Vec<CommandId>;
    type Command = Command;
    type Event = Happened;
    type Rejection = No;

    fn decide(
        state: &Self::State,
        command: &Command,
        context: &DecisionContext<'_>,
    ) -> Result<Vec<Happened>, No> {
        let added = vec![Happened::Added(context.command_id)];
        match command {
            Command::Create if state.is_empty() => Ok(added),
            Command::Create => Err(No("EXISTS")),
            Command::Add => Ok(added),
            Command::AddOnce if state.contains(&context.command_id) => Err(No("DONE")),
            Command::AddOnce => Ok(added),
            Command::AddAfter(enough) if state.len() >= *enough => Ok(added),
            Command::AddAfter(_) => Err(No("TOO_EARLY")),
            Command::Refuse => Err(No("REFUSED")),
            Command::Nothing => Ok(vec![]),
            Command::PanicInDecide => panic!("as asked"),
            Command::PanicInEvolve => Ok(vec![Happened::Panic]),
            Command::Unwritable => Ok(vec![Happened::Unwritable]),
            Command::Bad => Ok(vec![Happened::Bad(context.command_id)]),
        }
    }

    fn evolve(state: &mut Self::State, event: &Happened) {
        match event {
            Happened::Added(id) | Happened::Bad(id) => state.push(*id),
            Happened::Unwritable => {}
            Happened::Panic => panic!("as asked"),
        }
    }
}

/// What goes wrong with one commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    Conflict,
    /// Nothing was written and nobody knows.
    Lost,
    /// It was written and nobody knows.
    Written,
    Panic,
}

#[derive(Default)]
pub struct World {
    pub ledgers: HashMap<Uuid, (Vec<CommandId>, Version, OrganisationId)>,
    pub receipts: HashMap<CommandId, Receipt>,
    pub units: Vec<(Uuid, usize)>,
    pub loads: usize,
    pub loading: usize,
    pub most_loading: usize,
    pub receipt_queries: usize,
    pub unavailable: bool,
}

type Faults = Box<dyn FnMut(&Unit<Record>) -> Option<Fault> + Send>;

/// Clones share the world, as replicas share a database.
#[derive(Clone)]
pub struct FakeStore {
    pub world: Arc<Mutex<World>>,
    pub faults: Arc<Mutex<Faults>>,
    /// One permit per commit.
    pub commits: Arc<Semaphore>,
    /// One permit per load.
    pub load_gate: Arc<Semaphore>,
}

pub struct Record {
    added: Option<CommandId>,
    bad: bool,
}

impl FakeStore {
    pub fn new() -> Self {
        Self {
            world: Arc::default(),
            faults: Arc::new(Mutex::new(Box::new(|_| None))),
            commits: Arc::new(Semaphore::new(Semaphore::MAX_PERMITS)),
            load_gate: Arc::new(Semaphore::new(Semaphore::MAX_PERMITS)),
        }
    }

    pub fn fault(&self, faults: impl FnMut(&Unit<Record>) -> Option<Fault> + Send + 'static) {
        *self.faults.lock() = Box::new(faults);
    }

    /// Fails the next commits so, in order.
    pub fn fail<const N: usize>(&self, faults: [Fault; N]) {
        let mut faults = faults.into_iter();
        self.fault(move |_| faults.next());
    }

    pub fn ledger(&self, id: Uuid) -> Vec<CommandId> {
        self.world.lock().ledgers.get(&id).map(|(state, ..)| state.clone()).unwrap_or_default()
    }
}

/// Stops what goes through it until it is opened.
pub fn shut(gate: &Semaphore) {
    gate.forget_permits(usize::MAX);
}

pub fn open(gate: &Semaphore) {
    gate.add_permits(Semaphore::MAX_PERMITS / 2);
}

impl Store<Ledger> for FakeStore {
    type Record = Record;

    fn record(&self, step: &Step<'_, Ledger>) -> Result<Record, String> {
        match step.events {
            [Happened::Added(id)] => Ok(Record { added: Some(*id), bad: false }),
            [Happened::Bad(id)] => Ok(Record { added: Some(*id), bad: true }),
            other => Err(format!("{other:?}")),
        }
    }

    async fn load(&self, id: Uuid) -> Result<Loaded<Vec<CommandId>>, StoreError> {
        {
            let mut world = self.world.lock();
            world.loads += 1;
            world.loading += 1;
            world.most_loading = world.most_loading.max(world.loading);
        }
        self.load_gate.acquire().await.expect("never closed").forget();
        tokio::task::yield_now().await;
        let mut world = self.world.lock();
        world.loading -= 1;
        if world.unavailable {
            return Err(StoreError::Unavailable("as asked".to_owned()));
        }
        Ok(match world.ledgers.get(&id) {
            Some((state, version, organisation)) => {
                Loaded { state: state.clone(), version: *version, organisation: Some(*organisation) }
            }
            None => Loaded { state: Vec::new(), version: Version::NONE, organisation: None },
        })
    }

    async fn receipts(&self, ids: &[CommandId]) -> Result<Vec<Receipt>, StoreError> {
        tokio::task::yield_now().await;
        let mut world = self.world.lock();
        world.receipt_queries += 1;
        Ok(ids.iter().filter_map(|id| world.receipts.get(id).cloned()).collect())
    }

    async fn commit(&self, unit: Unit<Record>) -> Result<(), CommitError> {
        self.commits.acquire().await.expect("never closed").forget();
        tokio::task::yield_now().await;
        let fault = (self.faults.lock())(&unit);
        match fault {
            Some(Fault::Conflict) => return Err(CommitError::Conflict),
            Some(Fault::Lost) => return Err(CommitError::Unknown("as asked".to_owned())),
            Some(Fault::Panic) => panic!("as asked"),
            Some(Fault::Written) | None => {}
        }
        let mut world = self.world.lock();
        let done: Vec<CommandId> = unit
            .receipts
            .iter()
            .map(|receipt| receipt.command_id)
            .filter(|id| world.receipts.contains_key(id))
            .collect();
        if !done.is_empty() {
            return Err(CommitError::Replayed(done));
        }
        if unit.records.iter().any(|record| record.bad) {
            return Err(CommitError::Refused("bad".to_owned()));
        }
        let version = world.ledgers.get(&unit.aggregate_id).map_or(Version::NONE, |(_, version, _)| *version);
        if version != unit.expected {
            return Err(CommitError::Conflict);
        }
        if unit.version > unit.expected {
            let ledger = world
                .ledgers
                .entry(unit.aggregate_id)
                .or_insert_with(|| (Vec::new(), Version::NONE, unit.organisation));
            ledger.0.extend(unit.records.iter().filter_map(|record| record.added));
            ledger.1 = unit.version;
        }
        world.units.push((unit.aggregate_id, unit.receipts.len()));
        world.receipts.extend(unit.receipts.into_iter().map(|receipt| (receipt.command_id, receipt)));
        match fault {
            Some(_) => Err(CommitError::Unknown("as asked".to_owned())),
            None => Ok(()),
        }
    }
}

pub fn registry(store: &FakeStore, options: Options) -> Registry<Ledger, FakeStore> {
    Registry::new(store.clone(), options, Arc::new(SystemClock), Arc::new(RandomIds), TaskTracker::new())
}

pub fn ask(id: CommandId, command: Command) -> Ask<Ledger> {
    Ask {
        command,
        command_id: id,
        fingerprint: 1,
        principal: Arc::new(Principal::system(organisation())),
        cause: Arc::new(Cause::default()),
        lane: Lane::User,
        deadline: Instant::now() + Duration::from_secs(30),
        expected: None,
        creates: false,
        answer: Box::new(|state, _, version| Bytes::from(format!("{} at {version}", state.len()))),
    }
}

pub fn event(id: CommandId, command: Command) -> Ask<Ledger> {
    Ask { lane: Lane::Event, ..ask(id, command) }
}

pub fn organisation() -> OrganisationId {
    Uuid::from_u128(1).into()
}

pub fn command(n: u128) -> CommandId {
    Uuid::from_u128(n).into()
}

/// Lets other tasks of a single-threaded runtime get as far as they can.
pub async fn settle() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}
