//! The gateway as one router: what happens around every request, and where it goes.

use std::net::{IpAddr, SocketAddr};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{ConnectInfo, DefaultBodyLimit, MatchedPath, Request, State};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use callboard_auth::{AuthError, Verified};
use callboard_kernel::{Actor, Principal};
use callboard_service::request::RequestId;
use futures::FutureExt;
use http::header::{
    ALLOW, AUTHORIZATION, CACHE_CONTROL, CONTENT_LANGUAGE, CONTENT_TYPE, ETAG, LOCATION, RETRY_AFTER,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use tonic::transport::server::TcpConnectInfo;
use tower::ServiceExt;
use tower_http::cors::{AllowOrigin, CorsLayer};
use tracing::Instrument;

use crate::call::About;
use crate::config::CorsSettings;
use crate::language::negotiate;
use crate::limits::Key;
use crate::problem::Problem;
use crate::state::Gateway;
use crate::{call_page, grpc, openapi, pages, routes, start, verbs};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Everything on the port: REST, live streams, the document, and gRPC that passes through.
pub fn router(gateway: &Arc<Gateway>) -> Router {
    let rest = openapi::router(routes::all())
        .route_layer(from_fn(remember_route))
        .merge(pages::router())
        .merge(start::router().route_layer(from_fn(remember_route)))
        .merge(call_page::router().route_layer(from_fn(remember_route)))
        .fallback(async || not_found())
        .layer(DefaultBodyLimit::max(gateway.settings.max_body_bytes))
        .with_state(gateway.clone());
    let inside = Inside { gateway: gateway.clone(), rest };
    Router::new()
        .fallback(dispatch)
        .with_state(inside)
        .layer(from_fn_with_state(gateway.clone(), around))
        .layer(cors(&gateway.settings.cors))
}

#[derive(Debug, Clone)]
struct Inside {
    gateway: Arc<Gateway>,
    rest: Router,
}

async fn dispatch(State(inside): State<Inside>, mut request: Request) -> Response {
    if grpc::is_grpc(&request) {
        return grpc::pass_through(&inside.gateway, request).await;
    }
    match verbs::rewrite(request.uri()) {
        Some(uri) => {
            *request.uri_mut() = uri;
            inside.rest.oneshot(request).await.into_response()
        }
        None => not_found().into_response(),
    }
}

/// For addresses where there is nothing.
pub fn not_found() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "ROUTE_NOT_FOUND", "there is nothing at this address; see /docs")
}

/// For paths that exist, but not with this method.
pub async fn method_not_allowed() -> Problem {
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "METHOD_NOT_ALLOWED",
        "this address knows other methods; see /docs",
    )
}

/// Lets the metrics name the route and not the address.
async fn remember_route(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().cloned();
    let mut response = next.run(request).await;
    if let Some(route) = route {
        response.extensions_mut().insert(route);
    }
    response
}

/// Around every request: request id, trace, caller, language, limits, panics, problem documents, metrics.
async fn around(State(gateway): State<Arc<Gateway>>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let is_grpc = grpc::is_grpc(&request);
    let request_id = request_id(&request).unwrap_or_else(|| gateway.ids.next().to_string());
    let span = tracing::info_span!("http", otel.kind = "server", http.request.method = %request.method(), %request_id);
    if let Some(traceparent) = request.headers().get("traceparent").and_then(|value| value.to_str().ok()) {
        callboard_service::telemetry::adopt_traceparent(&span, traceparent);
    }
    let caller = identify(&gateway, request.headers()).await;
    let language =
        negotiate(request.headers(), caller.as_ref().ok().map(|verified| verified.principal.language));
    let key = key(&gateway, &request, &caller);
    let method = request.method().clone();
    let (allowance, mut response) = match gateway.limits.take(key) {
        Ok(allowance) => {
            request.extensions_mut().insert(About { request_id: request_id.clone(), language, caller });
            let work = AssertUnwindSafe(next.run(request)).catch_unwind().instrument(span);
            let response = work.await.unwrap_or_else(|_| {
                metrics::counter!("callboard_panics_total", "service" => "gateway").increment(1);
                tracing::error!("a handler panicked");
                Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL", "internal error").into_response()
            });
            (allowance, response)
        }
        Err((allowance, problem)) => (Some(allowance), problem.into_response()),
    };
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        let route = response.extensions_mut().remove::<MatchedPath>();
        let allow = response.headers_mut().remove(ALLOW);
        response = if is_grpc { grpc::refuse(problem) } else { problem.render(language, &request_id) };
        route.map(|route| response.extensions_mut().insert(route));
        allow.map(|allow| response.headers_mut().insert(ALLOW, allow));
    }
    if !is_grpc {
        record(&method, &response, started.elapsed());
        let headers = response.headers_mut();
        headers.insert(CONTENT_LANGUAGE, HeaderValue::from_static(language.as_str()));
        headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
        headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    }
    if let Ok(value) = HeaderValue::from_str(&request_id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    if let Some(allowance) = allowance {
        allowance.tell(response.headers_mut());
    }
    response
}

