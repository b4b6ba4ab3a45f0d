//! Pure decisions of the messenger context: conversations of tickets and what is said in them (M-1 to M-7).
//!
//! One aggregate: [`Conversation`], one per ticket; its id is the ticket's. It knows who may write and how far people
//! have read, and gives sequences. It does not hold messages: those are rows, and what a decision about one needs
//! comes with the command.

pub mod conversation;
mod text;

pub use conversation::Conversation;
pub use text::{MAX_TEXT, check_text};

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
