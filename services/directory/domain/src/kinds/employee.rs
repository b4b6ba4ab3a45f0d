//! Employees.

use callboard_kernel::{DepartmentId, Language, Principal, Role};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Email, Entity, Facts, Name, Reference, Refused, TeamId};

/// A logged-in person of the organisation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Employee {
    /// For people.
    pub name: Name,
    /// Unique in the organisation, customer users included.
    pub email: Email,
    /// Exactly one.
    pub role: Role,
    /// For what is shown and sent.
    pub language: Language,
    /// For isolation; none: sees all. Each once.
    pub departments: Vec<DepartmentId>,
    /// Local teams, each once.
    pub teams: Vec<TeamId>,
    /// Access tokens with a lower epoch no longer count. Rises with role, departments and removal.
    pub auth_epoch: i64,
}

impl Default for Employee {
    fn default() -> Self {
        Self {
            name: Name::default(),
            email: Email::default(),
            role: Role::Member,
            language: Language::default(),
            departments: Vec::new(),
            teams: Vec::new(),
            auth_epoch: 0,
        }
    }
}

impl Entity for Employee {
    const KIND: &'static str = "employee";
    const NOUN: &'static str = "employee";
    const FIELDS: &'static [&'static str] =
        &["name", "email", "role", "language", "department_ids", "team_ids"];
    const WRITERS: Role = Role::Administrator;

    fn take(&mut self, field: &str, from: &Self) {
        match field {
            "name" => self.name = from.name.clone(),
            "email" => self.email = from.email.clone(),
            "role" => self.role = from.role,
            "language" => self.language = from.language,
            "department_ids" => self.departments.clone_from(&from.departments),
            "team_ids" => self.teams.clone_from(&from.teams),
            _ => {}
        }
    }

    fn departments(&self) -> Option<&[DepartmentId]> {
        Some(&self.departments)
    }

    fn check(
        _id: Uuid,
        before: Option<&Self>,
        after: Option<&Self>,
        _principal: &Principal,
        facts: &Facts,
    ) -> Result<(), Refused> {
        let is = |employee: Option<&Self>| employee.is_some_and(|one| one.role == Role::Administrator);
        if is(before) && !is(after) && facts.no_other_administrator {
            return Err(Refused::LastAdministrator);
        }
        Ok(())
    }

    fn settle(before: &Self, after: &mut Self) {
        after.auth_epoch = before.auth_epoch;
        if before.role != after.role || before.departments != after.departments {
            after.auth_epoch += 1;
        }
    }

    fn tombstone(&self) -> Self {
        Self { auth_epoch: self.auth_epoch + 1, ..Self::default() }
    }

    fn forget(&mut self, reference: &Reference) {
        if let Reference::Team(team) = reference {
            self.teams.retain(|id| id != team);
        }
    }
}
