//! Shapes of webhooks.

use callboard_proto::notifications::v1 as proto;
use serde::Deserialize;
use utoipa::ToSchema;

use super::Time;
use super::mirror::{mirror, words};

words! {
    /// Why nothing is sent to an endpoint.
    WebhookDisabledReason of proto::WebhookDisabledReason {
        /// An administrator switched it off.
        ByHand,
        /// It answered 410.
        Gone,
        /// Every attempt failed for too long.
        Failing,
    }

    /// Where the delivery of an event to an endpoint stands.
    WebhookDeliveryState of proto::WebhookDeliveryState {
        /// Tried when its time has come.
        Due,
        /// The endpoint answered 2xx.
        Delivered,
        /// Given up; it can be redelivered.
        Failed,
    }
}

mirror! {
    /// A signing secret, without its value.
    WebhookSecret of proto::WebhookSecret {
        /// UUID.
        id: String,
        /// When it was made.
        create_time: Option<Time>,
        /// When it ceases to sign; not set: it does not.
        expire_time: Option<Time>,
    }

    /// An endpoint of the organisation that is told of its events. How to receive: docs/webhooks.md.
    Webhook of proto::Webhook {
        /// UUID.
        id: Option<String>,
        /// Where events are sent.
        url: String,
        /// For those who keep it.
        description: Option<String>,
        /// Full names of types, or a whole context (`callboard.tickets.v1.*`). None: all.
        event_types: Vec<String>,
        /// Whether anything is sent.
        enabled: bool,
        /// Why not.
        disabled_reason: Option<WebhookDisabledReason>,
        /// Since when not.
        disable_time: Option<Time>,
        /// What signs, newest first; several while rotating.
        secrets: Vec<WebhookSecret>,
        /// Every attempt since then has failed; not set: the last one got through.
        fail_time: Option<Time>,
        /// When it was made.
        create_time: Option<Time>,
        /// When it changed last.
        update_time: Option<Time>,
        /// Strong entity tag, also in the header `ETag`.
        etag: Option<String>,
    } + {
        /// `whsec_…`: shown once, when it is made or rotated; a repeat of the request answers without it.
        secret: Option<String>,
    }

    /// All webhooks, oldest first.
    WebhookList of proto::ListWebhooksResponse {
        webhooks: Vec<Webhook>,
    }

    /// What became of one event at one endpoint.
    WebhookDelivery of proto::WebhookDelivery {
        webhook_id: String,
        /// Also `webhook-id` of every attempt.
        event_id: String,
        /// Full name.
        event_type: String,
        /// Where it stands.
        state: Option<WebhookDeliveryState>,
        /// How often it was tried.
        attempts: i32,
        /// Why the last attempt failed.
        reason: Option<String>,
        /// What the endpoint answered last.
        status_code: Option<i32>,
        /// When it was queued.
        create_time: Option<Time>,
        /// When something happened to it last.
        update_time: Option<Time>,
        /// When it is tried next.
        next_time: Option<Time>,
    }

    /// A page of deliveries, latest first.
    WebhookDeliveryPage of proto::ListWebhookDeliveriesResponse {
        webhook_deliveries: Vec<WebhookDelivery>,
        /// Not set: the end.
        next_page_token: Option<String>,
    }

    /// One attempt.
    WebhookAttempt of proto::WebhookAttempt {
        webhook_id: String,
        event_id: String,
        /// Full name.
        event_type: String,
        /// From 1, per event and endpoint.
        number: i32,
        /// When it began.
        time: Option<Time>,
        /// In milliseconds.
        duration_ms: i32,
        /// What the endpoint answered.
        status_code: Option<i32>,
        /// Why it failed; not set: it did not.
        reason: Option<String>,
    }

    /// A page of attempts, latest first.
    WebhookAttemptPage of proto::ListWebhookAttemptsResponse {
        webhook_attempts: Vec<WebhookAttempt>,
        /// Not set: the end.
        next_page_token: Option<String>,
    }

    /// A test that was queued.
    WebhookTest of proto::TestWebhookResponse {
        /// For the list of attempts.
        event_id: String,
    }

    /// What is delivered again.
    RedeliveredEvents of proto::RedeliverWebhookEventsResponse {
        /// How many events.
        count: i32,
    }
}

/// A webhook as it is made or replaced.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewWebhook {
    /// UUID; kept where the caller gives one. Only when it is made.
    #[serde(default)]
    pub id: String,
    /// https, at most 2,000 bytes, a public address, without user and fragment.
    pub url: String,
    /// At most 500 characters.
    #[serde(default)]
    pub description: String,
    /// At most 100, each once. None: all.
    #[serde(default)]
    pub event_types: Vec<String>,
    /// Not given: yes.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// The tag of the one that is replaced, unless `If-Match` says it.
    #[serde(default)]
    pub etag: String,
}

const fn yes() -> bool {
    true
}

impl From<NewWebhook> for proto::Webhook {
    fn from(new: NewWebhook) -> Self {
        Self {
            id: new.id,
            url: new.url,
            description: new.description,
            event_types: new.event_types,
            enabled: new.enabled,
            etag: new.etag,
            ..Self::default()
        }
    }
}

/// How a secret is rotated.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct SecretRotation {
    /// The old ones end at once: for one that has become known.
    pub end_old_now: bool,
}

/// What is delivered again: these events, or all that failed.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Redelivery {
    /// 1 to 100.
    pub event_ids: Vec<String>,
    /// All that was given up and was queued at or after this.
    #[schema(inline)]
    pub failed_since: Option<Time>,
}
