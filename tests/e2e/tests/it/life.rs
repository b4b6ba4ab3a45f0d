//! From a scanned code to a closed, rated ticket.

use callboard_e2e_tests::{Platform, World};
use callboard_proto::fleet::v1::OfferAccepted;
use callboard_testkit::{PATIENCE, eventually};
use prost::Message;
use serde_json::{Value, json};

use crate::events::{heard, only};
use crate::play::{becomes, id, offer_of, open};

#[tokio::test(flavor = "multi_thread")]
async fn the_life_of_a_ticket_over_rest() {
    let platform = Platform::shared().await;
    let world = World::make(platform, "acme.test").await;
    let (visitor, nora, max) = (world.visitor().await, world.person("nora").await, world.person("max").await);

    // T-2: one answer at a time; T-4: opens only when all required steps are answered.
    let draft = visitor.post("/v1/tickets", json!({"flowId": world.demo.repair_flow})).await.ok();
    let ticket = id(&draft);
    assert_eq!(draft["status"], "DRAFT");
    let answered =
        visitor.put(&format!("/v1/tickets/{ticket}/answers/what"), json!({"text": "No coffee"})).await.ok();
    assert_eq!(answered["missingSteps"], json!(["part"]));
    visitor.post(&format!("/v1/tickets/{ticket}:submit"), json!({})).await.problem(409);
    assert_eq!(
        nora.get(&format!("/v1/tickets/{ticket}/dispatch")).await.status.as_u16(),
        404,
        "no offer before OPEN"
    );
    visitor.put(&format!("/v1/tickets/{ticket}/answers/part"), json!({"choice": "pump"})).await.ok();
    let opened = visitor.post(&format!("/v1/tickets/{ticket}:submit"), json!({})).await.ok();
    assert_eq!((&opened["status"], &opened["visibility"]), (&json!("OPEN"), &json!("PUBLIC")));
    assert_eq!(opened["title"], "No coffee");
    assert!(opened["number"].as_i64() > Some(0), "T-14, gaps are allowed: {}", opened["number"]);

    // F-2: the meta team's local team of the customer, and nobody else.
    let offer = offer_of(&nora, &ticket).await;
    let dispatch = max.get(&format!("/v1/tickets/{ticket}/dispatch")).await.ok();
    let mut offered: Vec<&str> = dispatch["requested"]
        .as_array()
        .expect("offers")
        .iter()
        .filter_map(|offer| offer["employeeId"].as_str())
        .collect();
    let mut expected = vec![world.demo.employee("nora"), world.demo.employee("nick")];
    offered.sort_unstable();
    expected.sort_unstable();
    assert_eq!(offered, expected);

    // F-5, T-5.
    let accepted = nora.post(&format!("/v1/offers/{offer}:accept"), json!({})).await.ok();
    assert_eq!(accepted["status"], "ACCEPTED");
    let assigned = becomes(&visitor, &ticket, "ASSIGNED").await;
    assert_eq!(assigned["involvedEmployeeIds"], json!([world.demo.employee("nora")]));

    // Work goes on the record (T-12); internal updates are not for visitors.
    nora.post(&format!("/v1/tickets/{ticket}:setStatus"), json!({"status": "IN_PROGRESS"})).await.ok();
    let update = json!({"text": "Pump replaced", "visibility": "PUBLIC"});
    nora.post(&format!("/v1/tickets/{ticket}/updates"), update).await.ok();
    let note = json!({"text": "Order two seals", "visibility": "INTERNAL"});
    nora.post(&format!("/v1/tickets/{ticket}/updates"), note).await.ok();
    let seen = visitor.get(&format!("/v1/tickets/{ticket}/updates")).await.ok();
    assert_eq!(seen["updates"].as_array().expect("updates").len(), 1);

    // R-1, T-8.
    nora.post(&format!("/v1/tickets/{ticket}:setStatus"), json!({"status": "DONE"})).await.ok();
    eventually("the visitor to be asked", PATIENCE, || async {
        let rating = visitor.get(&format!("/v1/tickets/{ticket}/rating")).await.body;
        if rating["state"] == "REQUESTED" { Ok(()) } else { Err(rating.to_string()) }
    })
    .await;
    visitor.post(&format!("/v1/tickets/{ticket}/rating:submit"), json!({"score": 5})).await.ok();
    let closed = becomes(&nora, &ticket, "CLOSED").await;
    assert_eq!(closed["rating"], 5);

    // T-9: locked for visitors, readable for all.
    let late = visitor.post(&format!("/v1/tickets/{ticket}/updates"), json!({"text": "Thanks"})).await;
    assert!(late.status.is_client_error(), "{}", late.body);
    visitor.get(&format!("/v1/tickets/{ticket}")).await.ok();

    // The same life as another backend heard it: each chain once, and what caused what.
    let tickets = heard(platform, "tickets", &ticket).await;
    let fleet = heard(platform, "fleet", &ticket).await;
    let ratings = heard(platform, "ratings", &ticket).await;
    let opened = only(&tickets, "tickets.TicketOpened");
    let made = only(&fleet, "fleet.OffersMade");
    let accepted = only(&fleet, "fleet.OfferAccepted");
    let assigned = only(&tickets, "tickets.TicketAssigned");
    let done = only(&tickets, "tickets.TicketDone");
    let requested = only(&ratings, "ratings.RatingRequested");
    let submitted = only(&ratings, "ratings.RatingSubmitted");
    let closed = only(&tickets, "tickets.TicketClosed");
    assert_eq!(
        (made.cause.as_str(), made.correlation.as_str()),
        (opened.id.as_str(), opened.correlation.as_str())
    );
    assert_eq!((accepted.cause.as_str(), assigned.cause.as_str()), ("", accepted.id.as_str()));
    assert_eq!((requested.cause.as_str(), closed.cause.as_str()), (done.id.as_str(), submitted.id.as_str()));
    let payload = OfferAccepted::decode(accepted.payload.as_slice()).expect("a readable payload");
    assert_eq!(payload.offer.expect("an offer").employee_id, world.demo.employee("nora"));

    // The view has all of it in one call.
    let view = nora.get(&format!("/v1/tickets/{ticket}/view")).await.ok();
    assert_eq!(view["unreachable"], json!([]), "{view}");
}

