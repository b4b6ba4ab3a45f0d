//! What is promised around every call.

use std::time::{Duration, Instant};

use callboard_kernel::ErrorKind;
use callboard_service::error::report;
use callboard_testkit::{PATIENCE, eventually_some};
use secrecy::ExposeSecret;
use tokio::task::JoinSet;
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use crate::support::{ask, call, channel, get, options, started, token};

const ASK: &str = "/callboard.test.v1.TestService/Ask";

#[tokio::test]
async fn an_rpc_without_a_token_is_refused_with_a_reason() {
    let running = started(options()).await;
    let refused = call(channel(&running), ASK, "who", &[]).await.unwrap_err();
    let read = report(&refused);
    assert_eq!((read.kind, read.reason.as_str()), (ErrorKind::Unauthenticated, "TOKEN_MISSING"));
    assert_eq!(read.domain, "callboard.test");
    for (value, reason) in [("Basic abc", "TOKEN_MISSING"), ("Bearer a.b.c", "TOKEN_INVALID")] {
        let refused = call(channel(&running), ASK, "who", &[("authorization", value)]).await.unwrap_err();
        assert_eq!(report(&refused).reason, reason, "{value}");
    }
    assert_eq!(ask(channel(&running), "who").await.unwrap(), "employee:00000000-0000-0000-0000-000000000002");
    running.stop().await.unwrap();
}

#[tokio::test]
async fn a_public_rpc_needs_no_token_but_takes_no_bad_one() {
    let running = started(options()).await;
    let public = "/callboard.test.v1.TestService/Public";
    assert_eq!(call(channel(&running), public, "who", &[]).await.unwrap().into_inner(), "nobody");
    let bad = [("authorization", "Bearer a.b.c")];
    assert_eq!(call(channel(&running), public, "who", &bad).await.unwrap_err().code(), Code::Unauthenticated);
    running.stop().await.unwrap();
}

#[tokio::test]
async fn a_call_ends_at_its_deadline() {
    let running =
        started(options().with("grpc.default_deadline", "200ms").with("grpc.max_deadline", "3s")).await;
    let began = Instant::now();
    let late = ask(channel(&running), "for ever").await.unwrap_err();
    assert_eq!((late.code(), report(&late).reason.as_str()), (Code::DeadlineExceeded, "DEADLINE_EXCEEDED"));
    assert!(began.elapsed() < Duration::from_secs(2));
    // The caller's own, and the longest that is granted.
    let bearer = format!("Bearer {}", token().expose_secret());
    for (timeout, least, most) in [("2S", 1000, 2000), ("1H", 2000, 3000)] {
        let metadata = [("authorization", bearer.as_str()), ("grpc-timeout", timeout)];
        let left = call(channel(&running), ASK, "deadline", &metadata).await.unwrap().into_inner();
        assert!((least..=most).contains(&left.parse().unwrap()), "{timeout}: {left} ms");
    }
    running.stop().await.unwrap();
}

#[tokio::test]
async fn a_caller_names_its_call_and_is_told_the_name() {
    let running = started(options()).await;
    let bearer = format!("Bearer {}", token().expose_secret());
    let metadata = [("authorization", bearer.as_str()), ("x-request-id", "abc-1")];
    let answer = call(channel(&running), ASK, "request id", &metadata).await.unwrap();
    assert_eq!(answer.metadata().get("x-request-id").unwrap(), "abc-1");
    assert_eq!(answer.into_inner(), "abc-1");
    running.stop().await.unwrap();
}

#[tokio::test]
async fn a_message_that_is_too_large_is_refused() {
    let running = started(options().with("grpc.max_message_bytes", 10_000)).await;
    assert_eq!(ask(channel(&running), &"x".repeat(9_000)).await.unwrap(), "9000");
    let refused = report(&ask(channel(&running), &"x".repeat(11_000)).await.unwrap_err());
    assert_eq!((refused.kind, refused.reason.as_str()), (ErrorKind::InvalidArgument, "REQUEST_TOO_LARGE"));
    running.stop().await.unwrap();
}

