//! Commit units, group committer, receipts, outbox relay, timers, dead letters; Postgres and in-memory stores.
//!
//! A context describes its tables ([`Table`], [`Schema`]) and how its aggregate maps to their rows ([`Mapping`]).
//! The journal writes rows, receipts, outbox events and timers of many aggregates in one statement, and the rest
//! (publishing, healing, firing timers, keeping dead letters) follows from what is in Postgres.

mod cells;
mod committer;
mod mapping;
pub mod metric_names;
mod postgres;
mod prepared;
mod rows;
mod statement;

pub use cells::{Cells, selected};
pub use mapping::{Mapping, Record, TimerChange};
pub use postgres::{JournalOptions, PgJournal, PgStore, migrate};
pub use rows::{Column, ColumnType, Corrupt, Row, RowChange, Rows, Schema, Table, Value};
