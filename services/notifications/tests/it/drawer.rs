//! N-1, N-4, T-11, T-13, D-4.

use callboard_bus::{Bus, Nats, NatsOptions};
use callboard_proto::fleet::v1 as fleet;
use callboard_proto::messenger::v1 as messenger;
use callboard_proto::notifications::v1 as proto;
use callboard_proto::notifications::v1::EventType;
use callboard_proto::notifications::v1::watch_entries_response::Event;
use callboard_proto::tickets::v1 as tickets;
use callboard_stage::{done, id, refused, request_id, signed};
use callboard_testkit::{PATIENCE, eventually};
use futures::StreamExt;
use tokio::time::timeout;

use super::house::{House, uuid};

#[tokio::test]
async fn n_1_entries_of_one_type_on_one_subject_are_stacked_until_they_are_read() {
    let house = House::new().await;
    let nora = house.known(house.people.member(), "en", "Nora").await;
    let emil = house.known(house.people.member(), "en", "Emil").await;
    let ticket = house.ticket(&[&nora, &emil]).await;
    for _ in 0..3 {
        house.say(&ticket, &emil).await;
    }
    let entry = house.entry(&nora, EventType::Message, |entry| entry.count == 3).await;
    assert_eq!(
        (entry.unread, entry.number, entry.text.as_str()),
        (true, 7, "A colleague wrote a message on Ticket 7")
    );
    assert_eq!(entry.actor.as_ref().map(|actor| actor.id.clone()), Some(uuid(&emil).to_string()));
    assert_eq!(house.unread(&nora).await, 1, "stacks are counted");
    // What one did oneself is no news.
    let own = house.entry(&emil, EventType::Message, |_| true).await;
    assert_eq!((own.unread, own.origin()), (false, proto::Origin::Me));

    let mark = proto::MarkEntriesRequest {
        request_id: request_id(),
        entry_ids: vec![entry.id.clone()],
        unread: false,
    };
    for _ in 0..2 {
        let answer = done(house.client().mark_entries(signed(&nora, mark.clone())).await).expect("marked");
        assert_eq!(answer.unread, 0);
    }
    house.say(&ticket, &emil).await;
    let again = house.entry(&nora, EventType::Message, |entry| entry.unread).await;
    assert_eq!((again.id, again.count), (entry.id, 1), "counted from where it was read");
}

#[tokio::test]
async fn n_1_a_message_that_was_withdrawn_is_taken_off_and_one_that_was_read_is_read() {
    let house = House::new().await;
    let nora = house.known(house.people.member(), "en", "Nora").await;
    let emil = house.known(house.people.member(), "en", "Emil").await;
    let ticket = house.ticket(&[&nora, &emil]).await;
    let (_, first) = house.say(&ticket, &emil).await;
    house.say(&ticket, &emil).await;
    house.entry(&nora, EventType::Message, |entry| entry.count == 2).await;
    let conversation = messenger::ConversationFacts {
        conversation_id: ticket.id().into(),
        ticket_id: ticket.id().into(),
        last_sequence: 2,
        ..Default::default()
    };
    let withdrawn = messenger::MessageWithdrawn {
        conversation: Some(conversation.clone()),
        message: Some(messenger::MessageFacts { message_id: first.to_string(), ..Default::default() }),
    };
    house.stage.publish(house.people.id, ticket.key(), 3, &withdrawn).await;
    house.entry(&nora, EventType::Message, |entry| entry.count == 1 && entry.unread).await;
    let read = messenger::ConversationRead {
        conversation: Some(conversation),
        reader: Some(callboard_service::convert::to_proto_actor(nora.actor())),
        sequence: 2,
        previous_sequence: 0,
    };
    house.stage.publish(house.people.id, ticket.key(), 4, &read).await;
    house.entry(&nora, EventType::Message, |entry| !entry.unread).await;
}

