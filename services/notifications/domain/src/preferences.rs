//! How a person is told (N-2). Its id is derived from the person.

use std::collections::BTreeMap;

use callboard_kernel::{
    Aggregate, DecisionContext, ErrorKind, FieldViolation, OrganisationId, Rejection, derive_uuid,
};
use uuid::Uuid;

use crate::{Channel, EventType, Origin, Person, Strategy};

/// How one is told of events of a type and origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// In order, each once; none: only the drawer.
    pub channels: Vec<Channel>,
    /// Which of them.
    pub strategy: Strategy,
}

impl Rule {
    /// How it is where nobody has said anything.
    ///
    /// What one did oneself is in the drawer and disturbs nowhere. What asks to act looks for the person until it has
    /// found them; the rest shows in an open window. Customer users have no window open all day, so they are looked for
    /// always. Visitors are several behind one code, so that an open window of one is no news for the other: all
    /// channels at once.
    pub fn default_for(person: Person, event_type: EventType, origin: Origin) -> Self {
        use Channel::{Browser, Email, Push};
        let channels = match (person, origin) {
            (_, Origin::Me) => Vec::new(),
            (Person::Employee(_), Origin::Others) if !event_type.is_urgent() => vec![Browser],
            (_, Origin::Others) => vec![Browser, Push, Email],
        };
        let strategy = match person {
            Person::Code(_) => Strategy::All,
            Person::Employee(_) | Person::CustomerUser(_) => Strategy::FirstSuccessful,
        };
        Self { channels, strategy }
    }
}

/// What a person chose, by type and origin.
pub type Rules = BTreeMap<(EventType, Origin), Rule>;

/// The preferences of one person.
#[derive(Debug)]
pub struct Preferences;

/// What they are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PreferencesState {
    /// `None`: nothing was ever chosen.
    pub person: Option<Person>,
    /// What differs from the default.
    pub rules: Rules,
    /// A customer user who is told nothing (N-4).
    pub switched_off: bool,
}

impl PreferencesState {
    /// The rule in force.
    pub fn rule(&self, person: Person, event_type: EventType, origin: Origin) -> Rule {
        self.rules
            .get(&(event_type, origin))
            .cloned()
            .unwrap_or_else(|| Rule::default_for(person, event_type, origin))
    }
}

/// What can be asked of [`Preferences`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PreferencesCommand {
    /// The caller chooses.
    Set {
        /// All rules that differ from the default.
        rules: Rules,
        /// Nothing at all.
        switched_off: bool,
    },
    /// No e-mail of this type any more, by the link in one (List-Unsubscribe); on behalf of the person.
    NoEmail {
        /// Whose.
        person: Person,
        /// Of which type.
        event_type: EventType,
    },
}

/// What can happen to [`Preferences`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PreferencesEvent {
    /// They are this now.
    Changed {
        /// Whose.
        person: Person,
        /// What differs from the default.
        rules: Rules,
        /// Nothing at all.
        switched_off: bool,
    },
}

/// How [`Preferences`] say no.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PreferencesRejection {
    /// Visitors share a drawer; nobody chooses for the others.
    #[error("preferences are for those who log in")]
    Denied,
    /// Wrong fields.
    #[error("invalid preferences")]
    Invalid(Vec<FieldViolation>),
}

impl Rejection for PreferencesRejection {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Denied => ErrorKind::PermissionDenied,
            Self::Invalid(_) => ErrorKind::InvalidArgument,
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::Denied => "PERMISSION_DENIED",
            Self::Invalid(_) => "INVALID_FIELDS",
        }
    }

    fn violations(&self) -> Vec<FieldViolation> {
        match self {
            Self::Invalid(violations) => violations.clone(),
            Self::Denied => Vec::new(),
        }
    }
}

/// The id of a person's preferences.
pub fn preferences_id(organisation: OrganisationId, person: Person) -> Uuid {
    derive_uuid(organisation.uuid(), &[b"preferences", person.to_string().as_bytes()])
}

impl Aggregate for Preferences {
    const KIND: &'static str = "preferences";
    type State = PreferencesState;
    type Command = PreferencesCommand;
    type Event = PreferencesEvent;
    type Rejection = PreferencesRejection;

    fn decide(
        state: &Self::State,
        command: &Self::Command,
        context: &DecisionContext<'_>,
    ) -> Result<Vec<Self::Event>, Self::Rejection> {
        let (person, rules, switched_off) = match command {
            PreferencesCommand::Set { rules, switched_off } => {
                let person = match Person::of(context.principal) {
                    Some(person @ (Person::Employee(_) | Person::CustomerUser(_))) => person,
                    Some(Person::Code(_)) | None => return Err(PreferencesRejection::Denied),
                };
                if *switched_off && !person.is_outsider() {
                    return Err(PreferencesRejection::Invalid(vec![FieldViolation::new(
                        "preferences.switched_off",
                        "only for customer users (N-4): employees are told what they work on",
                    )]));
                }
                let rules = rules
                    .iter()
                    .filter(|((event_type, origin), rule)| {
                        **rule != Rule::default_for(person, *event_type, *origin)
                    })
                    .map(|(key, rule)| (*key, rule.clone()))
                    .collect();
                (person, rules, *switched_off)
            }
            PreferencesCommand::NoEmail { person, event_type } => {
                let mut rules = state.rules.clone();
                for origin in Origin::ALL {
                    let mut rule = state.rule(*person, *event_type, *origin);
                    rule.channels.retain(|channel| *channel != Channel::Email);
                    if rule != Rule::default_for(*person, *event_type, *origin) {
                        rules.insert((*event_type, *origin), rule);
                    }
                }
                (*person, rules, state.switched_off)
            }
        };
        if state.rules == rules && state.switched_off == switched_off {
            return Ok(Vec::new());
        }
        Ok(vec![PreferencesEvent::Changed { person, rules, switched_off }])
    }

