//! What the page says before there is a call, and when there is none any more.

use serde_json::json;

use crate::scene::Scene;

const DENIES: &str = "navigator.mediaDevices.getUserMedia = \
                      () => Promise.reject(new DOMException('no', 'NotAllowedError'));";

fn says(selector: &str, text: &str) -> String {
    format!("document.querySelector('{selector}').textContent.includes({})", json!(text))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_says_in_the_readers_language_what_keeps_somebody_out() {
    let scene = Scene::new("door.test").await;
    let (_, visitors) = &scene.visits;
    let page = visitors.tab(DENIES).await;
    let german = json!({"headers": {"Accept-Language": "de"}});
    page.command("Network.setExtraHTTPHeaders", german).await;
    page.open(&scene.page()).await;
    assert_eq!(page.evaluate("document.documentElement.lang").await, "de");
    page.press("#join").await;
    page.until("that the camera is denied", &says("#door-error", "darf Kamera oder Mikrofon nicht benutzen"))
        .await;
    // Nobody scanned a code here.
    page.press("#without").await;
    page.until("that nobody is in", &says("#door-error", "scannen Sie erst den Code")).await;
    page.until_shown("#scan").await;

    page.open(&format!("{}/c/{}", scene.gateway, scene.world.demo.coffee_code)).await;
    page.open(&scene.page()).await;
    page.press("#join").await;
    page.press("#without").await;
    page.until("to wait", &says("#waiting", "Wir warten auf die andere Seite")).await;
    scene.until("the guest to be there", |found| found["call"]["guestPresent"] == true).await;

    // The same person elsewhere: this page does not come back by itself.
    let other = visitors.tab("").await;
    other.open(&scene.page()).await;
    other.press("#join").await;
    page.until("that it goes on elsewhere", &says("#end-text", "in einem anderen Fenster")).await;
    other.until("to be there", "document.querySelector('#call').hidden === false").await;

    // The session ends, and its address is worth nothing.
    scene.max.post(&format!("/v1/videoSessions/{}:end", scene.session), json!({})).await.ok();
    other.until("that it is over", &says("#end-text", "The call is over")).await;
    other.open(&scene.page()).await;
    other.press("#join").await;
    other.until("that it is over", &says("#door-error", "This call is over")).await;
    let spoiled = visitors.tab("").await;
    let credentials = "%7B%22callToken%22%3A%22x.y%22%2C%22side%22%3A%22GUEST%22%7D";
    spoiled.open(&format!("{}#{credentials}", scene.page())).await;
    spoiled.press("#join").await;
    spoiled.until("that the link is over", &says("#end-text", "not valid any more")).await;
}
