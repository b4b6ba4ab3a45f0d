//! What the pool promises, on a real server.

use callboard_testkit::{Database, PATIENCE, Servers, eventually_some};
use futures::future::join_all;

use super::*;

async fn pool(most: u32) -> (Database, Pool) {
    let database = Servers::shared().await.fresh_database().await;
    let limits = PgPoolOptions::new().max_connections(most).acquire_timeout(Duration::from_secs(5));
    let pool = Pool::new(limits, database.url().parse().expect("an address"));
    (database, pool)
}

async fn process(pool: &Pool) -> i32 {
    sqlx::query_scalar("select pg_backend_pid()").fetch_one(pool).await.expect("an answer")
}

#[tokio::test]
async fn between_two_statements_nobody_is_asked_anything() {
    let (_database, pool) = pool(4).await;
    let first = process(&pool).await;
    for _ in 0..50 {
        // At once, not after a round trip in the background; so there never is a second one.
        assert_eq!((pool.num_idle(), pool.size()), (1, 1));
        assert_eq!(process(&pool).await, first);
    }
    assert!(sqlx::query("select 1 / 0").execute(&pool).await.is_err());
    assert_eq!((pool.num_idle(), process(&pool).await), (1, first), "what Postgres refuses costs nobody");
    let lent = pool.acquire().await.expect("one");
    assert_eq!(pool.num_idle(), 0);
    lent.give_back();
    assert_eq!((pool.num_idle(), process(&pool).await), (1, first));
}

#[tokio::test]
async fn whoever_is_cut_off_in_the_middle_leaves_nothing_to_the_next() {
    let (_database, pool) = pool(1).await;
    let first = process(&pool).await;
    let slow = sqlx::query_scalar::<_, i32>("select 7 from pg_sleep(0.3)").fetch_one(&pool);
    assert!(timeout(Duration::from_millis(50), slow).await.is_err());
    assert_eq!(pool.num_idle(), 0, "not lent before it was asked");
    assert_eq!(process(&pool).await, first, "the same one, with an answer of its own");
}

#[tokio::test]
async fn what_was_not_committed_is_undone_before_the_connection_is_lent_again() {
    let (_database, pool) = pool(1).await;
    sqlx::query("create table t (n int)").execute(&pool).await.expect("a table");
    let mut lent = pool.acquire().await.expect("one");
    let mut transaction = lent.begin().await.expect("a transaction");
    sqlx::query("insert into t values (1)").execute(&mut *transaction).await.expect("written");
    drop(transaction);
    drop(lent);
    let outside = "select count(*) from t where pg_current_xact_id_if_assigned() is null";
    let left: i64 = sqlx::query_scalar(outside).fetch_one(&pool).await.expect("an answer");
    assert_eq!(left, 0);
    let idle = "select state from pg_stat_activity where pid = pg_backend_pid()";
    let state: String = sqlx::query_scalar(idle).fetch_one(&pool).await.expect("an answer");
    assert_eq!(state, "active", "and not in a transaction");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_share_a_few() {
    let (_database, pool) = pool(3).await;
    let all = (0..60).map(|n| {
        let pool = pool.clone();
        async move {
            for turn in 0..20_i32 {
                let answer: i32 = sqlx::query_scalar("select $1::int4")
                    .bind(turn * 100 + n)
                    .fetch_one(&pool)
                    .await
                    .expect("one");
                assert_eq!(answer, turn * 100 + n);
            }
        }
    });
    join_all(all).await;
    assert!(pool.size() <= 3, "{pool:?}");
    let lent = join_all((0..3).map(|_| pool.acquire())).await;
    let late = timeout(Duration::from_millis(100), pool.acquire()).await;
    assert!(late.is_err(), "none is free");
    drop(lent);
    assert!(pool.acquire().await.is_ok());
}

#[tokio::test]
async fn after_a_while_each_goes_back_to_be_looked_after() {
    let (_database, mut pool) = pool(4).await;
    let lent = join_all((0..4).map(|_| pool.acquire())).await;
    lent.into_iter().for_each(|lent| lent.expect("one").give_back());
    assert_eq!(pool.shared.resting.lock().len(), 4);
    Arc::get_mut(&mut pool.shared).expect("nobody else has it").back_after = Duration::ZERO;
    // The one that is used, for its time is over, and one that nobody needed.
    process(&pool).await;
    assert_eq!(pool.shared.resting.lock().len(), 2);
    let asked = || async { (pool.shared.made.num_idle() == 2).then_some(()) };
    eventually_some("both are asked", PATIENCE, asked).await;
}

#[tokio::test]
async fn closing_closes_all_those_that_rest_and_those_that_are_lent() {
    let (database, pool) = pool(4).await;
    let lent = pool.acquire().await.expect("one");
    process(&pool).await;
    assert_eq!(pool.num_idle(), 1);
    let closing = tokio::time::timeout(PATIENCE, async {
        let ending = async {
            tokio::task::yield_now().await;
            assert!(matches!(pool.acquire().await, Err(sqlx::Error::PoolClosed)));
            lent.give_back();
        };
        tokio::join!(pool.close(), ending)
    });
    closing.await.expect("an end");
    let mut other = PgConnection::connect(database.url()).await.expect("a connection");
    let others = "select count(*) from pg_stat_activity \
                  where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'";
    let mut left = -1_i64;
    // A server process takes a moment to end.
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while left != 0 {
        assert!(tokio::time::Instant::now() < deadline, "{left} are left");
        left = sqlx::query_scalar(others).fetch_one(&mut other).await.expect("an answer");
    }
}

#[test]
fn a_pool_may_be_dropped_when_no_runtime_is_left() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let (_database, pool) = runtime.block_on(pool(2));
    runtime.block_on(process(&pool));
    assert_eq!(pool.num_idle(), 1);
    drop(runtime);
    drop(pool);
}
