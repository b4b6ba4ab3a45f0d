//! Lives of tasks (K-2, K-4, K-5, T-11, T-13).

use std::collections::BTreeSet;

use callboard_kernel::{Principal, Role};
use callboard_proto::directory::v1 as directory;
use callboard_proto::tasks::v1 as tasks;
use callboard_proto::tasks::v1::TaskStatus;
use callboard_proto::tickets::v1 as tickets;
use callboard_stage::{done, fields, id, refused, request_id};
use callboard_testkit::{PATIENCE, eventually};

use crate::house::House;

#[tokio::test]
async fn k_4_a_task_is_worked_off_step_by_step_and_a_changed_definition_leaves_it_alone() {
    let house = House::new().await;
    let (boss, member) = (house.boss(), house.member());
    let definition = house.define("Clean", &["Open", "Wipe"]).await;
    let new = tasks::CreateTaskRequest {
        definition_id: definition.id.clone(),
        assignee_ids: vec![house.worker.to_string()],
        ..house.new_task("")
    };
    let task = house.create(&boss, new.clone()).await.expect("made");
    // AIP-155: the same request is the same task.
    assert_eq!(house.create(&boss, new).await.expect("the same"), task);
    let changed = tasks::Definition { title: "Other".into(), steps: Vec::new(), ..definition.clone() };
    house.put_definition(changed).await.expect("changed");
    let ticked = house.tick(&member, &task.id, &task.steps[1].id, true).await.expect("ticked");
    assert_eq!(ticked.status(), TaskStatus::InProgress);
    let found = house.get(&member, &task.id).await.expect("it");
    assert_eq!((found.title.as_str(), found.steps.len()), ("Clean", 2));
    assert_eq!(house.close(&member, &task.id).await.expect("closed").status(), TaskStatus::Closed);
    assert_eq!(refused(house.tick(&member, &task.id, &task.steps[0].id, true).await), "TASK_CLOSED");
    assert_eq!(house.reopen(&member, &task.id).await.expect("reopened").status(), TaskStatus::InProgress);
    let told = house.stage.told(task.id.parse().expect("an id"), "task.status_changed").await;
    assert_eq!(told[0], "task.created");
    house.stage.stop().await;
}

#[tokio::test]
async fn k_2_from_outside_only_external_tasks_are_there() {
    let house = House::new().await;
    let (boss, visitor) = (house.boss(), house.visitor());
    let internal = house.create(&boss, house.new_task("Inside")).await.expect("made");
    let external = tasks::CreateTaskRequest {
        visibility: tasks::Visibility::External.into(),
        assignee_ids: vec![house.worker.to_string()],
        ..house.new_task("Outside")
    };
    let external = house.create(&boss, external).await.expect("made");
    house.clock.advance(std::time::Duration::from_secs(1));
    let own = house.create(&visitor, house.new_task("Mine")).await.expect("made");
    assert_eq!(own.visibility(), tasks::Visibility::External);
    for who in [visitor.clone(), house.people.customer_user(house.customer)] {
        assert_eq!(refused(house.get(&who, &internal.id).await), "NOT_FOUND");
        let seen = house.get(&who, &external.id).await.expect("it");
        assert!(seen.assignee_ids.is_empty());
        let titles: Vec<_> = house
            .list(&who, tasks::TaskFilter::default())
            .await
            .expect("a list")
            .into_iter()
            .map(|task| task.title)
            .collect();
        assert_eq!(titles, ["Mine", "Outside"]);
    }
    for who in [house.people.code_user(id()), house.people.customer_user(id())] {
        assert_eq!(refused(house.get(&who, &external.id).await), "NOT_FOUND");
    }
    let stranger = Principal { organisation: id().into(), ..boss.clone() };
    assert_eq!(refused(house.get(&stranger, &external.id).await), "NOT_FOUND");
    house.close(&visitor, &external.id).await.expect("done by the one it was for");
    assert_eq!(refused(house.reopen(&visitor, &external.id).await), "PERMISSION_DENIED");
    let asked = tasks::TaskFilter { mine: true, ..tasks::TaskFilter::default() };
    assert_eq!(fields(house.list(&visitor, asked).await), ["filter.mine"]);
    house.stage.stop().await;
}

