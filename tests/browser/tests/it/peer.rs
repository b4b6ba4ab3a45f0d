//! The page's script that joins two browsers, by itself: many ways in which what they say is delayed and lost (V-4, V-10).
//! No platform, no network, no camera: two of them in one page.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use callboard_browser_tests::Browser;
use callboard_testkit::eventually;
use serde_json::json;

const PEER: &str = include_str!("../../../../services/gateway/src/call_page/peer.js");
const SCHEDULES: &str = include_str!("schedules.js");
/// The page has no camera, and who has none is otherwise known to others by made-up names alone, which a network must
/// resolve.
const FLAGS: &[&str] = &["--disable-features=WebRtcHideLocalIpsWithMdns"];
/// For the schedules of one page, each of which has its own, shorter one.
const DEADLINE: Duration = Duration::from_secs(120);
/// Schedules in one page at the same time.
const AT_ONCE: usize = 8;

#[tokio::test(flavor = "multi_thread")]
async fn v_10_however_slow_and_lossy_the_line_is_the_two_browsers_end_connected_to_each_other() {
    let browser = Browser::start_with(FLAGS).await;
    let visit = browser.visit().await;
    let script =
        SCHEDULES.split_once("async (").map(|(_, rest)| format!("async ({rest}")).expect("a function");
    let script = script.trim_end().trim_end_matches(';');
    let peer = format!("data:text/javascript;base64,{}", STANDARD.encode(PEER));
    let seeds: Vec<usize> = (1..=64).collect();
    for seeds in seeds.chunks(AT_ONCE) {
        // A page of its own for each: connections that are closed count until the page is gone.
        let page = visit.tab("").await;
        let played = json!({"peer": peer, "seeds": seeds});
        let begins = format!(
            "({script})({played}).then((failed) => (window.failed = failed), (error) => (window.failed = String(error))); null"
        );
        page.evaluate(&begins).await;
        let failed = eventually("the schedules to be played", DEADLINE, || async {
            let failed = page.evaluate("window.failed ?? null").await;
            if failed.is_null() { Err(page.complaints()) } else { Ok(failed) }
        })
        .await;
        assert_eq!(failed, json!([]), "{failed:#}");
        assert_eq!(page.complaints(), [""; 0], "of {seeds:?}");
        page.close().await;
    }
}
