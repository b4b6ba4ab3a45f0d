//! All contexts in one process on a local Postgres and NATS: `make run`.
//!
//! The one place that composes services. Also the demo organisation ([`seed`]) and the life that `make demo` plays.

pub mod demo;
pub mod log;
pub mod organisation;
pub mod platform;
pub mod rest;
pub mod seed;
pub mod tour;
