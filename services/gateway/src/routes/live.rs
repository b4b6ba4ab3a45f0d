//! The live stream.

use axum::response::Response;
use http::HeaderMap;

use crate::call::Call;
use crate::live::model::LiveEvent;
use crate::live::sse;
use crate::openapi::{Resource, Route};
use crate::problem::Problem;

async fn live(call: Call, headers: HeaderMap) -> Result<Response, Problem> {
    sse::open(call, &headers)
}

/// The routes.
pub fn resource() -> Resource {
    Resource {
        tag: "live",
        about: "What happens, as it happens.",
        routes: vec![
            Route::get("/v1/live", live).named("live").answers_as::<LiveEvent>("200", "text/event-stream").about(
                "Server-sent events of what the caller may see; `data` is a LiveEvent. Resume with `Last-Event-ID`: \
                 nothing is missed, nothing comes twice. The caller's own drawer comes along: `unread` and \
                 `notification`, as on `/v1/notifications/live`; but this stream is no window (N-2). A reader that is too slow is cut off and resumes. The stream \
                 ends with the token or the session.",
            ),
        ],
    }
}
