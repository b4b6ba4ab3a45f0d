//! F-2, F-4 and F-8 where a device comes to other departments while tickets on it are open.

use callboard_kernel::{Principal, Role};
use callboard_proto::directory::v1 as directory;
use callboard_proto::fleet::v1 as fleet;
use callboard_proto::tickets::v1 as tickets;
use callboard_testkit::{PATIENCE, eventually};
use tonic::Code;
use uuid::Uuid;

use crate::house::{House, offer_of};
use callboard_stage::{id, signed};

/// The directory tells of the ticket's device; returns when fleet knows.
async fn device_is(house: &House, ticket: &tickets::TicketFacts, version: i64, departments: &[Uuid]) {
    let device: Uuid = ticket.device_id.parse().expect("an id");
    let facts = house.people.device_facts(device, house.template, None, departments);
    let message = directory::DeviceChanged { device: Some(facts), ..Default::default() };
    house.tell(device, version, &message).await;
    eventually("the device is known", PATIENCE, || async {
        let known: Option<i64> = sqlx::query_scalar("select version from fleet.known_device where id = $1")
            .bind(device)
            .fetch_optional(house.stage.pool())
            .await
            .expect("an answer");
        if known.is_some_and(|known| known >= version) { Ok(()) } else { Err(known) }
    })
    .await;
}

async fn isolate(house: &House) {
    let organisation = directory::Organisation {
        id: house.organisation.to_string(),
        isolation: directory::Isolation::Strict.into(),
        ..Default::default()
    };
    let message = directory::OrganisationChanged { organisation: Some(organisation), ..Default::default() };
    house.tell(house.organisation, 1, &message).await;
    eventually("the isolation is known", PATIENCE, || async {
        let known: bool = sqlx::query_scalar("select exists (select from fleet.known_organisation)")
            .fetch_one(house.stage.pool())
            .await
            .expect("an answer");
        if known { Ok(()) } else { Err("not yet") }
    })
    .await;
}

/// A strict organisation with somebody of the north, somebody of the south and somebody of no department, all three in
/// the group.
struct Split {
    house: House,
    north: Uuid,
    south: Uuid,
    people: [Uuid; 3],
}

impl Split {
    async fn new() -> Self {
        let house = House::new().await;
        let (north, south) = (id(), id());
        let people =
            [house.hire(&[north], &[]).await, house.hire(&[south], &[]).await, house.hire(&[], &[]).await];
        house.knows(3).await;
        isolate(&house).await;
        house.put_group(house.group(&people)).await;
        Self { house, north, south, people }
    }

    fn ticket_of(&self, department: Uuid, device_version: i64) -> tickets::TicketFacts {
        let department_ids = vec![department.to_string()];
        tickets::TicketFacts { department_ids, device_version, ..self.house.ticket() }
    }

    fn northern(&self) -> Principal {
        self.house.people.employee(self.people[0], Role::Member, &[self.north])
    }

    fn southern(&self) -> Principal {
        self.house.people.employee(self.people[1], Role::Member, &[self.south])
    }
}

/// Who holds an open offer or is assigned.
fn holders(dispatch: &fleet::Dispatch) -> Vec<String> {
    let open = [i32::from(fleet::OfferStatus::Unseen), i32::from(fleet::OfferStatus::Seen)];
    let requested = dispatch.requested.iter().filter(|offer| open.contains(&offer.status));
    let assigned = dispatch.assigned.iter().map(|assignment| assignment.employee_id.clone());
    assigned.chain(requested.map(|offer| offer.employee_id.clone())).collect()
}

