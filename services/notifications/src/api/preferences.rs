//! Preferences (N-2).

use callboard_kernel::{FieldViolation, Refusal, Version};
use callboard_notifications_domain::preferences::{
    PreferencesCommand, PreferencesState, Rule, Rules, preferences_id,
};
use callboard_notifications_domain::{Person, Strategy};
use callboard_proto::notifications::v1 as proto;
use callboard_service::Mutation;
use callboard_service::database::refusal;
use callboard_service::request;
use tonic::Request;

use super::{NotificationApi, person};
use crate::convert;

/// More rules than there are types and origins.
const MAX_RULES: usize = 200;

fn rules(sent: &[proto::PreferenceRule]) -> Result<Rules, Refusal> {
    if sent.len() > MAX_RULES {
        return Err(Refusal::field("preferences.rules", "at most 200"));
    }
    let mut rules = Rules::new();
    let mut violations = Vec::new();
    for (index, rule) in sent.iter().enumerate() {
        let mut wrong = |field: &str, description: &str| {
            violations.push(FieldViolation::new(format!("preferences.rules[{index}].{field}"), description));
        };
        let event_type = convert::from_event_type(rule.event_type());
        let origin = convert::from_origin(rule.origin());
        let channels: Vec<_> = rule.channels().filter_map(convert::from_channel).collect();
        if event_type.is_none() {
            wrong("event_type", "must be a known value");
        }
        if origin.is_none() {
            wrong("origin", "must be a known value");
        }
        let mut each = channels.clone();
        each.sort_unstable();
        each.dedup();
        if channels.len() != rule.channels.len() || each.len() != channels.len() {
            wrong("channels", "known channels, each at most once (N-2)");
        }
        let strategy = match convert::from_strategy(rule.strategy()) {
            Some(strategy) => strategy,
            // Of no meaning there.
            None if channels.len() < 2 => Strategy::FirstSuccessful,
            None => {
                wrong("strategy", "is required where there are several channels (N-2)");
                Strategy::All
            }
        };
        if let (Some(event_type), Some(origin)) = (event_type, origin) {
            let known = rules.insert((event_type, origin), Rule { channels, strategy });
            if known.is_some() {
                wrong("event_type", "one rule for each type and origin");
            }
        }
    }
    if violations.is_empty() { Ok(rules) } else { Err(Refusal::fields(violations)) }
}

impl NotificationApi {
    pub(super) async fn get_preferences(
        &self,
        request: &Request<proto::GetPreferencesRequest>,
    ) -> Result<proto::GetPreferencesResponse, Refusal> {
        let principal = request::principal(request)?;
        let person = person(&principal)?;
        if matches!(person, Person::Code(_)) {
            return Err(Refusal::denied("preferences are for those who log in"));
        }
        let found = self.tables.chosen.of(principal.organisation, &[person]).await.map_err(refusal)?;
        let (state, version) =
            found.into_values().next().unwrap_or((PreferencesState::default(), Version::NONE));
        let preferences = Some(convert::preferences(person, &state, version));
        Ok(proto::GetPreferencesResponse { preferences })
    }

    pub(super) async fn update_preferences(
        &self,
        request: &Request<proto::UpdatePreferencesRequest>,
    ) -> Result<proto::UpdatePreferencesResponse, Refusal> {
        let message = request.get_ref();
        let mutation = Mutation::new(request, "UpdatePreferences", &message.request_id)?;
        let person = person(&mutation.principal)?;
        let sent =
            message.preferences.as_ref().ok_or_else(|| Refusal::field("preferences", "is required"))?;
        let mutation = mutation.expecting("preferences.etag", &sent.etag)?;
        let command = PreferencesCommand::Set { rules: rules(&sent.rules)?, switched_off: sent.switched_off };
        let id = preferences_id(mutation.principal.organisation, person);
        mutation
            .ask(&self.preferences, id, command, move |state, _, version| {
                let preferences = Some(convert::preferences(person, state, version));
                proto::UpdatePreferencesResponse { preferences }
            })
            .await
    }
}
