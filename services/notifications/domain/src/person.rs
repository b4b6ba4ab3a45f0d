//! Who is told.

use std::fmt;
use std::str::FromStr;

use callboard_kernel::{Actor, CodeId, CustomerUserId, EmployeeId, Principal, Subject, UnknownWord};
use uuid::Uuid;

/// Who has a drawer. Visitors who came by a code share that of the code (N-4): they have no name of their own, and the
/// next visit is another session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Person {
    /// An employee.
    Employee(EmployeeId),
    /// A customer user.
    CustomerUser(CustomerUserId),
    /// Everybody who scans this code.
    Code(CodeId),
}

impl Person {
    /// Whose drawer a caller has; the system has none.
    pub const fn of(principal: &Principal) -> Option<Self> {
        match &principal.subject {
            Subject::Employee(employee) => Some(Self::Employee(employee.id)),
            Subject::CustomerUser(user) => Some(Self::CustomerUser(user.id)),
            Subject::CodeUser(user) => Some(Self::Code(user.code)),
            Subject::System => None,
        }
    }

    /// The id of employee, customer user or code.
    pub const fn id(self) -> Uuid {
        match self {
            Self::Employee(id) => id.uuid(),
            Self::CustomerUser(id) => id.uuid(),
            Self::Code(id) => id.uuid(),
        }
    }

    /// True for those from outside: they see what is public (T-13).
    pub const fn is_outsider(self) -> bool {
        matches!(self, Self::CustomerUser(_) | Self::Code(_))
    }

    /// Whether this one did what the actor did. Records name a visit, not its code, so whatever any visitor did is of
    /// the code's own.
    pub fn is(self, actor: Actor) -> bool {
        match (self, actor) {
            (Self::Employee(id), Actor::Employee(other)) => id == other,
            (Self::CustomerUser(id), Actor::CustomerUser(other)) => id == other,
            (Self::Code(_), Actor::CodeUser(_)) => true,
            _ => false,
        }
    }
}

/// `employee:<uuid>`, `customer_user:<uuid>`, `code:<uuid>`: as stored.
impl fmt::Display for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Employee(id) => write!(f, "employee:{id}"),
            Self::CustomerUser(id) => write!(f, "customer_user:{id}"),
            Self::Code(id) => write!(f, "code:{id}"),
        }
    }
}

impl FromStr for Person {
    type Err = UnknownWord;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unknown = || UnknownWord { what: "person", word: text.to_owned() };
        let (kind, id) = text.split_once(':').ok_or_else(unknown)?;
        let id: Uuid = id.parse().map_err(|_| unknown())?;
        match kind {
            "employee" => Ok(Self::Employee(id.into())),
            "customer_user" => Ok(Self::CustomerUser(id.into())),
            "code" => Ok(Self::Code(id.into())),
            _ => Err(unknown()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_survives_its_text() {
        let id = Uuid::from_u128(7);
        for person in [Person::Employee(id.into()), Person::CustomerUser(id.into()), Person::Code(id.into())]
        {
            assert_eq!(person.to_string().parse(), Ok(person));
        }
        assert!("employee:x".parse::<Person>().is_err());
    }
}
