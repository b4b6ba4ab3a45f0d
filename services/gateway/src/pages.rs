//! The document, the readable page, and the catalogue of errors.

use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::response::{Html, IntoResponse, Redirect};
use axum::routing::get;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};

use crate::state::Gateway;
use crate::{docs_page, openapi, routes};

/// The OpenAPI document, pretty-printed.
pub fn openapi_json() -> &'static str {
    static DOCUMENT: OnceLock<String> = OnceLock::new();
    DOCUMENT.get_or_init(|| openapi::document(routes::all()).to_pretty_json().unwrap_or_default())
}

/// Scripts are none, styles are inline, nothing is loaded.
const CSP: &str = "default-src 'none'; style-src 'unsafe-inline'";
const FOR_AN_HOUR: &str = "public, max-age=3600";

fn page(html: &'static str) -> impl IntoResponse {
    ([(CONTENT_SECURITY_POLICY, CSP), (CACHE_CONTROL, FOR_AN_HOUR)], Html(html))
}

/// Their routes.
pub fn router() -> Router<Arc<Gateway>> {
    Router::new()
        .route("/", get(async || Redirect::temporary("/docs")))
        .route(
            "/openapi.json",
            get(async || {
                ([(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, FOR_AN_HOUR)], openapi_json())
            }),
        )
        .route("/docs", get(async || page(docs_page::reference())))
        .route("/docs/errors", get(async || page(docs_page::errors())))
}
