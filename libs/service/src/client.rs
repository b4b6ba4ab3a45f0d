//! Calling other services: channels that notice a dead peer.

use std::time::Duration;

use callboard_kernel::{ErrorKind, Refusal};
use tonic::transport::{Channel, Endpoint};

/// A channel that connects when first used, and again whenever the peer was lost.
///
/// # Errors
/// When the address is none.
pub fn channel(address: &str) -> Result<Channel, Refusal> {
    // `new` turns TLS on where the address says https.
    let endpoint = Endpoint::new(address.to_owned()).map_err(|_| {
        Refusal::new(
            ErrorKind::Internal,
            "ADDRESS_MALFORMED",
            format!("{address:?} is no address of a service"),
        )
    })?;
    Ok(endpoint
        .connect_timeout(Duration::from_secs(2))
        // Without these a partition leaves a connection that never answers.
        .http2_keep_alive_interval(Duration::from_secs(10))
        .keep_alive_timeout(Duration::from_secs(5))
        .keep_alive_while_idle(true)
        .tcp_nodelay(true)
        .connect_lazy())
}
