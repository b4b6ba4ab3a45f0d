//! Sessions of code users end everywhere (D-3).

use callboard_e2e_tests::{Client, Live, Platform, Service, World, grpc};
use callboard_testkit::eventually;
use serde_json::{Value, json};
use tonic::Code;

/// "Within seconds".
const SECONDS: std::time::Duration = std::time::Duration::from_secs(10);

/// One reading RPC of each service, that a code user may call.
fn probes(world: &World, ticket: &str) -> [(Service, &'static str, Value); 4] {
    [
        (Service::Directory, "directory.v1.SessionService/GetMe", json!({})),
        (Service::Tickets, "tickets.v1.TicketService/GetTicket", json!({"ticketId": ticket})),
        // Not for code users; whether the token counts is asked before.
        (Service::Fleet, "fleet.v1.GroupService/ListGroups", json!({"templateId": world.demo.coffee})),
        (
            Service::Ratings,
            "ratings.v1.RatingService/GetRating",
            json!({"subjectKind": "SUBJECT_KIND_TICKET", "subjectId": ticket}),
        ),
    ]
}

async fn code(platform: &Platform, probe: &(Service, &str, Value), visitor: &Client) -> Code {
    let channel = grpc::channel(&platform.grpc_url(probe.0));
    let method = grpc::method(&grpc::descriptors(), probe.1);
    match grpc::call(&channel, &method, &probe.2, Some(visitor.token())).await {
        Ok(_) => Code::Ok,
        Err(status) => status.code(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn d_3_logging_out_a_code_ends_its_sessions_in_every_service() {
    let platform = Platform::shared().await;
    let world = World::make(platform, "sessions.test").await;
    let (visitor, oven_visitor) = (world.visitor().await, world.oven_visitor().await);
    let admin = world.person("ada").await;
    let ticket = crate::play::open(&visitor, &world).await;
    for probe in probes(&world, &ticket) {
        assert_ne!(code(platform, &probe, &visitor).await, Code::Unauthenticated, "{}", probe.1);
    }
    let mut live = Live::open(&visitor, None).await;

    let path = format!("/v1/codes/{}:endSessions", world.demo.coffee_code_id);
    assert_eq!(admin.post(&path, json!({})).await.ok()["ended"], 1);

    for probe in probes(&world, &ticket) {
        eventually(&format!("{} to refuse the token", probe.0.name()), SECONDS, || async {
            match code(platform, &probe, &visitor).await {
                Code::Unauthenticated => Ok(()),
                other => Err(other),
            }
        })
        .await;
    }
    eventually("the gateway to refuse the token", SECONDS, || async {
        match visitor.get("/v1/me").await.status.as_u16() {
            401 => Ok(()),
            other => Err(other),
        }
    })
    .await;
    let last = live.until(|frame| frame.event == "end").await;
    assert_eq!(live.next().await, None, "the stream ends: {last:?}");

    // Other codes and new scans are not concerned.
    oven_visitor.get("/v1/me").await.ok();
    let again = world.visitor().await;
    again.get(&format!("/v1/tickets/{ticket}")).await.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn d_3_a_refresh_token_serves_once_and_a_second_use_ends_the_session() {
    let platform = Platform::shared().await;
    let world = World::make(platform, "refresh.test").await;
    let nobody = world.nobody();
    let scan = nobody.post("/v1/codes:scan", json!({"code": world.demo.coffee_code})).await.ok();
    let first = scan["tokens"]["refreshToken"].as_str().expect("a refresh token").to_owned();
    let refreshed = nobody.post("/v1/sessions:refresh", json!({"refreshToken": first})).await.ok();
    let visitor = nobody.with_token(refreshed["tokens"]["accessToken"].as_str().expect("a token"));
    visitor.get("/v1/me").await.ok();
    nobody.post("/v1/sessions:refresh", json!({"refreshToken": first})).await.problem(401);
    let second = refreshed["tokens"]["refreshToken"].clone();
    nobody.post("/v1/sessions:refresh", json!({"refreshToken": second})).await.problem(401);
    eventually("the access token to be refused", SECONDS, || async {
        match visitor.get("/v1/me").await.status.as_u16() {
            401 => Ok(()),
            other => Err(other),
        }
    })
    .await;
}
