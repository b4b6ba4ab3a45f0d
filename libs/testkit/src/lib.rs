//! What tests share: servers, databases, clocks, ids, and waiting for what must become true.
//!
//! For tests only. Everything here panics with a sentence that says what was wanted, since a test can do nothing else.

mod clock;
mod ids;
mod servers;
mod wait;
mod wire;

pub use callboard_backing::free_port;
pub use clock::ManualClock;
pub use ids::SeededIds;
pub use servers::{Database, Nats, Postgres, S3, Servers, fresh_nats, fresh_postgres, fresh_s3};
pub use wait::{PATIENCE, eventually, eventually_some};
pub use wire::Wire;
