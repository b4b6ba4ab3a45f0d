//! The directory from outside: a real service on a real Postgres and NATS, called through gRPC.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up should stop loudly")]

mod codes;
mod devices;
mod events;
mod keys;
mod records;
mod sessions;
mod together;
mod world;
