//! The architecture's rules (docs/architecture.md), read from `cargo metadata` and the sources.

mod dependencies;
mod errors;
mod handlers;
mod sources;
