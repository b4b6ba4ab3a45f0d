//! The gateway, between real HTTP and gRPC on loopback and services that answer what a test tells them.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests, outside of test functions")]

mod call_page;
mod chassis;
mod document;
mod fake;
mod live;
mod live_drawer;
mod live_visibility;
mod proxy;
mod rest;
mod retry;
mod signals;
mod start;
mod strangers;
mod video;
mod view;
mod world;
