//! gRPC through the gateway.

use callboard_kernel::{ErrorKind, Refusal};
use callboard_proto::fleet::v1::fleet_service_client::FleetServiceClient;
use callboard_proto::fleet::v1::{AcceptOfferRequest, AcceptOfferResponse, Offer};
use callboard_service::error::{report, status};
use tonic::Code;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::{Channel, Endpoint};
use tonic_prost::ProstCodec;

use crate::world::{World, nobody};

const ACCEPT: &str = "callboard.fleet.v1.FleetService/AcceptOffer";

async fn channel(world: &World) -> Channel {
    Endpoint::from_shared(format!("http://{}", world.address)).unwrap().connect().await.unwrap()
}

fn ask(offer: &str) -> tonic::Request<AcceptOfferRequest> {
    let mut request =
        tonic::Request::new(AcceptOfferRequest { request_id: "r".into(), offer_id: offer.into() });
    request.metadata_mut().insert("authorization", "Bearer whatever".parse().unwrap());
    request
}

#[tokio::test]
async fn a_call_passes_with_its_metadata_message_trailers_and_error_details() {
    let world = World::new().await;
    world.fleet.on(ACCEPT, |asked: AcceptOfferRequest| match asked.offer_id.as_str() {
        "filled" => {
            Err(status("fleet", &Refusal::new(ErrorKind::FailedPrecondition, "OFFER_FILLED", "filled")))
        }
        id => Ok(AcceptOfferResponse { offer: Some(Offer { id: id.into(), ..Default::default() }) }),
    });
    let mut client = FleetServiceClient::new(channel(&world).await);
    let answer = client.accept_offer(ask("free")).await.unwrap();
    assert_eq!(answer.metadata().get("x-from-behind").unwrap(), "yes");
    assert_eq!(answer.into_inner().offer.unwrap().id, "free");
    let refused = report(&client.accept_offer(ask("filled")).await.unwrap_err());
    assert_eq!((refused.reason.as_str(), refused.domain.as_str()), ("OFFER_FILLED", "callboard.fleet"));
    assert_eq!(world.fleet.asked::<AcceptOfferRequest>(ACCEPT)[0].1["authorization"], "Bearer whatever");
}

#[tokio::test]
async fn a_stream_passes_message_by_message() {
    let world = World::new().await;
    world.fleet.on_stream("callboard.fleet.v1.FleetService/Follow", |_: AcceptOfferRequest| {
        Ok((0..100).map(|number| Offer { round: number, ..Default::default() }).collect())
    });
    let mut client = Grpc::new(channel(&world).await);
    client.ready().await.unwrap();
    let path = PathAndQuery::from_static("/callboard.fleet.v1.FleetService/Follow");
    let codec = ProstCodec::<AcceptOfferRequest, Offer>::default();
    let mut stream = client.server_streaming(ask("x"), path, codec).await.unwrap().into_inner();
    let mut rounds = Vec::new();
    while let Some(offer) = stream.message().await.unwrap() {
        rounds.push(offer.round);
    }
    assert_eq!(rounds, (0..100).collect::<Vec<_>>());
    assert_eq!(stream.trailers().await.unwrap().unwrap().get("x-from-behind").unwrap(), "yes");
}

#[tokio::test]
async fn what_is_not_there_and_what_is_away_say_so() {
    let world = World::with(|settings| {
        settings.upstreams.insert("fleet".to_owned(), nobody());
    })
    .await;
    let channel = channel(&world).await;
    let away = FleetServiceClient::new(channel.clone()).accept_offer(ask("x")).await.unwrap_err();
    assert_eq!((away.code(), report(&away).reason.as_str()), (Code::Unavailable, "SERVICE_UNAVAILABLE"));
    let mut client = Grpc::new(channel);
    client.ready().await.unwrap();
    let path = PathAndQuery::from_static("/callboard.nothing.v1.Service/Method");
    let codec = ProstCodec::<AcceptOfferRequest, Offer>::default();
    let unknown = client.unary(ask("x"), path, codec).await.unwrap_err();
    assert_eq!((unknown.code(), report(&unknown).reason.as_str()), (Code::Unimplemented, "METHOD_UNKNOWN"));
}

#[tokio::test]
async fn a_deadline_holds_and_a_body_too_large_is_refused() {
    let world = World::with(|settings| settings.max_grpc_body_bytes = 1000).await;
    world.fleet.hang(ACCEPT);
    let mut client = FleetServiceClient::new(channel(&world).await);
    let mut late = ask("x");
    late.set_timeout(std::time::Duration::from_millis(200));
    let late = report(&client.accept_offer(late).await.unwrap_err());
    assert_eq!(late.kind, ErrorKind::DeadlineExceeded, "{late:?}");
    let large = client.accept_offer(ask(&"x".repeat(5000))).await.unwrap_err();
    assert_eq!((large.code(), report(&large).reason.as_str()), (Code::ResourceExhausted, "BODY_TOO_LARGE"));
}

#[tokio::test]
async fn limits_hold_for_grpc_too() {
    let world = World::with(|settings| settings.rate.per_address = 1).await;
    let mut client = FleetServiceClient::new(channel(&world).await);
    assert_eq!(
        client.accept_offer(ask("x")).await.unwrap_err().code(),
        Code::Unimplemented,
        "the fake's own word"
    );
    let limited = client.accept_offer(ask("x")).await.unwrap_err();
    assert_eq!((limited.code(), report(&limited).reason.as_str()), (Code::ResourceExhausted, "RATE_LIMITED"));
}
