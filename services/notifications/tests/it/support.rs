//! The support desk: who hears of what (S-2 to S-5).

use callboard_kernel::{Principal, Role};
use callboard_proto::directory::v1 as directory;
use callboard_proto::directory::v1::SupportRole;
use callboard_proto::notifications::v1::{Channel, DeliveryState, EventType};
use callboard_proto::support::v1 as support;
use callboard_service::convert::to_proto_actor;
use callboard_stage::id;
use uuid::Uuid;

use super::house::{House, uuid};

/// A ticket of the desk as it tells of itself.
struct Desk {
    facts: support::TicketFacts,
    version: i64,
}

impl Desk {
    fn new(house: &House, kind: support::TicketType, requester: Option<&Principal>) -> Self {
        let facts = support::TicketFacts {
            ticket_id: id().to_string(),
            organisation_id: house.people.id.to_string(),
            r#type: kind.into(),
            status: support::TicketStatus::New.into(),
            requester: requester.map(|who| to_proto_actor(who.actor())),
            ..Default::default()
        };
        Self { facts, version: 0 }
    }

    async fn tell<M: callboard_proto::Event>(&mut self, house: &House, message: &M) -> Uuid {
        self.version += 1;
        let key = self.facts.ticket_id.parse().expect("an id");
        house.stage.publish(house.people.id, key, self.version, message).await
    }

    async fn opens(&mut self, house: &House) -> Uuid {
        let message = support::TicketOpened { ticket: Some(self.facts.clone()), ..Default::default() };
        self.tell(house, &message).await
    }

    async fn assigned(&mut self, house: &House, to: Option<&Principal>) -> Uuid {
        self.facts.assignee_id = to.map(|who| uuid(who).to_string()).unwrap_or_default();
        let message = support::TicketAssigned {
            ticket: Some(self.facts.clone()),
            assigned_by: Some(to_proto_actor(house.people.moderator().actor())),
            mail_at_once: to.is_some(),
            ..Default::default()
        };
        self.tell(house, &message).await
    }

    async fn comments(&mut self, house: &House, author: &Principal) -> Uuid {
        let message = support::TicketCommented {
            ticket: Some(self.facts.clone()),
            number: 1,
            author: Some(to_proto_actor(author.actor())),
        };
        self.tell(house, &message).await
    }
}

#[tokio::test]
async fn s_2_of_comments_hears_the_requester_of_care_coordination_and_of_nothing_else() {
    let house = House::new().await;
    let ada = house.known_in(house.people.member(), "en", "Ada", &[], &[SupportRole::Care]).await;
    let carla = house.known_customer(id(), "Carla").await;
    let mut general = Desk::new(&house, support::TicketType::ServiceRequest, Some(&carla));
    let mut care = Desk::new(&house, support::TicketType::CareCoordination, Some(&carla));
    for desk in [&mut general, &mut care] {
        desk.opens(&house).await;
        let event = desk.comments(&house, &ada).await;
        house.decided(event).await;
    }
    house.entry(&carla, EventType::SupportComment, |entry| entry.subject_id == care.facts.ticket_id).await;
    assert_eq!(house.entries(&carla).await.len(), 1, "a general request is not theirs to see");
    house.mails("carla@people.example", 1).await;
    // What they wrote themselves is no news.
    let event = care.comments(&house, &carla).await;
    house.decided(event).await;
    assert_eq!(house.entry(&carla, EventType::SupportComment, |_| true).await.count, 1);
}

