//! The rules of the directory, one test each, and its state machines driven at random.

mod codes;
mod machines;
mod records;
mod sessions;
mod world;
