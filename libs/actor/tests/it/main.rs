//! The runtime against a store that fails on demand.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot be set up should stop loudly"
)]

mod fake;
mod rules;
mod stress;
