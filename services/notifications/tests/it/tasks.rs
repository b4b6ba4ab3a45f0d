//! Tasks: who hears of them (K-5).

use callboard_kernel::Principal;
use callboard_proto::notifications::v1::{Channel, DeliveryState, EventType, Origin};
use callboard_proto::tasks::v1 as tasks;
use callboard_service::convert::to_proto_actor;
use callboard_stage::id;

use super::house::{House, uuid};

fn facts(house: &House, creator: &Principal, assignees: &[&Principal]) -> tasks::TaskFacts {
    tasks::TaskFacts {
        task_id: id().to_string(),
        organisation_id: house.people.id.to_string(),
        device_id: id().to_string(),
        customer_id: id().to_string(),
        status: tasks::TaskStatus::Open.into(),
        visibility: tasks::Visibility::External.into(),
        assignee_ids: assignees.iter().map(|who| uuid(who).to_string()).collect(),
        creator: Some(to_proto_actor(creator.actor())),
        ..Default::default()
    }
}

#[tokio::test]
async fn k_5_whom_a_task_is_made_for_is_told_of_an_assignment_and_the_others_of_a_task() {
    let house = House::new().await;
    let nora = house.known(house.people.member(), "en", "Nora").await;
    let emil = house.known(house.people.member(), "en", "Emil").await;
    let facts = facts(&house, &nora, &[&nora, &emil]);
    let carla = house.known_customer(facts.customer_id.parse().expect("an id"), "Carla").await;
    let key = facts.task_id.parse().expect("an id");
    let message = tasks::TaskCreated { task: Some(facts) };
    house.stage.publish(house.people.id, key, 1, &message).await;
    house.entry(&carla, EventType::TaskCreated, |_| true).await;
    let told = house.entry(&emil, EventType::TaskAssigned, |entry| entry.unread).await;
    assert_eq!(told.text, "A colleague assigned a task to you");
    // It is urgent: there is no window.
    let mail = house.mails("emil@people.example", 1).await.remove(0);
    assert_eq!(mail.header("Subject").as_deref(), Some("Nora assigned a task to you"));
    // Who made it assigned themselves.
    house.entry(&nora, EventType::TaskCreated, |entry| entry.origin() == Origin::Me && !entry.unread).await;
    for who in [&nora, &emil, &carla] {
        assert_eq!(house.entries(who).await.len(), 1, "each once");
    }
}

#[tokio::test]
async fn k_5_whom_a_plan_names_hears_of_a_task_that_falls_due_and_not_of_an_assignment_beside_it() {
    let house = House::new().await;
    let nora = house.known(house.people.member(), "en", "Nora").await;
    let mut facts = facts(&house, &house.people.system(), &[&nora]);
    facts.device_event_id = id().to_string();
    let key = facts.task_id.parse().expect("an id");
    let due = tasks::TaskDue {
        organisation_id: house.people.id.to_string(),
        device_event_id: facts.device_event_id.clone(),
        task_id: facts.task_id.clone(),
        assignee_ids: facts.assignee_ids.clone(),
        visibility: tasks::Visibility::External.into(),
        ..Default::default()
    };
    house.stage.publish(house.people.id, id(), 1, &due).await;
    let message = tasks::TaskCreated { task: Some(facts) };
    house.stage.publish(house.people.id, key, 1, &message).await;
    house.entry(&nora, EventType::TaskDue, |entry| entry.unread).await;
    house.entry(&nora, EventType::TaskCreated, |entry| entry.unread).await;
    assert_eq!(house.entries(&nora).await.len(), 2);
}

#[tokio::test]
async fn n_3_whose_task_it_is_no_more_is_not_told_of_an_assignment() {
    let house = House::new().await;
    let nora = house.known(house.people.member(), "en", "Nora").await;
    let emil = house.known(house.people.member(), "en", "Emil").await;
    let mut facts = facts(&house, &nora, &[&emil]);
    let key = facts.task_id.parse().expect("an id");
    house.mail.refuse(Some(451));
    let message = tasks::TaskCreated { task: Some(facts.clone()) };
    let event = house.stage.publish(house.people.id, key, 1, &message).await;
    house.put_off(event, &emil).await;
    let removed_ids = std::mem::take(&mut facts.assignee_ids);
    let message = tasks::TaskAssigneesChanged { task: Some(facts), removed_ids, ..Default::default() };
    house.stage.publish(house.people.id, key, 2, &message).await;
    house.until_version(key, 2).await;
    house.mail.refuse(None);
    assert_eq!(house.settled(event, &emil).await[&Channel::Email].0, DeliveryState::Withheld);
}
