//! From a group to people (F-2), and why others are not among them (F-10).

use std::collections::{BTreeMap, BTreeSet};

use callboard_kernel::{DepartmentId, EmployeeId, Isolation};
use serde::{Deserialize, Serialize};

use crate::{Group, MetaTeamId, TeamId, words};

words! {
    /// Why an employee of the group got no offer (F-10).
    LeftOutReason as "reason for leaving out" {
        /// May not see the ticket.
        NotVisible = "NOT_VISIBLE",
        /// Is involved already.
        Involved = "INVOLVED",
        /// Declined this ticket before (F-5).
        Declined = "DECLINED",
        /// Has an open offer already.
        Offered = "OFFERED",
        /// Is not in the group.
        NotInGroup = "NOT_IN_GROUP",
        /// No local team of the meta team serves the device's customer, or the device has none.
        NoLocalTeam = "NO_LOCAL_TEAM",
        /// Left the organisation.
        Removed = "REMOVED",
        /// Is of a local team of the meta team that serves other customers.
        OtherLocalTeam = "OTHER_LOCAL_TEAM",
        /// The ticket had all the workers it asks for (F-7).
        Filled = "FILLED",
    }
}

/// One employee left out of a round, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LeftOut {
    /// Who.
    pub employee: EmployeeId,
    /// Why.
    pub reason: LeftOutReason,
}

/// An employee as the directory last told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Colleague {
    /// Who.
    pub id: EmployeeId,
    /// Departments, for isolation and for groups of departments.
    pub departments: Vec<DepartmentId>,
    /// Local teams.
    pub teams: Vec<TeamId>,
    /// Left the organisation.
    pub removed: bool,
}

/// A meta team as the directory last told, seen from one customer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MetaTeam {
    /// The local teams it is a set of.
    pub teams: Vec<TeamId>,
    /// The one among them that serves the device's customer; `None`: none does, or there is no customer.
    pub serving: Option<TeamId>,
}

/// What the directory last told, as far as one group needs it.
#[derive(Debug, Clone, Default)]
pub struct Roster {
    /// The organisation's isolation.
    pub isolation: Isolation,
    /// Everyone the group may mean: its employees, and members of its departments and teams and of all local teams of
    /// its meta teams. More do no harm.
    pub colleagues: Vec<Colleague>,
    /// The group's meta teams.
    pub meta_teams: BTreeMap<MetaTeamId, MetaTeam>,
}

/// Who of a group may be offered a ticket, and who not. Each employee is in one of the two, once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Expansion {
    /// Those who may be offered it, by id.
    pub eligible: Vec<EmployeeId>,
    /// Those who may not, by id.
    pub left_out: Vec<LeftOut>,
}

/// Expands a group (F-2): departments and teams to employees, a meta team to the local team that serves the device's
/// customer (nobody without one), duplicates and those who may not see the ticket removed.
pub fn expand(group: &Group, roster: &Roster, departments: &[DepartmentId]) -> Expansion {
    let named: BTreeSet<EmployeeId> = group.employees.iter().copied().collect();
    let mut teams: BTreeSet<TeamId> = group.teams.iter().copied().collect();
    let mut unserved_teams = BTreeSet::new();
    let mut other_teams = BTreeSet::new();
    for meta_team in group.meta_teams.iter().filter_map(|id| roster.meta_teams.get(id)) {
        // A customer may still name a team that has left the meta team since; it serves no more.
        match meta_team.serving.filter(|team| meta_team.teams.contains(team)) {
            Some(serving) => {
                teams.insert(serving);
                other_teams.extend(meta_team.teams.iter().copied().filter(|team| *team != serving));
            }
            None => unserved_teams.extend(meta_team.teams.iter().copied()),
        }
    }

    let mut expansion = Expansion::default();
    let mut met = BTreeSet::new();
    for colleague in &roster.colleagues {
        let of = |teams: &BTreeSet<TeamId>| colleague.teams.iter().any(|team| teams.contains(team));
        let meant = named.contains(&colleague.id)
            || colleague.departments.iter().any(|department| group.departments.contains(department))
            || of(&teams);
        let reason = if !meant && of(&unserved_teams) {
            LeftOutReason::NoLocalTeam
        } else if !meant && of(&other_teams) {
            LeftOutReason::OtherLocalTeam
        } else if !meant {
            continue;
        } else if colleague.removed {
            LeftOutReason::Removed
        } else if !roster.isolation.admits(&colleague.departments, departments) {
            LeftOutReason::NotVisible
        } else {
            if met.insert(colleague.id) {
                expansion.eligible.push(colleague.id);
            }
            continue;
        };
        // Somebody who left is only worth a word when named; otherwise every former member would fill the record.
        if colleague.removed && !named.contains(&colleague.id) {
            continue;
        }
        if met.insert(colleague.id) {
            expansion.left_out.push(LeftOut { employee: colleague.id, reason });
        }
    }
    // Named, and never heard of: the directory knows nobody of that id.
    for employee in named.into_iter().filter(|employee| !met.contains(employee)) {
        expansion.left_out.push(LeftOut { employee, reason: LeftOutReason::Removed });
    }
    expansion.eligible.sort_unstable();
    expansion.left_out.sort_unstable();
    expansion
}

