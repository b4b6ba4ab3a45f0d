//! The server for calls and the server for operators.

pub(crate) mod admin;
mod body;
mod connections;
mod guard;
pub(crate) mod lazily;
pub(crate) mod methods;

use std::sync::Arc;

use callboard_auth::Verifier;
use callboard_kernel::IdGenerator;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;

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
    pub async fn serve(self, listener: TcpListener, drain: CancellationToken) {
        let guard = Arc::new(Guard::new(&self, drain.clone()));
        let router = self.routes.prepare().into_axum_router();
        let router = router.layer(axum::middleware::from_fn_with_state(guard, guard::guard));
        connections::serve(listener, router, &self.config, self.serves_http, drain).await;
    }
}
