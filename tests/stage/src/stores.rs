//! What is written is what is read: one contract for the stores of every aggregate.

use std::fmt::Debug;
use std::sync::Arc;

use callboard_actor::{Step, StepMeta, Store, Unit};
use callboard_journal::{JournalOptions, PgJournal};
use callboard_kernel::{
    Aggregate, Cause, Clock, CommandId, DecisionContext, Principal, RandomIds, SystemClock, Version,
};
use callboard_service::Definition;
use callboard_service::config::{Config, Sources};
use callboard_testkit::{Database, Servers};
use tokio_util::task::TaskTracker;

use crate::id;

/// A journal on a new database with a service's schema. The database goes when it is dropped.
///
/// # Panics
/// If the schema cannot be made.
pub async fn fresh_journal(definition: Definition) -> (PgJournal, Database) {
    let database = Servers::shared().await.fresh_database().await;
    let sources = Sources {
        service: definition.name,
        defaults: definition.default_config,
        overrides: vec![("database.url".into(), database.url().into())],
        ..Sources::default()
    };
    let config = Config::load(&sources).expect("settings");
    let migrations = definition.migrations.expect("migrations");
    callboard_service::database::migrate(&config.database, definition.name, migrations)
        .await
        .expect("migrated");
    let pool = callboard_service::database::pool(&config.database, definition.name).expect("a pool");
    (PgJournal::new(pool, JournalOptions::new(definition.name), TaskTracker::new()), database)
}

/// Writes a life through a store and reads it back after each step; answers its last state. Every command must be
/// decided with at least one event. `normal` puts in order what a store need not keep in order.
///
/// # Panics
/// Where what is read is not what was written.
pub async fn comes_back<A: Aggregate>(
    store: &impl Store<A>,
    commands: Vec<(Principal, A::Command)>,
    normal: impl Fn(A::State) -> A::State,
) -> A::State
where
    A::State: PartialEq + Debug,
    A::Command: Debug,
{
    let aggregate_id = id();
    let mut state = A::State::default();
    for (number, (principal, command)) in (1..).zip(commands) {
        let (command_id, now, cause) = (CommandId(id()), SystemClock.now(), Cause::default());
        let context =
            DecisionContext { now, principal: &principal, cause: &cause, command_id, ids: &RandomIds };
        let events = match A::decide(&state, &command, &context) {
            Ok(events) if !events.is_empty() => events,
            Ok(_) => panic!("{command:?} changed nothing"),
            Err(rejection) => panic!("{command:?}: {rejection:?}"),
        };
        let mut after = state.clone();
        events.iter().for_each(|event| A::evolve(&mut after, event));
        let meta = StepMeta {
            aggregate_id,
            version: Version(number),
            command_id,
            principal: Arc::new(principal.clone()),
            cause: Arc::new(cause.clone()),
            at: now,
        };
        let record = store.record(&Step { before: &state, after: &after, events: &events, meta: &meta });
        let unit = Unit {
            aggregate_id,
            organisation: principal.organisation,
            expected: Version(number - 1),
            version: Version(number),
            records: vec![record.expect("a record")],
            receipts: vec![],
        };
        store.commit(unit).await.expect("written");
        let loaded = store.load(aggregate_id).await.expect("read");
        assert_eq!(normal(loaded.state), normal(after.clone()), "after {number}");
        assert_eq!(loaded.version, Version(number));
        state = after;
    }
    state
}
