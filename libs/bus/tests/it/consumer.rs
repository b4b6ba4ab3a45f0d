//! Consumers: order per key, retries, dead letters, losses.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use callboard_bus::{
    Bus, Consumer, ConsumerOptions, Event, Exclusive, Faults, HandleError, Handled, Handler, Held, MemBus,
    MemParking, StreamLog, StreamSpec,
};
use callboard_kernel::{Clock as _, SystemClock};
use callboard_testkit::{PATIENCE, eventually};
use futures::future::BoxFuture;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use crate::support::{CONTEXT, Recorder, Running, both, connect, event, metrics, options, publish};

async fn until_done(recorder: &Recorder, count: usize) {
    eventually("all events are handled", PATIENCE, || async {
        let done = recorder.done().len();
        if done >= count { Ok(()) } else { Err(done) }
    })
    .await;
}

#[tokio::test]
async fn events_of_a_key_come_in_order_and_once() {
    for (bus, _server) in both().await {
        let recorder = Recorder::content();
        let running = Running::start(&bus, recorder.clone(), Arc::new(MemParking::default()));
        let events: Vec<_> =
            (1..=50).flat_map(|version| (1..=10).map(move |key| event(key, version))).collect();
        publish(&bus, &events).await;
        until_done(&recorder, 500).await;
        running.stop().await;
        for key in 1..=10 {
            assert_eq!(recorder.done_of(key), (1..=50).collect::<Vec<_>>());
        }
    }
}

#[tokio::test]
async fn not_now_is_tried_again_in_order_and_no_other_key_waits_for_it() {
    /// More than are handled at once, less than the server hands out.
    const OTHERS: usize = 200;
    for (bus, _server) in both().await {
        // The first of key 1 says "not now" until the others are done, and for longer than the server waits for an
        // acknowledgement.
        let others = Arc::new(AtomicUsize::new(0));
        let recorder = Recorder::new({
            let others = Arc::clone(&others);
            move |event, before| match (event.aggregate_id.as_u128(), event.aggregate_version.0) {
                (1, 1) if before < 25 || others.load(Ordering::SeqCst) < OTHERS => {
                    Err(HandleError::Retry("a full mailbox".into()))
                }
                (1, _) => Ok(Handled::Done),
                _ => {
                    others.fetch_add(1, Ordering::SeqCst);
                    Ok(Handled::Done)
                }
            }
        });
        let parking = MemParking::default();
        let running = Running::start(&bus, recorder.clone(), Arc::new(parking.clone()));
        publish(&bus, &[event(1, 1), event(1, 2)]).await;
        publish(&bus, &(2..).take(OTHERS).map(|key| event(key, 1)).collect::<Vec<_>>()).await;
        until_done(&recorder, OTHERS + 2).await;
        running.stop().await;
        assert_eq!(recorder.done_of(1), [1, 2]);
        assert_eq!(recorder.done().last(), Some(&(1, 2)), "the others did not wait: {:?}", recorder.done());
        assert!(parking.parked("fleet-reacts", event(1, 1).key()).is_empty());
    }
}

#[tokio::test]
async fn poison_parks_its_key_and_the_others_go_on() {
    for (bus, _server) in both().await {
        let recorder =
            Recorder::new(|event, _| match (event.aggregate_id.as_u128(), event.aggregate_version.0) {
                (1, 2) => Err(HandleError::Poison("cannot be decoded".into())),
                (2, 1) => Err(HandleError::Failed("a bug".into())),
                (3, 1) => panic!("a handler that panics"),
                _ => Ok(Handled::Done),
            });
        let parking = MemParking::default();
        let running = Running::start(&bus, recorder.clone(), Arc::new(parking.clone()));
        let events: Vec<_> =
            (1..=3).flat_map(|version| (1..=4).map(move |key| event(key, version))).collect();
        publish(&bus, &events).await;
        let parked = |key| -> Vec<i64> {
            let of_key = parking.parked("fleet-reacts", event(key, 1).key());
            of_key.iter().map(|(event, _)| event.aggregate_version.0).collect()
        };
        eventually("all is handled or parked", PATIENCE, || async {
            let seen = (recorder.done().len(), parked(1).len(), parked(2).len(), parked(3).len());
            if seen == (4, 2, 3, 3) { Ok(()) } else { Err(seen) }
        })
        .await;
        running.stop().await;
        assert_eq!((parked(1), parked(2), parked(3)), (vec![2, 3], vec![1, 2, 3], vec![1, 2, 3]));
        assert_eq!(recorder.done_of(4), [1, 2, 3]);
        let why = &parking.parked("fleet-reacts", event(2, 1).key())[0].1;
        assert_eq!(why, "failed 3 times: a bug");
    }
}

