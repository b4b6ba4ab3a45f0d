//! The page of calls, which join links lead to (V-10, M-7; docs/video-calls.md): camera and microphone, the call itself,
//! screenshots, recordings. Plain scripts that are loaded from here and from nowhere else; in English and German.
//!
//! An app opens it with the answer of `:join` behind the `#`, which browsers send to nobody. Somebody whom a scanned code
//! let in opens it as it is: the page then joins as the visitor of the [start pages](crate::start).

mod words;

use std::sync::Arc;

use axum::extract::Path;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use callboard_auth::AuthError;
use callboard_kernel::{Language, Refusal};
use callboard_proto::video::v1 as proto;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, VARY};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::app::not_found;
use crate::call::{Guest, Id};
use crate::html::Text;
use crate::model::mirror::Mirror as _;
use crate::model::video::CallCredentials;
use crate::problem::Problem;
use crate::routes::ask;
use crate::start::{Visitor, keep};
use crate::state::Gateway;

/// Our own scripts and styles and nothing inline; connections to ourselves alone; pictures that the page makes itself.
const CSP: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src blob:; \
                   media-src 'self' blob:; form-action 'none'; base-uri 'none'; frame-ancestors 'none'; \
                   require-trusted-types-for 'script'; trusted-types 'none'";
/// Camera and microphone for this page and for no frame in it.
const PERMISSIONS: &str =
    "camera=(self), microphone=(self), autoplay=(self), geolocation=(), display-capture=()";

/// Files of the page: name, media type, content.
const ASSETS: [(&str, &str, &str); 7] = [
    ("call.js", JAVASCRIPT, include_str!("call.js")),
    ("credentials.js", JAVASCRIPT, include_str!("credentials.js")),
    ("exchange.js", JAVASCRIPT, include_str!("exchange.js")),
    ("files.js", JAVASCRIPT, include_str!("files.js")),
    ("peer.js", JAVASCRIPT, include_str!("peer.js")),
    ("recorder.js", JAVASCRIPT, include_str!("recorder.js")),
    ("page.css", "text/css; charset=utf-8", include_str!("page.css")),
];
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

/// The routes of the page.
pub fn router() -> Router<Arc<Gateway>> {
    Router::new()
        .route("/call", get(page))
        .route("/call/{session}", get(page))
        .route("/call/{session}/join", post(join))
        .route("/call/assets/{file}", get(asset))
}

async fn page(guest: Guest) -> Response {
    let mut response = Html(html(guest.language)).into_response();
    let headers = response.headers_mut();
    let mut set = |name: HeaderName, value| headers.insert(name, HeaderValue::from_static(value));
    set(CONTENT_SECURITY_POLICY, CSP);
    set(HeaderName::from_static("permissions-policy"), PERMISSIONS);
    set(HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    set(HeaderName::from_static("x-robots-tag"), "noindex");
    set(REFERRER_POLICY, "no-referrer");
    set(VARY, "Accept-Language");
    response
}

async fn asset(Path(file): Path<String>) -> Response {
    let found = ASSETS.iter().find(|(name, ..)| *name == file);
    // Scripts of one release belong together: they are asked for again soon.
    let caching = "public, max-age=60";
    found.map_or_else(
        || not_found().into_response(),
        |(_, kind, content)| ([(CONTENT_TYPE, *kind), (CACHE_CONTROL, caching)], *content).into_response(),
    )
}

/// Joins as the visitor whom a scanned code let in. A form of another page cannot: the cookie does not come with it.
async fn join(guest: Guest, Id(session_id): Id, headers: HeaderMap) -> Result<Response, Problem> {
    let Some(visitor) = Visitor::of(&guest, &headers).await else {
        return Err(Problem::from(Refusal::from(&AuthError::Missing)));
    };
    let own = visitor.asks(&guest);
    // What this page speaks: a call that somebody else's client must make is not begun by opening it.
    let providers = vec![proto::CallProvider::BuiltIn.into()];
    let message = proto::JoinSessionRequest { request_id: own.request_uuid(), session_id, providers };
    let credentials = ask!(own, video.join_session(message)).credentials.unwrap_or_default();
    let response = Json(CallCredentials::out(credentials)).into_response();
    Ok(keep(response, &guest.gateway, &visitor))
}

fn html(language: Language) -> String {
    let words = words::words(language);
    let said: String =
        words.said.iter().map(|(name, text)| format!("<p data-word=\"{name}\">{}</p>", Text(text))).collect();
    format!(
        r#"<!doctype html>
<html lang="{lang}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="stylesheet" href="/call/assets/page.css">
<script type="module" src="/call/assets/call.js"></script>
</head>
<body>
<main>
<section class="door" id="door">
<h1>{title}</h1>
<p>{door}</p>
<noscript><p class="error">{no_script}</p></noscript>
<p class="error" id="door-error" role="alert" hidden></p>
<button class="main" id="join" disabled>{join}</button>
<button id="without" hidden>{without}</button>
<a class="button" id="scan" href="/c" hidden>{scan}</a>
</section>
<section class="call" id="call" aria-label="{title}" hidden>
<div class="stage">
<video class="other" id="other" autoplay playsinline aria-label="{other}"></video>
<p class="waiting" id="waiting" role="status"></p>
<video class="own mirrored" id="own" autoplay playsinline muted aria-label="{you}"></video>
<p class="recording" id="recording" role="status" hidden>{recording}</p>
</div>
<p class="said" id="said" role="status"></p>
<div class="ask" id="ask" role="alertdialog" aria-labelledby="ask-text" hidden>
<p id="ask-text">{may_record}</p>
<button class="main" id="agree">{agree}</button>
<button id="disagree">{disagree}</button>
</div>
<div class="tools" role="group" aria-label="{tools}">
<button id="microphone" aria-pressed="false">{mute}</button>
<button id="camera" aria-pressed="false">{camera_off}</button>
<button id="screenshot">{screenshot}</button>
<button id="record" aria-pressed="false" hidden>{record}</button>
<label><input type="checkbox" id="consent">{consent}</label>
<button class="end" id="hang-up">{hang_up}</button>
</div>
<ul class="pictures" id="pictures" aria-label="{pictures}"></ul>
</section>
<section class="door" id="end" tabindex="-1" hidden>
<h1 id="end-text"></h1>
<p id="end-more" role="status"></p>
<button class="main" id="again" hidden>{again}</button>
</section>
</main>
<template id="words">{said}</template>
</body>
</html>
"#,
        lang = language.as_str(),
        title = Text(words.title),
        door = Text(words.door),
        no_script = Text(words.no_script),
        join = Text(words.join),
        without = Text(words.without),
        scan = Text(words.scan),
        other = Text(words.other),
        you = Text(words.you),
        recording = Text(words.recording),
        may_record = Text(words.may_record),
        agree = Text(words.agree),
        disagree = Text(words.disagree),
        tools = Text(words.tools),
        mute = Text(words.mute),
        camera_off = Text(words.camera_off),
        screenshot = Text(words.screenshot),
        record = Text(words.record),
        consent = Text(words.consent),
        hang_up = Text(words.hang_up),
        pictures = Text(words.pictures),
        again = Text(words.again),
    )
}
