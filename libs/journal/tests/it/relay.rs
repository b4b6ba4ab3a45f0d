//! The relay on a good day, with a real stream.

use sqlx::Connection as _;
use std::time::Duration;

use bytes::Bytes;
use callboard_bus::{Event, MAX_EVENT_BYTES};
use callboard_journal::{Flushed, RelayError, refused_events, release_refused};
use callboard_testkit::{PATIENCE, eventually, fresh_nats};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::delivery::{Outbox, Running, connect, event, event_id, insert, stream};

#[tokio::test]
async fn what_is_committed_is_published_once_and_in_order() {
    let (outbox, server) = (Outbox::new().await, fresh_nats().await);
    let bus = connect(&server).await;
    let events: Vec<Event> =
        (1..=400).flat_map(|version| (1..=3).map(move |key| event(key, version))).collect();
    outbox.commit(&events[..600]).await;
    let relay = Running::start(&outbox, &bus);
    outbox.commit(&events[600..]).await;
    relay.wake.notify_one();
    outbox.until_published().await;
    relay.stop().await;
    let published: Vec<_> = stream(&bus).await.into_iter().map(|(_, id)| id).collect();
    assert_eq!(published, events.iter().map(|event| event.id).collect::<Vec<_>>());
    for (index, (id, mark)) in outbox.marks().await.into_iter().enumerate() {
        assert_eq!((id, mark), (events[index].id.uuid(), Some(index as i64 + 1)));
    }
}

#[tokio::test]
async fn a_commit_that_becomes_visible_late_is_not_lost() {
    let (outbox, server) = (Outbox::new().await, fresh_nats().await);
    let bus = connect(&server).await;
    let relay = Running::start(&outbox, &bus);
    let mut lent = outbox.pool.acquire().await.unwrap();
    let mut slow = lent.begin().await.unwrap();
    insert(&mut slow, &event(1, 1)).await;
    // Has the higher position, and is there first.
    outbox.commit(&[event(2, 1)]).await;
    outbox.until_published().await;
    assert_eq!(stream(&bus).await, [(1, event_id(2, 1))]);
    slow.commit().await.unwrap();
    outbox.until_published().await;
    relay.stop().await;
    assert_eq!(stream(&bus).await, [(1, event_id(2, 1)), (2, event_id(1, 1))]);
}

