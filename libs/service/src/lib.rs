//! The chassis every service runs on: configuration, telemetry, gRPC and admin servers, lifecycle, error mapping.
//!
//! A service's `main` is one call:
//!
//! ```ignore
//! fn main() -> std::process::ExitCode {
//!     callboard_service::run_main(callboard_tickets::definition())
//! }
//! ```
//!
//! - [`Definition`] and [`Built`]: what a service says of itself.
//! - [`run_main`] for binaries; [`start`] for several services in one process, and for tests.
//! - [`Context`]: what every context runs beside its calls.
//! - [`request`], [`page`] and [`error`]: for handlers. [`client`]: for callers.
//! - [`config`], [`telemetry`], [`lifecycle`], [`readiness`]: for what runs beside the calls.

/// Every process of ours. It is faster than libc's with many small things that are freed on other threads, and gives
/// back to the machine what a burst took (the hash of one PIN takes 19 MiB).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

mod cli;
pub mod client;
pub mod config;
mod context;
pub mod convert;
pub mod database;
mod definition;
mod demand;
pub mod error;
pub mod facts;
pub mod lifecycle;
mod memory;
mod mutation;
pub mod nats;
mod outbound;
pub mod page;
pub mod reaction;
pub mod readiness;
pub mod request;
mod run;
mod seen;
mod server;
mod supervise;
pub mod telemetry;

pub use cli::{DlqCommand, OutboxCommand};
pub use context::{Context, PgRegistry};
pub use definition::{BuildContext, Built, Definition, Operate, Operation};
pub use demand::Demand;
pub use lifecycle::{BackgroundTask, BoxError, Stage, Stop};
pub use memory::small_pages;
pub use mutation::Mutation;
pub use outbound::outbound;
pub use reaction::Reaction;
pub use readiness::ReadinessCheck;
pub use run::{Running, StartOptions, install_crypto_provider, operate, run_main, start};
pub use seen::Seen;
pub use server::lazily::Lazily;
