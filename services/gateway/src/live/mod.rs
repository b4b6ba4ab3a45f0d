//! `GET /v1/live`: what happens, as it happens, to those who may see it.
//!
//! One feed for the process reads all contexts' streams along ([`Hub`]) and fans them out. Each connection ([`sse`])
//! judges for itself what its caller may see, at the moment it sends. The caller's own drawer comes along ([`drawers`]).

pub mod conversation;
pub mod drawer;
mod drawers;
mod facts;
mod hub;
pub mod model;
mod position;
mod project;
mod relayed;
pub mod sse;
mod visibility;

pub use hub::Hub;
