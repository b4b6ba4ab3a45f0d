//! A conversation through the gateway: people talk, watch, are cut off, and are shut out.

use std::collections::BTreeMap;

use callboard_e2e_tests::{Client, Frame, Live, Platform, World};
use callboard_testkit::{PATIENCE, eventually};
use serde_json::{Value, json};

use crate::play::{accept, open, set_status};

/// Waits until the messenger knows that somebody may write, or may not.
async fn writes(caller: &Client, id: &str, may: bool) {
    eventually("the messenger to know", PATIENCE, || async {
        let answer = caller.get(&format!("/v1/tickets/{id}/conversation")).await;
        if answer.body["mayWrite"] == may { Ok(()) } else { Err(answer.body.to_string()) }
    })
    .await;
}

async fn say(caller: &Client, id: &str, text: &str) -> Value {
    caller.post(&format!("/v1/conversations/{id}:send"), json!({"text": text})).await.ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn m_1_to_m_6_people_talk_through_the_gateway() {
    let platform = Platform::shared().await;
    let world = World::make(platform, "talk.test").await;
    let (visitor, nora) = (world.visitor().await, world.person("nora").await);
    let id = open(&visitor, &world).await;
    accept(&nora, &id).await;
    writes(&nora, &id, true).await;
    let first = json!({"text": "Is it **wet**? <script>alert(1)</script>", "clientId": "n1"});
    let path = format!("/v1/conversations/{id}");
    let sent = nora.post(&format!("{path}:send"), first.clone()).await.ok();
    assert_eq!(sent["sequence"], 1);
    assert_eq!(sent["html"], "<p>Is it <strong>wet</strong>? &lt;script&gt;alert(1)&lt;/script&gt;</p>");
    let again = nora.post(&format!("{path}:send"), first).await.ok();
    assert_eq!((&again["id"], &again["sequence"]), (&sent["id"], &json!(1)), "M-4");
    say(&visitor, &id, "Yes, see https://acme.example/wet").await;
    let edited = nora.post(&format!("{path}/messages/1:edit"), json!({"text": "Is it wet?"})).await.ok();
    assert_eq!(edited["revision"], 2);
    let view = nora.get(&format!("/v1/tickets/{id}/view")).await.ok();
    assert_eq!(view["unreachable"], json!([]));
    assert_eq!(view["conversation"]["messages"]["messages"][1]["text"], "Is it wet?");
    assert_eq!(view["conversation"]["conversation"]["unreadCount"], 1);
    nora.post(&format!("{path}:markRead"), json!({"sequence": 2})).await.ok();
    let listed = nora.get("/v1/conversations?unreadOnly=true").await.ok();
    assert_eq!(listed["conversations"], json!([]));
    nora.post(&format!("{path}/messages/1:withdraw"), json!({})).await.ok();
    let trace = nora.get(&format!("{path}/messages/1/revisions")).await.ok();
    assert_eq!(trace["revisions"].as_array().map(Vec::len), Some(2));
    // T-9.
    set_status(&nora, &id, "CANCELLED").await;
    writes(&visitor, &id, false).await;
    let refused = visitor.post(&format!("{path}:send"), json!({"text": "Hello?"})).await.problem(409);
    assert_eq!(refused, "TICKET_LOCKED");
    say(&nora, &id, "Closed").await;
}

/// Keeps messages as a page does.
#[derive(Default)]
struct Page {
    messages: BTreeMap<i64, Value>,
    last_event_id: String,
    came: usize,
}

impl Page {
    fn take(&mut self, frame: &Frame) {
        if !frame.id.is_empty() {
            self.last_event_id.clone_from(&frame.id);
        }
        if frame.event == "message" {
            self.came += 1;
            self.messages.insert(frame.data["sequence"].as_i64().expect("a sequence"), frame.data.clone());
        }
    }

    async fn open(&self, caller: &Client, id: &str) -> Live {
        let last = Some(self.last_event_id.as_str()).filter(|id| !id.is_empty());
        Live::conversation(caller, id, last).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn m_5_a_page_that_is_cut_off_at_every_message_ends_with_what_the_server_has() {
    let platform = Platform::shared().await;
    let world = World::make(platform, "cut.test").await;
    let (visitor, nora) = (world.visitor().await, world.person("nora").await);
    let id = open(&visitor, &world).await;
    accept(&nora, &id).await;
    writes(&nora, &id, true).await;
    for number in 0..4 {
        say(&nora, &id, &format!("before {number}")).await;
    }
    let mut page = Page::default();
    for number in 0..8 {
        let mut live = page.open(&visitor, &id).await;
        let before = page.came;
        while page.came == before {
            let frame = live.next().await.expect("more to come");
            page.take(&frame);
        }
        drop(live);
        say(&nora, &id, &format!("while away {number}")).await;
        if number == 3 {
            let edit = json!({"text": "changed"});
            nora.post(&format!("/v1/conversations/{id}/messages/1:edit"), edit).await.ok();
        }
    }
    let mut live = page.open(&visitor, &id).await;
    for frame in live.until(|frame| frame.event == "caughtUp").await {
        page.take(&frame);
    }
    let server = visitor.get(&format!("/v1/conversations/{id}/messages?pageSize=200")).await.ok();
    let server: BTreeMap<i64, Value> = server["messages"]
        .as_array()
        .expect("messages")
        .iter()
        .map(|message| (message["sequence"].as_i64().expect("a sequence"), message.clone()))
        .collect();
    assert_eq!(page.messages, server);
    assert_eq!(server.keys().copied().collect::<Vec<_>>(), (1..=12).collect::<Vec<_>>());
    assert!(page.came <= 13, "{} came: something twice", page.came);
}

#[tokio::test(flavor = "multi_thread")]
async fn t_13_an_open_stream_ends_when_the_ticket_turns_internal() {
    let platform = Platform::shared().await;
    let world = World::make(platform, "hide.test").await;
    let (visitor, nora) = (world.visitor().await, world.person("nora").await);
    let id = open(&visitor, &world).await;
    accept(&nora, &id).await;
    writes(&nora, &id, true).await;
    let mut live = Live::conversation(&visitor, &id, None).await;
    live.until(|frame| frame.event == "caughtUp").await;
    nora.patch(&format!("/v1/tickets/{id}"), json!({"visibility": "INTERNAL"})).await.ok();
    let end = live.until(|frame| frame.event == "end").await;
    assert_eq!(end.last().map(|frame| frame.data["reason"].clone()), Some(json!("NOT_FOUND")));
    assert!(live.next().await.is_none());
    visitor.get(&format!("/v1/conversations/{id}")).await.problem(404);
    say(&nora, &id, "Between us").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn m_1_m_2_files_of_messages_are_had_by_whoever_sees_the_message() {
    let platform = Platform::shared().await;
    let world = World::make(platform, "pictures.test").await;
    let (visitor, nora) = (world.visitor().await, world.person("nora").await);
    let id = open(&visitor, &world).await;
    accept(&nora, &id).await;
    writes(&nora, &id, true).await;
    let path = format!("/v1/conversations/{id}");
    let upload = format!("{path}/attachments?name=leak.txt");
    let program = visitor.upload(&format!("{path}/attachments?name=a.txt"), b"MZ\x90\0").await;
    assert_eq!(program.problem(415), "ATTACHMENT_TYPE_NOT_ALLOWED");
    let file = crate::play::id(&visitor.upload(&upload, b"drop by drop").await.ok());
    let content = format!("/v1/attachments/messenger/{file}/content");
    // Nobody's yet: its uploader's alone, also to be sent.
    nora.get(&content).await.problem(404);
    nora.post(&format!("{path}:send"), json!({"text": "Mine?", "attachmentIds": [file]})).await.problem(400);
    let mut live = Live::conversation(&nora, &id, None).await;
    live.until(|frame| frame.event == "caughtUp").await;
    let sending = json!({"clientId": "v1", "attachmentIds": [file]});
    let sent = visitor.post(&format!("{path}:send"), sending.clone()).await.ok();
    assert_eq!(sent["attachments"][0]["name"], "leak.txt");
    let again = visitor.post(&format!("{path}:send"), sending).await.ok();
    assert_eq!((&again["id"], &again["attachments"]), (&sent["id"], &sent["attachments"]), "M-4");
    let heard = live.until(|frame| frame.event == "message").await;
    assert_eq!(heard.last().expect("a message").data["attachments"][0]["state"], "LINKED");
    let sequence = sent["sequence"].as_i64().expect("a sequence");
    let link = nora.post(&format!("/v1/attachments/messenger/{file}:createLink"), json!({})).await.ok();
    let link = link["path"].as_str().expect("a path").to_owned();
    for (caller, path) in [(&nora, &content), (&visitor, &content), (&world.nobody(), &link)] {
        assert_eq!(caller.stream(path, &[]).await.bytes().await.expect("bytes").as_ref(), b"drop by drop");
    }
    world.oven_visitor().await.get(&content).await.problem(404);

    // M-6: taken back, it is the trace that employees keep.
    visitor.post(&format!("{path}/messages/{sequence}:withdraw"), json!({})).await.ok();
    visitor.get(&content).await.problem(404);
    assert_eq!(visitor.get(&format!("{path}/messages/{sequence}")).await.ok()["attachments"], json!([]));
    let trace = nora.get(&format!("{path}/messages/{sequence}/revisions")).await.ok();
    assert_eq!(trace["revisions"][0]["attachments"][0]["id"], file);
    assert_eq!(nora.stream(&content, &[]).await.status(), 200);

    // T-13, also for what is still shown.
    let file = crate::play::id(&visitor.upload(&upload, b"again").await.ok());
    visitor.post(&format!("{path}:send"), json!({"attachmentIds": [file]})).await.ok();
    let content = format!("/v1/attachments/messenger/{file}/content");
    assert_eq!(visitor.stream(&content, &[]).await.status(), 200);
    nora.patch(&format!("/v1/tickets/{id}"), json!({"visibility": "INTERNAL"})).await.ok();
    eventually("the messenger to hide it", PATIENCE, || async {
        let answer = visitor.get(&content).await;
        if answer.status.as_u16() == 404 { Ok(()) } else { Err(answer.status) }
    })
    .await;
    assert_eq!(nora.stream(&content, &[]).await.status(), 200);
}
