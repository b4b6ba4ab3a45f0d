//! What others hear of the directory, and what the directory does when it hears itself.

pub mod inbound;
mod outbound;

pub use outbound::{Announced, announce_code, announce_session};
