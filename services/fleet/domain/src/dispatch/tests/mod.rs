//! Each rule under its number, and random lives.

mod invariants;
mod rules;
mod world;
