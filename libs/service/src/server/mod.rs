//! The server for calls and the server for operators.

pub(crate) mod admin;
mod body;
mod guard;
pub(crate) mod lazily;
pub(crate) mod methods;

use std::sync::Arc;

use callboard_auth::Verifier;
use callboard_kernel::IdGenerator;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic::transport::server::TcpIncoming;

use crate::config::GrpcConfig;

pub(crate) use guard::Guard;

/// What the server for calls is made of.
pub(crate) struct CallServer {
    pub service: &'static str,
    pub config: GrpcConfig,
    pub routes: Routes,
    pub public: &'static [&'static str],
    pub unhurried: &'static [&'static str],
    pub serves_http: bool,
    pub verifier: Arc<Verifier>,
    pub ids: Arc<dyn IdGenerator>,
    /// When it is cancelled, calls that are still in flight are answered UNAVAILABLE.
    pub cut_off: CancellationToken,
}

impl CallServer {
    /// Serves until `drain`, then finishes what is in flight.
    ///
    /// # Errors
    /// When the transport fails.
    pub async fn serve(
        self,
        listener: TcpListener,
        drain: CancellationToken,
    ) -> Result<(), tonic::transport::Error> {
        let config = &self.config;
        let guard = Arc::new(Guard::new(&self, drain.clone()));
        let router = self.routes.prepare().into_axum_router();
        let router = router.layer(axum::middleware::from_fn_with_state(guard, guard::guard));
        // HTTP/1.1 has no pings of its own: the kernel asks whether a silent reader of a stream is still there.
        let incoming = TcpIncoming::from(listener)
            .with_nodelay(Some(true))
            .with_keepalive(Some(config.keepalive_interval))
            .with_keepalive_interval(Some(config.keepalive_timeout))
            .with_keepalive_retries(Some(3));
        tonic::transport::Server::builder()
            .max_concurrent_streams(config.max_concurrent_streams)
            .http2_keepalive_interval(Some(config.keepalive_interval))
            .http2_keepalive_timeout(Some(config.keepalive_timeout))
            .max_connection_age(config.max_connection_age)
            .max_connection_age_grace(config.max_connection_age_grace)
            .accept_http1(self.serves_http)
            .add_routes(Routes::from(router))
            .serve_with_incoming_shutdown(incoming, async move { drain.cancelled().await })
            .await
    }
}
