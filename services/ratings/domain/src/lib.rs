//! Pure decisions of the ratings context: who is asked to rate, and what was given.
//!
//! Two aggregates: [`RatingRequest`] (one per subject, its id is the subject's) and [`SwitchSet`] (one per template,
//! its id is the template's).

pub mod request;
pub mod switches;

pub use request::RatingRequest;
pub use switches::{SwitchSet, Switches};

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
