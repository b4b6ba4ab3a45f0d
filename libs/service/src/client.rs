//! Calling other services: channels that notice a dead peer, and calls that carry who, why and until when.

use std::time::{Duration, Instant};

use callboard_kernel::{ErrorKind, Refusal};
use secrecy::{ExposeSecret, SecretString};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};

use crate::error;
use crate::request::Deadline;
use crate::telemetry;

/// How often a safe call is tried in all.
const ATTEMPTS: u32 = 3;

/// A channel that connects when first used, and again whenever the peer was lost.
///
/// # Errors
/// When the address is none.
pub fn channel(address: &str) -> Result<Channel, Refusal> {
    let endpoint = Endpoint::from_shared(address.to_owned()).map_err(|_| {
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

/// Whether a call may be repeated when it is not known to have arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Safety {
    /// Changes nothing, or carries a `request_id`.
    Safe,
    /// Must not be repeated.
    Once,
}

/// What goes along with a call.
#[derive(Debug, Clone)]
pub struct CallContext {
    /// The caller's own bearer token: every service judges for itself.
    pub token: Option<SecretString>,
    /// Names the call in the logs of all that take part.
    pub request_id: Option<String>,
    /// When the caller stops waiting.
    pub deadline: Deadline,
}

impl CallContext {
    /// The request with token, request id, trace context and what is left of the deadline.
    pub fn request<T>(&self, message: T) -> tonic::Request<T> {
        let mut request = tonic::Request::new(message);
        request.set_timeout(self.deadline.remaining());
        let metadata = request.metadata_mut();
        telemetry::inject(metadata);
        if let Some(token) = &self.token
            && let Ok(mut value) =
                format!("Bearer {}", token.expose_secret()).parse::<tonic::metadata::MetadataValue<_>>()
        {
            value.set_sensitive(true);
            metadata.insert("authorization", value);
        }
        if let Some(value) = self.request_id.as_ref().and_then(|id| id.parse().ok()) {
            metadata.insert("x-request-id", value);
        }
        request
    }

    /// Makes a call: measured, bounded by the deadline, and repeated on UNAVAILABLE when it is safe to.
    /// `attempt` makes each try's request anew, by [`Self::request`]. `method` is `package.Service/Method`.
    ///
    /// # Errors
    /// What the service answered last; DEADLINE_EXCEEDED when the time is up, however the transport calls it.
    pub async fn call<T, F>(
        &self,
        method: &'static str,
        safety: Safety,
        mut attempt: impl FnMut() -> F,
    ) -> Result<T, Status>
    where
        F: Future<Output = Result<T, Status>>,
    {
        let started = Instant::now();
        let mut tried = 0;
        let outcome = loop {
            tried += 1;
            let outcome = match tokio::time::timeout(self.deadline.remaining(), attempt()).await {
                Ok(outcome) => outcome.map_err(|status| self.name_timeout(status)),
                Err(_) => Err(timed_out()),
            };
            let pause = Duration::from_millis(20 * u64::from(tried) * u64::from(tried));
            let again = safety == Safety::Safe
                && tried < ATTEMPTS
                && self.deadline.remaining() > pause
                && matches!(&outcome, Err(status) if status.code() == Code::Unavailable);
            if !again {
                break outcome;
            }
            tokio::time::sleep(pause).await;
        };
        let code = outcome
            .as_ref()
            .map_or_else(|status| error::default_reason(error::kind(status.code())), |_| "OK");
        let labels = [("rpc_system_name", "grpc"), ("rpc_method", method), ("rpc_status_code", code)];
        metrics::histogram!("rpc_client_call_duration_seconds", &labels)
            .record(started.elapsed().as_secs_f64());
        outcome
    }

    /// The transport reports a timeout of its own as `Cancelled`.
    fn name_timeout(&self, status: Status) -> Status {
        let over = self.deadline.remaining().is_zero() || status.message().contains("Timeout expired");
        if status.code() == Code::Cancelled && over { timed_out() } else { status }
    }
}

fn timed_out() -> Status {
    Status::deadline_exceeded("the deadline passed; whether the work was done is unknown")
}
