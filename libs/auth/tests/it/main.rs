//! Verification of access tokens against a key server on loopback.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up should stop loudly")]

mod keys;
mod support;
mod tokens;
