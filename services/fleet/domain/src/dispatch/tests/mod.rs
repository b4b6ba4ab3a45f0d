//! Each rule under its number, and random lives.

mod devices;
mod invariants;
mod rules;
mod world;
