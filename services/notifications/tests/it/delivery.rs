//! N-2, N-3, N-5: channels in order, judged when it is sent, at most once.

use callboard_notifications_domain::Channel as Lane;
use callboard_proto::notifications::v1 as proto;
use callboard_proto::notifications::v1::watch_entries_response::Event;
use callboard_proto::notifications::v1::{Channel, DeliveryState, EventType};
use callboard_stage::{id, signed};
use callboard_testkit::{PATIENCE, eventually};

use super::house::{House, uuid};

#[tokio::test]
async fn n_2_an_open_window_that_takes_it_is_enough() {
    let house = House::new().await;
    let nora = house.known(house.people.member(), "de", "Nora").await;
    let ticket = house.ticket(&[]).await;
    let watching = house.client().watch_entries(signed(&nora, proto::WatchEntriesRequest {})).await;
    let mut stream = watching.expect("a stream").into_inner();
    let event = house.offer(&ticket, 1, &[&nora]).await;
    let mut seen = Vec::new();
    let told = loop {
        match stream.message().await.expect("alive").expect("an event").event.expect("something") {
            Event::Told(entry) => break entry,
            other => seen.push(other),
        }
    };
    // The language of the token, as everything that is read.
    assert_eq!((told.event_type(), told.text.as_str()), (EventType::Offer, "Ticket 7 is offered to you"));
    assert!(seen.iter().any(|one| matches!(one, Event::Entry(entry) if entry.id == told.id)), "{seen:?}");
    let settled = house.settled(event, &nora).await;
    assert_eq!(settled[&Channel::Browser], (DeliveryState::Delivered, String::new()));
    assert_eq!(settled[&Channel::Push].0, DeliveryState::Skipped);
    assert_eq!(settled[&Channel::Email].0, DeliveryState::Skipped);
    assert!(house.mail.mails().is_empty());
}

#[tokio::test]
async fn n_2_without_a_window_and_a_browser_it_goes_by_e_mail_in_the_reader_s_language() {
    let house = House::new().await;
    let nora = house.known(house.people.member(), "de", "Nora").await;
    let emil = house.known(house.people.member(), "en", "Emil").await;
    let ticket = house.ticket(&[&nora, &emil]).await;
    let (event, _) = house.say(&ticket, &emil).await;
    let mail = house.mails("nora@people.example", 1).await.remove(0);
    let text = mail.part("text/plain").expect("a text");
    assert!(text.contains("Guten Tag Nora,"), "{text}");
    assert!(text.contains("Emil hat eine Nachricht geschrieben: Ticket 7."), "{text}");
    assert!(text.contains(&format!("https://callboard.example/tickets/{}", ticket.id())), "{text}");
    let settled = house.settled(event, &nora).await;
    let failed = |reason: &str| (DeliveryState::Failed, reason.to_owned());
    assert_eq!(settled[&Channel::Browser], failed("NO_WINDOW"));
    assert_eq!(settled[&Channel::Push], failed("NO_SUBSCRIPTION"));
    assert_eq!(settled[&Channel::Email], (DeliveryState::Delivered, String::new()));
    // Who wrote it is told on no channel.
    let log = house.log(event).await;
    let own = uuid(&emil).to_string();
    assert!(log.iter().all(|one| one.person.as_ref().is_some_and(|person| person.id != own)), "{log:?}");
}

#[tokio::test]
async fn n_3_who_is_not_involved_any_more_when_it_is_sent_is_not_told() {
    let house = House::new().await;
    let nora = house.known(house.people.member(), "en", "Nora").await;
    let emil = house.known(house.people.member(), "en", "Emil").await;
    let mut ticket = house.ticket(&[&nora, &emil]).await;
    house.mail.refuse(Some(451));
    let (event, _) = house.say(&ticket, &emil).await;
    eventually("the server said: later", PATIENCE, || async {
        let log = house.log(event).await;
        let is_it = |one: &&proto::Delivery| one.reason == "NOT_NOW" && one.answer == "451";
        log.iter().find(is_it).map(|_| ()).ok_or_else(|| log.clone())
    })
    .await;
    house.turn(&mut ticket, |facts| facts.involved_employee_ids = vec![uuid(&emil).to_string()]).await;
    house.mail.refuse(None);
    let settled = house.settled(event, &nora).await;
    assert_eq!(settled[&Channel::Email], (DeliveryState::Withheld, "NOT_VISIBLE".into()));
    assert!(house.mail.mails().is_empty());
}