#[tokio::test]
async fn the_devices_departments_decide_who_sees_a_task() {
    let house = House::new().await;
    let (ours, theirs) = (id(), id());
    let task = house.create(&house.boss(), house.new_task("Here")).await.expect("made");
    let organisation = directory::Organisation {
        isolation: directory::Isolation::Strict.into(),
        ..directory::Organisation::default()
    };
    let changed = directory::OrganisationChanged { organisation: Some(organisation), previous: None };
    house.stage.publish(house.people.id, house.people.id, 1, &changed).await;
    house.put_device(house.device, 2, &[ours], "").await;
    house.kept("known_organisation", house.people.id, 1).await;
    let colleague = house.people.employee(id(), Role::Moderator, &[ours]);
    let stranger = house.people.employee(id(), Role::Moderator, &[theirs]);
    eventually("isolation", PATIENCE, || async {
        let seen =
            (house.get(&colleague, &task.id).await.is_ok(), house.get(&stranger, &task.id).await.is_ok());
        if seen == (true, false) { Ok(()) } else { Err(seen) }
    })
    .await;
    assert_eq!(refused(house.create(&stranger, house.new_task("There")).await), "NOT_FOUND");
    assert!(house.list(&stranger, tasks::TaskFilter::default()).await.expect("a list").is_empty());
    house.stage.stop().await;
}

#[tokio::test]
async fn a_sold_devices_tasks_are_neither_its_former_owners_any_more_nor_sold_along() {
    let house = House::new().await;
    let buyer = id();
    let (before, after) = (house.people.customer_user(house.customer), house.people.customer_user(buyer));
    let external = || tasks::CreateTaskRequest {
        visibility: tasks::Visibility::External.into(),
        ..house.new_task("Check the seal")
    };
    let zone = "Europe/Berlin";
    let sellers = house.create(&house.boss(), external()).await.expect("made").id;
    house.device_is(house.device, 2, None, &[], zone).await;
    let nobodys = house.create(&house.boss(), external()).await.expect("made").id;
    house.device_is(house.device, 3, Some(buyer), &[], zone).await;
    let buyers = house.create(&house.boss(), external()).await.expect("made").id;
    for (task, is_seen) in [(&sellers, false), (&nobodys, true), (&buyers, true)] {
        assert_eq!(refused(house.get(&before, task).await), "NOT_FOUND");
        assert_eq!(refused(house.close(&before, task).await), "NOT_FOUND");
        assert_eq!(house.get(&after, task).await.is_ok(), is_seen);
    }
    let seen = house.list(&after, tasks::TaskFilter::default()).await.expect("a list");
    let seen: BTreeSet<_> = seen.into_iter().map(|task| task.id).collect();
    assert_eq!(seen, BTreeSet::from([buyers, nobodys.clone()]));
    assert!(house.list(&before, tasks::TaskFilter::default()).await.expect("a list").is_empty());
    // What is seen may be worked off from outside.
    house.close(&after, &nobodys).await.expect("closed");
    house.stage.stop().await;
}

