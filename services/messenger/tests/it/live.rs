//! Watching: snapshot, then follow; resumed without gap or double; hidden at once.

use std::collections::BTreeMap;

use callboard_proto::messenger::v1 as proto;
use callboard_proto::messenger::v1::watch_response::Event;
use callboard_proto::tickets::v1::TicketStatus;
use tonic::Code;

use crate::house::{House, caught_up, next, text, until};

/// A client as one would write it: keeps messages by sequence, remembers the position.
#[derive(Default)]
struct Client {
    messages: BTreeMap<i64, proto::Message>,
    position: i64,
    came: usize,
}

impl Client {
    fn take(&mut self, response: proto::WatchResponse) {
        self.position = self.position.max(response.position);
        if let Some(Event::Message(message)) = response.event {
            self.came += 1;
            self.messages.insert(message.sequence, message);
        }
    }
}

#[tokio::test]
async fn m_5_cut_off_at_every_message_a_client_ends_with_what_the_server_has() {
    let house = House::new().await;
    let ticket = house.ticket().await;
    let (boss, visitor) = (house.people.moderator(), house.people.code_user(ticket.device()));
    // What happens while the client is cut off each time: one more message, and now and then something older changes.
    for number in 1..=6 {
        house.send(&boss, ticket.id(), &format!("before {number}")).await.expect("sent");
    }
    let mut client = Client::default();
    let mut changes = 0;
    for number in 0..24_i64 {
        // Takes one message and loses the connection.
        let mut stream = house.watch(&visitor, ticket.id(), client.position).await.expect("a stream");
        let before = client.came;
        while client.came == before {
            client.take(next(&mut stream).await.expect("it goes on"));
        }
        drop(stream);
        match number % 4 {
            0 => drop(house.edit(&boss, ticket.id(), 1 + number % 6, &format!("edited {number}"), "").await),
            1 if number > 4 => drop(house.withdraw(&boss, ticket.id(), 1 + number / 5).await),
            _ => drop(house.send(&boss, ticket.id(), &format!("while away {number}")).await.expect("sent")),
        }
        changes += 1;
    }
    let mut stream = house.watch(&visitor, ticket.id(), client.position).await.expect("a stream");
    loop {
        let response = next(&mut stream).await.expect("it goes on");
        let done = caught_up(&response).is_some();
        client.take(response);
        if done {
            break;
        }
    }
    let server = house.all(&visitor, ticket.id()).await;
    assert_eq!(client.messages, server);
    assert_eq!(server.keys().copied().collect::<Vec<_>>(), (1..=server.len() as i64).collect::<Vec<_>>());
    assert!(client.came <= 6 + changes, "{} came for {} changes: doubled", client.came, 6 + changes);
    house.stage.stop().await;
}

#[tokio::test]
async fn m_5_a_client_that_was_away_for_long_reads_on_from_the_table() {
    let house = House::new().await;
    let ticket = house.ticket().await;
    let boss = house.people.moderator();
    house.send(&boss, ticket.id(), "0").await.expect("sent");
    let mut client = Client::default();
    let mut stream = house.watch(&boss, ticket.id(), 0).await.expect("a stream");
    client.position = until(&mut stream, caught_up).await;
    // Somebody else watches on, so that the feed stays and its ring runs over.
    let stay = house.watch(&house.people.moderator(), ticket.id(), 0).await.expect("a stream");
    drop(stream);
    for batch in 0..30 {
        let texts: Vec<String> = (0..10).map(|number| format!("{batch}.{number}")).collect();
        let sent = texts.iter().map(|text| house.send(&boss, ticket.id(), text));
        for one in futures::future::join_all(sent).await {
            one.expect("sent");
        }
    }
    let mut stream = house.watch(&boss, ticket.id(), client.position).await.expect("a stream");
    loop {
        let response = next(&mut stream).await.expect("it goes on");
        let done = caught_up(&response).is_some();
        client.take(response);
        if done {
            break;
        }
    }
    assert_eq!(client.came, 300, "nothing missed, nothing doubled");
    assert_eq!(client.messages.len(), 300);
    drop(stay);
    house.stage.stop().await;
}