#[tokio::test]
async fn a_panic_is_an_internal_error_without_details_and_the_service_goes_on() {
    let running = started(options()).await;
    let failed = ask(channel(&running), "panic").await.unwrap_err();
    assert_eq!((failed.code(), report(&failed).reason.as_str()), (Code::Internal, "INTERNAL"));
    assert!(!failed.message().contains("42"));
    assert_eq!(ask(channel(&running), "still there").await.unwrap(), "11");
    running.stop().await.unwrap();
}

#[tokio::test]
async fn too_many_calls_at_once_are_told_to_come_later() {
    let running = started(options().with("grpc.max_concurrent_calls", 1)).await;
    let first = JoinSet::from_iter([ask(channel(&running), "hold")]);
    let read = eventually_some("the first call takes the only place", PATIENCE, || async {
        ask(channel(&running), "who").await.err().map(|status| report(&status))
    })
    .await;
    assert_eq!((read.kind, read.reason.as_str()), (ErrorKind::ResourceExhausted, "TOO_MANY_CALLS"));
    assert!(read.retry_after.is_some());
    // Whoever asks whether we are well is answered all the same.
    let mut health = HealthClient::new(channel(&running));
    health.check(HealthCheckRequest::default()).await.unwrap();
    drop(first);
    crate::support::eventually("there is room again", || async {
        ask(channel(&running), "who").await.is_ok()
    })
    .await;
    running.stop().await.unwrap();
}

#[tokio::test]
async fn health_needs_no_token_and_operators_see_metrics_and_the_services_own_routes() {
    let running = started(options()).await;
    let check = |service: &str| {
        let request = HealthCheckRequest { service: service.to_owned() };
        let mut client = HealthClient::new(channel(&running));
        async move { client.check(request).await.map(|answer| answer.into_inner().status) }
    };
    for service in ["", crate::support::NAME] {
        crate::support::eventually("serving", || async {
            check(service).await.is_ok_and(|status| status == 1)
        })
        .await;
    }
    assert_eq!(check("else").await.unwrap_err().code(), Code::NotFound);
    assert_eq!(get(&running, "/livez").await.0, 200);
    assert_eq!(get(&running, "/readyz").await.0, 200);
    assert_eq!(get(&running, "/.well-known/thing").await, (200, "here".to_owned()));
    assert_eq!(get(&running, "/nothing").await.0, 404);
    let _ = ask(channel(&running), "who").await.unwrap();
    let (_, metrics) = get(&running, "/metrics").await;
    assert!(metrics.contains("rpc_server_call_duration_seconds_bucket"), "{metrics}");
    // Nobody from outside can multiply time series.
    assert!(!metrics.contains("TestService/Ask"));
    running.stop().await.unwrap();
}

#[tokio::test]
async fn where_plain_http_is_served_too_a_grpc_path_is_guarded_whatever_it_calls_itself() {
    let running = started(options().with("test.http", true)).await;
    let at = |path: &str| format!("http://{}{path}", running.grpc_addr);
    let plain = reqwest::get(at("/v1/hello")).await.unwrap();
    assert_eq!(plain.text().await.unwrap(), "hello");
    for content_type in ["application/grpc", "text/plain", "application/json"] {
        let request = reqwest::Client::new().post(at(ASK)).header("content-type", content_type).body("x");
        let answer = request.send().await.unwrap();
        // 16: UNAUTHENTICATED.
        assert_eq!(answer.headers().get("grpc-status").unwrap(), "16", "{content_type}");
    }
    assert_eq!(ask(channel(&running), "who").await.unwrap().len(), 45);
    running.stop().await.unwrap();
}

#[tokio::test]
async fn a_call_belongs_to_the_trace_of_its_caller_and_an_internal_error_names_it() {
    let running = started(options()).await;
    let bearer = format!("Bearer {}", token().expose_secret());
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let traceparent = format!("00-{trace}-00f067aa0ba902b7-01");
    let metadata = [("authorization", bearer.as_str()), ("traceparent", traceparent.as_str())];
    assert_eq!(call(channel(&running), ASK, "trace", &metadata).await.unwrap().into_inner(), trace);
    let failed = call(channel(&running), ASK, "panic", &metadata).await.unwrap_err();
    assert_eq!(report(&failed).metadata.get("traceId").map(String::as_str), Some(trace));
    // Without a caller's it is a new one.
    let own = ask(channel(&running), "trace").await.unwrap();
    assert!(own.len() == 32 && own != trace, "{own}");
    running.stop().await.unwrap();
}
