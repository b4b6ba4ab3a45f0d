//! Pure decisions of the messenger context: conversations of tickets and what is said in them (M-1 to M-7).
//!
//! One aggregate: [`Conversation`], one per ticket; its id is the ticket's. It knows who may write and how far people
//! have read, and gives sequences. It does not hold messages: those are rows, and what a decision about one needs
//! comes with the command.

pub mod conversation;
mod text;

pub use conversation::Conversation;
pub use text::{MAX_TEXT, check_text};

pub(crate) use callboard_kernel::words;
