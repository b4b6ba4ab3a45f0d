//! Video sessions: who hears of them (N-2, N-4, V-2).

use callboard_kernel::Principal;
use callboard_proto::notifications::v1 as proto;
use callboard_proto::notifications::v1::EventType;
use callboard_proto::ratings::v1 as ratings;
use callboard_proto::video::v1 as video;
use callboard_service::convert::to_proto_actor;
use callboard_stage::{done, id, signed};
use callboard_testkit::{PATIENCE, eventually};
use uuid::Uuid;

use super::addresses::{EMAIL, add, open, token};
use super::house::{House, uuid};

/// A session as others tell of it.
struct Session {
    facts: video::SessionFacts,
    version: i64,
}

impl Session {
    fn requested(house: &House, template: Uuid, visitor: &Principal, device: Uuid) -> Self {
        let facts = video::SessionFacts {
            session_id: id().to_string(),
            organisation_id: house.people.id.to_string(),
            device_id: device.to_string(),
            template_id: template.to_string(),
            customer_id: id().to_string(),
            status: video::SessionStatus::Requested.into(),
            visibility: video::Visibility::Public.into(),
            requester: Some(to_proto_actor(visitor.actor())),
            ..Default::default()
        };
        Self { facts, version: 0 }
    }

    async fn tell<M: callboard_proto::Event>(&mut self, house: &House, message: &M) -> Uuid {
        self.version += 1;
        let key = self.facts.session_id.parse().expect("an id");
        house.stage.publish(house.people.id, key, self.version, message).await
    }

    fn session(&self) -> Option<video::SessionFacts> {
        Some(self.facts.clone())
    }
}

async fn responsible(house: &House, template: Uuid, who: &Principal) {
    let message = video::SessionFlowChanged {
        template_id: template.to_string(),
        organisation_id: house.people.id.to_string(),
        requests_allowed: true,
        responsible_employee_ids: vec![uuid(who).to_string()],
        ..Default::default()
    };
    house.stage.publish(house.people.id, template, 1, &message).await;
    eventually("the flow is known", PATIENCE, || async {
        let known: i64 = sqlx::query_scalar("select count(*) from known_session_flow where template_id = $1")
            .bind(template)
            .fetch_one(house.stage.pool())
            .await
            .map_err(|error| error.to_string())?;
        if known == 1 { Ok(()) } else { Err("unknown".to_owned()) }
    })
    .await;
}

#[tokio::test]
async fn n_2_a_session_is_heard_of_from_its_request_to_its_rating_by_those_it_concerns() {
    let house = House::new().await;
    let nora = house.known(house.people.member(), "en", "Nora").await;
    let boss = house.known(house.people.moderator(), "en", "Boss").await;
    let (template, device) = (id(), id());
    let visitor = house.visitor(device).await;
    responsible(&house, template, &nora).await;
    let mut session = Session::requested(&house, template, &visitor, device);
    let company = session.facts.customer_id.parse().expect("an id");
    let carla = house.known_customer(company, "Carla").await;
    let message = video::SessionRequested { session: session.session() };
    session.tell(&house, &message).await;
    let asked = house.entry(&nora, EventType::VideoRequested, |_| true).await;
    assert_eq!(
        (asked.subject_kind(), asked.text.as_str()),
        (proto::SubjectKind::VideoSession, "The visitor asks for a video session")
    );
    house.entry(&carla, EventType::VideoRequested, |entry| entry.origin() == proto::Origin::Others).await;
    house.entry(&visitor, EventType::VideoRequested, |entry| entry.origin() == proto::Origin::Me).await;
    assert_eq!(house.entries(&boss).await, [], "somebody is responsible");

    session.facts.status = video::SessionStatus::Confirmed.into();
    session.facts.employee_id = uuid(&nora).to_string();
    let by = Some(to_proto_actor(nora.actor()));
    let message = video::SessionConfirmed { session: session.session(), by };
    session.tell(&house, &message).await;
    house.entry(&visitor, EventType::VideoConfirmed, |entry| entry.unread).await;
    house.entry(&nora, EventType::VideoConfirmed, |entry| entry.origin() == proto::Origin::Me).await;

    let side = video::Side::Guest.into();
    let message = video::CallStarted { session: session.session(), call_number: 1, side };
    session.tell(&house, &message).await;
    house.entry(&nora, EventType::VideoCall, |entry| entry.unread).await;
    let message = video::CallEnded { session: session.session(), call_number: 1, ..Default::default() };
    session.tell(&house, &message).await;
    house.entry(&visitor, EventType::VideoEnded, |_| true).await;
    let question = ratings::RatingRequested {
        rating: Some(ratings::RatingFacts {
            subject_kind: ratings::SubjectKind::VideoSession.into(),
            subject_id: session.facts.session_id.clone(),
            organisation_id: house.people.id.to_string(),
            ..Default::default()
        }),
    };
    house.stage.publish(house.people.id, id(), 1, &question).await;
    let question = house.entry(&visitor, EventType::RatingRequested, |_| true).await;
    assert_eq!(question.text, "How did we do? Please rate the video session");
    let message = video::SessionRated { session: session.session(), score: 4, previous_score: 0 };
    session.tell(&house, &message).await;
    let rated = house.entry(&nora, EventType::VideoRated, |_| true).await;
    assert_eq!(rated.text, "A video session was rated 4 of 5");

    // T-13, V-7: internal, it is gone from outsiders' drawers.
    session.facts.visibility = video::Visibility::Internal.into();
    let message = video::SessionVisibilityChanged { session: session.session(), ..Default::default() };
    session.tell(&house, &message).await;
    for who in [&visitor, &carla] {
        eventually("it is hidden", PATIENCE, || async {
            let left = house.entries(who).await;
            if left.is_empty() { Ok(()) } else { Err(left) }
        })
        .await;
    }
    house.entry(&nora, EventType::VideoEnded, |_| true).await;
}

