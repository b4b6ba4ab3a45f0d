//! Two replicas: each browser may be served by another (V-10), and one may fall silent without a word (V-4).

use callboard_kernel::{Clock as _, SystemClock};
use callboard_proto::video::v1 as video;
use callboard_proto::video::v1::SessionStatus;
use callboard_service::StartOptions;
use callboard_testkit::{ManualClock, eventually};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use video::signal_response::Signal as Heard;
use video::video_service_client::VideoServiceClient;

use crate::calls::Browser;
use crate::house::House;

#[tokio::test]
async fn v_10_browsers_at_two_replicas_hear_each_other_and_v_4_a_replicas_end_is_no_end_of_a_call() {
    let house = House::new().await;
    let options = StartOptions::default()
        .with("grpc.listen", "127.0.0.1:0")
        .with("admin.listen", "127.0.0.1:0")
        .with("auth.issuers", serde_json::json!([]))
        .with("database.url", house.stage.database().url())
        .with("nats.url", house.stage.broker().url())
        .with("shutdown.propagation_delay", "0ms")
        .with("shutdown.drain_timeout", "5s")
        .with("shutdown.hard_limit", "30s");
    let stop = CancellationToken::new();
    let metrics = callboard_service::telemetry::metrics();
    let other = callboard_service::start(callboard_video::definition(), options, metrics, stop.clone())
        .await
        .expect("it starts");
    let address = format!("http://{}", other.grpc_addr);
    let elsewhere = VideoServiceClient::new(callboard_service::client::channel(&address).expect("a channel"));

    let (boss, guest) = (house.boss(), house.guest());
    let session = house.create(&boss, house.plan()).await.expect("made").id;
    let mut host = house.browser(&boss, &session).await;
    let joined = house.join(&guest, &session).await.expect("joined");
    let token = joined.credentials.expect("credentials").call_token;
    // It may not hear whispers yet.
    let mut visitor = eventually("the other replica", Duration::from_secs(20), || async {
        Browser::open(elsewhere.clone(), &session, &token).await
    })
    .await;
    host.until_peer(true).await;
    visitor.until_peer(true).await;
    host.offer("across").await;
    let sdp = visitor
        .until("the offer", |heard| match heard {
            Heard::Description(description) => Some(description.sdp.clone()),
            _ => None,
        })
        .await;
    assert_eq!(sdp, "across");
    visitor.offer("back").await;
    host.until("the offer", |heard| matches!(heard, Heard::Description(_)).then_some(())).await;
    // The other replica stops: its browser is told to go elsewhere, and does.
    let (ending, stopped) = tokio::join!(visitor.until_ended(), other.stop());
    assert_eq!(ending, video::SignalEnding::GoingAway);
    stopped.expect("it ends well");
    let mut visitor = Browser::open(house.service(), &session, &token).await.expect("an exchange");
    visitor.until_peer(true).await;
    assert_eq!(house.get(&boss, &session).await.expect("it").status(), SessionStatus::InProgress);
    house.stage.stop().await;
}

#[tokio::test]
async fn v_4_who_was_taken_for_gone_while_nothing_could_be_written_is_there_again_and_the_call_goes_on() {
    let clock = ManualClock::at(SystemClock.now());
    let moved = clock.clone();
    let house = House::with(|stage| stage.with("video.grace_time", "5s").at(moved)).await;
    let session = house.create(&house.boss(), house.plan()).await.expect("made").id;
    let mut host = house.browser(&house.boss(), &session).await;
    let mut guest = house.browser(&house.guest(), &session).await;
    host.until_peer(true).await;
    guest.until_peer(true).await;
    // Nobody can say that an exchange stands, until the call is looked at.
    let forbidden = "create function video.no() returns trigger language plpgsql as \
                     $$ begin raise exception 'no'; end $$; \
                     create trigger no before insert or update on video.call_stream \
                     for each row execute function video.no()";
    sqlx::raw_sql(forbidden).execute(house.stage.pool()).await.expect("forbidden");
    clock.advance(Duration::from_secs(121));
    for browser in [&mut host, &mut guest] {
        browser.until_peer(false).await;
    }
    sqlx::raw_sql("drop trigger no on video.call_stream").execute(house.stage.pool()).await.expect("allowed");
    for browser in [&mut host, &mut guest] {
        browser.until_peer(true).await;
    }
    let found = house.get(&house.boss(), &session).await.expect("it");
    let call = found.call.expect("a call");
    assert!(call.guest_present && call.employee_present && call.number == 1, "{found:?}");
    // Long past the grace time.
    clock.advance(Duration::from_secs(60));
    host.offer("still there").await;
    guest.until("the offer", |heard| matches!(heard, Heard::Description(_)).then_some(())).await;
    assert_eq!(house.get(&house.boss(), &session).await.expect("it").status(), SessionStatus::InProgress);
    house.stage.stop().await;
}
