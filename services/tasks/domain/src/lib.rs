//! Pure decisions of the tasks context: what is to be done on devices, and when (K-1 to K-5).
//!
//! Four aggregates: [`Definition`] (what is done again and again), [`DeviceEvent`] (when, on which device), [`Task`]
//! (somebody is to do it now) and [`Feed`] (a calendar that programs subscribe to).

pub mod definition;
pub mod device_event;
pub mod feed;
pub mod recurrence;
pub mod task;
mod text;

pub use definition::Definition;
pub use device_event::DeviceEvent;
pub use feed::Feed;
pub use task::Task;

use callboard_kernel::{CustomerId, DepartmentId, TemplateId};
use serde::{Deserialize, Serialize};

callboard_kernel::define_id! {
    /// A definition of a template.
    DefinitionId
}
callboard_kernel::define_id! {
    /// An event of a device.
    DeviceEventId
}
callboard_kernel::define_id! {
    /// A task.
    TaskId
}
callboard_kernel::define_id! {
    /// A step of a definition or a task.
    StepId
}

/// The most employees that are assigned to one task.
pub const MAX_ASSIGNEES: usize = 50;

/// Where a device stands: what decides who sees what hangs on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Its template.
    pub template: TemplateId,
    /// Whose it is.
    pub customer: Option<CustomerId>,
    /// For isolation.
    pub departments: Vec<DepartmentId>,
}

/// Makes an enum of stable words: `as_str`, `FromStr` and nothing else.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident as $what:literal { $($(#[$variant_doc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)+
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

words! {
    /// Who sees a task or a device event.
    Visibility as "visibility" {
        /// Employees only.
        Internal = "INTERNAL",
        /// Also code users of the device and users of the customer.
        External = "EXTERNAL",
    }
}

#[cfg(test)]
mod world;
