//! Webhooks. Administrators.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use callboard_kernel::{
    ErrorKind, EventId, FieldViolation, OrganisationId, Principal, Refusal, Role, Timestamp, derive_uuid,
};
use callboard_notifications_domain::webhook::{
    Endpoint, MAX_PER_ORGANISATION, SECRET_BYTES, SecretKey, WebhookCommand, WebhookState,
};
use callboard_notifications_domain::{SubjectKind, WebhookId};
use callboard_proto::notifications::v1 as proto;
use callboard_service::Mutation;
use callboard_service::database::refusal;
use callboard_service::request::{
    self, command_id, decode_page_token, encode_page_token, page_query, page_size, parse_id,
    parse_optional_id,
};
use chrono::TimeDelta;
use serde_json::json;
use tonic::Request;
use uuid::Uuid;

use super::WebhookApi;
use crate::convert::{self, webhooks as shapes};
use crate::courier::{WEBHOOK, admitted};
use crate::events::FOR_WEBHOOKS;
use crate::store::{AttemptCursor, HookCursor, HookEvent, StoredWebhook};

/// The type of test events. Nothing publishes it.
pub const TEST_TYPE: &str = "callboard.notifications.v1.WebhookTest";
/// Events that are redelivered by one request.
const MAX_REDELIVERED: usize = 100;

/// A secret as it is shown, once.
fn shown(key: &SecretKey) -> String {
    format!("whsec_{}", STANDARD.encode(&key.0))
}

fn fresh() -> SecretKey {
    SecretKey(rand::random::<[u8; SECRET_BYTES]>().to_vec())
}

/// Whether a filter names an event that webhooks are told of, or a whole context.
fn is_known(event_type: &str) -> bool {
    let published = |kind: &str| match event_type.strip_suffix(".*") {
        Some(package) => kind.rsplit_once('.').is_some_and(|(of, _)| of == package),
        None => kind == event_type,
    };
    // What partners tell Callboard is theirs, and names people.
    let ours = |context: &str| FOR_WEBHOOKS.iter().any(|(_, producer)| *producer == context);
    callboard_proto::EVENTS.iter().any(|event| ours(event.context) && published(event.kind))
}

impl WebhookApi {
    fn admit<T>(request: &Request<T>) -> Result<Arc<Principal>, Refusal> {
        let principal = request::principal(request)?;
        // Their addresses may hold secrets, so even reading is for administrators.
        if principal.has_role(Role::Administrator) {
            Ok(principal)
        } else {
            Err(Refusal::denied("webhooks are kept by administrators"))
        }
    }

    fn endpoint(&self, sent: &proto::Webhook) -> Result<Endpoint, Refusal> {
        let mut wrong = Vec::new();
        if admitted(&sent.url, self.bounds).is_none() {
            let rule = "https, a public address, without user and fragment";
            wrong.push(FieldViolation::new("webhook.url", rule));
        }
        for (index, event_type) in sent.event_types.iter().enumerate().take(1_000) {
            if !is_known(event_type) {
                let rule = "the full name of an event that is published, or `callboard.<context>.v1.*`";
                wrong.push(FieldViolation::new(format!("webhook.event_types[{index}]"), rule));
            }
        }
        if !wrong.is_empty() {
            return Err(Refusal::fields(wrong));
        }
        Ok(Endpoint {
            url: sent.url.clone(),
            description: sent.description.trim().to_owned(),
            event_types: sent.event_types.clone(),
            enabled: sent.enabled,
        })
    }

    async fn found(&self, organisation: OrganisationId, id: WebhookId) -> Result<StoredWebhook, Refusal> {
        let found = self.tables.webhooks.webhook(organisation, id).await.map_err(refusal)?;
        found.ok_or_else(|| Refusal::missing("webhook", id))
    }

    /// The secret, if it is the one that this very request has made: a repeat made another one in vain.
    async fn once(
        &self,
        organisation: OrganisationId,
        webhook: Option<&proto::Webhook>,
        key: &SecretKey,
    ) -> Result<String, Refusal> {
        let Some(id) = webhook.and_then(|webhook| webhook.id.parse::<Uuid>().ok()) else {
            return Ok(String::new());
        };
        let kept = self.tables.webhooks.webhook(organisation, id.into()).await.map_err(refusal)?;
        let signs = kept.is_some_and(|kept| kept.state.secrets.iter().any(|secret| secret.key == *key));
        Ok(if signs { shown(key) } else { String::new() })
    }