#[tokio::test]
async fn what_was_not_acknowledged_comes_again() {
    for (bus, _server) in both().await {
        let stuck = Recorder::new(|_, _| Err(HandleError::Retry("never".into())));
        let first = Running::start(&bus, stuck.clone(), Arc::new(MemParking::default()));
        publish(&bus, &[event(1, 1), event(1, 2)]).await;
        eventually("the first is tried", PATIENCE, || async {
            if stuck.tried() > 0 { Ok(()) } else { Err(()) }
        })
        .await;
        first.die().await;
        let recorder = Recorder::content();
        let second = Running::start(&bus, recorder.clone(), Arc::new(MemParking::default()));
        until_done(&recorder, 2).await;
        second.stop().await;
        assert_eq!(recorder.done_of(1)[..2], [1, 2]);
    }
}

#[tokio::test]
async fn a_stop_finishes_what_is_held() {
    for (bus, _server) in both().await {
        let recorder = Recorder::content();
        let running = Running::start(&bus, recorder.clone(), Arc::new(MemParking::default()));
        publish(&bus, &(1..=100).map(|key| event(key, 1)).collect::<Vec<_>>()).await;
        until_done(&recorder, 1).await;
        running.stop().await;
        let again = Recorder::content();
        let running = Running::start(&bus, again.clone(), Arc::new(MemParking::default()));
        eventually("the rest is handled", PATIENCE, || async {
            let all = recorder.done().len() + again.done().len();
            if all >= 100 { Ok(()) } else { Err(all) }
        })
        .await;
        running.stop().await;
        assert_eq!(recorder.done().len() + again.done().len(), 100, "none was handled twice");
    }
}

/// Hears some of what a recorder would take.
struct Hard(Arc<Recorder>, &'static [&'static str]);

impl Handler for Hard {
    fn handle<'a>(&'a self, event: &'a Event) -> BoxFuture<'a, Result<Handled, HandleError>> {
        self.0.handle(event)
    }

    fn hears(&self) -> Option<&'static [&'static str]> {
        Some(self.1)
    }
}

#[tokio::test]
async fn a_consumer_is_sent_only_what_its_handler_hears() {
    const ONE: &[&str] = &["ticket.closed"];
    const TWO: &[&str] = &["ticket.closed", "ticket.opened"];
    for (hears, expected) in [(ONE, vec![2]), (TWO, vec![2, 3])] {
        for (bus, _server) in both().await {
            let recorder = Recorder::content();
            let hard = Arc::new(Hard(recorder.clone(), hears));
            let consumer = Consumer::new("fleet-closes", CONTEXT, hard, Arc::new(MemParking::default()))
                .options(options());
            let running = Running::of(&bus, consumer);
            let named = |version: i64, name: &str| {
                let mut event = event(1, version);
                event.name = name.into();
                event
            };
            let last = named(5, "ticket.closed");
            publish(
                &bus,
                &[
                    named(1, "ticket.started"),
                    named(2, "ticket.closed"),
                    named(3, "ticket.opened"),
                    named(4, "ticket.openeded"),
                    last,
                ],
            )
            .await;
            until_done(&recorder, expected.len() + 1).await;
            running.stop().await;
            let done: Vec<_> = expected.iter().copied().chain([5]).map(|version| (1, version)).collect();
            assert_eq!(recorder.done(), done);
        }
    }
}

