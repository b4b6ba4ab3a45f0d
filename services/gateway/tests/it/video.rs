//! Video sessions over REST and in the live stream.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use callboard_kernel::Refusal;
use callboard_proto::{
    common::v1 as common, ratings::v1 as ratings, tickets::v1 as tickets, video::v1 as video,
};
use callboard_service::error::status;
use reqwest::Method;
use serde_json::json;

use crate::live::{OTHER, Reader, publish};
use crate::world::{
    CUSTOMER, DEVICE, EMPLOYEE, ORGANISATION, SESSION, TICKET, World, customer_user, member, read, visitor,
};

fn rpc(method: &str) -> String {
    format!("callboard.video.v1.VideoService/{method}")
}

#[tokio::test]
async fn a_session_is_made_confirmed_and_joined_over_rest() {
    let world = World::new().await;
    let session = |status: video::SessionStatus| video::Session {
        id: SESSION.to_string(),
        status: status.into(),
        etag: "\"2\"".into(),
        ..Default::default()
    };
    world.video.on(&rpc("RequestSession"), move |_: video::RequestSessionRequest| {
        Ok(video::RequestSessionResponse { session: Some(session(video::SessionStatus::Requested)) })
    });
    world.video.on(&rpc("ConfirmSession"), move |_: video::ConfirmSessionRequest| {
        Ok(video::ConfirmSessionResponse { session: Some(session(video::SessionStatus::Confirmed)) })
    });
    world.video.on(&rpc("JoinSession"), move |_: video::JoinSessionRequest| {
        let server =
            video::IceServer { urls: vec!["stun:s".into()], username: "7:c".into(), ..Default::default() };
        let credentials = video::CallCredentials {
            provider: video::CallProvider::BuiltIn.into(),
            call_token: "secret".into(),
            ice_servers: vec![server],
            side: video::Side::Guest.into(),
            ..Default::default()
        };
        let session = Some(session(video::SessionStatus::InProgress));
        Ok(video::JoinSessionResponse { session, credentials: Some(credentials) })
    });
    let key = uuid::Uuid::from_u128(5);
    let wanted = json!({"deviceId": DEVICE, "requesterName": "Eve", "consents": true});
    let request = world.request(&visitor(DEVICE), Method::POST, "/v1/videoSessions:request");
    let made = request.header("Idempotency-Key", key.to_string()).json(&wanted).send().await.unwrap();
    assert_eq!(made.headers()["location"], format!("/v1/videoSessions/{SESSION}"));
    assert_eq!(made.headers()["etag"], "\"2\"");
    let (status, made) = read(made).await;
    assert_eq!((status, &made["status"], &made["callCount"]), (201, &json!("REQUESTED"), &json!(0)));
    let asked = world.video.asked::<video::RequestSessionRequest>(&rpc("RequestSession")).remove(0).0;
    assert_eq!(
        (asked.request_id, asked.requester_name, asked.consents),
        (key.to_string(), "Eve".into(), true)
    );

    let path = format!("/v1/videoSessions/{SESSION}:confirm");
    let confirm = world.request(&member(&[]), Method::POST, &path).header("If-Match", "\"1\"");
    assert_eq!(confirm.send().await.unwrap().status(), 200);
    let asked = world.video.asked::<video::ConfirmSessionRequest>(&rpc("ConfirmSession")).remove(0).0;
    assert_eq!((asked.session_id, asked.etag), (SESSION.to_string(), "\"1\"".to_owned()));

    let path = format!("/v1/videoSessions/{SESSION}:join");
    let (status, joined) =
        read(world.request(&visitor(DEVICE), Method::POST, &path).send().await.unwrap()).await;
    assert_eq!((status, &joined["session"]["status"]), (200, &json!("IN_PROGRESS")));
    let expected = json!({
        "provider": "BUILT_IN", "connectionId": "", "callToken": "secret", "polite": false, "side": "GUEST",
        "iceServers": [{"urls": ["stun:s"], "username": "7:c"}]
    });
    assert_eq!(joined["credentials"], expected);
}