    pub(super) async fn create_webhook(
        &self,
        request: &Request<proto::CreateWebhookRequest>,
    ) -> Result<proto::CreateWebhookResponse, Refusal> {
        let message = request.get_ref();
        let principal = Self::admit(request)?;
        let organisation = principal.organisation;
        let mutation = Mutation::new(request, "CreateWebhook", &message.request_id)?;
        let sent = message.webhook.as_ref().ok_or_else(|| Refusal::field("webhook", "is required"))?;
        let given: Option<WebhookId> = parse_optional_id("webhook.id", &sent.id)?;
        let id = given.unwrap_or_else(|| mutation.command_id.0.into());
        let key = fresh();
        let prepared = async {
            let endpoint = self.endpoint(sent)?;
            let known = self.tables.webhooks.list(organisation).await.map_err(refusal)?;
            if known.len() >= MAX_PER_ORGANISATION && known.iter().all(|one| one.id != id) {
                return Err(Refusal::new(
                    ErrorKind::FailedPrecondition,
                    "TOO_MANY_WEBHOOKS",
                    "an organisation has at most 20 webhooks",
                ));
            }
            Ok((id.uuid(), WebhookCommand::Create { endpoint, key: key.clone() }))
        };
        let answer = move |state: &WebhookState, _: &[_], version| proto::CreateWebhookResponse {
            webhook: Some(shapes::kept(id, state, version)),
            // The receipt is kept, and holds no secret.
            secret: String::new(),
        };
        let mut answer = mutation.about("webhook", id).carry_out(&self.webhooks, prepared, answer).await?;
        self.tables.webhooks.changed();
        answer.secret = self.once(organisation, answer.webhook.as_ref(), &key).await?;
        with_url(answer.webhook.as_mut(), &sent.url);
        Ok(answer)
    }

    pub(super) async fn get_webhook(
        &self,
        request: &Request<proto::GetWebhookRequest>,
    ) -> Result<proto::GetWebhookResponse, Refusal> {
        let principal = Self::admit(request)?;
        let id: WebhookId = parse_id("webhook_id", &request.get_ref().webhook_id)?;
        let found = self.found(principal.organisation, id).await?;
        Ok(proto::GetWebhookResponse { webhook: Some(shapes::stored(&found)) })
    }

    pub(super) async fn list_webhooks(
        &self,
        request: &Request<proto::ListWebhooksRequest>,
    ) -> Result<proto::ListWebhooksResponse, Refusal> {
        let principal = Self::admit(request)?;
        let found = self.tables.webhooks.list(principal.organisation).await.map_err(refusal)?;
        Ok(proto::ListWebhooksResponse { webhooks: found.iter().map(shapes::stored).collect() })
    }

    pub(super) async fn update_webhook(
        &self,
        request: &Request<proto::UpdateWebhookRequest>,
    ) -> Result<proto::UpdateWebhookResponse, Refusal> {
        let message = request.get_ref();
        Self::admit(request)?;
        let mutation = Mutation::new(request, "UpdateWebhook", &message.request_id)?;
        let sent = message.webhook.as_ref().ok_or_else(|| Refusal::field("webhook", "is required"))?;
        let id: WebhookId = parse_id("webhook.id", &sent.id)?;
        let command = WebhookCommand::Update(self.endpoint(sent)?);
        let mut answer = mutation
            .about("webhook", id)
            .expecting("webhook.etag", &sent.etag)?
            .ask(&self.webhooks, id.uuid(), command, move |state, _, version| proto::UpdateWebhookResponse {
                webhook: Some(shapes::kept(id, state, version)),
            })
            .await?;
        with_url(answer.webhook.as_mut(), &sent.url);
        self.tables.webhooks.changed();
        // Whoever mends it does not wait, and is not judged by what was before.
        self.tables.destinations.answers(WEBHOOK, &id.to_string()).await.map_err(refusal)?;
        self.wake.notify_waiters();
        Ok(answer)
    }

    pub(super) async fn delete_webhook(
        &self,
        request: &Request<proto::DeleteWebhookRequest>,
    ) -> Result<proto::DeleteWebhookResponse, Refusal> {
        let message = request.get_ref();
        let principal = Self::admit(request)?;
        let mutation = Mutation::new(request, "DeleteWebhook", &message.request_id)?;
        let id: WebhookId = parse_id("webhook_id", &message.webhook_id)?;
        let answer = mutation
            .about("webhook", id)
            .expecting("etag", &message.etag)?
            .ask(&self.webhooks, id.uuid(), WebhookCommand::Delete, |_, _, _| proto::DeleteWebhookResponse {})
            .await?;
        self.tables.webhooks.changed();
        // Nothing is sent to it any more whatever is left; the rest is tidied up now, or again by a repeat.
        let organisation = principal.organisation;
        self.tables.hooks.drop_of(organisation, id).await.map_err(refusal)?;
        self.tables.destinations.answers(WEBHOOK, &id.to_string()).await.map_err(refusal)?;
        self.tables.copies.purge(organisation, SubjectKind::Webhook, id.uuid()).await.map_err(refusal)?;
        Ok(answer)
    }

