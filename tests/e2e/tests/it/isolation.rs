//! Departments, and organisations.

use callboard_e2e_tests::{Client, Live, Platform, World};
use callboard_testkit::{PATIENCE, eventually};
use reqwest::Method;
use serde_json::{Value, json};

use crate::play::{id, open};

/// Waits until a ticket is seen or not, in every call and context.
async fn sees(caller: &Client, ticket: &str, expected: bool, why: &str) {
    eventually(&format!("{why}: seen = {expected}"), PATIENCE, || async {
        for part in ["", "/updates", "/timeline", "/moves", "/dispatch", "/dispatch/rounds", "/view"] {
            let answer = caller.get(&format!("/v1/tickets/{ticket}{part}")).await;
            let found = match answer.status.as_u16() {
                200 => true,
                404 => false,
                other => panic!("{part}: {other}: {}", answer.body),
            };
            if found != expected {
                return Err(format!("{part}: {}", answer.status));
            }
        }
        let listed = caller.get("/v1/tickets?pageSize=200").await.ok().to_string().contains(ticket);
        if listed == expected { Ok(()) } else { Err(format!("listed: {listed}")) }
    })
    .await;
}

/// An employee's open offers on a ticket, by anybody's eyes.
async fn offered(moderator: &Client, ticket: &str) -> Vec<String> {
    let dispatch = moderator.get(&format!("/v1/tickets/{ticket}/dispatch")).await.ok();
    let offers = dispatch["requested"].as_array().cloned().unwrap_or_default();
    offers.iter().filter_map(|offer| offer["employeeId"].as_str().map(str::to_owned)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn departments_isolate_tickets_lists_dispatch_and_the_live_stream() {
    let platform = Platform::shared().await;
    let world = World::make(platform, "isolation.test").await;
    let (ada, max) = (world.person("ada").await, world.person("max").await);
    let (nora, otto) = (world.person("nora").await, world.person("otto").await);
    // The coffee machine is of field service; this one is of no department.
    let bare =
        id(&ada.post("/v1/devices", json!({"name": "Kettle", "templateId": world.demo.coffee})).await.ok());
    let on_bare = json!({"deviceId": bare, "title": "Cold", "open": true});
    let bare_ticket = crate::play::id(
        &eventually("tickets to know the device", PATIENCE, || async {
            let made = ada.post("/v1/tickets", on_bare.clone()).await;
            if made.status.is_success() { Ok(made.body) } else { Err(made.body.to_string()) }
        })
        .await,
    );
    let field_ticket = open(&nora, &world).await;
    for ticket in [&bare_ticket, &field_ticket] {
        for (caller, who) in [(&ada, "ada"), (&max, "max"), (&nora, "nora"), (&otto, "otto")] {
            sees(caller, ticket, true, &format!("off: {who}")).await;
        }
    }

    let table = [
        // isolation, [ada, max, nora, otto] see the ticket of field service, and that of no department
        ("BASIC", [true, true, true, false], [true, true, true, true]),
        ("STRICT", [true, true, true, false], [true, false, false, false]),
    ];
    for (isolation, field, none) in table {
        ada.patch("/v1/organisation", json!({"isolation": isolation})).await.ok();
        let callers = [(&ada, "ada"), (&max, "max"), (&nora, "nora"), (&otto, "otto")];
        for (at, (caller, who)) in callers.into_iter().enumerate() {
            sees(caller, &field_ticket, field[at], &format!("{isolation}: {who}, of field service")).await;
            sees(caller, &bare_ticket, none[at], &format!("{isolation}: {who}, of none")).await;
        }
    }

    // STRICT: an offer goes only to who may see the ticket, and the round says why not (F-2, F-10).
    let group = id(&ada.get(&format!("/v1/templates/{}/groups", world.demo.coffee)).await.ok()["groups"][0]);
    let both = json!({
        "name": "Both", "employeeIds": [world.demo.employee("nora"), world.demo.employee("otto")],
    });
    ada.put(&format!("/v1/templates/{}/groups/{group}", world.demo.coffee), both).await.ok();
    let mut stream = Live::open(&otto, None).await;
    let next = open(&nora, &world).await;
    crate::play::offer_of(&nora, &next).await;
    assert_eq!(offered(&max, &next).await, [world.demo.employee("nora")]);
    let why =
        max.get(&format!("/v1/tickets/{next}/dispatch/employees/{}", world.demo.employee("otto"))).await.ok();
    assert_eq!(why["reason"], "NOT_VISIBLE", "{why}");
    let by_hand = json!({"employeeId": world.demo.employee("otto")});
    let denied = max.post(&format!("/v1/tickets/{next}/dispatch:assign"), by_hand).await;
    assert!(denied.status.is_client_error(), "F-8 would take it away at once: {}", denied.body);

    // With isolation on, one hands out only one's own departments.
    let foreign = json!({
        "name": "Shredder", "templateId": world.demo.coffee, "departmentIds": [world.demo.department("Office")],
    });
    let refused = max.post("/v1/devices", foreign.clone()).await;
    assert!(matches!(refused.status.as_u16(), 400 | 403 | 404), "{}: {}", refused.status, refused.body);
    let office = id(&ada.post("/v1/devices", foreign).await.ok());

    // What otto's stream told meanwhile: nothing of field service, all of the office.
    let of_office = id(&eventually("tickets to know the device", PATIENCE, || async {
        let made = otto.post("/v1/tickets", json!({"deviceId": office, "title": "Jam", "open": true})).await;
        if made.status.is_success() { Ok(made.body) } else { Err(made.body.to_string()) }
    })
    .await);
    let seen = stream.until(|frame| frame.ticket() == of_office && frame.name() == "ticket.opened").await;
    assert!(seen.iter().all(|frame| frame.ticket() != next), "{seen:?}");

    // Moved to the office, the ticket of field service is nora's no more, and her offer is gone (F-8).
    let departments = json!({"departmentIds": [world.demo.department("Office")]});
    ada.patch(&format!("/v1/employees/{}", world.demo.employee("nora")), departments).await.ok();
    let nora = world.person("nora").await;
    sees(&nora, &next, false, "moved to the office: nora").await;
    eventually("her offer to be taken back", PATIENCE, || async {
        match offered(&ada, &next).await {
            offers if offers.is_empty() => Ok(()),
            offers => Err(offers),
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_changes_departments_takes_its_tickets_along_everywhere() {
    let platform = Platform::shared().await;
    let world = World::make(platform, "moved.test").await;
    let (ada, nora, otto) =
        (world.person("ada").await, world.person("nora").await, world.person("otto").await);
    ada.patch("/v1/organisation", json!({"isolation": "STRICT"})).await.ok();
    // One that is offered to nora, one that she has taken, and a rating of hers.
    let offered_to_her = open(&nora, &world).await;
    crate::play::offer_of(&nora, &offered_to_her).await;
    let visitor = world.visitor().await;
    let rated = open(&visitor, &world).await;
    crate::play::accept(&nora, &rated).await;
    crate::play::set_status(&nora, &rated, "DONE").await;
    crate::play::asked(&visitor, &rated).await;
    visitor.post(&format!("/v1/tickets/{rated}/rating:submit"), json!({"score": 4})).await.ok();
    crate::play::becomes(&nora, &rated, "CLOSED").await;
    for ticket in [&offered_to_her, &rated] {
        sees(&nora, ticket, true, "of field service: nora").await;
        sees(&otto, ticket, false, "of field service: otto").await;
    }

    // The coffee machine is carried into the office.
    let departments = json!({"departmentIds": [world.demo.department("Office")]});
    ada.patch(&format!("/v1/devices/{}", world.demo.coffee_machine), departments).await.ok();
    for ticket in [&offered_to_her, &rated] {
        sees(&nora, ticket, false, "of the office: nora").await;
        sees(&otto, ticket, true, "of the office: otto").await;
    }
    eventually("her offer to be taken back", PATIENCE, || async {
        match offered(&ada, &offered_to_her).await {
            offers if offers.iter().any(|id| *id == world.demo.employee("nora")) => Err(offers),
            _ => Ok(()),
        }
    })
    .await;
    let listed = async |caller: &Client| caller.get("/v1/ratings").await.ok().to_string().contains(&rated);
    eventually("the rating to be the office's", PATIENCE, || async {
        let found = (listed(&nora).await, listed(&otto).await);
        if found == (false, true) { Ok(()) } else { Err(found) }
    })
    .await;
}

/// All ids of a world, and its name.
fn marks(world: &World) -> Vec<String> {
    let demo = &world.demo;
    let groups = [&demo.employees, &demo.departments, &demo.teams];
    let mut all: Vec<String> =
        groups.iter().flat_map(|pairs| pairs.iter().map(|(_, id)| id.clone())).collect();
    all.extend(
        [
            &world.organisation,
            &demo.domain,
            &demo.technicians,
            &demo.customer,
            &demo.coffee,
            &demo.repair_flow,
            &demo.oven,
            &demo.coffee_machine,
            &demo.oven_device,
            &demo.coffee_code_id,
            &demo.coffee_code,
        ]
        .map(Clone::clone),
    );
    all
}

fn assert_unmarked(text: &str, marks: &[String], what: &str) {
    for mark in marks {
        assert!(!text.contains(mark.as_str()), "{what} shows {mark}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_organisation_sees_nothing_anywhere() {
    let platform = Platform::shared().await;
    let (ours, theirs) =
        (World::make(platform, "ours.test").await, World::make(platform, "theirs.test").await);
    let stranger = theirs.person("ada").await;
    let mut stream = Live::open(&stranger, None).await;
    let (visitor, nora) = (ours.visitor().await, ours.person("nora").await);
    let ticket = open(&visitor, &ours).await;
    crate::play::accept(&nora, &ticket).await;
    crate::play::set_status(&nora, &ticket, "DONE").await;
    crate::play::asked(&visitor, &ticket).await;
    visitor.post(&format!("/v1/tickets/{ticket}/rating:submit"), json!({"score": 1})).await.ok();
    crate::play::becomes(&nora, &ticket, "CLOSED").await;
    let mut marks = marks(&ours);
    marks.push(ticket.clone());

    // Every list there is.
    let openapi = stranger.get("/openapi.json").await.ok();
    let mut lists = 0;
    for (path, operations) in openapi["paths"].as_object().expect("paths") {
        if path.contains('{') || path.ends_with("/live") || operations["get"] == Value::Null {
            continue;
        }
        let answer = stranger.get(path).await;
        // Who has no role at the support desk, or is no visitor, is told so, whatever there is.
        let not_theirs = path.starts_with("/v1/support") || path == "/v1/notifications/addresses";
        let denied = answer.status.as_u16() == 403 && not_theirs;
        assert!(denied || answer.status.is_success(), "{path}: {}: {}", answer.status, answer.body);
        assert_unmarked(&answer.body.to_string(), &marks, path);
        lists += 1;
    }
    assert!(lists >= 10, "only {lists} lists?");
    for filter in [
        format!("/v1/tickets?deviceId={}", ours.demo.coffee_machine),
        format!("/v1/tickets?customerId={}", ours.demo.customer),
        "/v1/tickets?text=coffee".to_owned(),
        format!("/v1/devices?templateId={}", ours.demo.coffee),
        format!("/v1/ratings?templateId={}", ours.demo.coffee),
    ] {
        let answer = stranger.get(&filter).await;
        let text = answer.body.to_string();
        assert!(answer.status.is_success() || answer.status.as_u16() == 404, "{filter}: {text}");
        assert!(!text.contains(&ticket) && !text.contains(&ours.organisation), "{filter}: {text}");
    }
    let figures = stranger.get("/v1/ratings/figures").await.ok();
    assert!(!figures.to_string().contains("\"total\":1"), "{figures}");

    // Nothing of ours can be used in theirs.
    let foreign = [
        (
            Method::POST,
            "/v1/tickets".to_owned(),
            json!({"deviceId": ours.demo.coffee_machine, "title": "x", "open": true}),
        ),
        (Method::POST, "/v1/devices".to_owned(), json!({"name": "x", "templateId": ours.demo.coffee})),
        (
            Method::PATCH,
            format!("/v1/employees/{}", theirs.demo.employee("otto")),
            json!({"departmentIds": [ours.demo.department("Office")]}),
        ),
        (
            Method::POST,
            format!("/v1/templates/{}/groups:copy", theirs.demo.coffee),
            json!({"fromTemplateId": ours.demo.coffee}),
        ),
    ];
    for (method, path, body) in foreign {
        let answer = stranger.call(method.clone(), &path, Some(body)).await;
        assert!(
            matches!(answer.status.as_u16(), 400 | 404 | 409),
            "{method} {path}: {}: {}",
            answer.status,
            answer.body
        );
    }

    let fence = open(&theirs.person("nora").await, &theirs).await;
    let seen = stream.until(|frame| frame.ticket() == fence && frame.name() == "ticket.opened").await;
    for frame in seen {
        assert_unmarked(&frame.data.to_string(), &marks, "the live stream");
    }
}
