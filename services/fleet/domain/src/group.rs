//! The groups of a template, in order (F-1).

use std::collections::BTreeSet;

use callboard_kernel::{
    Aggregate, DecisionContext, DepartmentId, EmployeeId, ErrorKind, FieldViolation, Rejection, TemplateId,
};
use chrono::TimeDelta;

use crate::{GroupId, MetaTeamId, TeamId};

/// Groups per template.
pub const MAX_GROUPS: usize = 20;
/// Members (employees, departments, teams, meta teams) over all groups of a template. Keeps `groups.changed` below
/// 64 KiB; a department or team counts as one, however many work there.
pub const MAX_MEMBERS: usize = 1_500;
/// Characters of a name.
pub const MAX_NAME: usize = 200;
/// The most workers of one ticket, also where the group sets no limit (F-7). What is told of those involved names them
/// all, before and after; so many keep it below 64 KiB.
pub const MAX_WORKERS: u32 = 750;
/// The shortest lifetime of an offer and time to escalation (F-9): less is a slip of the unit.
pub const MIN_PERIOD: TimeDelta = TimeDelta::seconds(1);
/// The longest lifetime of an offer and time to escalation (F-9).
pub const MAX_PERIOD: TimeDelta = TimeDelta::days(366);

/// Whom to offer a ticket to (F-1), and on what terms (F-7, F-9). All at once: the one strategy there is so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Chosen by the caller.
    pub id: GroupId,
    /// 1 to 200 characters.
    pub name: String,
    /// Employees by name.
    pub employees: Vec<EmployeeId>,
    /// Everyone in these.
    pub departments: Vec<DepartmentId>,
    /// Everyone in these.
    pub teams: Vec<TeamId>,
    /// Everyone in the local team that serves the device's customer (F-2).
    pub meta_teams: Vec<MetaTeamId>,
    /// How many may accept; 0: unlimited (F-7).
    pub required_workers: u32,
    /// Offers end after it; `None`: never (F-9).
    pub offer_lifetime: Option<TimeDelta>,
    /// After it, without an acceptance, the next group is asked; `None`: never (F-9).
    pub escalate_after: Option<TimeDelta>,
}

impl Group {
    /// A group of nobody, without limits.
    pub fn named(id: GroupId, name: impl Into<String>) -> Self {
        Self {
            id,
            name: name.into(),
            employees: Vec::new(),
            departments: Vec::new(),
            teams: Vec::new(),
            meta_teams: Vec::new(),
            required_workers: 0,
            offer_lifetime: None,
            escalate_after: None,
        }
    }

    fn members(&self) -> usize {
        self.employees.len() + self.departments.len() + self.teams.len() + self.meta_teams.len()
    }

    fn violations(&self) -> Vec<FieldViolation> {
        let mut violations = Vec::new();
        let length = self.name.chars().count();
        if length == 0 || length > MAX_NAME {
            violations.push(FieldViolation::new("group.name", "1 to 200 characters"));
        } else if self.name.chars().any(char::is_control) {
            violations.push(FieldViolation::new("group.name", "one line, no control characters"));
        }
        if self.required_workers > MAX_WORKERS {
            violations.push(FieldViolation::new("group.required_workers", "0 (unlimited) to 750 (F-7)"));
        }
        for (field, period) in
            [("group.offer_lifetime", self.offer_lifetime), ("group.escalate_after", self.escalate_after)]
        {
            if period.is_some_and(|period| !(MIN_PERIOD..=MAX_PERIOD).contains(&period)) {
                violations.push(FieldViolation::new(field, "1 second to 366 days (F-9)"));
            }
        }
        violations
    }
}

/// The ordered groups of one template; its id is the template's.
#[derive(Debug)]
pub struct GroupSet;

/// What a [`GroupSet`] knows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GroupSetState {
    /// In order; the first is the default (F-1).
    pub groups: Vec<Group>,
}

