//! Services that are made when somebody first calls them.

use std::convert::Infallible;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use futures::FutureExt;
use futures::future::BoxFuture;
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::{Service, http};
use tonic::server::NamedService;

/// A service that is made at its first call. Reflection holds a copy of every descriptor and an index of every name: most
/// processes are never asked for them, and should not keep them.
pub struct Lazily<S> {
    made: Arc<OnceLock<Option<S>>>,
    make: Arc<dyn Fn() -> Option<S> + Send + Sync>,
}

impl<S> Lazily<S> {
    /// What is made by `make`; calls are answered INTERNAL where it makes nothing.
    pub fn new(make: impl Fn() -> Option<S> + Send + Sync + 'static) -> Self {
        Self { made: Arc::default(), make: Arc::new(make) }
    }
}

impl<S> Clone for Lazily<S> {
    fn clone(&self) -> Self {
        Self { made: Arc::clone(&self.made), make: Arc::clone(&self.make) }
    }
}

impl<S> std::fmt::Debug for Lazily<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lazily").field("made", &self.made.get().is_some()).finish_non_exhaustive()
    }
}

impl<S: NamedService> NamedService for Lazily<S> {
    const NAME: &'static str = S::NAME;
}

impl<S> Service<http::Request<Body>> for Lazily<S>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible> + Clone,
    S::Future: Send + 'static,
{
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<http::Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // gRPC services of tonic always are.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        match self.made.get_or_init(|| (self.make)()).clone() {
            Some(mut made) => made.call(request).boxed(),
            None => std::future::ready(Ok(Status::internal("it cannot be served").into_http())).boxed(),
        }
    }
}
