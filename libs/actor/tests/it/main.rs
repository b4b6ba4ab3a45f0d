//! The runtime against a store that fails on demand.

mod fake;
mod rules;
mod stress;
