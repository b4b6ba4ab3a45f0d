//! What only Postgres can show: several processes, constraints, lost connections.

use callboard_actor::{CommitError, Store as _, StoreError};
use callboard_journal::Pool;
use callboard_journal::{JournalOptions, PgJournal, RowChange, TimerChange, Value};
use callboard_kernel::Version;
use callboard_testkit::{PATIENCE, Wire, eventually_some};
use futures::future::join_all;
use sqlx::postgres::PgPoolOptions;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use crate::sample::{
    HISTORY, LABEL, LINE, MARK, Postgres, ROOT, Samples, World as _, command, id, line, root, set, unit, with,
};

/// Another process on the same database.
fn another(world: &Postgres) -> PgJournal {
    PgJournal::new(world.pool.clone(), JournalOptions::new("sample"), TaskTracker::new())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_processes_with_the_same_aggregates_never_deadlock() {
    let world = Postgres::new().await;
    let (here, there) = (world.store().clone(), another(&world).store(Samples));
    for version in 0..40_i64 {
        let round = u128::from(version.unsigned_abs());
        let change = |n, text| {
            (0..3).map(move |number| RowChange::Put(&LINE, line(id(n), number, text))).collect::<Vec<_>>()
        };
        let up = (1..=30)
            .map(|n| here.commit(with(unit(id(n), version, n * 10_000 + 2 * round), change(n, "here"))));
        // The same aggregates the other way round; every third command is the very same one.
        let down = (1..=30).rev().map(|n| {
            let number = n * 10_000 + 2 * round + u128::from(n % 3 != 0);
            there.commit(with(unit(id(n), version, number), change(n, "there")))
        });
        let (up, down) = tokio::join!(join_all(up), join_all(down));
        for (one, other) in up.iter().zip(down.iter().rev()) {
            assert!(one.is_ok() != other.is_ok(), "one of two wins: {one:?} {other:?}");
            for outcome in [one, other] {
                assert!(
                    matches!(outcome, Ok(()) | Err(CommitError::Conflict | CommitError::Replayed(_))),
                    "{outcome:?}"
                );
            }
        }
    }
    let deadlocks: i64 =
        sqlx::query_scalar("select deadlocks from pg_stat_database where datname = current_database()")
            .fetch_one(&world.pool)
            .await
            .unwrap();
    assert_eq!(deadlocks, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_same_command_in_two_processes_is_carried_out_once() {
    let world = Postgres::new().await;
    let (here, there) = (world.store().clone(), another(&world).store(Samples));
    for n in 1..=60 {
        // On different aggregates, so that nothing but the receipt stands between them.
        let (one, other) =
            tokio::join!(here.commit(unit(id(2 * n), 0, n)), there.commit(unit(id(2 * n + 1), 0, n)));
        let replayed = |outcome: &Result<(), CommitError>| matches!(outcome, Err(CommitError::Replayed(commands)) if *commands == [command(n)]);
        assert!(one.is_ok() && replayed(&other) || other.is_ok() && replayed(&one), "{one:?} {other:?}");
    }
}

#[tokio::test]
async fn a_constraint_of_the_context_fails_one_unit_alone() {
    let world = Postgres::new().await;
    let store = world.store();
    let commits = (1..=20).map(|n| {
        let mut row = root(id(n), "x");
        row[4] = i32::try_from(n).unwrap().into();
        store.commit(with(unit(id(n), 0, n), [RowChange::Put(&ROOT, row)]))
    });
    for (n, outcome) in (1..).zip(join_all(commits).await) {
        assert_eq!(outcome.is_ok(), n != 13, "{n}: {outcome:?}");
        assert!(n != 13 || matches!(outcome, Err(CommitError::Refused(_))));
    }
}

#[tokio::test]
async fn a_lost_connection_is_an_unknown_outcome_and_the_next_commit_works() {
    let world = Postgres::new().await;
    let store = world.store();
    store.commit(unit(id(1), 0, 1)).await.unwrap();
    // The committer keeps its connection for a moment; it is another than this one.
    let mut own = world.pool.acquire().await.unwrap();
    sqlx::query(
        "select pg_terminate_backend(pid) from pg_stat_activity \
         where datname = current_database() and pid <> pg_backend_pid()",
    )
    .execute(&mut *own)
    .await
    .unwrap();
    let outcome = store.commit(unit(id(1), 1, 2)).await;
    assert!(matches!(outcome, Ok(()) | Err(CommitError::Unknown(_))), "{outcome:?}");
    let version = store.version(id(1)).await.unwrap();
    store.commit(unit(id(1), version.0, 3)).await.unwrap();
    assert_eq!(store.version(id(1)).await.unwrap(), Version(version.0 + 1));
}

#[tokio::test]
async fn events_and_timers_wake_who_waits_for_them() {
    let world = Postgres::new().await;
    let store = world.store();
    let mut quiet = unit(id(1), 0, 1);
    quiet.records[0].events.clear();
    store.commit(quiet).await.unwrap();
    let woken = |notify: &std::sync::Arc<tokio::sync::Notify>| {
        let notify = notify.clone();
        async move {
            tokio::select! { biased; () = notify.notified() => true, () = std::future::ready(()) => false }
        }
    };
    assert!(!woken(world.journal.outbox_wake()).await && !woken(world.journal.timer_wake()).await);
    store.commit(unit(id(1), 1, 2)).await.unwrap();
    assert!(woken(world.journal.outbox_wake()).await && !woken(world.journal.timer_wake()).await);
    let mut timed = unit(id(1), 2, 3);
    timed.records[0].timers = vec![set("a", "2026-01-01T00:00:00Z")];
    store.commit(timed).await.unwrap();
    assert!(woken(world.journal.timer_wake()).await);
}

#[tokio::test]
async fn a_schema_name_is_a_plain_word() {
    let world = Postgres::new().await;
    let mut connection = world.pool.acquire().await.unwrap();
    for name in ["", "1a", "a b", "a\"; drop", "Upper"] {
        assert!(callboard_journal::migrate(&mut connection, name).await.is_err(), "{name:?}");
    }
}

/// Plans are made while tables are empty and stay: none may read a table from end to end.
#[tokio::test]
async fn commits_find_their_rows_by_key() {
    let world = Postgres::new().await;
    let store = world.store();
    let busy = |n: u128, version: i64, number: u128| {
        let changes = [
            RowChange::Put(&LINE, line(id(n), 1, "text")),
            RowChange::Delete(&LINE, vec![id(n).into(), 2.into()]),
            RowChange::Put(&LABEL, vec![id(n).into(), id(n).into(), Value::Null]),
            RowChange::Delete(&LABEL, vec![id(1 << 100 | n).into()]),
            RowChange::Put(&MARK, vec![id(n).into(), "word".into()]),
            RowChange::Put(&HISTORY, vec![id(n).into(), 1.into()]),
        ];
        let mut one = with(unit(id(n), version, number), changes);
        let cancel = TimerChange::Cancel { name: "b".to_owned() };
        one.records[0].timers = vec![set("a", "2026-01-01T00:00:00Z"), cancel];
        one
    };
    for n in 1..=10 {
        store.commit(busy(n, 0, n)).await.unwrap();
    }
    for round in 0..12 {
        let commits = (0..200).map(|n| store.commit(busy(1000 + round * 200 + n, 0, 1000 + round * 200 + n)));
        assert!(join_all(commits).await.iter().all(Result::is_ok));
    }
    let commits = (1000..1200).map(|n| store.commit(busy(n, 1, 1_000_000 + n)));
    assert!(join_all(commits).await.iter().all(Result::is_ok));
    // A server process tells what it read when it ends at the latest.
    let options = (*world.pool.connect_options()).clone();
    world.pool.close().await;
    let pool = Pool::new(PgPoolOptions::new(), options);
    let read = eventually_some("statistics of all commits", PATIENCE, || async {
        let rows: Vec<(String, i64, i64)> = sqlx::query_as(
            "select relname::text, seq_tup_read, n_tup_ins from pg_stat_user_tables where schemaname = 'sample'",
        )
        .fetch_all(&pool)
        .await
        .unwrap();
        let all = rows.iter().any(|(name, _, inserted)| name == "command_receipt" && *inserted >= 2610);
        all.then_some(rows)
    })
    .await;
    for (table, rows, _) in read {
        assert!(rows < 1500, "{table}: {rows} rows read from end to end");
    }
}

#[tokio::test]
async fn a_read_of_a_server_that_vanished_without_a_word_ends_in_time_and_the_next_works() {
    let world = Postgres::new().await;
    let mut options = world.pool.connect_options().as_ref().clone();
    let wire = Wire::to(&format!("{}:{}", options.get_host(), options.get_port())).await;
    options = options.host("127.0.0.1").port(wire.port());
    let pool = Pool::new(PgPoolOptions::new().max_connections(1), options);
    let store =
        PgJournal::new(pool.clone(), JournalOptions::new("sample"), TaskTracker::new()).store(Samples);
    assert!(store.load(id(1)).await.is_ok());
    // Not while it goes back into the pool: the pool asks it then, and that is the pool's to limit.
    eventually_some("it idles", PATIENCE, || async { (pool.num_idle() == 1).then_some(()) }).await;
    wire.cut();
    let lost = timeout(PATIENCE, store.load(id(1))).await.expect("an end");
    assert!(matches!(lost, Err(StoreError::Unavailable(_))), "{lost:?}");
    let next = timeout(PATIENCE, store.load(id(1))).await.expect("an end");
    assert!(next.is_ok(), "{next:?}");
}

#[tokio::test]
async fn a_read_on_a_connection_that_was_closed_meanwhile_is_tried_on_another() {
    let world = Postgres::new().await;
    let options = world.pool.connect_options().as_ref().clone().application_name("to-be-closed");
    let pool = Pool::new(PgPoolOptions::new().max_connections(1), options);
    let store =
        PgJournal::new(pool.clone(), JournalOptions::new("sample"), TaskTracker::new()).store(Samples);
    assert!(store.load(id(1)).await.is_ok());
    eventually_some("it idles", PATIENCE, || async { (pool.num_idle() == 1).then_some(()) }).await;
    sqlx::query("select pg_terminate_backend(pid) from pg_stat_activity where application_name = $1")
        .bind("to-be-closed")
        .execute(&world.pool)
        .await
        .unwrap();
    let read = store.load(id(1)).await;
    assert!(read.is_ok(), "{read:?}");
}
