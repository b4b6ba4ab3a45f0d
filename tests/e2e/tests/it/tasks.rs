//! Tasks through the door: planned, fallen due, worked off, seen in calendars (K-1 to K-5).

use std::time::Duration;

use callboard_e2e_tests::{Client, Live, Platform, World};
use callboard_kernel::{Clock, IdGenerator, RandomIds, SystemClock};
use callboard_testkit::{PATIENCE, eventually, eventually_some};
use reqwest::Method;
use serde_json::{Value, json};

use crate::play::{accept, id, open};

fn new_id() -> String {
    RandomIds.next().to_string()
}

/// POST of something that another context may still have to hear of; the body of its success.
async fn posted(caller: &Client, path: &str, body: Value) -> Value {
    eventually(&format!("{path} to know all of it"), PATIENCE, || async {
        let answer = caller.post(path, body.clone()).await;
        if answer.status.is_success() { Ok(answer.body) } else { Err(answer.body.to_string()) }
    })
    .await
}

/// A definition of two steps, the first with a file; its id and the file's.
async fn defined(max: &Client, world: &World) -> (String, String) {
    let file = id(&max.upload("/v1/attachments/tasks?name=plan.txt", b"Turn left").await.ok());
    let definition = new_id();
    let path = format!("/v1/templates/{}/taskDefinitions/{definition}", world.demo.coffee);
    let steps = json!([{"text": "Descale", "attachmentIds": [file]}, {"text": "Check the pressure"}]);
    let made = max.put(&path, json!({"title": "Maintenance", "steps": steps})).await;
    assert!(made.etag.is_some());
    assert_eq!(made.ok()["steps"][0]["attachments"][0]["name"], "plan.txt");
    (definition, file)
}