#[tokio::test]
async fn n_3_what_is_said_of_somebody_is_not_sent_once_it_no_longer_holds() {
    let house = House::new().await;
    let nora = house.known(house.people.member(), "en", "Nora").await;
    let emil = house.known(house.people.member(), "en", "Emil").await;
    let rosa = house.known(house.people.member(), "en", "Rosa").await;
    let ticket = house.ticket(&[]).await;
    house.mail.refuse(Some(451));
    let offer = house.offer(&ticket, 1, &[&nora, &emil]).await;
    let assigned = house.assigns(&ticket, 2, &rosa).await;
    for (event, who) in [(offer, &nora), (offer, &emil), (assigned, &rosa)] {
        house.put_off(event, who).await;
    }
    // Meanwhile one offer is taken back, and the assignment, too.
    house.withdraws(&ticket, 3, &nora).await;
    house.unassigns(&ticket, 4, &rosa).await;
    house.until_called("assigned = false", 1).await;
    house.until_called("not offered and not coalesce(assigned, false)", 2).await;
    house.mail.refuse(None);
    for (event, who, state) in [
        (offer, &nora, DeliveryState::Withheld),
        (offer, &emil, DeliveryState::Delivered),
        (assigned, &rosa, DeliveryState::Withheld),
    ] {
        assert_eq!(house.settled(event, who).await[&Channel::Email].0, state);
    }
    // Offered again, it is told again; and that it is not offered is not told any more.
    house.mail.refuse(Some(451));
    let again = house.offer(&ticket, 5, &[&nora]).await;
    house.put_off(again, &nora).await;
    house.mail.refuse(None);
    assert_eq!(house.settled(again, &nora).await[&Channel::Email].0, DeliveryState::Delivered);
}

#[tokio::test]
async fn n_5_a_failure_is_tried_again_and_recorded_and_a_refusal_is_not() {
    let house = House::new().await;
    let nora = house.known(house.people.member(), "en", "Nora").await;
    let emil = house.known(house.people.member(), "en", "Emil").await;
    let ticket = house.ticket(&[&nora, &emil]).await;
    house.mail.refuse(Some(550));
    let (refused, _) = house.say(&ticket, &emil).await;
    let settled = house.settled(refused, &nora).await;
    assert_eq!(settled[&Channel::Email], (DeliveryState::Failed, "REFUSED".into()));
    house.mail.refuse(Some(451));
    let (later, _) = house.say(&ticket, &emil).await;
    eventually("it was tried once", PATIENCE, || async {
        let log = house.log(later).await;
        let tried = log.iter().any(|one| one.channel() == Channel::Email && one.reason == "NOT_NOW");
        if tried { Ok(()) } else { Err(log) }
    })
    .await;
    house.mail.refuse(None);
    house.mails("nora@people.example", 1).await;
    house.settled(later, &nora).await;
    let log = house.log(later).await;
    let email = log.iter().find(|one| one.channel() == Channel::Email).expect("a line");
    assert_eq!((email.state(), email.attempts, email.answer.as_str()), (DeliveryState::Delivered, 2, "250"));
}

#[tokio::test]
async fn n_5_what_a_dead_worker_had_handed_over_is_never_tried_again_and_what_it_had_not_is() {
    let house = House::new().await;
    let nora = house.known(house.people.member(), "en", "Nora").await;
    let emil = house.known(house.people.member(), "en", "Emil").await;
    let ticket = house.ticket(&[&nora, &emil]).await;
    // Both wait for a server that is not there.
    house.mail.refuse(Some(451));
    let (claimed, _) = house.say(&ticket, &emil).await;
    let (handed, _) = house.say(&ticket, &emil).await;
    for (event, state) in [(claimed, "CLAIMED"), (handed, "HANDED_OVER")] {
        eventually("it waits", PATIENCE, || async {
            let done = sqlx::query(
                "update delivery set state = $2, lease = now() - interval '1 second'
                 where event_id = $1 and channel = 'EMAIL' and state = 'DUE' and attempts = 1",
            )
            .bind(event)
            .bind(state)
            .execute(house.stage.pool())
            .await
            .expect("written");
            if done.rows_affected() == 1 { Ok(()) } else { Err(house.log(event).await) }
        })
        .await;
    }
    house.mail.refuse(None);
    let settled = house.settled(handed, &nora).await;
    assert_eq!(settled[&Channel::Email], (DeliveryState::Unknown, "INTERRUPTED".into()));
    let settled = house.settled(claimed, &nora).await;
    assert_eq!(settled[&Channel::Email].0, DeliveryState::Delivered);
    house.mails("nora@people.example", 1).await;
}

