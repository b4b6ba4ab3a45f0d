//! Lives of sessions (V-1 to V-9, M-7, T-11, T-13).

use callboard_proto::fleet::v1 as fleet;
use callboard_proto::ratings::v1 as ratings;
use callboard_proto::tickets::v1 as tickets;
use callboard_proto::video::v1 as video;
use callboard_proto::video::v1::SessionStatus;
use callboard_stage::{done, fields, id, refused, request_id, signed};
use callboard_testkit::{PATIENCE, eventually};

use crate::house::{House, uuid};

#[tokio::test]
async fn v_1_a_session_is_requested_as_the_flow_says_and_v_2_confirmed_by_who_is_responsible() {
    let house = House::new().await;
    let (guest, member) = (house.guest(), house.people.member());
    assert_eq!(refused(house.request(&guest, house.wish()).await), "SESSION_REQUESTS_NOT_ALLOWED");
    house.allow_requests().await;
    let silent = video::RequestSessionRequest { reason: String::new(), ..house.wish() };
    assert_eq!(fields(house.request(&guest, silent).await), ["reason"]);
    let wish = house.wish();
    let session = house.request(&guest, wish.clone()).await.expect("requested");
    assert_eq!(
        (session.status(), session.visibility()),
        (SessionStatus::Requested, video::Visibility::Public)
    );
    // AIP-155.
    assert_eq!(house.request(&guest, wish).await.expect("the same"), session);
    assert_eq!(refused(house.join(&guest, &session.id).await), "SESSION_NOT_CONFIRMED");
    assert_eq!(refused(house.confirm(&member, &session.id).await), "PERMISSION_DENIED");
    assert!(!house.get(&member, &session.id).await.expect("it").moves.expect("moves").confirm);
    // The flow names the member now.
    let flow = video::SessionFlow {
        requests_allowed: true,
        responsible_employee_ids: vec![member.actor().id().expect("an id").to_string()],
        ..video::SessionFlow::default()
    };
    house.put_flow(&house.boss(), flow).await.expect("set");
    assert!(house.get(&member, &session.id).await.expect("it").moves.expect("moves").confirm);
    let confirmed = house.confirm(&member, &session.id).await.expect("confirmed");
    assert_eq!(confirmed.status(), SessionStatus::Confirmed);
    assert_eq!(Some(uuid(&confirmed.employee_id)), member.actor().id());
    assert_eq!(refused(house.withdraw(&guest, &session.id).await), "SESSION_NOT_REQUESTED");
    let told = house.stage.told(uuid(&session.id), "video.session_confirmed").await;
    assert_eq!(told, ["video.session_requested", "video.session_confirmed"]);
    house.stage.stop().await;
}

#[tokio::test]
async fn v_2_whoever_is_offered_a_linked_ticket_may_confirm_until_the_offer_is_gone() {
    let house = House::new().await;
    house.allow_requests().await;
    let (guest, member) = (house.guest(), house.people.member());
    let ticket = house.ticket(tickets::Visibility::Public).await;
    let wish = || video::RequestSessionRequest { ticket_id: ticket.ticket_id.clone(), ..house.wish() };
    let first = house.request(&guest, wish()).await.expect("requested");
    let second = house.request(&guest, wish()).await.expect("requested");
    assert_eq!(first.ticket_ids, [ticket.ticket_id.as_str()]);
    let offer = fleet::OfferFacts {
        ticket_id: ticket.ticket_id.clone(),
        employee_id: member.actor().id().expect("an id").to_string(),
        ..fleet::OfferFacts::default()
    };
    let made = fleet::OffersMade {
        ticket_id: ticket.ticket_id.clone(),
        offers: vec![offer.clone()],
        ..fleet::OffersMade::default()
    };
    let key = uuid(&ticket.ticket_id);
    house.stage.publish(house.people.id, key, 1, &made).await;
    house.kept("known_offer", "ticket_id", key, 1).await;
    house.confirm(&member, &first.id).await.expect("confirmed");
    let declined = fleet::OfferDeclined { offer: Some(offer), ..fleet::OfferDeclined::default() };
    house.stage.publish(house.people.id, key, 2, &declined).await;
    house.kept("known_offer", "ticket_id", key, 2).await;
    assert_eq!(refused(house.confirm(&member, &second.id).await), "PERMISSION_DENIED");
    house.stage.stop().await;
}

