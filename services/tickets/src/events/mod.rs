//! What others hear of tickets, and what tickets hear of others.

pub mod inbound;
pub mod outbound;
