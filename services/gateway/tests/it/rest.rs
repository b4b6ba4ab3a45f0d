//! REST: problems, ids, tags, limits, shapes.

use callboard_kernel::{ErrorKind, Refusal};
use callboard_proto::{directory::v1 as directory, fleet::v1 as fleet, tickets::v1 as tickets};
use callboard_service::error::status;
use reqwest::Method;
use serde_json::json;
use uuid::Uuid;

use crate::world::{DEVICE, OFFER, TICKET, World, member, nobody, read};

const ACCEPT: &str = "callboard.fleet.v1.FleetService/AcceptOffer";
const CREATE: &str = "callboard.tickets.v1.TicketService/CreateTicket";
const UPDATE: &str = "callboard.tickets.v1.TicketService/UpdateTicket";

fn ticket() -> tickets::Ticket {
    tickets::Ticket {
        id: TICKET.to_string(),
        number: 7,
        title: "Leak".into(),
        status: tickets::TicketStatus::Open.into(),
        visibility: tickets::Visibility::Internal.into(),
        etag: "\"3\"".into(),
        create_time: Some(prost_types::Timestamp { seconds: 1_763_760_000, nanos: 0 }),
        ..Default::default()
    }
}

#[tokio::test]
async fn a_refusal_becomes_a_problem_document_with_the_same_reason() {
    let world = World::new().await;
    world.fleet.on(ACCEPT, |_: fleet::AcceptOfferRequest| {
        let filled = Refusal::new(ErrorKind::FailedPrecondition, "OFFER_FILLED", "others were faster (F-7)");
        Err::<fleet::AcceptOfferResponse, _>(status("fleet", &filled))
    });
    let request = world.request(&member(&[]), Method::POST, &format!("/v1/offers/{OFFER}:accept"));
    let response =
        request.header("X-Request-Id", "mine-1").header("Accept-Language", "de").send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    assert_eq!(response.headers()["x-request-id"], "mine-1");
    assert_eq!(response.headers()["content-language"], "de");
    let (status, problem) = read(response).await;
    assert_eq!(status, 409);
    assert_eq!(
        problem,
        json!({
            "type": "/docs/errors#OFFER_FILLED",
            "title": "Der Zustand erlaubt es nicht",
            "status": 409,
            "detail": "others were faster (F-7)",
            "reason": "OFFER_FILLED",
            "requestId": "mine-1",
        })
    );
    // The id went on to the service, with the caller's own token.
    let asked = world.fleet.asked::<fleet::AcceptOfferRequest>(ACCEPT);
    assert_eq!(asked[0].1["x-request-id"], "mine-1");
    assert!(asked[0].1["authorization"].to_str().unwrap().starts_with("Bearer "));
    assert!(asked[0].1.contains_key("grpc-timeout"));
}

