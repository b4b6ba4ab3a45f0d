//! The words of the context, as stored and as in the timeline.

use std::fmt;
use std::str::FromStr;

use callboard_kernel::UnknownWord;
use serde::{Deserialize, Serialize};

macro_rules! words {
    ($(#[$doc:meta])* $name:ident, $what:literal { $($(#[$variant_doc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "SCREAMING_SNAKE_CASE")]
        pub enum $name { $($(#[$variant_doc])* $variant),+ }

        impl $name {
            /// All of them, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Stable word, upper case: as stored and as in the timeline.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = UnknownWord;
            fn from_str(word: &str) -> Result<Self, Self::Err> {
                match word {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(UnknownWord { what: $what, word: word.to_owned() }),
                }
            }
        }
    };
}

words! {
    /// Where a ticket stands.
    Status, "ticket status" {
        /// Entwurf. Seen by its author; no offer goes out (T-2).
        Draft = "DRAFT",
        /// Offen.
        Open = "OPEN",
        /// Zugewiesen.
        Assigned = "ASSIGNED",
        /// In Bearbeitung.
        InProgress = "IN_PROGRESS",
        /// Fertig. Waits for the rating (T-8).
        Done = "DONE",
        /// Geschlossen.
        Closed = "CLOSED",
        /// Abgebrochen.
        Cancelled = "CANCELLED",
    }
}

impl Status {
    /// True where code users and customer users may not write any more (T-9).
    pub const fn is_locked(self) -> bool {
        matches!(self, Self::Closed | Self::Cancelled)
    }
}

words! {
    /// Who may see a ticket or an update.
    Visibility, "visibility" {
        /// Employees only.
        Internal = "INTERNAL",
        /// Also code users and customer users of the device.
        Public = "PUBLIC",
    }
}

words! {
    /// How urgent a ticket is. Ordered.
    Priority, "priority" {
        /// Can wait.
        Low = "LOW",
        /// As usual.
        Normal = "NORMAL",
        /// First.
        High = "HIGH",
    }
}

words! {
    /// The type of a step, and so of its answer (T-1).
    StepKind, "step kind" {
        /// One line, at most 500 characters.
        Text = "TEXT",
        /// At most 10,000 characters.
        LongText = "LONG_TEXT",
        /// One of the choices.
        SingleChoice = "SINGLE_CHOICE",
        /// Some of the choices.
        MultipleChoice = "MULTIPLE_CHOICE",
        /// A finite number.
        Number = "NUMBER",
        /// A calendar date.
        Date = "DATE",
        /// Yes or no.
        YesNo = "YES_NO",
        /// References to attachments.
        Attachment = "ATTACHMENT",
        /// How to reach the person.
        Contact = "CONTACT",
    }
}

impl StepKind {
    /// True for the kinds that have choices.
    pub const fn has_choices(self) -> bool {
        matches!(self, Self::SingleChoice | Self::MultipleChoice)
    }

    /// True for the kinds whose answer can become a title.
    pub const fn can_be_title(self) -> bool {
        matches!(self, Self::Text | Self::LongText | Self::SingleChoice | Self::Number | Self::Date)
    }
}
