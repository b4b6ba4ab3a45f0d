//! What the group commit is worth: commits per second of 1, 16 and 128 callers, each with an aggregate of its own,
//! through the journal and as one transaction of several statements each. On a server of its own that waits for the
//! disk.
//!
//! `cargo run --release -p callboard-journal --example commit_rate`
#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::expect_used, reason = "a tool for the hand")]

#[allow(dead_code, unreachable_pub, missing_docs, reason = "shared with the tests")]
#[path = "../tests/it/sample.rs"]
mod sample;

use std::str::FromStr as _;
use std::time::{Duration, Instant};

use callboard_actor::Store as _;
use callboard_journal::Pool;
use callboard_journal::{JournalOptions, PgJournal, PgStore, RowChange, migrate};
use callboard_kernel::{IdGenerator as _, RandomIds};
use callboard_testkit::fresh_postgres;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection as _, PgConnection};
use tokio::task::JoinSet;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::sample::{LINE, Samples, TABLES, event, line, unit, with};

const SPAN: Duration = Duration::from_secs(4);

#[tokio::main]
async fn main() {
    let server = fresh_postgres().await;
    let url = server.create_database("rate").await.unwrap();
    let mut connection = PgConnection::connect(&url).await.unwrap();
    migrate(&mut connection, "sample").await.unwrap();
    let options = PgConnectOptions::from_str(&url).unwrap().options([("search_path", "sample")]);
    let pool = Pool::new(PgPoolOptions::new().max_connections(16), options);
    sqlx::raw_sql(TABLES).execute(&pool).await.unwrap();
    let journal = PgJournal::new(pool.clone(), JournalOptions::new("sample"), TaskTracker::new());
    let store = journal.store(Samples);
    println!("{:>8} {:>14} {:>10} {:>14} {:>10}", "callers", "journal/s", "mean ms", "singly/s", "mean ms");
    for callers in [1, 16, 128] {
        let journal = measure(callers, |id| grouped(store.clone(), id)).await;
        let singly = measure(callers, |id| single(pool.clone(), id)).await;
        let mean = |rate: f64| f64::from(callers) * 1000.0 / rate;
        println!(
            "{callers:>8} {journal:>14.0} {:>10.2} {singly:>14.0} {:>10.2}",
            mean(journal),
            mean(singly)
        );
    }
    server.stop().await.unwrap();
}

async fn measure<F: Future<Output = u32> + Send + 'static>(callers: u32, caller: impl Fn(Uuid) -> F) -> f64 {
    let began = Instant::now();
    let mut tasks = JoinSet::new();
    for _ in 0..callers {
        tasks.spawn(caller(RandomIds.next()));
    }
    let commits: u32 = tasks.join_all().await.into_iter().sum();
    f64::from(commits) / began.elapsed().as_secs_f64()
}

/// One root, one child, one receipt, one event per commit.
async fn grouped(store: PgStore<Samples>, id: Uuid) -> u32 {
    let (began, mut commits) = (Instant::now(), 0);
    while began.elapsed() < SPAN {
        let change = RowChange::Put(&LINE, line(id, i32::try_from(commits % 10).unwrap(), "text"));
        let one = with(unit(id, i64::from(commits), RandomIds.next().as_u128()), [change]);
        store.commit(one).await.unwrap();
        commits += 1;
    }
    commits
}

/// The same, written by hand.
async fn single(pool: Pool, id: Uuid) -> u32 {
    let (began, mut commits) = (Instant::now(), 0);
    while began.elapsed() < SPAN {
        let event = event(id, i64::from(commits) + 1, "happened");
        let mut lent = pool.acquire().await.unwrap();
        let mut transaction = lent.begin().await.unwrap();
        let root = if commits == 0 {
            "insert into sample (id, organisation_id, version, title) values ($1, $1, 1 + $2, 'title')"
        } else {
            "update sample set version = version + 1, title = 'title' where id = $1 and version = $2"
        };
        sqlx::query(root).bind(id).bind(i64::from(commits)).execute(&mut *transaction).await.unwrap();
        sqlx::query(
            "insert into line (aggregate_id, number, text) values ($1, $2, 'text')
             on conflict (aggregate_id, number) do update set text = excluded.text",
        )
        .bind(id)
        .bind(i32::try_from(commits % 10).unwrap())
        .execute(&mut *transaction)
        .await
        .unwrap();
        sqlx::query(
            "insert into command_receipt
             (command_id, aggregate_id, organisation_id, fingerprint, version, outcome, answer)
             values ($1, $2, $2, 1, $3, 'applied', 'answer')",
        )
        .bind(RandomIds.next())
        .bind(id)
        .bind(i64::from(commits) + 1)
        .execute(&mut *transaction)
        .await
        .unwrap();
        sqlx::query(
            "insert into outbox (event_id, organisation_id, context, name, kind, aggregate_id, aggregate_version,
             time, correlation, traceparent, actor, payload) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        )
        .bind(event.id.uuid())
        .bind(event.organisation.uuid())
        .bind(event.context)
        .bind(event.name)
        .bind(event.kind)
        .bind(event.aggregate_id)
        .bind(event.aggregate_version.0)
        .bind(event.time)
        .bind(event.correlation)
        .bind(event.traceparent)
        .bind(event.actor.to_string())
        .bind(&event.payload[..])
        .execute(&mut *transaction)
        .await
        .unwrap();
        transaction.commit().await.unwrap();
        commits += 1;
    }
    commits
}
