//! Links into Callboard for people without an app of it (T-1, D-3; ADR 0010): what a QR image holds, and what a button on
//! any page holds that starts a flow. The thinnest page there can be: rendered here, no script, nothing loaded from
//! elsewhere, in English and German.
//!
//! | address | who opens it | what it does |
//! |---|---|---|
//! | `/c/{code}` | who scanned | lets in (PIN if the code has one), then the flows of the device; `?flow=` goes on at once |
//! | `/start/{template}/{flow}` | who pressed a button | the first step for who is in; else asks for the code |
//! | `/a/{token}` | who got an e-mail | lets in while the link lasts, to the ticket or the video session (N-6) |
//! | `/unsubscribe/{token}` | who got an e-mail | ends e-mails like it, once its button is pressed |
//! | `/t/{ticket}` | who answers | the other steps, a look over all of them, and what became of it |
//!
//! The pages call the services as any caller does, with the visitor's own token. They decide nothing.

mod files;
mod form;
mod mail;
mod page;
mod steps;
mod visit;
mod visitor;
mod words;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};

use crate::state::Gateway;

pub use page::keep;
pub use visitor::{Visitor, Visitors};

/// What a code's QR image holds.
pub fn code_url(gateway: &Gateway, code: &str) -> String {
    format!("{}/c/{code}", gateway.settings.public_url)
}

/// What starts a flow.
pub fn flow_url(gateway: &Gateway, template: &str, flow: &str) -> String {
    format!("{}{}", gateway.settings.public_url, flow_path(template, flow))
}

fn flow_path(template: &str, flow: &str) -> String {
    format!("/start/{template}/{flow}")
}

/// The routes of the pages.
pub fn router() -> Router<Arc<Gateway>> {
    Router::new()
        .route("/start/style.css", get(page::style))
        .route("/c", get(visit::typed))
        .route("/c/{code}", get(visit::scanned).post(visit::unlocked))
        .route("/start/{template}/{flow}", get(visit::pressed).post(steps::begin))
        .route("/a/{token}", get(mail::opened))
        .route("/unsubscribe/{token}", get(mail::asked).post(mail::unsubscribed))
        .route("/t/{ticket}", get(steps::show).post(steps::answer))
        .route("/t/{ticket}/submit", post(steps::submit))
}
