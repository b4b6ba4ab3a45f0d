//! A template's part in video sessions: what is asked of who requests one, and who may confirm it (V-1, V-2).

use std::collections::BTreeMap;

use callboard_kernel::{
    Aggregate, DecisionContext, DepartmentId, EmployeeId, ErrorKind, FieldViolation, Principal, Rejection,
};
use serde::{Deserialize, Serialize};

use crate::{MAX_NAME, MAX_REASON, check_line, check_lines, words};

/// The most reasons to choose from.
pub const MAX_REASONS: usize = 20;
/// The longest reason to choose from, in characters.
pub const MAX_CHOICE: usize = 100;
/// The most responsible employees, and departments.
pub const MAX_RESPONSIBLE: usize = 100;

words! {
    /// How a field is asked.
    Asked as "flow field" {
        /// Not at all.
        Not = "NOT",
        /// May be left empty.
        Optional = "OPTIONAL",
        /// Must be given.
        Required = "REQUIRED",
    }
}

/// What a template's session flow says. Before anybody sets it nobody from outside can request a session, and
/// moderators and administrators alone confirm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flow {
    /// Whether sessions can be requested from outside.
    pub requests_allowed: bool,
    /// The requester's name.
    pub name: Asked,
    /// What it is about.
    pub reason: Asked,
    /// To choose from, by language.
    pub reasons: Vec<Choice>,
    /// Whether consent to recording is asked.
    pub asks_consent: bool,
    /// Who is responsible, each once.
    pub employees: Vec<EmployeeId>,
    /// Whose employees are responsible, each once.
    pub departments: Vec<DepartmentId>,
}

/// A text by language.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Choice(pub BTreeMap<String, String>);

impl Default for Flow {
    fn default() -> Self {
        Self {
            requests_allowed: false,
            name: Asked::Optional,
            reason: Asked::Optional,
            reasons: Vec::new(),
            asks_consent: false,
            employees: Vec::new(),
            departments: Vec::new(),
        }
    }
}

impl Flow {
    /// Whether this employee is responsible for requests (V-2).
    pub fn is_responsible(&self, principal: &Principal) -> bool {
        principal.employee().is_some_and(|employee| {
            self.employees.contains(&employee.id)
                || employee.departments.iter().any(|own| self.departments.contains(own))
        })
    }

    /// What a request gives against what is asked.
    pub(crate) fn check(
        &self,
        name: &str,
        reason: &str,
        consents: bool,
        violations: &mut Vec<FieldViolation>,
    ) {
        for (field, text, asked) in [("requester_name", name, self.name), ("reason", reason, self.reason)] {
            match asked {
                Asked::Not if !text.is_empty() => {
                    violations.push(FieldViolation::new(field, "is not asked for by the session flow"));
                }
                Asked::Required if text.trim().is_empty() => {
                    violations.push(FieldViolation::new(field, "is required by the session flow (V-1)"));
                }
                Asked::Not | Asked::Optional | Asked::Required => {}
            }
        }
        if consents && !self.asks_consent {
            violations.push(FieldViolation::new("consents", "is not asked for by the session flow"));
        }
        check_line("requester_name", name, MAX_NAME, violations);
        check_lines("reason", reason, MAX_REASON, violations);
    }

    fn violations(&self) -> Vec<FieldViolation> {
        let mut violations = Vec::new();
        if self.reasons.len() > MAX_REASONS {
            violations.push(FieldViolation::new("session_flow.reasons", "at most 20"));
        }
        for (at, Choice(texts)) in self.reasons.iter().take(MAX_REASONS).enumerate() {
            let field = format!("session_flow.reasons[{at}]");
            if texts.is_empty() || texts.len() > 20 || texts.values().any(|text| text.trim().is_empty()) {
                violations.push(FieldViolation::new(&field, "a text in 1 to 20 languages"));
            }
            if texts.keys().any(|language| language.is_empty() || language.len() > 8) {
                violations.push(FieldViolation::new(&field, "languages as BCP 47 says: `en`, `de`"));
            }
            texts.values().for_each(|text| check_line(&field, text, MAX_CHOICE, &mut violations));
        }
        for (field, count) in [
            ("session_flow.responsible_employee_ids", self.employees.len()),
            ("session_flow.responsible_department_ids", self.departments.len()),
        ] {
            if count > MAX_RESPONSIBLE {
                violations.push(FieldViolation::new(field, "at most 100"));
            }
        }
        violations
    }
}

