//! The test kit keeps its promises.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use callboard_kernel::{Clock, IdGenerator};
use callboard_testkit::{
    ManualClock, PATIENCE, SeededIds, Servers, eventually, eventually_some, fresh_nats, fresh_postgres,
};
use sqlx::{Connection, PgConnection};

#[test]
fn a_manual_clock_moves_only_when_told_and_is_shared_by_its_clones() {
    let clock = ManualClock::default();
    let other = clock.clone();
    let begun = clock.now();
    assert_eq!(begun.to_rfc3339(), "2026-01-05T09:00:00+00:00");
    assert_eq!(clock.now(), begun);
    other.advance(Duration::from_nanos(61_000_001_999));
    assert_eq!((clock.now() - begun).num_microseconds(), Some(61_000_001), "to the microsecond");
    clock.set(begun);
    assert_eq!(other.now(), begun);
}

#[test]
fn seeded_ids_repeat_rise_and_differ_by_seed() {
    let clock = ManualClock::default();
    let ids = SeededIds::with_clock(1, clock.clone());
    let mut made = Vec::new();
    for round in 0..1_000 {
        if round == 500 {
            clock.advance(Duration::from_millis(1));
        }
        made.push(ids.next());
    }
    assert!(made.iter().all(|id| id.get_version_num() == 7 && id.get_variant() == uuid::Variant::RFC4122));
    assert!(made.is_sorted());
    let unlike: std::collections::HashSet<_> = made.iter().collect();
    assert_eq!(unlike.len(), 1_000);
    assert_eq!(SeededIds::new(1).next(), made[0]);
    assert_ne!(SeededIds::new(2).next(), made[0]);
}

#[tokio::test]
async fn eventually_returns_the_first_good_answer() {
    let asked = Arc::new(AtomicU32::new(0));
    let answer = eventually("the fourth question", PATIENCE, || async {
        match asked.fetch_add(1, Ordering::Relaxed) {
            3 => Ok("four"),
            number => Err(number),
        }
    });
    assert_eq!(answer.await, "four");
    assert_eq!(asked.load(Ordering::Relaxed), 4);
    assert_eq!(eventually_some("something", PATIENCE, async || Some(1)).await, 1);
}

#[test]
fn eventually_fails_with_what_was_wanted_what_was_seen_and_where() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let failure = std::panic::catch_unwind(AssertUnwindSafe(|| {
        runtime.block_on(eventually("a ticket in DONE", Duration::from_millis(20), || async {
            Err::<(), _>("still OPEN")
        }));
    }));
    let text = failure.expect_err("panics").downcast::<String>().expect("with a text");
    for part in ["a ticket in DONE", "still OPEN", "20ms", file!()] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let failure = std::panic::catch_unwind(AssertUnwindSafe(|| {
        runtime.block_on(eventually_some(
            "an end",
            Duration::from_millis(20),
            std::future::pending::<Option<()>>,
        ));
    }));
    assert!(
        failure.expect_err("panics").downcast::<String>().expect("with a text").contains("no answer at all")
    );
}

#[tokio::test]
async fn fresh_databases_are_empty_apart_and_gone_at_the_end() {
    let servers = Servers::shared().await;
    let (one, two) = (servers.fresh_database().await, servers.fresh_database().await);
    let mut first = PgConnection::connect(one.url()).await.expect("connects");
    sqlx::raw_sql("CREATE TABLE t (n bigint)").execute(&mut first).await.expect("a table");
    let mut second = PgConnection::connect(two.url()).await.expect("connects");
    let tables: i64 = sqlx::query_scalar("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
        .fetch_one(&mut second)
        .await
        .expect("counts");
    assert_eq!(tables, 0);

    let name = one.name().to_owned();
    drop(one); // with its connection still open
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM pg_database WHERE datname = $1")
        .bind(name)
        .fetch_one(&mut second)
        .await
        .expect("counts");
    assert_eq!(left, 0);
}

#[tokio::test]
async fn shared_servers_are_the_same_for_every_test_and_outlive_the_runtime_that_started_them() {
    let url = Servers::shared().await.nats_url();
    let elsewhere = std::thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async { Servers::shared().await.nats_url() })
    });
    assert_eq!(elsewhere.join().expect("no panic"), url);
    async_nats::connect(url).await.expect("it is there");
}

#[tokio::test]
async fn servers_of_ones_own_are_not_the_shared_ones() {
    let shared = Servers::shared().await;
    let (nats, postgres) = (fresh_nats().await, fresh_postgres().await);
    assert_ne!(nats.url(), shared.nats_url());
    assert_ne!(postgres.url(), shared.postgres_url());
}
