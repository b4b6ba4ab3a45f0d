//! Webhooks: events over HTTPS for backends that do not read NATS.

use callboard_proto::notifications::v1 as proto;
use http::StatusCode;
use serde::Deserialize;
use utoipa::IntoParams;

use super::{ask, rpc};
use crate::answer::{Answer, Gone, show, show_created, show_inner};
use crate::call::{Call, Id};
use crate::extract::{Json, Query};
use crate::model::mirror::Mirror;
use crate::model::webhooks::{
    NewWebhook, RedeliveredEvents, Redelivery, SecretRotation, Webhook, WebhookAttemptPage,
    WebhookDeliveryPage, WebhookDeliveryState, WebhookList, WebhookTest,
};
use crate::openapi::{Resource, Route};

/// Which deliveries.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct AskedDeliveries {
    /// States; repeat it for several.
    #[param(inline)]
    state: Vec<WebhookDeliveryState>,
    /// Of this type, by its full name.
    event_type: String,
    /// 0 or not given: 50; more than 200 counts as 200.
    page_size: i32,
    /// The `nextPageToken` of the page before.
    page_token: String,
}

/// Which attempts.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct AskedAttempts {
    /// Of this event.
    event_id: String,
    /// 0 or not given: 50; more than 200 counts as 200.
    page_size: i32,
    /// The `nextPageToken` of the page before.
    page_token: String,
}

fn with_secret(secret: String) -> impl FnOnce(&mut Webhook) {
    move |webhook| webhook.secret = (!secret.is_empty()).then_some(secret)
}

async fn list(call: Call) -> Answer<WebhookList> {
    show(ask!(call, webhooks.list_webhooks(proto::ListWebhooksRequest {})))
}

async fn create(call: Call, Json(new): Json<NewWebhook>) -> Answer<Webhook> {
    let message = proto::CreateWebhookRequest { request_id: call.request_uuid(), webhook: Some(new.into()) };
    let made = ask!(call, webhooks.create_webhook(message));
    Ok(show_created(made.webhook, "/v1/webhooks")?.with(with_secret(made.secret)))
}

async fn one(call: Call, Id(webhook_id): Id) -> Answer<Webhook> {
    show_inner(ask!(call, webhooks.get_webhook(proto::GetWebhookRequest { webhook_id })).webhook)
}

async fn update(call: Call, Id(id): Id, Json(new): Json<NewWebhook>) -> Answer<Webhook> {
    let mut webhook: proto::Webhook = new.into();
    webhook.etag = call.etag(Some(std::mem::take(&mut webhook.etag)));
    webhook.id = id;
    let message = proto::UpdateWebhookRequest { request_id: call.request_uuid(), webhook: Some(webhook) };
    show_inner(ask!(call, webhooks.update_webhook(message)).webhook)
}

async fn delete(call: Call, Id(webhook_id): Id) -> Gone {
    let message =
        proto::DeleteWebhookRequest { request_id: call.request_uuid(), webhook_id, etag: call.etag(None) };
    ask!(call, webhooks.delete_webhook(message));
    Ok(StatusCode::NO_CONTENT)
}

async fn rotate(call: Call, Id(webhook_id): Id, Json(how): Json<SecretRotation>) -> Answer<Webhook> {
    let message = proto::RotateWebhookSecretRequest {
        request_id: call.request_uuid(),
        webhook_id,
        end_old_now: how.end_old_now,
    };
    let rotated = ask!(call, webhooks.rotate_webhook_secret(message));
    Ok(show_inner(rotated.webhook)?.with(with_secret(rotated.secret)))
}

async fn test(call: Call, Id(webhook_id): Id) -> Answer<WebhookTest> {
    let message = proto::TestWebhookRequest { request_id: call.request_uuid(), webhook_id };
    show(ask!(call, webhooks.test_webhook(message)))
}

async fn deliveries(
    call: Call,
    Id(webhook_id): Id,
    Query(asked): Query<AskedDeliveries>,
) -> Answer<WebhookDeliveryPage> {
    let message = proto::ListWebhookDeliveriesRequest {
        webhook_id,
        states: WebhookDeliveryState::numbers(asked.state),
        event_type: asked.event_type,
        page_size: asked.page_size,
        page_token: asked.page_token,
    };
    show(ask!(call, webhooks.list_webhook_deliveries(message)))
}

