//! JetStream adapters.

mod connection;
mod difference;
mod log;
mod pull;
mod spec;
mod tail;

pub use connection::{Nats, NatsError, NatsOptions};
pub use difference::ConfigDifference;
pub use log::JetStreamLog;
pub use spec::{SpecError, StreamSpec};

pub(crate) use log::last_sequence;
pub(crate) use pull::{Durable, PullSubscription, remove_durable};
pub(crate) use tail::tail_one;

use async_nats::jetstream::ErrorCode;

/// The server's error code within an error of the client, however deep.
fn server_code(error: &(dyn std::error::Error + 'static)) -> Option<ErrorCode> {
    let mut current = Some(error);
    while let Some(error) = current {
        if let Some(found) = error.downcast_ref::<async_nats::jetstream::Error>() {
            return Some(found.error_code());
        }
        current = error.source();
    }
    None
}
