//! Customers and their logins.

use std::collections::BTreeMap;
use std::str::FromStr;

use callboard_kernel::{CustomerId, Language, Principal, Role, UnknownWord};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::named::removable;
use crate::{Email, Entity, Facts, MetaTeamId, Name, Reference, Refused, TeamId};

/// Private or corporate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CustomerKind {
    /// A person.
    #[default]
    Private,
    /// A company; may have logins.
    Corporate,
}

impl CustomerKind {
    /// Stable word, lower case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Private => "private",
            Self::Corporate => "corporate",
        }
    }
}

impl FromStr for CustomerKind {
    type Err = UnknownWord;
    fn from_str(word: &str) -> Result<Self, Self::Err> {
        match word {
            "private" => Ok(Self::Private),
            "corporate" => Ok(Self::Corporate),
            _ => Err(UnknownWord { what: "kind of customer", word: word.to_owned() }),
        }
    }
}

/// Owns devices. One with devices cannot be removed; its logins go with it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Customer {
    /// For people.
    pub name: Name,
    /// Private or corporate.
    pub kind: CustomerKind,
    /// Which local team of a meta team serves this customer.
    pub serving: BTreeMap<MetaTeamId, TeamId>,
}

impl Entity for Customer {
    const KIND: &'static str = "customer";
    const NOUN: &'static str = "customer";
    const FIELDS: &'static [&'static str] = &["name", "kind", "serving_team_ids"];
    const WRITERS: Role = Role::Moderator;

    fn take(&mut self, field: &str, from: &Self) {
        match field {
            "name" => self.name = from.name.clone(),
            "kind" => self.kind = from.kind,
            "serving_team_ids" => self.serving.clone_from(&from.serving),
            _ => {}
        }
    }

    /// A customer user is a *corporate* customer's login, so a customer with logins stays corporate.
    fn check(
        _id: Uuid,
        before: Option<&Self>,
        after: Option<&Self>,
        _principal: &Principal,
        facts: &Facts,
    ) -> Result<(), Refused> {
        let becomes_private = after.is_some_and(|after| after.kind == CustomerKind::Private)
            && before.is_some_and(|before| before.kind == CustomerKind::Corporate);
        if becomes_private && facts.has_users {
            return Err(Refused::InUse { by: "customer users" });
        }
        removable(after.is_none(), facts)
    }

    fn forget(&mut self, reference: &Reference) {
        match reference {
            Reference::Team(team) => self.serving.retain(|_, id| id != team),
            Reference::MetaTeam(meta) => drop(self.serving.remove(meta)),
            Reference::ServingTeams(meta, teams) => {
                self.serving.retain(|id, team| id != meta || teams.contains(team));
            }
        }
    }
}

/// A corporate customer's own login.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomerUser {
    /// The company. Never changes: another company's login is another login.
    pub customer: CustomerId,
    /// For people.
    pub name: Name,
    /// Unique in the organisation, employees included.
    pub email: Email,
    /// For what is shown and sent.
    pub language: Language,
    /// Access tokens with a lower epoch no longer count.
    pub auth_epoch: i64,
}

impl Default for CustomerUser {
    fn default() -> Self {
        Self {
            customer: CustomerId(Uuid::nil()),
            name: Name::default(),
            email: Email::default(),
            language: Language::default(),
            auth_epoch: 0,
        }
    }
}

impl Entity for CustomerUser {
    const KIND: &'static str = "customer_user";
    const NOUN: &'static str = "customer user";
    const FIELDS: &'static [&'static str] = &["name", "email", "language"];
    const WRITERS: Role = Role::Moderator;

    fn take(&mut self, field: &str, from: &Self) {
        match field {
            "name" => self.name = from.name.clone(),
            "email" => self.email = from.email.clone(),
            "language" => self.language = from.language,
            _ => {}
        }
    }

    fn settle(before: &Self, after: &mut Self) {
        after.auth_epoch = before.auth_epoch;
    }

    fn tombstone(&self) -> Self {
        Self { auth_epoch: self.auth_epoch + 1, customer: self.customer, ..Self::default() }
    }
}
