//! Browsers that take pushes (N-2).

use base64::Engine;
use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
use callboard_kernel::{FieldViolation, Refusal};
use callboard_proto::notifications::v1 as proto;
use callboard_service::database::refusal;
use callboard_service::request::{self, command_id, parse_id};
use tonic::Request;
use uuid::Uuid;

use super::{NotificationApi, person};
use crate::convert;
use crate::courier::{Bounds, admitted};
use crate::store::Subscription;

/// Longest endpoint, in bytes.
const MAX_ENDPOINT: usize = 2_000;
/// Longest label, in characters.
const MAX_LABEL: usize = 200;

fn bytes(text: &str) -> Option<Vec<u8>> {
    if text.len() > 200 {
        return None;
    }
    URL_SAFE_NO_PAD.decode(text).or_else(|_| URL_SAFE.decode(text)).ok()
}

fn may_be_called(endpoint: &str, allow_private: bool) -> bool {
    let bounds = Bounds { allow_private, allow_http: allow_private };
    endpoint.len() <= MAX_ENDPOINT && admitted(endpoint, bounds).is_some()
}

impl NotificationApi {
    fn subscription(&self, id: Uuid, sent: &proto::PushSubscription) -> Result<Subscription, Refusal> {
        let mut wrong = Vec::new();
        let mut violation = |field: &str, rule: &str| {
            wrong.push(FieldViolation::new(format!("push_subscription.{field}"), rule));
        };
        if !may_be_called(&sent.endpoint, self.allow_private_pushes) {
            violation("endpoint", "https, a public address, at most 2,000 bytes");
        }
        let p256dh = bytes(&sent.p256dh).filter(|key| p256::PublicKey::from_sec1_bytes(key).is_ok());
        let p256dh = p256dh.filter(|key| key.len() == 65);
        if p256dh.is_none() {
            violation("p256dh", "a P-256 key, uncompressed, base64url (RFC 8291)");
        }
        let auth = bytes(&sent.auth).filter(|secret| secret.len() == 16);
        if auth.is_none() {
            violation("auth", "16 bytes, base64url (RFC 8291)");
        }
        if sent.label.chars().count() > MAX_LABEL || sent.label.chars().any(char::is_control) {
            violation("label", "at most 200 characters, no control characters");
        }
        match (p256dh, auth) {
            (Some(p256dh), Some(auth)) if wrong.is_empty() => Ok(Subscription {
                id,
                endpoint: sent.endpoint.clone(),
                p256dh,
                auth,
                label: sent.label.clone(),
                created_at: self.clock.now(),
            }),
            _ => Err(Refusal::fields(wrong)),
        }
    }

    #[expect(clippy::unused_async, reason = "as its siblings")]
    pub(super) async fn get_push_key(
        &self,
        request: &Request<proto::GetPushKeyRequest>,
    ) -> Result<proto::GetPushKeyResponse, Refusal> {
        person(&*request::principal(request)?)?;
        Ok(proto::GetPushKeyResponse { key: self.push_key.public().to_owned() })
    }

    pub(super) async fn create_push_subscription(
        &self,
        request: &Request<proto::CreatePushSubscriptionRequest>,
    ) -> Result<proto::CreatePushSubscriptionResponse, Refusal> {
        let principal = request::principal(request)?;
        let message = request.get_ref();
        let command = command_id(&principal, "CreatePushSubscription", &message.request_id)?;
        let sent = message
            .push_subscription
            .as_ref()
            .ok_or_else(|| Refusal::field("push_subscription", "is required"))?;
        let person = person(&principal)?;
        let new = self.subscription(command.0, sent)?;
        let kept =
            self.tables.subscriptions.add(principal.organisation, person, &new).await.map_err(refusal)?;
        Ok(proto::CreatePushSubscriptionResponse { push_subscription: Some(convert::subscription(&kept)) })
    }

    pub(super) async fn list_push_subscriptions(
        &self,
        request: &Request<proto::ListPushSubscriptionsRequest>,
    ) -> Result<proto::ListPushSubscriptionsResponse, Refusal> {
        let principal = request::principal(request)?;
        let person = person(&principal)?;
        let found = self.tables.subscriptions.of(principal.organisation, person).await.map_err(refusal)?;
        let push_subscriptions = found.iter().map(convert::subscription).collect();
        Ok(proto::ListPushSubscriptionsResponse { push_subscriptions })
    }

    pub(super) async fn delete_push_subscription(
        &self,
        request: &Request<proto::DeletePushSubscriptionRequest>,
    ) -> Result<proto::DeletePushSubscriptionResponse, Refusal> {
        let principal = request::principal(request)?;
        let message = request.get_ref();
        command_id(&principal, "DeletePushSubscription", &message.request_id)?;
        let id: Uuid = parse_id("push_subscription_id", &message.push_subscription_id)?;
        let person = person(&principal)?;
        let organisation = principal.organisation;
        if self.tables.subscriptions.remove(organisation, person, id).await.map_err(refusal)? {
            Ok(proto::DeletePushSubscriptionResponse {})
        } else {
            Err(Refusal::missing("push_subscription", id))
        }
    }
}
