//! The bus against a real nats-server, and in memory by the same rules.

#![expect(clippy::unwrap_used, reason = "a test can do nothing else")]

mod consumer;
mod log;
mod support;
mod tail;
mod whisper;
