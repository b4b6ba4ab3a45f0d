//! What is written is what is read.

use std::sync::Arc;

use callboard_actor::{Step, StepMeta, Store, Unit};
use callboard_journal::{JournalOptions, MemJournal, PgJournal};
use callboard_kernel::{
    Aggregate, Cause, Clock, CodeUser, CommandId, DecisionContext, Isolation, Language, Principal, RandomIds,
    SystemClock, Version,
};
use callboard_ratings::store::RequestMapping;
use callboard_ratings_domain::RatingRequest;
use callboard_ratings_domain::request::{
    News, RequestCommand, RequestState, Subject, SubjectKind, Visibility,
};
use callboard_testkit::Servers;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::house::id;

/// A life with everything in it that is stored.
fn commands() -> Vec<(Principal, RequestCommand)> {
    let organisation = Uuid::from_u128(1).into();
    let system = Principal::system(organisation);
    let device = id();
    let user = CodeUser { session: id().into(), code: id().into(), device: device.into() };
    let user = Principal {
        organisation,
        subject: callboard_kernel::Subject::CodeUser(user),
        language: Language::En,
    };
    let observe = |version, done_round, news| RequestCommand::Observe {
        subject: Arc::new(Subject {
            kind: SubjectKind::Ticket,
            version,
            device: device.into(),
            template: id().into(),
            customer: Some(id().into()),
            visibility: Visibility::Public,
            departments: vec![id().into()],
            involved: vec![id().into(), id().into()],
            done_round,
        }),
        news,
    };
    let submit = RequestCommand::Submit {
        isolation: Isolation::Off,
        kind: SubjectKind::Ticket,
        score: 4,
        comment: "Danke".into(),
    };
    vec![
        (system.clone(), observe(1, 0, News::Facts)),
        (system.clone(), observe(2, 1, News::Done { switched_on: true })),
        (user, submit),
        (system.clone(), observe(3, 1, News::Over)),
        (system.clone(), observe(4, 2, News::Done { switched_on: false })),
        (system, RequestCommand::Delete),
    ]
}

async fn comes_back(store: &impl Store<RatingRequest>) {
    let aggregate_id = id();
    let mut state = RequestState::default();
    for (number, (principal, command)) in (1..).zip(commands()) {
        let (command_id, now, cause) = (CommandId(id()), SystemClock.now(), Cause::default());
        let context =
            DecisionContext { now, principal: &principal, cause: &cause, command_id, ids: &RandomIds };
        let events = RatingRequest::decide(&state, &command, &context).expect("decided");
        let mut after = state.clone();
        events.iter().for_each(|event| RatingRequest::evolve(&mut after, event));
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
        assert_eq!((loaded.state, loaded.version), (after.clone(), Version(number)), "after {number}");
        state = after;
    }
    assert!(state.deleted);
}

#[tokio::test]
async fn a_rating_comes_back_from_memory() {
    comes_back(&MemJournal::new(JournalOptions::new("ratings")).store(RequestMapping)).await;
}

#[tokio::test]
async fn a_rating_comes_back_from_postgres() {
    let house = Servers::shared().await.fresh_database().await;
    let sources = callboard_service::config::Sources {
        service: "ratings",
        defaults: callboard_ratings::definition().default_config,
        overrides: vec![("database.url".into(), house.url().into())],
        ..Default::default()
    };
    let config = callboard_service::config::Config::load(&sources).expect("settings");
    let migrations = callboard_ratings::definition().migrations.expect("migrations");
    callboard_service::database::migrate(&config.database, "ratings", migrations).await.expect("migrated");
    let pool = callboard_service::database::pool(&config.database, "ratings").expect("a pool");
    let journal = PgJournal::new(pool, JournalOptions::new("ratings"), TaskTracker::new());
    comes_back(&journal.store(RequestMapping)).await;
}
