//! The relay on bad days: what was lost, doubled or foreign is put right.

use std::path::Path;
use std::sync::LazyLock;

use callboard_bus::{Bus, Faults, MemBus, StreamLog};
use callboard_testkit::{PATIENCE, eventually, fresh_nats};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

use crate::delivery::{Outbox, Running, connect, event, event_id, log, stream};

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Puts an older copy of the server's data back.
fn restore(copy_of: &Path, store: &Path) {
    for entry in std::fs::read_dir(store).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            std::fs::remove_dir_all(path).unwrap()
        } else {
            std::fs::remove_file(path).unwrap()
        }
    }
    copy(copy_of, store);
}

#[tokio::test]
async fn a_relay_that_died_between_publishing_and_marking_leaves_no_double() {
    let (outbox, server) = (Outbox::new().await, fresh_nats().await);
    let bus = connect(&server).await;
    let events: Vec<_> = (1..=10).map(|version| event(1, version)).collect();
    outbox.commit(&events).await;
    // What the dead relay did: two were marked, five more were stored.
    log(&bus).tail().await.unwrap();
    log(&bus).publish(&events[..7], 0).await;
    sqlx::query("update outbox set stream_seq = position where position <= 2")
        .execute(&outbox.pool)
        .await
        .unwrap();
    let relay = Running::start(&outbox, &bus);
    outbox.until_published().await;
    relay.stop().await;
    let wanted: Vec<_> = (1..=10).map(|version| (version as u64, event_id(1, version))).collect();
    assert_eq!(stream(&bus).await, wanted);
    assert_eq!(
        outbox.marks().await.iter().map(|(_, mark)| mark.unwrap()).collect::<Vec<_>>(),
        (1..=10).collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn answers_that_are_lost_lead_to_no_double() {
    let outbox = Outbox::new().await;
    let memory = MemBus::new();
    let bus = Bus::from(memory.clone());
    memory.set_faults(Faults { publish_fails: 1, publish_unanswered: 2, ..Faults::default() });
    outbox.commit(&(1..=20).map(|version| event(1, version)).collect::<Vec<_>>()).await;
    let relay = Running::start(&outbox, &bus);
    outbox.until_published().await;
    outbox.commit(&[event(1, 21)]).await;
    outbox.until_published().await;
    relay.stop().await;
    let ids: Vec<_> = memory.events("tickets").iter().map(|event| event.id).collect();
    assert_eq!(ids, (1..=21).map(|version| event_id(1, version)).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_lost_tail_gets_its_old_sequences_back_before_anything_new() {
    let outbox = Outbox::new().await;
    let mut server = fresh_nats().await;
    let bus = connect(&server).await;
    let relay = Running::start(&outbox, &bus);
    outbox.commit(&(1..=20).map(|version| event(1, version)).collect::<Vec<_>>()).await;
    outbox.until_published().await;
    server.kill().await.unwrap();
    let older = tempfile::tempdir().unwrap();
    copy(&server.store_dir(), older.path());
    server.restart().await.unwrap();
    outbox.commit(&(21..=30).map(|version| event(1, version)).collect::<Vec<_>>()).await;
    outbox.until_published().await;
    let before = stream(&bus).await;
    assert_eq!(before.len(), 30);
    server.kill().await.unwrap();
    restore(older.path(), &server.store_dir());
    outbox.commit(&[event(1, 31)]).await;
    server.restart().await.unwrap();
    outbox.until_published().await;
    eventually("the stream is whole", PATIENCE, || async {
        let now = stream(&bus).await;
        if now.len() == 31 { Ok(()) } else { Err(now.len()) }
    })
    .await;
    let after = stream(&bus).await;
    assert_eq!(after[..30], before[..]);
    assert_eq!(after[30], (31, event_id(1, 31)));
    relay.stop().await;
}

#[tokio::test]
async fn an_idle_relay_notices_a_lost_tail_too() {
    let outbox = Outbox::new().await;
    let memory = MemBus::new();
    let bus = Bus::from(memory.clone());
    let relay = Running::start(&outbox, &bus);
    outbox.commit(&(1..=10).map(|version| event(1, version)).collect::<Vec<_>>()).await;
    outbox.until_published().await;
    memory.roll_back("tickets", 4);
    eventually("the tail is back", PATIENCE, || async {
        let ids: Vec<_> = memory.events("tickets").iter().map(|event| event.id).collect();
        if ids == (1..=10).map(|version| event_id(1, version)).collect::<Vec<_>>() {
            Ok(())
        } else {
            Err(ids)
        }
    })
    .await;
    relay.stop().await;
}

#[tokio::test]
async fn a_server_that_lost_everything_gets_everything_back() {
    let outbox = Outbox::new().await;
    let mut server = fresh_nats().await;
    let bus = connect(&server).await;
    let relay = Running::start(&outbox, &bus);
    outbox.commit(&(1..=20).map(|version| event(1, version)).collect::<Vec<_>>()).await;
    outbox.until_published().await;
    server.kill().await.unwrap();
    let nothing = tempfile::tempdir().unwrap();
    restore(nothing.path(), &server.store_dir());
    server.restart().await.unwrap();
    eventually("the stream is whole", PATIENCE, || async {
        let now = stream(&bus).await;
        let whole: Vec<_> = (1..=20).map(|version| (version as u64, event_id(1, version))).collect();
        if now == whole { Ok(()) } else { Err(now.len()) }
    })
    .await;
    relay.stop().await;
}

#[tokio::test]
async fn a_stream_with_another_history_is_built_anew() {
    let (outbox, server) = (Outbox::new().await, fresh_nats().await);
    let bus = connect(&server).await;
    let relay = Running::start(&outbox, &bus);
    outbox.commit(&[event(1, 1), event(1, 2)]).await;
    outbox.until_published().await;
    relay.stop().await;
    // A database that was restored from a backup does not know what the stream holds.
    log(&bus).publish(&[event(9, 1)], 2).await;
    outbox.commit(&[event(1, 3)]).await;
    let relay = Running::start(&outbox, &bus);
    outbox.until_published().await;
    relay.stop().await;
    assert_eq!(stream(&bus).await, [(1, event_id(1, 1)), (2, event_id(1, 2)), (3, event_id(1, 3))]);
    // A stream that ends where it should, with something else.
    log(&bus).recreate().await.unwrap();
    log(&bus).publish(&[event(8, 1), event(8, 2), event(8, 3)], 0).await;
    let relay = Running::start(&outbox, &bus);
    relay.until_it_leads().await;
    relay.stop().await;
    assert_eq!(stream(&bus).await, [(1, event_id(1, 1)), (2, event_id(1, 2)), (3, event_id(1, 3))]);
}

#[tokio::test]
async fn a_rebuild_that_stopped_half_way_is_finished() {
    let (outbox, server) = (Outbox::new().await, fresh_nats().await);
    let bus = connect(&server).await;
    let relay = Running::start(&outbox, &bus);
    let events: Vec<_> = (1..=30).map(|version| event(1, version)).collect();
    outbox.commit(&events).await;
    outbox.until_published().await;
    relay.die().await;
    // Retention took the first ten, then the stream was made anew; five were published, three of them marked.
    sqlx::query("delete from outbox where stream_seq <= 10").execute(&outbox.pool).await.unwrap();
    log(&bus).recreate().await.unwrap();
    log(&bus).publish(&events[10..15], 0).await;
    sqlx::query("update outbox set stream_seq = stream_seq - 10 where stream_seq <= 13")
        .execute(&outbox.pool)
        .await
        .unwrap();
    let relay = Running::start(&outbox, &bus);
    relay.until_it_leads().await;
    relay.stop().await;
    let wanted: Vec<_> = (1..=20).map(|sequence| (sequence, event_id(1, sequence as i64 + 10))).collect();
    assert_eq!(stream(&bus).await, wanted);
}

/// The metrics of this process, as Prometheus sees them.
fn metrics() -> &'static PrometheusHandle {
    static HANDLE: LazyLock<PrometheusHandle> =
        LazyLock::new(|| PrometheusBuilder::new().install_recorder().unwrap());
    &HANDLE
}

#[tokio::test]
async fn what_waits_while_the_bus_is_away_is_told() {
    let metrics = metrics();
    let (outbox, mut server) = (Outbox::new().await, fresh_nats().await);
    let bus = connect(&server).await;
    server.kill().await.unwrap();
    outbox.commit(&[event(1, 1), event(1, 2), event(1, 3)]).await;
    let relay = Running::of("away", &outbox, &bus);
    eventually("the metrics tell", PATIENCE, || async {
        let text = metrics.render();
        let told = text.contains("callboard_outbox_unpublished{context=\"away\"} 3\n");
        if told { Ok(()) } else { Err(text) }
    })
    .await;
    relay.stop().await;
}

#[tokio::test]
async fn what_cannot_be_published_is_told() {
    let metrics = metrics();
    let outbox = Outbox::new().await;
    let bus = Bus::from(MemBus::new());
    // An aggregate of its own context, since all tests of this process share the metrics.
    let relay = Running::of("blocked", &outbox, &bus);
    let large = callboard_bus::Event {
        payload: bytes::Bytes::from(vec![0; callboard_bus::MAX_EVENT_BYTES]),
        ..event(1, 1)
    };
    outbox.commit(&[large, event(1, 2), event(1, 3)]).await;
    eventually("the metrics tell", PATIENCE, || async {
        let text = metrics.render();
        let told = ["unpublished{context=\"blocked\"} 2\n", "refused_aggregates{context=\"blocked\"} 1\n"]
            .iter()
            .all(|gauge| text.contains(&format!("callboard_outbox_{gauge}")));
        let aged = text
            .lines()
            .find_map(|line| line.strip_prefix("callboard_outbox_oldest_age_seconds{context=\"blocked\"} "))
            .is_some_and(|age| age.parse::<f64>().is_ok_and(|age| age > 0.0));
        if told && aged { Ok(()) } else { Err(text) }
    })
    .await;
    relay.stop().await;
}
