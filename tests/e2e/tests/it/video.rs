//! A video session's life through REST and WebSockets, over separate processes (V-1 to V-9).

use callboard_e2e_tests::call::CallSocket;
use callboard_e2e_tests::{Client, Frame, Live, Platform, World};
use callboard_testkit::{PATIENCE, eventually, eventually_some};
use reqwest::Method;
use serde_json::{Value, json};

use crate::play::{accept, id, open};

/// A session that somebody outside asked for on the coffee machine.
async fn request(who: &Client, world: &World, more: Value) -> String {
    let mut wish = json!({"deviceId": world.demo.coffee_machine, "requesterName": "Vera", "consents": true});
    if let (Some(wish), Some(more)) = (wish.as_object_mut(), more.as_object()) {
        wish.extend(more.clone());
    }
    // The session's service may hear of the ticket a moment later.
    id(&eventually("a session", PATIENCE, || async {
        let made = who.post("/v1/videoSessions:request", wish.clone()).await;
        if made.status.is_success() { Ok(made.body) } else { Err(made.body.to_string()) }
    })
    .await)
}

fn at(session: &str, rest: &str) -> String {
    format!("/v1/videoSessions/{session}{rest}")
}

/// The token of a place in the call, and the name of its connection.
async fn join(who: &Client, session: &str) -> (String, String) {
    let joined = who.post(&at(session, ":join"), json!({})).await.ok();
    let text = |name: &str| joined["credentials"][name].as_str().expect("credentials").to_owned();
    (text("callToken"), text("connectionId"))
}

/// Waits until a session has a status.
async fn becomes(who: &Client, session: &str, status: &str) -> Value {
    eventually_some(&format!("the session to become {status}"), PATIENCE, || async {
        let answer = who.get(&at(session, "")).await;
        (answer.body["status"] == status).then_some(answer.body)
    })
    .await
}

fn peer_present(heard: &Value, present: bool) -> bool {
    heard["state"]["peerPresent"] == present
}