#[tokio::test]
async fn v_2_a_request_that_nobody_is_responsible_for_is_heard_by_who_steers_and_its_withdrawal_by_who_heard_it()
 {
    let house = House::new().await;
    let nora = house.known(house.people.member(), "en", "Nora").await;
    let boss = house.known(house.people.moderator(), "de", "Boss").await;
    let (template, device) = (id(), id());
    let visitor = house.visitor(device).await;
    let mut session = Session::requested(&house, template, &visitor, device);
    let message = video::SessionRequested { session: session.session() };
    session.tell(&house, &message).await;
    house.entry(&boss, EventType::VideoRequested, |_| true).await;
    assert_eq!(house.entries(&nora).await, []);

    responsible(&house, template, &nora).await;
    let mut second = Session::requested(&house, template, &visitor, device);
    let message = video::SessionRequested { session: second.session() };
    second.tell(&house, &message).await;
    house.entry(&nora, EventType::VideoRequested, |_| true).await;
    second.facts.status = video::SessionStatus::Cancelled.into();
    let message = video::SessionCancelled {
        session: second.session(),
        previous_status: video::SessionStatus::Requested.into(),
        by: Some(to_proto_actor(visitor.actor())),
    };
    second.tell(&house, &message).await;
    house.entry(&nora, EventType::VideoCancelled, |_| true).await;

    let rules = done(house.client().get_preferences(signed(&nora, proto::GetPreferencesRequest {})).await);
    let rules = rules.expect("preferences").preferences.expect("preferences").rules;
    let urgent = rules
        .iter()
        .find(|rule| rule.event_type() == EventType::VideoCall && rule.origin() == proto::Origin::Others);
    assert_eq!(urgent.map(|rule| rule.channels.len()), Some(3));
}

#[tokio::test]
async fn v_2_who_is_offered_or_works_on_a_linked_ticket_hears_of_a_request_while_that_is_so() {
    let house = House::new().await;
    let nora = house.known(house.people.member(), "en", "Nora").await;
    let emil = house.known(house.people.member(), "en", "Emil").await;
    let olga = house.known(house.people.member(), "en", "Olga").await;
    let rosa = house.known(house.people.member(), "en", "Rosa").await;
    let (template, device) = (id(), id());
    let visitor = house.visitor(device).await;
    responsible(&house, template, &rosa).await;
    let ticket = house.ticket(&[&nora]).await;
    house.offer(&ticket, 1, &[&emil, &olga]).await;
    house.entry(&olga, EventType::Offer, |_| true).await;
    house.mails("olga@people.example", 1).await;
    house.declines(&ticket, 2, &olga).await;
    house.until_called("declined", 1).await;
    let mut session = Session::requested(&house, template, &visitor, device);
    session.facts.ticket_ids = vec![ticket.id().to_owned()];
    let message = video::SessionRequested { session: session.session() };
    house.mails("emil@people.example", 1).await;
    house.mail.refuse(Some(451));
    let event = session.tell(&house, &message).await;
    for who in [&nora, &emil, &rosa] {
        house.entry(who, EventType::VideoRequested, |entry| entry.unread).await;
    }
    let heard = house.entries(&olga).await;
    assert!(heard.iter().all(|entry| entry.event_type() != EventType::VideoRequested), "{heard:?}");
    // N-3: whose offer is taken back before it is sent may not confirm any more.
    house.put_off(event, &emil).await;
    house.withdraws(&ticket, 3, &emil).await;
    house.until_called("not offered", 2).await;
    house.mail.refuse(None);
    let settled = house.settled(event, &emil).await;
    assert_eq!(settled[&proto::Channel::Email].0, proto::DeliveryState::Withheld);
    let settled = house.settled(event, &nora).await;
    assert_eq!(settled[&proto::Channel::Email].0, proto::DeliveryState::Delivered);
}

