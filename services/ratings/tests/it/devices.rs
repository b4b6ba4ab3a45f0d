//! where a device is sold, or comes to other departments, after the ticket on it opened.

use callboard_kernel::{Principal, Role};
use callboard_proto::directory::v1 as directory;
use callboard_proto::ratings::v1 as ratings;
use callboard_proto::tickets::v1 as tickets;
use callboard_testkit::{PATIENCE, eventually};
use tonic::Code;
use uuid::Uuid;

use crate::house::House;
use callboard_stage::{id, signed};

fn device(ticket: &tickets::TicketFacts) -> Uuid {
    ticket.device_id.parse().expect("an id")
}

async fn known(house: &House, table: &'static str, id: Uuid, version: i64) {
    eventually(table, PATIENCE, || async {
        let sql = format!("select version from ratings.{table} where id = $1");
        let known: Option<i64> = sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
            .bind(id)
            .fetch_optional(house.stage.pool())
            .await
            .expect("an answer");
        if known.is_some_and(|known| known >= version) { Ok(()) } else { Err(known) }
    })
    .await;
}

/// The directory tells of a device; returns when ratings know.
async fn device_is(
    house: &House,
    device: Uuid,
    version: i64,
    customer: Option<Uuid>,
    departments: &[Uuid],
    removed: bool,
) {
    let facts = Some(house.people.device_facts(device, house.template, customer, departments));
    if removed {
        house.tell(device, version, &directory::DeviceRemoved { device: facts }).await;
    } else {
        let message = directory::DeviceChanged { device: facts, ..Default::default() };
        house.tell(device, version, &message).await;
    }
    known(house, "known_device", device, version).await;
}

async fn code(house: &House, who: &Principal, ticket: &str) -> Code {
    house.rating(who, ticket).await.map_or_else(|status| status.code(), |_| Code::Ok)
}

#[tokio::test]
async fn r_1_a_sold_device_is_rated_by_its_owner_and_not_by_the_former_one() {
    let house = House::new().await;
    house.switch(true).await;
    let (seller, buyer) = (id(), id());
    let (before, after) = (house.people.customer_user(seller), house.people.customer_user(buyer));
    let owned = |customer: Option<Uuid>| tickets::TicketFacts {
        customer_id: customer.map(|id| id.to_string()).unwrap_or_default(),
        device_version: 1,
        ..house.ticket()
    };
    // One opened while the device was the seller's, one while it was nobody's, one is on a device that is removed.
    let (sellers, nobodys, removed) = (owned(Some(seller)), owned(None), owned(Some(seller)));
    for ticket in [&sellers, &nobodys, &removed] {
        let customer = ticket.customer_id.parse().ok();
        device_is(&house, device(ticket), 1, customer, &[], false).await;
        house.done(ticket).await;
    }
    assert!(house.rating(&before, &sellers.ticket_id).await.expect("the seller's").may_submit);
    assert_eq!(code(&house, &after, &nobodys.ticket_id).await, Code::NotFound);

    device_is(&house, device(&sellers), 2, Some(buyer), &[], false).await;
    device_is(&house, device(&nobodys), 2, Some(buyer), &[], false).await;
    device_is(&house, device(&removed), 2, Some(seller), &[], true).await;
    for ticket in [&sellers, &removed] {
        assert_eq!(code(&house, &before, &ticket.ticket_id).await, Code::NotFound);
        let late = house.rate(&before, &ticket.ticket_id, 1).await.expect_err("no more");
        assert_eq!(late.code(), Code::NotFound);
    }
    // The former owner's reports are not sold along.
    assert_eq!(code(&house, &after, &sellers.ticket_id).await, Code::NotFound);
    assert!(house.rating(&after, &nobodys.ticket_id).await.expect("the buyer's").may_submit);
    house.rate(&after, &nobodys.ticket_id, 5).await.expect("rated");
    house.stage.stop().await;
}

#[tokio::test]
async fn r_4_ratings_are_seen_where_the_device_is_now() {
    let house = House::new().await;
    house.switch(true).await;
    let (north, south) = (id(), id());
    let organisation = directory::Organisation {
        id: house.organisation.to_string(),
        isolation: directory::Isolation::Strict.into(),
        ..Default::default()
    };
    let message = directory::OrganisationChanged { organisation: Some(organisation), ..Default::default() };
    house.tell(house.organisation, 1, &message).await;
    known(&house, "known_organisation", house.organisation, 1).await;
    let department_ids = vec![north.to_string()];
    let ticket = tickets::TicketFacts { department_ids, device_version: 1, ..house.ticket() };
    house.done(&ticket).await;
    house.rate(&house.people.code_user(device(&ticket)), &ticket.ticket_id, 4).await.expect("rated");
    let listed = async |department: Uuid| {
        let who = house.people.employee(id(), Role::Member, &[department]);
        let list = house.service().list_ratings(signed(&who, ratings::ListRatingsRequest::default())).await;
        let figures = ratings::GetRatingFiguresRequest::default();
        let figures = house.service().get_rating_figures(signed(&who, figures)).await.expect("figures");
        let counted =
            figures.into_inner().figures.iter().any(|figure| {
                figure.distribution.as_ref().is_some_and(|distribution| distribution.total > 0)
            });
        let found = list.expect("a list").into_inner().ratings.len();
        (found, counted, code(&house, &who, &ticket.ticket_id).await)
    };
    // Not told of the device: where the ticket says.
    assert_eq!(listed(north).await, (1, true, Code::Ok));
    assert_eq!(listed(south).await, (0, false, Code::NotFound));
    device_is(&house, device(&ticket), 1, None, &[north], false).await;
    assert_eq!(listed(north).await, (1, true, Code::Ok));
    device_is(&house, device(&ticket), 2, None, &[south], false).await;
    assert_eq!(listed(north).await, (0, false, Code::NotFound));
    assert_eq!(listed(south).await, (1, true, Code::Ok));
    house.stage.stop().await;
}