    pub(super) async fn rotate_webhook_secret(
        &self,
        request: &Request<proto::RotateWebhookSecretRequest>,
    ) -> Result<proto::RotateWebhookSecretResponse, Refusal> {
        let message = request.get_ref();
        let principal = Self::admit(request)?;
        let mutation = Mutation::new(request, "RotateWebhookSecret", &message.request_id)?;
        let id: WebhookId = parse_id("webhook_id", &message.webhook_id)?;
        let key = fresh();
        let overlap = if message.end_old_now { TimeDelta::zero() } else { self.old_secret_kept };
        let command = WebhookCommand::Rotate { key: key.clone(), overlap };
        let mut answer = mutation
            .about("webhook", id)
            .ask(&self.webhooks, id.uuid(), command, move |state, _, version| {
                proto::RotateWebhookSecretResponse {
                    webhook: Some(shapes::kept(id, state, version)),
                    secret: String::new(),
                }
            })
            .await?;
        answer.secret = self.once(principal.organisation, answer.webhook.as_ref(), &key).await?;
        // As it is now: rotating does not touch it.
        let now = self.tables.webhooks.webhook(principal.organisation, id).await.map_err(refusal)?;
        let endpoint = now.and_then(|now| now.state.endpoint);
        with_url(answer.webhook.as_mut(), endpoint.as_ref().map_or("", |endpoint| &endpoint.url));
        Ok(answer)
    }

    pub(super) async fn test_webhook(
        &self,
        request: &Request<proto::TestWebhookRequest>,
    ) -> Result<proto::TestWebhookResponse, Refusal> {
        let message = request.get_ref();
        let principal = Self::admit(request)?;
        let command = command_id(&principal, "TestWebhook", &message.request_id)?;
        let id: WebhookId = parse_id("webhook_id", &message.webhook_id)?;
        let organisation = principal.organisation;
        self.found(organisation, id).await?;
        // The same request again is the same event.
        let event: EventId = derive_uuid(command.0, &[b"webhook test", id.uuid().as_bytes()]).into();
        let now = self.clock.now();
        let body = json!({
            "specversion": "1.0",
            "id": event.to_string(),
            "source": "/callboard/notifications",
            "type": TEST_TYPE,
            "subject": id.to_string(),
            "time": now,
            "datacontenttype": "application/json",
            "tenantid": organisation.to_string(),
            "data": { "webhookId": id.to_string() },
        });
        let kind = TEST_TYPE.to_owned();
        let test = HookEvent { id: event, organisation, kind, ticket: None, body: body.to_string() };
        self.tables.hooks.queue(&test, &[id], false, true, now).await.map_err(refusal)?;
        self.wake.notify_waiters();
        Ok(proto::TestWebhookResponse { event_id: event.to_string() })
    }

    pub(super) async fn list_webhook_deliveries(
        &self,
        request: &Request<proto::ListWebhookDeliveriesRequest>,
    ) -> Result<proto::ListWebhookDeliveriesResponse, Refusal> {
        let principal = Self::admit(request)?;
        let message = request.get_ref();
        let id: WebhookId = parse_id("webhook_id", &message.webhook_id)?;
        let states = convert::words("states", &message.states, |state: proto::WebhookDeliveryState| {
            Some(shapes::from_state(state)).filter(|states| !states.is_empty())
        })?
        .concat();
        let (size, query) = (page_size(message.page_size, 50, 200)?, page_query(message));
        let now = self.clock.now();
        let after: Option<HookCursor> = decode_page_token(&message.page_token, query, now)?;
        self.found(principal.organisation, id).await?;
        let kind = Some(message.event_type.as_str()).filter(|kind| !kind.is_empty());
        let log = &self.tables.hook_log;
        let found = log.deliveries(principal.organisation, id, &states, kind, after, size + 1).await;
        let mut found = found.map_err(refusal)?;
        let more = found.len() > size as usize;
        found.truncate(size as usize);
        let cursor = found.last().map(|last| HookCursor { created: last.created, event: last.event });
        Ok(proto::ListWebhookDeliveriesResponse {
            webhook_deliveries: found.iter().map(|one| shapes::delivery(id, one)).collect(),
            next_page_token: next(more, cursor.as_ref(), query, now),
        })
    }