#[tokio::test]
async fn n_6_e_mails_about_a_session_lead_to_it_and_let_in_for_a_while_who_does_not_log_in() {
    let house =
        House::with(|stage| stage.with("notifications.video_session_url", "{public_url}/sessions/{session}"))
            .await;
    let (template, device) = (id(), id());
    let visitor = house.visitor(device).await;
    add(&house, &visitor, EMAIL).await.expect("added");
    let asked = house.mails(EMAIL, 1).await.remove(0).part("text/plain").expect("a text");
    let confirmed = open(&house, &token(&asked)).await.expect("confirmed");
    assert_eq!((confirmed.subject_kind(), confirmed.subject_id.as_str()), (Default::default(), ""));
    let mut session = Session::requested(&house, template, &visitor, device);
    let company = session.facts.customer_id.parse().expect("an id");
    house.known_customer(company, "Carla").await;
    let key = session.facts.session_id.clone();
    session.facts.status = video::SessionStatus::InProgress.into();
    let side = video::Side::Employee.into();
    let message = video::CallStarted { session: session.session(), call_number: 1, side };
    session.tell(&house, &message).await;
    let text = house.mails(EMAIL, 2).await.remove(1).part("text/plain").expect("a text");
    assert!(text.contains("It ends on "), "it says so: {text}");
    let opened = open(&house, &token(&text)).await.expect("it lets in");
    assert_eq!((opened.subject_kind(), &opened.subject_id), (proto::SubjectKind::VideoSession, &key));
    assert_eq!((opened.ticket_id.as_str(), opened.code_token), ("", format!("text-of-{}", uuid(&visitor))));
    assert!(opened.expire_time.is_some());
    // Who logs in needs no way in.
    let text = house.mails("carla@people.example", 1).await.remove(0).part("text/plain").expect("a text");
    assert!(text.contains(&format!("https://callboard.example/sessions/{key}")), "{text}");
    assert!(!text.contains("/a/"), "{text}");
}

#[tokio::test]
async fn n_3_v_2_who_is_not_responsible_any_more_is_not_told_of_the_request() {
    let house = House::new().await;
    let nora = house.known(house.people.member(), "en", "Nora").await;
    let emil = house.known(house.people.member(), "en", "Emil").await;
    let (template, device) = (id(), id());
    let visitor = house.visitor(device).await;
    let responsible = async |version: i64, who: &[&Principal]| {
        let message = video::SessionFlowChanged {
            template_id: template.to_string(),
            organisation_id: house.people.id.to_string(),
            requests_allowed: true,
            responsible_employee_ids: who.iter().map(|who| uuid(who).to_string()).collect(),
            ..Default::default()
        };
        house.stage.publish(house.people.id, template, version, &message).await;
        eventually("the flow is known", PATIENCE, || async {
            let sql = "select version from known_session_flow where template_id = $1";
            let known: Option<i64> = sqlx::query_scalar(sql)
                .bind(template)
                .fetch_optional(house.stage.pool())
                .await
                .map_err(|error| error.to_string())?;
            if known == Some(version) { Ok(()) } else { Err(format!("{known:?}")) }
        })
        .await;
    };
    responsible(1, &[&nora, &emil]).await;
    house.mail.refuse(Some(451));
    let mut session = Session::requested(&house, template, &visitor, device);
    let message = video::SessionRequested { session: session.session() };
    let event = session.tell(&house, &message).await;
    for who in [&nora, &emil] {
        house.put_off(event, who).await;
    }
    responsible(2, &[&emil]).await;
    house.mail.refuse(None);
    let email = async |who| house.settled(event, who).await[&proto::Channel::Email].0;
    assert_eq!(email(&nora).await, proto::DeliveryState::Withheld);
    assert_eq!(email(&emil).await, proto::DeliveryState::Delivered);
}
