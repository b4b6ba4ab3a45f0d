//! Who is asking.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    CodeId, CodeSessionId, CustomerId, CustomerUserId, DepartmentId, DeviceId, EmployeeId, OrganisationId,
};

/// A word that is not one of the known ones.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown {what}: {word:?}")]
pub struct UnknownWord {
    /// What was looked for: `role`, `language`.
    pub what: &'static str,
    /// What was found.
    pub word: String,
}

/// The role of an employee. Ordered: each has the rights of those below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Takes part.
    Member,
    /// Steers tickets and fleet, edits templates' parts.
    Moderator,
    /// Also keeps employees, roles, departments and codes.
    Administrator,
}

impl Role {
    /// Stable word, lower case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Moderator => "moderator",
            Self::Administrator => "administrator",
        }
    }
}

impl FromStr for Role {
    type Err = UnknownWord;
    fn from_str(word: &str) -> Result<Self, Self::Err> {
        match word {
            "member" => Ok(Self::Member),
            "moderator" => Ok(Self::Moderator),
            "administrator" => Ok(Self::Administrator),
            _ => Err(UnknownWord { what: "role", word: word.to_owned() }),
        }
    }
}

/// A language Callboard speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Language {
    /// English.
    #[default]
    En,
    /// German.
    De,
}

impl Language {
    /// BCP 47 primary language tag.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::De => "de",
        }
    }
}

impl FromStr for Language {
    type Err = UnknownWord;
    fn from_str(tag: &str) -> Result<Self, Self::Err> {
        match tag.split(['-', '_']).next().unwrap_or_default().to_ascii_lowercase().as_str() {
            "en" => Ok(Self::En),
            "de" => Ok(Self::De),
            _ => Err(UnknownWord { what: "language", word: tag.to_owned() }),
        }
    }
}

/// An authenticated caller: one organisation, one subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// The tenant. Every query is scoped by it.
    pub organisation: OrganisationId,
    /// Who it is.
    pub subject: Subject,
    /// The language of the profile.
    pub language: Language,
}

/// The kinds of callers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// A logged-in person of the organisation.
    Employee(Employee),
    /// A person without login who scanned a code.
    CodeUser(CodeUser),
    /// A corporate customer's own login.
    CustomerUser(CustomerUser),
    /// Callboard itself: reactions to events, timers.
    System,
}

/// A logged-in person of the organisation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Employee {
    /// Who.
    pub id: EmployeeId,
    /// Exactly one role.
    pub role: Role,
    /// Departments, for isolation; none: sees all.
    pub departments: Vec<DepartmentId>,
}

/// A person without login: sees one device and its public things.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeUser {
    /// The visit.
    pub session: CodeSessionId,
    /// The code that was scanned.
    pub code: CodeId,
    /// The device the code was paired to when it was scanned.
    pub device: DeviceId,
}

/// A corporate customer's own login: a code user's rights on its own company's devices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomerUser {
    /// Who.
    pub id: CustomerUserId,
    /// The company.
    pub customer: CustomerId,
}

impl Principal {
    /// The system acting within an organisation.
    pub const fn system(organisation: OrganisationId) -> Self {
        Self { organisation, subject: Subject::System, language: Language::En }
    }

    /// The employee, if it is one.
    pub const fn employee(&self) -> Option<&Employee> {
        match &self.subject {
            Subject::Employee(employee) => Some(employee),
            Subject::CodeUser(_) | Subject::CustomerUser(_) | Subject::System => None,
        }
    }

    /// True for employees of at least this role.
    pub fn has_role(&self, role: Role) -> bool {
        self.employee().is_some_and(|employee| employee.role >= role)
    }

    /// True for moderators and administrators.
    pub fn is_moderator(&self) -> bool {
        self.has_role(Role::Moderator)
    }

    /// True for code users and customer users: those from outside.
    pub const fn is_outsider(&self) -> bool {
        matches!(self.subject, Subject::CodeUser(_) | Subject::CustomerUser(_))
    }

    /// Whether somebody from outside may call their own what `maker` made from outside, and so take it back. That they see
    /// it, and with it that it is of their device or company, is judged before.
    ///
    /// A code user: what was made by scanning, on the device that the caller stands before. A visit lasts an hour; whoever
    /// scans the code again tomorrow may still take back what was asked for. What was made under a company's login is
    /// not theirs: a passer-by does not take it back. A customer user: whatever was made from outside. Nothing is an
    /// employee's by this rule, and nothing that an employee made is anybody's.
    pub const fn calls_own(&self, maker: Actor) -> bool {
        match (&self.subject, maker) {
            (Subject::CodeUser(_), Actor::CodeUser(_))
            | (Subject::CustomerUser(_), Actor::CodeUser(_) | Actor::CustomerUser(_)) => true,
            (
                Subject::CodeUser(_) | Subject::CustomerUser(_) | Subject::Employee(_) | Subject::System,
                Actor::CodeUser(_) | Actor::CustomerUser(_) | Actor::Employee(_) | Actor::System,
            ) => false,
        }
    }

    /// The reference that records keep.
    pub const fn actor(&self) -> Actor {
        match &self.subject {
            Subject::Employee(employee) => Actor::Employee(employee.id),
            Subject::CodeUser(user) => Actor::CodeUser(user.session),
            Subject::CustomerUser(user) => Actor::CustomerUser(user.id),
            Subject::System => Actor::System,
        }
    }
}

/// Who did something, by reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", content = "id", rename_all = "snake_case")]
pub enum Actor {
    /// An employee.
    Employee(EmployeeId),
    /// A code user, by session.
    CodeUser(CodeSessionId),
    /// A customer user.
    CustomerUser(CustomerUserId),
    /// Callboard itself.
    System,
}

impl Actor {
    /// The id, where there is one.
    pub const fn id(self) -> Option<Uuid> {
        match self {
            Self::Employee(id) => Some(id.uuid()),
            Self::CodeUser(id) => Some(id.uuid()),
            Self::CustomerUser(id) => Some(id.uuid()),
            Self::System => None,
        }
    }
}

/// `employee:<uuid>`, `code_user:<uuid>`, `customer_user:<uuid>`, `system`: as stored and as in `authid`.
impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Employee(id) => write!(f, "employee:{id}"),
            Self::CodeUser(id) => write!(f, "code_user:{id}"),
            Self::CustomerUser(id) => write!(f, "customer_user:{id}"),
            Self::System => f.write_str("system"),
        }
    }
}

impl FromStr for Actor {
    type Err = UnknownWord;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unknown = || UnknownWord { what: "actor", word: text.to_owned() };
        if text == "system" {
            return Ok(Self::System);
        }
        let (kind, id) = text.split_once(':').ok_or_else(unknown)?;
        let id: Uuid = id.parse().map_err(|_| unknown())?;
        match kind {
            "employee" => Ok(Self::Employee(id.into())),
            "code_user" => Ok(Self::CodeUser(id.into())),
            "customer_user" => Ok(Self::CustomerUser(id.into())),
            _ => Err(unknown()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_ordered() {
        assert!(Role::Administrator > Role::Moderator && Role::Moderator > Role::Member);
    }

    #[test]
    fn an_actor_survives_its_text() {
        for actor in [
            Actor::System,
            Actor::Employee(Uuid::from_u128(7).into()),
            Actor::CodeUser(Uuid::from_u128(8).into()),
        ] {
            assert_eq!(actor.to_string().parse(), Ok(actor));
        }
        assert!("employee:x".parse::<Actor>().is_err());
    }
}