impl GroupSetState {
    /// The group a ticket goes to: the one its flow names, else the first (F-1). A flow that names a group which is no
    /// more falls back to the first: a ticket nobody is asked about would be worse.
    pub fn pick(&self, named: Option<GroupId>) -> Option<&Group> {
        named.and_then(|id| self.groups.iter().find(|group| group.id == id)).or_else(|| self.groups.first())
    }

    /// The group after this one, for escalation (F-9).
    pub fn after(&self, id: GroupId) -> Option<&Group> {
        let at = self.groups.iter().position(|group| group.id == id)?;
        self.groups.get(at + 1)
    }
}

/// What can be asked of a [`GroupSet`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupSetCommand {
    /// Creates a group (at the end) or replaces the one with its id.
    Put(Group),
    /// Removes a group.
    Delete(GroupId),
    /// Sets the order; must name every group once.
    Order(Vec<GroupId>),
    /// Adds copies of another template's groups at the end, under the ids they come with (F-1).
    Append(Vec<Group>),
    /// The template was removed: its groups go too.
    Clear,
}

/// What can happen to a [`GroupSet`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupSetEvent {
    /// The groups are now these, in this order.
    Changed {
        /// All of them.
        groups: Vec<Group>,
    },
}

/// How a [`GroupSet`] says no.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GroupSetRejection {
    /// Neither moderator nor administrator.
    #[error("groups are for moderators and administrators")]
    Denied,
    /// No group of that id.
    #[error("no such group")]
    NoGroup,
    /// A field breaks a rule.
    #[error("invalid group")]
    Invalid(Vec<FieldViolation>),
    /// One group too many.
    #[error("a template has at most {MAX_GROUPS} groups")]
    TooManyGroups,
    /// Members over the limit.
    #[error("a template's groups name at most {MAX_MEMBERS} employees, departments and teams together")]
    TooManyMembers,
}

impl Rejection for GroupSetRejection {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Denied => ErrorKind::PermissionDenied,
            Self::NoGroup => ErrorKind::NotFound,
            Self::Invalid(_) => ErrorKind::InvalidArgument,
            Self::TooManyGroups | Self::TooManyMembers => ErrorKind::FailedPrecondition,
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::Denied => "PERMISSION_DENIED",
            Self::NoGroup => "NOT_FOUND",
            Self::Invalid(_) => "INVALID_FIELDS",
            Self::TooManyGroups => "TOO_MANY_GROUPS",
            Self::TooManyMembers => "TOO_MANY_GROUP_MEMBERS",
        }
    }

    fn violations(&self) -> Vec<FieldViolation> {
        match self {
            Self::Invalid(violations) => violations.clone(),
            Self::Denied | Self::NoGroup | Self::TooManyGroups | Self::TooManyMembers => Vec::new(),
        }
    }
}

impl Aggregate for GroupSet {
    const KIND: &'static str = "group_set";
    type State = GroupSetState;
    type Command = GroupSetCommand;
    type Event = GroupSetEvent;
    type Rejection = GroupSetRejection;

    fn decide(
        state: &Self::State,
        command: &Self::Command,
        context: &DecisionContext<'_>,
    ) -> Result<Vec<Self::Event>, Self::Rejection> {
        let may = match command {
            GroupSetCommand::Clear => matches!(context.principal.subject, callboard_kernel::Subject::System),
            _ => context.principal.is_moderator(),
        };
        if !may {
            return Err(GroupSetRejection::Denied);
        }
        let mut groups = state.groups.clone();
        match command {
            GroupSetCommand::Put(group) => {
                let violations = group.violations();
                if !violations.is_empty() {
                    return Err(GroupSetRejection::Invalid(violations));
                }
                let group = deduplicated(group.clone());
                match groups.iter_mut().find(|known| known.id == group.id) {
                    Some(known) => *known = group,
                    None => groups.push(group),
                }
            }
            GroupSetCommand::Delete(id) => {
                let before = groups.len();
                groups.retain(|group| group.id != *id);
                if groups.len() == before {
                    return Err(GroupSetRejection::NoGroup);
                }
            }
            GroupSetCommand::Order(ids) => groups = ordered(groups, ids)?,
            GroupSetCommand::Append(copies) => groups.extend(copies.iter().cloned().map(deduplicated)),
            GroupSetCommand::Clear => groups.clear(),
        }
        if groups.len() > MAX_GROUPS {
            return Err(GroupSetRejection::TooManyGroups);
        }
        if groups.iter().map(Group::members).sum::<usize>() > MAX_MEMBERS {
            return Err(GroupSetRejection::TooManyMembers);
        }
        if groups == state.groups {
            return Ok(Vec::new());
        }
        Ok(vec![GroupSetEvent::Changed { groups }])
    }