#[cfg(test)]
mod tests {
    use callboard_kernel::DepartmentId;
    use uuid::Uuid;

    use super::*;

    fn employee(number: u128) -> EmployeeId {
        Uuid::from_u128(number).into()
    }
    fn team(number: u128) -> TeamId {
        Uuid::from_u128(100 + number).into()
    }
    fn department(number: u128) -> DepartmentId {
        Uuid::from_u128(200 + number).into()
    }
    fn meta(number: u128) -> MetaTeamId {
        Uuid::from_u128(300 + number).into()
    }
    fn colleague(number: u128, departments: &[u128], teams: &[u128]) -> Colleague {
        Colleague {
            id: employee(number),
            departments: departments.iter().map(|number| department(*number)).collect(),
            teams: teams.iter().map(|number| team(*number)).collect(),
            removed: false,
        }
    }
    fn left_out(expansion: &Expansion) -> Vec<(EmployeeId, LeftOutReason)> {
        expansion.left_out.iter().map(|left| (left.employee, left.reason)).collect()
    }

    #[test]
    fn f_2_departments_and_teams_become_employees_once_each() {
        let group = Group {
            employees: vec![employee(1), employee(1)],
            departments: vec![department(1)],
            teams: vec![team(1)],
            ..Group::named(Uuid::nil().into(), "Night shift")
        };
        let roster = Roster {
            colleagues: vec![
                colleague(1, &[1], &[1]),
                colleague(2, &[1], &[]),
                colleague(3, &[], &[1]),
                colleague(4, &[2], &[2]),
            ],
            ..Roster::default()
        };
        let expansion = expand(&group, &roster, &[]);
        assert_eq!(expansion.eligible, [employee(1), employee(2), employee(3)]);
        assert!(expansion.left_out.is_empty());
    }

    #[test]
    fn f_2_a_meta_team_means_the_local_team_that_serves_the_customer() {
        let group = Group { meta_teams: vec![meta(1)], ..Group::named(Uuid::nil().into(), "Technicians") };
        let mut roster = Roster {
            colleagues: vec![colleague(1, &[], &[1]), colleague(2, &[], &[2])],
            meta_teams: [(meta(1), MetaTeam { teams: vec![team(1), team(2)], serving: Some(team(2)) })]
                .into(),
            ..Roster::default()
        };
        let expansion = expand(&group, &roster, &[]);
        assert_eq!(expansion.eligible, [employee(2)]);
        assert_eq!(left_out(&expansion), [(employee(1), LeftOutReason::OtherLocalTeam)]);

        // Without a customer: nobody.
        roster.meta_teams.insert(meta(1), MetaTeam { teams: vec![team(1), team(2)], serving: None });
        let expansion = expand(&group, &roster, &[]);
        assert!(expansion.eligible.is_empty());
        assert_eq!(
            left_out(&expansion),
            [(employee(1), LeftOutReason::NoLocalTeam), (employee(2), LeftOutReason::NoLocalTeam)]
        );
    }

    #[test]
    fn f_2_those_who_may_not_see_the_ticket_are_left_out() {
        let group = Group {
            employees: vec![employee(1), employee(2), employee(3)],
            ..Group::named(Uuid::nil().into(), "All")
        };
        let roster = Roster {
            isolation: Isolation::Strict,
            colleagues: vec![colleague(1, &[1], &[]), colleague(2, &[2], &[]), colleague(3, &[], &[])],
            ..Roster::default()
        };
        let expansion = expand(&group, &roster, &[department(1)]);
        assert_eq!(expansion.eligible, [employee(1), employee(3)]);
        assert_eq!(left_out(&expansion), [(employee(2), LeftOutReason::NotVisible)]);
    }

    #[test]
    fn f_10_somebody_who_left_is_recorded_when_named() {
        let group = Group {
            employees: vec![employee(1), employee(9)],
            teams: vec![team(1)],
            ..Group::named(Uuid::nil().into(), "All")
        };
        let gone = |number| Colleague { removed: true, ..colleague(number, &[], &[1]) };
        let roster = Roster { colleagues: vec![gone(1), gone(2)], ..Roster::default() };
        let expansion = expand(&group, &roster, &[]);
        assert!(expansion.eligible.is_empty());
        assert_eq!(
            left_out(&expansion),
            [(employee(1), LeftOutReason::Removed), (employee(9), LeftOutReason::Removed)]
        );
    }
}