#[tokio::test]
async fn v_10_a_client_says_what_it_speaks_and_is_answered_what_livekit_needs() {
    let world = World::new().await;
    world.video.on(&rpc("JoinSession"), move |_: video::JoinSessionRequest| {
        let livekit = video::LiveKitCredentials {
            server_url: "wss://livekit.example.com".into(),
            access_token: "a.b.c".into(),
            expire_time: None,
        };
        let credentials = video::CallCredentials {
            provider: video::CallProvider::Livekit.into(),
            call_token: "secret".into(),
            side: video::Side::Guest.into(),
            livekit: Some(livekit),
            ..Default::default()
        };
        let call =
            video::Call { provider: video::CallProvider::Livekit.into(), number: 1, ..Default::default() };
        let session = video::Session { id: SESSION.to_string(), call: Some(call), ..Default::default() };
        Ok(video::JoinSessionResponse { session: Some(session), credentials: Some(credentials) })
    });
    let path = format!("/v1/videoSessions/{SESSION}:join");
    let join = || world.request(&visitor(DEVICE), Method::POST, &path);
    let speaks = json!({"providers": ["LIVEKIT", "BUILT_IN"]});
    let (status, joined) = read(join().json(&speaks).send().await.unwrap()).await;
    assert_eq!((status, &joined["session"]["call"]["provider"]), (200, &json!("LIVEKIT")));
    let expected = json!({"serverUrl": "wss://livekit.example.com", "accessToken": "a.b.c"});
    assert_eq!(joined["credentials"]["livekit"], expected);
    let asked = world.video.asked::<video::JoinSessionRequest>(&rpc("JoinSession")).remove(0).0;
    assert_eq!(asked.providers, [2, 1]);
    let unknown = join().json(&json!({"providers": ["TELEPHONE"]})).send().await.unwrap();
    assert_eq!(unknown.status(), 400);
    assert_eq!(join().send().await.unwrap().status(), 200, "what is not said is anything");
}

#[tokio::test]
async fn v_10_a_providers_webhook_goes_through_to_the_byte_with_its_signature() {
    let world = World::new().await;
    world.video.on(&rpc("ReceiveProviderWebhook"), |_: video::ReceiveProviderWebhookRequest| {
        Ok(video::ReceiveProviderWebhookResponse {})
    });
    let post = |body: &str| {
        let request = world.anonymous(Method::POST, "/v1/videoProviders/livekit:webhook");
        let request =
            request.header("content-type", "application/webhook+json").header("authorization", "a.b.c");
        request.body(body.to_owned()).send()
    };
    let body = "{\"event\" :  \"room_started\", \"größe\": 1}\n";
    assert_eq!(post(body).await.unwrap().status(), 204);
    let (asked, metadata) =
        world.video.asked::<video::ReceiveProviderWebhookRequest>(&rpc("ReceiveProviderWebhook")).remove(0);
    assert_eq!(asked.provider(), video::CallProvider::Livekit);
    assert_eq!((asked.body, asked.authorization_token.as_str()), (body.as_bytes().to_vec(), "a.b.c"));
    assert!(metadata.get("authorization").is_none(), "it is no access token");
    assert_eq!(post(&"x".repeat(256 * 1024 + 1)).await.unwrap().status(), 413);
    world.video.on(&rpc("ReceiveProviderWebhook"), |_: video::ReceiveProviderWebhookRequest| {
        let refusal = Refusal::new(callboard_kernel::ErrorKind::Unauthenticated, "WEBHOOK_UNVERIFIED", "no");
        Err::<video::ReceiveProviderWebhookResponse, _>(status("video", &refusal))
    });
    let (status, problem) = read(post(body).await.unwrap()).await;
    assert_eq!((status, &problem["reason"]), (401, &json!("WEBHOOK_UNVERIFIED")));
}

