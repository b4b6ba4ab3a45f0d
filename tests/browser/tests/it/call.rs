//! Two browsers find each other, and find each other again (V-3, V-4, V-10).

use crate::scene::{Scene, see_and_hear_each_other};

/// How many connections to the other side a page has made.
const CONNECTIONS: &str = "window.peers.length";

#[tokio::test(flavor = "multi_thread")]
async fn v_10_two_browsers_exchange_audio_and_video_and_v_4_who_was_lost_comes_back_into_the_same_call() {
    let scene = Scene::new("calls.test").await;
    let host = scene.host().await;
    host.until_shown("#waiting").await;
    let guest = scene.guest().await;
    see_and_hear_each_other(&host, &guest).await;
    scene
        .until("both to be there", |found| {
            found["call"]["guestPresent"] == true && found["call"]["employeePresent"] == true
        })
        .await;

    // The tab is closed without a word. That is no end: the other side waits.
    guest.close().await;
    scene.until("the guest to be missed", |found| found["call"]["guestPresent"] == false).await;
    let guest = scene.guest().await;
    see_and_hear_each_other(&host, &guest).await;
    let found = scene.until("the guest to be back", |found| found["call"]["guestPresent"] == true).await;
    assert_eq!(
        (&found["status"], &found["call"]["number"]),
        (&"IN_PROGRESS".into(), &1.into()),
        "the same call"
    );

    // The page is loaded anew: the same place, another connection of the two browsers.
    host.reload().await;
    host.press("#join").await;
    see_and_hear_each_other(&host, &guest).await;

    // The exchange of signals alone breaks off: it stands again, and the two browsers never part.
    let before = (host.evaluate(CONNECTIONS).await, guest.evaluate(CONNECTIONS).await);
    guest.evaluate("window.sockets.at(-1).close()").await;
    guest
        .until("another socket", "window.sockets.length >= 2 && window.sockets.at(-1).readyState === 1")
        .await;
    see_and_hear_each_other(&host, &guest).await;
    assert_eq!(before, (host.evaluate(CONNECTIONS).await, guest.evaluate(CONNECTIONS).await));

    // V-4: either hangs up.
    guest.press("#hang-up").await;
    for page in [&host, &guest] {
        page.until("to be over", "document.querySelector('#end-text').textContent === 'The call is over.'")
            .await;
    }
    let found = scene.until("the call to be over", |found| found["call"].is_null()).await;
    assert_eq!(found["callCount"], 1);
    for page in [host, guest] {
        assert_eq!(page.complaints(), [""; 0], "nothing went wrong on the page, no policy was broken");
        page.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn muting_and_switching_the_camera_off_are_felt_on_the_other_side() {
    let scene = Scene::new("mute.test").await;
    let (host, guest) = (scene.host().await, scene.guest().await);
    see_and_hear_each_other(&host, &guest).await;
    // A camera that is off sends black.
    guest.press("#camera").await;
    let dark = "(() => { const video = document.querySelector('#other'); const canvas = document.createElement('canvas'); \
                canvas.width = canvas.height = 8; const context = canvas.getContext('2d'); \
                context.drawImage(video, 0, 0, 8, 8); \
                return Math.max(...context.getImageData(0, 0, 8, 8).data.filter((_, at) => at % 4 !== 3)) < 24; })()";
    host.until("the picture to be black", dark).await;
    assert_eq!(
        guest.evaluate("document.querySelector('#camera').getAttribute('aria-pressed')").await,
        "true"
    );
    guest.press("#camera").await;
    guest.press("#microphone").await;
    let quiet = "document.querySelector('#own').srcObject.getAudioTracks().every((track) => !track.enabled)";
    assert_eq!(guest.evaluate(quiet).await, true);
    guest.press("#microphone").await;
    see_and_hear_each_other(&host, &guest).await;
    guest.press("#hang-up").await;
    host.until_shown("#end").await;
}
