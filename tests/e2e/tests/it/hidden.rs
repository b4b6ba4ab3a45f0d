//! T-13 through all contexts: what turns internal is nowhere for those outside any more.

use callboard_e2e_tests::{Client, Frame, Live, Platform, World};
use callboard_testkit::{PATIENCE, eventually};
use serde_json::{Value, json};

use crate::play::{accept, asked, becomes, id, open, set_status};

/// Calls again until it is answered as wanted.
async fn until(caller: &Client, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    eventually(path, PATIENCE, || async {
        let answer = caller.get(path).await;
        if answer.status.is_success() && wanted(&answer.body) { Ok(answer.body) } else { Err(answer.body) }
    })
    .await
}

fn names_none(key: &str) -> impl Fn(&Value) -> bool {
    move |page| page[key].as_array().is_some_and(Vec::is_empty)
}

/// A public ticket on which everything has happened that somebody outside can see.
struct Scene {
    visitor: Client,
    nora: Client,
    ticket: String,
    session: String,
    file: String,
}

impl Scene {
    async fn play(world: &World) -> Self {
        let (visitor, nora) = (world.visitor().await, world.person("nora").await);
        let ticket = open(&visitor, world).await;
        accept(&nora, &ticket).await;
        let conversation = format!("/v1/conversations/{ticket}");
        until(&nora, &conversation, |found| found["mayWrite"] == true).await;
        let file = format!("{conversation}/attachments?name=leak.txt");
        let file = id(&nora.upload(&file, b"drop by drop").await.ok());
        let message = json!({"text": "Is it wet?", "attachmentIds": [file]});
        nora.post(&format!("{conversation}:send"), message).await.ok();
        let update = json!({"text": "On my way", "visibility": "PUBLIC"});
        nora.post(&format!("/v1/tickets/{ticket}/updates"), update).await.ok();
        let wish = json!({
            "deviceId": world.demo.coffee_machine, "requesterName": "Vera", "consents": true, "ticketId": ticket,
        });
        let session = eventually("video to know the ticket", PATIENCE, || async {
            let made = visitor.post("/v1/videoSessions:request", wish.clone()).await;
            if made.status.is_success() { Ok(made.body) } else { Err(made.body) }
        })
        .await;
        set_status(&nora, &ticket, "DONE").await;
        asked(&visitor, &ticket).await;
        let rating = json!({"score": 4, "comment": "Quick"});
        visitor.post(&format!("/v1/tickets/{ticket}/rating:submit"), rating).await.ok();
        becomes(&visitor, &ticket, "CLOSED").await;
        Self { visitor, nora, ticket, session: id(&session), file }
    }

    /// What tells of the ticket, one of each kind.
    fn things(&self) -> Vec<String> {
        let (ticket, session, file) = (&self.ticket, &self.session, &self.file);
        let of_ticket = ["", "/updates", "/serviceRecord", "/moves", "/view", "/conversation", "/rating"];
        let mut paths: Vec<String> =
            of_ticket.iter().map(|part| format!("/v1/tickets/{ticket}{part}")).collect();
        paths
            .extend(["", "/messages", "/messages/1"].map(|part| format!("/v1/conversations/{ticket}{part}")));
        paths.push(format!("/v1/videoSessions/{session}"));
        paths.push(format!("/v1/attachments/messenger/{file}"));
        paths.push(format!("/v1/attachments/messenger/{file}/content"));
        paths
    }

    /// Lists that name it, and under what they list.
    fn lists(&self) -> Vec<(String, &'static str)> {
        let ticket = &self.ticket;
        vec![
            ("/v1/tickets".to_owned(), "tickets"),
            ("/v1/conversations".to_owned(), "conversations"),
            (format!("/v1/videoSessions?ticketId={ticket}"), "sessions"),
            (format!("/v1/notifications?subjectId={ticket}"), "entries"),
            (format!("/v1/notifications?subjectId={}", self.session), "entries"),
        ]
    }

    fn tells(&self, frame: &Frame) -> bool {
        let data = frame.data.to_string();
        data.contains(&self.ticket) || data.contains(&self.session) || data.contains("Hush")
    }
}

