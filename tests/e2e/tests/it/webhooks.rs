//! Webhooks through REST, and a process that dies while it sends.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use callboard_e2e_tests::{Platform, Service, World};
use callboard_testkit::{PATIENCE, eventually};
use serde_json::{Value, json};

use crate::play::{id, open};

/// A backend that never answers what comes first.
#[derive(Clone, Default)]
struct Backend(Arc<Mutex<Vec<(String, Value)>>>);

impl Backend {
    fn sent(&self) -> Vec<(String, Value)> {
        self.0.lock().expect("nobody panicked").clone()
    }
}

async fn take(State(backend): State<Backend>, headers: HeaderMap, body: String) -> StatusCode {
    let name = headers["webhook-id"].to_str().expect("text").to_owned();
    let first = {
        let mut sent = backend.0.lock().expect("nobody panicked");
        sent.push((name, serde_json::from_str(&body).expect("JSON")));
        sent.len() == 1
    };
    if first {
        std::future::pending::<()>().await;
    }
    StatusCode::NO_CONTENT
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_dies_between_sending_and_noting_it_sends_again_under_the_same_name() {
    let backend = Backend::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/hook", listener.local_addr().expect("an address"));
    let router = Router::new().fallback(take).with_state(backend.clone());
    let serving = async { axum::serve(listener, router).await };
    let playing = async {
        let set = |key: &str, value: &str| {
            let key = format!("CALLBOARD__NOTIFICATIONS__WEBHOOKS__{key}");
            (Service::Notifications, key, value.to_owned())
        };
        let settings = vec![set("ALLOW_PRIVATE", "true"), set("ALLOW_HTTP", "true"), set("TIMEOUT", "5s")];
        let mut platform = Platform::prepare(settings).await.up().await;
        let world = World::make(&platform, "webhooks.test").await;
        let (visitor, ada) = (world.visitor().await, world.person("ada").await);
        let new = json!({"url": url, "eventTypes": ["callboard.tickets.v1.TicketOpened"]});
        let made = ada.post("/v1/webhooks", new).await.ok();
        assert!(made["secret"].as_str().is_some_and(|secret| secret.starts_with("whsec_")), "{made}");
        let hook = format!("/v1/webhooks/{}", id(&made));
        let ticket = open(&visitor, &world).await;
        let first = eventually("the backend is sent to", PATIENCE, || async {
            let sent = backend.sent();
            sent.first().cloned().ok_or(sent)
        })
        .await;
        assert_eq!(first.1["data"]["ticket"]["ticketId"], ticket);
        assert_eq!(first.1["tenantid"], world.organisation);

        platform.kill(Service::Notifications).await;
        platform.spawn(Service::Notifications);
        platform.ready(Service::Notifications).await;
        eventually("it is sent again", 2 * PATIENCE, || async {
            let sent = backend.sent();
            if sent.len() == 2 && sent[0] == sent[1] { Ok(()) } else { Err(sent) }
        })
        .await;
        eventually("the log says so", PATIENCE, || async {
            let log = ada.get(&format!("{hook}/attempts")).await;
            let reasons: Vec<&Value> = log.body["webhookAttempts"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|attempt| &attempt["reason"])
                .collect();
            if reasons == [&Value::Null, &json!("INTERRUPTED")] { Ok(()) } else { Err(log.body.to_string()) }
        })
        .await;
        let log = ada.get(&format!("{hook}/deliveries?state=DELIVERED")).await.ok();
        assert_eq!(log["webhookDeliveries"][0]["eventId"], first.0);
        // Off and on again, and gone.
        let off = json!({"url": url, "enabled": false});
        assert_eq!(ada.put(&hook, off).await.ok()["disabledReason"], "BY_HAND");
        assert_eq!(ada.put(&hook, json!({"url": url})).await.ok()["enabled"], true);
        ada.delete(&hook).await.ok();
        ada.get(&hook).await.problem(404);
    };
    tokio::select! {
        served = serving => panic!("the backend ended: {served:?}"),
        () = playing => {}
    }
}
