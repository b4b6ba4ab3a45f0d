//! What the servers of video providers send (V-10). Passed on as it came: the video service judges it by its signature.

use axum::body::Bytes;
use axum::extract::FromRequest;
use axum::extract::Request;
use callboard_proto::video::v1 as proto;
use http::header::AUTHORIZATION;
use http::{HeaderMap, StatusCode};
use std::sync::Arc;

use super::{ask, rpc};
use crate::call::Guest;
use crate::extract;
use crate::model::video::LiveKitWebhook;
use crate::openapi::Route;
use crate::problem::Problem;
use crate::state::Gateway;

/// The largest webhook.
const MAX_BODY: usize = 256 * 1024;

/// A body to the byte, whatever it is called: what is signed must not be touched.
struct Raw(Bytes);

impl FromRequest<Arc<Gateway>> for Raw {
    type Rejection = Problem;
    async fn from_request(request: Request, _: &Arc<Gateway>) -> Result<Self, Problem> {
        let (_, body) = extract::bytes(request).await?;
        if body.len() > MAX_BODY {
            return Err(extract::too_large());
        }
        Ok(Self(body))
    }
}

async fn livekit(guest: Guest, headers: HeaderMap, Raw(body): Raw) -> Result<StatusCode, Problem> {
    let signature = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let message = proto::ReceiveProviderWebhookRequest {
        provider: proto::CallProvider::Livekit.into(),
        body: body.to_vec(),
        authorization_token: signature.to_owned(),
    };
    ask!(guest, video.receive_provider_webhook(message));
    Ok(StatusCode::NO_CONTENT)
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::post("/v1/videoProviders/livekit:webhook", livekit)
            .rpc(rpc!("video.v1.VideoService", "ReceiveProviderWebhook"))
            .named("receiveLiveKitWebhook")
            .open()
            .body_as::<LiveKitWebhook>("application/webhook+json", true)
            .answers_nothing()
            .about(
                "For the LiveKit server that carries calls (V-10): its webhooks, at most 256 KiB. The credential is the \
                 token that LiveKit signs them with, in the header Authorization. What they say is not believed: the server \
                 is asked.",
            ),
    ]
}