#[tokio::test]
async fn n_4_the_company_the_code_and_the_notification_group_hear_of_a_ticket() {
    let house = House::new().await;
    let nora = house.known(house.people.member(), "en", "Nora").await;
    let department = id();
    let office = house.known_in(house.people.member(), "en", "Office", &[department], &[]).await;
    let stranger = house.known(house.people.member(), "en", "Stranger").await;
    let boss = house.people.moderator();
    let group = proto::Group {
        id: id().to_string(),
        name: "Office".into(),
        department_ids: vec![department.to_string()],
        ..Default::default()
    };
    let create = proto::CreateGroupRequest { request_id: request_id(), group: Some(group.clone()) };
    done(house.groups().create_group(signed(&boss, create)).await).expect("a group");
    let mut facts = house.people.ticket_facts(id());
    facts.customer_id = id().to_string();
    facts.involved_employee_ids = vec![uuid(&nora).to_string()];
    facts.notification_group_id = group.id.clone();
    let ticket = super::house::Told { facts, version: 1 };
    let user = house.known_customer(ticket.customer(), "Carla").await;
    let other = house.known_customer(id(), "Otto").await;
    let visitor = house.visitor(ticket.device()).await;
    house.open(&ticket).await;
    for who in [&office, &user, &visitor] {
        house.entry(who, EventType::TicketOpened, |_| true).await;
    }
    house.say(&ticket, &nora).await;
    for who in [&nora, &office, &user, &visitor] {
        house.entry(who, EventType::Message, |_| true).await;
    }
    let from_outside = house.entry(&visitor, EventType::Message, |_| true).await;
    assert!(from_outside.text.starts_with("Our team"), "{}", from_outside.text);
    for who in [&stranger, &other] {
        assert_eq!(house.entries(who).await, [], "{who:?}");
    }
}

#[tokio::test]
async fn f_11_a_ticket_that_nobody_takes_is_heard_of_by_who_steers_where_no_notification_group_is_told() {
    let house = House::new().await;
    let nora = house.known(house.people.member(), "en", "Nora").await;
    let boss = house.known(house.people.moderator(), "en", "Boss").await;
    let ticket = house.ticket(&[]).await;
    let unserved =
        fleet::TicketUnserved { ticket_id: ticket.id().into(), nobody_eligible: true, ..Default::default() };
    house.stage.publish(house.people.id, ticket.key(), 1, &unserved).await;
    house.entry(&boss, EventType::Unserved, |entry| entry.unread).await;
    let escalated = fleet::TicketEscalated { ticket_id: ticket.id().into(), ..Default::default() };
    house.stage.publish(house.people.id, ticket.key(), 2, &escalated).await;
    house.entry(&boss, EventType::Escalated, |entry| entry.unread).await;
    assert_eq!(house.entries(&nora).await, []);
}

#[tokio::test]
async fn n_4_offers_are_heard_of_by_those_who_are_offered_and_f_5_a_decline_ends_it() {
    let house = House::new().await;
    let nora = house.known(house.people.member(), "en", "Nora").await;
    let emil = house.known(house.people.member(), "en", "Emil").await;
    let ticket = house.ticket(&[]).await;
    house.offer(&ticket, 1, &[&nora, &emil]).await;
    house.entry(&emil, EventType::Offer, |_| true).await;
    house.entry(&nora, EventType::Offer, |entry| entry.count == 1).await;
    house.declines(&ticket, 2, &nora).await;
    eventually("the decline is known", PATIENCE, || async {
        let declined: i64 = sqlx::query_scalar("select count(*) from known_decline where declined")
            .fetch_one(house.stage.pool())
            .await
            .expect("a count");
        if declined == 1 { Ok(()) } else { Err(declined) }
    })
    .await;
    house.offer(&ticket, 3, &[&emil]).await;
    house.entry(&emil, EventType::Offer, |entry| entry.count == 2).await;
    assert_eq!(house.entries(&nora).await.len(), 1);
}

