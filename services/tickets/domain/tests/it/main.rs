//! The law of tickets, rule by rule (domain.md T-1 to T-15, the permission table).
#![allow(missing_docs)]

mod creating;
mod flows;
mod life;
mod permissions;
mod random;
mod support;