#[tokio::test(flavor = "multi_thread")]
async fn v_1_to_v_8_a_session_from_the_request_to_the_rating() {
    let platform = Platform::shared().await;
    let world = World::make(platform, "video.test").await;
    let (visitor, nora, sofia) =
        (world.visitor().await, world.person("nora").await, world.person("sofia").await);
    let url = platform.gateway_url();

    // V-1, V-2: asked for, and confirmed by who is responsible.
    let session = request(&visitor, &world, json!({})).await;
    visitor.post(&at(&session, ":join"), json!({})).await.problem(409);
    sofia.post(&at(&session, ":confirm"), json!({})).await.problem(403);
    let asked = nora.get(&at(&session, "")).await.ok();
    assert_eq!((&asked["status"], &asked["moves"]["confirm"]), (&json!("REQUESTED"), &json!(true)));
    nora.post(&at(&session, ":confirm"), json!({})).await.ok();

    // V-3: either side starts it.
    let (token, guests) = join(&visitor, &session).await;
    let mut guest = CallSocket::open(&url, &session, &token).await;
    let alone = guest.heard().await;
    assert!(peer_present(&alone, false) && alone["state"]["ownConsent"] == true, "{alone}");
    becomes(&nora, &session, "IN_PROGRESS").await;
    let (noras_token, noras) = join(&nora, &session).await;
    let mut employee = CallSocket::open(&url, &session, &noras_token).await;
    let state = employee.until(|heard| peer_present(heard, true)).await;
    assert_eq!(state["state"]["peerConnectionId"], json!(guests));
    let state = guest.until(|heard| peer_present(heard, true)).await;
    assert_eq!(state["state"]["peerConnectionId"], json!(noras));

    // V-10: signals, as they were said.
    let offer = json!({"description": {"type": "offer", "sdp": "v=0\r\n"}});
    guest.say(offer.clone()).await;
    assert_eq!(employee.until(|heard| heard["description"].is_object()).await, offer);
    let answer = json!({"description": {"type": "answer", "sdp": "v=0\r\na=1\r\n"}});
    employee.say(answer.clone()).await;
    assert_eq!(guest.until(|heard| heard["description"].is_object()).await, answer);
    let candidate = json!({"candidate": {"candidate": "candidate:1", "sdpMid": "0", "sdpMLineIndex": 0}});
    employee.say(candidate.clone()).await;
    assert_eq!(guest.until(|heard| heard["candidate"].is_object()).await, candidate);

    // V-8: recorded only while both consent.
    employee.say(json!({"recording": {"running": true}})).await;
    let refused = employee.until(|heard| heard["refused"].is_object()).await;
    assert_eq!(refused["refused"]["reason"], "NO_CONSENT");
    employee.say(json!({"consent": {"given": true}})).await;
    guest.until(|heard| heard["state"]["peerConsent"] == true).await;
    employee.say(json!({"recording": {"running": true}})).await;
    guest.until(|heard| heard["state"]["recording"] == true).await;
    guest.say(json!({"consent": {"given": false}})).await;
    employee
        .until(|heard| heard["state"]["recording"] == false && heard["state"]["peerConsent"] == false)
        .await;

    // V-4: a dropped connection is not an end; the same token lets back in.
    drop(guest);
    employee.until(|heard| peer_present(heard, false)).await;
    assert_eq!(nora.get(&at(&session, "")).await.ok()["status"], "IN_PROGRESS");
    let mut guest = CallSocket::open(&url, &session, &token).await;
    employee.until(|heard| peer_present(heard, true)).await;
    guest.until(|heard| peer_present(heard, true)).await;
    employee.say(offer.clone()).await;
    assert_eq!(guest.until(|heard| heard["description"].is_object()).await, offer);
    // From elsewhere: the former place is left.
    let (elsewhere, _) = join(&visitor, &session).await;
    guest.until(|heard| heard["ended"]["ending"] == "REPLACED").await;
    assert_eq!(guest.closed().await, (4409, "REPLACED".to_owned()));
    let mut guest = CallSocket::open(&url, &session, &elsewhere).await;
    guest.until(|heard| peer_present(heard, true)).await;

    // V-4: over for both, then rated.
    guest.say(json!({"hangUp": {}})).await;
    for socket in [guest, employee] {
        assert_eq!(socket.closed().await, (1000, "CALL_ENDED".to_owned()));
    }
    let forgotten = CallSocket::open(&url, &session, &elsewhere).await;
    assert_eq!(forgotten.closed().await, (4409, "NO_CALL".to_owned()));
    assert_eq!(nora.get(&at(&session, "")).await.ok()["status"], "DONE");
    let rated = eventually_some("the visitor to be asked", PATIENCE, || async {
        let answer = visitor.post(&at(&session, "/rating:submit"), json!({"score": 4})).await;
        answer.status.is_success().then_some(answer.body)
    })
    .await;
    assert_eq!((&rated["subjectKind"], &rated["score"]), (&json!("VIDEO_SESSION"), &json!(4)));
    let closed = becomes(&nora, &session, "CLOSED").await;
    assert_eq!((&closed["rating"], &closed["callCount"]), (&json!(4), &json!(1)));
    assert_eq!(
        nora.get("/v1/videoSessions?rating=4&mine=true").await.ok()["sessions"][0]["id"],
        json!(session)
    );
    // V-6.
    assert_eq!(nora.post(&at(&session, ":reopen"), json!({})).await.ok()["status"], "CONFIRMED");
}

