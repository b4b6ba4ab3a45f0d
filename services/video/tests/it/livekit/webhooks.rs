//! Webhooks: who may send them, and what they are good for (V-10).

use callboard_kernel::ErrorKind;
use callboard_stage::refused;
use callboard_testkit::{PATIENCE, eventually};
use serde_json::json;

use super::fake::{Fake, KEY, SECRET, signed};
use super::{house, until_people};
use crate::house::House;

async fn until_asked(fake: &Fake, room: &str, more_than: usize) {
    eventually("a question", PATIENCE, || async {
        let asked = fake.asked(room);
        if asked > more_than { Ok(()) } else { Err(asked) }
    })
    .await;
}

/// Joined and found, and nothing is due for five minutes.
async fn waiting() -> (House, Fake, String, super::Joined) {
    let (house, fake) = house("5m", "30s").await;
    let boss = house.boss();
    let session = house.create(&boss, house.plan()).await.expect("made").id;
    let host = house.connect(&fake, &boss, &session).await;
    house.hear(&json!({ "event": "participant_joined", "room": { "name": host.room } })).await;
    house.until_present(&session, false, true).await;
    eventually("nothing is under way", PATIENCE, || async {
        let sql = "select count(*) from call_room where due_at <= now() or claimed_until is not null";
        let busy: i64 = sqlx::query_scalar(sql).fetch_one(house.stage.pool()).await.expect("a count");
        if busy == 0 { Ok(()) } else { Err(busy) }
    })
    .await;
    (house, fake, session, host)
}

#[tokio::test]
async fn v_10_a_webhook_makes_us_ask_at_once_and_is_not_believed() {
    let (house, fake, session, host) = waiting().await;
    // It says that somebody left who is there.
    let asked = fake.asked(&host.room);
    let participant = json!({ "identity": host.identity, "sid": "PA_1" });
    let said =
        json!({ "event": "participant_left", "room": { "name": host.room }, "participant": participant });
    house.hear(&said).await;
    until_asked(&fake, &host.room, asked).await;
    house.until_present(&session, false, true).await;
    // And now it is true, and known at once; in whatever order it is said, and however often.
    fake.leaves(&host.room, &host.identity);
    house.hear(&said).await;
    house.until_present(&session, false, false).await;
    fake.enter(&host.token).expect("let in");
    for said in fake.webhooks(&host.room).iter().rev().chain([&said, &said]) {
        house.hear(said).await;
    }
    house.until_present(&session, false, true).await;
    house.stage.stop().await;
}

#[tokio::test]
async fn v_10_what_the_server_did_not_sign_does_nothing() {
    let (house, fake, _session, host) = waiting().await;
    let body = json!({ "event": "participant_left", "room": { "name": host.room } }).to_string();
    let (body, hints) = (body.as_bytes(), || async {
        let sql = "select sum(hints)::bigint from call_room";
        sqlx::query_scalar::<_, i64>(sql).fetch_one(house.stage.pool()).await.expect("a sum")
    });
    let (before, asked) = (hints().await, fake.asked(&host.room));
    let wrong = [
        String::new(),
        "guessed".to_owned(),
        signed(body, KEY, "somebody else's secret, 32 letters", 300),
        signed(body, "south", SECRET, 300),
        signed(body, KEY, SECRET, -60),
        signed(b"another body", KEY, SECRET, 300),
        host.token.clone(),
    ];
    for token in wrong {
        let told = house.webhook(body, &token).await.expect_err("refused");
        assert_eq!((told.reason.as_str(), told.kind), ("WEBHOOK_UNVERIFIED", ErrorKind::Unauthenticated));
    }
    let large = vec![b' '; 256 * 1024 + 1];
    assert_eq!(refused(house.webhook(&large, &signed(&large, KEY, SECRET, 300)).await), "INVALID_FIELDS");
    assert_eq!((hints().await, fake.asked(&host.room)), (before, asked));
    // What is signed and nothing to us is taken, so that it is not sent again.
    for said in [
        json!({ "event": "participant_left", "room": { "name": "somebody-elses" } }),
        json!({ "event": "participant_left", "room": { "name": format!("callboard-{}-1", callboard_stage::id()) } }),
        json!({ "event": "participant_left", "room": { "name": host.room.replace("-1", "-9") } }),
        json!({ "event": "track_published", "room": { "name": host.room } }),
        json!({ "event": "egress_started", "room": null, "egressInfo": {} }),
        json!(7),
    ] {
        house.hear(&said).await;
    }
    assert_eq!(hints().await, before);
    house.stage.stop().await;
}

#[tokio::test]
async fn v_10_where_there_is_no_server_nobody_can_have_signed_anything() {
    let house = House::new().await;
    let body = b"{}";
    assert_eq!(refused(house.webhook(body, &signed(body, KEY, SECRET, 300)).await), "WEBHOOK_UNVERIFIED");
    house.stage.stop().await;
}

#[tokio::test]
async fn v_10_a_late_token_opens_no_room_of_a_call_that_is_over() {
    let (house, fake, session, host) = waiting().await;
    house.end(&house.boss(), &session).await.expect("over");
    until_people(&fake, &host.room, None).await;
    let reopened = || async {
        fake.enter(&host.token).expect("the server lets them in");
        for said in fake.webhooks(&host.room) {
            house.hear(&said).await;
        }
        until_people(&fake, &host.room, None).await;
    };
    reopened().await;
    // Also when the room was forgotten long ago.
    sqlx::query("delete from call_room").execute(house.stage.pool()).await.expect("forgotten");
    reopened().await;
    house.stage.stop().await;
}

#[tokio::test]
async fn v_10_what_a_process_that_died_had_in_its_hands_is_taken_by_another() {
    let (house, fake, session, host) = waiting().await;
    fake.leaves(&host.room, &host.identity);
    // As if it had been taken, and never let go.
    let sql = "update call_room set due_at = now(), claimed_until = now() + interval '2 seconds'";
    sqlx::query(sql).execute(house.stage.pool()).await.expect("taken");
    // A webhook that comes meanwhile is not lost either.
    house.hear(&json!({ "event": "participant_left", "room": { "name": host.room } })).await;
    house.until_present(&session, false, false).await;
    let claim: Option<callboard_kernel::Timestamp> =
        sqlx::query_scalar("select claimed_until from call_room")
            .fetch_one(house.stage.pool())
            .await
            .expect("a row");
    let now = callboard_kernel::Clock::now(&callboard_kernel::SystemClock);
    assert!(claim.is_none_or(|until| until > now), "the dead one's claim has run out");
    house.stage.stop().await;
}