/// A release that hears more than the one before brings its durable along, and neither loses nor repeats anything.
#[tokio::test]
async fn a_handler_that_hears_more_goes_on_where_it_was() {
    for (bus, _server) in both().await {
        let named = |version: i64, name: &str| {
            let mut event = event(1, version);
            event.name = name.into();
            event
        };
        let seen = |recorder: &Arc<Recorder>| {
            recorder.done().iter().map(|(_, version)| *version).collect::<Vec<_>>()
        };
        for (hears, publishing, expected) in [
            (&["ticket.closed"][..], [named(1, "ticket.opened"), named(2, "ticket.closed")], vec![2]),
            (
                &["ticket.closed", "ticket.opened"][..],
                [named(3, "ticket.opened"), named(4, "ticket.closed")],
                vec![3, 4],
            ),
            (&["ticket.opened"][..], [named(5, "ticket.closed"), named(6, "ticket.opened")], vec![6]),
        ] {
            let recorder = Recorder::content();
            let hard = Arc::new(Hard(recorder.clone(), hears));
            let consumer = Consumer::new("fleet-grows", CONTEXT, hard, Arc::new(MemParking::default()))
                .options(options());
            let running = Running::of(&bus, consumer);
            publish(&bus, &publishing).await;
            until_done(&recorder, expected.len()).await;
            running.stop().await;
            assert_eq!(seen(&recorder), expected);
        }
    }
}

#[tokio::test]
async fn a_consumer_waits_for_its_stream_and_survives_a_new_one() {
    for (bus, _server) in both().await {
        let recorder = Recorder::content();
        let running = Running::start(&bus, recorder.clone(), Arc::new(MemParking::default()));
        publish(&bus, &[event(1, 1)]).await;
        until_done(&recorder, 1).await;
        let log = bus.log(StreamSpec::new(CONTEXT));
        log.recreate().await.unwrap();
        publish(&bus, &[event(1, 1), event(1, 2)]).await;
        until_done(&recorder, 3).await;
        running.stop().await;
        assert_eq!(recorder.done_of(1), [1, 1, 2], "receipts make the second 1 harmless");
    }
}

#[tokio::test]
async fn a_consumer_survives_a_killed_server() {
    let mut server = callboard_testkit::fresh_nats().await;
    let bus = connect(&server).await;
    let recorder = Recorder::content();
    let running = Running::start(&bus, recorder.clone(), Arc::new(MemParking::default()));
    publish(&bus, &[event(1, 1)]).await;
    until_done(&recorder, 1).await;
    server.kill().await.unwrap();
    server.restart().await.unwrap();
    let log = bus.log(StreamSpec::new(CONTEXT));
    let last = eventually("the server answers", PATIENCE, || log.tail()).await.last_sequence;
    let (_, stopped) = log.publish(&[event(1, 2)], last).await;
    assert!(stopped.is_none(), "{stopped:?}");
    eventually("the second comes", PATIENCE, || async {
        let done = recorder.done_of(1);
        if done.last() == Some(&2) { Ok(()) } else { Err(done) }
    })
    .await;
    running.stop().await;
}

