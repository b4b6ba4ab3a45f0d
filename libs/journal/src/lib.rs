//! Commit units, group committer, receipts, outbox relay, timers, dead letters; Postgres and in-memory stores.
