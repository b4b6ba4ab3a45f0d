//! A call's life when a server carries it: no webhook arrives here, all is found by asking (V-1, V-3, V-4, V-5, V-8, V-10).

use callboard_kernel::ErrorKind;
use callboard_proto::directory::v1 as directory;
use callboard_proto::video::v1::{self as video, CallProvider, SessionStatus};
use callboard_service::error::report;
use callboard_stage::{done, refused, request_id, signed};
use callboard_testkit::{PATIENCE, eventually};

use super::fake::claims;
use super::{house, until_people};
use crate::calls::Browser;
use crate::house::uuid;

#[tokio::test]
async fn v_10_joining_answers_what_a_livekit_client_needs_and_names_nobody() {
    let (house, fake) = house("100ms", "30s").await;
    let (boss, guest) = (house.boss(), house.guest());
    let session = house.create(&boss, house.plan()).await.expect("made").id;
    let joined = house.join(&guest, &session).await.expect("joined");
    let call = joined.session.expect("a session").call.expect("a call");
    assert_eq!((call.provider(), call.started_by()), (CallProvider::Livekit, video::Side::Guest));
    let credentials = joined.credentials.expect("credentials");
    assert_eq!((credentials.provider(), credentials.ice_servers.len()), (CallProvider::Livekit, 0));
    let livekit = credentials.livekit.expect("of LiveKit");
    assert_eq!(livekit.server_url, fake.url());
    let claims = claims(&livekit.access_token).expect("a token that the server takes");
    let room = format!("callboard-{session}-1");
    let grant = serde_json::json!({"room": room, "roomJoin": true, "canPublish": true, "canSubscribe": true});
    assert_eq!((&claims["video"], &claims["sub"]), (&grant, &credentials.connection_id.clone().into()));
    // Their side, and nothing of the person.
    assert_eq!(claims["name"], "GUEST");
    assert_eq!(claims.as_object().expect("claims").len(), 6, "{claims}");
    let life = claims["exp"].as_i64().expect("a time") - claims["nbf"].as_i64().expect("a time");
    assert!(life <= 330 && livekit.expire_time.expect("a time").seconds == claims["exp"], "{claims}");
    assert_eq!(fake.people(&room), Some(Vec::new()), "opened before anybody was let in");
    house.stage.stop().await;
}

#[tokio::test]
async fn v_3_v_4_who_is_there_is_found_by_asking_and_nobody_for_the_grace_time_is_the_end() {
    let (house, fake) = house("100ms", "5s").await;
    let (boss, guest) = (house.boss(), house.guest());
    let session = house.create(&boss, house.plan()).await.expect("made").id;
    let visitor = house.connect(&fake, &guest, &session).await;
    house.until_status(&session, SessionStatus::InProgress).await;
    house.until_present(&session, true, false).await;
    let host = house.connect(&fake, &boss, &session).await;
    assert_eq!((&host.room, house.get(&boss, &session).await.expect("it").call_count), (&visitor.room, 1));
    house.until_present(&session, true, true).await;
    // Dropped, and back by the same token: the same call.
    fake.leaves(&visitor.room, &visitor.identity);
    house.until_present(&session, false, true).await;
    fake.enter(&visitor.token).expect("let in");
    house.until_present(&session, true, true).await;
    for gone in [&visitor, &host] {
        fake.leaves(&gone.room, &gone.identity);
    }
    house.until_status(&session, SessionStatus::Closed).await;
    until_people(&fake, &host.room, None).await;
    let told = house.stage.told(uuid(&session), "video.call_ended").await;
    assert!(told.contains(&"video.call_presence_changed".to_owned()), "{told:?}");
    house.stage.stop().await;
}