#[tokio::test]
async fn v_9_a_ticket_made_from_a_session_is_internal_and_linked_and_a_repeat_finishes_what_failed() {
    let world = World::new().await;
    let may_link = Arc::new(AtomicBool::new(true));
    let asked = Arc::clone(&may_link);
    world.video.on(&rpc("GetSession"), move |_: video::GetSessionRequest| {
        let moves = video::SessionMoves { link: asked.load(Ordering::SeqCst), ..Default::default() };
        let session = video::Session {
            id: SESSION.to_string(),
            device_id: DEVICE.to_string(),
            moves: Some(moves),
            ..Default::default()
        };
        Ok(video::GetSessionResponse { session: Some(session) })
    });
    let make = "callboard.tickets.v1.TicketService/CreateTicket";
    world.tickets.on(make, |asked: tickets::CreateTicketRequest| {
        let ticket = tickets::Ticket { id: TICKET.to_string(), title: asked.title, ..Default::default() };
        Ok(tickets::CreateTicketResponse { ticket: Some(ticket) })
    });
    let missing = || status("video", &Refusal::missing("ticket", TICKET));
    let failing = || status("video", &Refusal::new(callboard_kernel::ErrorKind::Internal, "INTERNAL", "no"));
    world.video.on(&rpc("LinkTicket"), move |_: video::LinkTicketRequest| {
        Err::<video::LinkTicketResponse, _>(failing())
    });
    let path = format!("/v1/videoSessions/{SESSION}:createTicket");
    let post = |who: &callboard_kernel::Principal, body: serde_json::Value| {
        let key = uuid::Uuid::from_u128(5).to_string();
        world.request(who, Method::POST, &path).header("Idempotency-Key", key).json(&body).send()
    };
    let new = json!({"title": "Leak", "priority": "HIGH"});
    assert_eq!(post(&member(&[]), new.clone()).await.unwrap().status(), 500, "it could not be linked");
    // Video does not know the ticket yet when it is asked first.
    let tries = AtomicUsize::new(0);
    world.video.on(&rpc("LinkTicket"), move |_: video::LinkTicketRequest| {
        if tries.fetch_add(1, Ordering::SeqCst) == 0 {
            return Err(missing());
        }
        Ok(video::LinkTicketResponse { session: Some(video::Session::default()) })
    });
    let made = post(&member(&[]), new.clone()).await.unwrap();
    assert_eq!(made.headers()["location"], format!("/v1/tickets/{TICKET}"));
    let (code, made) = read(made).await;
    assert_eq!((code, &made["id"], &made["title"]), (201, &json!(TICKET), &json!("Leak")));
    let created = world.tickets.asked::<tickets::CreateTicketRequest>(make);
    let first = &created[0].0;
    assert_eq!((first.device_id.clone(), first.open), (DEVICE.to_string(), true));
    assert_eq!(
        (first.visibility(), first.priority()),
        (tickets::Visibility::Internal, tickets::Priority::High)
    );
    let linked = world.video.asked::<video::LinkTicketRequest>(&rpc("LinkTicket"));
    assert_eq!((created.len(), linked.len()), (2, 3));
    assert!(created.iter().all(|(again, _)| again == first), "the repeat asks for the same ticket");
    assert!(linked.iter().all(|(again, _)| *again == linked[0].0), "and for the same link");
    let link = &linked[0].0;
    assert_eq!((link.session_id.clone(), link.ticket_id.clone()), (SESSION.to_string(), TICKET.to_string()));
    assert_ne!(link.request_id, first.request_id);

    // Nothing is made by those who may not link, nor of what cannot be.
    assert_eq!(
        post(&member(&[]), json!({"title": "x", "visibility": "PUBLIC"})).await.unwrap().status(),
        400
    );
    may_link.store(false, Ordering::SeqCst);
    for who in [visitor(DEVICE), member(&[])] {
        let (code, problem) = read(post(&who, new.clone()).await.unwrap()).await;
        assert_eq!((code, &problem["reason"]), (403, &json!("PERMISSION_DENIED")));
    }
    assert_eq!(world.tickets.asked::<tickets::CreateTicketRequest>(make).len(), 2);
}