#[tokio::test]
async fn n_5_a_thousand_listeners_are_each_told_once() {
    let house = House::new().await;
    let ticket = house.ticket(&[]).await;
    // As the directory would tell of them, one by one.
    sqlx::query(
        "insert into known_employee (id, organisation_id, version, removed, role, language, department_ids, team_ids,
             support_roles)
         select gen_random_uuid(), $1, 1, false, 'member', 'en', '[]', '[]', '[]' from generate_series(1, 1000)",
    )
    .bind(house.people.id)
    .execute(house.stage.pool())
    .await
    .expect("a crowd");
    let crowd: Vec<uuid::Uuid> = sqlx::query_scalar("select id from known_employee")
        .fetch_all(house.stage.pool())
        .await
        .expect("a crowd");
    for people in crowd.chunks(250) {
        let people: Vec<_> =
            people.iter().map(|id| house.people.employee(*id, callboard_kernel::Role::Member, &[])).collect();
        let people: Vec<_> = people.iter().collect();
        house.offer(&ticket, 1, &people).await;
    }
    // Three channels for each are tried one after the other, on a machine that may be busy.
    eventually("all is settled", 4 * PATIENCE, || async {
        let open: (i64, i64, i64) = sqlx::query_as(
            "select (select count(*) from entry where count = 1),
                    (select count(*) from delivery),
                    (select count(*) from delivery where state <> 'FAILED')",
        )
        .fetch_one(house.stage.pool())
        .await
        .expect("counts");
        // Nobody has a window, a browser or an address.
        if open == (1000, 3000, 0) { Ok(()) } else { Err(open) }
    })
    .await;
}

#[tokio::test]
async fn n_5_the_same_event_again_tells_nobody_again() {
    use callboard_notifications::store::telling::Told;
    use callboard_notifications::store::{KnownSubject, Telling, Tellings};
    use callboard_notifications_domain::audience::Listener;
    use callboard_notifications_domain::delivery::plan;
    use callboard_notifications_domain::{Because, Origin, Person, Strategy, SubjectKind};

    let house = House::new().await;
    let ticket = house.ticket(&[]).await;
    let now = callboard_kernel::Clock::now(&callboard_kernel::SystemClock);
    let telling = Telling {
        event: id().into(),
        organisation: house.people.id.into(),
        event_type: callboard_notifications_domain::EventType::Offer,
        subject: KnownSubject::unheard(SubjectKind::Ticket, ticket.key()),
        part: None,
        actor: callboard_kernel::Actor::System,
        at: now,
        details: serde_json::json!({}),
    };
    let told = |person: uuid::Uuid| Told {
        given_up: Vec::new(),
        listener: Listener {
            person: Person::Employee(person.into()),
            because: Because::Named,
            origin: Origin::Others,
        },
        strategy: Strategy::All,
        deliveries: plan(&[Lane::Browser, Lane::Email], Strategy::All, None, now),
    };
    let (first, second) = (id(), id());
    let tellings = Tellings::new(house.stage.pool().clone());
    let tell = async |people: &[uuid::Uuid]| {
        let told: Vec<Told> = people.iter().map(|person| told(*person)).collect();
        tellings.tell(telling.clone(), told.clone(), now).await.expect("told")
    };
    assert_eq!(tell(&[first]).await, Some(1));
    assert_eq!(tell(&[first, second]).await, Some(1), "one of them was told before");
    assert_eq!(tell(&[first, second]).await, Some(0));
    let counts: (i64, i64) =
        sqlx::query_as("select (select sum(count)::bigint from entry), (select count(*) from delivery)")
            .fetch_one(house.stage.pool())
            .await
            .expect("counts");
    assert_eq!(counts, (2, 4));
}
