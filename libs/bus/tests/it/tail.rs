//! Reading along.

use callboard_bus::{Bus, Start, StreamLog, StreamSpec, TailFrom, TailItem};
use callboard_testkit::{PATIENCE, eventually};
use futures::StreamExt;
use futures::stream::BoxStream;

use crate::support::{CONTEXT, both, connect, event, publish};

/// What a test looks at: `0` for "caught up", `-1` for "rebuilt", else the version.
async fn next(tail: &mut BoxStream<'static, TailItem>) -> (u64, i64) {
    match tokio::time::timeout(PATIENCE, tail.next()).await {
        Ok(Some(TailItem::Event { sequence, event, .. })) => (sequence, event.aggregate_version.0),
        Ok(Some(TailItem::CaughtUp)) => (0, 0),
        Ok(Some(TailItem::Rebuilt { .. })) => (0, -1),
        other => panic!("{other:?}"),
    }
}

async fn tail(bus: &Bus, start: Start) -> BoxStream<'static, TailItem> {
    bus.tail(vec![TailFrom::new(CONTEXT, start)])
}

#[tokio::test]
async fn a_tail_tells_when_it_has_caught_up_and_goes_on() {
    for (bus, _server) in both().await {
        publish(&bus, &[event(1, 1), event(1, 2), event(1, 3)]).await;
        let mut all = tail(&bus, Start::Beginning).await;
        let mut from = tail(&bus, Start::Sequence(3)).await;
        let mut new = tail(&bus, Start::New).await;
        for wanted in [(1, 1), (2, 2), (3, 3), (0, 0)] {
            assert_eq!(next(&mut all).await, wanted);
        }
        assert_eq!((next(&mut from).await, next(&mut from).await), ((3, 3), (0, 0)));
        assert_eq!(next(&mut new).await, (0, 0));
        publish(&bus, &[event(1, 4)]).await;
        for tail in [&mut all, &mut from, &mut new] {
            assert_eq!(next(tail).await, (4, 4));
        }
    }
}

#[tokio::test]
async fn a_tail_from_a_time_with_a_filter_catches_up_too() {
    for (bus, server) in both().await {
        let mut closed = event(1, 2);
        closed.name = "ticket.closed".into();
        publish(&bus, &[event(1, 1), closed, event(1, 3)]).await;
        let time = if server.is_some() { event(1, 1).time } else { event(1, 2).time };
        let from = TailFrom {
            filter: Some(callboard_bus::subject("*", CONTEXT, "ticket.closed")),
            ..TailFrom::new(CONTEXT, Start::Time(time))
        };
        let mut tail = bus.tail(vec![from]);
        // The server stored all of them after that time; memory goes by the events' own.
        assert_eq!((next(&mut tail).await, next(&mut tail).await), ((2, 2), (0, 0)));
    }
}

#[tokio::test]
async fn a_stream_that_is_not_there_yet_counts_as_read() {
    for (bus, _server) in both().await {
        let mut tail =
            bus.tail(vec![TailFrom::new(CONTEXT, Start::New), TailFrom::new("fleet", Start::Beginning)]);
        assert_eq!(next(&mut tail).await, (0, 0));
        publish(&bus, &[event(1, 1)]).await;
        assert_eq!(next(&mut tail).await, (1, 1));
    }
}

#[tokio::test]
async fn a_stream_built_anew_is_told_and_read_from_its_beginning() {
    for (bus, _server) in both().await {
        publish(&bus, &[event(1, 1)]).await;
        let mut tail = tail(&bus, Start::New).await;
        assert_eq!(next(&mut tail).await, (0, 0));
        bus.log(StreamSpec::new(CONTEXT)).recreate().await.unwrap();
        publish(&bus, &[event(1, 1), event(1, 2)]).await;
        for wanted in [(0, -1), (1, 1), (2, 2)] {
            assert_eq!(next(&mut tail).await, wanted);
        }
    }
}

#[tokio::test]
async fn a_killed_server_leaves_no_gap_and_no_double() {
    let mut server = callboard_testkit::fresh_nats().await;
    let bus = connect(&server).await;
    publish(&bus, &[event(1, 1), event(1, 2)]).await;
    let mut tail = tail(&bus, Start::Beginning).await;
    for wanted in [(1, 1), (2, 2), (0, 0)] {
        assert_eq!(next(&mut tail).await, wanted);
    }
    server.kill().await.unwrap();
    server.restart().await.unwrap();
    let log = bus.log(StreamSpec::new(CONTEXT));
    let last = eventually("the server answers", PATIENCE, || log.tail()).await.last_sequence;
    let (_, stopped) = log.publish(&[event(1, 3), event(1, 4)], last).await;
    assert!(stopped.is_none(), "{stopped:?}");
    assert_eq!(next(&mut tail).await, (last + 1, 3));
    assert_eq!(next(&mut tail).await, (last + 2, 4));
}