#[tokio::test]
async fn a_watcher_sees_messages_edits_markers_and_locks_as_they_happen() {
    let house = House::new().await;
    let mut ticket = house.ticket().await;
    let (boss, visitor) = (house.people.moderator(), house.people.code_user(ticket.device()));
    let mut stream = house.watch(&visitor, ticket.id(), 0).await.expect("a stream");
    until(&mut stream, caught_up).await;
    house.send(&boss, ticket.id(), "Hello").await.expect("sent");
    assert_eq!(until(&mut stream, text).await, "Hello");
    house.edit(&boss, ticket.id(), 1, "Hello!", "").await.expect("edited");
    assert_eq!(until(&mut stream, text).await, "Hello!");
    house.withdraw(&boss, ticket.id(), 1).await.expect("withdrawn");
    assert_eq!(until(&mut stream, text).await, "");
    let other = house.people.moderator();
    house.mark_read(&other, ticket.id(), 1).await.expect("read");
    let marker = until(&mut stream, |response| match &response.event {
        Some(Event::ReadMarker(marker)) => Some(marker.sequence),
        _ => None,
    })
    .await;
    assert_eq!(marker, 1);
    house.turn(&mut ticket, TicketStatus::Closed, false).await;
    let may_write = until(&mut stream, |response| match &response.event {
        Some(Event::Conversation(conversation)) => Some(conversation.may_write),
        _ => None,
    })
    .await;
    assert!(!may_write, "locked (T-9)");
    house.stage.stop().await;
}

#[tokio::test]
async fn t_13_turned_internal_hides_in_every_call_and_every_open_stream() {
    let house = House::new().await;
    let mut ticket = house.ticket().await;
    let (boss, visitor) = (house.people.moderator(), house.people.code_user(ticket.device()));
    house.send(&visitor, ticket.id(), "Hello").await.expect("sent");
    let mut outside = house.watch(&visitor, ticket.id(), 0).await.expect("a stream");
    let mut inside = house.watch(&boss, ticket.id(), 0).await.expect("a stream");
    until(&mut outside, caught_up).await;
    until(&mut inside, caught_up).await;
    house.turn(&mut ticket, TicketStatus::Open, true).await;
    house.send(&boss, ticket.id(), "Between us").await.expect("sent");
    assert_eq!(until(&mut inside, text).await, "Between us");
    // Whatever still came before the end, it was not that.
    let end = loop {
        match next(&mut outside).await {
            Ok(response) => assert_ne!(text(&response).as_deref(), Some("Between us")),
            Err(status) => break status,
        }
    };
    assert_eq!(end.code(), Code::NotFound);
    assert_eq!(house.conversation(&visitor, ticket.id()).await.expect_err("hidden").code(), Code::NotFound);
    assert_eq!(house.watch(&visitor, ticket.id(), 0).await.expect_err("hidden").code(), Code::NotFound);
    assert_eq!(house.typing(&visitor, ticket.id()).await.expect_err("hidden").code(), Code::NotFound);
    house.stage.stop().await;
}

#[tokio::test]
async fn m_6_typing_and_presence_are_whispered_and_kept_nowhere() {
    let house = House::new().await;
    let ticket = house.ticket().await;
    let (boss, visitor) = (house.people.moderator(), house.people.code_user(ticket.device()));
    let mut watching = house.watch(&visitor, ticket.id(), 0).await.expect("a stream");
    until(&mut watching, caught_up).await;
    let other = house.watch(&boss, ticket.id(), 0).await.expect("a stream");
    let present = |wanted: bool| {
        move |response: &proto::WatchResponse| match &response.event {
            Some(Event::Presence(presence)) if presence.present == wanted => Some(()),
            _ => None,
        }
    };
    until(&mut watching, present(true)).await;
    house.typing(&boss, ticket.id()).await.expect("told");
    let typing = until(&mut watching, |response| match &response.event {
        Some(Event::Typing(typing)) => Some(typing.clone()),
        _ => None,
    })
    .await;
    assert!(typing.typing && typing.expire_time.is_some());
    drop(other);
    until(&mut watching, present(false)).await;
    let denied = house.typing(&house.people.member(), ticket.id()).await.expect_err("not involved");
    assert_eq!(denied.code(), Code::PermissionDenied);
    house.stage.stop().await;
}

#[tokio::test]
async fn streams_of_one_person_are_bounded() {
    let house = House::with(|stage| stage.with("messenger.max_streams_per_person", 2)).await;
    let ticket = house.ticket().await;
    let boss = house.people.moderator();
    let first = house.watch(&boss, ticket.id(), 0).await.expect("a stream");
    let _second = house.watch(&boss, ticket.id(), 0).await.expect("a stream");
    let third = house.watch(&boss, ticket.id(), 0).await.expect_err("too many");
    assert_eq!(third.code(), Code::ResourceExhausted);
    drop(first);
    callboard_testkit::eventually("a seat is free", callboard_testkit::PATIENCE, || {
        house.watch(&boss, ticket.id(), 0)
    })
    .await;
    house.stage.stop().await;
}