#[tokio::test]
async fn wrong_requests_name_what_is_wrong() {
    let world = World::new().await;
    let me = member(&[]);
    let id = TICKET;
    let post = |path: String, body: &'static str| {
        world.request(&me, Method::POST, &path).header("content-type", "application/json").body(body)
    };
    let table = [
        (post("/v1/tickets".into(), r#"{"titel":"x"}"#), 400, "INVALID_FIELDS", "titel"),
        (
            post("/v1/tickets".into(), r#"{"answers":[{"step":"a"},{"step":"b","tekst":"x"}]}"#),
            400,
            "INVALID_FIELDS",
            "answers[1].tekst",
        ),
        (
            post("/v1/tickets".into(), r#"{"answers":[{"step":"a","text":"x","yes":true}]}"#),
            400,
            "INVALID_FIELDS",
            "answers[0]",
        ),
        (post("/v1/tickets".into(), r#"{"open":"yes"}"#), 400, "INVALID_FIELDS", "open"),
        (post("/v1/tickets".into(), "{"), 400, "INVALID_FIELDS", "body"),
        (post(format!("/v1/tickets/{id}:setStatus"), "{}"), 400, "INVALID_FIELDS", "status"),
        (post("/v1/tickets/7:submit".into(), "{}"), 400, "INVALID_FIELDS", "id"),
        (world.request(&me, Method::GET, "/v1/tickets?stauts=OPEN"), 400, "INVALID_FIELDS", "stauts"),
        (world.request(&me, Method::GET, "/v1/tickets?pageSize=many"), 400, "INVALID_FIELDS", "pageSize"),
        (world.request(&me, Method::GET, "/v1/nothing"), 404, "ROUTE_NOT_FOUND", ""),
        (world.request(&me, Method::POST, &format!("/v1/tickets/{id}/:submit")), 404, "ROUTE_NOT_FOUND", ""),
        (world.request(&me, Method::POST, &format!("/v1/tickets/{id}:fly")), 404, "ROUTE_NOT_FOUND", ""),
        (world.request(&me, Method::PUT, "/v1/tickets"), 405, "METHOD_NOT_ALLOWED", ""),
        (world.request(&me, Method::POST, "/v1/tickets").body("{}"), 415, "MEDIA_TYPE_UNSUPPORTED", ""),
        (world.anonymous(Method::GET, "/v1/tickets"), 401, "TOKEN_MISSING", ""),
        (world.anonymous(Method::GET, "/v1/tickets").bearer_auth("a.b.c"), 401, "TOKEN_INVALID", ""),
        (
            post("/v1/tickets".into(), "{}").header("Idempotency-Key", ""),
            400,
            "INVALID_FIELDS",
            "Idempotency-Key",
        ),
        (
            post(format!("/v1/tickets/{id}:cancel"), "{}").header("If-Match", "W/\"3\""),
            400,
            "INVALID_FIELDS",
            "If-Match",
        ),
    ];
    for (index, (request, status, reason, field)) in table.into_iter().enumerate() {
        let response = request.send().await.unwrap();
        assert!(status != 401 || response.headers().contains_key("www-authenticate"));
        let (found, problem) = read(response).await;
        assert_eq!((found, problem["reason"].as_str()), (status, Some(reason)), "line {index}: {problem}");
        if !field.is_empty() {
            assert_eq!(problem["violations"][0]["field"], field, "line {index}: {problem}");
        }
    }
    let (status, problem) =
        read(post("/v1/tickets".into(), "{}").body("x".repeat(5000)).send().await.unwrap()).await;
    assert_eq!((status, problem["reason"].as_str()), (413, Some("BODY_TOO_LARGE")));
    assert!(
        world.tickets.asked::<tickets::CreateTicketRequest>(CREATE).is_empty(),
        "nothing wrong reached a service"
    );
}

#[tokio::test]
async fn aip_155_the_idempotency_key_is_the_request_id() {
    let world = World::new().await;
    world.tickets.on(CREATE, |_: tickets::CreateTicketRequest| {
        Ok(tickets::CreateTicketResponse { ticket: Some(ticket()) })
    });
    let uuid = Uuid::from_u128(99).to_string();
    for key in [Some(uuid.as_str()), Some("order 66"), Some("\"order 66\""), Some("order 67"), None, None] {
        let mut request =
            world.request(&member(&[]), Method::POST, "/v1/tickets").json(&json!({ "title": "Leak" }));
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 201);
        assert_eq!(response.headers()["location"], format!("/v1/tickets/{TICKET}"));
        assert_eq!(response.headers()["etag"], "\"3\"");
    }
    let ids: Vec<String> = world
        .tickets
        .asked::<tickets::CreateTicketRequest>(CREATE)
        .into_iter()
        .map(|(asked, _)| asked.request_id)
        .collect();
    assert_eq!(ids[0], uuid);
    assert_eq!(ids[1], ids[2], "quoted or bare, the same key");
    assert!(ids.iter().all(|id| id.parse::<Uuid>().is_ok()));
    let different: std::collections::HashSet<&String> = ids.iter().collect();
    assert_eq!(different.len(), 5);
}

#[tokio::test]
async fn aip_154_if_match_is_the_etag_and_a_mismatch_is_412() {
    let world = World::new().await;
    world.tickets.on(UPDATE, |asked: tickets::UpdateTicketRequest| {
        let given = asked.ticket.unwrap_or_default();
        if !given.etag.is_empty() && given.etag != "\"3\"" {
            return Err(status(
                "tickets",
                &Refusal::new(ErrorKind::Aborted, "ETAG_MISMATCH", "changed since"),
            ));
        }
        assert_eq!(asked.update_mask.unwrap().paths, ["title"]);
        assert_eq!((given.id, given.title.as_str()), (TICKET.to_string(), "New"));
        Ok(tickets::UpdateTicketResponse {
            ticket: Some(tickets::Ticket { etag: "\"4\"".into(), ..ticket() }),
        })
    });
    let patch = || world.request(&member(&[]), Method::PATCH, &format!("/v1/tickets/{TICKET}"));
    let response = patch().header("If-Match", "\"3\"").json(&json!({ "title": "New" })).send().await.unwrap();
    assert_eq!(response.headers()["etag"], "\"4\"");
    let stale = patch().header("If-Match", "\"2\"").json(&json!({ "title": "New" })).send().await.unwrap();
    let (status, problem) = read(stale).await;
    assert_eq!((status, problem["reason"].as_str()), (412, Some("ETAG_MISMATCH")));
    // The whole resource may be sent back: what is output only is ignored, its etag counts.
    let whole = json!({ "id": TICKET, "title": "New", "status": "OPEN", "etag": "\"2\"" });
    assert_eq!(read(patch().json(&whole).send().await.unwrap()).await.0, 409);
    let nothing = read(patch().json(&json!({ "status": "DONE" })).send().await.unwrap()).await;
    assert_eq!(nothing.0, 400, "a status is set by its verb");
}

#[tokio::test]
async fn a_null_clears_and_an_update_mask_chooses() {
    const UPDATE: &str = "callboard.directory.v1.DirectoryService/UpdateDevice";
    let world = World::new().await;
    world.directory.on(UPDATE, |_: directory::UpdateDeviceRequest| {
        Ok(directory::UpdateDeviceResponse { device: Some(directory::Device::default()) })
    });
    let patch =
        |query: &str| world.request(&member(&[]), Method::PATCH, &format!("/v1/devices/{DEVICE}{query}"));
    patch("").json(&json!({ "customerId": null, "serialNumber": "S" })).send().await.unwrap();
    patch("?updateMask=name").json(&json!({ "name": "N", "serialNumber": "S" })).send().await.unwrap();
    let (status, problem) = read(patch("?updateMask=etag").json(&json!({})).send().await.unwrap()).await;
    assert_eq!((status, problem["violations"][0]["field"].as_str()), (400, Some("updateMask")));
    let asked = world.directory.asked::<directory::UpdateDeviceRequest>(UPDATE);
    let mask = |index: usize| asked[index].0.update_mask.clone().unwrap().paths;
    assert_eq!(mask(0), ["customer_id", "serial_number"]);
    assert_eq!(asked[0].0.device.as_ref().unwrap().customer_id, "");
    assert_eq!(mask(1), ["name"]);
}

#[tokio::test]
async fn t_15_lists_are_filtered_by_query_parameters() {
    const LIST: &str = "callboard.tickets.v1.TicketService/ListTickets";
    let world = World::new().await;
    world.tickets.on(LIST, |_: tickets::ListTicketsRequest| {
        Ok(tickets::ListTicketsResponse { tickets: vec![ticket()], next_page_token: String::new() })
    });
    let path = format!(
        "/v1/tickets?status=OPEN&status=IN_PROGRESS&rating=0&createdFrom=2026-11-01T00:00:00Z&mine=true&orderBy=NUMBER_ASC&deviceId={DEVICE}&text=a%20b"
    );
    let (status, page) = read(world.request(&member(&[]), Method::GET, &path).send().await.unwrap()).await;
    assert_eq!(status, 200, "{page}");
    assert!(page.get("nextPageToken").is_none());
    assert_eq!(page["tickets"][0]["status"], "OPEN");
    assert_eq!(page["tickets"][0]["createTime"], "2025-11-21T21:20:00Z");
    assert_eq!(page["tickets"][0]["involvedEmployeeIds"], json!([]));
    let asked = world.tickets.asked::<tickets::ListTicketsRequest>(LIST).remove(0).0;
    let filter = asked.filter.clone().unwrap();
    assert_eq!(
        filter.statuses,
        [tickets::TicketStatus::Open as i32, tickets::TicketStatus::InProgress as i32]
    );
    assert_eq!((filter.ratings, filter.mine, filter.text.as_str()), (vec![0], true, "a b"));
    assert_eq!(filter.created.unwrap().start.unwrap().seconds, 1_793_491_200);
    assert_eq!(asked.order(), tickets::TicketOrder::NumberAsc);
}

#[tokio::test]
async fn limits_are_told_and_kept_per_caller() {
    let world = World::with(|settings| {
        settings.rate.per_principal = 3;
        settings.rate.per_address = 2;
    })
    .await;
    let get = || world.request(&member(&[]), Method::GET, "/v1/nothing");
    let mut remaining = Vec::new();
    for _ in 0..3 {
        let response = get().send().await.unwrap();
        assert_eq!(response.status(), 404);
        assert_eq!(response.headers()["ratelimit-policy"], "\"principal\";q=3;w=60");
        remaining.push(response.headers()["ratelimit"].to_str().unwrap().to_owned());
    }
    assert!(
        remaining[0].starts_with("\"principal\";r=2;t=") && remaining[2].starts_with("\"principal\";r=0;t="),
        "{remaining:?}"
    );
    let response = get().send().await.unwrap();
    let wait: u64 = response.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=20).contains(&wait), "{wait}");
    let (status, problem) = read(response).await;
    assert_eq!((status, problem["reason"].as_str()), (429, Some("RATE_LIMITED")));
    // Strangers have a bucket of their own, by address.
    for expected in [404, 404, 429] {
        assert_eq!(world.anonymous(Method::GET, "/v1/nothing").send().await.unwrap().status(), expected);
    }
}

#[tokio::test]
async fn pages_of_configured_origins_may_call() {
    let world = World::new().await;
    let preflight = |origin: &'static str| {
        world
            .anonymous(Method::OPTIONS, "/v1/tickets")
            .header("Origin", origin)
            .header("Access-Control-Request-Method", "POST")
            .header("Access-Control-Request-Headers", "authorization,idempotency-key")
            .send()
    };
    let ours = preflight("https://app.example.com").await.unwrap();
    assert_eq!(ours.headers()["access-control-allow-origin"], "https://app.example.com");
    assert!(
        preflight("https://evil.example")
            .await
            .unwrap()
            .headers()
            .get("access-control-allow-origin")
            .is_none()
    );
    let answer = world
        .anonymous(Method::GET, "/v1/tickets")
        .header("Origin", "https://app.example.com")
        .send()
        .await
        .unwrap();
    assert_eq!(answer.headers()["access-control-allow-origin"], "https://app.example.com", "on problems too");
}

#[tokio::test]
async fn a_service_that_is_away_is_503_and_one_that_hangs_504() {
    let world = World::with(|settings| {
        settings.upstreams.insert("ratings".to_owned(), nobody());
        settings.call_timeout = std::time::Duration::from_millis(300);
    })
    .await;
    world.fleet.hang("callboard.fleet.v1.FleetService/ListOffers");
    let get = |path: &str| world.request(&member(&[]), Method::GET, path).send();
    assert_eq!(read(get("/v1/ratings").await.unwrap()).await.0, 503);
    let (status, problem) = read(get("/v1/offers").await.unwrap()).await;
    assert_eq!((status, problem["reason"].as_str()), (504, Some("DEADLINE_EXCEEDED")));
}
