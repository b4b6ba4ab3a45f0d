//! What the runtime needs of a store, and what a caller hands to it.

use std::future::Future;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use callboard_kernel::{Aggregate, Cause, CommandId, OrganisationId, Principal, Timestamp, Version};
use uuid::Uuid;

/// Whose command it is: the two kinds have separate quotas, so that a replay cannot starve people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lane {
    /// A call by hand.
    User,
    /// A reaction to an event or a timer. Its outcome is always kept in a receipt, a "no" included.
    Event,
}

/// One command on its way to an aggregate.
pub struct Ask<A: Aggregate> {
    /// What is asked.
    pub command: A::Command,
    /// Names the command for good.
    pub command_id: CommandId,
    /// Hash of what was asked: the same id with another hash is refused (`REQUEST_ID_REUSED`).
    pub fingerprint: i64,
    /// On whose behalf.
    pub principal: Arc<Principal>,
    /// Because of what.
    pub cause: Arc<Cause>,
    /// Whose quota.
    pub lane: Lane,
    /// After it nobody waits for the answer any more; the command is skipped if not yet decided.
    pub deadline: Instant,
    /// The `etag` the caller saw; another version is refused (`ETAG_MISMATCH`, ABORTED).
    pub expected: Option<Version>,
    /// True for a command that can only make a new aggregate under an id of its own: no load is needed first.
    pub creates: bool,
    /// Makes the answer from the state after the command. Kept in the receipt, so a repeat answers the same.
    #[expect(clippy::type_complexity, reason = "said once, here")]
    pub answer: Box<dyn Fn(&A::State, &[A::Event], Version) -> Bytes + Send + Sync>,
}

/// What is known of a step besides state and events.
#[derive(Debug, Clone)]
pub struct StepMeta {
    /// The aggregate.
    pub aggregate_id: Uuid,
    /// The aggregate's version after the step.
    pub version: Version,
    /// Names the command.
    pub command_id: CommandId,
    /// On whose behalf.
    pub principal: Arc<Principal>,
    /// Because of what.
    pub cause: Arc<Cause>,
    /// When it was decided.
    pub at: Timestamp,
}

/// One decided command, for the store to turn into what it writes.
pub struct Step<'a, A: Aggregate> {
    /// Before the command.
    pub before: &'a A::State,
    /// After it.
    pub after: &'a A::State,
    /// What happened, in order. Never empty.
    pub events: &'a [A::Event],
    /// The rest.
    pub meta: &'a StepMeta,
}

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Events happened.
    Applied,
    /// There was nothing to do.
    Nothing,
    /// The domain said no, with this reason. Kept for [`Lane::Event`] only.
    Rejected(String),
    /// It was carried out, and what it answered went with the aggregate when that was deleted for good. A repeat by
    /// hand is told that there is no such object.
    Erased,
}

/// What is kept of a command for as long as it may be repeated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The command.
    pub command_id: CommandId,
    /// Its aggregate.
    pub aggregate_id: Uuid,
    /// Hash of what was asked.
    pub fingerprint: i64,
    /// The version after it.
    pub version: Version,
    /// How it ended.
    pub outcome: Outcome,
    /// What was answered.
    pub answer: Bytes,
}

/// What one actor commits at once: several commands of one aggregate, all or nothing.
#[derive(Debug)]
pub struct Unit<R> {
    /// The aggregate.
    pub aggregate_id: Uuid,
    /// Its organisation.
    pub organisation: OrganisationId,
    /// The version it was decided on; the commit is refused if it is another by now. 0: must not exist yet.
    pub expected: Version,
    /// The version after the unit. Equal to `expected` when only receipts are written.
    pub version: Version,
    /// What the steps write, in order.
    pub records: Vec<R>,
    /// One per command.
    pub receipts: Vec<Receipt>,
}

/// An aggregate as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded<S> {
    /// `Default` when it does not exist.
    pub state: S,
    /// [`Version::NONE`] when it does not exist.
    pub version: Version,
    /// Whose it is; `None` when it does not exist. A caller of another organisation is told `NOT_FOUND`.
    pub organisation: Option<OrganisationId>,
}

/// The store did not answer, or not sensibly.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// Cannot be reached now; safe to try again later.
    #[error("the store cannot be reached: {0}")]
    Unavailable(String),
    /// Rows that make no sense. A bug or a hand in the database.
    #[error("stored data makes no sense: {0}")]
    Corrupt(String),
}

/// A unit was not committed, or nobody knows.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CommitError {
    /// Somebody else changed the aggregate first. Read again and decide again.
    #[error("the aggregate changed meanwhile")]
    Conflict,
    /// Some commands of the unit have receipts already: it is (in part) a repeat. Nothing was written.
    #[error("already done")]
    Replayed(Vec<CommandId>),
    /// The unit itself cannot be written (a constraint, an event too large). Trying again does not help.
    #[error("cannot be written: {0}")]
    Refused(String),
    /// Whether it was written is unknown. Read again.
    #[error("unknown outcome: {0}")]
    Unknown(String),
}

/// Where aggregates live. One value serves one kind of aggregate.
pub trait Store<A: Aggregate>: Send + Sync + 'static {
    /// What one step writes.
    type Record: Send + 'static;

    /// Turns a step into what is written. Pure.
    ///
    /// # Errors
    /// A text for the log when the step cannot be written at all.
    fn record(&self, step: &Step<'_, A>) -> Result<Self::Record, String>;

    /// True when a record deletes its aggregate for good, so that what earlier commands answered must be forgotten too.
    fn erases(&self, record: &Self::Record) -> bool {
        let _ = record;
        false
    }

    /// Reads an aggregate of any organisation; the actor compares `organisation` with the caller's.
    ///
    /// # Errors
    /// See [`StoreError`].
    fn load(&self, id: Uuid) -> impl Future<Output = Result<Loaded<A::State>, StoreError>> + Send;

    /// The version now, [`Version::NONE`] when it does not exist. Asked before a "no" decided on state in memory, which
    /// another process may have changed since.
    ///
    /// # Errors
    /// See [`StoreError`].
    fn version(&self, id: Uuid) -> impl Future<Output = Result<Version, StoreError>> + Send {
        async move { Ok(self.load(id).await?.version) }
    }

    /// Reads receipts; those that do not exist are missing in the answer.
    ///
    /// # Errors
    /// See [`StoreError`].
    fn receipts(&self, ids: &[CommandId]) -> impl Future<Output = Result<Vec<Receipt>, StoreError>> + Send;

    /// Writes a unit, all or nothing, guarded by version. A unit of receipts alone is guarded too: a "no" decided on
    /// stale state is decided again rather than kept.
    ///
    /// # Errors
    /// See [`CommitError`].
    fn commit(&self, unit: Unit<Self::Record>) -> impl Future<Output = Result<(), CommitError>> + Send;
}
