//! The rules of the directory, one test each, and its state machines driven at random.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up should stop loudly")]

mod codes;
mod machines;
mod records;
mod sessions;
mod world;
