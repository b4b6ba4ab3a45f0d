//! F-7 under a rush.

use std::collections::BTreeMap;

use callboard_e2e_tests::{Client, Platform, World};
use callboard_kernel::{IdGenerator, RandomIds};
use callboard_testkit::{PATIENCE, eventually};
use futures::stream::{self, StreamExt};
use futures::{TryStreamExt, future::join_all};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::Barrier;

use crate::play::{becomes, id, repair};

/// How many accept at once, and how many may.
const CROWD: usize = 500;
const NEEDED: usize = 3;

/// Employees of one team, each with a token.
async fn crowd(world: &World, admin: &Client, team: &str) -> Vec<Client> {
    stream::iter(0..CROWD)
        .map(|number| async move {
            let email = format!("worker{number}@{}", world.demo.domain);
            let body = json!({
                "name": format!("Worker {number}"), "email": email, "role": "MEMBER", "language": "en", "teamIds": [team],
            });
            admin.post("/v1/employees", body).await.ok();
            // One client for all: building one reads the system's certificates.
            let answer = admin.post("/v1/sessions:developmentToken", json!({"email": email})).await.ok();
            Ok::<_, ()>(admin.with_token(answer["tokens"]["accessToken"].as_str().expect("a token")))
        })
        .buffered(16)
        .try_collect()
        .await
        .expect("nothing fails softly")
}

#[tokio::test(flavor = "multi_thread")]
async fn f_7_any_number_of_accepts_at_once_gives_exactly_the_required_workers() {
    let platform = Platform::shared().await;
    let world = World::make(platform, "rush.test").await;
    let admin = world.person("ada").await;
    let team = id(&admin.post("/v1/teams", json!({"name": "Everybody"})).await.ok());
    let workers = crowd(&world, &admin, &team).await;
    let groups = admin.get(&format!("/v1/templates/{}/groups", world.demo.coffee)).await.ok();
    let group = id(&groups["groups"][0]);
    let path = format!("/v1/templates/{}/groups/{group}", world.demo.coffee);
    let limited = json!({"name": "Everybody", "teamIds": [team], "requiredWorkers": NEEDED});
    admin.put(&path, limited).await.ok();

    let visitor = world.visitor().await;
    let ticket = id(&visitor.post("/v1/tickets", repair(&world, "Water everywhere")).await.ok());
    let listed = format!("/v1/tickets/{ticket}/dispatch");
    let offers: Vec<Value> = eventually("an offer for each of them", PATIENCE, || async {
        let dispatch = admin.get(&listed).await.body;
        match dispatch["requested"].as_array() {
            Some(offers) if offers.len() == CROWD => Ok(offers.clone()),
            offers => Err(offers.map_or(0, Vec::len)),
        }
    })
    .await;
    assert!(offers.iter().all(|offer| offer["status"] == "UNSEEN"));

    // Everybody knows the own offer before anybody accepts.
    let own: Vec<String> = stream::iter(&workers)
        .map(|worker| async move {
            let mine = worker.get("/v1/offers").await.ok();
            id(&mine["offers"][0])
        })
        .buffered(16)
        .collect()
        .await;
    let start = Barrier::new(CROWD);
    let outcomes = join_all(workers.iter().zip(&own).map(|(worker, offer)| {
        let start = &start;
        async move {
            let (path, key) = (format!("/v1/offers/{offer}:accept"), RandomIds.next().to_string());
            start.wait().await;
            // A full mailbox or a busy service is "not now"; the repeat is under the same key.
            let answer = eventually("an answer", 2 * PATIENCE, || async {
                let sent = worker.try_call(Method::POST, &path, Some(json!({})), &key).await;
                match sent {
                    Ok(answer) if matches!(answer.status.as_u16(), 429 | 503 | 504) => {
                        Err(answer.body.to_string())
                    }
                    Ok(answer) => Ok(answer),
                    Err(error) => Err(error.to_string()),
                }
            })
            .await;
            match answer.status.as_u16() {
                200 => answer.body["status"].as_str().unwrap_or_default().to_owned(),
                status => format!("{status} {}", answer.body["reason"].as_str().unwrap_or_default()),
            }
        }
    }))
    .await;
    let mut counted: BTreeMap<String, usize> = BTreeMap::new();
    for outcome in outcomes {
        *counted.entry(outcome).or_default() += 1;
    }
    let expected =
        BTreeMap::from([("ACCEPTED".to_owned(), NEEDED), ("409 OFFER_FILLED".to_owned(), CROWD - NEEDED)]);
    assert_eq!(counted, expected);

    let dispatch = admin.get(&listed).await.ok();
    assert_eq!(dispatch["assigned"].as_array().map(Vec::len), Some(NEEDED));
    let rescinded = dispatch["requested"].as_array().expect("offers");
    assert_eq!(rescinded.iter().filter(|offer| offer["status"] == "RESCINDED").count(), CROWD - NEEDED);
    becomes(&admin, &ticket, "ASSIGNED").await;
    eventually("tickets to hear of all of them", PATIENCE, || async {
        let involved = admin.get(&format!("/v1/tickets/{ticket}")).await.body["involvedEmployeeIds"].clone();
        match involved.as_array().map(Vec::len) {
            Some(NEEDED) => Ok(()),
            other => Err(other),
        }
    })
    .await;
}