#[tokio::test]
async fn v_5_the_room_of_a_call_that_ends_is_closed_even_if_the_server_was_away() {
    let (house, fake) = house("100ms", "30s").await;
    let (boss, guest) = (house.boss(), house.guest());
    let session = house.create(&boss, house.plan()).await.expect("made").id;
    let visitor = house.connect(&fake, &guest, &session).await;
    house.until_present(&session, true, false).await;
    fake.away(true);
    house.cancel(&boss, &session).await.expect("cancelled");
    assert!(fake.people(&visitor.room).is_some_and(|people| !people.is_empty()), "nobody could tell it");
    fake.away(false);
    until_people(&fake, &visitor.room, None).await;
    // V-6, V-4: another call is another room. Hanging up closes it.
    house.reopen(&boss, &session).await.expect("open again");
    let visitor = house.connect(&fake, &guest, &session).await;
    assert_eq!(visitor.room, format!("callboard-{session}-2"));
    house.end(&guest, &session).await.expect("over");
    until_people(&fake, &visitor.room, None).await;
    // T-13, V-7.
    house.reopen(&boss, &session).await.expect("open again");
    let visitor = house.connect(&fake, &guest, &session).await;
    house.hide(&boss, &session).await.expect("hidden");
    until_people(&fake, &visitor.room, None).await;
    house.stage.stop().await;
}

#[tokio::test]
async fn v_1_whoever_has_no_place_any_more_is_put_out_and_others_of_the_operator_are_left_alone() {
    let (house, fake) = house("100ms", "30s").await;
    let (boss, guest) = (house.boss(), house.guest());
    let session = house.create(&boss, house.plan()).await.expect("made").id;
    let before = house.connect(&fake, &guest, &session).await;
    house.until_present(&session, true, false).await;
    fake.comes(&before.room, "EG_recorder");
    let after = house.connect(&fake, &guest, &session).await;
    assert_ne!(before.identity, after.identity);
    until_people(&fake, &after.room, Some(vec![after.identity.clone(), "EG_recorder".to_owned()])).await;
    house.until_present(&session, true, false).await;
    // Another visitor while the place is taken: nothing is opened for them.
    assert_eq!(refused(house.livekit(&house.guest(), &session).await), "SIDE_TAKEN");
    // The token of before still opens the door, and leads out again.
    fake.enter(&before.token).expect("let in");
    until_people(&fake, &after.room, Some(vec![after.identity, "EG_recorder".to_owned()])).await;
    house.stage.stop().await;
}

#[tokio::test]
async fn v_10_without_the_server_nobody_joins_and_nothing_is_lost() {
    let (house, fake) = house("100ms", "5s").await;
    let (boss, guest) = (house.boss(), house.guest());
    let session = house.create(&boss, house.plan()).await.expect("made").id;
    fake.away(true);
    let request = video::JoinSessionRequest {
        request_id: request_id(),
        session_id: session.clone(),
        ..video::JoinSessionRequest::default()
    };
    let join = || async { done(house.service().join_session(signed(&guest, request.clone())).await) };
    let told = join().await.expect_err("not now");
    assert_eq!((told.reason.as_str(), told.kind), ("PROVIDER_UNAVAILABLE", ErrorKind::Unavailable));
    let found = house.get(&boss, &session).await.expect("it");
    assert_eq!((found.status(), found.call), (SessionStatus::Confirmed, None));
    // The same request, when it is back.
    fake.away(false);
    let token =
        join().await.expect("joined").credentials.expect("them").livekit.expect("of LiveKit").access_token;
    // Away again before anybody was seen: the grace time passes, and it is not the end, since nobody knows.
    fake.away(true);
    fake.enter(&token).expect("let in");
    eventually("a timer that waits for the server", PATIENCE, || async {
        let sql = "select count(*) from timer where name = 'call' and due_at < now() - interval '1 second'";
        let late: i64 = sqlx::query_scalar(sql).fetch_one(house.stage.pool()).await.expect("a count");
        if late == 1 { Ok(()) } else { Err(late) }
    })
    .await;
    assert_eq!(house.get(&boss, &session).await.expect("it").status(), SessionStatus::InProgress);
    fake.away(false);
    house.until_present(&session, true, false).await;
    house.stage.stop().await;
}

