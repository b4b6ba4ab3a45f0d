//! The tickets service from outside: a real server on a real Postgres and NATS, called as people and contexts call it.
#![allow(missing_docs)]
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should stop loudly")]
#![allow(clippy::result_large_err, reason = "what went wrong is looked at, not passed on")]

mod attachments;
mod drafts;
mod flows;
mod life;
mod lists;
mod numbers;
mod record;
mod redelivery;
mod rounds;
mod screen;
mod statements;
mod strangers;
mod support;
mod timers;
