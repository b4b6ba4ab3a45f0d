//! A whole platform of separate processes for tests: started, called, killed and started again.
//!
//! Everything here panics with a sentence that says what was wanted, since a test can do nothing else.
#![expect(clippy::missing_panics_doc, reason = "tests only: see above")]

pub mod call;
pub mod client;
pub mod grpc;
pub mod live;
pub mod platform;
pub mod world;

pub use client::{Answer, Client};
pub use live::{Frame, Live};
pub use platform::{Platform, Service, program};
pub use world::World;