#[tokio::test]
async fn v_9_no_ticket_is_made_for_a_full_session_and_one_that_is_gone_is_told_at_once() {
    let world = World::new().await;
    let has_room = Arc::new(AtomicBool::new(false));
    let room = Arc::clone(&has_room);
    world.video.on(&rpc("GetSession"), move |_: video::GetSessionRequest| {
        let link = room.load(Ordering::SeqCst);
        let moves = video::SessionMoves { link, set_visibility: true, ..Default::default() };
        let session =
            video::Session { id: SESSION.to_string(), moves: Some(moves), ..video::Session::default() };
        Ok(video::GetSessionResponse { session: Some(session) })
    });
    let make = "callboard.tickets.v1.TicketService/CreateTicket";
    world.tickets.on(make, |_: tickets::CreateTicketRequest| {
        let ticket = tickets::Ticket { id: TICKET.to_string(), ..Default::default() };
        Ok(tickets::CreateTicketResponse { ticket: Some(ticket) })
    });
    world.video.on(&rpc("LinkTicket"), |_: video::LinkTicketRequest| {
        Err::<video::LinkTicketResponse, _>(status("video", &Refusal::missing("session", SESSION)))
    });
    let path = format!("/v1/videoSessions/{SESSION}:createTicket");
    let post = async || {
        let request = world.request(&member(&[]), Method::POST, &path).json(&json!({"title": "Leak"}));
        read(request.send().await.unwrap()).await
    };
    let (code, problem) = post().await;
    assert_eq!((code, &problem["reason"]), (409, &json!("TOO_MANY_TICKETS")));
    assert_eq!(world.tickets.asked::<tickets::CreateTicketRequest>(make).len(), 0);
    has_room.store(true, Ordering::SeqCst);
    let (code, problem) = post().await;
    assert_eq!((code, &problem["reason"]), (404, &json!("NOT_FOUND")));
    assert_eq!(world.video.asked::<video::LinkTicketRequest>(&rpc("LinkTicket")).len(), 1, "asked once");
}

#[tokio::test]
async fn sessions_are_listed_by_what_was_asked_and_fields_are_named_as_rest_does() {
    let world = World::new().await;
    world.video.on(&rpc("ListSessions"), |asked: video::ListSessionsRequest| {
        let filter = asked.filter.unwrap_or_default();
        let expected = video::SessionFilter {
            statuses: vec![video::SessionStatus::Done.into(), video::SessionStatus::Closed.into()],
            visibility: video::Visibility::Public.into(),
            device_ids: vec!["x".into()],
            mine: true,
            ratings: vec![5],
            ..Default::default()
        };
        assert_eq!(filter, expected);
        Err::<video::ListSessionsResponse, _>(status(
            "video",
            &Refusal::field("filter.device_ids[0]", "no UUID"),
        ))
    });
    let path = "/v1/videoSessions?status=DONE&status=CLOSED&visibility=PUBLIC&deviceId=x&mine=true&rating=5";
    let (status, problem) = read(world.request(&member(&[]), Method::GET, path).send().await.unwrap()).await;
    assert_eq!((status, &problem["violations"][0]["field"]), (400, &json!("deviceId[0]")));
    let path = format!("/v1/templates/{OTHER}/sessionFlow");
    world.video.on(&rpc("PutSessionFlow"), |asked: video::PutSessionFlowRequest| {
        let flow = asked.session_flow.unwrap_or_default();
        assert_eq!((flow.template_id.as_str(), flow.requests_allowed), (&*OTHER.to_string(), true));
        assert_eq!((flow.reason(), flow.etag.as_str()), (video::FlowField::Required, "\"0\""));
        Ok(video::PutSessionFlowResponse { session_flow: Some(flow) })
    });
    let flow =
        json!({"requestsAllowed": true, "reason": "REQUIRED", "reasons": [{"en": "Leak"}], "etag": "\"0\""});
    let put = world.request(&member(&[]), Method::PUT, &path).json(&flow).send().await.unwrap();
    assert_eq!(put.headers()["etag"], "\"0\"");
    let (status, shown) = read(put).await;
    assert_eq!((status, &shown["reasons"][0]["en"]), (200, &json!("Leak")));
    assert!(shown.get("requesterName").is_none(), "not asked: {shown}");
}

