//! Who hears and reads is judged by the device as it is now (table of actors, department isolation).

use callboard_kernel::{Principal, Role};
use callboard_proto::directory::v1 as directory;
use callboard_proto::notifications::v1 as proto;
use callboard_proto::notifications::v1::watch_entries_response::Event;
use callboard_proto::notifications::v1::{Channel, DeliveryState, EventType};
use callboard_stage::{id, signed};
use callboard_testkit::{PATIENCE, eventually};
use uuid::Uuid;

use super::house::{House, Told, uuid};

impl House {
    /// The device is this now, and it is known.
    async fn device(&self, device: Uuid, version: i64, customer: Option<Uuid>, departments: &[Uuid]) {
        let facts = self.people.device_facts(device, id(), customer, departments);
        let message = directory::DeviceChanged { device: Some(facts), previous: None };
        self.stage.publish(self.people.id, device, version, &message).await;
        eventually("the device is known", PATIENCE, || async {
            let known: Option<i64> = sqlx::query_scalar("select version from known_device where id = $1")
                .bind(device)
                .fetch_optional(self.stage.pool())
                .await
                .map_err(|error| error.to_string())?;
            if known == Some(version) { Ok(()) } else { Err(format!("{known:?}")) }
        })
        .await;
    }

    /// Who was told of an event, once it is decided.
    async fn told(&self, event: Uuid) -> Vec<String> {
        self.decided(event).await;
        sqlx::query_scalar("select person from telling where event_id = $1")
            .bind(event)
            .fetch_all(self.stage.pool())
            .await
            .expect("people")
    }

    async fn ticket_on(&self, customer: Option<Uuid>, device_version: i64, involved: &[&Principal]) -> Told {
        let mut facts = self.people.ticket_facts(id());
        facts.customer_id = customer.map(|id| id.to_string()).unwrap_or_default();
        facts.device_version = device_version;
        facts.involved_employee_ids = involved.iter().map(|who| uuid(who).to_string()).collect();
        let told = Told { facts, version: 1 };
        self.open(&told).await;
        told
    }
}

fn user(who: &Principal) -> String {
    format!("customer_user:{}", uuid(who))
}

fn employee(who: &Principal) -> String {
    format!("employee:{}", uuid(who))
}

#[tokio::test]
async fn a_sold_device_takes_none_of_its_former_owner_s_tickets_along_and_its_former_owner_sees_none_any_more()
 {
    let house = House::new().await;
    let nora = house.known(house.people.member(), "en", "Nora").await;
    let (seller, buyer) = (id(), id());
    let anna = house.known_customer(seller, "Anna").await;
    let bert = house.known_customer(buyer, "Bert").await;
    let ticket = house.ticket_on(Some(seller), 1, &[&nora]).await;
    house.device(ticket.device(), 1, Some(seller), &[]).await;
    let (event, _) = house.say(&ticket, &nora).await;
    assert!(house.told(event).await.contains(&user(&anna)));
    house.entry(&anna, EventType::Message, |_| true).await;
    let watching = house.client().watch_entries(signed(&anna, proto::WatchEntriesRequest {})).await;
    let mut stream = watching.expect("a stream").into_inner();
    let first = stream.message().await.expect("alive").expect("an event").event;
    assert!(matches!(first, Some(Event::UnreadCount(count)) if count.unread > 0), "{first:?}");

    house.device(ticket.device(), 2, Some(buyer), &[]).await;
    // Also from a window that is open.
    loop {
        let next = stream.message().await.expect("alive").expect("an event").event;
        if matches!(next, Some(Event::UnreadCount(count)) if count.unread == 0) {
            break;
        }
    }
    assert_eq!(house.entries(&anna).await, []);
    let (event, _) = house.say(&ticket, &nora).await;
    let told = house.told(event).await;
    assert!(!told.contains(&user(&anna)) && !told.contains(&user(&bert)), "{told:?}");
    assert_eq!(house.entries(&bert).await, []);

    // What opened while it was nobody's is the buyer's; and what the ticket itself knows better counts.
    let found = house.ticket_on(None, 1, &[&nora]).await;
    house.device(found.device(), 2, Some(buyer), &[]).await;
    let (event, _) = house.say(&found, &nora).await;
    assert!(house.told(event).await.contains(&user(&bert)));
    house.entry(&bert, EventType::Message, |entry| entry.subject_id == found.id()).await;
    let later = house.ticket_on(Some(seller), 3, &[&nora]).await;
    house.device(later.device(), 2, Some(buyer), &[]).await;
    let (event, _) = house.say(&later, &nora).await;
    assert!(house.told(event).await.contains(&user(&anna)));
    house.entry(&anna, EventType::Message, |entry| entry.subject_id == later.id()).await;
}

