//! All actors of the directory, and what its calls share.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use callboard_actor::{Ask, Lane, Options, Registry};
use callboard_directory_domain::{
    Customer, CustomerUser, Department, Device, Employee, MetaTeam, Organisation, Team, Template,
};
use callboard_journal::{JournalOptions, Mapping, PgJournal};
use callboard_kernel::{Aggregate, Cause, Clock, CommandId, IdGenerator, Principal, Version};
use callboard_service::telemetry::current_traceparent;
use callboard_service::{Context, PgRegistry};
use sqlx::PgPool;
use tokio_util::task::TaskTracker;

use crate::store::{CodeMapping, ReadError, RecordMapping, SessionMapping};

/// The actors of one kind of record.
pub type Records<E> = PgRegistry<RecordMapping<E>>;

/// Where registries come from.
pub trait Registries {
    /// The registry of one kind of aggregate. Once per kind.
    fn registry<M: Mapping>(&mut self, mapping: M) -> PgRegistry<M>;
}

impl Registries for Context {
    fn registry<M: Mapping>(&mut self, mapping: M) -> PgRegistry<M> {
        Self::registry(self, mapping)
    }
}

/// Actors outside of a running service: for an operator's command line. Events are published by the service that runs
/// or starts next.
#[derive(Debug)]
pub struct Offline {
    journal: PgJournal,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdGenerator>,
    tracker: TaskTracker,
}

impl Offline {
    /// Over this pool, whose connections work in the directory's schema.
    pub fn new(pool: PgPool, clock: Arc<dyn Clock>, ids: Arc<dyn IdGenerator>) -> Self {
        let tracker = TaskTracker::new();
        let journal = PgJournal::new(pool, JournalOptions::new("directory"), tracker.clone());
        Self { journal, clock, ids, tracker }
    }
}

impl Registries for Offline {
    fn registry<M: Mapping>(&mut self, mapping: M) -> PgRegistry<M> {
        let (clock, ids) = (self.clock.clone(), self.ids.clone());
        Registry::new(self.journal.store(mapping), Options::default(), clock, ids, self.tracker.clone())
    }
}

/// All actors of the directory.
#[derive(Debug)]
pub struct Directory {
    /// For reading.
    pub pool: PgPool,
    /// Now.
    pub clock: Arc<dyn Clock>,
    /// New ids.
    pub ids: Arc<dyn IdGenerator>,
    pub(crate) organisations: Records<Organisation>,
    pub(crate) employees: Records<Employee>,
    pub(crate) departments: Records<Department>,
    pub(crate) teams: Records<Team>,
    pub(crate) meta_teams: Records<MetaTeam>,
    pub(crate) customers: Records<Customer>,
    pub(crate) customer_users: Records<CustomerUser>,
    pub(crate) devices: Records<Device>,
    pub(crate) templates: Records<Template>,
    pub(crate) codes: PgRegistry<CodeMapping>,
    pub(crate) sessions: PgRegistry<SessionMapping>,
}

impl Directory {
    /// Actors that nobody has asked yet.
    pub fn new(
        registries: &mut impl Registries,
        pool: PgPool,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn IdGenerator>,
    ) -> Self {
        Self {
            organisations: registries.registry(RecordMapping::default()),
            employees: registries.registry(RecordMapping::default()),
            departments: registries.registry(RecordMapping::default()),
            teams: registries.registry(RecordMapping::default()),
            meta_teams: registries.registry(RecordMapping::default()),
            customers: registries.registry(RecordMapping::default()),
            customer_users: registries.registry(RecordMapping::default()),
            devices: registries.registry(RecordMapping::default()),
            templates: registries.registry(RecordMapping::default()),
            codes: registries.registry(CodeMapping),
            sessions: registries.registry(SessionMapping),
            pool,
            clock,
            ids,
        }
    }

    /// Whether this command was carried out before: its receipt will answer, whatever has changed since.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub(crate) async fn is_repeat(&self, call: &Call) -> Result<bool, ReadError> {
        Ok(sqlx::query_scalar("select exists (select from command_receipt where command_id = $1)")
            .bind(call.command_id.uuid())
            .fetch_one(&self.pool)
            .await?)
    }
}

/// What a call says of itself besides its command.
#[derive(Debug)]
pub struct Call {
    /// On whose behalf.
    pub principal: Arc<Principal>,
    /// The command's id.
    pub command_id: CommandId,
    /// Hash of what was asked.
    pub fingerprint: i64,
    /// When the caller stops waiting.
    pub deadline: Instant,
}

impl Call {
    /// A call of the system's own that is made once: the id is new.
    pub fn once(principal: Principal, ids: &dyn IdGenerator, deadline: Instant) -> Self {
        Self { principal: Arc::new(principal), command_id: ids.next().into(), fingerprint: 0, deadline }
    }

    /// The command of this call.
    #[expect(clippy::type_complexity, reason = "as in `Ask`")]
    pub fn ask<A: Aggregate>(
        &self,
        command: A::Command,
        expected: Option<Version>,
        creates: bool,
        answer: Box<dyn Fn(&A::State, &[A::Event], Version) -> Bytes + Send + Sync>,
    ) -> Ask<A> {
        Ask {
            command,
            command_id: self.command_id,
            fingerprint: self.fingerprint,
            principal: self.principal.clone(),
            cause: Arc::new(Cause { traceparent: current_traceparent(), ..Cause::default() }),
            lane: Lane::User,
            deadline: self.deadline,
            expected,
            creates,
            answer,
        }
    }
}
