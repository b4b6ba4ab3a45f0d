//! Shapes of webhooks. None has the value of a secret.

use callboard_kernel::{Timestamp, Version};
use callboard_notifications_domain::WebhookId;
use callboard_notifications_domain::webhook::attempt::HookState;
use callboard_notifications_domain::webhook::{DisabledReason, WebhookState};
use callboard_proto::notifications::v1 as proto;
use callboard_service::convert::to_proto_time;

use crate::store::{LoggedAttempt, LoggedHook, StoredWebhook};

const fn reason(reason: DisabledReason) -> proto::WebhookDisabledReason {
    match reason {
        DisabledReason::ByHand => proto::WebhookDisabledReason::ByHand,
        DisabledReason::Gone => proto::WebhookDisabledReason::Gone,
        DisabledReason::Failing => proto::WebhookDisabledReason::Failing,
    }
}

const fn state(state: HookState) -> proto::WebhookDeliveryState {
    match state {
        // In a worker's hands: due, for who looks at it from outside.
        HookState::Due | HookState::Claimed => proto::WebhookDeliveryState::Due,
        HookState::Delivered => proto::WebhookDeliveryState::Delivered,
        HookState::Failed => proto::WebhookDeliveryState::Failed,
    }
}

/// The states that a word of the protos stands for.
pub const fn from_state(state: proto::WebhookDeliveryState) -> &'static [HookState] {
    match state {
        proto::WebhookDeliveryState::Unspecified => &[],
        proto::WebhookDeliveryState::Due => &[HookState::Due, HookState::Claimed],
        proto::WebhookDeliveryState::Delivered => &[HookState::Delivered],
        proto::WebhookDeliveryState::Failed => &[HookState::Failed],
    }
}

/// A webhook as it is kept in a receipt: without its address, which may hold a secret.
pub fn kept(id: WebhookId, known: &WebhookState, version: Version) -> proto::Webhook {
    proto::Webhook { url: String::new(), ..webhook(id, known, version, None) }
}

/// A webhook; an empty one where it was removed.
pub fn webhook(
    id: WebhookId,
    known: &WebhookState,
    version: Version,
    failing_since: Option<Timestamp>,
) -> proto::Webhook {
    let Some(endpoint) = &known.endpoint else { return proto::Webhook::default() };
    let secrets = known.secrets.iter().map(|secret| proto::WebhookSecret {
        id: secret.id.to_string(),
        create_time: Some(to_proto_time(secret.created)),
        expire_time: secret.expires.map(to_proto_time),
    });
    proto::Webhook {
        id: id.to_string(),
        url: endpoint.url.clone(),
        description: endpoint.description.clone(),
        event_types: endpoint.event_types.clone(),
        enabled: endpoint.enabled,
        disabled_reason: known.disabled.map_or(0, |disabled| reason(disabled.reason).into()),
        disable_time: known.disabled.map(|disabled| to_proto_time(disabled.at)),
        secrets: secrets.collect(),
        fail_time: failing_since.map(to_proto_time),
        create_time: known.created.map(to_proto_time),
        update_time: known.updated.map(to_proto_time),
        etag: version.etag(),
    }
}

/// A webhook as it is read; secrets that have ended are named until the next rotation.
pub fn stored(found: &StoredWebhook) -> proto::Webhook {
    webhook(found.id, &found.state, found.version, found.failing_since)
}

/// A line of the log.
pub fn delivery(webhook: WebhookId, logged: &LoggedHook) -> proto::WebhookDelivery {
    let shown = state(logged.state);
    proto::WebhookDelivery {
        webhook_id: webhook.to_string(),
        event_id: logged.event.to_string(),
        event_type: logged.kind.clone(),
        state: shown.into(),
        attempts: logged.attempts,
        reason: logged.reason.clone(),
        status_code: logged.status,
        create_time: Some(to_proto_time(logged.created)),
        update_time: Some(to_proto_time(logged.updated)),
        next_time: (logged.state == HookState::Due).then(|| to_proto_time(logged.due)),
    }
}

/// A line of the log.
pub fn attempt(webhook: WebhookId, logged: &LoggedAttempt) -> proto::WebhookAttempt {
    proto::WebhookAttempt {
        webhook_id: webhook.to_string(),
        event_id: logged.event.to_string(),
        event_type: logged.kind.clone(),
        number: logged.number,
        time: Some(to_proto_time(logged.at)),
        duration_ms: logged.millis,
        status_code: logged.status,
        reason: logged.reason.clone(),
    }
}
