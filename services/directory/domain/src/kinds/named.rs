//! Departments, teams, meta teams.

use callboard_kernel::{Principal, Role};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Entity, Facts, Name, Reference, Refused, TeamId};

/// Part of an organisation, for isolation.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Department {
    /// For people.
    pub name: Name,
}

impl Entity for Department {
    const KIND: &'static str = "department";
    const NOUN: &'static str = "department";
    const FIELDS: &'static [&'static str] = &["name"];
    const WRITERS: Role = Role::Administrator;

    fn take(&mut self, field: &str, from: &Self) {
        if field == "name" {
            self.name = from.name.clone();
        }
    }

    /// A department that employees or devices are in cannot be removed: an employee who lost the only department
    /// would see everything, and in basic isolation everybody would see such a device.
    fn check(
        _id: Uuid,
        _before: Option<&Self>,
        after: Option<&Self>,
        _principal: &Principal,
        facts: &Facts,
    ) -> Result<(), Refused> {
        removable(after.is_none(), facts)
    }
}

/// A local team. Membership is kept at the employee. Removing it drops it wherever it is named.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Team {
    /// For people.
    pub name: Name,
}

impl Entity for Team {
    const KIND: &'static str = "team";
    const NOUN: &'static str = "team";
    const FIELDS: &'static [&'static str] = &["name"];
    const WRITERS: Role = Role::Administrator;

    fn take(&mut self, field: &str, from: &Self) {
        if field == "name" {
            self.name = from.name.clone();
        }
    }
}

/// A set of local teams. Removing it drops it from the customers it serves.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetaTeam {
    /// For people.
    pub name: Name,
    /// The local teams it is a set of, each once.
    pub teams: Vec<TeamId>,
}

impl Entity for MetaTeam {
    const KIND: &'static str = "meta_team";
    const NOUN: &'static str = "meta team";
    const FIELDS: &'static [&'static str] = &["name", "team_ids"];
    const WRITERS: Role = Role::Administrator;

    fn take(&mut self, field: &str, from: &Self) {
        match field {
            "name" => self.name = from.name.clone(),
            "team_ids" => self.teams.clone_from(&from.teams),
            _ => {}
        }
    }

    fn forget(&mut self, reference: &Reference) {
        if let Reference::Team(team) = reference {
            self.teams.retain(|id| id != team);
        }
    }
}

/// A rule of several kinds: what something else needs cannot be removed.
pub(super) fn removable(removes: bool, facts: &Facts) -> Result<(), Refused> {
    match facts.used_by {
        Some(by) if removes => Err(Refused::InUse { by }),
        _ => Ok(()),
    }
}
