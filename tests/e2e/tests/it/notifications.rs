//! What people are told, through REST (N-1, N-2, N-4).

use callboard_e2e_tests::{Client, Live, Platform, World};
use callboard_testkit::{PATIENCE, eventually};
use serde_json::{Value, json};

use crate::play::{accept, offer_of, open};

/// The entry of a type about a ticket, once it is there.
async fn told(who: &Client, ticket: &str, event_type: &str) -> Value {
    let path = format!("/v1/notifications?subjectId={ticket}&eventType={event_type}");
    eventually(event_type, PATIENCE, || async {
        let page = who.get(&path).await.ok();
        page["entries"].get(0).cloned().ok_or(page)
    })
    .await
}

/// Waits until the live stream says of an entry that it is unread, or that it is not.
async fn shown(live: &mut Live, entry: &Value, unread: bool) {
    loop {
        let frame = live.of_drawer().await;
        if frame.event == "notification" && frame.data["id"] == entry["id"] && frame.data["unread"] == unread
        {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn n_1_everybody_who_is_to_hear_of_a_ticket_finds_it_in_the_drawer() {
    let platform = Platform::shared().await;
    let world = World::make(platform, "notifications.test").await;
    let (visitor, nora, sofia) =
        (world.visitor().await, world.person("nora").await, world.person("sofia").await);
    let mut live = Live::open(&nora, None).await;
    assert_eq!(live.of_drawer().await.data["unread"], 0);
    let ticket = open(&visitor, &world).await;
    offer_of(&nora, &ticket).await;
    let offered = told(&nora, &ticket, "OFFER").await;
    assert_eq!((&offered["unread"], &offered["origin"]), (&json!(true), &json!("OTHERS")), "{offered}");
    // The one live stream says so, and the ticket's screen.
    shown(&mut live, &offered, true).await;
    let view = nora.get(&format!("/v1/tickets/{ticket}/view")).await.ok();
    let mine = &view["notifications"];
    assert!(mine["unread"].as_i64() >= Some(1), "{mine}");
    assert!(mine["entries"].as_array().is_some_and(|all| all.contains(&offered)), "{mine}");
    accept(&nora, &ticket).await;
    let status = told(&visitor, &ticket, "TICKET_STATUS").await;
    assert!(status["text"].as_str().is_some_and(|text| text.ends_with("is now assigned")), "{status}");
    // Nobody offered it to her.
    let hers = sofia.get(&format!("/v1/notifications?subjectId={ticket}")).await.ok();
    assert_eq!(hers["entries"], json!([]));

    let unread = nora.get("/v1/notifications/unread").await.ok();
    let marked = json!({"entryIds": [offered["id"]]});
    let after = nora.post("/v1/notifications:mark", marked).await.ok();
    assert!(after["unread"].as_i64() < unread["unread"].as_i64(), "{unread} {after}");
    // As on another device.
    shown(&mut live, &offered, false).await;

    // Who chose e-mail alone has no e-mail here, and the log says so.
    let rule = json!({"eventType": "MESSAGE", "origin": "OTHERS", "channels": ["EMAIL"]});
    let chosen = nora.put("/v1/notifications/preferences", json!({"rules": [rule]})).await.ok();
    assert_eq!(chosen["rules"].as_array().map(Vec::len), Some(56));
    visitor.post(&format!("/v1/conversations/{ticket}:send"), json!({"text": "Hello?"})).await.ok();
    told(&nora, &ticket, "MESSAGE").await;
    let path = format!("/v1/notifications/deliveries?subjectId={ticket}&channel=EMAIL&state=FAILED");
    eventually("the log", PATIENCE, || async {
        let log = nora.get(&path).await.ok();
        let found = log["deliveries"].as_array().is_some_and(|all| {
            all.iter().any(|one| one["eventType"] == "MESSAGE" && one["reason"] == "NO_EMAIL")
        });
        if found { Ok(()) } else { Err(log) }
    })
    .await;
}
