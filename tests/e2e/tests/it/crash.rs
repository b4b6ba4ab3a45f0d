//! Services die at random while lives are played. Afterwards, read from the databases and the streams and not from the
//! services' word: every acknowledged command is there, and every chain has completed exactly once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use callboard_e2e_tests::{Answer, Client, Platform, Service, World};
use callboard_kernel::{IdGenerator, RandomIds};
use callboard_testkit::{PATIENCE, eventually, eventually_some};
use futures::future::join_all;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgPool, Row};
use tokio::sync::Notify;
use uuid::Uuid;

use crate::events::{Heard, heard_all};

/// Who plays at once, and how many lives each.
const PLAYERS: usize = 4;
const LIVES: usize = 6;
/// A service dies after so many acknowledged calls.
const CALLS_PER_KILL: usize = 6;
/// A call may be repeated for so long while services die and come back.
const STUBBORN: std::time::Duration = std::time::Duration::from_secs(120);

/// What a player knows of a life after its last answer.
#[derive(Debug, Clone)]
struct Played {
    ticket: Uuid,
    score: i64,
}

/// Counts acknowledged calls, and wakes who waits for them.
#[derive(Default)]
struct Tally {
    acknowledged: AtomicUsize,
    news: Notify,
    done: AtomicUsize,
}

/// Calls until an answer comes that says what happened: a repeat under the same key is harmless.
async fn insist(caller: &Client, tally: &Tally, method: Method, path: &str, body: Value) -> Value {
    let key = RandomIds.next().to_string();
    let answer: Answer = eventually(&format!("an answer to {method} {path}"), STUBBORN, || async {
        let sent =
            caller.try_call(method.clone(), path, (method != Method::GET).then(|| body.clone()), &key).await;
        match sent {
            // Not now, not yet known to another context, or somebody was faster: all of them end.
            Ok(answer) if matches!(answer.status.as_u16(), 401 | 404 | 409 | 412 | 429 | 500..=599) => {
                Err(format!("{}: {}", answer.status, answer.body))
            }
            Ok(answer) => Ok(answer),
            Err(error) => Err(error.to_string()),
        }
    })
    .await;
    let body = answer.ok();
    tally.acknowledged.fetch_add(1, Ordering::SeqCst);
    tally.news.notify_one();
    body
}

async fn life(world: &World, visitor: &Client, nora: &Client, tally: &Tally, score: i64) -> Played {
    let new = json!({
        "flowId": world.demo.repair_flow, "open": true,
        "answers": [{"step": "what", "text": "No coffee"}, {"step": "part", "choice": "pump"}],
    });
    let opened = insist(visitor, tally, Method::POST, "/v1/tickets", new).await;
    let ticket = opened["id"].as_str().expect("an id").to_owned();
    let at = |rest: &str| format!("/v1/tickets/{ticket}{rest}");
    let offer = eventually_some("an offer", STUBBORN, || async {
        let asked = nora.try_call(Method::GET, &at("/dispatch"), None, "").await.ok()?;
        asked.body["ownOfferId"].as_str().filter(|id| !id.is_empty()).map(str::to_owned)
    })
    .await;
    insist(nora, tally, Method::POST, &format!("/v1/offers/{offer}:accept"), json!({})).await;
    is(nora, &ticket, "ASSIGNED").await;
    insist(
        nora,
        tally,
        Method::POST,
        &at("/updates"),
        json!({"text": "Pump replaced", "visibility": "PUBLIC"}),
    )
    .await;
    insist(nora, tally, Method::POST, &at(":setStatus"), json!({"status": "DONE"})).await;
    eventually("the visitor to be asked", STUBBORN, || async {
        match visitor.try_call(Method::GET, &at("/rating"), None, "").await {
            Ok(answer) if answer.body["state"] == "REQUESTED" => Ok(()),
            Ok(answer) => Err(answer.body.to_string()),
            Err(error) => Err(error.to_string()),
        }
    })
    .await;
    insist(visitor, tally, Method::POST, &at("/rating:submit"), json!({"score": score})).await;
    is(nora, &ticket, "CLOSED").await;
    Played { ticket: ticket.parse().expect("a UUID"), score }
}

