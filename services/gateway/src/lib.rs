//! The door for people and programs: REST, live events, aggregated views, gRPC pass-through.
//!
//! The gateway holds no business rule and no state that counts. It verifies the caller's token, passes it on, and each
//! service verifies and decides for itself.

mod answer;
pub mod app;
mod call;
mod call_page;
pub mod config;
mod docs_page;
mod extract;
mod grpc;
mod health;
mod html;
mod language;
pub mod limits;
pub mod live;
mod model;
mod naming;
mod openapi;
mod pages;
mod problem;
mod retry;
mod routes;
mod service;
mod signals;
mod start;
pub mod state;
pub mod upstream;
mod verbs;
mod views;

pub use pages::openapi_json;
pub use service::{RouteInfo, definition, routes};
pub use signals::Sockets;
pub use start::Visitors;
pub use views::names::Names;
