//! All contexts in one process on a local Postgres and NATS.
