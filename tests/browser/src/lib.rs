//! Pages of a real Chromium, driven over the DevTools protocol.
//!
//! Everything here panics with a sentence that says what was wanted, since a test can do nothing else.
#![expect(clippy::missing_panics_doc, reason = "tests only: see above")]

mod devtools;
mod page;

pub use devtools::{Browser, Visit};
pub use page::Page;
