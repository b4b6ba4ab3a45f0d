//! Timers.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use callboard_bus::HandleError;
use callboard_journal::Pool;
use callboard_journal::{DueTimer, TimerOptions, Timers};
use callboard_kernel::{Clock, Timestamp};
use callboard_testkit::{ManualClock, PATIENCE, eventually};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::delivery::Outbox;

async fn set(pool: &Pool, n: u128, due: Timestamp) {
    sqlx::query(
        "insert into timer (aggregate_kind, aggregate_id, name, organisation_id, due_at, payload) \
         values ('ticket', $1, 'expires', $2, $3, 'p') \
         on conflict (aggregate_kind, aggregate_id, name) do update set due_at = excluded.due_at, claimed_until = null",
    )
    .bind(Uuid::from_u128(n))
    .bind(Uuid::from_u128(0xa))
    .bind(due)
    .execute(pool)
    .await
    .unwrap();
}

async fn left(pool: &Pool) -> i64 {
    sqlx::query_scalar("select count(*) from timer").fetch_one(pool).await.unwrap()
}

fn timers(outbox: &Outbox, clock: &ManualClock) -> Timers {
    let options = TimerOptions { poll: Duration::from_millis(10), ..TimerOptions::default() };
    Timers::new(outbox.pool.clone(), Arc::new(clock.clone()), Arc::new(Notify::new()), options)
}

#[tokio::test]
async fn two_replicas_fire_each_timer_once() {
    let (outbox, clock) = (Outbox::new().await, ManualClock::default());
    for n in 0..300 {
        set(&outbox.pool, n, clock.now()).await;
    }
    set(&outbox.pool, 1000, clock.now() + Duration::from_secs(60)).await;
    let fired: Mutex<HashMap<Uuid, u32>> = Mutex::default();
    let fire = |timer: DueTimer| {
        *fired.lock().entry(timer.aggregate_id).or_default() += 1;
        async { Ok(()) }
    };
    let stop = CancellationToken::new();
    let (one, two) = (timers(&outbox, &clock), timers(&outbox, &clock));
    let until = async {
        eventually("all that are due fired", PATIENCE, || async {
            let left = left(&outbox.pool).await;
            if left == 1 { Ok(()) } else { Err(left) }
        })
        .await;
        stop.cancel();
    };
    tokio::join!(one.run(fire, stop.clone()), two.run(fire, stop.clone()), until);
    let fired = fired.lock();
    assert_eq!((fired.len(), fired.values().max()), (300, Some(&1)));
}

#[tokio::test]
async fn a_timer_of_a_replica_that_died_fires_elsewhere_with_the_same_command() {
    let (outbox, clock) = (Outbox::new().await, ManualClock::default());
    set(&outbox.pool, 1, clock.now()).await;
    let seen = Mutex::new(Vec::new());
    let one = timers(&outbox, &clock);
    let hang = |timer: DueTimer| {
        seen.lock().push(timer.command_id());
        std::future::pending()
    };
    // Dropped while it fires.
    let died = tokio::time::timeout(Duration::from_millis(300), one.fire_due(&hang)).await;
    assert!(died.is_err());
    let fire = |timer: DueTimer| {
        seen.lock().push(timer.command_id());
        async { Ok(()) }
    };
    let two = timers(&outbox, &clock);
    assert_eq!(two.fire_due(&fire).await.unwrap(), 0, "claimed");
    clock.advance(Duration::from_secs(31));
    assert_eq!(two.fire_due(&fire).await.unwrap(), 1);
    assert_eq!(left(&outbox.pool).await, 0);
    let seen = seen.lock();
    assert_eq!(seen.len(), 2);
    assert_eq!(seen[0], seen[1]);
}

#[tokio::test]
async fn a_timer_that_says_not_now_fires_again_later() {
    let (outbox, clock) = (Outbox::new().await, ManualClock::default());
    set(&outbox.pool, 1, clock.now()).await;
    let timers = timers(&outbox, &clock);
    let refuse = |_| async { Err(HandleError::Retry("a full mailbox".into())) };
    assert_eq!(timers.fire_due(&refuse).await.unwrap(), 1);
    assert_eq!(timers.fire_due(&refuse).await.unwrap(), 0);
    clock.advance(Duration::from_secs(2));
    assert_eq!(timers.fire_due(&|_| async { Ok(()) }).await.unwrap(), 1);
    assert_eq!(left(&outbox.pool).await, 0);
}

#[tokio::test]
async fn a_timer_that_is_set_anew_by_its_own_command_stays_and_is_not_held_back() {
    let (outbox, clock) = (Outbox::new().await, ManualClock::default());
    set(&outbox.pool, 1, clock.now()).await;
    let timers = timers(&outbox, &clock);
    let again = clock.now() + Duration::from_secs(10);
    let first = Mutex::new(None);
    let fire = |timer: DueTimer| {
        *first.lock() = Some(timer.command_id());
        let pool = outbox.pool.clone();
        async move {
            set(&pool, 1, again).await;
            Ok(())
        }
    };
    timers.fire_due(&fire).await.unwrap();
    assert_eq!(left(&outbox.pool).await, 1);
    clock.advance(Duration::from_secs(10));
    let before = *first.lock();
    let second = |timer: DueTimer| {
        assert_ne!(Some(timer.command_id()), before);
        async { Ok(()) }
    };
    assert_eq!(timers.fire_due(&second).await.unwrap(), 1);
    assert_eq!(left(&outbox.pool).await, 0);
}
