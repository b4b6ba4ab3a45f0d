//! Lives of conversations.

use callboard_proto::messenger::v1 as proto;
use callboard_proto::tickets::v1::{TicketDeleted, TicketStatus};
use callboard_stage::{reason, request_id, signed};
use callboard_testkit::{PATIENCE, eventually};
use tonic::Code;

use crate::house::House;

#[tokio::test]
async fn m_1_a_conversation_opens_with_its_ticket_and_people_talk() {
    let house = House::new().await;
    let ticket = house.ticket().await;
    let (member, visitor) = (house.people.member(), house.people.code_user(ticket.device()));
    house.involve(&ticket, 1, &[&member]).await;
    let first =
        house.send(&visitor, ticket.id(), "It **hisses**\nsee https://example.com/a_b_").await.expect("sent");
    assert_eq!(first.sequence, 1);
    assert!(
        first.html.starts_with("<p>It <strong>hisses</strong><br>\nsee <a href=\"https://example.com/a_b"),
        "{}",
        first.html
    );
    let second = house.send(&member, ticket.id(), "On my way").await.expect("sent");
    assert_eq!((second.sequence, second.may_edit, second.html.as_str()), (2, true, "<p>On my way</p>"));
    let seen = house.all(&visitor, ticket.id()).await;
    assert_eq!(seen.values().map(|message| message.may_edit).collect::<Vec<_>>(), [true, false]);
    let told = house.stage.until_told(ticket.key(), "events", |names| names.len() >= 4).await;
    assert_eq!(told, ["conversation.opened", "conversation.changed", "message.sent", "message.sent"]);
    // Nothing of what was said is in any event.
    let leaked: i64 = sqlx::query_scalar(
        "select count(*) from outbox where payload::text like '%' || encode('hisses', 'hex') || '%'",
    )
    .fetch_one(house.stage.pool())
    .await
    .expect("a count");
    assert_eq!(leaked, 0);
    house.stage.stop().await;
}

#[tokio::test]
async fn m_4_sending_twice_gives_one_message_however_long_ago() {
    let house = House::new().await;
    let ticket = house.ticket().await;
    let boss = house.people.moderator();
    let first = house.send_as(&boss, ticket.id(), "first", "Hello").await.expect("sent");
    for number in 0..40 {
        house.send_as(&boss, ticket.id(), &format!("n{number}"), "More").await.expect("sent");
    }
    // Long out of the conversation's own memory.
    let again = house.send_as(&boss, ticket.id(), "first", "Something else").await.expect("answered");
    assert_eq!((again.id, again.sequence, again.text.as_str()), (first.id, 1, "Hello"));
    // At once, from many sides.
    let many =
        futures::future::join_all((0..20).map(|_| house.send_as(&boss, ticket.id(), "same", "At once")))
            .await;
    let mut sequences: Vec<i64> = many.into_iter().map(|one| one.expect("sent").sequence).collect();
    sequences.dedup();
    assert_eq!(sequences, [42]);
    let all = house.all(&boss, ticket.id()).await;
    assert_eq!(all.keys().copied().collect::<Vec<_>>(), (1..=42).collect::<Vec<_>>(), "no gaps (M-5)");
    house.stage.stop().await;
}

#[tokio::test]
async fn aip_155_a_repeated_request_is_answered_the_same() {
    let house = House::new().await;
    let ticket = house.ticket().await;
    let boss = house.people.moderator();
    let request = proto::SendMessageRequest {
        request_id: request_id(),
        conversation_id: ticket.id().to_owned(),
        text: "Once".into(),
        ..Default::default()
    };
    let one = house.service().send_message(signed(&boss, request.clone())).await.expect("sent").into_inner();
    let two = house.service().send_message(signed(&boss, request)).await.expect("sent").into_inner();
    assert_eq!(one.message.expect("it").id, two.message.expect("it").id);
    assert_eq!(house.all(&boss, ticket.id()).await.len(), 1);
    house.stage.stop().await;
}

#[tokio::test]
async fn m_6_editing_withdrawing_and_the_trace() {
    let house = House::new().await;
    let ticket = house.ticket().await;
    let visitor = house.people.code_user(ticket.device());
    let boss = house.people.moderator();
    let sent = house.send(&visitor, ticket.id(), "Helo").await.expect("sent");
    let edited = house.edit(&visitor, ticket.id(), 1, "Hello", &sent.etag).await.expect("edited");
    assert_eq!((edited.text.as_str(), edited.revision, edited.html.as_str()), ("Hello", 2, "<p>Hello</p>"));
    assert!(edited.edit_time.is_some() && edited.position > sent.position);
    let stale = house.edit(&visitor, ticket.id(), 1, "Hallo", &sent.etag).await.expect_err("seen before");
    assert_eq!((stale.code(), reason(&stale).as_str()), (Code::Aborted, "ETAG_MISMATCH"));
    let denied = house.edit(&boss, ticket.id(), 1, "Mine", "").await.expect_err("not the author");
    assert_eq!(denied.code(), Code::PermissionDenied);
    let gone = house.withdraw(&visitor, ticket.id(), 1).await.expect("withdrawn");
    assert_eq!((gone.text.as_str(), gone.html.as_str(), gone.sequence), ("", "", 1));
    assert!(gone.withdraw_time.is_some() && !gone.may_edit);
    assert_eq!(house.all(&boss, ticket.id()).await[&1].text, "", "gone for all who read");
    // The trace stays for employees.
    let request = |who: &_| {
        let message = proto::ListMessageRevisionsRequest {
            conversation_id: ticket.id().to_owned(),
            sequence: 1,
            ..Default::default()
        };
        signed(who, message)
    };
    let trace = house.service().list_message_revisions(request(&boss)).await.expect("a trace").into_inner();
    let texts: Vec<&str> = trace.revisions.iter().map(|one| one.text.as_str()).collect();
    assert_eq!(texts, ["Helo", "Hello"]);
    let outside = house.service().list_message_revisions(request(&visitor)).await.expect_err("employees");
    assert_eq!(outside.code(), Code::PermissionDenied);
    house.stage.stop().await;
}