#[tokio::test(flavor = "multi_thread")]
async fn m_7_a_session_made_in_a_conversation_is_linked_shown_with_the_ticket_and_its_link_posted() {
    let platform = Platform::shared().await;
    let world = World::make(platform, "joinlink.test").await;
    let (visitor, nora) = (world.visitor().await, world.person("nora").await);
    let ticket = open(&visitor, &world).await;
    accept(&nora, &ticket).await;
    let plan = json!({"deviceId": world.demo.coffee_machine, "conversationTicketId": ticket});
    let session = eventually("video to know that she is assigned", PATIENCE, || async {
        let made = nora.post("/v1/videoSessions", plan.clone()).await;
        if made.status.is_success() { Ok(made.body) } else { Err(made.body.to_string()) }
    })
    .await;
    assert_eq!((&session["status"], &session["ticketIds"]), (&json!("CONFIRMED"), &json!([ticket])));
    let link = format!("{}/call/{}", platform.gateway_url(), id(&session));
    eventually("the join link", PATIENCE, || async {
        let page = visitor.get(&format!("/v1/conversations/{ticket}/messages")).await.ok();
        if page.to_string().contains(&link) { Ok(()) } else { Err(page) }
    })
    .await;
    // A view waits for its parts for less than a second.
    let sessions = async |count: usize| {
        eventually("the view to show its sessions", PATIENCE, || async {
            let view = nora.get(&format!("/v1/tickets/{ticket}/view")).await.ok();
            let part = view["videoSessions"]["sessions"].as_array();
            part.filter(|part| part.len() == count).cloned().ok_or(view)
        })
        .await
    };
    let shown = sessions(1).await.remove(0);
    assert_eq!((&shown["session"]["id"], &shown["statusLabel"]), (&session["id"], &json!("Confirmed")));
    // V-9.
    let unlink = at(&id(&session), ":unlinkTicket");
    nora.post(&unlink, json!({"ticketId": ticket})).await.ok();
    sessions(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn t_13_v_7_a_ticket_made_internal_takes_its_session_and_the_running_call_away_from_those_outside() {
    let platform = Platform::shared().await;
    let world = World::make(platform, "hiddencall.test").await;
    let (visitor, nora, kim) =
        (world.visitor().await, world.person("nora").await, world.customer_user().await);
    let ticket = open(&visitor, &world).await;
    accept(&nora, &ticket).await;
    let session = request(&visitor, &world, json!({"ticketId": ticket})).await;
    let mut streams = [Live::open(&visitor, None).await, Live::open(&kim, None).await];
    nora.post(&at(&session, ":confirm"), json!({})).await.ok();
    for stream in &mut streams {
        let seen = stream.until(|frame| frame.name() == "video.session_confirmed").await;
        let told = seen.last().expect("the frame").data.to_string();
        assert!(told.contains(&session) && !told.contains(&ticket), "{told}");
    }
    let (token, _) = join(&visitor, &session).await;
    let guest = CallSocket::open(&platform.gateway_url(), &session, &token).await;
    becomes(&nora, &session, "IN_PROGRESS").await;

    nora.patch(&format!("/v1/tickets/{ticket}"), json!({"visibility": "INTERNAL"})).await.ok();
    assert_eq!(guest.closed().await, (1000, "CALL_ENDED".to_owned()));
    for caller in [&visitor, &kim] {
        for (path, status) in [(at(&session, ""), 404), (at(&session, "/rating"), 404)] {
            caller.get(&path).await.problem(status);
        }
        caller.post(&at(&session, ":join"), json!({})).await.problem(404);
        assert_eq!(caller.get("/v1/videoSessions").await.ok()["sessions"], json!([]));
    }
    // Internal: nobody is asked to rate.
    assert_eq!(becomes(&nora, &session, "CLOSED").await["visibility"], "INTERNAL");
    // What happens on it now is no longer theirs; what happens elsewhere still is.
    nora.post(&at(&session, ":reopen"), json!({})).await.ok();
    let other = request(&visitor, &world, json!({})).await;
    for stream in &mut streams {
        let seen = stream
            .until(|frame| {
                frame.name() == "video.session_requested" && frame.data.to_string().contains(&other)
            })
            .await;
        let about = seen.iter().filter(|frame| frame.data.to_string().contains(&session));
        let about: Vec<&str> = about.map(Frame::name).collect();
        let hidden = about.iter().position(|name| *name == "video.session_hidden");
        let hidden = hidden.unwrap_or_else(|| panic!("they are told that it is gone: {about:?}"));
        assert_eq!(about.len(), hidden + 1, "nothing after it: {about:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn v_9_a_ticket_made_from_a_session_is_internal_linked_and_made_once() {
    let platform = Platform::shared().await;
    let world = World::make(platform, "sessionticket.test").await;
    let (visitor, nora) = (world.visitor().await, world.person("nora").await);
    let session = request(&visitor, &world, json!({})).await;
    nora.post(&at(&session, ":confirm"), json!({})).await.ok();
    let make = async |who: &Client, key: &str| {
        let new = json!({"title": "Seen in the call", "description": "The seal is worn"});
        who.call_as(Method::POST, &at(&session, ":createTicket"), Some(new), key).await
    };
    // Whoever asked for the session sees it, and makes no ticket of it.
    make(&visitor, "outside").await.problem(403);
    let made = make(&nora, "made-once").await.ok();
    let ticket = id(&made);
    let seen = nora.get(&format!("/v1/tickets/{ticket}")).await.ok();
    assert_eq!((&seen["visibility"], &seen["status"]), (&json!("INTERNAL"), &json!("OPEN")), "{seen}");
    assert_eq!(seen["deviceId"], json!(world.demo.coffee_machine));
    assert_eq!(nora.get(&at(&session, "")).await.ok()["ticketIds"], json!([ticket]));
    assert_eq!(id(&make(&nora, "made-once").await.ok()), ticket, "the same request makes nothing twice");
    assert_eq!(nora.get(&at(&session, "")).await.ok()["ticketIds"], json!([ticket]));
    // T-13: nothing of it is seen from outside, not even that it is linked.
    visitor.get(&format!("/v1/tickets/{ticket}")).await.problem(404);
    assert_eq!(visitor.get(&at(&session, "")).await.ok()["ticketIds"], json!([]));
    // Of a session that a code on another device does not see there is nothing to make.
    make(&world.oven_visitor().await, "elsewhere").await.problem(404);
}
