//! The live stream: nothing missed, nothing twice, nothing that one may not see.

use callboard_e2e_tests::{Client, Frame, Live, Platform, World};
use callboard_testkit::{PATIENCE, eventually};
use serde_json::json;

use crate::play::{accept, asked, becomes, id, open, set_status};

/// Plays a whole life.
async fn life(world: &World, visitor: &Client, nora: &Client) -> String {
    let ticket = open(visitor, world).await;
    accept(nora, &ticket).await;
    nora.post(&format!("/v1/tickets/{ticket}/updates"), json!({"text": "On my way", "visibility": "PUBLIC"}))
        .await
        .ok();
    set_status(nora, &ticket, "DONE").await;
    asked(visitor, &ticket).await;
    visitor.post(&format!("/v1/tickets/{ticket}/rating:submit"), json!({"score": 4})).await.ok();
    becomes(nora, &ticket, "CLOSED").await;
    ticket
}

fn ids(frames: &[Frame]) -> Vec<&str> {
    frames.iter().map(Frame::event_id).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_cut_at_any_event_resumes_without_gap_or_double() {
    let platform = Platform::shared().await;
    let world = World::make(platform, "resume.test").await;
    let (visitor, nora, admin) =
        (world.visitor().await, world.person("nora").await, world.person("ada").await);
    let mut live = Live::open(&nora, None).await;
    life(&world, &visitor, &nora).await;
    // Nothing orders two contexts' streams: both ends of the chain must have come before the fence does.
    let mut seen = live.until(|frame| frame.name() == "ticket.closed").await;
    let fence = id(&admin.post("/v1/departments", json!({"name": "Fence"})).await.ok());
    seen.extend(live.until(|frame| frame.data["data"].to_string().contains(&fence)).await);
    assert!(seen.len() >= 8, "enough to cut at: {seen:?}");
    let all = ids(&seen);
    let distinct: std::collections::BTreeSet<&str> = all.iter().copied().collect();
    assert_eq!(distinct.len(), all.len(), "nothing twice");

    for (at, frame) in seen.iter().enumerate() {
        if at + 1 == seen.len() {
            break;
        }
        let mut resumed = Live::open(&nora, Some(&frame.id)).await;
        let mut rest = Vec::new();
        while rest.len() < seen.len() - at - 1 {
            rest.push(resumed.next().await.expect("the rest"));
        }
        // Between contexts the replay may be ordered otherwise; within one it may not.
        let (mut wanted, mut found) = (ids(&seen[at + 1..]), ids(&rest));
        for name in ["ticket.", "offer", "rating."] {
            let of = |frames: &[Frame]| -> Vec<String> {
                let of_name = frames.iter().filter(|frame| frame.name().starts_with(name));
                of_name.map(|frame| frame.event_id().to_owned()).collect()
            };
            assert_eq!(of(&rest), of(&seen[at + 1..]), "after {at}: order of {name}");
        }
        wanted.sort_unstable();
        found.sort_unstable();
        assert_eq!(found, wanted, "resumed after {at}: {}", frame.id);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn t_13_a_ticket_made_internal_vanishes_from_streams_and_calls_at_once() {
    let platform = Platform::shared().await;
    let world = World::make(platform, "hidden.test").await;
    let (visitor, nora, kim) =
        (world.visitor().await, world.person("nora").await, world.customer_user().await);
    let ticket = open(&visitor, &world).await;
    accept(&nora, &ticket).await;
    let mut streams = [Live::open(&visitor, None).await, Live::open(&kim, None).await];
    nora.post(&format!("/v1/tickets/{ticket}/updates"), json!({"text": "Seen", "visibility": "PUBLIC"}))
        .await
        .ok();
    for stream in &mut streams {
        stream.until(|frame| frame.ticket() == ticket && frame.name() == "ticket.update_posted").await;
    }
    set_status(&nora, &ticket, "DONE").await;
    asked(&visitor, &ticket).await;

    nora.patch(&format!("/v1/tickets/{ticket}"), json!({"visibility": "INTERNAL"})).await.ok();
    for part in ["", "/updates", "/serviceRecord", "/moves", "/view"] {
        for caller in [&visitor, &kim] {
            caller.get(&format!("/v1/tickets/{ticket}{part}")).await.problem(404);
        }
    }
    for caller in [&visitor, &kim] {
        let list = caller.get("/v1/tickets").await.ok();
        assert!(!list.to_string().contains(&ticket), "{list}");
    }
    eventually("ratings to hear of it", PATIENCE, || async {
        match visitor.get(&format!("/v1/tickets/{ticket}/rating")).await.status.as_u16() {
            404 => Ok(()),
            other => Err(other),
        }
    })
    .await;
    visitor.post(&format!("/v1/tickets/{ticket}/rating:submit"), json!({"score": 5})).await.problem(404);

    // What happens on it now is no longer theirs; what happens elsewhere still is.
    set_status(&nora, &ticket, "IN_PROGRESS").await;
    nora.post(&format!("/v1/tickets/{ticket}/updates"), json!({"text": "Hush", "visibility": "INTERNAL"}))
        .await
        .ok();
    let other = open(&visitor, &world).await;
    for stream in &mut streams {
        let seen = stream.until(|frame| frame.ticket() == other && frame.name() == "ticket.opened").await;
        let about: Vec<&str> =
            seen.iter().filter(|frame| frame.ticket() == ticket).map(Frame::name).collect();
        let hidden = about.iter().position(|name| *name == "ticket.hidden").expect("told that it is gone");
        assert_eq!(about.len(), hidden + 1, "nothing after it: {about:?}");
    }
}
