//! A stream and its only writer.

use std::time::Duration;

use bytes::Bytes;
use callboard_bus::{Event, MAX_EVENT_BYTES, PublishError, SpecError, StreamLog, StreamSpec, StreamTail};

use crate::support::{CONTEXT, both, connect, event};

#[tokio::test]
async fn a_batch_gets_the_sequences_behind_the_last() {
    for (bus, _server) in both().await {
        let log = bus.log(StreamSpec::new(CONTEXT));
        assert_eq!(log.tail().await.unwrap(), StreamTail { last_sequence: 0, last_event: None });
        let events: Vec<Event> = (1..=600).map(|version| event(1, version)).collect();
        let (stored, stopped) = log.publish(&events, 0).await;
        assert!(stopped.is_none(), "{stopped:?}");
        assert_eq!(stored, (1..=600).collect::<Vec<u64>>());
        let tail = log.tail().await.unwrap();
        assert_eq!(tail, StreamTail { last_sequence: 600, last_event: Some(events[599].id) });
        let found = log.events_from(598, 10).await.unwrap();
        assert_eq!(found, [(598, events[597].id), (599, events[598].id), (600, events[599].id)]);
        assert_eq!(log.events_from(601, 10).await.unwrap(), []);
        assert_eq!(log.events_from(1, 2).await.unwrap().len(), 2);
    }
}

#[tokio::test]
async fn a_writer_with_an_old_expectation_stores_nothing() {
    for (bus, _server) in both().await {
        let log = bus.log(StreamSpec::new(CONTEXT));
        log.tail().await.unwrap();
        log.publish(&[event(1, 1), event(1, 2)], 0).await;
        // The second would fit by its number alone.
        let zombie = log.publish(&[event(2, 1), event(2, 2), event(2, 3)], 1).await;
        assert_eq!(zombie.0, [] as [u64; 0]);
        assert!(matches!(zombie.1, Some(PublishError::WrongLastSequence)), "{:?}", zombie.1);
        assert_eq!(log.tail().await.unwrap().last_sequence, 2);
    }
}

#[tokio::test]
async fn an_event_that_is_there_already_is_never_called_stored() {
    for (bus, _server) in both().await {
        let log = bus.log(StreamSpec::new(CONTEXT));
        log.tail().await.unwrap();
        log.publish(&[event(1, 1), event(1, 2)], 0).await;
        let (stored, stopped) = log.publish(&[event(1, 2), event(1, 3)], 2).await;
        assert_eq!(stored, [] as [u64; 0]);
        assert!(matches!(stopped, Some(PublishError::WrongLastSequence)), "{stopped:?}");
        assert_eq!(log.tail().await.unwrap().last_sequence, 2);
    }
}

#[tokio::test]
async fn an_event_that_is_too_large_is_refused_by_index_and_what_is_before_it_is_stored() {
    for (bus, _server) in both().await {
        let log = bus.log(StreamSpec::new(CONTEXT));
        log.tail().await.unwrap();
        let large = Event { payload: Bytes::from(vec![0; MAX_EVENT_BYTES]), ..event(1, 2) };
        let (stored, stopped) = log.publish(&[event(1, 1), large, event(1, 3)], 0).await;
        assert_eq!(stored, [1]);
        assert!(matches!(stopped, Some(PublishError::Refused { index: 1, .. })), "{stopped:?}");
        assert_eq!(log.tail().await.unwrap().last_sequence, 1);
    }
}

#[tokio::test]
async fn a_stream_made_anew_begins_with_the_first_sequence_and_takes_the_same_ids() {
    for (bus, _server) in both().await {
        let log = bus.log(StreamSpec::new(CONTEXT));
        log.tail().await.unwrap();
        log.publish(&[event(1, 1), event(1, 2)], 0).await;
        log.recreate().await.unwrap();
        assert_eq!(log.tail().await.unwrap(), StreamTail { last_sequence: 0, last_event: None });
        let (stored, stopped) = log.publish(&[event(1, 1)], 0).await;
        assert_eq!((stored, stopped.is_none()), (vec![1], true));
    }
}

#[tokio::test]
async fn a_stream_that_looks_otherwise_is_an_error_that_names_the_field() {
    let server = callboard_testkit::fresh_nats().await;
    let bus = connect(&server).await;
    let spec = StreamSpec::new(CONTEXT);
    bus.ensure_stream(&spec).await.unwrap();
    bus.ensure_stream(&spec).await.unwrap();
    let other = StreamSpec { max_age: Duration::from_secs(3600), ..spec };
    match bus.ensure_stream(&other).await {
        Err(SpecError::Differs(difference)) => {
            assert_eq!(difference.field, "max_age");
            assert_eq!(difference.what, "stream CALLBOARD_TICKETS");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn headers_on_the_wire_are_lower_case_cloudevents() {
    let server = callboard_testkit::fresh_nats().await;
    let bus = connect(&server).await;
    let log = bus.log(StreamSpec::new(CONTEXT));
    log.tail().await.unwrap();
    log.publish(&[event(1, 3)], 0).await;
    let client = async_nats::connect(server.url()).await.unwrap();
    let stream = async_nats::jetstream::new(client).get_stream("CALLBOARD_TICKETS").await.unwrap();
    let message = stream.get_raw_message(1).await.unwrap();
    assert_eq!(
        message.subject.as_str(),
        "callboard.00000000-0000-0000-0000-00000000000a.tickets.ticket.opened.v1"
    );
    let header = |name: &str| message.headers.get(name).map(|value| value.as_str().to_owned());
    assert_eq!(header("ce-specversion").as_deref(), Some("1.0"));
    assert_eq!(header("ce-id"), header("Nats-Msg-Id"));
    assert_eq!(header("ce-source").as_deref(), Some("/callboard/tickets"));
    assert_eq!(header("ce-type").as_deref(), Some("callboard.tickets.v1.TicketOpened"));
    assert_eq!(header("ce-subject").as_deref(), Some("00000000-0000-0000-0000-000000000001"));
    assert_eq!(header("ce-aggregateversion").as_deref(), Some("3"));
    assert_eq!(header("ce-datacontenttype").as_deref(), Some("application/protobuf"));
    assert_eq!(message.payload.as_ref(), b"payload");
}
