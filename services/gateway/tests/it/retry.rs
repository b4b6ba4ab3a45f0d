//! Only UNAVAILABLE is tried again, and only for as long as somebody waits.

use std::time::Duration;

use callboard_kernel::{ErrorKind, Refusal};
use callboard_proto::fleet::v1 as fleet;
use callboard_service::error::status;
use reqwest::Method;
use tokio::net::TcpListener;

use crate::fake::Fake;
use crate::world::{OFFER, World, member, nobody, read};

const ACCEPT: &str = "callboard.fleet.v1.FleetService/AcceptOffer";

fn accepted() -> fleet::AcceptOfferResponse {
    fleet::AcceptOfferResponse { offer: Some(fleet::Offer { id: OFFER.to_string(), ..Default::default() }) }
}

async fn accept(world: &World) -> (u16, serde_json::Value) {
    let request = world.request(&member(&[]), Method::POST, &format!("/v1/offers/{OFFER}:accept"));
    read(request.send().await.unwrap()).await
}

#[tokio::test]
async fn what_is_unavailable_is_tried_again_under_the_same_request_id() {
    let world = World::new().await;
    let tries = std::sync::atomic::AtomicUsize::new(0);
    world.fleet.on(ACCEPT, move |_: fleet::AcceptOfferRequest| {
        match tries.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
            0 | 1 => Err(status("fleet", &Refusal::new(ErrorKind::Unavailable, "DATABASE_AWAY", "later"))),
            _ => Ok(accepted()),
        }
    });
    assert_eq!(accept(&world).await.0, 200);
    let asked = world.fleet.asked::<fleet::AcceptOfferRequest>(ACCEPT);
    assert_eq!(asked.len(), 3);
    assert!(asked.windows(2).all(|two| two[0].0.request_id == two[1].0.request_id), "{asked:?}");
}

#[tokio::test]
async fn nothing_else_is_tried_again() {
    for kind in
        [ErrorKind::Aborted, ErrorKind::ResourceExhausted, ErrorKind::FailedPrecondition, ErrorKind::Internal]
    {
        let world = World::new().await;
        world.fleet.on(ACCEPT, move |_: fleet::AcceptOfferRequest| {
            Err::<fleet::AcceptOfferResponse, _>(status("fleet", &Refusal::new(kind, "NO", "no")))
        });
        assert_ne!(accept(&world).await.0, 200);
        assert_eq!(world.fleet.asked::<fleet::AcceptOfferRequest>(ACCEPT).len(), 1, "{kind:?}");
    }
}

#[tokio::test]
async fn a_service_that_is_restarting_is_found_again() {
    let restarting = Fake::on_listener(TcpListener::bind("127.0.0.1:0").await.unwrap(), 2);
    restarting.on(ACCEPT, |_: fleet::AcceptOfferRequest| Ok(accepted()));
    let address = restarting.address.clone();
    let world = World::with(|settings| {
        settings.upstreams.insert("fleet".to_owned(), address);
    })
    .await;
    assert_eq!(accept(&world).await.0, 200);
    assert_eq!(restarting.asked::<fleet::AcceptOfferRequest>(ACCEPT).len(), 1);
}

#[tokio::test]
async fn repeats_end_with_the_deadline() {
    let world = World::with(|settings| {
        settings.upstreams.insert("fleet".to_owned(), nobody());
        settings.call_timeout = Duration::from_millis(120);
    })
    .await;
    let started = std::time::Instant::now();
    let (status, problem) = accept(&world).await;
    assert_eq!(status, 503, "{problem}");
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
}
