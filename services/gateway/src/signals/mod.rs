//! `GET /v1/videoSessions/{id}/call`: what a page of calls says and hears, over a WebSocket (V-10; docs/video-calls.md).
//!
//! The gateway only carries: JSON on one side ([`words`]), the video service's stream of signals on the other
//! ([`exchange`]). Who may speak is decided by that service, by the token in the first message.

mod exchange;
mod origin;
mod sockets;
pub mod words;

use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use tracing::Instrument;

use crate::call::Guest;
use crate::problem::Problem;
use exchange::Exchange;

pub use sockets::Sockets;

/// The longest message that is taken; an offer of 64 KiB with its line ends escaped fits.
const MAX_MESSAGE: usize = 256 * 1024;
/// What is longer is not even read to its end.
const MAX_READ: usize = 1024 * 1024;

/// Opens a WebSocket for the call of a session.
///
/// # Errors
/// It is no handshake, of a page of another origin, or one too many.
pub fn open(
    guest: Guest,
    session: String,
    headers: &HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Problem> {
    let upgrade = upgrade.map_err(|rejection| {
        let detail = format!("this address is for WebSockets: {}", rejection.body_text());
        Problem::new(StatusCode::UPGRADE_REQUIRED, "WEBSOCKET_REQUIRED", detail)
    })?;
    let settings = &guest.gateway.settings;
    if !origin::may_open(&settings.cors.origins, &settings.public_url, headers) {
        let detail = "pages of this origin may not open WebSockets here; see gateway.cors.origins";
        return Err(Problem::new(StatusCode::FORBIDDEN, "ORIGIN_NOT_ALLOWED", detail));
    }
    let seat = guest.gateway.sockets.take()?;
    let span = tracing::info_span!("call socket", request_id = guest.request_id, session);
    // Counted from here on, so that a stop waits for it to say goodbye.
    let token = guest.gateway.tracker.token();
    let upgrade = upgrade.max_message_size(MAX_READ).max_frame_size(MAX_READ);
    Ok(upgrade.on_upgrade(move |socket| {
        async move {
            Exchange::new(guest, session, socket).run().await;
            drop((seat, token));
        }
        .instrument(span)
    }))
}