#[tokio::test]
async fn s_4_a_domain_that_is_approved_by_itself_asks_nobody_to_act() {
    let house = House::new().await;
    let people = house.people;
    let ada = house.known_in(people.member(), "en", "Ada", &[], &[SupportRole::Access]).await;
    let mut listed = Desk::new(&house, support::TicketType::DomainApproval, None);
    listed.facts.status = support::TicketStatus::Solved.into();
    listed.facts.decision = support::DomainDecision::Approved.into();
    listed.opens(&house).await;
    // In the same step, so of the same version.
    listed.version -= 1;
    let message = support::DomainDecided { ticket: Some(listed.facts.clone()), ..Default::default() };
    listed.tell(&house, &message).await;
    house.entry(&ada, EventType::SupportDecided, |_| true).await;
    let heard = house.entries(&ada).await;
    assert_eq!(heard.len(), 1, "of the decision alone: {heard:?}");
    let mut pending = Desk::new(&house, support::TicketType::DomainApproval, None);
    pending.opens(&house).await;
    house.entry(&ada, EventType::SupportOpened, |entry| entry.subject_id == pending.facts.ticket_id).await;
}

#[tokio::test]
async fn s_5_of_comments_hears_the_assignee_in_whatever_field_they_work() {
    let house = House::new().await;
    let people = house.people;
    let ada = house.known_in(people.member(), "en", "Ada", &[], &[SupportRole::Care]).await;
    let sam = house.known_in(people.member(), "en", "Sam", &[], &[SupportRole::Sales]).await;
    let tom = house.known_in(people.member(), "en", "Tom", &[], &[SupportRole::Sales]).await;
    let mut desk = Desk::new(&house, support::TicketType::ServiceRequest, None);
    desk.facts.assignee_id = uuid(&sam).to_string();
    let event = desk.comments(&house, &ada).await;
    house.entry(&sam, EventType::SupportComment, |entry| entry.unread).await;
    house.settled(event, &sam).await;
    house.mails("sam@people.example", 1).await;
    // Not of what they wrote themselves.
    let own = desk.comments(&house, &sam).await;
    house.decided(own).await;
    house.entry(&ada, EventType::SupportComment, |entry| entry.unread && entry.count == 1).await;
    assert_eq!(house.entry(&sam, EventType::SupportComment, |_| true).await.count, 1);
    assert_eq!(house.entries(&tom).await, []);
}

#[tokio::test]
async fn n_3_who_is_not_the_assignee_any_more_is_not_told_of_it() {
    let house = House::new().await;
    let people = house.people;
    let ada = house.known_in(people.member(), "en", "Ada", &[], &[SupportRole::Care]).await;
    let sam = house.known_in(people.member(), "en", "Sam", &[], &[SupportRole::Sales]).await;
    let mut desk = Desk::new(&house, support::TicketType::ServiceRequest, None);
    house.mail.refuse(Some(451));
    let assigned = desk.assigned(&house, Some(&sam)).await;
    let comment = desk.comments(&house, &ada).await;
    for event in [assigned, comment] {
        house.put_off(event, &sam).await;
    }
    desk.assigned(&house, None).await;
    house.until_version(desk.facts.ticket_id.parse().expect("an id"), desk.version).await;
    house.mail.refuse(None);
    for event in [assigned, comment] {
        assert_eq!(house.settled(event, &sam).await[&Channel::Email].0, DeliveryState::Withheld);
    }
}

#[tokio::test]
async fn s_3_under_strict_isolation_too_the_assignee_is_told_at_once() {
    let house = House::new().await;
    let people = house.people;
    let strict = directory::Organisation {
        id: people.id.to_string(),
        isolation: directory::Isolation::Strict.into(),
        language: "en".into(),
        ..Default::default()
    };
    let message = directory::OrganisationChanged { organisation: Some(strict), previous: None };
    house.stage.publish(people.id, people.id, 1, &message).await;
    house.until_known("known_organisation", people.id).await;
    let north = id();
    let sam = people.employee(id(), Role::Member, &[north]);
    let sam = house.known_in(sam, "en", "Sam", &[north], &[SupportRole::Sales]).await;
    let mut desk = Desk::new(&house, support::TicketType::Purchase, None);
    let event = desk.assigned(&house, Some(&sam)).await;
    house.entry(&sam, EventType::SupportAssigned, |entry| entry.unread).await;
    assert_eq!(house.settled(event, &sam).await[&Channel::Email].0, DeliveryState::Delivered);
}
