//! What a webhook makes of what is asked.

use std::collections::BTreeSet;

use callboard_kernel::{Aggregate, DecisionContext, FieldViolation, Role, Subject, Timestamp};
use chrono::TimeDelta;

use super::{
    Disabled, DisabledReason, Endpoint, MAX_DESCRIPTION, MAX_EVENT_TYPE, MAX_EVENT_TYPES, MAX_SECRETS,
    MAX_URL, Secret, SecretKey, Webhook, WebhookCommand, WebhookEvent, WebhookRejection, WebhookState,
};

impl Endpoint {
    fn violations(&self) -> Vec<FieldViolation> {
        let mut violations = Vec::new();
        let mut check = |holds: bool, field: &str, rule: &str| {
            if !holds {
                violations.push(FieldViolation::new(format!("webhook.{field}"), rule));
            }
        };
        let printable = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
        check(
            !self.url.is_empty() && self.url.len() <= MAX_URL && printable(&self.url),
            "url",
            "1 to 2,000 bytes, no spaces",
        );
        check(
            self.description.chars().count() <= MAX_DESCRIPTION
                && !self.description.chars().any(char::is_control),
            "description",
            "at most 500 characters, no control characters",
        );
        let types: BTreeSet<&String> = self.event_types.iter().collect();
        check(
            self.event_types.len() <= MAX_EVENT_TYPES
                && types.len() == self.event_types.len()
                && types.iter().all(|one| one.len() <= MAX_EVENT_TYPE),
            "event_types",
            "at most 100, each once",
        );
        violations
    }
}

/// The secrets after a rotation, newest first: those before sign on for a while, and no longer than they were to.
fn rotated(
    before: &[Secret],
    key: &SecretKey,
    overlap: TimeDelta,
    context: &DecisionContext<'_>,
) -> Vec<Secret> {
    let now = context.now;
    let ends: Timestamp = now + overlap;
    let new = Secret { id: context.ids.next(), key: key.clone(), created: now, expires: None };
    let old = before.iter().map(|secret| Secret {
        expires: Some(secret.expires.map_or(ends, |known| known.min(ends))),
        ..secret.clone()
    });
    std::iter::once(new).chain(old.filter(|secret| secret.signs(now))).take(MAX_SECRETS).collect()
}

impl Aggregate for Webhook {
    const KIND: &'static str = "webhook";
    type State = WebhookState;
    type Command = WebhookCommand;
    type Event = WebhookEvent;
    type Rejection = WebhookRejection;

    fn decide(
        state: &Self::State,
        command: &Self::Command,
        context: &DecisionContext<'_>,
    ) -> Result<Vec<Self::Event>, Self::Rejection> {
        let by_itself = matches!(command, WebhookCommand::SwitchOff { .. });
        let allowed = match context.principal.subject {
            Subject::System => by_itself,
            Subject::Employee(_) | Subject::CodeUser(_) | Subject::CustomerUser(_) => {
                !by_itself && context.principal.has_role(Role::Administrator)
            }
        };
        if !allowed {
            return Err(WebhookRejection::Denied);
        }
        let at = context.now;
        let known = match (command, &state.endpoint) {
            (WebhookCommand::Create { endpoint, key }, None) => {
                let endpoint = Endpoint { enabled: true, ..endpoint.clone() };
                let changed = checked(endpoint, None, at)?;
                let secrets = rotated(&[], key, TimeDelta::zero(), context);
                return Ok(vec![changed, WebhookEvent::Rotated { secrets, at }]);
            }
            (WebhookCommand::Create { .. }, Some(_)) => return Err(WebhookRejection::Exists),
            (_, None) => return Err(WebhookRejection::Missing),
            (_, Some(known)) => known,
        };
        match command {
            WebhookCommand::Update(endpoint) => {
                if endpoint == known {
                    return Ok(Vec::new());
                }
                let by_hand = Disabled { reason: DisabledReason::ByHand, at };
                let disabled = (!endpoint.enabled).then(|| state.disabled.unwrap_or(by_hand));
                Ok(vec![checked(endpoint.clone(), disabled, at)?])
            }
            WebhookCommand::Rotate { key, overlap } => {
                let secrets = rotated(&state.secrets, key, *overlap, context);
                Ok(vec![WebhookEvent::Rotated { secrets, at }])
            }
            WebhookCommand::SwitchOff { url, reason } => {
                if !known.enabled || known.url != *url {
                    return Ok(Vec::new());
                }
                let endpoint = Endpoint { enabled: false, ..known.clone() };
                let disabled = Some(Disabled { reason: *reason, at });
                Ok(vec![WebhookEvent::Changed { endpoint, disabled, at }])
            }
            WebhookCommand::Delete => Ok(vec![WebhookEvent::Deleted]),
            WebhookCommand::Create { .. } => Err(WebhookRejection::Exists),
        }
    }

    fn evolve(state: &mut Self::State, event: &Self::Event) {
        match event {
            WebhookEvent::Changed { endpoint, disabled, at } => {
                state.endpoint = Some(endpoint.clone());
                state.disabled = *disabled;
                state.created.get_or_insert(*at);
                state.updated = Some(*at);
            }
            WebhookEvent::Rotated { secrets, at } => {
                state.secrets.clone_from(secrets);
                state.updated = Some(*at);
            }
            WebhookEvent::Deleted => *state = WebhookState::default(),
        }
    }
}

fn checked(
    endpoint: Endpoint,
    disabled: Option<Disabled>,
    at: Timestamp,
) -> Result<WebhookEvent, WebhookRejection> {
    let violations = endpoint.violations();
    if violations.is_empty() {
        Ok(WebhookEvent::Changed { endpoint, disabled, at })
    } else {
        Err(WebhookRejection::Invalid(violations))
    }
}