    fn evolve(state: &mut Self::State, event: &Self::Event) {
        match event {
            GroupSetEvent::Changed { groups } => state.groups.clone_from(groups),
        }
    }
}

fn ordered(groups: Vec<Group>, ids: &[GroupId]) -> Result<Vec<Group>, GroupSetRejection> {
    let wanted: BTreeSet<GroupId> = ids.iter().copied().collect();
    let known: BTreeSet<GroupId> = groups.iter().map(|group| group.id).collect();
    if wanted != known || ids.len() != groups.len() {
        return Err(GroupSetRejection::Invalid(vec![FieldViolation::new(
            "group_ids",
            "names every group of the template exactly once",
        )]));
    }
    Ok(ids.iter().filter_map(|id| groups.iter().find(|group| group.id == *id).cloned()).collect())
}

/// Naming somebody twice is no mistake worth refusing; it is kept once.
fn deduplicated(mut group: Group) -> Group {
    fn once<T: Ord + Copy>(ids: &mut Vec<T>) {
        let mut met = BTreeSet::new();
        ids.retain(|id| met.insert(*id));
    }
    once(&mut group.employees);
    once(&mut group.departments);
    once(&mut group.teams);
    once(&mut group.meta_teams);
    group
}

/// The id of the template whose groups these are, as an aggregate id.
pub const fn group_set_id(template: TemplateId) -> uuid::Uuid {
    template.uuid()
}

#[cfg(test)]
mod tests {
    use callboard_kernel::{Cause, CommandId, Employee, Language, Principal, RandomIds, Role, Subject};
    use chrono::DateTime;
    use uuid::Uuid;

    use super::*;

    fn ask(
        state: &mut GroupSetState,
        role: Role,
        command: &GroupSetCommand,
    ) -> Result<usize, GroupSetRejection> {
        let subject =
            Subject::Employee(Employee { id: Uuid::from_u128(1).into(), role, departments: Vec::new() });
        let principal = Principal { organisation: Uuid::nil().into(), subject, language: Language::En };
        let context = DecisionContext {
            now: DateTime::from_timestamp(1_800_000_000, 0).expect("a moment"),
            principal: &principal,
            cause: &Cause::default(),
            command_id: CommandId(Uuid::nil()),
            ids: &RandomIds,
        };
        let events = GroupSet::decide(state, command, &context)?;
        events.iter().for_each(|event| GroupSet::evolve(state, event));
        Ok(events.len())
    }

    fn group(number: u128) -> Group {
        Group::named(Uuid::from_u128(number).into(), format!("Group {number}"))
    }

    fn ids(state: &GroupSetState) -> Vec<u128> {
        state.groups.iter().map(|group| group.id.uuid().as_u128()).collect()
    }

    fn of(numbers: &[u128]) -> GroupSetState {
        GroupSetState { groups: numbers.iter().map(|number| group(*number)).collect() }
    }

