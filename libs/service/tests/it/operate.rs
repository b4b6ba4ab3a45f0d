//! What an operator does on the command line.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use callboard_bus::{Bus, Event, HandleError, Handled, Handler, Nats, NatsOptions, StreamLog, StreamSpec};
use callboard_journal::Pool;
use callboard_service::config::{Config, Sources};
use callboard_service::{
    BoxError, BuildContext, Built, Context, Definition, DlqCommand, Operation, OutboxCommand, StartOptions,
    database,
};
use callboard_testkit::{Database, PATIENCE, Servers, eventually, fresh_nats};
use futures::FutureExt;
use futures::future::BoxFuture;
use sqlx::migrate::Migrator;
use tonic::service::Routes;
use uuid::Uuid;

use crate::support::{definition, options, start_with};

static NO_MIGRATIONS: Migrator = Migrator::DEFAULT;
/// While true, events of the aggregate [`FRAGILE`] cannot be processed.
static BROKEN: AtomicBool = AtomicBool::new(false);
const FRAGILE: Uuid = Uuid::from_u128(7);

struct Sometimes;

impl Handler for Sometimes {
    fn handle<'a>(&'a self, event: &'a Event) -> BoxFuture<'a, Result<Handled, HandleError>> {
        let broken = event.aggregate_id == FRAGILE && BROKEN.load(Ordering::SeqCst);
        async move { if broken { Err(HandleError::Poison("as\0asked".into())) } else { Ok(Handled::Done) } }
            .boxed()
    }
}

fn context(build: &BuildContext) -> Result<Context, BoxError> {
    let mut context = Context::new(build)?;
    context.consume("test-self", "test", Arc::new(Sometimes));
    Ok(context)
}

/// A context that hears its own events.
pub fn context_of_its_own() -> Definition {
    Definition {
        migrations: Some(&NO_MIGRATIONS),
        uses_bus: true,
        build: |build| {
            async move {
                let mut built = Built::new(Routes::default(), Vec::new());
                context(&build)?.furnish(&mut built).await?;
                Ok(built)
            }
            .boxed()
        },
        operate: Some(|build, operation| async move { context(&build)?.operate(operation).await }.boxed()),
        ..definition()
    }
}

pub fn settings(database: &Database, broker: &callboard_testkit::Nats) -> StartOptions {
    options().with("database.url", database.url()).with("nats.url", broker.url())
}

pub async fn migrated(url: &str) -> Pool {
    let config = Config::load(&Sources {
        service: "test",
        defaults: crate::support::DEFAULTS,
        overrides: vec![("database.url".into(), url.into())],
        ..Sources::default()
    })
    .unwrap();
    database::migrate(&config.database, "test", &NO_MIGRATIONS).await.unwrap();
    database::pool(&config.database, "test").unwrap()
}

/// Commits an event with a payload of so many bytes.
pub async fn insert(
    pool: &Pool,
    aggregate: Uuid,
    version: i64,
    bytes: usize,
    traceparent: Option<&str>,
) -> Uuid {
    let id = Uuid::from_u128(aggregate.as_u128() * 1000 + u128::try_from(version).unwrap());
    sqlx::query(
        "insert into outbox (event_id, organisation_id, context, name, kind, aggregate_id, aggregate_version, \
           time, traceparent, actor, payload) \
         values ($1, $2, 'test', 'thing.done', 'callboard.test.v1.ThingDone', $3, $4, now(), $5, 'system', $6)",
    )
    .bind(id)
    .bind(Uuid::from_u128(1))
    .bind(aggregate)
    .bind(version)
    .bind(traceparent)
    .bind(vec![0_u8; bytes])
    .execute(pool)
    .await
    .unwrap();
    id
}

