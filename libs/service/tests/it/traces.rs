//! What a collector sees.

use callboard_service::telemetry::{self, traceparent_of};
use callboard_testkit::{PATIENCE, Servers, eventually, eventually_some, fresh_nats};
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use secrecy::ExposeSecret;
use tonic_prost::ProstCodec;
use tracing::Instrument;
use uuid::Uuid;

use crate::collector::{hex, spans};
use crate::operate::{context_of_its_own, insert, migrated, settings};
use crate::support::{channel, options, start_with, started, token};

async fn first(what: &str, find: impl Fn() -> Vec<Span>) -> Span {
    eventually_some(what, PATIENCE, || {
        let found = find().into_iter().next();
        async move { found }
    })
    .await
}

#[tokio::test]
async fn a_call_on_behalf_of_a_call_belongs_to_the_same_trace() {
    let collected = spans();
    let running = started(options()).await;
    let caller = tracing::info_span!("rpc", otel.kind = "client");
    let ours = traceparent_of(&caller).unwrap();
    let (trace, parent) = (&ours[3..35], &ours[36..52]);
    let bearer = format!("Bearer {}", token().expose_secret());
    async {
        let mut grpc = tonic::client::Grpc::new(channel(&running));
        grpc.ready().await.unwrap();
        let path = "/callboard.test.v1.TestService/Ask".parse().unwrap();
        let codec = ProstCodec::<String, String>::default();
        let mut request = tonic::Request::new("who".to_owned());
        request.metadata_mut().insert("authorization", bearer.parse().unwrap());
        telemetry::inject(request.metadata_mut());
        grpc.unary(request, path, codec).await.unwrap();
    }
    .instrument(caller.clone())
    .await;
    drop(caller);
    let served = first("the span of the call", || {
        let all = collected.of_trace(trace).into_iter();
        all.filter(|span| span.kind == SpanKind::Server as i32).collect()
    })
    .await;
    assert_eq!(hex(&served.parent_span_id), parent);
    // Neither the token nor anything of it.
    assert!(!format!("{served:?}").contains(token().expose_secret()));
    running.stop().await.unwrap();
}

#[tokio::test]
async fn what_an_event_causes_is_linked_to_the_trace_it_happened_in() {
    let collected = spans();
    let (database, broker) = (Servers::shared().await.fresh_database().await, fresh_nats().await);
    let pool = migrated(database.url()).await;
    let mut running = start_with(context_of_its_own(), settings(&database, &broker)).await;
    running.ready().await.unwrap();
    let (trace, span) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
    insert(&pool, Uuid::from_u128(77), 1, 10, Some(&format!("00-{trace}-{span}-01"))).await;
    let reaction = first("the span of the reaction", || collected.linked_to(trace)).await;
    assert_eq!(hex(&reaction.links[0].span_id), span);
    let own = hex(&reaction.trace_id);
    assert_ne!(own, trace, "caused by it and no part of it");
    eventually("the consumer's own span", PATIENCE, || {
        let of_trace = collected.of_trace(&own);
        let found = of_trace.iter().any(|span| span.kind == SpanKind::Consumer as i32);
        async move { if found { Ok(()) } else { Err(of_trace) } }
    })
    .await;
    running.stop().await.unwrap();
}
