//! The journal against Postgres and in memory.

mod contract;
mod postgres;
mod sample;
