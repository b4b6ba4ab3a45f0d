//! What befalls a call: lines that are cut, impatient hands (V-4, V-8).

use callboard_browser_tests::Page;
use serde_json::json;

use crate::scene::{Scene, see_and_hear_each_other};

const END: &str = "document.querySelector('#end-text').textContent";

/// The browser has no network any more, or has it again. What goes from browser to browser is not cut.
async fn offline(page: &Page, is: bool) {
    let conditions = json!({"offline": is, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1});
    page.command("Network.emulateNetworkConditions", conditions).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v_4_a_browser_that_was_offline_comes_back_into_the_same_call_within_the_grace_time() {
    let scene = Scene::new("offline.test").await;
    let (host, guest) = (scene.host().await, scene.guest().await);
    see_and_hear_each_other(&host, &guest).await;
    offline(&guest, true).await;
    guest.until("to say so", "document.querySelector('#said').textContent.includes('was lost')").await;
    scene.until("the guest to be missed", |found| found["call"]["guestPresent"] == false).await;
    offline(&guest, false).await;
    scene.until("the guest to be back", |found| found["call"]["guestPresent"] == true).await;
    guest.until("to say no more", "document.querySelector('#said').textContent === ''").await;
    see_and_hear_each_other(&host, &guest).await;
    let found = scene.found().await;
    assert_eq!(
        (&found["status"], &found["call"]["number"]),
        (&"IN_PROGRESS".into(), &1.into()),
        "the same call"
    );
    guest.press("#hang-up").await;
    host.until_shown("#end").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_hangs_up_while_the_exchange_is_broken_off_is_seen_no_more_and_the_call_ends() {
    let scene = Scene::new("leaving.test").await;
    let (host, guest) = (scene.host().await, scene.guest().await);
    see_and_hear_each_other(&host, &guest).await;
    let stream = "window.tracks = document.querySelector('#own').srcObject.getTracks(); window.tracks.length";
    assert_eq!(guest.evaluate(stream).await, 2);
    offline(&guest, true).await;
    guest.until("to say so", "document.querySelector('#said').textContent.includes('was lost')").await;
    guest.press("#hang-up").await;
    assert_eq!(guest.evaluate("window.tracks.every((track) => track.readyState === 'ended')").await, true);
    guest.until_shown("#end").await;
    assert_eq!(guest.evaluate(END).await, "Hanging up …");
    assert_eq!(scene.found().await["status"], "IN_PROGRESS", "nobody could be told");
    offline(&guest, false).await;
    guest.until("to be told", &format!("{END} === 'The call is over.'")).await;
    host.until("to be told", &format!("{END} === 'The call is over.'")).await;
    assert_eq!(scene.found().await["callCount"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_presses_twice_is_in_the_call_once() {
    let scene = Scene::new("twice.test").await;
    let guest = scene.visits.1.tab("").await;
    guest.open(&format!("{}/c/{}", scene.gateway, scene.world.demo.coffee_code)).await;
    let counts = "const Sockets = WebSocket; window.sockets = 0; \
                  window.WebSocket = class extends Sockets { constructor(...all) { super(...all); window.sockets += 1; } };";
    guest.command("Page.addScriptToEvaluateOnNewDocument", json!({"source": counts})).await;
    guest.open(&scene.page()).await;
    // `without` is offered when there is no camera; then either may be pressed.
    guest
        .evaluate(
            "for (const id of ['join', 'without', 'join']) document.querySelector(`#${id}`).click(); null",
        )
        .await;
    guest.until_shown("#waiting").await;
    scene.until("the guest to be there", |found| found["call"]["guestPresent"] == true).await;
    guest.until("an exchange", "window.sockets >= 1").await;
    // One that was replaced would have ended: each joining takes the place of the one before.
    assert_eq!(guest.evaluate("window.sockets").await, 1);
    assert_eq!(guest.evaluate("document.querySelector('#end').hidden").await, true);
    guest.press("#hang-up").await;
    guest.until("the end", &format!("{END} === 'The call is over.'")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v_8_nothing_is_recorded_or_taken_while_it_is_not_known_whether_the_other_side_consents() {
    let scene = Scene::new("blind.test").await;
    let (host, guest) = (scene.host().await, scene.guest().await);
    see_and_hear_each_other(&host, &guest).await;
    host.press("#record").await;
    guest.press("#agree").await;
    let recorder = |state: &str| format!("window.recorders.at(-1)?.state === '{state}'");
    host.until("to record", &recorder("recording")).await;
    host.until("something to be recorded", "window.recorders.at(-1).got > 0").await;
    // Blind for a moment: nothing has changed meanwhile.
    offline(&host, true).await;
    host.until("to pause", &recorder("paused")).await;
    // Both keep one, or nobody.
    host.press("#screenshot").await;
    let says = "document.querySelector('#said').textContent.includes('does not work right now')";
    host.until("that it cannot be", says).await;
    assert_eq!(host.evaluate("document.querySelectorAll('#pictures li').length").await, 0);
    offline(&host, false).await;
    host.until("to go on", &recorder("recording")).await;
    assert_eq!(host.evaluate("window.recorders.length").await, 1, "one recording");
    // Blind, and the other side withdraws: what was not known of is not recorded.
    offline(&host, true).await;
    host.until("to pause", &recorder("paused")).await;
    guest.press("#consent").await;
    scene.until("the end of the recording", |found| found["recording"] == false).await;
    assert_eq!(host.evaluate(&recorder("paused")).await, true);
    offline(&host, false).await;
    host.until("to stop", &recorder("inactive")).await;
    host.until("to keep it", "document.querySelector('#said').textContent.includes('Saved')").await;
    scene
        .until("what was recorded", |found| found["files"].as_array().is_some_and(|files| files.len() == 1))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v_8_pictures_that_come_too_fast_are_one_and_the_latest_fifty_are_shown() {
    let scene = Scene::new("pictures.test").await;
    let (host, guest) = (scene.host().await, scene.guest().await);
    see_and_hear_each_other(&host, &guest).await;
    let pictures = "document.querySelectorAll('#pictures li').length";
    let take = |count: u32| {
        format!(
            "for (let left = {count}; left > 0; left -= 1) window.sockets.at(-1).send('{{\"screenshot\":{{}}}}'); null"
        )
    };
    host.evaluate(&take(30)).await;
    guest.until("a picture", &format!("{pictures} >= 1")).await;
    // What is said after them is heard after them.
    host.press("#consent").await;
    guest.until_shown("#ask").await;
    let shown = guest.evaluate(pictures).await;
    assert!(shown.as_u64() <= Some(3), "{shown} of 30 at once");
    // A page whose clock runs fast, so that each may be shown.
    guest
        .evaluate(
            "performance.now = ((now) => () => (now += 60_000))(performance.now()); window.gone = 0; \
             const revoke = URL.revokeObjectURL; \
             URL.revokeObjectURL = (address) => { window.gone += 1; revoke.call(URL, address); }; null",
        )
        .await;
    guest.until("what is left to be shown", &format!("{pictures} >= 2")).await;
    host.evaluate(&take(70)).await;
    guest.until("some to go", "window.gone >= 10").await;
    assert_eq!(guest.evaluate(pictures).await, 50);
}
