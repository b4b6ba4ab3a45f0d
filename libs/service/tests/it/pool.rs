//! Connections to the database: which are asked for a sign of life, which are thrown away.

use std::sync::OnceLock;
use std::time::Duration;

use callboard_journal::Pool;
use callboard_service::config::{Config, Sources};
use callboard_service::{Built, Definition, database};
use callboard_testkit::{Database, PATIENCE, Servers, Wire};
use sqlx::migrate::Migrator;
use sqlx::{Connection, PgConnection};
use tokio::time::timeout;
use tonic::service::Routes;

use crate::support::{definition, eventually, get, options, start_with};

static NO_MIGRATIONS: Migrator = Migrator::DEFAULT;
static POOL: OnceLock<Pool> = OnceLock::new();

/// A database behind a wire, and its address there.
async fn wired() -> (Database, Wire, String) {
    let database = Servers::shared().await.fresh_database().await;
    // postgres://somebody@host:port/name
    let (_, rest) = database.url().split_once("://").unwrap();
    let (authority, _) = rest.split_once('/').unwrap();
    let server = authority.rsplit_once('@').map_or(authority, |(_, server)| server);
    let wire = Wire::to(server).await;
    let url = database.url().replacen(server, &format!("127.0.0.1:{}", wire.port()), 1);
    (database, wire, url)
}

fn pool(url: &str, most: u32) -> Pool {
    let config = Config::load(&Sources {
        service: "test",
        defaults: crate::support::DEFAULTS,
        overrides: vec![
            ("database.url".into(), url.into()),
            ("database.max_connections".into(), most.into()),
            ("database.acquire_timeout".into(), "10s".into()),
        ],
        ..Sources::default()
    });
    database::pool(&config.unwrap().database, "test").unwrap()
}

async fn ask(pool: &Pool) -> Result<i32, sqlx::Error> {
    sqlx::query_scalar("select 1").fetch_one(pool).await
}

#[tokio::test]
async fn a_connection_that_stops_answering_is_thrown_away_with_its_place_in_the_pool() {
    let (_database, wire, url) = wired().await;
    let pool = pool(&url, 1);
    assert_eq!(ask(&pool).await.unwrap(), 1);
    wire.cut();
    // Whoever waits gives up, as a call does at its deadline.
    assert!(timeout(Duration::from_millis(200), ask(&pool)).await.is_err());
    let next = timeout(PATIENCE, ask(&pool)).await.expect("an answer");
    assert_eq!(next.unwrap(), 1);
}

#[tokio::test]
async fn once_one_connection_is_found_broken_those_of_its_time_are_not_used_any_more() {
    let database = Servers::shared().await.fresh_database().await;
    let pool = pool(database.url(), 4);
    let held = futures::future::join_all((0..4).map(|_| pool.acquire())).await;
    assert!(held.iter().all(Result::is_ok));
    drop(held);
    eventually("they idle", || async { pool.num_idle() == 4 }).await;
    let mut other = PgConnection::connect(database.url()).await.unwrap();
    sqlx::query(
        "select pg_terminate_backend(pid) from pg_stat_activity
         where datname = current_database() and pid <> pg_backend_pid()",
    )
    .execute(&mut other)
    .await
    .unwrap();
    let first = ask(&pool).await;
    if first.is_err() {
        eventually("the broken one has gone", || async { pool.size() < 4 }).await;
    }
    for _ in 0..8 {
        assert_eq!(ask(&pool).await.unwrap(), 1);
    }
}

fn that_shows_its_pool() -> Definition {
    Definition {
        migrations: Some(&NO_MIGRATIONS),
        build: |context| {
            Box::pin(async move {
                let _ = POOL.set(context.pool()?);
                Ok(Built::new(Routes::default(), Vec::new()))
            })
        },
        ..definition()
    }
}

#[tokio::test]
async fn readiness_is_asked_beside_the_pool() {
    let (_database, wire, url) = wired().await;
    let options = options()
        .with("database.url", url)
        .with("database.migrate_on_start", true)
        .with("database.max_connections", 1)
        .with("admin.readiness_grace", "0s");
    let mut running = start_with(that_shows_its_pool(), options).await;
    running.ready().await.unwrap();
    let busy = POOL.get().unwrap().acquire().await.unwrap();
    assert_eq!(get(&running, "/readyz").await.0, 200, "all connections are at work");
    drop(busy);
    wire.cut_for_good();
    let (status, body) = get(&running, "/readyz").await;
    assert_eq!(status, 503, "idle connections are no proof: {body}");
    assert!(body.contains("database"), "{body}");
    running.stop().await.unwrap();
}