#[tokio::test]
async fn n_3_what_waits_for_a_device_s_former_owner_is_withheld_when_it_is_sent() {
    let house = House::new().await;
    let nora = house.known(house.people.member(), "en", "Nora").await;
    let seller = id();
    let anna = house.known_customer(seller, "Anna").await;
    let ticket = house.ticket_on(Some(seller), 1, &[&nora]).await;
    house.mail.refuse(Some(451));
    let (event, _) = house.say(&ticket, &nora).await;
    let key = uuid(&anna).to_string();
    eventually("it was tried once", PATIENCE, || async {
        let log = house.log(event).await;
        let tried = log.iter().any(|one| {
            let hers = one.person.as_ref().is_some_and(|person| person.id == key);
            hers && one.channel() == Channel::Email && one.reason == "NOT_NOW"
        });
        if tried { Ok(()) } else { Err(log) }
    })
    .await;
    house.device(ticket.device(), 2, None, &[]).await;
    house.mail.refuse(None);
    let settled = house.settled(event, &anna).await;
    assert_eq!(settled[&Channel::Email], (DeliveryState::Withheld, "NOT_VISIBLE".into()));
    let to_anna = |mail: &callboard_backing::CaughtMail| mail.to.iter().any(|to| to.starts_with("anna@"));
    assert!(!house.mail.mails().iter().any(to_anna));
}

#[tokio::test]
async fn under_strict_isolation_a_device_that_changes_departments_is_heard_and_read_of_where_it_is_now() {
    let house = House::new().await;
    let strict = directory::Organisation {
        id: house.people.id.to_string(),
        isolation: directory::Isolation::Strict.into(),
        language: "en".into(),
        ..Default::default()
    };
    let message = directory::OrganisationChanged { organisation: Some(strict), previous: None };
    house.stage.publish(house.people.id, house.people.id, 1, &message).await;
    house.until_known("known_organisation", house.people.id).await;
    let (north, south) = (id(), id());
    let nora = house.people.employee(id(), Role::Member, &[north]);
    let nora = house.known_in(nora, "en", "Nora", &[north], &[]).await;
    let sven = house.people.employee(id(), Role::Member, &[south]);
    let sven = house.known_in(sven, "en", "Sven", &[south], &[]).await;
    let boss = house.known(house.people.moderator(), "en", "Boss").await;
    let mut ticket = house.ticket_on(None, 1, &[&nora, &sven]).await;
    house.turn(&mut ticket, |facts| facts.department_ids = vec![north.to_string()]).await;
    house.device(ticket.device(), 1, None, &[north]).await;
    let (event, _) = house.say(&ticket, &boss).await;
    let told = house.told(event).await;
    assert!(told.contains(&employee(&nora)) && !told.contains(&employee(&sven)), "{told:?}");
    house.entry(&nora, EventType::Message, |_| true).await;
    let watching = house.client().watch_entries(signed(&nora, proto::WatchEntriesRequest {})).await;
    let mut stream = watching.expect("a stream").into_inner();

    house.device(ticket.device(), 2, None, &[south]).await;
    loop {
        let next = stream.message().await.expect("alive").expect("an event").event;
        if matches!(next, Some(Event::UnreadCount(count)) if count.unread == 0) {
            break;
        }
    }
    assert_eq!(house.entries(&nora).await, []);
    let (event, _) = house.say(&ticket, &boss).await;
    let told = house.told(event).await;
    assert!(told.contains(&employee(&sven)) && !told.contains(&employee(&nora)), "{told:?}");
    house.entry(&sven, EventType::Message, |_| true).await;
    assert_eq!(house.entries(&nora).await, []);
}
