//! Department isolation: who sees what of an organisation.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{DepartmentId, UnknownWord};

/// How far departments separate employees (domain.md, "Department isolation").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Isolation {
    /// Everybody sees all.
    #[default]
    Off,
    /// Sees what shares a department, and what has none.
    Basic,
    /// Sees only what shares a department.
    Strict,
}

impl Isolation {
    /// Stable word, lower case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Basic => "basic",
            Self::Strict => "strict",
        }
    }

    /// Whether an employee with these departments sees what has those. An employee without departments sees all.
    pub fn admits(self, employee: &[DepartmentId], thing: &[DepartmentId]) -> bool {
        match self {
            Self::Off => true,
            Self::Basic | Self::Strict if employee.is_empty() => true,
            Self::Basic if thing.is_empty() => true,
            Self::Basic | Self::Strict => thing.iter().any(|department| employee.contains(department)),
        }
    }
}

impl FromStr for Isolation {
    type Err = UnknownWord;
    fn from_str(word: &str) -> Result<Self, Self::Err> {
        match word {
            "off" => Ok(Self::Off),
            "basic" => Ok(Self::Basic),
            "strict" => Ok(Self::Strict),
            _ => Err(UnknownWord { what: "isolation", word: word.to_owned() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn isolation_table() {
        let a = DepartmentId(Uuid::from_u128(1));
        let b = DepartmentId(Uuid::from_u128(2));
        // (mode, employee, thing, sees)
        let table: [(Isolation, &[DepartmentId], &[DepartmentId], bool); 10] = [
            (Isolation::Off, &[a], &[b], true),
            (Isolation::Basic, &[], &[b], true),
            (Isolation::Basic, &[a], &[], true),
            (Isolation::Basic, &[a], &[a, b], true),
            (Isolation::Basic, &[a], &[b], false),
            (Isolation::Strict, &[], &[], true),
            (Isolation::Strict, &[], &[b], true),
            (Isolation::Strict, &[a], &[], false),
            (Isolation::Strict, &[a], &[a], true),
            (Isolation::Strict, &[a], &[b], false),
        ];
        for (mode, employee, thing, sees) in table {
            assert_eq!(mode.admits(employee, thing), sees, "{mode:?} {employee:?} {thing:?}");
        }
    }
}
