//! Being the only one.

use std::sync::Arc;
use std::time::Duration;

use callboard_bus::{
    Bus, Consumer, ConsumerOptions, Event, Exclusive, HandleError, Handled, Handler, MemParking, StreamLog,
};
use callboard_journal::PgLeases;
use callboard_testkit::{PATIENCE, eventually, eventually_some, fresh_nats};
use futures::future::BoxFuture;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::delivery::{CONTEXT, Outbox, connect, event, log};

fn leases(outbox: &Outbox) -> (PgLeases, CancellationToken) {
    let stop = CancellationToken::new();
    (PgLeases::start(&outbox.pool, &TaskTracker::new(), stop.clone()), stop)
}

#[tokio::test]
async fn one_holds_a_name_until_it_lets_go_or_is_cut_off() {
    let outbox = Outbox::new().await;
    let ((one, _one), (two, _two)) = (leases(&outbox), leases(&outbox));
    let held = one.try_hold("a").await.unwrap().unwrap();
    assert!(one.try_hold("a").await.unwrap().is_none(), "not even the same process twice");
    assert!(two.try_hold("a").await.unwrap().is_none());
    let other = two.try_hold("b").await.unwrap().unwrap();
    drop(held);
    let held =
        eventually_some("the name is free", PATIENCE, || async { two.try_hold("a").await.unwrap() }).await;
    assert!(outbox.cut("callboard-leases").await > 0);
    tokio::time::timeout(PATIENCE, held.lost().cancelled()).await.unwrap();
    assert!(other.lost().is_cancelled());
    eventually_some("the name is free", PATIENCE, || async { one.try_hold("a").await.ok().flatten() }).await;
}

/// Takes an event only if it follows the one before; a repetition is fine.
struct InOrder {
    last: Mutex<[i64; 4]>,
    broken: Mutex<Vec<(u128, i64)>>,
}

impl Handler for InOrder {
    fn handle<'a>(&'a self, event: &'a Event) -> BoxFuture<'a, Result<Handled, HandleError>> {
        Box::pin(async move {
            // Slow on purpose: events of other keys overtake.
            tokio::time::sleep(Duration::from_millis(1)).await;
            let (key, version) = (event.aggregate_id.as_u128(), event.aggregate_version.0);
            let last = &mut self.last.lock()[key as usize];
            if version > *last + 1 {
                self.broken.lock().push((key, version));
            }
            *last = version.max(*last);
            Ok(Handled::Done)
        })
    }
}

#[tokio::test]
async fn order_per_key_survives_readers_that_die() {
    let (outbox, server) = (Outbox::new().await, fresh_nats().await);
    let bus: Bus = connect(&server).await;
    let events: Vec<Event> =
        (1..=300).flat_map(|version| (0..4).map(move |key| event(key, version))).collect();
    log(&bus).tail().await.unwrap();
    log(&bus).publish(&events, 0).await;
    let handler = Arc::new(InOrder { last: Mutex::default(), broken: Mutex::default() });
    let options = ConsumerOptions { max_ack_pending: 64, ..ConsumerOptions::default() };
    let tasks = TaskTracker::new();
    let mut replicas = Vec::new();
    for _ in 0..3 {
        let (leases, stop) = leases(&outbox);
        let consumer =
            Consumer::new("fleet-reacts", CONTEXT, handler.clone(), Arc::new(MemParking::default()))
                .options(options.clone())
                .exclusive(Arc::new(leases));
        let bus = bus.clone();
        let task = tasks.spawn(async move { consumer.run(&bus, CancellationToken::new()).await });
        replicas.push((task, stop));
    }
    for limit in [50, 120, 300] {
        eventually("they go on", PATIENCE, || async {
            let last = *handler.last.lock();
            if last.iter().all(|last| *last >= limit) { Ok(()) } else { Err(last) }
        })
        .await;
        if limit < 300 {
            // Whoever reads dies, with messages taken and not acknowledged.
            outbox.cut("callboard-leases").await;
            let (task, stop) = replicas.remove(0);
            task.abort();
            stop.cancel();
        }
    }
    for (task, stop) in replicas {
        task.abort();
        stop.cancel();
    }
    assert_eq!(*handler.broken.lock(), []);
}