/// What the video service says of whether a caller sees a session.
fn seen(world: &World, seen: bool) {
    world.video.on(&rpc("GetSession"), move |_: video::GetSessionRequest| match seen {
        true => Ok(video::GetSessionResponse::default()),
        false => Err(status("video", &Refusal::not_found("session"))),
    });
}

fn facts(visibility: video::Visibility) -> Option<video::SessionFacts> {
    Some(video::SessionFacts {
        session_id: SESSION.to_string(),
        organisation_id: ORGANISATION.to_string(),
        device_id: DEVICE.to_string(),
        visibility: visibility.into(),
        employee_id: EMPLOYEE.to_string(),
        ticket_ids: vec![TICKET.to_string()],
        conversation_ticket_id: TICKET.to_string(),
        ..Default::default()
    })
}

#[tokio::test]
async fn v_7_sessions_are_told_to_who_sees_them_now_and_vanish_for_those_outside() {
    let world = World::new().await;
    seen(&world, true);
    let mut colleague = Reader::open(&world, &member(&[]), None).await;
    let mut here = Reader::open(&world, &visitor(DEVICE), None).await;
    let mut elsewhere = Reader::open(&world, &visitor(OTHER), None).await;
    // The session was nobody's, and its device is this company's by now.
    let mut owner = Reader::open(&world, &customer_user(CUSTOMER), None).await;
    for reader in [&mut colleague, &mut here, &mut elsewhere, &mut owner] {
        reader.ready().await;
    }
    let linked = video::SessionLinked {
        session: facts(video::Visibility::Public),
        ticket_id: TICKET.to_string(),
        by: Some(common::Actor::default()),
    };
    publish(&world, &linked).await;
    let full = colleague.next().await.unwrap().data;
    assert_eq!(
        (&full["ticketId"], &full["data"]["session"]["ticketIds"]),
        (&json!(TICKET), &json!([TICKET]))
    );
    for reader in [&mut here, &mut owner] {
        let outside = reader.next().await.unwrap().data;
        assert_eq!(outside["name"], "video.session_linked");
        assert_eq!(outside["data"]["session"]["sessionId"], json!(SESSION));
        assert!(
            !outside.to_string().contains(&TICKET.to_string()),
            "the ticket may be an internal one: {outside}"
        );
    }
    // From now on its service says that it is internal. Told late, when it was public no more: nothing.
    seen(&world, false);
    let rated = ratings::RatingFacts {
        subject_kind: ratings::SubjectKind::VideoSession.into(),
        subject_id: SESSION.to_string(),
        organisation_id: ORGANISATION.to_string(),
        device_id: DEVICE.to_string(),
        ..Default::default()
    };
    publish(&world, &video::CallStarted { session: facts(video::Visibility::Public), ..Default::default() })
        .await;
    publish(&world, &ratings::RatingRequested { rating: Some(rated) }).await;
    let hidden = video::SessionVisibilityChanged {
        session: facts(video::Visibility::Internal),
        previous_visibility: video::Visibility::Public.into(),
        ..Default::default()
    };
    publish(&world, &hidden).await;
    let gone = here.next().await.unwrap().data;
    assert_eq!(gone["name"], "video.session_hidden");
    assert_eq!(gone["data"], json!({"session": {"sessionId": SESSION}}));
    assert_eq!(gone["actor"], json!({}));
    let mut names = Vec::new();
    for _ in 0..3 {
        names.push(colleague.next().await.unwrap().data["name"].as_str().unwrap().to_owned());
    }
    names.sort();
    assert_eq!(names, ["rating.requested", "video.call_started", "video.session_visibility_changed"]);
    // Session flows are for employees; and who looked elsewhere has heard of nothing.
    let flow = video::SessionFlowChanged { template_id: OTHER.to_string(), ..Default::default() };
    publish(&world, &flow).await;
    assert_eq!(colleague.next().await.unwrap().data["name"], "session_flow.changed");
    seen(&world, true);
    let there =
        video::SessionFacts { device_id: OTHER.to_string(), ..facts(video::Visibility::Public).unwrap() };
    publish(&world, &video::CallEnded { session: Some(there), ..Default::default() }).await;
    assert_eq!(elsewhere.next().await.unwrap().data["name"], "video.call_ended");
}
