//! Where the directory keeps things: tables, mappings, and what is read from them.

mod code;
mod error;
pub mod keys;
pub mod lookups;
mod organisation;
mod people;
pub mod read;
mod record;
mod seal;
mod session;
#[cfg(test)]
mod tests;
mod things;

pub use code::CodeMapping;
pub use error::ReadError;
pub use keys::SigningKeys;
pub use record::{RecordMapping, Stored};
pub use seal::KeyEncryption;
pub use session::SessionMapping;