#[tokio::test]
async fn f_8_a_device_that_changes_departments_takes_offers_and_assignments_from_those_left_behind() {
    let split = Split::new().await;
    let house = &split.house;
    let [northern, southern, anybody] = split.people;
    let (offered, taken) = (split.ticket_of(split.north, 1), split.ticket_of(split.north, 1));
    for ticket in [&offered, &taken] {
        device_is(house, ticket, 1, &[split.north]).await;
        let dispatch = house.open(ticket).await;
        assert_eq!(holders(&dispatch).len(), 2, "not the south's: {dispatch:?}");
    }
    let offer = offer_of(&house.dispatch(&house.boss(), &offered.ticket_id).await.expect("seen"), &northern)
        .id
        .clone();
    let dispatch = house.dispatch(&house.boss(), &taken.ticket_id).await.expect("seen");
    house.accept(&split.northern(), &offer_of(&dispatch, &northern).id).await.expect("accepted");

    for ticket in [&offered, &taken] {
        device_is(house, ticket, 2, &[split.south]).await;
        house
            .until("only who sees it holds it", &ticket.ticket_id, |dispatch| {
                holders(dispatch) == [anybody.to_string()]
            })
            .await;
    }
    let told = house.told(&taken.ticket_id, "assignment.cancelled").await;
    assert!(told.contains(&"offer.accepted".to_owned()), "{told:?}");

    // Gone in every call; the south sees it, and is available (F-4).
    let gone = house.dispatch(&split.northern(), &offered.ticket_id).await.expect_err("the south's");
    assert_eq!(gone.code(), Code::NotFound);
    assert_eq!(house.accept(&split.northern(), &offer).await.expect_err("gone").code(), Code::NotFound);
    let seen = fleet::MarkSeenRequest { request_id: id().to_string(), ticket_id: offered.ticket_id.clone() };
    let seen = house.fleet().mark_seen(signed(&split.northern(), seen)).await.expect_err("gone");
    assert_eq!(seen.code(), Code::NotFound);
    let dispatch = house.dispatch(&split.southern(), &offered.ticket_id).await.expect("the south's");
    let available = &dispatch.available_employee_ids;
    assert!(available.contains(&southern.to_string()) && !available.contains(&northern.to_string()));
    split.house.stage.stop().await;
}

#[tokio::test]
async fn f_2_a_ticket_that_opens_again_is_offered_where_its_device_is_now() {
    let split = Split::new().await;
    let house = &split.house;
    let [_, southern, anybody] = split.people;
    let ticket = split.ticket_of(split.north, 1);
    device_is(house, &ticket, 1, &[split.north]).await;
    house.open(&ticket).await;
    let with = |status: tickets::TicketStatus| {
        Some(tickets::TicketFacts { status: status.into(), ..ticket.clone() })
    };
    let cancelled =
        tickets::TicketCancelled { ticket: with(tickets::TicketStatus::Cancelled), ..Default::default() };
    house.tell_ticket(&ticket.ticket_id, 2, &cancelled).await;
    house.until("nobody holds it", &ticket.ticket_id, |dispatch| holders(dispatch).is_empty()).await;
    device_is(house, &ticket, 2, &[split.south]).await;
    let reopened =
        tickets::TicketReopened { ticket: with(tickets::TicketStatus::Open), ..Default::default() };
    house.tell_ticket(&ticket.ticket_id, 3, &reopened).await;
    let mut expected = [southern.to_string(), anybody.to_string()];
    expected.sort();
    house
        .until("the south is asked", &ticket.ticket_id, |dispatch| {
            let mut now = holders(dispatch);
            now.sort();
            now == expected
        })
        .await;
    split.house.stage.stop().await;
}

/// Devices and tickets come on ways of their own: a ticket may know more of its device than fleet does.
#[tokio::test]
async fn f_2_what_a_ticket_knows_of_its_device_counts_while_it_is_the_newer() {
    let split = Split::new().await;
    let house = &split.house;
    let [_, southern, anybody] = split.people;
    let ticket = split.ticket_of(split.south, 2);
    device_is(house, &ticket, 1, &[split.north]).await;
    let dispatch = house.open(&ticket).await;
    let mut expected = [southern.to_string(), anybody.to_string()];
    expected.sort();
    let mut now = holders(&dispatch);
    now.sort();
    assert_eq!(now, expected);
    // Heard of late, it changes nothing.
    device_is(house, &ticket, 2, &[split.south]).await;
    house.dispatch(&split.southern(), &ticket.ticket_id).await.expect("seen");
    split.house.stage.stop().await;
}
