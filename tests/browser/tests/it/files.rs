//! Recordings and screenshots end up with the session (V-7, V-8).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use callboard_e2e_tests::Client;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::scene::{Scene, see_and_hear_each_other};

/// The file of a kind.
fn of_kind(session: &Value, kind: &str) -> Option<Value> {
    let files = session["files"].as_array()?;
    files.iter().find(|file| file["kind"] == kind).map(|file| file["attachment"].clone())
}

async fn download(who: &Client, file: &Value) -> Vec<u8> {
    let id = file["id"].as_str().expect("an id");
    let answer = who.stream(&format!("/v1/attachments/video/{id}/content"), &[]).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], file["mediaType"].as_str().expect("a type"));
    assert!(answer.headers()["content-disposition"].to_str().expect("a text").starts_with("attachment;"));
    let bytes = answer.bytes().await.expect("all of it").to_vec();
    let digest: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!((json!(digest), json!(bytes.len())), (file["sha256"].clone(), file["size"].clone()));
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn v_8_recordings_and_screenshots_are_made_and_everybody_in_the_session_has_them() {
    let scene = Scene::new("recordings.test").await;
    let (host, guest) = (scene.host().await, scene.guest().await);
    see_and_hear_each_other(&host, &guest).await;
    // Who records is the employee; the guest is asked.
    assert_eq!(guest.evaluate("document.querySelector('#record').hidden").await, true);
    host.press("#record").await;
    guest.until_shown("#ask").await;
    assert_eq!(scene.found().await["recording"], false, "one consent is none");
    guest.press("#agree").await;
    for page in [&host, &guest] {
        page.until_shown("#recording").await;
    }
    scene.until("a recording", |found| found["recording"] == true).await;
    // Something to be recorded.
    see_and_hear_each_other(&host, &guest).await;
    host.press("#screenshot").await;
    // Both keep one.
    for page in [&host, &guest] {
        page.until_shown("#pictures img").await;
    }
    let found = scene.until("a screenshot", |found| of_kind(found, "SCREENSHOT").is_some()).await;
    let screenshot = of_kind(&found, "SCREENSHOT").expect("a screenshot");
    // Whoever withdraws consent ends the recording; what was recorded until then is kept.
    guest.press("#consent").await;
    let found = scene.until("the recording to be kept", |found| of_kind(found, "RECORDING").is_some()).await;
    assert_eq!(found["recording"], false);
    let recording = of_kind(&found, "RECORDING").expect("a recording");

    let visitor = scene.world.visitor().await;
    let picture = download(&visitor, &screenshot).await;
    assert_eq!(screenshot["mediaType"], "image/png");
    // Its header says how large it is: that of the fake camera.
    let number = |at: usize| u32::from_be_bytes(picture[at..at + 4].try_into().expect("four bytes"));
    assert_eq!((&picture[1..4], number(16), number(20)), (b"PNG".as_slice(), 640, 480));

    let video = download(&visitor, &recording).await;
    assert_eq!(recording["mediaType"], "video/webm");
    let page = scene.visits.0.tab("").await;
    let data = STANDARD.encode(&video);
    page.evaluate(&format!(
        "window.video = Object.assign(document.createElement('video'), \
         {{ src: 'data:video/webm;base64,{data}', muted: true }}); window.video.play(); null"
    ))
    .await;
    page.until(
        "the recording to be played",
        "window.video.videoWidth === 1280 && window.video.currentTime > 0.2",
    )
    .await;
    page.close().await;

    // V-7: what is internal is not there for the guest any more, and the call ends.
    let path = format!("/v1/videoSessions/{}:setVisibility", scene.session);
    scene.max.post(&path, json!({"visibility": "INTERNAL"})).await.ok();
    guest.until_shown("#end").await;
    let id = recording["id"].as_str().expect("an id");
    assert_eq!(visitor.get(&format!("/v1/attachments/video/{id}")).await.problem(404), "NOT_FOUND");
    assert_eq!(download(&scene.max, &recording).await, video);
}
