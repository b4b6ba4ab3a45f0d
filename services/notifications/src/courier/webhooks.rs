//! Sends events to webhooks (Standard Webhooks): at least once, under one name, signed.
//!
//! Unlike what people are told, an attempt whose end nobody knows is made again: whoever receives it knows the event by
//! `webhook-id`.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use callboard_bus::HandleError;
use callboard_kernel::{Actor, Cause, Clock, Principal, Timestamp, derive_uuid};
use callboard_notifications_domain::webhook::attempt::{HookOutcome, has_failed_for_too_long, verdict};
use callboard_notifications_domain::webhook::{DisabledReason, Secret, WebhookCommand};
use callboard_notifications_domain::{EventType, SubjectKind};
use callboard_service::reaction::give;
use chrono::{DateTime, TimeDelta};
use hmac::{Hmac, KeyInit, Mac};
use http::HeaderMap;
use serde_json::json;
use sha2::Sha256;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::lane::{Lane, every};
use super::outward::{Bounds, admitted, is_blocked};
use super::{BATCH, FORGET, SWEEP};
use crate::store::{ClaimedHook, KnownSubject, Tried};
use crate::tell::{Happening, Occasion, Teller};
use crate::{Tables, WebhookActors};

/// Lane and destinations of webhooks.
pub const WEBHOOK: &str = "WEBHOOK";
/// What is read of an answer, so that its connection can be used again; the rest is left unread.
const MOST_ANSWER: usize = 16 * 1024;
/// How long it is read.
const READ_FOR: Duration = Duration::from_secs(1);
/// Beyond an attempt's own time: for what is written before and behind it.
const GRACE: TimeDelta = TimeDelta::seconds(10);

/// How webhooks are sent to.
#[derive(Debug, Clone)]
pub struct HookSettings {
    /// How long an endpoint may take to answer.
    pub timeout: Duration,
    /// At once.
    pub concurrency: usize,
    /// Where calls may go.
    pub bounds: Bounds,
    /// How long an endpoint may do nothing but fail.
    pub disable_after: TimeDelta,
    /// How long deliveries and attempts are kept.
    pub kept: TimeDelta,
}

/// Sends to webhooks.
#[derive(Debug, Clone)]
pub struct HookCourier {
    /// The tables.
    pub tables: Tables,
    /// Webhooks, to be switched off.
    pub actors: WebhookActors,
    /// Tells administrators.
    pub teller: Teller,
    /// Calls.
    pub client: reqwest::Client,
    /// How.
    pub settings: HookSettings,
    /// Woken when something was queued.
    pub wake: Arc<Notify>,
    /// Attempts under way; waited for at the stop.
    pub tracker: TaskTracker,
    /// Now.
    pub clock: Arc<dyn Clock>,
}

