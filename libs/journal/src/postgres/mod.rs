//! The store on Postgres.

mod migrate;
mod read;
mod write;

use std::fmt;
use std::sync::Arc;

use crate::Pool;
use callboard_actor::{CommitError, Loaded, Receipt, Step, Store, StoreError, Unit};
use callboard_kernel::{Aggregate, CommandId, Version};
use tokio::sync::Notify;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::committer::Committer;
use crate::prepared::{Prepared, check_schema};
use crate::statement::Statements;
use crate::{Mapping, Record, Table};

pub use migrate::{migrate, pending_migrations};
use write::PgWriter;

/// What can be set of a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JournalOptions {
    /// The context, for metrics: `tickets`.
    pub context: &'static str,
    /// Units written in one statement.
    pub batch: usize,
    /// The largest payload of an event, in bytes, where less than what the bus takes with headers
    /// ([`callboard_bus::MAX_EVENT_BYTES`]). One event too large would hold its aggregate's events back for good, so
    /// it is refused here.
    pub max_event_bytes: usize,
}

impl JournalOptions {
    /// What suits most.
    pub const fn new(context: &'static str) -> Self {
        Self { context, batch: 256, max_event_bytes: callboard_bus::MAX_EVENT_BYTES }
    }
}

/// The journal of one context in its schema of a Postgres database. Clones share everything.
///
/// The pool's connections have the context's schema first in their `search_path`, and [`migrate`] has run there.
#[derive(Clone)]
pub struct PgJournal {
    pool: Pool,
    options: JournalOptions,
    tracker: TaskTracker,
    outbox_wake: Arc<Notify>,
    timer_wake: Arc<Notify>,
}

impl fmt::Debug for PgJournal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PgJournal").field("options", &self.options).finish_non_exhaustive()
    }
}

impl PgJournal {
    /// A journal. Writing happens in tasks on `tracker`, which end by themselves when there is nothing to write.
    pub fn new(pool: Pool, options: JournalOptions, tracker: TaskTracker) -> Self {
        Self { pool, options, tracker, outbox_wake: Arc::default(), timer_wake: Arc::default() }
    }

    /// The store of one kind of aggregate. Make it once per kind: each has a committer of its own.
    ///
    /// # Panics
    /// If the schema is not of the form that [`Table`](crate::Table) describes: a mistake in a constant.
    pub fn store<M: Mapping>(&self, mapping: M) -> PgStore<M> {
        let schema = mapping.schema();
        if let Err(problem) = check_schema(schema) {
            panic!("{problem}");
        }
        let tables: Arc<[&'static Table]> = std::iter::once(schema.root)
            .chain(schema.children.iter().copied().filter(|child| mapping.loads(child)))
            .collect();
        let statements = Statements::of(schema, &tables);
        let writer = PgWriter {
            pool: self.pool.clone(),
            statement: Arc::clone(&statements.commit),
            schema,
            kind: M::Aggregate::KIND,
            context: self.options.context,
            outbox_wake: Arc::clone(&self.outbox_wake),
            timer_wake: Arc::clone(&self.timer_wake),
        };
        let committer =
            Committer::new(writer, self.options.context, self.options.batch, self.tracker.clone());
        PgStore {
            pool: self.pool.clone(),
            options: self.options,
            mapping: Arc::new(mapping),
            tables,
            statements,
            committer,
        }
    }

    /// The context's pool.
    pub const fn pool(&self) -> &Pool {
        &self.pool
    }

    /// What was set.
    pub const fn options(&self) -> &JournalOptions {
        &self.options
    }

    /// Notified after every commit with events in this process: the relay waits for it.
    pub const fn outbox_wake(&self) -> &Arc<Notify> {
        &self.outbox_wake
    }

    /// Notified after every commit that sets or cancels timers in this process.
    pub const fn timer_wake(&self) -> &Arc<Notify> {
        &self.timer_wake
    }
}

/// The store of one kind of aggregate in Postgres. Clones share the committer.
pub struct PgStore<M> {
    pool: Pool,
    options: JournalOptions,
    mapping: Arc<M>,
    /// Those that are loaded, the root first.
    tables: Arc<[&'static Table]>,
    statements: Statements,
    committer: Committer<PgWriter>,
}

impl<M> Clone for PgStore<M> {
    fn clone(&self) -> Self {
        Self {
            pool: self.pool.clone(),
            options: self.options,
            mapping: Arc::clone(&self.mapping),
            tables: Arc::clone(&self.tables),
            statements: self.statements.clone(),
            committer: self.committer.clone(),
        }
    }
}

impl<M: Mapping> fmt::Debug for PgStore<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PgStore").field("root", &self.mapping.schema().root.name).finish_non_exhaustive()
    }
}

impl<M: Mapping> PgStore<M> {
    /// How the aggregate is stored.
    pub fn mapping(&self) -> &M {
        &self.mapping
    }
}

impl<M: Mapping> Store<M::Aggregate> for PgStore<M> {
    type Record = Record;

    fn record(&self, step: &Step<'_, M::Aggregate>) -> Result<Record, String> {
        self.mapping.record(step)
    }

    fn erases(&self, record: &Record) -> bool {
        record.erases
    }

    async fn load(&self, id: Uuid) -> Result<Loaded<<M::Aggregate as Aggregate>::State>, StoreError> {
        let (rows, version) = read::rows(&self.pool, &self.statements.load, &self.tables, id).await?;
        let state = match rows.root {
            Some(_) => {
                self.mapping.load(&rows).map_err(|corrupt| StoreError::Corrupt(corrupt.to_string()))?
            }
            None => Default::default(),
        };
        Ok(Loaded { state, version, organisation: rows.organisation })
    }

    async fn version(&self, id: Uuid) -> Result<Version, StoreError> {
        read::version(&self.pool, &self.statements.version, id).await
    }

    async fn receipts(&self, ids: &[CommandId]) -> Result<Vec<Receipt>, StoreError> {
        read::receipts(&self.pool, ids).await
    }

    async fn commit(&self, unit: Unit<Record>) -> Result<(), CommitError> {
        let unit = Prepared::new(self.mapping.schema(), unit, self.options.max_event_bytes)
            .map_err(CommitError::Refused)?;
        self.committer.commit(unit).await
    }
}
