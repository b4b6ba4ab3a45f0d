//! N-3: who is no longer what they heard of it as, when it is sent, is not told.

use callboard_kernel::Principal;
use callboard_proto::common::v1 as common;
use callboard_proto::directory::v1 as directory;
use callboard_proto::fleet::v1 as fleet;
use callboard_proto::notifications::v1 as proto;
use callboard_proto::notifications::v1::{Channel, DeliveryState};
use callboard_stage::{done, id, request_id, signed};
use callboard_testkit::{PATIENCE, eventually};
use uuid::Uuid;

use super::house::{House, Told, uuid};

/// The directory tells of an employee again; returns when it is known.
async fn changes(house: &House, who: &Principal, departments: &[Uuid]) {
    let mut facts = house.people.employee_facts(uuid(who), departments, &[]);
    facts.language = "en".into();
    facts.role = common::Role::Member.into();
    let changed = directory::EmployeeChanged { employee: Some(facts), ..Default::default() };
    house.stage.publish(house.people.id, uuid(who), 2, &changed).await;
    eventually("the employee is known as they are", PATIENCE, || async {
        let version: i64 = sqlx::query_scalar("select version from known_employee where id = $1")
            .bind(uuid(who))
            .fetch_one(house.stage.pool())
            .await
            .map_err(|error| error.to_string())?;
        if version == 2 { Ok(()) } else { Err(version.to_string()) }
    })
    .await;
}

fn withheld() -> (DeliveryState, String) {
    (DeliveryState::Withheld, "NOT_VISIBLE".to_owned())
}

#[tokio::test]
async fn n_3_who_left_the_notification_group_is_not_told_and_who_stayed_is() {
    let house = House::new().await;
    let department = id();
    let member = house.people.member();
    let left = house.known_in(member, "en", "Lea", &[department], &[]).await;
    let stays = house.known_in(house.people.member(), "en", "Stan", &[department], &[]).await;
    let group = proto::Group {
        id: id().to_string(),
        name: "Office".into(),
        department_ids: vec![department.to_string()],
        ..Default::default()
    };
    let create = proto::CreateGroupRequest { request_id: request_id(), group: Some(group.clone()) };
    done(house.groups().create_group(signed(&house.people.moderator(), create)).await).expect("a group");
    let mut facts = house.people.ticket_facts(id());
    facts.customer_id = id().to_string();
    facts.notification_group_id = group.id;
    let ticket = Told { facts, version: 1 };
    house.open(&ticket).await;
    house.mail.refuse(Some(451));
    let (event, _) = house.say(&ticket, &house.people.member()).await;
    for who in [&left, &stays] {
        house.put_off(event, who).await;
    }
    changes(&house, &left, &[]).await;
    house.mail.refuse(None);
    assert_eq!(house.settled(event, &left).await[&Channel::Email], withheld());
    assert_eq!(house.settled(event, &stays).await[&Channel::Email].0, DeliveryState::Delivered);
    house.mails("stan@people.example", 1).await;
    house.mails("lea@people.example", 0).await;
}

#[tokio::test]
async fn n_3_who_steers_no_longer_is_not_told_of_what_nobody_takes() {
    let house = House::new().await;
    let lost = house.known(house.people.moderator(), "en", "Lou").await;
    let keeps = house.known(house.people.administrator(), "en", "Kim").await;
    let ticket = house.ticket(&[]).await;
    house.mail.refuse(Some(451));
    let unserved =
        fleet::TicketUnserved { ticket_id: ticket.id().into(), nobody_eligible: true, ..Default::default() };
    let event = house.stage.publish(house.people.id, ticket.key(), 1, &unserved).await;
    for who in [&lost, &keeps] {
        house.put_off(event, who).await;
    }
    changes(&house, &lost, &[]).await;
    house.mail.refuse(None);
    assert_eq!(house.settled(event, &lost).await[&Channel::Email], withheld());
    assert_eq!(house.settled(event, &keeps).await[&Channel::Email].0, DeliveryState::Delivered);
}