    #[test]
    fn f_1_groups_are_in_order_and_the_first_is_the_default() {
        let mut state = of(&[1, 2, 3]);
        let id = |number| Uuid::from_u128(number).into();
        let order = GroupSetCommand::Order(vec![id(3), id(1), id(2)]);
        assert_eq!(ask(&mut state, Role::Moderator, &order), Ok(1));
        assert_eq!(ids(&state), [3, 1, 2]);
        assert_eq!(state.pick(None).map(|group| group.id), Some(id(3)));
        assert_eq!(state.pick(Some(id(2))).map(|group| group.id), Some(id(2)));
        assert_eq!(state.pick(Some(id(9))).map(|group| group.id), Some(id(3)));
        assert_eq!(state.after(id(3)).map(|group| group.id), Some(id(1)));
        assert_eq!(state.after(id(2)), None);
        for wrong in [vec![id(1), id(2)], vec![id(1), id(2), id(2)], vec![id(1), id(2), id(9)]] {
            let refused = ask(&mut state, Role::Moderator, &GroupSetCommand::Order(wrong));
            assert!(matches!(refused, Err(GroupSetRejection::Invalid(_))));
        }
    }

    #[test]
    fn f_1_putting_replaces_in_place_and_says_the_same_once() {
        let mut state = of(&[1, 2]);
        let put = GroupSetCommand::Put(Group { required_workers: 2, ..group(1) });
        assert_eq!(ask(&mut state, Role::Moderator, &put), Ok(1));
        assert_eq!(ask(&mut state, Role::Moderator, &put), Ok(0));
        assert_eq!(ids(&state), [1, 2]);
        assert_eq!(
            ask(&mut state, Role::Moderator, &GroupSetCommand::Delete(Uuid::from_u128(9).into())),
            Err(GroupSetRejection::NoGroup)
        );
    }

    #[test]
    fn f_1_copies_come_last() {
        let mut state = of(&[1]);
        let append = GroupSetCommand::Append(vec![group(5), group(6)]);
        assert_eq!(ask(&mut state, Role::Moderator, &append), Ok(1));
        assert_eq!(ids(&state), [1, 5, 6]);
    }

    #[test]
    fn f_1_groups_are_for_moderators() {
        let put = GroupSetCommand::Put(group(1));
        assert_eq!(ask(&mut of(&[]), Role::Member, &put), Err(GroupSetRejection::Denied));
        assert_eq!(
            ask(&mut of(&[]), Role::Administrator, &GroupSetCommand::Clear),
            Err(GroupSetRejection::Denied)
        );
    }

    #[test]
    fn limits_of_groups_name_the_field() {
        let wrong = Group {
            name: String::new(),
            required_workers: MAX_WORKERS + 1,
            offer_lifetime: Some(TimeDelta::milliseconds(1)),
            escalate_after: Some(TimeDelta::days(367)),
            ..group(1)
        };
        let Err(GroupSetRejection::Invalid(violations)) =
            ask(&mut of(&[]), Role::Moderator, &GroupSetCommand::Put(wrong))
        else {
            panic!("taken")
        };
        let fields: Vec<_> = violations.iter().map(|violation| violation.field.as_str()).collect();
        assert_eq!(
            fields,
            ["group.name", "group.required_workers", "group.offer_lifetime", "group.escalate_after"]
        );
        let lines = GroupSetCommand::Put(Group { name: "Two\nlines".into(), ..group(1) });
        let refused = ask(&mut of(&[]), Role::Moderator, &lines);
        assert!(
            matches!(refused, Err(GroupSetRejection::Invalid(fields)) if fields[0].field == "group.name")
        );
        let mut full = of(&(1..=20).collect::<Vec<_>>());
        let one_more = GroupSetCommand::Put(group(21));
        assert_eq!(ask(&mut full, Role::Moderator, &one_more), Err(GroupSetRejection::TooManyGroups));
        let employees = (0..=1_500).map(|number| Uuid::from_u128(number).into()).collect();
        let many = GroupSetCommand::Put(Group { employees, ..group(1) });
        assert_eq!(ask(&mut of(&[]), Role::Moderator, &many), Err(GroupSetRejection::TooManyMembers));
    }
}
