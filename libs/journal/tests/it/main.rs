//! The journal against Postgres and in memory.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should stop loudly")]

mod actors;
mod contract;
mod dead_letters;
mod delivery;
mod leases;
mod postgres;
mod relay;
mod relay_faults;
mod retention;
mod sample;
mod timers;
