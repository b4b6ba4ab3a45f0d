//! The server for operators: `/livez`, `/readyz`, `/metrics`, and what a service adds.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use metrics_exporter_prometheus::PrometheusHandle;
use parking_lot::RwLock;
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::readiness::Readiness;

/// Routes that a service adds once it is built; until then nothing is there.
pub(crate) type ExtraRoutes = Arc<RwLock<Option<Router>>>;

#[derive(Clone)]
struct Admin {
    readiness: Arc<Readiness>,
    metrics: PrometheusHandle,
    extra: ExtraRoutes,
}

/// Serves until `stop`.
///
/// # Errors
/// When the listener fails.
pub(crate) async fn serve(
    listener: TcpListener,
    readiness: Arc<Readiness>,
    metrics: PrometheusHandle,
    extra: ExtraRoutes,
    stop: CancellationToken,
) -> std::io::Result<()> {
    let router = Router::new()
        // The process answers: that is all that liveness says. Never the database, never the broker.
        .route("/livez", get(async || "ok\n"))
        .route("/readyz", get(readyz))
        .route(
            "/metrics",
            get(async |State(admin): State<Admin>| {
                ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], admin.metrics.render())
            }),
        )
        .fallback(async |State(admin): State<Admin>, request: axum::extract::Request| {
            let extra = admin.extra.read().clone();
            match extra {
                Some(extra) => extra.oneshot(request).await.into_response(),
                None => StatusCode::NOT_FOUND.into_response(),
            }
        })
        .with_state(Admin { readiness, metrics, extra });
    axum::serve(listener, router).with_graceful_shutdown(async move { stop.cancelled().await }).await
}

async fn readyz(State(admin): State<Admin>) -> impl IntoResponse {
    let verdict = admin.readiness.verdict().await;
    let status = if verdict.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let told = |found: Vec<(&'static str, String)>| -> Map<String, Value> {
        found.into_iter().map(|(name, problem)| (name.to_owned(), problem.into())).collect()
    };
    let (problems, degraded) = (told(verdict.problems), told(verdict.degraded));
    (status, Json(json!({ "ready": verdict.ready, "problems": problems, "degraded": degraded })))
}