/// Reads a stream up to a word of another ticket: what it has told by then.
async fn up_to(live: &mut Live, event: &str, ticket: &str) -> Vec<Frame> {
    let mut seen = Vec::new();
    loop {
        let frame = live.any().await.expect("an open stream");
        let is_it =
            (frame.event == event || frame.name() == event) && frame.data.to_string().contains(ticket);
        seen.push(frame);
        if is_it {
            return seen;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn t_13_of_a_ticket_turned_internal_nothing_is_left_for_who_scanned_in_any_context() {
    let platform = Platform::shared().await;
    let world = World::make(platform, "vanished.test").await;
    let scene = Scene::play(&world).await;
    let (visitor, nora, ticket) = (&scene.visitor, &scene.nora, &scene.ticket);
    // It is all there, else this test shows nothing.
    for path in scene.things() {
        assert_eq!(visitor.stream(&path, &[]).await.status(), 200, "{path}");
    }
    nora.post(&format!("/v1/videoSessions/{}:confirm", scene.session), json!({})).await.ok();
    for (path, key) in scene.lists() {
        until(visitor, &path, |page| page[key].as_array().is_some_and(|found| !found.is_empty())).await;
    }
    let (mut live, mut drawer) = (Live::open(visitor, None).await, Live::drawer(visitor).await);
    let mut conversation = Live::conversation(visitor, ticket, None).await;
    conversation.until(|frame| frame.event == "caughtUp").await;

    nora.patch(&format!("/v1/tickets/{ticket}"), json!({"visibility": "INTERNAL"})).await.ok();
    for path in scene.things() {
        eventually(&format!("{path} to be gone"), PATIENCE, || async {
            let answer = visitor.stream(&path, &[]).await.status();
            if answer == 404 { Ok(()) } else { Err(answer) }
        })
        .await;
    }
    for (path, key) in scene.lists() {
        until(visitor, &path, names_none(key)).await;
    }
    visitor.post(&format!("/v1/conversations/{ticket}:send"), json!({"text": "Hello?"})).await.problem(404);
    visitor.post(&format!("/v1/videoSessions/{}:join", scene.session), json!({})).await.problem(404);
    let drawn = visitor.get("/v1/notifications").await.ok().to_string();
    assert!(!drawn.contains(ticket) && !drawn.contains(&scene.session), "{drawn}");

    // A conversation's stream has nothing else to tell, and ends.
    let end = conversation.until(|frame| frame.event == "end").await;
    assert!(end.iter().all(|frame| frame.event == "end" || !scene.tells(frame)), "{end:?}");
    assert!(conversation.any().await.is_none());
    // The others go on. Up to this mark they may tell of what was before.
    let mark = open(visitor, &world).await;
    accept(nora, &mark).await;
    let seen = up_to(&mut live, "ticket.assigned", &mark).await;
    let about: Vec<&str> = seen.iter().filter(|frame| frame.ticket() == ticket).map(Frame::name).collect();
    assert_eq!(about.last(), Some(&"ticket.hidden"), "told that it is gone, and nothing after: {about:?}");
    up_to(&mut drawer, "notification", &mark).await;

    // What happens now is no longer theirs.
    nora.post(&format!("/v1/conversations/{ticket}:send"), json!({"text": "Hush"})).await.ok();
    let update = json!({"text": "Hush", "visibility": "INTERNAL"});
    nora.post(&format!("/v1/tickets/{ticket}/updates"), update).await.ok();
    nora.post(&format!("/v1/tickets/{ticket}:reopen"), json!({})).await.ok();
    nora.post(&format!("/v1/videoSessions/{}:cancel", scene.session), json!({})).await.ok();
    let told = format!("/v1/conversations/{ticket}/messages");
    until(nora, &told, |page| page.to_string().contains("Hush")).await;
    let next = open(visitor, &world).await;
    accept(nora, &next).await;
    for (stream, event) in [(&mut live, "ticket.assigned"), (&mut drawer, "notification")] {
        for frame in up_to(stream, event, &next).await {
            assert!(!scene.tells(&frame), "{frame:?}");
        }
    }
    for (path, key) in scene.lists().split_off(2) {
        assert!(names_none(key)(&visitor.get(&path).await.ok()), "{path}");
    }
}