    fn evolve(state: &mut Self::State, event: &Self::Event) {
        let PreferencesEvent::Changed { person, rules, switched_off } = event;
        state.person = Some(*person);
        state.rules.clone_from(rules);
        state.switched_off = *switched_off;
    }
}

#[cfg(test)]
mod tests {
    use callboard_kernel::{
        Cause, CodeUser, CommandId, CustomerUser, Employee, Language, Principal, RandomIds, Role, Subject,
        Timestamp,
    };

    use super::*;

    fn principal(subject: Subject) -> Principal {
        Principal { organisation: Uuid::from_u128(1).into(), subject, language: Language::En }
    }

    fn employee() -> Principal {
        let id = Uuid::from_u128(2).into();
        principal(Subject::Employee(Employee { id, role: Role::Member, departments: Vec::new() }))
    }

    fn customer_user() -> Principal {
        let (id, customer) = (Uuid::from_u128(3).into(), Uuid::from_u128(4).into());
        principal(Subject::CustomerUser(CustomerUser { id, customer }))
    }

    fn ask(
        state: &mut PreferencesState,
        who: &Principal,
        command: &PreferencesCommand,
    ) -> Result<usize, PreferencesRejection> {
        let cause = Cause::default();
        let context = DecisionContext {
            now: Timestamp::UNIX_EPOCH,
            principal: who,
            cause: &cause,
            command_id: CommandId(Uuid::from_u128(9)),
            ids: &RandomIds,
        };
        let events = Preferences::decide(state, command, &context)?;
        events.iter().for_each(|event| Preferences::evolve(state, event));
        Ok(events.len())
    }

    fn set(rules: Rules) -> PreferencesCommand {
        PreferencesCommand::Set { rules, switched_off: false }
    }

    #[test]
    fn n_2_a_rule_holds_for_its_type_and_origin_alone() {
        let mut state = PreferencesState::default();
        let person = Person::of(&employee()).unwrap();
        let rule = Rule { channels: vec![Channel::Email, Channel::Browser], strategy: Strategy::All };
        let rules = Rules::from([((EventType::Message, Origin::Others), rule.clone())]);
        assert_eq!(ask(&mut state, &employee(), &set(rules.clone())), Ok(1));
        assert_eq!(ask(&mut state, &employee(), &set(rules)), Ok(0), "the same again changes nothing");
        assert_eq!(state.rule(person, EventType::Message, Origin::Others), rule);
        for (event_type, origin) in [(EventType::Message, Origin::Me), (EventType::Offer, Origin::Others)] {
            let default = Rule::default_for(person, event_type, origin);
            assert_eq!(state.rule(person, event_type, origin), default);
        }
    }

    #[test]
    fn n_2_what_is_as_by_default_is_not_kept() {
        let mut state = PreferencesState::default();
        let person = Person::of(&employee()).unwrap();
        let default = Rule::default_for(person, EventType::Offer, Origin::Others);
        let rules = Rules::from([((EventType::Offer, Origin::Others), default)]);
        assert_eq!(ask(&mut state, &employee(), &set(rules)), Ok(0));
    }

    #[test]
    fn n_4_customer_users_may_switch_it_off_and_employees_may_not() {
        let off = PreferencesCommand::Set { rules: Rules::new(), switched_off: true };
        assert_eq!(ask(&mut PreferencesState::default(), &customer_user(), &off), Ok(1));
        assert!(ask(&mut PreferencesState::default(), &employee(), &off).is_err());
    }

    #[test]
    fn n_4_visitors_do_not_choose_for_each_other() {
        let code = Uuid::from_u128(5);
        let visitor = principal(Subject::CodeUser(CodeUser {
            session: code.into(),
            code: code.into(),
            device: code.into(),
        }));
        let refused = ask(&mut PreferencesState::default(), &visitor, &set(Rules::new()));
        assert_eq!(refused, Err(PreferencesRejection::Denied));
    }

    #[test]
    fn a_link_to_unsubscribe_takes_e_mail_off_one_type() {
        let mut state = PreferencesState::default();
        let person = Person::of(&employee()).unwrap();
        let command = PreferencesCommand::NoEmail { person, event_type: EventType::Offer };
        assert_eq!(ask(&mut state, &Principal::system(Uuid::from_u128(1).into()), &command), Ok(1));
        let rule = state.rule(person, EventType::Offer, Origin::Others);
        assert_eq!(rule.channels, [Channel::Browser, Channel::Push]);
        let other = state.rule(person, EventType::Message, Origin::Others);
        assert!(other.channels.contains(&Channel::Email));
    }
}
