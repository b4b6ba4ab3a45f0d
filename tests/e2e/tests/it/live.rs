//! The live stream: nothing missed, nothing twice, nothing that one may not see.

use std::collections::BTreeSet;

use callboard_e2e_tests::{Client, Frame, Live, Platform, Service, World};
use callboard_testkit::{PATIENCE, eventually};
use serde_json::json;
use sqlx::PgPool;
use uuid::Uuid;

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
    let distinct: BTreeSet<&str> = all.iter().copied().collect();
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
        same_events(&rest, &seen[at + 1..], &format!("resumed after {at}: {}", frame.id));
    }
}

/// Between contexts a replay may be ordered otherwise; within one it may not.
#[track_caller]
fn same_events(found: &[Frame], wanted: &[Frame], what: &str) {
    for name in ["ticket.", "offer", "rating."] {
        let of = |frames: &[Frame]| -> Vec<String> {
            let of_name = frames.iter().filter(|frame| frame.name().starts_with(name));
            of_name.map(|frame| frame.event_id().to_owned()).collect()
        };
        assert_eq!(of(found), of(wanted), "{what}: order of {name}");
    }
    let (mut found, mut wanted) = (ids(found), ids(wanted));
    found.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(found, wanted, "{what}");
}

/// What two readers heard, each up to the last event that its test waited for. Since nothing orders two contexts'
/// streams, one may have heard more of a context than the other; but never something else, and nothing twice.
#[track_caller]
fn no_gap_and_no_double(one: &[Frame], other: &[Frame], what: &str) {
    for context in ["ticket.", "offer", "rating.", "conversation.", "message."] {
        let of = |frames: &[Frame]| -> Vec<String> {
            let of_context = frames.iter().filter(|frame| frame.name().starts_with(context));
            of_context.map(|frame| frame.event_id().to_owned()).collect()
        };
        let (one, other) = (of(one), of(other));
        let both = one.len().min(other.len());
        assert_eq!(one[..both], other[..both], "{what}: order of {context}");
    }
    for frames in [one, other] {
        let all = ids(frames);
        let different: BTreeSet<&str> = all.iter().copied().collect();
        assert_eq!(different.len(), all.len(), "{what}: something came twice");
    }
}

