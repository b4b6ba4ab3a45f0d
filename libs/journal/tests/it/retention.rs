//! Retention.

use std::sync::Arc;
use std::time::Duration;

use callboard_journal::{Removed, Retention, RetentionOptions};
use callboard_kernel::{Clock, SystemClock};
use callboard_testkit::ManualClock;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::delivery::{Outbox, event, event_id};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[tokio::test]
async fn only_what_is_published_and_old_goes_and_the_last_mark_stays() {
    let outbox = Outbox::new().await;
    outbox.commit(&(1..=50).map(|version| event(1, version)).collect::<Vec<_>>()).await;
    sqlx::query("update outbox set stream_seq = position where position <= 40")
        .execute(&outbox.pool)
        .await
        .unwrap();
    sqlx::query("update outbox set stream_seq = -1 where position = 41").execute(&outbox.pool).await.unwrap();
    for (n, age) in [(1, 31), (2, 29)] {
        sqlx::query(
            "insert into command_receipt (command_id, aggregate_id, organisation_id, fingerprint, version, outcome, \
             answer, created_at) values ($1, $1, $1, 0, 1, 'applied', '', now() - make_interval(days => $2))",
        )
        .bind(Uuid::from_u128(n))
        .bind(age)
        .execute(&outbox.pool)
        .await
        .unwrap();
    }
    let clock = ManualClock::at(SystemClock.now());
    let options = RetentionOptions { batch: 7, ..RetentionOptions::default() };
    let retention = Retention::new(outbox.pool.clone(), Arc::new(clock.clone()), options);
    let stop = CancellationToken::new();
    assert_eq!(retention.round(&stop).await.unwrap(), Removed { outbox: 0, receipts: 1 });
    clock.advance(DAY * 8);
    assert_eq!(retention.round(&stop).await.unwrap(), Removed { outbox: 39, receipts: 1 });
    let left: Vec<_> = outbox.marks().await.into_iter().map(|(id, _)| id).collect();
    assert_eq!(left, (40..=50).map(|version| event_id(1, version).uuid()).collect::<Vec<_>>());
}