/// The header `webhook-signature`: one signature for each secret that signs now.
pub fn signature(secrets: &[Secret], id: &str, timestamp: i64, body: &str, now: Timestamp) -> String {
    let signatures = secrets.iter().filter(|secret| secret.signs(now)).filter_map(|secret| {
        let mut mac = Hmac::<Sha256>::new_from_slice(&secret.key.0).ok()?;
        mac.update(format!("{id}.{timestamp}.{body}").as_bytes());
        Some(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
    });
    signatures.collect::<Vec<_>>().join(" ")
}

/// `Retry-After`: seconds, or a time.
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<TimeDelta> {
    let text = headers.get("retry-after")?.to_str().ok()?.trim();
    let after = match text.parse::<u32>() {
        Ok(seconds) => TimeDelta::seconds(i64::from(seconds)),
        Err(_) => DateTime::parse_from_rfc2822(text).ok()?.to_utc() - now,
    };
    (after > TimeDelta::zero())
        .then(|| after.min(callboard_notifications_domain::webhook::attempt::MOST_ASKED))
}

impl HookCourier {
    /// Sends until it is asked to stop; then finishes what it holds.
    pub async fn run(&self, stop: CancellationToken) {
        let (wake, tracker) = (&*self.wake, &self.tracker);
        let lane = Lane { name: WEBHOOK, most: self.settings.concurrency, wake, tracker, stop: &stop };
        let claim = |wanted| {
            let now = self.clock.now();
            let lease = TimeDelta::from_std(self.settings.timeout).unwrap_or_default() + GRACE;
            self.tables.hooks.claim(now, now + lease, wanted)
        };
        let deliver = |one| {
            let courier = self.clone();
            async move { courier.deliver(one).await }
        };
        tokio::join!(
            lane.run(claim, deliver),
            every(SWEEP, &stop, || self.sweep()),
            every(FORGET, &stop, || self.forget()),
        );
    }

    async fn sweep(&self) -> Result<(), sqlx::Error> {
        if self.tables.hooks.sweep(self.clock.now()).await? > 0 {
            self.wake.notify_waiters();
        }
        Ok(())
    }

    async fn forget(&self) -> Result<(), sqlx::Error> {
        let before = self.clock.now() - self.settings.kept;
        while self.tables.hooks.forget(before, BATCH).await? >= u64::try_from(BATCH).unwrap_or(1) {}
        Ok(())
    }

    async fn deliver(&self, claimed: ClaimedHook) {
        let at = self.clock.now();
        let began = Instant::now();
        let (outcome, reason, status) = self.send(&claimed, at).await;
        let millis = i32::try_from(began.elapsed().as_millis()).unwrap_or(i32::MAX);
        metrics::counter!("callboard_webhook_attempts_total", "reason" => reason).increment(1);
        let tried = Tried { outcome, reason, status, at, millis };
        // Not written: the lease runs out, and it is sent again.
        if let Err(error) = self.settle(&claimed, &tried).await {
            tracing::warn!(%error, webhook = %claimed.webhook, "what became of a webhook cannot be written");
        }
    }

    async fn send(&self, claimed: &ClaimedHook, now: Timestamp) -> (HookOutcome, &'static str, u16) {
        let not_now = HookOutcome::NotNow { after: None };
        let Some(url) = admitted(&claimed.url, self.settings.bounds) else {
            return (not_now, "ADDRESS_BLOCKED", 0);
        };
        let Some(secrets) = &claimed.secrets else { return (not_now, "SECRETS_UNREADABLE", 0) };
        let (id, timestamp) = (claimed.event.to_string(), now.timestamp());
        let answer = self
            .client
            .post(url)
            .header("webhook-id", &id)
            .header("webhook-timestamp", timestamp.to_string())
            .header("webhook-signature", signature(secrets, &id, timestamp, &claimed.body, now))
            .header("content-type", "application/cloudevents+json; charset=utf-8")
            .body(claimed.body.clone())
            .send()
            .await;
        match answer {
            Ok(answer) => {
                let status = answer.status().as_u16();
                let (outcome, reason) = verdict(status, retry_after(answer.headers(), now));
                drain(answer).await;
                (outcome, reason, status)
            }
            Err(error) if is_blocked(&error) => (not_now, "ADDRESS_BLOCKED", 0),
            Err(error) if error.is_timeout() => (not_now, "TIMEOUT", 0),
            Err(error) if error.is_connect() => (not_now, "UNREACHABLE", 0),
            Err(_) => (not_now, "CUT_OFF", 0),
        }
    }

    async fn settle(&self, claimed: &ClaimedHook, tried: &Tried) -> Result<(), HandleError> {
        let now = self.clock.now();
        let name = claimed.webhook.to_string();
        let destinations = &self.tables.destinations;
        match tried.outcome {
            HookOutcome::Taken => destinations.answers(WEBHOOK, &name).await.map_err(crate::not_now)?,
            HookOutcome::Gone => self.switch_off(claimed, DisabledReason::Gone).await?,
            HookOutcome::NotNow { after } => {
                let failing = destinations.rest(WEBHOOK, &name, after, now).await.map_err(crate::not_now)?;
                let patience = self.settings.disable_after;
                if has_failed_for_too_long(failing.failures, failing.since, patience, now) {
                    self.switch_off(claimed, DisabledReason::Failing).await?;
                }
            }
        }
        // Last: whoever dies before does all of it again, which changes nothing twice.
        self.tables.hooks.settle(claimed, tried, now).await.map_err(crate::not_now)?;
        // A seat at this endpoint is free.
        self.wake.notify_waiters();
        Ok(())
    }

    /// Switches an endpoint off, and tells the administrators, once.
    async fn switch_off(&self, claimed: &ClaimedHook, reason: DisabledReason) -> Result<(), HandleError> {
        let (organisation, id) = (claimed.organisation, claimed.webhook);
        let (name, attempt) = (id.to_string(), claimed.attempt.to_be_bytes());
        let parts: [&[u8]; 3] = [b"switch off", name.as_bytes(), &attempt];
        let command_id = derive_uuid(claimed.event.uuid(), &parts).into();
        let command = WebhookCommand::SwitchOff { url: claimed.url.clone(), reason };
        let system = Principal::system(organisation);
        give(&self.actors, id.uuid(), command, command_id, system, Cause::default()).await?;
        self.tables.webhooks.changed();
        let found = self.tables.webhooks.webhook(organisation, id).await.map_err(crate::not_now)?;
        let Some(found) = found else { return Ok(()) };
        let Some(disabled) =
            found.state.disabled.filter(|disabled| disabled.reason != DisabledReason::ByHand)
        else {
            return Ok(());
        };
        let subject = KnownSubject {
            version: found.version.0,
            ..KnownSubject::unheard(SubjectKind::Webhook, id.uuid())
        };
        self.tables.copies.keep_subject(organisation, &subject).await.map_err(crate::not_now)?;
        // Named after the moment it was switched off: whoever finds it off already tells of the same.
        let moment = disabled.at.timestamp_micros().to_be_bytes();
        let event = derive_uuid(id.uuid(), &[b"switched off", &moment]).into();
        let occasion = Occasion { event, organisation, time: disabled.at };
        let happening = Happening {
            details: json!({ "reason": disabled.reason.as_str() }),
            public: false,
            ..Happening::new(EventType::WebhookDisabled, SubjectKind::Webhook, id.uuid(), Actor::System)
        };
        self.teller.tell(occasion, happening).await.map(drop)
    }
}

/// Reads a short answer to its end and keeps nothing of it; a long or slow one costs its connection.
async fn drain(mut answer: reqwest::Response) {
    let read = async {
        let mut left = MOST_ANSWER;
        while let Ok(Some(chunk)) = answer.chunk().await {
            if chunk.len() > left {
                return;
            }
            left -= chunk.len();
        }
    };
    let _ = tokio::time::timeout(READ_FOR, read).await;
}

#[cfg(test)]
mod tests {
    use callboard_notifications_domain::webhook::SecretKey;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn standard_webhooks_the_example_of_its_libraries() {
        let key = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("a key");
        let now = Timestamp::UNIX_EPOCH;
        let secret = |expires| Secret { id: Uuid::nil(), key: SecretKey(key.clone()), created: now, expires };
        let said = |secrets: &[Secret]| {
            signature(secrets, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, "{\"test\": 2432232314}", now)
        };
        let one = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert_eq!(said(&[secret(None)]), one);
        assert_eq!(said(&[secret(None), secret(Some(now + TimeDelta::hours(1)))]), format!("{one} {one}"));
        assert_eq!(said(&[secret(None), secret(Some(now))]), one, "one that has ended does not sign");
    }

    #[test]
    fn retry_after_is_seconds_or_a_time() {
        let now = Timestamp::UNIX_EPOCH;
        let after = |text: &str| {
            let headers = HeaderMap::from_iter([(http::header::RETRY_AFTER, text.parse().expect("a value"))]);
            retry_after(&headers, now)
        };
        assert_eq!(after("120"), Some(TimeDelta::seconds(120)));
        assert_eq!(after("Thu, 01 Jan 1970 00:05:00 GMT"), Some(TimeDelta::minutes(5)));
        assert_eq!(after("4000000000"), Some(TimeDelta::hours(24)));
        for nothing in ["0", "-5", "soon", "Wed, 31 Dec 1969 00:00:00 GMT"] {
            assert_eq!(after(nothing), None, "{nothing}");
        }
    }
}
