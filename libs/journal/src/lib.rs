//! Commit units, group committer, receipts, outbox relay, timers, dead letters; Postgres and in-memory stores.
//!
//! A context describes its tables ([`Table`], [`Schema`]) and how its aggregate maps to their rows ([`Mapping`]).
//! The journal writes rows, receipts, outbox events and timers of many aggregates in one statement, and the rest
//! (publishing, healing, firing timers, keeping dead letters) follows from what is in Postgres.

mod cells;
mod committer;
mod dead_letter;
mod event_row;
mod failure;
mod gather;
mod healing;
mod leases;
mod mapping;
mod memory;
pub mod metric_names;
mod outbox;
mod place;
mod pool;
mod postgres;
mod prepared;
mod relay;
mod republish;
mod retention;
mod rows;
mod statement;
mod timers;

pub use cells::{Cells, selected};
pub use dead_letter::{DeadLetter, DeadLetterError, DeadLetters, Replay};
pub use gather::Gather;
pub use leases::PgLeases;
pub use mapping::{Mapping, Record, TimerChange};
pub use memory::{Fault, MemJournal, MemStore, MemTimer};
pub use outbox::{refused_events, release_refused};
pub use pool::{Lent, Pool};
pub use postgres::{JournalOptions, PgJournal, PgStore, migrate, pending_migrations};
pub use relay::{Flushed, Relay, RelayError, RelayHandle, RelayOptions};
pub use republish::republish;
pub use retention::{Removed, Retention, RetentionOptions};
pub use rows::{Column, ColumnType, Corrupt, Row, RowChange, Rows, Schema, Table, Value};
pub use timers::{DueTimer, TimerOptions, Timers};