async fn attempts(
    call: Call,
    Id(webhook_id): Id,
    Query(asked): Query<AskedAttempts>,
) -> Answer<WebhookAttemptPage> {
    let message = proto::ListWebhookAttemptsRequest {
        webhook_id,
        event_id: asked.event_id,
        page_size: asked.page_size,
        page_token: asked.page_token,
    };
    show(ask!(call, webhooks.list_webhook_attempts(message)))
}

async fn redeliver(
    call: Call,
    Id(webhook_id): Id,
    Json(what): Json<Redelivery>,
) -> Answer<RedeliveredEvents> {
    let message = proto::RedeliverWebhookEventsRequest {
        request_id: call.request_uuid(),
        webhook_id,
        event_ids: what.event_ids,
        failed_since: what.failed_since.map(Mirror::back),
    };
    show(ask!(call, webhooks.redeliver_webhook_events(message)))
}

/// The routes.
pub fn resource() -> Resource {
    Resource {
        tag: "webhooks",
        about: "Events over HTTPS, signed (Standard Webhooks), for backends that do not read NATS. Administrators.",
        routes: vec![
            Route::get("/v1/webhooks", list)
                .rpc(rpc!("notifications.v1.WebhookService", "ListWebhooks"))
                .answers::<WebhookList>()
                .about("All webhooks, oldest first; 20 at most."),
            Route::post("/v1/webhooks", create)
                .rpc(rpc!("notifications.v1.WebhookService", "CreateWebhook"))
                .body::<NewWebhook>()
                .creates::<Webhook>()
                .about("Makes a webhook, switched on. Its secret is shown this once."),
            Route::get("/v1/webhooks/{id}", one)
                .rpc(rpc!("notifications.v1.WebhookService", "GetWebhook"))
                .answers::<Webhook>()
                .about("A webhook."),
            Route::put("/v1/webhooks/{id}", update)
                .rpc(rpc!("notifications.v1.WebhookService", "UpdateWebhook"))
                .body::<NewWebhook>()
                .answers::<Webhook>()
                .conditional()
                .about("Replaces address, description, types, and whether it is switched on."),
            Route::delete("/v1/webhooks/{id}", delete)
                .rpc(rpc!("notifications.v1.WebhookService", "DeleteWebhook"))
                .conditional()
                .about("Removes a webhook and what waits for it."),
            Route::post("/v1/webhooks/{id}:rotateSecret", rotate)
                .rpc(rpc!("notifications.v1.WebhookService", "RotateWebhookSecret"))
                .body::<SecretRotation>()
                .answers::<Webhook>()
                .about("Makes a new secret, shown this once. The old ones go on signing beside it for 24 hours by default."),
            Route::post("/v1/webhooks/{id}:test", test)
                .rpc(rpc!("notifications.v1.WebhookService", "TestWebhook"))
                .answers::<WebhookTest>()
                .about("Sends a test event, whatever the webhook's types, and even while it is switched off."),
            Route::get("/v1/webhooks/{id}/deliveries", deliveries)
                .rpc(rpc!("notifications.v1.WebhookService", "ListWebhookDeliveries"))
                .query::<AskedDeliveries>()
                .answers::<WebhookDeliveryPage>()
                .about("What became of events, latest first."),
            Route::get("/v1/webhooks/{id}/attempts", attempts)
                .rpc(rpc!("notifications.v1.WebhookService", "ListWebhookAttempts"))
                .query::<AskedAttempts>()
                .answers::<WebhookAttemptPage>()
                .about("Attempts, latest first."),
            Route::post("/v1/webhooks/{id}:redeliver", redeliver)
                .rpc(rpc!("notifications.v1.WebhookService", "RedeliverWebhookEvents"))
                .body::<Redelivery>()
                .answers::<RedeliveredEvents>()
                .about("Delivers events again, under the same `webhook-id`: those that are named, or all that failed."),
        ],
    }
}
