//! Only UNAVAILABLE is tried again (architecture, "API"): a service that restarts is back in a moment, and everything
//! else is an answer.
//!
//! Repeating is safe for reads by nature and for changes by their `request_id`: whatever became of the first try, the
//! receipt answers the second. What is tried again is bounded four times over: by the tries, by the caller's deadline,
//! by a budget for each service, so that one that is down is not hammered by everybody's repeats, and by who asked for
//! it (see [`MayRetry`]).

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use callboard_kernel::ErrorKind;
use callboard_service::error::report;
use callboard_service::request::Deadline;
use futures::FutureExt;
use futures::future::BoxFuture;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full};
use tonic::Status;
use tonic::body::Body;
use tonic::transport::Channel;
use tower::retry::backoff::{Backoff, ExponentialBackoff, ExponentialBackoffMaker, MakeBackoff};
use tower::retry::budget::{Budget, TpsBudget};
use tower::util::rng::HasherRng;
use tower::{Service, ServiceExt};

/// How often a call is made in all.
const ATTEMPTS: usize = 6;
/// The first pause and the longest; they double in between and vary by up to half: 1.6 to 2.3 s together.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(800));
/// A repeat with less time than this ahead of it would only be cut off.
const WORTH_TRYING: Duration = Duration::from_millis(20);

/// Marks a request that may be tried again until then. Not marked are the parts of views, which are rather left out,
/// and what passes through over gRPC, whose callers have a policy of their own.
#[derive(Debug, Clone, Copy)]
pub struct MayRetry(pub Deadline);

/// A channel that tries again.
#[derive(Debug, Clone)]
pub struct Retrying {
    channel: Channel,
    budget: Arc<TpsBudget>,
}

impl Retrying {
    /// Over this channel. Its budget: ten repeats a second, and one for every five calls.
    pub fn new(channel: Channel) -> Self {
        Self { channel, budget: Arc::new(TpsBudget::new(Duration::from_secs(10), 10, 0.2)) }
    }

    /// The channel itself, which tries once.
    pub fn channel(&self) -> Channel {
        self.channel.clone()
    }

    async fn send(&self, request: Request<Body>) -> Result<Response<Body>, Status> {
        let mut channel = self.channel.clone();
        let outcome = match channel.ready().await {
            Ok(channel) => channel.call(request).await,
            Err(error) => Err(error),
        };
        outcome.map_err(|error| Status::from_error(error.into()))
    }

    async fn send_until(&self, request: Request<Body>, until: Deadline) -> Result<Response<Body>, Status> {
        let (parts, body) = request.into_parts();
        // One message; it is in memory already.
        let message = body.collect().await?.to_bytes();
        let mut pauses = pauses();
        for attempt in 1.. {
            let mut again = Request::new(Body::new(Full::new(message.clone())));
            *again.method_mut() = parts.method.clone();
            *again.uri_mut() = parts.uri.clone();
            *again.version_mut() = parts.version;
            *again.headers_mut() = parts.headers.clone();
            if attempt > 1 {
                set_timeout(again.headers_mut(), until.remaining());
            }
            let outcome = self.send(again).await;
            if !is_unavailable(&outcome) {
                self.budget.deposit();
                return outcome;
            }
            if attempt == ATTEMPTS || !self.budget.withdraw() {
                return outcome;
            }
            let pause = pauses.next_backoff();
            if tokio::time::timeout(until.remaining().saturating_sub(WORTH_TRYING), pause).await.is_err() {
                return outcome;
            }
            metrics::counter!("callboard_gateway_retries_total").increment(1);
        }
        Err(Status::internal("unreachable"))
    }
}

/// What is waited between tries.
pub(crate) fn pauses() -> ExponentialBackoff {
    let (shortest, longest) = PAUSES;
    // The limits are in order, hence it cannot fail; the type's own default is as good.
    ExponentialBackoffMaker::new(shortest, longest, 0.5, HasherRng::default())
        .unwrap_or_default()
        .make_backoff()
}

fn set_timeout(headers: &mut HeaderMap, time: Duration) {
    let milliseconds = time.as_millis().min(99_999_999);
    if let Ok(value) = HeaderValue::from_str(&format!("{milliseconds}m")) {
        headers.insert("grpc-timeout", value);
    }
}

/// The service's own word, or none because it could not be reached.
fn is_unavailable(outcome: &Result<Response<Body>, Status>) -> bool {
    match outcome {
        Ok(response) => Status::from_header_map(response.headers())
            .is_some_and(|status| report(&status).kind == ErrorKind::Unavailable),
        Err(status) => report(status).kind == ErrorKind::Unavailable,
    }
}

impl Service<Request<Body>> for Retrying {
    type Response = Response<Body>;
    type Error = Status;
    type Future = BoxFuture<'static, Result<Response<Body>, Status>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let this = self.clone();
        match request.extensions().get().copied() {
            Some(MayRetry(until)) => async move { this.send_until(request, until).await }.boxed(),
            None => async move { this.send(request).await }.boxed(),
        }
    }
}