#[tokio::test]
async fn m_7_from_a_conversation_it_is_confirmed_linked_and_told_with_its_join_link() {
    let house = House::with(|stage| stage.with("video.call_page", "https://desk.example/call/")).await;
    let (boss, member) = (house.boss(), house.people.member());
    let ticket = house.ticket(tickets::Visibility::Public).await;
    let plan =
        || video::CreateSessionRequest { conversation_ticket_id: ticket.ticket_id.clone(), ..house.plan() };
    assert_eq!(refused(house.create(&member, plan()).await), "PERMISSION_DENIED");
    house.create(&boss, plan()).await.expect("made");
    house.assign(&ticket.ticket_id, 1, &[member.actor().id().expect("an id")]).await;
    let session = house.create(&member, plan()).await.expect("made");
    assert_eq!(session.status(), SessionStatus::Confirmed);
    assert_eq!(session.ticket_ids, [ticket.ticket_id.as_str()]);
    assert_eq!(session.conversation_ticket_id, ticket.ticket_id);
    house.stage.told(uuid(&session.id), "video.session_created").await;
    let told: Vec<video::SessionCreated> = house.stage.messages(uuid(&session.id)).await;
    assert_eq!(told[0].join_url, format!("https://desk.example/call/{}", session.id));
    assert_eq!(told[0].session.as_ref().expect("facts").conversation_ticket_id, ticket.ticket_id);
    // Taken off the ticket.
    house.assign(&ticket.ticket_id, 2, &[]).await;
    eventually("nobody is assigned", PATIENCE, || async {
        let answer = house.create(&member, plan()).await;
        answer.err().map(|report| report.reason).filter(|reason| reason == "PERMISSION_DENIED").ok_or(())
    })
    .await;
    house.stage.stop().await;
}

#[tokio::test]
async fn v_4_rated_sessions_are_done_until_the_rating_comes_and_v_6_may_be_reopened() {
    let house = House::new().await;
    house.rate_sessions(1, true).await;
    let (boss, guest) = (house.boss(), house.guest());
    let session = house.create(&boss, house.plan()).await.expect("made").id;
    house.join(&guest, &session).await.expect("joined");
    let ended = house.end(&guest, &session).await.expect("over");
    assert_eq!((ended.status(), ended.call_count), (SessionStatus::Done, 1));
    house.stage.told(uuid(&session), "video.session_done").await;
    let done: Vec<video::SessionDone> = house.stage.messages(uuid(&session)).await;
    let facts = done[0].session.clone().expect("facts");
    assert_eq!((facts.done_round, facts.status()), (1, SessionStatus::Done));
    let rate = |version: i64, round: i32, score: i32| {
        let rating = ratings::RatingFacts {
            subject_kind: ratings::SubjectKind::VideoSession.into(),
            subject_id: session.clone(),
            done_round: round,
            ..ratings::RatingFacts::default()
        };
        let message = ratings::RatingSubmitted { rating: Some(rating), score, ..Default::default() };
        let (house, key) = (&house, uuid(&session));
        async move { house.stage.publish(house.people.id, key, version, &message).await }
    };
    rate(1, 1, 4).await;
    house.until_status(&session, SessionStatus::Closed).await;
    let rated = video::SessionFilter { ratings: vec![4], ..video::SessionFilter::default() };
    assert_eq!(house.list(&boss, rated).await.expect("a list").len(), 1);
    assert_eq!(refused(house.reopen(&guest, &session).await), "PERMISSION_DENIED");
    assert_eq!(house.reopen(&boss, &session).await.expect("open").status(), SessionStatus::Confirmed);
    house.join(&boss, &session).await.expect("joined");
    // Off now: the switch at this moment counts.
    house.rate_sessions(2, false).await;
    assert_eq!(house.end(&boss, &session).await.expect("over").status(), SessionStatus::Closed);
    let told = house.stage.events(uuid(&session)).await;
    assert_eq!(told[0], "video.session_created");
    assert_eq!(told.iter().filter(|name| *name == "video.call_started").count(), 2);
    house.stage.stop().await;
}

#[tokio::test]
async fn v_5_who_requested_withdraws_and_employees_cancel_a_running_call() {
    let house = House::new().await;
    house.allow_requests().await;
    let (boss, guest) = (house.boss(), house.guest());
    let first = house.request(&guest, house.wish()).await.expect("requested").id;
    assert_eq!(refused(house.withdraw(&boss, &first).await), "PERMISSION_DENIED");
    assert_eq!(house.withdraw(&guest, &first).await.expect("gone").status(), SessionStatus::Cancelled);
    // A visit is over in an hour: whoever scans again finds what was requested, and withdraws it.
    let later = house.request(&guest, house.wish()).await.expect("requested").id;
    let again = house.guest();
    assert_ne!(again.actor(), guest.actor());
    let mine = video::SessionFilter {
        mine: true,
        statuses: vec![SessionStatus::Requested.into()],
        ..Default::default()
    };
    let found = house.list(&again, mine.clone()).await.expect("a list");
    assert_eq!(found.len(), 1);
    assert!(found[0].id == later && found[0].moves.expect("moves").withdraw);
    assert_eq!(house.withdraw(&again, &later).await.expect("gone").status(), SessionStatus::Cancelled);
    // What a company's user requested is its users' alone.
    let company =
        house.request(&house.people.customer_user(house.customer), house.wish()).await.expect("requested").id;
    assert!(house.list(&guest, mine.clone()).await.expect("a list").is_empty());
    assert_eq!(refused(house.withdraw(&guest, &company).await), "PERMISSION_DENIED");
    let colleague = house.people.customer_user(house.customer);
    assert_eq!(house.list(&colleague, mine).await.expect("a list").len(), 1);
    assert_eq!(house.withdraw(&colleague, &company).await.expect("gone").status(), SessionStatus::Cancelled);
    let second = house.create(&boss, house.plan()).await.expect("made").id;
    house.join(&guest, &second).await.expect("joined");
    let cancelled = house.cancel(&boss, &second).await.expect("cancelled");
    assert_eq!((cancelled.status(), cancelled.call), (SessionStatus::Cancelled, None));
    house.stage.told(uuid(&second), "video.call_ended").await;
    house.stage.stop().await;
}