#[tokio::test]
async fn d_3_who_was_logged_out_is_put_out_and_does_not_come_back() {
    let (house, fake) = house("5m", "30s").await;
    let (boss, guest) = (house.boss(), house.guest());
    let session = house.create(&boss, house.plan()).await.expect("made").id;
    let visitor = house.connect(&fake, &guest, &session).await;
    let host = house.connect(&fake, &boss, &session).await;
    for said in fake.webhooks(&host.room) {
        house.hear(&said).await;
    }
    house.until_present(&session, true, true).await;
    let person = guest.actor().id().expect("an id");
    // Said before they joined, and heard of only now.
    let before =
        callboard_kernel::Clock::now(&callboard_kernel::SystemClock) - chrono::TimeDelta::seconds(10);
    let revoked = directory::PrincipalTokensRevoked {
        subject_id: person.to_string(),
        organisation_id: house.people.id.to_string(),
        min_epoch: 1,
        revoke_time: Some(callboard_service::convert::to_proto_time(before)),
    };
    house.stage.publish(house.people.id, person, 1, &revoked).await;
    until_people(&fake, &host.room, Some(vec![host.identity.clone()])).await;
    house.until_present(&session, false, true).await;
    // The server's own token is good for a while yet.
    fake.enter(&visitor.token).expect("let in");
    for said in fake.webhooks(&host.room) {
        house.hear(&said).await;
    }
    until_people(&fake, &host.room, Some(vec![host.identity])).await;
    house.stage.stop().await;
}

#[tokio::test]
async fn v_10_a_client_that_speaks_something_else_begins_nothing() {
    let (house, _fake) = house("100ms", "30s").await;
    let (boss, guest) = (house.boss(), house.guest());
    let session = house.create(&boss, house.plan()).await.expect("made").id;
    // As the page of calls does.
    let told = house.join_speaking(&guest, &session, &[CallProvider::BuiltIn]).await;
    assert_eq!(refused(told), "OTHER_PROVIDER");
    let wrong = house.join_speaking(&guest, &session, &[CallProvider::Unspecified]).await;
    assert_eq!(refused(wrong), "INVALID_FIELDS");
    assert_eq!(house.get(&boss, &session).await.expect("it").status(), SessionStatus::Confirmed);
    house
        .join_speaking(&guest, &session, &[CallProvider::BuiltIn, CallProvider::Livekit])
        .await
        .expect("joined");
    // Signals make no call here.
    let visitor = house.livekit(&guest, &session).await.expect("joined");
    let told = Browser::open(house.service(), &session, &visitor.call_token).await.err().expect("refused");
    assert_eq!(report(&told).reason, "OTHER_PROVIDER");
    house.stage.stop().await;
}

#[tokio::test]
async fn v_8_consent_and_recording_are_said_by_rpc_where_there_are_no_signals() {
    let (house, fake) = house("100ms", "30s").await;
    let (boss, guest) = (house.boss(), house.guest());
    let session = house.create(&boss, house.plan()).await.expect("made").id;
    house.connect(&fake, &boss, &session).await;
    house.connect(&fake, &guest, &session).await;
    let record = |running| {
        let request =
            video::SetRecordingRequest { request_id: request_id(), session_id: session.clone(), running };
        let (mut service, boss) = (house.service(), boss.clone());
        async move { done(service.set_recording(signed(&boss, request)).await) }
    };
    let consent = |who: callboard_kernel::Principal, given| {
        let request =
            video::SetConsentRequest { request_id: request_id(), session_id: session.clone(), given };
        let mut service = house.service();
        async move { done(service.set_consent(signed(&who, request)).await).expect("said") }
    };
    assert_eq!(refused(record(true).await), "NO_CONSENT");
    consent(guest.clone(), true).await;
    consent(boss.clone(), true).await;
    assert!(record(true).await.expect("let").session.expect("it").recording);
    consent(guest, false).await;
    assert!(!house.get(&boss, &session).await.expect("it").recording, "both or nothing");
    house.stage.stop().await;
}

#[tokio::test]
async fn v_10_a_repeat_after_the_end_lets_nobody_in() {
    let (house, fake) = house("100ms", "30s").await;
    let boss = house.boss();
    let session = house.create(&boss, house.plan()).await.expect("made").id;
    let request = video::JoinSessionRequest {
        request_id: request_id(),
        session_id: session.clone(),
        ..video::JoinSessionRequest::default()
    };
    let join = || async { done(house.service().join_session(signed(&boss, request.clone())).await) };
    let (first, again) = (join().await.expect("joined"), join().await.expect("the same"));
    let of = |answer: &video::JoinSessionResponse| answer.credentials.clone().expect("them").connection_id;
    assert_eq!(of(&first), of(&again));
    house.end(&boss, &session).await.expect("over");
    assert_eq!(refused(join().await), "NO_CALL");
    until_people(&fake, &format!("callboard-{session}-1"), None).await;
    house.stage.stop().await;
}