#[tokio::test]
async fn m_6_the_time_for_editing_is_configured() {
    let house = House::with(|stage| stage.with("messenger.edit_window", "0s")).await;
    let ticket = house.ticket().await;
    let boss = house.people.moderator();
    house.send(&boss, ticket.id(), "Helo").await.expect("sent");
    let late = house.edit(&boss, ticket.id(), 1, "Hello", "").await.expect_err("too late");
    assert_eq!((late.code(), reason(&late).as_str()), (Code::FailedPrecondition, "EDIT_TIME_OVER"));
    house.stage.stop().await;
}

#[tokio::test]
async fn m_6_read_markers_and_unread_counts() {
    let house = House::new().await;
    let ticket = house.ticket().await;
    let (visitor, boss) = (house.people.code_user(ticket.device()), house.people.moderator());
    for number in 0..3 {
        house.send(&visitor, ticket.id(), &format!("{number}")).await.expect("sent");
    }
    house.withdraw(&visitor, ticket.id(), 2).await.expect("withdrawn");
    let seen = house.conversation(&boss, ticket.id()).await.expect("seen");
    assert_eq!((seen.unread_count, seen.own_read_sequence, seen.last_sequence), (2, 0, 3));
    assert_eq!(house.mark_read(&boss, ticket.id(), 1).await.expect("read"), 1);
    assert_eq!(house.mark_read(&boss, ticket.id(), 0).await.expect("read"), 1, "never back");
    let list = |who: &_, unread_only| {
        signed(who, proto::ListConversationsRequest { unread_only, ..Default::default() })
    };
    let page = house.service().list_conversations(list(&boss, true)).await.expect("a page").into_inner();
    assert_eq!((page.conversations.len(), page.conversations[0].unread_count), (1, 1));
    house.mark_read(&boss, ticket.id(), 99).await.expect("read");
    let page = house.service().list_conversations(list(&boss, true)).await.expect("a page").into_inner();
    assert_eq!(page.conversations, []);
    let own = house.conversation(&visitor, ticket.id()).await.expect("seen");
    assert_eq!(own.unread_count, 0, "one's own are read");
    house.stage.stop().await;
}

#[tokio::test]
async fn t_11_a_deleted_ticket_leaves_nothing() {
    let house = House::new().await;
    let ticket = house.ticket().await;
    let boss = house.people.moderator();
    house.send(&boss, ticket.id(), "Secret").await.expect("sent");
    house.edit(&boss, ticket.id(), 1, "Still secret", "").await.expect("edited");
    let deleted = TicketDeleted {
        ticket_id: ticket.id().to_owned(),
        organisation_id: house.people.id.to_string(),
        ..Default::default()
    };
    house.stage.publish(house.people.id, ticket.key(), 9, &deleted).await;
    eventually("it is gone", PATIENCE, || async {
        match house.conversation(&boss, ticket.id()).await {
            Err(status) if status.code() == Code::NotFound => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    let left: i64 = sqlx::query_scalar(
        "select (select count(*) from message) + (select count(*) from message_revision)
              + (select count(*) from reader)
              + (select count(*) from command_receipt where position('ecret'::bytea in answer) > 0)
              + (select count(*) from outbox where position('ecret'::bytea in payload) > 0)",
    )
    .fetch_one(house.stage.pool())
    .await
    .expect("a count");
    assert_eq!(left, 0);
    house.stage.stop().await;
}

#[tokio::test]
async fn t_9_locked_by_status_and_unlocked_again() {
    let house = House::new().await;
    let mut ticket = house.ticket().await;
    let (visitor, boss) = (house.people.code_user(ticket.device()), house.people.moderator());
    house.send(&visitor, ticket.id(), "Hello").await.expect("sent");
    house.turn(&mut ticket, TicketStatus::Closed, false).await;
    let locked = house.send(&visitor, ticket.id(), "Hello?").await.expect_err("locked");
    assert_eq!((locked.code(), reason(&locked).as_str()), (Code::FailedPrecondition, "TICKET_LOCKED"));
    assert!(!house.conversation(&visitor, ticket.id()).await.expect("readable").may_write);
    assert_eq!(house.all(&visitor, ticket.id()).await.len(), 1, "all stays readable");
    house.send(&boss, ticket.id(), "Closed").await.expect("employees may still write");
    house.turn(&mut ticket, TicketStatus::Open, false).await;
    house.send(&visitor, ticket.id(), "Again").await.expect("unlocked");
    let told = house.stage.told(ticket.key(), "conversation.unlocked").await;
    assert!(told.contains(&"conversation.locked".to_owned()), "{told:?}");
    house.stage.stop().await;
}