#[tokio::test]
async fn one_relay_works_and_another_takes_over_when_its_connection_is_cut() {
    let (outbox, server) = (Outbox::new().await, fresh_nats().await);
    let bus = connect(&server).await;
    let first = Running::start(&outbox, &bus);
    first.until_it_leads().await;
    let second = Running::start(&outbox, &bus);
    outbox.commit(&[event(1, 1)]).await;
    outbox.until_published().await;
    assert!(!second.handle.leads());
    for round in 0..5 {
        let batch: Vec<Event> = (1..=200).map(|n| event(1, 1 + round * 200 + n)).collect();
        let (commit, cut) = (outbox.commit(&batch), outbox.cut("tickets-relay"));
        assert!(tokio::join!(commit, cut).1 > 0);
        outbox.until_published().await;
    }
    first.stop().await;
    second.until_it_leads().await;
    second.stop().await;
    let published: Vec<_> = stream(&bus).await.into_iter().map(|(_, id)| id).collect();
    assert_eq!(published, (1..=1001).map(|version| event_id(1, version)).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_flush_waits_for_what_was_committed_before() {
    let (outbox, server) = (Outbox::new().await, fresh_nats().await);
    let bus = connect(&server).await;
    let relay = Running::start(&outbox, &bus);
    relay.until_it_leads().await;
    outbox.commit(&(1..=100).map(|version| event(1, version)).collect::<Vec<_>>()).await;
    assert_eq!(relay.handle.flush(PATIENCE).await, Flushed::Done);
    assert_eq!(stream(&bus).await.len(), 100);
    let other = Running::start(&outbox, &bus);
    assert_eq!(other.handle.flush(PATIENCE).await, Flushed::Elsewhere);
    other.stop().await;
    relay.stop().await;
}

#[tokio::test]
async fn an_event_that_is_refused_stops_its_aggregate_alone_until_it_is_released() {
    let (outbox, server) = (Outbox::new().await, fresh_nats().await);
    let bus = connect(&server).await;
    let large = Event { payload: Bytes::from(vec![0; MAX_EVENT_BYTES]), ..event(1, 2) };
    outbox.commit(&[event(1, 1), large, event(1, 3), event(2, 1), event(1, 4), event(2, 2)]).await;
    let relay = Running::start(&outbox, &bus);
    let ids = || async { stream(&bus).await.into_iter().map(|(_, id)| id).collect::<Vec<_>>() };
    let others = [event_id(1, 1), event_id(2, 1), event_id(2, 2)];
    eventually("the others are published", PATIENCE, || async {
        let seen = ids().await;
        if seen == others { Ok(()) } else { Err(seen) }
    })
    .await;
    let refused = refused_events(&outbox.pool, 10).await.unwrap();
    assert_eq!(refused.iter().map(|event| event.id).collect::<Vec<_>>(), [event_id(1, 2)]);
    assert!(!release_refused(&outbox.pool, event_id(1, 3), false).await.unwrap());
    assert!(release_refused(&outbox.pool, event_id(1, 2), false).await.unwrap());
    outbox.until_published().await;
    relay.stop().await;
    assert_eq!(ids().await[3..], [event_id(1, 3), event_id(1, 4)]);
}

#[tokio::test]
async fn republish_builds_the_stream_anew_with_the_same_ids() {
    let (outbox, server) = (Outbox::new().await, fresh_nats().await);
    let bus = connect(&server).await;
    let relay = Running::start(&outbox, &bus);
    outbox.commit(&(1..=700).map(|version| event(1, version)).collect::<Vec<_>>()).await;
    outbox.until_published().await;
    // As after a retention: the oldest are gone.
    sqlx::query("delete from outbox where stream_seq <= 100").execute(&outbox.pool).await.unwrap();
    assert_eq!(relay.handle.republish().await, Ok(600));
    outbox.commit(&[event(1, 701)]).await;
    outbox.until_published().await;
    let wanted: Vec<_> = (1..=601).map(|sequence| (sequence, event_id(1, sequence as i64 + 100))).collect();
    assert_eq!(stream(&bus).await, wanted);
    relay.stop().await;
    // The same from a process of its own.
    let log = crate::delivery::log(&bus);
    let count =
        callboard_journal::republish(&outbox.pool, "tickets", &log, Duration::from_secs(5)).await.unwrap();
    assert_eq!((count, stream(&bus).await), (601, wanted));
    assert_eq!(outbox.marks().await[0], (Uuid::from(event_id(1, 101)), Some(1)));
}

#[tokio::test]
async fn republish_takes_the_place_of_a_working_relay_and_gives_it_back() {
    let (outbox, server) = (Outbox::new().await, fresh_nats().await);
    let bus = connect(&server).await;
    // Two replicas that go on working, and commands that go on coming.
    let replicas = [Running::start(&outbox, &bus), Running::start(&outbox, &bus)];
    outbox.commit(&(1..=500).map(|version| event(1, version)).collect::<Vec<_>>()).await;
    outbox.until_published().await;
    let log = crate::delivery::log(&bus);
    for round in 0..3 {
        let rebuild = callboard_journal::republish(&outbox.pool, "tickets", &log, PATIENCE);
        let commands = async {
            for version in 1..=100 {
                outbox.commit(&[event(1, 500 + round * 100 + version)]).await;
                replicas[0].wake.notify_one();
            }
        };
        let (count, ()) = tokio::join!(rebuild, commands);
        let count = count.unwrap();
        assert!(count >= 500 + round as u64 * 100, "{count}");
        outbox.until_published().await;
    }
    eventually("a replica's relay works again", PATIENCE, || async {
        let leads = replicas.iter().filter(|replica| replica.handle.leads()).count();
        if leads == 1 { Ok(()) } else { Err(leads) }
    })
    .await;
    for replica in replicas {
        replica.stop().await;
    }
    let wanted: Vec<_> = (1..=800).map(|version| (version as u64, event_id(1, version))).collect();
    assert_eq!(stream(&bus).await, wanted);
    let marks: Vec<_> = outbox.marks().await.into_iter().map(|(_, mark)| mark).collect();
    assert_eq!(marks, (1..=800).map(Some).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_relay_that_does_not_give_way_and_a_second_republish_are_named() {
    let (outbox, server) = (Outbox::new().await, fresh_nats().await);
    let bus = connect(&server).await;
    let log = crate::delivery::log(&bus);
    let lock = |name: &str| {
        format!("select pg_advisory_lock(hashtextextended(current_schema() || ':{name}:tickets', 0))")
    };
    let short = Duration::from_millis(300);
    // A replica of an older release, or one that hangs.
    let mut deaf = outbox.pool.acquire().await.unwrap();
    sqlx::query(AssertSqlSafe(lock("relay"))).execute(&mut *deaf).await.unwrap();
    let pid: i32 = sqlx::query_scalar("select pg_backend_pid()").fetch_one(&mut *deaf).await.unwrap();
    let held = callboard_journal::republish(&outbox.pool, "tickets", &log, short).await.unwrap_err();
    assert!(held.to_string().contains(&format!("pid {pid})")), "{held}");
    deaf.detach().close().await.unwrap();
    let mut other = outbox.pool.acquire().await.unwrap();
    sqlx::query(AssertSqlSafe(lock("relay-claim"))).execute(&mut *other).await.unwrap();
    let claimed = callboard_journal::republish(&outbox.pool, "tickets", &log, short).await.unwrap_err();
    assert!(matches!(claimed, RelayError::Claimed), "{claimed}");
    // No relay begins meanwhile.
    let relay = Running::start(&outbox, &bus);
    outbox.commit(&[event(1, 1)]).await;
    assert!(tokio::time::timeout(short, relay.until_it_leads()).await.is_err());
    other.detach().close().await.unwrap();
    outbox.until_published().await;
    relay.stop().await;
}
