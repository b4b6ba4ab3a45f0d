//! `callboard-tasks`.
fn main() {}
