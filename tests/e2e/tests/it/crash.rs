//! Services and servers die while lives are played. Afterwards, read from the databases and the streams and not from
//! the services' word: every acknowledged command is there, and every chain has completed exactly once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

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
use crate::play::{accept, id, open};

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
    over: AtomicBool,
}

impl Tally {
    /// Waits for so many more acknowledged calls; false when the players are done before.
    async fn acknowledges(&self, more: usize) -> bool {
        let wanted = self.acknowledged.load(Ordering::SeqCst) + more;
        while !self.over.load(Ordering::SeqCst) {
            if self.acknowledged.load(Ordering::SeqCst) >= wanted {
                return true;
            }
            self.news.notified().await;
        }
        false
    }
}

/// Calls until an answer comes that says what happened: a repeat under the same key is harmless.
async fn insist(caller: &Client, tally: &Tally, method: Method, path: &str, body: Value) -> Value {
    let key = RandomIds.next().to_string();
    let answer: Answer = eventually(&format!("an answer to {method} {path}"), STUBBORN, || async {
        let sent =
            caller.try_call(method.clone(), path, (method != Method::GET).then(|| body.clone()), &key).await;
        match sent {
            // Not now. Any other answer is for good, whatever dies meanwhile.
            Ok(answer) if matches!(answer.status.as_u16(), 429 | 503 | 504) => {
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

/// Who plays, and what has been acknowledged so far.
struct Stage {
    world: World,
    visitor: Client,
    nora: Client,
    tally: Tally,
}

impl Stage {
    /// Opens a ticket that wants a technician; its id. Needs no event.
    async fn begin(&self) -> String {
        let new = json!({
            "flowId": self.world.demo.repair_flow, "open": true,
            "answers": [{"step": "what", "text": "No coffee"}, {"step": "part", "choice": "pump"}],
        });
        let opened = insist(&self.visitor, &self.tally, Method::POST, "/v1/tickets", new).await;
        opened["id"].as_str().expect("an id").to_owned()
    }

    /// Plays what follows upon an open ticket, to its end. Between most calls it waits for what an event brings about.
    async fn go_on(&self, ticket: &str, score: i64) -> Played {
        let Self { visitor, nora, tally, .. } = self;
        let at = |rest: &str| format!("/v1/tickets/{ticket}{rest}");
        let offer = eventually_some("an offer", STUBBORN, || async {
            let asked = nora.try_call(Method::GET, &at("/dispatch"), None, "").await.ok()?;
            asked.body["ownOfferId"].as_str().filter(|id| !id.is_empty()).map(str::to_owned)
        })
        .await;
        insist(nora, tally, Method::POST, &format!("/v1/offers/{offer}:accept"), json!({})).await;
        is(nora, ticket, "ASSIGNED").await;
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
        is(nora, ticket, "CLOSED").await;
        Played { ticket: ticket.parse().expect("a UUID"), score }
    }

    /// A whole life.
    async fn life(&self, score: i64) -> Played {
        let ticket = self.begin().await;
        self.go_on(&ticket, score).await
    }
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

/// Plays lives, each player one after another, while something breaks; then looks at what is left of it all, the lives
/// that `havoc` played itself included.
async fn play(
    mut platform: Platform,
    players: usize,
    lives: usize,
    havoc: impl AsyncFnOnce(&mut Platform, &Stage) -> Vec<Played>,
) {
    let world = World::make(&platform, "crash.test").await;
    let (visitor, nora) = (world.visitor().await, world.person("nora").await);
    let stage = Stage { world, visitor, nora, tally: Tally::default() };
    let all = join_all((0..players).map(|player| {
        let stage = &stage;
        async move {
            let mut played = Vec::new();
            for number in 0..lives {
                let score = i64::try_from((player + number) % 5 + 1).expect("a score");
                played.push(stage.life(score).await);
            }
            played
        }
    }));
    let playing = async {
        let played: Vec<Played> = all.await.into_iter().flatten().collect();
        stage.tally.over.store(true, Ordering::SeqCst);
        stage.tally.news.notify_one();
        played
    };
    let (mut played, more) = tokio::join!(playing, havoc(&mut platform, &stage));
    played.extend(more);
    for service in Service::ALL {
        platform.ready(service).await;
    }
    let database = PgPool::connect(&platform.database_url()).await.expect("the database");
    settled(&database).await;
    every_command_is_there(&database, &played).await;
    every_event_was_published_once(&platform, &database).await;
    every_chain_is_complete(&platform, &played).await;
}

/// Kills a service after every few acknowledged calls and starts it again, until the players are done.
#[tokio::test(flavor = "multi_thread")]
async fn every_chain_completes_exactly_once_while_services_die() {
    let seed: u64 =
        std::env::var("CALLBOARD_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(rand::random);
    println!("CALLBOARD_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    play(Platform::start().await, PLAYERS, LIVES, async |platform, stage| {
        let mut killed: BTreeMap<Service, usize> = BTreeMap::new();
        while stage.tally.acknowledges(CALLS_PER_KILL).await {
            let victim = Service::ALL[random.random_range(0..Service::ALL.len())];
            platform.kill(victim).await;
            platform.spawn(victim);
            *killed.entry(victim).or_default() += 1;
        }
        println!("killed: {killed:?}");
        assert!(killed.values().sum::<usize>() >= 5, "enough was killed to mean something: {killed:?}");
        Vec::new()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_chain_completes_exactly_once_while_nats_dies() {
    play(Platform::start().await, 2, 3, async |platform, stage| {
        let mut opened = Vec::new();
        for _ in 0..2 {
            assert!(stage.tally.acknowledges(5).await, "lives go on");
            platform.nats().kill().await.expect("to kill NATS");
            // Commands are taken without NATS. Not the players': each of them may be waiting for what an event
            // brings about, and would wait for ever for a NATS that waits for them.
            opened.push(stage.begin().await);
            platform.nats().restart().await.expect("NATS again");
        }
        join_all(opened.iter().zip(3..).map(|(ticket, score)| stage.go_on(ticket, score))).await
    })
    .await;
}

/// Commands need no NATS (ADR 0009): services stay ready, and say what is missing.
#[tokio::test(flavor = "multi_thread")]
async fn without_nats_services_stay_ready_and_events_leave_when_it_is_back() {
    // No grace: what would not be forgiven is seen at once.
    let strict = |service| (service, "CALLBOARD__ADMIN__READINESS_GRACE".to_owned(), "0s".to_owned());
    let mut platform = Platform::prepare(Service::ALL.map(strict).to_vec()).await.up().await;
    let world = World::make(&platform, "bus.test").await;
    let (visitor, nora, ada) = (world.visitor().await, world.person("nora").await, world.person("ada").await);
    platform.nats().kill().await.expect("to kill NATS");
    let http = reqwest::Client::new();
    for service in Service::ALL {
        let url = format!("{}/readyz", platform.admin_url(service));
        eventually(&format!("{} to miss NATS", service.name()), PATIENCE, || async {
            let answer = http.get(&url).send().await.expect("an answer");
            let (status, body) = (answer.status(), answer.json::<Value>().await.expect("JSON"));
            assert!(status.is_success(), "{}: {body}", service.name());
            body["degraded"]["nats"].as_str().map(drop).ok_or(body)
        })
        .await;
    }
    let department = id(&ada.post("/v1/departments", json!({"name": "Night shift"})).await.ok());
    let ticket = open(&visitor, &world).await;
    ada.post(&format!("/v1/tickets/{ticket}/updates"), json!({"text": "Coming", "visibility": "PUBLIC"}))
        .await
        .ok();
    // Who asks now is answered now: from the gateway, and from its contexts.
    assert_eq!(nora.get(&format!("/v1/tickets/{ticket}/view")).await.ok()["unreachable"], json!([]));
    // A stop does not wait for it either. What was committed leaves with the next process.
    let stop = tokio::time::timeout(PATIENCE, platform.terminate(Service::Tickets));
    assert!(stop.await.expect("a stop in time"), "{}", platform.log(Service::Tickets));
    platform.nats().restart().await.expect("NATS again");
    platform.spawn(Service::Tickets);
    platform.ready(Service::Tickets).await;
    accept(&nora, &ticket).await;
    let heard = heard_all(&platform, "directory").await;
    assert_eq!(heard.iter().filter(|event| event.subject == department).count(), 1);
    for service in Service::ALL {
        platform.ready(service).await;
    }
}

/// The worst that can happen to NATS: it comes back without its files. Postgres is the truth.
#[tokio::test(flavor = "multi_thread")]
async fn every_chain_completes_exactly_once_though_nats_loses_everything() {
    play(Platform::start().await, 2, 2, async |platform, stage| {
        assert!(stage.tally.acknowledges(8).await, "lives go on");
        platform.nats().kill().await.expect("to kill NATS");
        std::fs::remove_dir_all(platform.nats().store_dir()).expect("to lose the streams");
        platform.nats().restart().await.expect("NATS again");
        Vec::new()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_chain_completes_exactly_once_while_postgres_dies() {
    play(Platform::start_on_own_servers().await, 2, 3, async |platform, stage| {
        for _ in 0..2 {
            assert!(stage.tally.acknowledges(6).await, "lives go on");
            platform.postgres().kill().await.expect("to kill Postgres");
            platform.postgres().restart().await.expect("Postgres again");
        }
        Vec::new()
    })
    .await;
}

async fn count(database: &PgPool, sql: String) -> i64 {
    sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(database).await.expect("a count")
}

/// Nothing waits to be published, and nothing was parked.
async fn settled(database: &PgPool) {
    for context in Service::contexts().map(Service::name) {
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
    for context in Service::contexts().map(Service::name) {
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
