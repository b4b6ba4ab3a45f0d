//! How a service starts and ends.

use std::sync::LazyLock;
use std::time::Duration;

use callboard_service::Definition;
use callboard_service::error::report;
use sqlx::migrate::Migrator;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;

use crate::support::{
    ENTERED, GATE, WAITING, ask, channel, definition, eventually, get, options, start_with, started,
};

#[tokio::test]
async fn a_stop_flips_health_first_then_finishes_what_is_in_flight() {
    let running = started(options().with("shutdown.propagation_delay", "2s")).await;
    let address = running.grpc_addr;
    let in_flight = tokio_util::task::TaskTracker::new().spawn(ask(channel(&running), "gate"));
    WAITING.acquire().await.unwrap().forget();
    let client = HealthClient::new(channel(&running));
    let status = || {
        let mut client = client.clone();
        async move { client.check(HealthCheckRequest::default()).await.map(|answer| answer.into_inner().status) }
    };
    eventually("serving", || async { matches!(status().await, Ok(1)) }).await;
    let late = channel(&running);
    running.request_stop();
    eventually("health says not serving", || async { matches!(status().await, Ok(2)) }).await;
    assert_eq!(get(&running, "/readyz").await.0, 503);
    assert_eq!(get(&running, "/livez").await.0, 200);
    // Routers have not noticed yet: calls still come, and are served.
    assert_eq!(ask(late, "abc").await.unwrap(), "3");
    eventually("no new connections", || async { tokio::net::TcpStream::connect(address).await.is_err() })
        .await;
    assert!(!in_flight.is_finished());
    GATE.add_permits(1);
    assert_eq!(in_flight.await.unwrap().unwrap(), "passed");
    running.wait().await.unwrap();
}

#[tokio::test]
async fn watchers_of_health_and_readers_of_reflection_do_not_hold_a_stop_up() {
    let long = options().with("shutdown.drain_timeout", "60s").with("shutdown.hard_limit", "90s");
    let running = started(long).await;
    let mut health = HealthClient::new(channel(&running));
    let mut watched = health.watch(HealthCheckRequest::default()).await.unwrap().into_inner();
    // Asks nothing, and stays.
    let mut reflection = ServerReflectionClient::new(channel(&running));
    let mut described =
        reflection.server_reflection_info(futures::stream::pending()).await.unwrap().into_inner();
    assert_eq!(watched.message().await.unwrap().unwrap().status, 1);
    tokio::time::timeout(Duration::from_secs(20), running.stop()).await.expect("at once").unwrap();
    assert_eq!(watched.message().await.unwrap().unwrap().status, 2, "told before it ends");
    assert_eq!(watched.message().await.unwrap_err().code(), tonic::Code::Unavailable);
    let end = described.message().await;
    assert!(matches!(&end, Ok(None)) || end.is_err_and(|told| told.code() == tonic::Code::Unavailable));
}

#[tokio::test]
async fn a_call_that_never_ends_is_cut_off() {
    let options = options().with("shutdown.drain_timeout", "200ms").with("grpc.default_deadline", "60s");
    let running = started(options).await;
    let stuck = tokio_util::task::TaskTracker::new().spawn(ask(channel(&running), "for ever"));
    eventually("the call is in", || async { ENTERED.available_permits() > 0 }).await;
    running.stop().await.unwrap();
    let told = stuck.await.unwrap().unwrap_err();
    assert_eq!((told.code(), report(&told).reason.as_str()), (tonic::Code::Unavailable, "STOPPING"));
}

#[tokio::test]
async fn a_task_that_breaks_stops_the_service_with_an_error() {
    let mut running = start_with(definition(), options().with("test.crash", true)).await;
    let _ = running.ready().await;
    let error = running.wait().await.unwrap_err().to_string();
    assert!(error.contains("worker") && error.contains("the worker broke"), "{error}");
}

#[tokio::test]
async fn without_its_database_it_is_alive_and_not_ready_and_stops_when_asked() {
    static MIGRATIONS: LazyLock<Migrator> = LazyLock::new(|| Migrator::with_migrations(Vec::new()));
    let definition = Definition { migrations: Some(&MIGRATIONS), ..definition() };
    // Nobody listens on a port that was free a moment ago.
    let port = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let url = format!("postgres://nobody:secret@127.0.0.1:{port}/nothing");
    let running = start_with(definition, options().with("database.url", url)).await;
    eventually("it says what it waits for", || async {
        let (status, body) = get(&running, "/readyz").await;
        status == 503 && body.contains("waiting for the database")
    })
    .await;
    assert_eq!(get(&running, "/livez").await.0, 200);
    running.stop().await.unwrap();
}

#[tokio::test]
async fn a_port_that_is_taken_is_an_error_before_any_work() {
    let running = started(options()).await;
    let taken = options().with("grpc.listen", running.grpc_addr.to_string());
    let metrics = callboard_service::telemetry::metrics();
    let error = callboard_service::start(definition(), taken, metrics, Default::default()).await.unwrap_err();
    assert!(error.to_string().contains("grpc.listen"), "{error}");
    running.stop().await.unwrap();
}