/// Employee ids of a list of a ticket's dispatch, sorted.
fn who(list: &Value) -> Vec<String> {
    let of = |entry: &Value| entry["employeeId"].as_str().or_else(|| entry.as_str()).map(str::to_owned);
    let mut ids: Vec<String> = list.as_array().into_iter().flatten().filter_map(of).collect();
    ids.sort_unstable();
    ids
}

#[tokio::test(flavor = "multi_thread")]
async fn d_5_another_customer_routes_tickets_opened_later_and_f_4_three_lists_say_who() {
    let platform = Platform::shared().await;
    let world = World::make(platform, "routing.test").await;
    let (ada, nora, sofia) =
        (world.person("ada").await, world.person("nora").await, world.person("sofia").await);
    let demo = &world.demo;
    let ids = |names: &[&str]| {
        let mut ids: Vec<String> = names.iter().map(|name| demo.employee(name).to_owned()).collect();
        ids.sort_unstable();
        ids
    };
    let before = open(&nora, &world).await;
    offer_of(&nora, &before).await;
    // The bakery is served by North; whoever has the machine now, by South.
    let new =
        json!({"name": "Ritz", "kind": "PRIVATE", "servingTeamIds": {&demo.technicians: demo.team("South")}});
    let customer = id(&ada.post("/v1/customers", new).await.ok());
    ada.patch(&format!("/v1/devices/{}", demo.coffee_machine), json!({"customerId": customer})).await.ok();
    // Tickets and fleet hear of it each in its own time; every ticket is offered by what is known when it opens.
    let later = eventually("a later ticket to be offered to South", PATIENCE, || async {
        let ticket = open(&nora, &world).await;
        let dispatch = eventually("its first round", PATIENCE, || async {
            let rounds = ada.get(&format!("/v1/tickets/{ticket}/dispatch/rounds")).await.body;
            match rounds["rounds"].as_array() {
                Some(rounds) if !rounds.is_empty() => Ok(()),
                _ => Err(rounds.to_string()),
            }
        });
        dispatch.await;
        let requested = who(&ada.get(&format!("/v1/tickets/{ticket}/dispatch")).await.ok()["requested"]);
        if requested == ids(&["sofia"]) { Ok(ticket) } else { Err(requested) }
    })
    .await;
    let dispatch = ada.get(&format!("/v1/tickets/{before}/dispatch")).await.ok();
    assert_eq!(who(&dispatch["requested"]), ids(&["nick", "nora"]), "the earlier one stays as it was routed");

    // F-4: each employee in one of the lists.
    let offer = offer_of(&sofia, &later).await;
    sofia.post(&format!("/v1/offers/{offer}:accept"), json!({})).await.ok();
    let dispatch = ada.get(&format!("/v1/tickets/{later}/dispatch")).await.ok();
    assert_eq!(who(&dispatch["assigned"]), ids(&["sofia"]));
    let mut others = ids(&["max", "nora", "nick", "otto"]);
    others.push(id(&ada.get("/v1/me").await.ok()["employee"]));
    others.sort_unstable();
    assert_eq!(who(&dispatch["availableEmployeeIds"]), others, "everybody else who may see the ticket");
}
