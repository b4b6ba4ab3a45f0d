//! The gateway as it really runs: on the chassis, over a real NATS server, REST and gRPC on one port.

use callboard_gateway::definition;
use callboard_service::{StartOptions, start};
use callboard_testkit::{PATIENCE, Servers, eventually_some};
use futures::StreamExt;
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;
use tokio_util::sync::CancellationToken;
use tonic::transport::Endpoint;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use tonic_reflection::pb::v1::{ServerReflectionRequest, ServerReflectionResponse};
use tonic_reflection::pb::v1alpha;

const TICKETS: &str = "callboard.tickets.v1.TicketService";

fn ask(message: MessageRequest) -> ServerReflectionRequest {
    ServerReflectionRequest { host: String::new(), message_request: Some(message) }
}

fn answer(response: Option<ServerReflectionResponse>) -> MessageResponse {
    response.unwrap().message_response.unwrap()
}

#[tokio::test]
async fn rest_grpc_health_and_reflection_share_one_port() {
    let servers = Servers::shared().await;
    // The tickets service, as far as health goes.
    let (tickets, health) = tonic_health::server::health_reporter();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let behind = format!("http://{}", listener.local_addr().unwrap());
    let serving = tokio_util::task::TaskTracker::new();
    serving.spawn(
        tonic::transport::Server::builder()
            .add_service(health)
            .serve_with_incoming(tonic::transport::server::TcpIncoming::from(listener)),
    );
    let options = StartOptions::default()
        .with("nats.url", servers.nats_url())
        .with("gateway.upstreams.tickets", behind)
        .with("grpc.listen", "127.0.0.1:0")
        .with("admin.listen", "127.0.0.1:0")
        .with("shutdown.propagation_delay", "0s");
    let mut running =
        start(definition(), options, callboard_service::telemetry::metrics(), CancellationToken::new())
            .await
            .unwrap();
    running.ready().await.unwrap();
    let address = format!("http://{}", running.grpc_addr);

    let http = reqwest::Client::new();
    let document: serde_json::Value =
        http.get(format!("{address}/openapi.json")).send().await.unwrap().json().await.unwrap();
    assert_eq!(document["info"]["title"], "Callboard");
    let problem = http.get(format!("{address}/v1/tickets")).send().await.unwrap();
    assert_eq!(problem.status(), 401);
    assert_eq!(problem.json::<serde_json::Value>().await.unwrap()["reason"], json!("TOKEN_MISSING"));

    let channel = Endpoint::from_shared(address.clone()).unwrap().connect().await.unwrap();
    let says = async |name: &'static str, status: ServingStatus| {
        eventually_some(&format!("health of {name:?} says {status:?}"), PATIENCE, || async {
            let request = HealthCheckRequest { service: name.into() };
            let health = HealthClient::new(channel.clone()).check(request).await.ok()?;
            (health.into_inner().status() == status).then_some(())
        })
        .await;
    };
    // The gateway itself is well, and says of others what they say.
    says("", ServingStatus::Serving).await;
    says(TICKETS, ServingStatus::NotServing).await;
    tickets.set_service_status(TICKETS, tonic_health::ServingStatus::Serving).await;
    says(TICKETS, ServingStatus::Serving).await;
    says("callboard.fleet.v1.FleetService", ServingStatus::NotServing).await;
    tickets.set_service_status(TICKETS, tonic_health::ServingStatus::NotServing).await;
    says(TICKETS, ServingStatus::NotServing).await;

    let asked = [
        ask(MessageRequest::ListServices(String::new())),
        ask(MessageRequest::FileContainingSymbol("callboard.tickets.v1.TicketService.SubmitTicket".into())),
    ];
    let mut stream = ServerReflectionClient::new(channel.clone())
        .server_reflection_info(tokio_stream::iter(asked))
        .await
        .unwrap()
        .into_inner();
    let MessageResponse::ListServicesResponse(list) = answer(stream.next().await.unwrap().ok()) else {
        panic!("a list")
    };
    let names: Vec<String> = list.service.into_iter().map(|service| service.name).collect();
    for name in [
        "callboard.directory.v1.SessionService",
        "callboard.tickets.v1.TicketService",
        "grpc.health.v1.Health",
    ] {
        assert!(names.iter().any(|found| found == name), "{names:?}");
    }
    let described = answer(stream.next().await.unwrap().ok());
    assert!(matches!(described, MessageResponse::FileDescriptorResponse(_)), "{described:?}");

    // The older protocol, for clients that know no other.
    let older = v1alpha::ServerReflectionRequest {
        host: String::new(),
        message_request: Some(
            v1alpha::server_reflection_request::MessageRequest::ListServices(String::new()),
        ),
    };
    let mut stream = v1alpha::server_reflection_client::ServerReflectionClient::new(channel.clone())
        .server_reflection_info(tokio_stream::iter([older]))
        .await
        .unwrap()
        .into_inner();
    assert!(stream.next().await.unwrap().is_ok());

    // A connection becomes a WebSocket, and a stop ends it in order.
    let call = format!("ws://{}/v1/videoSessions/{}/call", running.grpc_addr, uuid::Uuid::nil());
    let (mut socket, _) = tokio_tungstenite::connect_async(call).await.unwrap();

    // A call without a token is refused before it goes anywhere.
    let mut client = callboard_proto::tickets::v1::ticket_service_client::TicketServiceClient::new(channel);
    let refused =
        client.get_ticket(callboard_proto::tickets::v1::GetTicketRequest::default()).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::Unauthenticated);
    let goodbyes = async {
        let mut heard = Vec::new();
        while let Some(Ok(message)) = socket.next().await {
            heard.push(message);
        }
        heard
    };
    let (stopped, heard) = futures::join!(running.stop(), goodbyes);
    stopped.unwrap();
    let [Message::Text(ended), Message::Close(Some(frame))] = &heard[..] else { panic!("{heard:?}") };
    assert_eq!(ended.as_str(), r#"{"ended":{"ending":"GOING_AWAY"}}"#);
    assert_eq!(u16::from(frame.code), 1001);
}

#[test]
fn check_config_names_a_setting_that_is_wrong_and_the_rule() {
    let check = |name: &str, value: &str| {
        let run = std::process::Command::new(env!("CARGO_BIN_EXE_callboard-gateway"))
            .arg("check-config")
            .env(name, value)
            .output()
            .unwrap();
        (run.status.success(), String::from_utf8(run.stderr).unwrap())
    };
    assert_eq!(check("CALLBOARD__GATEWAY__CALL_TIMEOUT", "5s"), (true, String::new()));
    let (fits, said) = check("CALLBOARD__GATEWAY__LIVE__HEARTBEAT", "soon");
    assert!(!fits && said.contains("gateway.live.heartbeat") && said.contains("ms, s, m, h or d"), "{said}");
    let (fits, said) = check("CALLBOARD__GATEWAY__CALL_TIMEOUT", "1ms");
    assert!(!fits && said.contains("gateway.call_timeout must be at least 10ms"), "{said}");
}
