//! Notification groups: who hears of the tickets of the flows that name them (N-4).

use std::collections::BTreeSet;

use callboard_kernel::{
    Aggregate, DecisionContext, DepartmentId, EmployeeId, ErrorKind, FieldViolation, Rejection, Timestamp,
};

use crate::TeamId;

/// Members of all kinds together.
pub const MAX_MEMBERS: usize = 500;
/// Characters of a name.
pub const MAX_NAME: usize = 200;

/// A notification group.
#[derive(Debug)]
pub struct Group;

/// What a group is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Members {
    /// 1 to 200 characters.
    pub name: String,
    /// By name.
    pub employees: Vec<EmployeeId>,
    /// Everyone in these.
    pub departments: Vec<DepartmentId>,
    /// Everyone in these.
    pub teams: Vec<TeamId>,
}

fn unique<T: Ord>(ids: &[T]) -> bool {
    ids.iter().collect::<BTreeSet<_>>().len() == ids.len()
}

impl Members {
    fn violations(&self) -> Vec<FieldViolation> {
        let mut violations = Vec::new();
        let length = self.name.chars().count();
        if length == 0 || length > MAX_NAME || self.name.chars().any(char::is_control) {
            violations.push(FieldViolation::new("group.name", "1 to 200 characters, no control characters"));
        }
        if self.employees.len() + self.departments.len() + self.teams.len() > MAX_MEMBERS {
            violations.push(FieldViolation::new("group", "at most 500 members in all (N-4)"));
        }
        for (field, holds) in [
            ("group.employee_ids", unique(&self.employees)),
            ("group.department_ids", unique(&self.departments)),
            ("group.team_ids", unique(&self.teams)),
        ] {
            if !holds {
                violations.push(FieldViolation::new(field, "each once"));
            }
        }
        violations
    }
}

/// What is known of a group.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GroupState {
    /// `None`: not there, or not any more.
    pub members: Option<Members>,
    /// When it was made.
    pub created: Option<Timestamp>,
    /// When it changed last.
    pub updated: Option<Timestamp>,
}

/// What can be asked of a [`Group`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupCommand {
    /// Makes it.
    Create(Members),
    /// Replaces name and members.
    Update(Members),
    /// Removes it.
    Delete,
}

/// What can happen to a [`Group`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupEvent {
    /// It is this now.
    Changed {
        /// Name and members.
        members: Members,
        /// When.
        at: Timestamp,
    },
    /// It is no more.
    Deleted,
}

/// How a [`Group`] says no.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GroupRejection {
    /// No such group.
    #[error("no such notification group")]
    Missing,
    /// The id is taken.
    #[error("there is a notification group of this id")]
    Exists,
    /// Not for this caller.
    #[error("notification groups are changed by moderators and administrators")]
    Denied,
    /// Wrong fields.
    #[error("invalid notification group")]
    Invalid(Vec<FieldViolation>),
}

impl Rejection for GroupRejection {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Missing => ErrorKind::NotFound,
            Self::Exists => ErrorKind::AlreadyExists,
            Self::Denied => ErrorKind::PermissionDenied,
            Self::Invalid(_) => ErrorKind::InvalidArgument,
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::Missing => "NOT_FOUND",
            Self::Exists => "ALREADY_EXISTS",
            Self::Denied => "PERMISSION_DENIED",
            Self::Invalid(_) => "INVALID_FIELDS",
        }
    }

    fn violations(&self) -> Vec<FieldViolation> {
        match self {
            Self::Invalid(violations) => violations.clone(),
            Self::Missing | Self::Exists | Self::Denied => Vec::new(),
        }
    }
}

impl Aggregate for Group {
    const KIND: &'static str = "notification_group";
    type State = GroupState;
    type Command = GroupCommand;
    type Event = GroupEvent;
    type Rejection = GroupRejection;

    fn decide(
        state: &Self::State,
        command: &Self::Command,
        context: &DecisionContext<'_>,
    ) -> Result<Vec<Self::Event>, Self::Rejection> {
        if !context.principal.is_moderator() {
            return Err(GroupRejection::Denied);
        }
        let members = match (command, &state.members) {
            (GroupCommand::Create(_), Some(_)) => return Err(GroupRejection::Exists),
            (GroupCommand::Create(members), None) => members,
            (GroupCommand::Update(_) | GroupCommand::Delete, None) => return Err(GroupRejection::Missing),
            (GroupCommand::Delete, Some(_)) => return Ok(vec![GroupEvent::Deleted]),
            (GroupCommand::Update(members), Some(known)) => {
                if members == known {
                    return Ok(Vec::new());
                }
                members
            }
        };
        let violations = members.violations();
        if violations.is_empty() {
            Ok(vec![GroupEvent::Changed { members: members.clone(), at: context.now }])
        } else {
            Err(GroupRejection::Invalid(violations))
        }
    }

    fn evolve(state: &mut Self::State, event: &Self::Event) {
        match event {
            GroupEvent::Changed { members, at } => {
                state.members = Some(members.clone());
                state.created.get_or_insert(*at);
                state.updated = Some(*at);
            }
            GroupEvent::Deleted => *state = GroupState::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use callboard_kernel::{Cause, CommandId, Employee, Language, Principal, RandomIds, Role, Subject};
    use uuid::Uuid;

    use super::*;

    fn ask(state: &mut GroupState, role: Role, command: &GroupCommand) -> Result<usize, GroupRejection> {
        let employee = Employee { id: Uuid::from_u128(2).into(), role, departments: Vec::new() };
        let principal = Principal {
            organisation: Uuid::from_u128(1).into(),
            subject: Subject::Employee(employee),
            language: Language::En,
        };
        let cause = Cause::default();
        let context = DecisionContext {
            now: Timestamp::UNIX_EPOCH,
            principal: &principal,
            cause: &cause,
            command_id: CommandId(Uuid::from_u128(9)),
            ids: &RandomIds,
        };
        let events = Group::decide(state, command, &context)?;
        events.iter().for_each(|event| Group::evolve(state, event));
        Ok(events.len())
    }

    fn named(name: &str) -> Members {
        Members { name: name.into(), ..Members::default() }
    }

    #[test]
    fn n_4_moderators_keep_notification_groups_and_members_do_not() {
        let mut state = GroupState::default();
        let create = GroupCommand::Create(named("Office"));
        assert_eq!(ask(&mut state, Role::Member, &create), Err(GroupRejection::Denied));
        assert_eq!(ask(&mut state, Role::Moderator, &create), Ok(1));
        assert_eq!(ask(&mut state, Role::Moderator, &create), Err(GroupRejection::Exists));
        assert_eq!(ask(&mut state, Role::Moderator, &GroupCommand::Update(named("Office"))), Ok(0));
        assert_eq!(ask(&mut state, Role::Moderator, &GroupCommand::Update(named("Front"))), Ok(1));
        assert_eq!(ask(&mut state, Role::Moderator, &GroupCommand::Delete), Ok(1));
        assert_eq!(ask(&mut state, Role::Moderator, &GroupCommand::Delete), Err(GroupRejection::Missing));
    }

    #[test]
    fn every_wrong_field_is_named() {
        let twice: EmployeeId = Uuid::from_u128(3).into();
        let members = Members { employees: vec![twice, twice], ..named("") };
        let refused = ask(&mut GroupState::default(), Role::Moderator, &GroupCommand::Create(members));
        let Err(GroupRejection::Invalid(violations)) = refused else { panic!("{refused:?}") };
        let fields: Vec<&str> = violations.iter().map(|violation| violation.field.as_str()).collect();
        assert_eq!(fields, ["group.name", "group.employee_ids"]);
    }
}
