//! A page as a whole: its frame, its headers, where it leads.

use axum::response::{Html, IntoResponse, Response};
use callboard_kernel::Language;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, REFERRER_POLICY, SET_COOKIE, VARY,
};
use http::{HeaderName, HeaderValue, StatusCode};

use super::visitor::Visitor;
use super::words::words;
use crate::html::Text;
use crate::problem::Problem;
use crate::state::Gateway;

/// Nothing is loaded but our own style, nothing runs, forms go nowhere else, nobody frames it.
const CSP: &str =
    "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
const ROBOTS: HeaderName = HeaderName::from_static("x-robots-tag");

/// The style of all pages.
pub async fn style() -> impl IntoResponse {
    (
        [(CONTENT_TYPE, "text/css; charset=utf-8"), (CACHE_CONTROL, "public, max-age=3600")],
        include_str!("style.css"),
    )
}

/// A page with this heading; `body` is markup.
pub fn page(language: Language, heading: &str, body: &str) -> Response {
    let html = format!(
        "<!doctype html><html lang=\"{}\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>{heading}</title>\
         <link rel=\"stylesheet\" href=\"/start/style.css\"></head><body><main><h1>{heading}</h1>{body}</main></body></html>",
        language.as_str(),
        heading = Text(heading),
    );
    let mut response = Html(html).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(CSP));
    // The code stands in the address.
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(VARY, HeaderValue::from_static("Accept, Accept-Language, Cookie"));
    headers.insert(ROBOTS, HeaderValue::from_static("noindex"));
    response
}

/// A page that says what went wrong. Not a problem document: a person reads it.
pub fn sorry(language: Language, problem: &Problem) -> Response {
    let words = words(language);
    let said = said(problem);
    let mut response =
        page(language, words.sorry, &format!("<p class=\"error\" role=\"alert\">{}</p>", Text(said)));
    *response.status_mut() = problem.status;
    response
}

/// What a problem says to a person: the rule that was broken, without the field's name.
pub fn said(problem: &Problem) -> String {
    match problem.violations.as_slice() {
        [] => problem.detail.clone(),
        violations => violations.iter().map(|one| one.description.as_str()).collect::<Vec<_>>().join("; "),
    }
}

/// On to another page, after a form or a scan.
pub fn go_to(path: &str) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    if let Ok(path) = HeaderValue::from_str(path) {
        response.headers_mut().insert(LOCATION, path);
    }
    response
}

/// The same answer, with which the browser keeps who it is.
pub fn keep(mut response: Response, gateway: &Gateway, visitor: &Visitor) -> Response {
    if visitor.changed
        && let Some(cookie) = visitor.cookie(gateway)
    {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    response
}