#[tokio::test]
async fn t_13_what_turns_internal_goes_from_outsiders_drawers_at_once_also_from_open_ones() {
    let house = House::new().await;
    let nora = house.known(house.people.member(), "en", "Nora").await;
    let mut ticket = house.ticket(&[&nora]).await;
    let visitor = house.visitor(ticket.device()).await;
    let user = house.known_customer(ticket.customer(), "Carla").await;
    house.say(&ticket, &nora).await;
    house.entry(&visitor, EventType::Message, |_| true).await;
    house.entry(&user, EventType::Message, |_| true).await;
    let watching = house.client().watch_entries(signed(&visitor, proto::WatchEntriesRequest {})).await;
    let mut stream = watching.expect("a stream").into_inner();
    let first = stream.message().await.expect("alive").expect("an event").event;
    let Some(Event::UnreadCount(count)) = first else { panic!("{first:?}") };
    assert!(count.unread >= 1, "the message, and perhaps the ticket itself");
    house.turn(&mut ticket, |facts| facts.visibility = tickets::Visibility::Internal.into()).await;
    loop {
        let next = stream.message().await.expect("alive").expect("an event").event;
        if matches!(next, Some(Event::UnreadCount(count)) if count.unread == 0) {
            break;
        }
    }
    for who in [&visitor, &user] {
        assert_eq!(house.entries(who).await, []);
    }
    house.say(&ticket, &nora).await;
    house.entry(&nora, EventType::Message, |entry| entry.origin() == proto::Origin::Me).await;
    // Public again, what was told before shows again, and what was said in between does not.
    house.turn(&mut ticket, |facts| facts.visibility = tickets::Visibility::Public.into()).await;
    assert_eq!(house.entry(&visitor, EventType::Message, |_| true).await.count, 1);
}

#[tokio::test]
async fn t_11_nothing_is_left_of_a_ticket_that_was_deleted_and_late_news_bring_nothing_back() {
    let house = House::new().await;
    let nora = house.known(house.people.member(), "en", "Nora").await;
    let emil = house.known(house.people.member(), "en", "Emil").await;
    let ticket = house.ticket(&[&nora, &emil]).await;
    let kept = house.ticket(&[&nora, &emil]).await;
    house.say(&ticket, &emil).await;
    house.say(&kept, &emil).await;
    house.entry(&nora, EventType::Message, |entry| entry.subject_id == ticket.id()).await;
    house.entry(&nora, EventType::Message, |entry| entry.subject_id == kept.id()).await;
    let deleted = tickets::TicketDeleted {
        ticket_id: ticket.id().into(),
        organisation_id: house.people.id.to_string(),
        ..Default::default()
    };
    house.stage.publish(house.people.id, ticket.key(), 9, &deleted).await;
    eventually("it is gone", PATIENCE, || async {
        let left = house.entries(&nora).await;
        if left.iter().all(|entry| entry.subject_id == kept.id()) { Ok(()) } else { Err(left) }
    })
    .await;
    house.say(&ticket, &emil).await;
    house.say(&kept, &emil).await;
    house.entry(&nora, EventType::Message, |entry| entry.count == 2).await;
    // The streams are read side by side, but one stream in order per ticket: this one is behind both messages.
    let (_, _) = house.say(&ticket, &emil).await;
    for table in ["entry", "telling", "delivery"] {
        let sql = format!("select count(*) from {table} where subject_id = $1");
        let left: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
            .bind(ticket.key())
            .fetch_one(house.stage.pool())
            .await
            .expect("a count");
        assert_eq!(left, 0, "{table}");
    }
}

#[tokio::test]
async fn d_4_unpairing_a_code_and_clearing_hide_its_history_from_its_users_alone() {
    let house = House::new().await;
    let nora = house.known(house.people.member(), "en", "Nora").await;
    let ticket = house.ticket(&[&nora]).await;
    let visitor = house.visitor(ticket.device()).await;
    let (boss, moderator) = (house.people.administrator(), house.people.moderator());
    house.say(&ticket, &visitor).await;
    house.entry(&visitor, EventType::Message, |_| true).await;
    let clear = |code: String| proto::ClearCodeEntriesRequest { request_id: request_id(), code_id: code };
    let code = uuid(&visitor).to_string();
    let denied = done(house.client().clear_code_entries(signed(&moderator, clear(code.clone()))).await);
    assert_eq!(refused(denied), "PERMISSION_DENIED");
    let missing = done(house.client().clear_code_entries(signed(&boss, clear(request_id()))).await);
    assert_eq!(refused(missing), "NOT_FOUND");
    done(house.client().clear_code_entries(signed(&boss, clear(code))).await).expect("cleared");
    assert_eq!(house.entries(&visitor).await, []);
    house.entry(&nora, EventType::Message, |_| true).await;

    house.say(&ticket, &visitor).await;
    house.entry(&visitor, EventType::Message, |entry| entry.count == 1).await;
    house.pair(uuid(&visitor), 2, None).await;
    eventually("it is hidden", PATIENCE, || async {
        let left = house.entries(&visitor).await;
        if left.is_empty() { Ok(()) } else { Err(left) }
    })
    .await;
    house.entry(&nora, EventType::Message, |entry| entry.count == 2).await;
}

