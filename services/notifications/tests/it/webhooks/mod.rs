//! Webhooks, against endpoints over real HTTP.

mod again;
mod keeping;
mod sending;
mod wanted;

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use callboard_kernel::Principal;
use callboard_proto::notifications::v1 as proto;
use callboard_service::error::Report;
use callboard_stage::{done, request_id, signed};
use callboard_testkit::{PATIENCE, eventually};
use hmac::{Hmac, KeyInit, Mac};
use parking_lot::Mutex;
use serde_json::Value;
use sha2::Sha256;
use tokio::sync::Notify;

use super::house::{House, serve};

/// How an endpoint answers.
#[derive(Debug, Clone)]
enum Behaviour {
    Says(u16),
    With(u16, &'static str, &'static str),
    Hangs,
    /// Until it is let go; then it takes it.
    Holds(Arc<Notify>),
}

/// What an endpoint was sent.
#[derive(Debug, Clone)]
struct Sent {
    headers: HeaderMap,
    body: String,
}

impl Sent {
    fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().expect("text")
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("JSON")
    }
}

/// An endpoint of somebody's backend.
#[derive(Clone)]
struct Backend {
    behaviour: Arc<Mutex<Behaviour>>,
    sent: Arc<Mutex<Vec<Sent>>>,
}

async fn take(State(backend): State<Backend>, headers: HeaderMap, body: String) -> Response {
    backend.sent.lock().push(Sent { headers, body });
    let behaviour = backend.behaviour.lock().clone();
    match behaviour {
        Behaviour::Says(status) => StatusCode::from_u16(status).expect("a status").into_response(),
        Behaviour::With(status, name, value) => {
            (StatusCode::from_u16(status).expect("a status"), [(name, value)]).into_response()
        }
        Behaviour::Hangs => std::future::pending().await,
        Behaviour::Holds(until) => {
            until.notified().await;
            StatusCode::NO_CONTENT.into_response()
        }
    }
}

impl Backend {
    async fn start() -> (String, Self) {
        let backend = Self { behaviour: Arc::new(Mutex::new(Behaviour::Says(204))), sent: Arc::default() };
        let router = Router::new().fallback(take).with_state(backend.clone());
        (format!("{}/hook", serve(router).await), backend)
    }

    fn behaves(&self, behaviour: Behaviour) {
        *self.behaviour.lock() = behaviour;
    }

    fn all(&self) -> Vec<Sent> {
        self.sent.lock().clone()
    }

    /// What it was sent, once it is this much.
    async fn once(&self, count: usize) -> Vec<Sent> {
        eventually("the endpoint is sent to", PATIENCE, || async {
            let sent = self.all();
            if sent.len() >= count { Ok(sent) } else { Err(sent) }
        })
        .await
    }
}

/// As receivers verify, written apart from how it is signed.
fn verified(sent: &Sent, secret: &str) -> bool {
    let key = STANDARD.decode(secret.strip_prefix("whsec_").expect("a secret")).expect("Base64");
    sent.header("webhook-signature").split(' ').filter_map(|one| one.strip_prefix("v1,")).any(|signature| {
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("a key");
        let (id, time) = (sent.header("webhook-id"), sent.header("webhook-timestamp"));
        mac.update(format!("{id}.{time}.{}", sent.body).as_bytes());
        mac.verify_slice(&STANDARD.decode(signature).expect("Base64")).is_ok()
    })
}

fn webhook(url: &str, event_types: &[&str]) -> proto::Webhook {
    proto::Webhook {
        url: url.into(),
        event_types: event_types.iter().map(|one| (*one).to_owned()).collect(),
        enabled: true,
        ..Default::default()
    }
}

impl House {
    /// A webhook, and its secret.
    async fn hook(&self, boss: &Principal, url: &str, event_types: &[&str]) -> (proto::Webhook, String) {
        let request = proto::CreateWebhookRequest {
            request_id: request_id(),
            webhook: Some(webhook(url, event_types)),
        };
        let made = done(self.webhooks().create_webhook(signed(boss, request)).await).expect("made");
        (made.webhook.expect("a webhook"), made.secret)
    }

    async fn hook_now(&self, boss: &Principal, id: &str) -> proto::Webhook {
        let request = proto::GetWebhookRequest { webhook_id: id.into() };
        let found = done(self.webhooks().get_webhook(signed(boss, request)).await).expect("a webhook");
        found.webhook.expect("a webhook")
    }

    async fn update_hook(&self, boss: &Principal, webhook: proto::Webhook) -> proto::Webhook {
        let request = proto::UpdateWebhookRequest { request_id: request_id(), webhook: Some(webhook) };
        let changed = done(self.webhooks().update_webhook(signed(boss, request)).await).expect("changed");
        changed.webhook.expect("a webhook")
    }

    async fn test_hook(&self, boss: &Principal, id: &str) -> String {
        let request = proto::TestWebhookRequest { request_id: request_id(), webhook_id: id.into() };
        done(self.webhooks().test_webhook(signed(boss, request)).await).expect("queued").event_id
    }

    async fn hook_deliveries(&self, boss: &Principal, id: &str) -> Vec<proto::WebhookDelivery> {
        let request = proto::ListWebhookDeliveriesRequest { webhook_id: id.into(), ..Default::default() };
        let page = done(self.webhooks().list_webhook_deliveries(signed(boss, request)).await);
        page.expect("a page").webhook_deliveries
    }

    async fn hook_attempts(&self, boss: &Principal, id: &str, event: &str) -> Vec<proto::WebhookAttempt> {
        let request = proto::ListWebhookAttemptsRequest {
            webhook_id: id.into(),
            event_id: event.into(),
            ..Default::default()
        };
        let page = done(self.webhooks().list_webhook_attempts(signed(boss, request)).await);
        page.expect("a page").webhook_attempts
    }

    /// The first attempt at an event, once it is written down.
    async fn tried(&self, boss: &Principal, id: &str, event: &str) -> proto::WebhookAttempt {
        eventually("it was tried", PATIENCE, || async {
            let attempts = self.hook_attempts(boss, id, event).await;
            attempts.last().cloned().ok_or(attempts)
        })
        .await
    }

    async fn redeliver(&self, boss: &Principal, id: &str, event: &str) -> i32 {
        self.redeliver_all(boss, id, &[event]).await.expect("again")
    }

    async fn redeliver_all(&self, boss: &Principal, id: &str, events: &[&str]) -> Result<i32, Report> {
        let request = proto::RedeliverWebhookEventsRequest {
            request_id: request_id(),
            webhook_id: id.into(),
            event_ids: events.iter().map(|&event| event.to_owned()).collect(),
            failed_since: None,
        };
        let answer = done(self.webhooks().redeliver_webhook_events(signed(boss, request)).await)?;
        Ok(answer.count)
    }
}