#[tokio::test]
async fn dead_letters_refused_events_and_the_stream_are_in_an_operators_hands() {
    let (database, broker) = (Servers::shared().await.fresh_database().await, fresh_nats().await);
    let pool = migrated(database.url()).await;
    let operate = async |operation| {
        let settings = settings(&database, &broker);
        let outcome = callboard_service::operate(context_of_its_own(), settings, operation).await;
        outcome.map_err(|error| error.to_string())
    };
    let parked = async |wanted: usize| {
        eventually("parked", PATIENCE, || async {
            let list = operate(Operation::Dlq(DlqCommand::List { limit: 10 })).await?;
            if list.matches("test-self").count() == wanted { Ok(list) } else { Err(list) }
        })
        .await
    };
    BROKEN.store(true, Ordering::SeqCst);
    let mut running = start_with(context_of_its_own(), settings(&database, &broker)).await;
    running.ready().await.unwrap();
    let mut ids = Vec::new();
    for version in 1..=2 {
        ids.push(insert(&pool, FRAGILE, version, 10, None).await);
    }
    // Listed and shown: the first failed, the second waits behind it.
    let list = parked(2).await;
    assert!(list.contains(&ids[0].to_string()) && list.contains("waits behind"), "{list}");
    let shown = operate(Operation::Dlq(DlqCommand::Show { id: ids[0] })).await.unwrap();
    assert!(shown.contains("callboard.test.v1.ThingDone") && shown.contains("as\u{fffd}asked"), "{shown}");
    let unknown = operate(Operation::Dlq(DlqCommand::Show { id: Uuid::nil() })).await;
    assert!(unknown.is_err_and(|said| said.contains("no consumer")));
    // Replayed while it is still broken, and when it is not.
    let replay = Operation::Dlq(DlqCommand::Replay { id: ids[0] });
    assert!(operate(replay.clone()).await.unwrap().contains("stopped at"));
    BROKEN.store(false, Ordering::SeqCst);
    assert_eq!(operate(replay).await.unwrap(), "handled 2\n");
    assert_eq!(operate(Operation::Dlq(DlqCommand::List { limit: 10 })).await.unwrap(), "none\n");
    // Skipped: what waited goes on.
    BROKEN.store(true, Ordering::SeqCst);
    for version in 3..=4 {
        ids.push(insert(&pool, FRAGILE, version, 10, None).await);
    }
    parked(2).await;
    BROKEN.store(false, Ordering::SeqCst);
    let skip = operate(Operation::Dlq(DlqCommand::Skip { id: ids[2] })).await.unwrap();
    assert_eq!(skip, "skipped; handled 1 behind it\n");

    // An event that no bus would take.
    let large = insert(&pool, Uuid::from_u128(8), 1, 70_000, None).await;
    let refused = eventually("refused", PATIENCE, || async {
        let list = operate(Operation::Outbox(OutboxCommand::ListRefused { limit: 10 })).await?;
        if list.contains(&large.to_string()) { Ok(list) } else { Err(list) }
    })
    .await;
    assert!(refused.contains("at most 65536"), "{refused}");
    let behind = insert(&pool, Uuid::from_u128(8), 2, 10, None).await;
    let release = Operation::Outbox(OutboxCommand::Release { id: large, skip: true });
    assert_eq!(operate(release.clone()).await.unwrap(), "skipped\n");
    assert!(operate(release).await.is_err());
    ids.push(behind);
    eventually("what waited behind it is published", PATIENCE, || async {
        let mark: Option<i64> = sqlx::query_scalar("select stream_seq from outbox where event_id = $1")
            .bind(behind)
            .fetch_one(&pool)
            .await
            .unwrap();
        mark.ok_or("not yet")
    })
    .await;
    running.stop().await.unwrap();

    // The stream is built anew, with the same ids in the same order.
    let bus: Bus = Nats::connect(NatsOptions::new(broker.url(), "test")).await.unwrap().into();
    let log = bus.log(StreamSpec::new("test"));
    let before = log.events_from(1, 100).await.unwrap();
    assert_eq!(operate(Operation::Republish).await.unwrap(), "published 5 events again\n");
    assert_eq!(log.events_from(1, 100).await.unwrap(), before);
    let found: Vec<Uuid> = before.into_iter().map(|(_, id)| id.uuid()).collect();
    assert_eq!(found, ids);
}