/// The one task of a device event, as soon as it is there.
async fn fallen_due(caller: &Client, event: &str) -> Value {
    eventually_some("a task that fell due", PATIENCE, || async {
        let found = caller.get(&format!("/v1/tasks?deviceEventId={event}")).await.ok();
        let tasks = found["tasks"].as_array().cloned().expect("tasks");
        assert!(tasks.len() <= 1, "K-3: {found}");
        tasks.into_iter().next()
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn k_1_to_k_5_a_task_falls_due_is_worked_off_and_is_in_every_calendar() {
    let platform = Platform::shared().await;
    let world = World::make(platform, "tasks.test").await;
    let (max, nora, sofia) =
        (world.person("max").await, world.person("nora").await, world.person("sofia").await);
    let (visitor, stranger) = (world.visitor().await, world.oven_visitor().await);
    let mut live = Live::open(&visitor, None).await;
    let (definition, file) = defined(&max, &world).await;

    // K-1: every year, for the first time in a moment. The device is in no zone of its own: UTC.
    let event = new_id();
    let start = (SystemClock.now() + Duration::from_secs(3)).format("%Y-%m-%dT%H:%M:%S").to_string();
    let plan = json!({
        "deviceId": world.demo.coffee_machine, "definitionId": definition, "start": start,
        "rule": "FREQ=YEARLY", "visibility": "EXTERNAL", "createsTask": true,
    });
    let path = format!("/v1/deviceEvents/{event}");
    let mut wrong = plan.clone();
    wrong["rule"] = "FREQ=SECONDLY".into();
    let refused = max.put(&path, wrong).await;
    assert_eq!(
        (refused.status.as_u16(), &refused.body["violations"][0]["field"]),
        (400, &json!("rule")),
        "{}",
        refused.body
    );
    let planned = max.put(&path, plan).await.ok();
    assert_eq!((&planned["title"], &planned["timeZone"]), (&json!("Maintenance"), &json!("UTC")));
    let used = format!("/v1/templates/{}/taskDefinitions/{definition}", world.demo.coffee);
    assert_eq!(max.delete(&used).await.problem(409), "DEFINITION_IN_USE");

    // K-2, K-3: one task, with the definition's steps and files.
    let task = fallen_due(&max, &event).await;
    let path = format!("/v1/tasks/{}", id(&task));
    assert_eq!((&task["title"], &task["status"]), (&json!("Maintenance"), &json!("OPEN")));
    assert_eq!(task["steps"][0]["attachments"][0]["id"], file);
    let seen = live.until(|frame| frame.name() == "task.created").await;
    let told = &seen.last().expect("an event").data["data"]["task"];
    assert_eq!(told["taskId"], task["id"]);
    assert!(told.get("assigneeIds").is_none(), "who is assigned is no affair of those outside: {told}");
    let content = format!("/v1/attachments/tasks/{file}/content");
    assert_eq!(visitor.stream(&content, &[]).await.bytes().await.expect("bytes").as_ref(), b"Turn left");
    stranger.get(&content).await.problem(404);
    stranger.get(&path).await.problem(404);

    // K-4: another definition leaves it alone, and what it shows.
    max.put(&used, json!({"title": "Other", "steps": []})).await.ok();
    let shown = visitor.get(&path).await.ok();
    assert_eq!((&shown["title"], shown["steps"].as_array().map(Vec::len)), (&json!("Maintenance"), Some(2)));
    assert_eq!(visitor.stream(&content, &[]).await.status(), 200);
    let step = |at: usize| format!("{path}/steps/{}", shown["steps"][at]["id"].as_str().expect("an id"));
    let ticked = visitor.post(&format!("{}:tick", step(0)), json!({})).await.ok();
    assert_eq!(
        (&ticked["status"], &ticked["steps"][0]["tickedBy"]["kind"]),
        (&json!("IN_PROGRESS"), &json!("CODE_USER"))
    );

    // K-5: assigned, linked, in the ticket's view and in the calendar.
    let ticket = open(&visitor, &world).await;
    accept(&nora, &ticket).await;
    posted(&max, &format!("{path}:assign"), json!({"addIds": [world.demo.employee("nora")]})).await;
    assert_eq!(sofia.post(&format!("{path}:close"), json!({})).await.problem(403), "PERMISSION_DENIED");
    let linked = eventually("tasks to know the ticket", PATIENCE, || async {
        let answer = nora.patch(&path, json!({"ticketId": ticket})).await;
        if answer.status.is_success() { Ok(answer.body) } else { Err(answer.body.to_string()) }
    })
    .await;
    assert_eq!(linked["ticketId"], ticket);
    for caller in [&nora, &visitor] {
        let view = caller.get(&format!("/v1/tickets/{ticket}/view")).await.ok();
        assert_eq!((&view["unreachable"], &view["tasks"]["tasks"][0]["id"]), (&json!([]), &task["id"]));
    }
    calendars(&nora, &world, &task, &event).await;

    // K-4: closed with a step left, reopened by employees alone.
    let etag = nora.get(&path).await.etag.expect("a tag");
    let closed = visitor.post(&format!("{path}:close"), json!({})).await.ok();
    assert_eq!((&closed["status"], &closed["closedBy"]["kind"]), (&json!("CLOSED"), &json!("CODE_USER")));
    assert_ne!(closed["etag"], etag);
    assert_eq!(nora.post(&format!("{}:tick", step(1)), json!({})).await.problem(409), "TASK_CLOSED");
    assert_eq!(visitor.post(&format!("{path}:reopen"), json!({})).await.problem(403), "PERMISSION_DENIED");
    let reopened = nora.post(&format!("{path}:reopen"), json!({})).await.ok();
    assert_eq!(reopened["status"], "IN_PROGRESS", "a step is ticked off");

    // As T-13: what turns internal is gone for those outside, at once and in open streams.
    nora.patch(&path, json!({"visibility": "INTERNAL"})).await.ok();
    visitor.get(&path).await.problem(404);
    assert_eq!(visitor.get(&content).await.problem(404), "NOT_FOUND");
    let seen = live.until(|frame| frame.name() == "task.hidden").await;
    assert_eq!(seen.last().expect("an event").data["data"], json!({"task": {"taskId": task["id"]}}));

    // T-11: the ticket goes, and with it the link; the task is the device's.
    max.delete(&format!("/v1/tickets/{ticket}")).await.ok();
    eventually("the link to go", PATIENCE, || async {
        let task = nora.get(&path).await.ok();
        if task["ticketId"] == Value::Null && task["etag"] != reopened["etag"] { Ok(()) } else { Err(task) }
    })
    .await;
    nora.patch(&path, json!({"ticketId": ticket})).await.problem(400);

    // The definition has let the file go, and the last task that showed it goes too.
    max.delete(&path).await.ok();
    assert_eq!(nora.get(&content).await.problem(404), "NOT_FOUND");
    nora.get(&path).await.problem(404);
}

/// The task and next year's, in the calendar and in a feed that a calendar program reads without a token.
async fn calendars(nora: &Client, world: &World, task: &Value, event: &str) {
    let now = SystemClock.now();
    let at = |days: u64| (now + Duration::from_secs(days * 86_400)).to_rfc3339().replace("+00:00", "Z");
    let from = (now - Duration::from_secs(3_600)).to_rfc3339().replace("+00:00", "Z");
    let span = format!("/v1/calendar?from={from}&to={}", at(360));
    let entries = nora.get(&span).await.ok()["entries"].as_array().cloned().expect("entries");
    let of_event: Vec<&Value> = entries.iter().filter(|entry| entry["deviceEventId"] == event).collect();
    assert_eq!(of_event.len(), 1, "what made its task is shown as that task: {of_event:?}");
    assert_eq!((&of_event[0]["taskId"], &of_event[0]["status"]), (&task["id"], &json!("IN_PROGRESS")));
    let next = format!("/v1/calendar?from={}&to={}", at(300), at(370));
    let entries = nora.get(&next).await.ok()["entries"].clone();
    let entry = entries.as_array().expect("entries").iter().find(|entry| entry["deviceEventId"] == event);
    assert_eq!(entry.map(|entry| entry["createsTask"] == true), Some(true), "{entries}");
    let refused = nora.get(&format!("/v1/calendar?from={}&to={}", at(0), at(400))).await;
    assert_eq!(refused.body["violations"][0]["field"], "to", "{}", refused.body);

    let made = nora.post("/v1/calendar/feeds", json!({"name": "Nora's phone"})).await.ok();
    let url = made["url"].as_str().expect("an address");
    let path = &url[url.find("/v1/").expect("a path")..];
    let program = world.nobody();
    let read = program.stream(path, &[]).await;
    let header = |name: &str| read.headers()[name].to_str().expect("a header").to_owned();
    assert_eq!(read.status(), 200);
    assert_eq!(header("content-type"), "text/calendar; charset=utf-8");
    assert_eq!(header("cache-control"), "private, no-cache");
    let etag = header("etag");
    let text = read.text().await.expect("a calendar");
    let task = task["id"].as_str().expect("an id");
    assert!(text.starts_with("BEGIN:VCALENDAR\r\n") && text.contains("SUMMARY:Maintenance"), "{text}");
    assert!(text.contains(&format!("UID:{task}@callboard")), "{text}");
    assert_eq!(program.stream(path, &[("if-none-match", &etag)]).await.status(), 304);
    program.get("/v1/calendar/guessed.ics").await.problem(404);
    program.get(&path.replace(".ics", "")).await.problem(404);
    assert_eq!(program.get("/v1/calendar").await.problem(401), "TOKEN_MISSING");

    let listed = nora.get("/v1/calendar/feeds").await.ok();
    assert!(!listed.to_string().contains(made["token"].as_str().expect("a token")), "{listed}");
    let feed = format!("/v1/calendar/feeds/{}", id(&made["feed"]));
    assert_eq!(nora.call(Method::DELETE, &feed, None).await.status, 204);
    program.get(path).await.problem(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn k_2_a_visitor_makes_a_task_for_those_inside_and_departments_isolate_it() {
    let platform = Platform::shared().await;
    let world = World::make(platform, "made.test").await;
    let (ada, nora, otto, visitor) = (
        world.person("ada").await,
        world.person("nora").await,
        world.person("otto").await,
        world.visitor().await,
    );
    let mut live = Live::open(&otto, None).await;
    let device = &world.demo.coffee_machine;
    let refused = visitor.post("/v1/tasks", json!({"deviceId": device, "title": "x", "steps": ["y"]})).await;
    assert_eq!(refused.body["violations"][0]["field"], "steps", "{}", refused.body);
    let task = visitor.post("/v1/tasks", json!({"deviceId": device, "title": "It drips"})).await;
    let task = id(&task.ok());
    let path = format!("/v1/tasks/{task}");
    assert_eq!(nora.get(&path).await.ok()["visibility"], "EXTERNAL");
    live.until(|frame| frame.name() == "task.created").await;

    // The machine is of field service, otto of the office.
    ada.patch("/v1/organisation", json!({"isolation": "BASIC"})).await.ok();
    eventually("otto not to see it", PATIENCE, || async {
        let answer = otto.get(&path).await;
        if answer.status.as_u16() == 404 { Ok(()) } else { Err(answer.status) }
    })
    .await;
    nora.post(&format!("{path}:close"), json!({})).await.ok();
    // What otto's stream tells then is of what he sees: nothing of the task comes before it.
    let fence = json!({"name": "Kettle", "templateId": world.demo.coffee});
    ada.post("/v1/devices", fence).await.ok();
    let seen = live.until(|frame| frame.name() == "device.changed").await;
    assert!(seen.iter().all(|frame| frame.name() != "task.status_changed"), "{seen:?}");
    assert_eq!(nora.get(&path).await.ok()["status"], "CLOSED");
}