#[tokio::test]
async fn n_1_whose_drawer_has_changed_is_whispered_for_the_live_stream() {
    let house = House::new().await;
    let nora = house.known(house.people.member(), "en", "Nora").await;
    let ticket = house.ticket(&[]).await;
    let options = NatsOptions::new(house.stage.broker().url(), "test");
    let bus: Bus = Nats::connect(options).await.expect("a connection").into();
    let mut whispers = bus.listen("notifications.drawers").await.expect("heard");
    // Once it hears itself, the server knows that it listens.
    bus.whisper("notifications.drawers", "{}".into()).await;
    timeout(PATIENCE, whispers.next()).await.expect("its own").expect("a whisper");
    house.offer(&ticket, 1, &[&nora]).await;
    let entry = house.entry(&nora, EventType::Offer, |entry| entry.unread).await;
    let mark =
        proto::MarkEntriesRequest { request_id: request_id(), entry_ids: vec![entry.id], unread: false };
    done(house.client().mark_entries(signed(&nora, mark)).await).expect("read elsewhere");
    let person = format!("employee:{}", uuid(&nora));
    for what in ["told", "read"] {
        let heard = timeout(PATIENCE, whispers.next()).await;
        let payload = heard.expect(what).expect("a whisper");
        let said: serde_json::Value = serde_json::from_slice(&payload).expect("JSON");
        assert_eq!(
            said,
            serde_json::json!({"organisation": house.people.id, "people": [person]}),
            "the gateway reads these fields"
        );
    }
}

/// Positions are drawn before a commit: what was committed late stands behind what was shown already.
#[tokio::test]
async fn n_1_a_window_is_shown_a_change_that_was_committed_after_a_later_one() {
    let house = House::new().await;
    let nora = house.known(house.people.member(), "en", "Nora").await;
    let emil = house.known(house.people.member(), "en", "Emil").await;
    let (early, late) = (house.ticket(&[&nora, &emil]).await, house.ticket(&[&nora, &emil]).await);
    house.say(&early, &emil).await;
    let entry = house.entry(&nora, EventType::Message, |entry| entry.subject_id == early.id()).await;
    house.say(&late, &emil).await;
    house.entry(&nora, EventType::Message, |entry| entry.subject_id == late.id()).await;
    let watching = house.client().watch_entries(signed(&nora, proto::WatchEntriesRequest {})).await;
    let mut stream = watching.expect("a stream").into_inner();
    let first = stream.message().await.expect("alive").expect("an event").event;
    assert!(matches!(first, Some(Event::UnreadCount(_))), "{first:?}");
    sqlx::query("update entry set count = 7, position = 0 where id = $1")
        .bind(entry.id.parse::<uuid::Uuid>().expect("an id"))
        .execute(house.stage.pool())
        .await
        .expect("committed");
    let bus: Bus = Nats::connect(NatsOptions::new(house.stage.broker().url(), "test"))
        .await
        .expect("a connection")
        .into();
    let changed = serde_json::json!({
        "organisation": house.people.id, "people": [format!("employee:{}", uuid(&nora))]
    });
    bus.whisper("notifications.drawers", changed.to_string().into()).await;
    let shown = timeout(PATIENCE, async {
        loop {
            // Of the message itself it may be told meanwhile.
            if let Some(Event::Entry(shown)) = stream.message().await.expect("alive").expect("an event").event
            {
                break shown;
            }
        }
    });
    let shown = shown.await.expect("in time");
    assert_eq!((shown.id, shown.count), (entry.id, 7));
}