/// Everything until all of these have happened to a ticket: nothing orders two contexts' streams.
async fn up_to_all(live: &mut Live, ticket: &str, names: &[&str]) -> Vec<Frame> {
    let mut missing: BTreeSet<&str> = names.iter().copied().collect();
    live.until(|frame| {
        if frame.ticket() == ticket {
            missing.remove(frame.name());
        }
        missing.is_empty()
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_stream_goes_on_without_gap_or_double_when_nats_dies_and_comes_back() {
    let mut platform = Platform::start().await;
    let world = World::make(&platform, "broker.test").await;
    let (visitor, nora) = (world.visitor().await, world.person("nora").await);
    let mut live = Live::open(&nora, None).await;
    let begun = open(&visitor, &world).await;
    let mut seen = live.until(|frame| frame.ticket() == begun && frame.name() == "ticket.opened").await;
    let from = seen.last().expect("an event").id.clone();
    seen.clear();
    for _ in 0..2 {
        platform.nats().kill().await.expect("to kill NATS");
        // Committed while nothing can be published. A stream that is opened now begins here.
        let ticket = open(&visitor, &world).await;
        let mut late = Live::open(&nora, Some(&from)).await;
        platform.nats().restart().await.expect("NATS again");
        accept(&nora, &ticket).await;
        set_status(&nora, &ticket, "DONE").await;
        asked(&visitor, &ticket).await;
        // The last of each context.
        let last = ["offer.accepted", "ticket.done", "rating.requested"];
        seen.extend(up_to_all(&mut live, &ticket, &last).await);
        assert!(seen.iter().any(|frame| frame.ticket() == ticket && frame.name() == "ticket.assigned"));
        let replayed = up_to_all(&mut late, &ticket, &last).await;
        no_gap_and_no_double(&seen, &replayed, "what came live and what a reader catches up with");
        assert!(seen.iter().all(|frame| frame.event.is_empty()), "nobody was told to read anew: {seen:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_are_told_to_read_anew_when_the_streams_were_lost_and_hear_nothing_twice() {
    let mut platform = Platform::start().await;
    let world = World::make(&platform, "lost.test").await;
    let (visitor, nora) = (world.visitor().await, world.person("nora").await);
    let mut live = Live::open(&nora, None).await;
    let before = open(&visitor, &world).await;
    accept(&nora, &before).await;
    let old = live.until(|frame| frame.ticket() == before && frame.name() == "ticket.assigned").await;
    let last = old.last().expect("an event").id.clone();
    platform.nats().kill().await.expect("to kill NATS");
    std::fs::remove_dir_all(platform.nats().store_dir()).expect("to lose the streams");
    platform.nats().restart().await.expect("NATS again");
    live.until(|frame| frame.event == "reset").await;
    let after = open(&visitor, &world).await;
    accept(&nora, &after).await;
    let new = live.until(|frame| frame.ticket() == after && frame.name() == "ticket.assigned").await;
    assert!(new.iter().any(|frame| frame.ticket() == after && frame.name() == "ticket.opened"), "{new:?}");
    assert!(new.iter().all(|frame| !ids(&old).contains(&frame.event_id())), "nothing of before: {new:?}");
    // Whoever comes back with a place in what is gone still gets a stream, and what happens from now on.
    let mut back = Live::open(&nora, Some(&last)).await;
    set_status(&nora, &after, "IN_PROGRESS").await;
    back.until(|frame| frame.ticket() == after && frame.name() == "ticket.started").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_gateway_ends_its_streams_and_the_next_one_resumes_them_without_gap() {
    let mut platform = Platform::start().await;
    let world = World::make(&platform, "door.test").await;
    let (visitor, nora) = (world.visitor().await, world.person("nora").await);
    let mut whole = Live::open(&nora, None).await;
    let ticket = open(&visitor, &world).await;
    let first = whole.until(|frame| frame.ticket() == ticket && frame.name() == "ticket.opened").await;
    let from = first.last().expect("an event").id.clone();
    assert!(platform.terminate(Service::Gateway).await, "streams hold no stop up");
    let mut seen = Vec::new();
    let mut end = None;
    while let Some(frame) = whole.next().await {
        match frame.event.as_str() {
            "end" => end = Some(frame.data["reason"].clone()),
            _ => seen.push(frame),
        }
    }
    assert_eq!(end, Some(json!("STOPPING")));
    let place = seen.last().map_or(from.clone(), |frame| frame.id.clone());
    platform.spawn(Service::Gateway);
    platform.ready(Service::Gateway).await;
    accept(&nora, &ticket).await;
    let mut resumed = Live::open(&nora, Some(&place)).await;
    let last = ["offer.accepted", "ticket.assigned"];
    seen.extend(up_to_all(&mut resumed, &ticket, &last).await);
    let mut again = Live::open(&nora, Some(&from)).await;
    let wanted = up_to_all(&mut again, &ticket, &last).await;
    no_gap_and_no_double(&seen, &wanted, "across two processes");
}

/// Reads what was posted on a ticket to the end, coming back each time it is cut off. What it read, and how often it
/// had to come back.
async fn read_posted(caller: &Client, mut live: Live, mut place: String, many: usize) -> (Vec<Frame>, usize) {
    let (mut posted, mut cuts) = (Vec::new(), 0);
    while posted.len() < many {
        match live.next().await {
            Some(frame) => {
                place.clone_from(&frame.id);
                match frame.event.as_str() {
                    "end" => assert_eq!(frame.data["reason"], "TOO_SLOW"),
                    _ if frame.name() == "ticket.update_posted" => posted.push(frame),
                    _ => {}
                }
            }
            None => {
                cuts += 1;
                live = Live::open(caller, Some(&place)).await;
            }
        }
    }
    (posted, cuts)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_is_too_slow_is_cut_off_and_resumes_without_gap() {
    /// More than the buffers between the two ends of a connection hold: they take some 3 MB, an event is 0.7 kB.
    const MANY: i32 = 8_000;
    let small = (Service::Gateway, "CALLBOARD__GATEWAY__LIVE__BUFFER".to_owned(), "256".to_owned());
    let platform = Platform::prepare(vec![small]).await.up().await;
    let world = World::make(&platform, "slow.test").await;
    let (visitor, nora, ada) = (world.visitor().await, world.person("nora").await, world.person("ada").await);
    let ticket = open(&visitor, &world).await;
    let (mut slow, mut witness) = (Live::open(&nora, None).await, Live::open(&ada, None).await);
    ada.post(&format!("/v1/tickets/{ticket}/updates"), json!({"text": "Again", "visibility": "PUBLIC"}))
        .await
        .ok();
    let place_of = |seen: Vec<Frame>| seen.last().expect("what was posted").id.clone();
    let slow_place = place_of(slow.until(|frame| frame.name() == "ticket.update_posted").await);
    let witness_place = place_of(witness.until(|frame| frame.name() == "ticket.update_posted").await);
    // Published as all events are: from the outbox. So many in a moment come from no caller of a test.
    let database = PgPool::connect(&platform.database_url()).await.expect("the database");
    sqlx::query(
        "insert into tickets.outbox (event_id, organisation_id, aggregate_id, aggregate_version, context, name, kind, \
         time, actor, payload) select gen_random_uuid(), organisation_id, aggregate_id, aggregate_version, context, \
         name, kind, time, actor, payload from tickets.outbox, generate_series(1, $1) \
         where aggregate_id = $2 and name = 'ticket.update_posted'",
    )
    .bind(MANY)
    .bind(ticket.parse::<Uuid>().expect("a UUID"))
    .execute(&database)
    .await
    .expect("rows in the outbox");
    let many = usize::try_from(MANY).expect("a count");
    // The slow one reads nothing until everything has passed it by, which the witness sees.
    let (witnessed, _) = read_posted(&ada, witness, witness_place, many).await;
    let (seen, cuts) = read_posted(&nora, slow, slow_place, many).await;
    assert!(cuts > 0, "nobody was cut off: the test shows nothing");
    let published: Vec<Uuid> = sqlx::query_scalar(
        "select event_id from tickets.outbox where name = 'ticket.update_posted' order by stream_seq",
    )
    .fetch_all(&database)
    .await
    .expect("the outbox");
    // Without the one that was posted.
    let wanted: Vec<String> = published.iter().skip(1).map(Uuid::to_string).collect();
    for found in [&seen, &witnessed] {
        assert_eq!(ids(found), wanted, "each once, in order");
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