#[tokio::test]
async fn a_durable_that_looks_otherwise_is_changed_and_otherwise_an_error() {
    let server = callboard_testkit::fresh_nats().await;
    let bus = connect(&server).await;
    bus.ensure_stream(&StreamSpec::new(CONTEXT)).await.unwrap();
    let recorder = Recorder::content();
    let running = Running::start(&bus, recorder.clone(), Arc::new(MemParking::default()));
    publish(&bus, &[event(1, 1)]).await;
    until_done(&recorder, 1).await;
    running.stop().await;
    // Another wait can be had; the durable goes on where it was.
    let mut other = options();
    other.ack_wait = Duration::from_secs(7);
    let consumer = Consumer::new("fleet-reacts", CONTEXT, recorder.clone(), Arc::new(MemParking::default()));
    let running = Running::of(&bus, consumer.options(other));
    publish(&bus, &[event(1, 2)]).await;
    until_done(&recorder, 2).await;
    running.stop().await;
    assert_eq!(recorder.done_of(1), [1, 2]);
    // A push consumer of that name cannot become a pull consumer.
    let client = async_nats::connect(server.url()).await.unwrap();
    let stream = async_nats::jetstream::new(client).get_stream("CALLBOARD_TICKETS").await.unwrap();
    stream
        .create_consumer(async_nats::jetstream::consumer::push::Config {
            durable_name: Some("pushed".into()),
            deliver_subject: "elsewhere".into(),
            ..Default::default()
        })
        .await
        .unwrap();
    let consumer = Consumer::new("pushed", CONTEXT, recorder, Arc::new(MemParking::default()));
    let error = consumer.run(&bus, tokio_util::sync::CancellationToken::new()).await.unwrap_err();
    assert_eq!(error.what, "consumer pushed");
}

#[tokio::test(start_paused = true)]
async fn faults_of_the_bus_in_memory_only_repeat_events() {
    let memory = MemBus::new();
    let bus = Bus::from(memory.clone());
    let recorder = Recorder::content();
    memory.set_faults(Faults {
        duplicate: 3,
        drop_acks: 4,
        delay: Some(Duration::from_millis(3)),
        ..Faults::default()
    });
    let running = Running::start(&bus, recorder.clone(), Arc::new(MemParking::default()));
    publish(&bus, &(1..=10).map(|version| event(1, version)).collect::<Vec<_>>()).await;
    eventually("the last one came", PATIENCE, || async {
        if recorder.done_of(1).contains(&10) { Ok(()) } else { Err(()) }
    })
    .await;
    eventually("what was not acknowledged came again", PATIENCE, || async {
        let count = recorder.done().len();
        if count >= 14 { Ok(()) } else { Err(count) }
    })
    .await;
    running.stop().await;
    let mut first_times = Vec::new();
    for version in recorder.done_of(1) {
        if !first_times.contains(&version) {
            first_times.push(version);
        }
    }
    assert_eq!(first_times, (1..=10).collect::<Vec<_>>());
}

#[tokio::test]
async fn the_lag_counts_what_is_not_handled_and_ends_at_nothing() {
    let server = callboard_testkit::fresh_nats().await;
    let bus = connect(&server).await;
    metrics();
    let open = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let gate = Arc::clone(&open);
    let recorder = Recorder::new(move |_, _| {
        if gate.load(std::sync::atomic::Ordering::Relaxed) {
            Ok(Handled::Done)
        } else {
            Err(HandleError::Retry("not yet".into()))
        }
    });
    publish(&bus, &(1..=40).map(|key| event(key, 1)).collect::<Vec<_>>()).await;
    let consumer = Consumer::new("lags-behind", CONTEXT, recorder.clone(), Arc::new(MemParking::default()));
    let running = Running::of(&bus, consumer.options(options()));
    let lag_is = |wanted: u32| async move {
        let line =
            format!("callboard_consumer_lag{{consumer=\"lags-behind\",context=\"tickets\"}} {wanted}\n");
        eventually("the lag is told", PATIENCE, || async {
            let text = metrics();
            if text.contains(&line) { Ok(()) } else { Err(text) }
        })
        .await;
    };
    lag_is(40).await;
    open.store(true, std::sync::atomic::Ordering::Relaxed);
    until_done(&recorder, 40).await;
    lag_is(0).await;
    running.stop().await;
    let text = metrics();
    assert!(
        text.contains("callboard_consumer_processed_total{consumer=\"lags-behind\",outcome=\"done\"} 40\n"),
        "{text}"
    );
    for name in [
        "messaging_process_duration_seconds",
        "messaging_client_consumed_messages_total",
        "messaging_client_sent_messages_total",
        "messaging_client_operation_duration_seconds",
    ] {
        assert!(text.contains(name), "{name} is missing: {text}");
    }
    // No subject with an organisation in it.
    assert!(text.contains("messaging_destination_template=\"callboard.*.tickets.>\""), "{text}");
}

