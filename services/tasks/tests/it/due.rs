//! Device events fall due, and make their tasks exactly once (K-1, K-2, K-3).

use callboard_proto::directory::v1 as directory;
use callboard_proto::tasks::v1 as tasks;
use callboard_stage::{fields, id, refused};
use callboard_testkit::{PATIENCE, eventually};

use crate::house::{House, time};

#[tokio::test]
async fn k_3_what_falls_due_makes_one_task_and_after_downtime_one_and_not_one_per_missed_tick() {
    let house = House::new().await;
    let boss = house.boss();
    let definition = house.define("Maintenance", &["Look", "Clean"]).await;
    let event = house.put_event(&boss, house.plan(&definition, "FREQ=WEEKLY")).await.expect("planned");
    assert_eq!((event.title.as_str(), event.time_zone.as_str()), ("Maintenance", "Europe/Berlin"));
    // Four Mondays pass at once: as if the service had been down.
    house.clock.set(time("2026-01-27T00:00:00Z"));
    let made = house.tasks_of(&event.id, 1).await;
    assert_eq!(made.len(), 1);
    let texts: Vec<_> = made[0].steps.iter().map(|step| step.text.as_str()).collect();
    assert_eq!((made[0].title.as_str(), texts), ("Maintenance", vec!["Look", "Clean"]));
    // 08:00 in Berlin in winter.
    let due = made[0].due_time.as_ref().map(|due| due.seconds);
    assert_eq!(due, Some(time("2026-01-05T07:00:00Z").timestamp()));
    let told: Vec<tasks::TaskDue> = house.stage.messages(event.id.parse().expect("an id")).await;
    assert_eq!(told.iter().map(|due| due.missed).collect::<Vec<_>>(), [3]);
    // The next one falls due at its time.
    house.clock.set(time("2026-02-02T07:00:00Z"));
    assert_eq!(house.tasks_of(&event.id, 2).await.len(), 2);
    house.stage.stop().await;
}

#[tokio::test]
async fn k_3_two_replicas_that_wake_at_once_make_one_task() {
    let house = House::new().await;
    let boss = house.boss();
    let definition = house.define("Maintenance", &[]).await;
    let event = house.put_event(&boss, house.plan(&definition, "FREQ=DAILY;COUNT=5")).await.expect("planned");
    // The claim of a replica that died runs out, and the timer is fired again with the same due time: the receipt
    // answers, and the task is one.
    house.clock.set(time("2026-01-05T07:00:00Z"));
    house.tasks_of(&event.id, 1).await;
    let key: uuid::Uuid = event.id.parse().expect("an id");
    sqlx::query(
        "insert into tasks.timer (aggregate_kind, aggregate_id, name, organisation_id, payload, due_at)
         values ('device_event', $1, 'due', $2, '', $3)
         on conflict (aggregate_kind, aggregate_id, name) do update set due_at = excluded.due_at, claimed_until = null",
    )
    .bind(key)
    .bind(house.people.id)
    .bind(time("2026-01-05T07:00:00Z"))
    .execute(house.stage.pool())
    .await
    .expect("set anew");
    eventually("the timer is gone", PATIENCE, || async {
        let left: i64 =
            sqlx::query_scalar("select count(*) from tasks.timer where aggregate_id = $1 and due_at <= $2")
                .bind(key)
                .bind(time("2026-01-05T07:00:00Z"))
                .fetch_one(house.stage.pool())
                .await
                .expect("a count");
        if left == 0 { Ok(()) } else { Err(left) }
    })
    .await;
    assert_eq!(house.tasks_of(&event.id, 1).await.len(), 1);
    let told = house.stage.events(key).await;
    assert_eq!(told.iter().filter(|name| *name == "task.due").count(), 1, "{told:?}");
    house.stage.stop().await;
}

#[tokio::test]
async fn k_1_only_a_reminder_makes_no_task_and_what_is_wrong_is_named() {
    let house = House::new().await;
    let boss = house.boss();
    let definition = house.define("Look", &[]).await;
    let plan = house.plan(&definition, "");
    let reminder = tasks::DeviceEvent { creates_task: false, ..plan.clone() };
    let event = house.put_event(&boss, reminder).await.expect("planned");
    house.clock.set(time("2026-01-06T00:00:00Z"));
    let key = event.id.parse().expect("an id");
    house.stage.told(key, "task.due").await;
    let told: Vec<tasks::TaskDue> = house.stage.messages(key).await;
    assert_eq!(told.iter().map(|due| due.task_id.as_str()).collect::<Vec<_>>(), [""]);
    assert_eq!(house.get_event(&boss, &event.id).await.expect("it").next_time, None);
    for (wrong, field) in [
        (tasks::DeviceEvent { rule: "FREQ=SECONDLY".into(), ..plan.clone() }, "device_event.rule"),
        (tasks::DeviceEvent { start: "soon".into(), ..plan.clone() }, "device_event.start"),
        (
            tasks::DeviceEvent { definition_id: id().to_string(), ..plan.clone() },
            "device_event.definition_id",
        ),
        (
            tasks::DeviceEvent { assignee_ids: vec![id().to_string()], ..plan.clone() },
            "device_event.assignee_ids[0]",
        ),
    ] {
        let wrong = tasks::DeviceEvent { id: id().to_string(), ..wrong };
        assert_eq!(fields(house.put_event(&boss, wrong).await), [field]);
    }
    assert_eq!(refused(house.put_event(&house.member(), plan.clone()).await), "PERMISSION_DENIED");
    assert_eq!(refused(house.put_event(&house.visitor(), plan).await), "PERMISSION_DENIED");
    house.stage.stop().await;
}

#[tokio::test]
async fn k_1_an_event_moves_with_its_device_and_ends_with_it() {
    let house = House::new().await;
    let boss = house.boss();
    let definition = house.define("Look", &[]).await;
    let event = house.put_event(&boss, house.plan(&definition, "FREQ=YEARLY")).await.expect("planned");
    house.put_device(house.device, 2, &[], "America/New_York").await;
    eventually("another time zone", PATIENCE, || async {
        let event = house.get_event(&boss, &event.id).await.expect("it");
        let next = event.next_time.map(|next| next.seconds);
        if next == Some(time("2026-01-05T13:00:00Z").timestamp()) { Ok(()) } else { Err(next) }
    })
    .await;
    let removed = directory::DeviceRemoved {
        device: Some(house.people.device_facts(house.device, house.template, None, &[])),
    };
    house.stage.publish(house.people.id, house.device, 3, &removed).await;
    eventually("it ended", PATIENCE, || async {
        match house.get_event(&boss, &event.id).await {
            Err(report) if report.reason == "NOT_FOUND" => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    house.stage.stop().await;
}