/// One template's session flow. Its id is the template's.
#[derive(Debug)]
pub struct SessionFlow;

/// What can be asked of a [`SessionFlow`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FlowCommand {
    /// Sets it. Moderators and administrators.
    Put(Flow),
}

/// What can happen to a [`SessionFlow`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FlowEvent {
    /// It says this now.
    Changed(Flow),
}

/// How a [`SessionFlow`] says no.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FlowRejection {
    /// Members do not edit templates' parts.
    #[error("session flows are for moderators and administrators")]
    Denied,
    /// Wrong fields.
    #[error("invalid session flow")]
    Invalid(Vec<FieldViolation>),
}

impl Rejection for FlowRejection {
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

impl Aggregate for SessionFlow {
    const KIND: &'static str = "session_flow";
    type State = Flow;
    type Command = FlowCommand;
    type Event = FlowEvent;
    type Rejection = FlowRejection;

    fn decide(
        state: &Self::State,
        FlowCommand::Put(wanted): &Self::Command,
        context: &DecisionContext<'_>,
    ) -> Result<Vec<Self::Event>, Self::Rejection> {
        if !context.principal.is_moderator() {
            return Err(FlowRejection::Denied);
        }
        let mut wanted = wanted.clone();
        wanted.employees.sort_unstable();
        wanted.employees.dedup();
        wanted.departments.sort_unstable();
        wanted.departments.dedup();
        let violations = wanted.violations();
        if !violations.is_empty() {
            return Err(FlowRejection::Invalid(violations));
        }
        Ok(if *state == wanted { Vec::new() } else { vec![FlowEvent::Changed(wanted)] })
    }

    fn evolve(state: &mut Self::State, FlowEvent::Changed(flow): &Self::Event) {
        state.clone_from(flow);
    }
}

#[cfg(test)]
mod tests {
    use callboard_kernel::Role;

    use super::*;
    use crate::world::{ask, code_user, employee, id};

    const NOW: &str = "2026-01-01T00:00:00Z";

    #[test]
    fn flows_are_for_moderators_and_are_kept_once() {
        let flow = Flow { requests_allowed: true, employees: vec![id(2), id(1), id(2)], ..Flow::default() };
        let mut state = Flow::default();
        for who in [employee(1, Role::Member), code_user(1)] {
            let told = ask::<SessionFlow>(&mut state, &who, NOW, FlowCommand::Put(flow.clone()));
            assert_eq!(told, Err(FlowRejection::Denied));
        }
        let boss = employee(9, Role::Moderator);
        let told = ask::<SessionFlow>(&mut state, &boss, NOW, FlowCommand::Put(flow.clone()));
        assert_eq!(told.expect("set").len(), 1);
        assert_eq!(state.employees, [id(1), id(2)]);
        let told = ask::<SessionFlow>(&mut state, &boss, NOW, FlowCommand::Put(flow));
        assert!(told.expect("the same").is_empty());
    }

    #[test]
    fn v_2_responsible_are_the_named_and_those_of_the_named_departments() {
        let flow = Flow { employees: vec![id(1)], departments: vec![id(7)], ..Flow::default() };
        assert!(flow.is_responsible(&employee(1, Role::Member)));
        assert!(!flow.is_responsible(&employee(2, Role::Member)));
        let mut of_department = employee(2, Role::Member);
        if let callboard_kernel::Subject::Employee(employee) = &mut of_department.subject {
            employee.departments.push(id(7));
        }
        assert!(flow.is_responsible(&of_department));
        assert!(!flow.is_responsible(&code_user(1)));
    }

    #[test]
    fn wrong_flows_name_their_fields() {
        let boss = employee(9, Role::Moderator);
        let long = Choice([("en".to_owned(), "x".repeat(101))].into());
        let flow = Flow {
            reasons: vec![Choice::default(), long],
            employees: (0..101).map(id).collect(),
            ..Flow::default()
        };
        let told = ask::<SessionFlow>(&mut Flow::default(), &boss, NOW, FlowCommand::Put(flow));
        let Err(FlowRejection::Invalid(wrong)) = told else { panic!("{told:?}") };
        let fields: Vec<_> = wrong.iter().map(|wrong| wrong.field.as_str()).collect();
        let names = ["session_flow.reasons[0]", "session_flow.reasons[1]"];
        assert_eq!(fields, [names[0], names[1], "session_flow.responsible_employee_ids"]);
    }
}