/// The client holds a limited number of things to send and then keeps everybody waiting. Nothing may hang on that.
#[tokio::test]
async fn a_stop_while_the_server_is_away_ends_in_time() {
    let mut server = callboard_testkit::fresh_nats().await;
    let bus = connect(&server).await;
    // Held for as long as this lasts, with a word of progress every few milliseconds.
    let recorder = Recorder::new(|_, _| Err(HandleError::Retry("not now".into())));
    let quick = ConsumerOptions { ack_wait: Duration::from_millis(30), ..options() };
    let consumer = Consumer::new("fleet-reacts", CONTEXT, recorder.clone(), Arc::new(MemParking::default()))
        .options(quick);
    publish(&bus, &(1..=250).map(|key| event(key, 1)).collect::<Vec<_>>()).await;
    let running = Running::of(&bus, consumer);
    eventually("everything is held", PATIENCE, || async {
        let kinds = recorder.tried();
        if kinds >= 60 { Ok(()) } else { Err(kinds) }
    })
    .await;
    server.kill().await.unwrap();
    let before = recorder.tried();
    eventually("some seconds of trying", PATIENCE, || async {
        let more = recorder.tried() - before;
        if more >= 2_000 { Ok(()) } else { Err(more) }
    })
    .await;
    tokio::time::timeout(Duration::from_secs(10), running.stop()).await.expect("in time");
}

/// One name, one holder at a time.
#[derive(Default)]
struct OneHolder(Mutex<Option<CancellationToken>>);

impl Exclusive for OneHolder {
    fn try_hold<'a>(&'a self, _name: &'a str) -> BoxFuture<'a, Result<Option<Held>, HandleError>> {
        Box::pin(async {
            let mut holder = self.0.lock();
            if holder.as_ref().is_some_and(|given_up| !given_up.is_cancelled()) {
                return Ok(None);
            }
            let given_up = CancellationToken::new();
            *holder = Some(given_up.clone());
            Ok(Some(Held::new(CancellationToken::new(), given_up)))
        })
    }
}

#[tokio::test]
async fn a_durable_that_was_removed_begins_again_where_it_is_wanted_from() {
    for (bus, _server) in both().await {
        let recorder = Recorder::content();
        let holder = Arc::new(OneHolder::default());
        let consumer = || {
            Consumer::new("fleet-at-times", CONTEXT, recorder.clone(), Arc::new(MemParking::default()))
                .exclusive(holder.clone())
                .options(options())
        };
        let now = |version: i64| {
            let mut event = event(1, version);
            event.time = SystemClock.now();
            event
        };
        let running = Running::of(&bus, consumer());
        publish(&bus, &[now(1)]).await;
        until_done(&recorder, 1).await;
        assert!(!consumer().remove(&bus, async { false }).await, "somebody reads it");
        publish(&bus, &[now(2)]).await;
        until_done(&recorder, 2).await;
        running.stop().await;

        assert!(!consumer().remove(&bus, async { true }).await, "it is wanted");
        publish(&bus, &[now(3)]).await;
        let running = Running::of(&bus, consumer().since(SystemClock.now()));
        until_done(&recorder, 3).await;
        running.stop().await;
        assert_eq!(recorder.done_of(1), [1, 2, 3], "it was there and goes on where it was");

        assert!(consumer().remove(&bus, async { false }).await);
        assert!(consumer().remove(&bus, async { false }).await, "it is not there any more");
        publish(&bus, &[now(4)]).await;
        let wanted = SystemClock.now();
        publish(&bus, &[now(5), now(6)]).await;
        let running = Running::of(&bus, consumer().since(wanted));
        until_done(&recorder, 5).await;
        running.stop().await;
        assert_eq!(
            recorder.done_of(1),
            [1, 2, 3, 5, 6],
            "what nobody wanted is not sent, and nothing else is missing"
        );
    }
}