#[tokio::test]
async fn t_11_a_deleted_ticket_is_linked_no_more_and_t_13_an_internal_one_is_not_named_outside() {
    let house = House::new().await;
    let boss = house.boss();
    let ticket = house.ticket(tickets::Visibility::Public).await;
    let new = tasks::CreateTaskRequest {
        ticket_id: ticket.ticket_id.clone(),
        visibility: tasks::Visibility::External.into(),
        ..house.new_task("Linked")
    };
    let elsewhere = tasks::CreateTaskRequest { ticket_id: id().to_string(), ..house.new_task("Linked") };
    assert_eq!(fields(house.create(&boss, elsewhere).await), ["ticket_id"]);
    let task = house.create(&boss, new).await.expect("made");
    let by_ticket = tasks::TaskFilter { ticket_id: ticket.ticket_id.clone(), ..tasks::TaskFilter::default() };
    for who in [boss.clone(), house.visitor()] {
        let found = house.list(&who, by_ticket.clone()).await.expect("a list");
        assert_eq!(
            found.iter().map(|task| task.ticket_id.as_str()).collect::<Vec<_>>(),
            [ticket.ticket_id.as_str()]
        );
    }
    let key = ticket.ticket_id.parse().expect("an id");
    let hidden = tickets::TicketFacts { visibility: tickets::Visibility::Internal.into(), ..ticket.clone() };
    let hidden = tickets::TicketVisibilityChanged { ticket: Some(hidden), ..Default::default() };
    house.stage.publish(house.people.id, key, 2, &hidden).await;
    house.kept("known_ticket", key, 2).await;
    assert_eq!(house.get(&house.visitor(), &task.id).await.expect("it").ticket_id, "");
    assert!(house.list(&house.visitor(), by_ticket).await.expect("a list").is_empty());
    assert_eq!(house.get(&boss, &task.id).await.expect("it").ticket_id, ticket.ticket_id);
    let deleted = tickets::TicketDeleted { ticket_id: ticket.ticket_id.clone(), ..Default::default() };
    house.stage.publish(house.people.id, key, 3, &deleted).await;
    let left = "select count(*) from tasks.task where ticket_id = $1";
    eventually("the link went", PATIENCE, || async {
        let left: i64 =
            sqlx::query_scalar(left).bind(key).fetch_one(house.stage.pool()).await.expect("a count");
        if left == 0 { Ok(()) } else { Err(left) }
    })
    .await;
    let again = tasks::UpdateTaskRequest {
        request_id: request_id(),
        task_id: task.id,
        ticket_id: Some(ticket.ticket_id),
        ..tasks::UpdateTaskRequest::default()
    };
    assert_eq!(fields(done(house.client().update_task(house.signed(&boss, again)).await)), ["ticket_id"]);
    house.stage.stop().await;
}

#[tokio::test]
async fn k_5_lists_are_filtered_sorted_and_paged() {
    let house = House::new().await;
    let boss = house.boss();
    for (title, due) in [("B", "2026-02-02T00:00:00Z"), ("A", "2026-02-01T00:00:00Z"), ("C", "")] {
        let due_time = if due.is_empty() { None } else { crate::house::proto_time(due) };
        let new = tasks::CreateTaskRequest { due_time, ..house.new_task(title) };
        house.create(&boss, new).await.expect("made");
    }
    let mut titles = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = tasks::ListTasksRequest {
            order: tasks::TaskOrder::Due.into(),
            page_size: 1,
            page_token,
            ..tasks::ListTasksRequest::default()
        };
        let page = done(house.client().list_tasks(house.signed(&boss, request)).await).expect("a page");
        titles.extend(page.tasks.into_iter().map(|task| task.title));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(titles, ["A", "B", "C"]);
    house.clock.set(crate::house::time("2026-02-01T12:00:00Z"));
    let overdue = tasks::TaskFilter { overdue: true, ..tasks::TaskFilter::default() };
    let found = house.list(&boss, overdue).await.expect("a list");
    assert_eq!(found.iter().map(|task| task.title.as_str()).collect::<Vec<_>>(), ["A"]);
    // K-5: the due time of the task itself is told.
    house.stage.told(found[0].id.parse().expect("an id"), "task.due").await;
    let text = tasks::TaskFilter { text: "b".into(), ..tasks::TaskFilter::default() };
    assert_eq!(house.list(&boss, text).await.expect("a list").len(), 1);
    house.stage.stop().await;
}

#[tokio::test]
async fn k_5_an_employee_who_leaves_is_not_assigned_any_more() {
    let house = House::new().await;
    let boss = house.boss();
    let new =
        tasks::CreateTaskRequest { assignee_ids: vec![house.worker.to_string()], ..house.new_task("X") };
    let task = house.create(&boss, new).await.expect("made");
    let removed =
        directory::EmployeeRemoved { employee: Some(house.people.employee_facts(house.worker, &[], &[])) };
    house.stage.publish(house.people.id, house.worker, 2, &removed).await;
    eventually("nobody is assigned", PATIENCE, || async {
        let task = house.get(&boss, &task.id).await.expect("it");
        if task.assignee_ids.is_empty() { Ok(()) } else { Err(task.assignee_ids) }
    })
    .await;
    house.stage.stop().await;
}