fn record(method: &Method, response: &Response, took: Duration) {
    let route = response.extensions().get::<MatchedPath>().map_or("other", MatchedPath::as_str).to_owned();
    let method = match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        _ => "other",
    };
    metrics::histogram!(
        "http_server_request_duration_seconds",
        "http_request_method" => method,
        "http_route" => route,
        "http_response_status_code" => response.status().as_str().to_owned()
    )
    .record(took.as_secs_f64());
}

/// The caller's request id: up to 128 visible ASCII characters, since it goes into logs.
fn request_id(request: &Request) -> Option<String> {
    if let Some(RequestId(id)) = request.extensions().get() {
        return Some(id.clone());
    }
    let value = request.headers().get(REQUEST_ID)?.to_str().ok()?;
    let fits = (1..=128).contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_graphic());
    fits.then(|| value.to_owned())
}

async fn identify(gateway: &Gateway, headers: &HeaderMap) -> Result<Arc<Verified>, AuthError> {
    let value = headers.get(AUTHORIZATION).ok_or(AuthError::Missing)?;
    let value = value.to_str().map_err(|_| AuthError::Invalid("the header is not ASCII"))?;
    let (scheme, token) = value.split_once(' ').ok_or(AuthError::Missing)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(AuthError::Missing);
    }
    gateway.verifier.verify(token.trim()).await
}

/// Whose bucket. All code users of one address share nothing: each session is a principal of its own.
fn key(gateway: &Gateway, request: &Request, caller: &Result<Arc<Verified>, AuthError>) -> Key {
    let known = caller.as_ref().ok().map(|verified| &verified.principal);
    let known = known.or_else(|| request.extensions().get::<Arc<Principal>>().map(AsRef::as_ref));
    match known {
        Some(principal) if principal.actor() != Actor::System => {
            Key::Principal(principal.organisation, principal.actor())
        }
        _ => Key::address(address(gateway, request)),
    }
}

/// The caller's address. `X-Forwarded-For` is believed only as far as our own proxies wrote it.
fn address(gateway: &Gateway, request: &Request) -> IpAddr {
    let proxies = gateway.settings.rate.trusted_proxies;
    let forwarded = (proxies > 0).then(|| {
        let lines = request.headers().get_all("x-forwarded-for").iter();
        let hops: Vec<&str> =
            lines.filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(',')).collect();
        hops.len().checked_sub(proxies).and_then(|index| hops.get(index)?.trim().parse::<IpAddr>().ok())
    });
    let peer = || {
        let of_tonic = request.extensions().get::<TcpConnectInfo>().and_then(TcpConnectInfo::remote_addr);
        let of_axum = || request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0);
        of_tonic.or_else(of_axum).map_or(IpAddr::from([0, 0, 0, 0]), |address| address.ip())
    };
    forwarded.flatten().unwrap_or_else(peer)
}

fn cors(settings: &CorsSettings) -> CorsLayer {
    let origins = if settings.origins.iter().any(|origin| origin == "*") {
        AllowOrigin::any()
    } else {
        AllowOrigin::list(settings.origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok()))
    };
    let header = HeaderName::from_static;
    CorsLayer::new()
        .allow_origin(origins)
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allow_headers([
            AUTHORIZATION,
            CONTENT_TYPE,
            http::header::ACCEPT_LANGUAGE,
            http::header::IF_MATCH,
            http::header::IF_NONE_MATCH,
            http::header::RANGE,
            header("idempotency-key"),
            header("last-event-id"),
            header("traceparent"),
            header("x-call-token"),
            REQUEST_ID,
        ])
        .expose_headers([
            ETAG,
            LOCATION,
            RETRY_AFTER,
            http::header::CONTENT_DISPOSITION,
            http::header::CONTENT_RANGE,
            header("ratelimit"),
            header("ratelimit-policy"),
            REQUEST_ID,
        ])
        .max_age(Duration::from_secs(3600))
}
