//! What a newcomer gets wrong, and what the answer says of it.

use callboard_kernel::Refusal;
use callboard_proto::tickets::v1 as tickets;
use callboard_service::error::status;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::world::{World, member, read};

const CREATE: &str = "callboard.tickets.v1.TicketService/CreateTicket";
const LIST: &str = "callboard.tickets.v1.TicketService/ListTickets";

async fn wrong_field(request: RequestBuilder) -> (String, String) {
    let (status, problem) = read(request.send().await.unwrap()).await;
    assert_eq!((status, &problem["reason"]), (400, &json!("INVALID_FIELDS")), "{problem}");
    let violation = &problem["violations"][0];
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let (field, rule) = (text(&violation["field"]), text(&violation["description"]));
    assert!(text(&problem["detail"]).starts_with(&format!("{field}: ")), "{problem}");
    (field, rule)
}

#[tokio::test]
async fn a_body_that_is_no_object_is_refused_and_says_so() {
    let world = World::new().await;
    let post = || {
        world.request(&member(&[]), Method::POST, "/v1/tickets").header("content-type", "application/json")
    };
    // A list would be taken for the object's fields in order.
    for body in [r#"["01a20052-ecbb-7434-9724-088a0e87a912"]"#, "null", "7", "\"x\""] {
        let (field, rule) = wrong_field(post().body(body)).await;
        assert_eq!((field.as_str(), rule.as_str()), ("body", "must be a JSON object"), "{body}");
    }
    for body in ["{bad", "{", "<xml>"] {
        let (field, rule) = wrong_field(post().body(body)).await;
        assert!(field == "body" && rule.starts_with("is not JSON: "), "{body}: {rule}");
    }
    let (field, rule) = wrong_field(world.request(&member(&[]), Method::POST, "/v1/tickets")).await;
    assert!(field == "body" && rule.starts_with("is required"), "{rule}");
    let packed = post().header("content-encoding", "gzip").body("{}").send().await.unwrap();
    assert_eq!(read(packed).await.0, 415);
}

#[tokio::test]
async fn fields_are_named_as_the_caller_wrote_them() {
    let world = World::new().await;
    world.tickets.on(CREATE, |_: tickets::CreateTicketRequest| {
        Err::<tickets::CreateTicketResponse, _>(status(
            "tickets",
            &Refusal::field("device_id", "is required"),
        ))
    });
    world.tickets.on(LIST, |_: tickets::ListTicketsRequest| {
        Err::<tickets::ListTicketsResponse, _>(status(
            "tickets",
            &Refusal::field("filter.device_ids[1]", "no UUID"),
        ))
    });
    let create = world.request(&member(&[]), Method::POST, "/v1/tickets").json(&json!({}));
    assert_eq!(wrong_field(create).await.0, "deviceId");
    let list = world.request(&member(&[]), Method::GET, "/v1/tickets?deviceId=a&deviceId=b");
    assert_eq!(wrong_field(list).await.0, "deviceId[1]");
}

#[tokio::test]
async fn queries_say_the_rule_in_plain_words() {
    let world = World::new().await;
    let get = |path: &str| world.request(&member(&[]), Method::GET, path);
    let (field, rule) = wrong_field(get("/v1/tickets?pageSize=many")).await;
    assert_eq!((field.as_str(), &rule[..20]), ("pageSize", "must be a whole numb"));
    let (field, rule) = wrong_field(get("/v1/tickets?createdFrom=yesterday")).await;
    assert_eq!((field.as_str(), &rule[..14]), ("createdFrom", "must be a time"));
}

#[tokio::test]
async fn rfc_9110_a_wrong_method_is_told_the_right_ones() {
    let world = World::new().await;
    let response = world.request(&member(&[]), Method::DELETE, "/v1/tickets").send().await.unwrap();
    let allow = response.headers()["allow"].to_str().unwrap().to_owned();
    assert_eq!(response.status(), 405);
    for method in ["GET", "POST"] {
        assert!(allow.contains(method), "{allow}");
    }
}
