//! Employees.

use callboard_kernel::{DepartmentId, Language, Principal, Role};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Email, Entity, Facts, Name, Reference, Refused, TeamId};

/// A field of work at the support desk. Whoever has one is a support agent; what an agent may do does not depend on which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SupportRole {
    /// Service requests, care coordination among them.
    Care,
    /// Domain approvals and permission requests.
    Access,
    /// Accounts, purchases and seats.
    Sales,
}

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
    /// Each once, in order; none: no support agent.
    pub support_roles: Vec<SupportRole>,
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
            support_roles: Vec::new(),
            auth_epoch: 0,
        }
    }
}

impl Entity for Employee {
    const KIND: &'static str = "employee";
    const NOUN: &'static str = "employee";
    const FIELDS: &'static [&'static str] =
        &["name", "email", "role", "language", "department_ids", "team_ids", "support_roles"];
    const WRITERS: Role = Role::Administrator;

    fn take(&mut self, field: &str, from: &Self) {
        match field {
            "name" => self.name = from.name.clone(),
            "email" => self.email = from.email.clone(),
            "role" => self.role = from.role,
            "language" => self.language = from.language,
            "department_ids" => self.departments.clone_from(&from.departments),
            "team_ids" => self.teams.clone_from(&from.teams),
            "support_roles" => self.support_roles.clone_from(&from.support_roles),
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