async fn is(caller: &Client, ticket: &str, status: &str) {
    eventually(&format!("{ticket} to become {status}"), STUBBORN, || async {
        match caller.try_call(Method::GET, &format!("/v1/tickets/{ticket}"), None, "").await {
            Ok(answer) if answer.body["status"] == status => Ok(()),
            Ok(answer) => Err(answer.body.to_string()),
            Err(error) => Err(error.to_string()),
        }
    })
    .await;
}

/// Kills a service after every few acknowledged calls and starts it again, until the players are done.
async fn havoc(platform: &mut Platform, tally: &Tally, random: &mut StdRng) -> BTreeMap<Service, usize> {
    let mut killed = BTreeMap::new();
    let mut next = CALLS_PER_KILL;
    while tally.done.load(Ordering::SeqCst) < PLAYERS {
        tally.news.notified().await;
        if tally.acknowledged.load(Ordering::SeqCst) >= next {
            let victim = Service::ALL[random.random_range(0..Service::ALL.len())];
            platform.kill(victim).await;
            platform.spawn(victim);
            *killed.entry(victim).or_default() += 1;
            next = tally.acknowledged.load(Ordering::SeqCst) + CALLS_PER_KILL;
        }
    }
    killed
}

#[tokio::test(flavor = "multi_thread")]
async fn every_chain_completes_exactly_once_while_services_die() {
    let seed: u64 =
        std::env::var("CALLBOARD_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(rand::random);
    println!("CALLBOARD_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let mut platform = Platform::start_on_own_servers().await;
    let world = World::make(&platform, "crash.test").await;
    let (visitor, nora) = (world.visitor().await, world.person("nora").await);
    let tally = Arc::new(Tally::default());
    let players = join_all((0..PLAYERS).map(|player| {
        let (world, visitor, nora, tally) = (&world, &visitor, &nora, Arc::clone(&tally));
        async move {
            let mut lives = Vec::new();
            for number in 0..LIVES {
                let score = i64::try_from((player + number) % 5 + 1).expect("a score");
                lives.push(life(world, visitor, nora, &tally, score).await);
            }
            tally.done.fetch_add(1, Ordering::SeqCst);
            tally.news.notify_one();
            lives
        }
    }));
    let (lives, killed) = tokio::join!(players, havoc(&mut platform, &tally, &mut random));
    let lives: Vec<Played> = lives.into_iter().flatten().collect();
    println!("killed: {killed:?}");
    assert!(killed.values().sum::<usize>() >= 5, "enough was killed to mean something: {killed:?}");
    for service in Service::ALL {
        platform.ready(service).await;
    }
    let database = PgPool::connect(&platform.database_url()).await.expect("the database");
    settled(&database).await;
    every_command_is_there(&database, &lives).await;
    every_event_was_published_once(&platform, &database).await;
    every_chain_is_complete(&platform, &lives).await;
}

const CONTEXTS: [&str; 4] = ["directory", "tickets", "fleet", "ratings"];

async fn count(database: &PgPool, sql: String) -> i64 {
    sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(database).await.expect("a count")
}

/// Nothing waits to be published, and nothing was parked.
async fn settled(database: &PgPool) {
    for context in CONTEXTS {
        eventually(&format!("{context} to publish everything"), PATIENCE, || async {
            match count(database, format!("select count(*) from {context}.outbox where stream_seq is null"))
                .await
            {
                0 => Ok(()),
                left => Err(left),
            }
        })
        .await;
        let parked = count(database, format!("select count(*) from {context}.dead_letter")).await;
        assert_eq!(parked, 0, "{context} has dead letters");
    }
}

async fn every_command_is_there(database: &PgPool, lives: &[Played]) {
    let stored = sqlx::query("select id, status, rating from tickets.ticket where not deleted")
        .fetch_all(database)
        .await
        .expect("the tickets");
    let stored: BTreeMap<Uuid, (String, i32)> =
        stored.iter().map(|row| (row.get("id"), (row.get("status"), row.get("rating")))).collect();
    assert_eq!(stored.len(), lives.len(), "one ticket per acknowledged life, none twice");
    for life in lives {
        let (status, rating) = &stored[&life.ticket];
        assert_eq!((status.as_str(), i64::from(*rating)), ("CLOSED", life.score), "{}", life.ticket);
        for (before, after) in [("OPEN", "ASSIGNED"), ("DONE", "CLOSED")] {
            let changes: i64 = sqlx::query_scalar(
                "select count(*) from tickets.ticket_timeline where aggregate_id = $1 and field = 'status' \
                 and before = $2 and after = $3",
            )
            .bind(life.ticket)
            .bind(before)
            .bind(after)
            .fetch_one(database)
            .await
            .expect("a count");
            assert_eq!(changes, 1, "{}: {before} → {after}", life.ticket);
        }
        let updates: i64 =
            sqlx::query_scalar("select count(*) from tickets.ticket_update where aggregate_id = $1")
                .bind(life.ticket)
                .fetch_one(database)
                .await
                .expect("a count");
        assert_eq!(updates, 1, "{}: the update was written once", life.ticket);
    }
    let numbers = count(database, "select count(distinct number) from tickets.ticket".to_owned()).await;
    assert_eq!(usize::try_from(numbers).expect("a count"), lives.len(), "every number once (T-14)");
}

/// The stream holds exactly what the outbox says, in the places it says.
async fn every_event_was_published_once(platform: &Platform, database: &PgPool) {
    for context in CONTEXTS {
        let rows = sqlx::query(AssertSqlSafe(format!(
            "select event_id, stream_seq from {context}.outbox order by stream_seq"
        )))
        .fetch_all(database)
        .await
        .expect("the outbox");
        let committed: Vec<(String, u64)> = rows
            .iter()
            .map(|row| {
                let sequence: i64 = row.get("stream_seq");
                (row.get::<Uuid, _>("event_id").to_string(), u64::try_from(sequence).expect("a sequence"))
            })
            .collect();
        let published: Vec<(String, u64)> =
            heard_all(platform, context).await.into_iter().map(|event| (event.id, event.sequence)).collect();
        assert_eq!(published, committed, "{context}");
    }
}

async fn every_chain_is_complete(platform: &Platform, lives: &[Played]) {
    let mut by_ticket: BTreeMap<String, Vec<Heard>> = BTreeMap::new();
    for context in ["tickets", "fleet", "ratings"] {
        for event in heard_all(platform, context).await {
            by_ticket.entry(event.subject.clone()).or_default().push(event);
        }
    }
    for life in lives {
        let events = &by_ticket[&life.ticket.to_string()];
        let only = |kind: &str| crate::events::only(events, kind);
        assert_eq!(only("fleet.OffersMade").cause, only("tickets.TicketOpened").id);
        assert_eq!(only("tickets.TicketAssigned").cause, only("fleet.OfferAccepted").id);
        assert_eq!(only("ratings.RatingRequested").cause, only("tickets.TicketDone").id);
        assert_eq!(only("tickets.TicketClosed").cause, only("ratings.RatingSubmitted").id);
    }
    let known: BTreeSet<String> = lives.iter().map(|life| life.ticket.to_string()).collect();
    let opened: BTreeSet<String> = by_ticket
        .iter()
        .filter(|(_, events)| events.iter().any(|event| event.kind == "tickets.TicketOpened"))
        .map(|(ticket, _)| ticket.clone())
        .collect();
    assert_eq!(opened, known, "no ticket that nobody was told of");
}
