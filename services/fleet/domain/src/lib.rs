//! Pure decisions of the fleet context: whom to offer a ticket, who takes it, who is asked next (F-1 to F-11).
//!
//! Two aggregates: [`Dispatch`] (one per ticket: offers, assignments, rounds) and [`GroupSet`] (one per template: the
//! ordered groups), and one pure function between them, [`expand`], which turns a group into people (F-2).

pub mod dispatch;
mod expand;
pub mod group;
mod ticket;

pub use dispatch::Dispatch;
pub use expand::{Colleague, Expansion, LeftOut, LeftOutReason, MetaTeam, Roster, expand};
pub use group::{Group, GroupSet};
pub use ticket::{Device, Sight, Ticket, TicketStatus, Visibility};

callboard_kernel::define_id! {
    /// An offer: an invitation to one employee to take one ticket.
    OfferId
}
callboard_kernel::define_id! {
    /// A group of a template (F-1).
    GroupId
}
callboard_kernel::define_id! {
    /// A local team.
    TeamId
}
callboard_kernel::define_id! {
    /// A meta team: a set of local teams.
    MetaTeamId
}

/// Makes an enum of stable words: `as_str`, `FromStr` and nothing else.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident as $what:literal { $($(#[$variant_doc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $name {
            $($(#[$variant_doc])* #[serde(rename = $word)] $variant,)+
        }

        impl $name {
            /// Every one of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Stable word, as stored.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = callboard_kernel::UnknownWord;
            fn from_str(word: &str) -> Result<Self, Self::Err> {
                match word {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(callboard_kernel::UnknownWord { what: $what, word: word.to_owned() }),
                }
            }
        }
    };
}
pub(crate) use words;