#[tokio::test]
async fn v_9_tickets_of_the_device_are_linked_and_t_11_a_deleted_one_is_forgotten() {
    let house = House::new().await;
    let (boss, guest) = (house.boss(), house.guest());
    let (public, internal) =
        (house.ticket(tickets::Visibility::Public).await, house.ticket(tickets::Visibility::Internal).await);
    let elsewhere = video::CreateSessionRequest { ticket_ids: vec![id().to_string()], ..house.plan() };
    assert_eq!(refused(house.create(&boss, elsewhere).await), "NOT_FOUND");
    let session = house.create(&boss, house.plan()).await.expect("made").id;
    let link = async |ticket: &str| {
        let request = video::LinkTicketRequest {
            request_id: request_id(),
            session_id: session.clone(),
            ticket_id: ticket.into(),
        };
        done(house.service().link_ticket(signed(&boss, request)).await)
    };
    link(&public.ticket_id).await.expect("linked");
    link(&internal.ticket_id).await.expect("linked");
    assert_eq!(refused(link(&id().to_string()).await), "NOT_FOUND");
    // Of another device, which the caller sees too.
    let other = house.ticket_of_another_device().await;
    assert_eq!(fields(link(&other).await), ["ticket_id"]);
    // From outside an internal ticket is not named (T-13), and the session stays: it is no part of that ticket.
    assert_eq!(house.get(&guest, &session).await.expect("it").ticket_ids, [public.ticket_id.as_str()]);
    let by = |ticket: &str| video::SessionFilter { ticket_id: ticket.into(), ..Default::default() };
    assert_eq!(house.list(&guest, by(&public.ticket_id)).await.expect("a list").len(), 1);
    assert!(house.list(&guest, by(&internal.ticket_id)).await.expect("a list").is_empty());
    assert_eq!(house.list(&boss, by(&internal.ticket_id)).await.expect("a list").len(), 1);
    let request = video::UnlinkTicketRequest {
        request_id: request_id(),
        session_id: session.clone(),
        ticket_id: internal.ticket_id.clone(),
    };
    done(house.service().unlink_ticket(signed(&boss, request)).await).expect("unlinked");
    let deleted = tickets::TicketDeleted {
        ticket_id: public.ticket_id.clone(),
        organisation_id: house.people.id.to_string(),
        ..tickets::TicketDeleted::default()
    };
    house.assign(&public.ticket_id, 1, &[id()]).await;
    house.stage.publish(house.people.id, uuid(&public.ticket_id), 2, &deleted).await;
    house.until("no links", &session, |found| found.ticket_ids.is_empty().then_some(())).await;
    let left: i64 = sqlx::query_scalar("select count(*) from video.known_offer where ticket_id = $1")
        .bind(uuid(&public.ticket_id))
        .fetch_one(house.stage.pool())
        .await
        .expect("a count");
    assert_eq!(left, 0);
    let told = house.stage.told(uuid(&session), "video.session_unlinked").await;
    assert_eq!(told.last().map(String::as_str), Some("video.session_unlinked"));
    house.stage.stop().await;
}

#[tokio::test]
async fn t_13_a_ticket_that_turns_internal_hides_its_sessions_and_ends_their_calls() {
    let house = House::new().await;
    house.rate_sessions(1, true).await;
    let (boss, guest) = (house.boss(), house.guest());
    let ticket = house.ticket(tickets::Visibility::Public).await;
    let plan = video::CreateSessionRequest { ticket_ids: vec![ticket.ticket_id.clone()], ..house.plan() };
    let session = house.create(&boss, plan).await.expect("made").id;
    house.join(&guest, &session).await.expect("joined");
    let facts = tickets::TicketFacts { visibility: tickets::Visibility::Internal.into(), ..ticket.clone() };
    let turned = tickets::TicketVisibilityChanged { ticket: Some(facts), ..Default::default() };
    house.stage.publish(house.people.id, uuid(&ticket.ticket_id), 2, &turned).await;
    house.until_status(&session, SessionStatus::Closed).await;
    for who in [guest.clone(), house.people.customer_user(house.customer)] {
        assert_eq!(refused(house.get(&who, &session).await), "NOT_FOUND");
        assert_eq!(refused(house.end(&who, &session).await), "NOT_FOUND");
    }
    assert_eq!(house.get(&boss, &session).await.expect("it").visibility(), video::Visibility::Internal);
    house.stage.stop().await;
}