    pub(super) async fn list_webhook_attempts(
        &self,
        request: &Request<proto::ListWebhookAttemptsRequest>,
    ) -> Result<proto::ListWebhookAttemptsResponse, Refusal> {
        let principal = Self::admit(request)?;
        let message = request.get_ref();
        let id: WebhookId = parse_id("webhook_id", &message.webhook_id)?;
        let event: Option<Uuid> = parse_optional_id("event_id", &message.event_id)?;
        let (size, query) = (page_size(message.page_size, 50, 200)?, page_query(message));
        let now = self.clock.now();
        let after: Option<AttemptCursor> = decode_page_token(&message.page_token, query, now)?;
        self.found(principal.organisation, id).await?;
        let log = &self.tables.hook_log;
        let found = log.attempts(principal.organisation, id, event, after, size + 1).await;
        let mut found = found.map_err(refusal)?;
        let more = found.len() > size as usize;
        found.truncate(size as usize);
        let cursor =
            found.last().map(|last| AttemptCursor { at: last.at, event: last.event, number: last.number });
        Ok(proto::ListWebhookAttemptsResponse {
            webhook_attempts: found.iter().map(|one| shapes::attempt(id, one)).collect(),
            next_page_token: next(more, cursor.as_ref(), query, now),
        })
    }

    pub(super) async fn redeliver_webhook_events(
        &self,
        request: &Request<proto::RedeliverWebhookEventsRequest>,
    ) -> Result<proto::RedeliverWebhookEventsResponse, Refusal> {
        let principal = Self::admit(request)?;
        let message = request.get_ref();
        let command = command_id(&principal, "RedeliverWebhookEvents", &message.request_id)?.0;
        let id: WebhookId = parse_id("webhook_id", &message.webhook_id)?;
        let organisation = principal.organisation;
        let given = &message.event_ids;
        if given.len() > MAX_REDELIVERED || given.is_empty() == message.failed_since.is_none() {
            return Err(Refusal::field("event_ids", "1 to 100, or failed_since instead"));
        }
        let events: Vec<Option<Uuid>> = given.iter().map(|event| event.parse().ok()).collect();
        none_missing(&events, Option::is_some)?;
        self.found(organisation, id).await?;
        let (hooks, now) = (&self.tables.hooks, self.clock.now());
        let count = match &message.failed_since {
            Some(since) => {
                let nanos = u32::try_from(since.nanos).unwrap_or_default();
                let since = Timestamp::from_timestamp(since.seconds, nanos)
                    .ok_or_else(|| Refusal::field("failed_since", "must be a time"))?;
                hooks.redeliver_failed(organisation, id, since, command, now).await.map_err(refusal)?
            }
            None => {
                let wanted: Vec<Uuid> = events.iter().flatten().copied().collect();
                let known =
                    hooks.redeliver(organisation, id, &wanted, command, now).await.map_err(refusal)?;
                none_missing(&events, |event| event.is_some_and(|event| known.contains(&event)))?;
                i64::try_from(known.len()).unwrap_or(i64::MAX)
            }
        };
        self.wake.notify_waiters();
        Ok(proto::RedeliverWebhookEventsResponse { count: i32::try_from(count).unwrap_or(i32::MAX) })
    }
}

/// The receipt is kept, and holds no address, which may hold a secret: it is the request's own.
fn with_url(webhook: Option<&mut proto::Webhook>, url: &str) {
    // An empty one is of a webhook that is gone.
    if let Some(webhook) = webhook.filter(|webhook| !webhook.id.is_empty()) {
        url.clone_into(&mut webhook.url);
    }
}

/// All of these, or a refusal that names each that is not.
fn none_missing(events: &[Option<Uuid>], is_there: impl Fn(&Option<Uuid>) -> bool) -> Result<(), Refusal> {
    let missing = events.iter().enumerate().filter(|(_, event)| !is_there(event));
    let rule = "an event of a delivery to this webhook; nothing was sent again";
    let wrong: Vec<FieldViolation> =
        missing.map(|(index, _)| FieldViolation::new(format!("event_ids[{index}]"), rule)).collect();
    if wrong.is_empty() { Ok(()) } else { Err(Refusal::fields(wrong)) }
}

fn next(more: bool, cursor: Option<&impl serde::Serialize>, query: i64, now: Timestamp) -> String {
    cursor.filter(|_| more).map(|cursor| encode_page_token(cursor, query, now)).unwrap_or_default()
}
