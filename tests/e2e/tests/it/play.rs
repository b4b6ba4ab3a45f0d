//! Scenes that several tests begin with.

use callboard_e2e_tests::{Client, World};
use callboard_testkit::{PATIENCE, eventually_some};
use serde_json::{Value, json};

/// The `id` of a resource.
#[track_caller]
pub fn id(value: &Value) -> String {
    value["id"].as_str().expect("an id").to_owned()
}

/// All answers of the flow "repair", to open a ticket at once.
pub fn repair(world: &World, what: &str) -> Value {
    json!({
        "deviceId": world.demo.coffee_machine, "flowId": world.demo.repair_flow, "open": true,
        "answers": [{"step": "what", "text": what}, {"step": "part", "choice": "pump"}],
    })
}

/// Opens a ticket on the coffee machine; its id.
pub async fn open(caller: &Client, world: &World) -> String {
    id(&caller.post("/v1/tickets", repair(world, "No coffee")).await.ok())
}

/// The id of an employee's open offer on a ticket, as soon as there is one.
pub async fn offer_of(employee: &Client, ticket: &str) -> String {
    eventually_some("an offer", PATIENCE, || async {
        let dispatch = employee.get(&format!("/v1/tickets/{ticket}/dispatch")).await;
        dispatch.body["ownOfferId"].as_str().filter(|id| !id.is_empty()).map(str::to_owned)
    })
    .await
}

/// Waits until a ticket has a status.
pub async fn becomes(caller: &Client, ticket: &str, status: &str) -> Value {
    eventually_some(&format!("the ticket to become {status}"), PATIENCE, || async {
        let answer = caller.get(&format!("/v1/tickets/{ticket}")).await;
        (answer.body["status"] == status).then_some(answer.body)
    })
    .await
}

/// Accepts the own offer and waits until the ticket is ASSIGNED.
pub async fn accept(employee: &Client, ticket: &str) {
    let offer = offer_of(employee, ticket).await;
    employee.post(&format!("/v1/offers/{offer}:accept"), json!({})).await.ok();
    becomes(employee, ticket, "ASSIGNED").await;
}

/// Sets a status by hand.
pub async fn set_status(caller: &Client, ticket: &str, status: &str) {
    caller.post(&format!("/v1/tickets/{ticket}:setStatus"), json!({"status": status})).await.ok();
}

/// Waits until the visitor is asked for a rating.
pub async fn asked(visitor: &Client, ticket: &str) {
    eventually_some("the visitor to be asked", PATIENCE, || async {
        let rating = visitor.get(&format!("/v1/tickets/{ticket}/rating")).await;
        (rating.body["state"] == "REQUESTED").then_some(())
    })
    .await;
}
