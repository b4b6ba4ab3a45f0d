//! The chassis, seen from outside: a small service is started, called, watched and stopped.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up should stop loudly")]

mod backed;
mod calls;
mod collector;
mod config;
mod connections;
mod lifecycle;
mod operate;
mod pool;
mod support;
mod traces;
