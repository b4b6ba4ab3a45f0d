//! The chassis every service runs on: configuration, telemetry, gRPC and admin servers, lifecycle, error mapping.

pub mod convert;
mod outbound;

pub use outbound::outbound;
