//! All actors of the directory, and what its calls share.

use std::sync::Arc;
use std::time::Instant;

use callboard_actor::{Options, Registry};
use callboard_directory_domain::{
    Customer, CustomerUser, Department, Device, Employee, MetaTeam, Organisation, Team, Template,
};
use callboard_journal::Pool;
use callboard_journal::{JournalOptions, Mapping, PgJournal};
use callboard_kernel::{Clock, IdGenerator, OrganisationId, Principal};
use callboard_service::{Context, Mutation, PgRegistry};
use tokio_util::task::TaskTracker;

use crate::api::of_ask;
use crate::store::{CodeMapping, RecordMapping, SessionMapping};

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
    pub fn new(pool: Pool, clock: Arc<dyn Clock>, ids: Arc<dyn IdGenerator>) -> Self {
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
    pub pool: Pool,
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
        pool: Pool,
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

    /// A call of the system's own that is made once.
    pub fn once(&self, organisation: OrganisationId, deadline: Instant) -> Mutation {
        let principal = Arc::new(Principal::system(organisation));
        Mutation::once(principal, self.ids.next().into(), deadline).telling(of_ask)
    }
}
