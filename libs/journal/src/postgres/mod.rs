//! The store on Postgres.

mod migrate;

pub use migrate::migrate;
