//! With a real database and a real broker.

use std::sync::LazyLock;
use std::time::Duration;

use callboard_bus::{Bus, Event, Nats, NatsOptions, StreamLog, StreamSpec};
use callboard_kernel::{Actor, Clock, IdGenerator, RandomIds, SystemClock, Version};
use callboard_proto::Event as _;
use callboard_proto::directory::v1::PrincipalTokensRevoked;
use callboard_service::config::{Config, Sources};
use callboard_service::error::report;
use callboard_service::{Definition, Running, StartOptions, database};
use callboard_testkit::{Servers, fresh_nats};
use prost::Message;
use sqlx::SqlSafeStr;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use uuid::Uuid;

use crate::support::{ask, channel, definition, eventually, get, options, start_with};

static MIGRATIONS: LazyLock<Migrator> = LazyLock::new(|| {
    let sql = "create table thing (id uuid primary key)".into_sql_str();
    Migrator::with_migrations(vec![Migration::new(1, "thing".into(), MigrationType::Simple, sql, false)])
});

fn with_database() -> Definition {
    Definition { migrations: Some(&MIGRATIONS), ..definition() }
}

fn config(url: &str) -> Config {
    Config::load(&Sources {
        service: "test",
        defaults: crate::support::DEFAULTS,
        overrides: vec![("database.url".into(), url.into())],
        ..Sources::default()
    })
    .unwrap()
}

#[tokio::test]
async fn it_is_not_ready_until_migrations_are_applied_by_somebody() {
    let database = Servers::shared().await.fresh_database().await;
    let config = config(database.url());
    let mut running = start_with(with_database(), options().with("database.url", database.url())).await;
    eventually("it says what it waits for", || async {
        let (status, body) = get(&running, "/readyz").await;
        status == 503 && body.contains("waiting for migrations")
    })
    .await;
    let pool = database::pool(&config.database, "test").unwrap();
    let pending = async || database::pending(&pool, "test", &MIGRATIONS).await.unwrap();
    let before = pending().await;
    assert!(before[0].starts_with("journal "), "{before:?}");
    assert_eq!(before.last().map(String::as_str), Some("1 thing"));
    // Several at once do it once.
    let migrate = || database::migrate(&config.database, "test", &MIGRATIONS);
    let (one, two) = tokio::join!(migrate(), migrate());
    one.unwrap();
    two.unwrap();
    assert!(pending().await.is_empty());
    running.ready().await.unwrap();
    assert_eq!(get(&running, "/readyz").await.0, 200);
    // In a schema of its own, found without being named.
    let count: i64 = sqlx::query_scalar("select count(*) from thing").fetch_one(&pool).await.unwrap();
    assert_eq!(count, 0);
    let schema: String = sqlx::query_scalar("select schemaname from pg_tables where tablename = 'thing'")
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!(schema, "test");
    running.stop().await.unwrap();
}

fn revoked(subject: Uuid, min_epoch: i64) -> Event {
    let now = SystemClock.now();
    let message = PrincipalTokensRevoked {
        subject_id: subject.to_string(),
        organisation_id: Uuid::from_u128(1).to_string(),
        min_epoch,
        revoke_time: Some(callboard_service::convert::to_proto_time(now)),
    };
    Event {
        id: RandomIds.next().into(),
        context: PrincipalTokensRevoked::CONTEXT.into(),
        name: PrincipalTokensRevoked::SUBJECT.into(),
        kind: PrincipalTokensRevoked::TYPE.into(),
        organisation: Uuid::from_u128(1).into(),
        aggregate_id: subject,
        aggregate_version: Version(1),
        time: now,
        causation: None,
        correlation: None,
        traceparent: None,
        actor: Actor::System,
        payload: message.encode_to_vec().into(),
    }
}

async fn refused(running: &Running) -> bool {
    let answer = ask(channel(running), "who").await;
    answer.is_err_and(|status| report(&status).reason == "TOKEN_REVOKED")
}

#[tokio::test]
async fn d_3_ended_sessions_are_heard_of_within_seconds_and_after_a_restart() {
    let broker = fresh_nats().await;
    let definition = Definition { uses_bus: true, ..definition() };
    let settings: StartOptions = options().with("nats.url", broker.url());
    let mut running = start_with(definition, settings.clone()).await;
    running.ready().await.unwrap();
    eventually("ready without a stream to read", || async { get(&running, "/readyz").await.0 == 200 }).await;
    assert!(ask(channel(&running), "who").await.is_ok());
    let bus: Bus = Nats::connect(NatsOptions::new(broker.url(), "test")).await.unwrap().into();
    let stream = StreamSpec::new(PrincipalTokensRevoked::CONTEXT);
    bus.ensure_stream(&stream).await.unwrap();
    let (stored, problem) = bus.log(stream).publish(&[revoked(Uuid::from_u128(2), 1)], 0).await;
    assert!(stored.len() == 1 && problem.is_none(), "{problem:?}");
    eventually("refused", || refused(&running)).await;
    running.stop().await.unwrap();
    // A new process knows it before it is ready.
    let mut again = start_with(definition, settings).await;
    again.ready().await.unwrap();
    eventually("ready", || async { get(&again, "/readyz").await.0 == 200 }).await;
    assert!(refused(&again).await);
    again.stop().await.unwrap();
}

/// Commands need no broker (ADR 0009).
#[tokio::test]
async fn without_its_broker_a_started_service_stays_ready_and_says_what_is_missing() {
    let mut broker = fresh_nats().await;
    let definition = Definition { uses_bus: true, ..definition() };
    let settings = options().with("nats.url", broker.url()).with("admin.readiness_grace", "0s");
    let mut running = start_with(definition, settings).await;
    running.ready().await.unwrap();
    let readyz = || async {
        let (status, body) = get(&running, "/readyz").await;
        (status, serde_json::from_str::<serde_json::Value>(&body).unwrap())
    };
    eventually("ready and whole", || async {
        readyz().await == (200, serde_json::json!({"ready": true, "problems": {}, "degraded": {}}))
    })
    .await;
    broker.kill().await.unwrap();
    eventually("degraded, and ready all the while", || async {
        let (status, body) = readyz().await;
        assert_eq!((status, &body["ready"]), (200, &true.into()), "{body}");
        body["degraded"]["nats"].is_string()
    })
    .await;
    eventually("the gauge says so", || async {
        get(&running, "/metrics").await.1.contains(r#"callboard_degraded{service="test",without="nats"} 1"#)
    })
    .await;
    let mut health = tonic_health::pb::health_client::HealthClient::new(channel(&running));
    let served = health.check(tonic_health::pb::HealthCheckRequest::default()).await.unwrap();
    assert_eq!(served.into_inner().status, 1);
    assert!(ask(channel(&running), "who").await.is_ok());
    broker.restart().await.unwrap();
    eventually("whole again", || async {
        let whole = readyz().await.1["degraded"] == serde_json::json!({});
        let gauge = get(&running, "/metrics").await.1;
        whole && gauge.contains(r#"callboard_degraded{service="test",without="nats"} 0"#)
    })
    .await;
    running.stop().await.unwrap();
}

#[tokio::test]
async fn a_broker_that_comes_late_is_waited_for() {
    let port = callboard_testkit::free_port().unwrap();
    let definition = Definition { uses_bus: true, ..definition() };
    let running =
        start_with(definition, options().with("nats.url", format!("nats://127.0.0.1:{port}"))).await;
    eventually("it says what it waits for", || async {
        get(&running, "/readyz").await.1.contains("waiting for NATS")
    })
    .await;
    tokio::time::timeout(Duration::from_secs(5), running.stop()).await.unwrap().unwrap();
}
