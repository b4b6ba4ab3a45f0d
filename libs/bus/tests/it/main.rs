//! The bus against a real nats-server, and in memory by the same rules.

mod consumer;
mod log;
mod support;
mod tail;
