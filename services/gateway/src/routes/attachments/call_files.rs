//! Recordings and screenshots of video sessions (V-8): brought by the page of calls with nothing but its token, or by an app
//! that uploaded them before.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use callboard_proto::common::v1 as common;
use callboard_proto::video::v1 as proto;
use futures::StreamExt as _;
use http::request::Parts;
use serde::Deserialize;
use utoipa::IntoParams;

use super::told;
use super::upload::{self, Messages, Upload};
use crate::answer::{Answer, show_created, show_inner};
use crate::call::{Call, Guest, Id};
use crate::extract::{Json, Query};
use crate::model::mirror::Mirror as _;
use crate::model::video::{NamedSessionFile, NewSessionFile, SessionFile, SessionFileKind, VideoSession};
use crate::openapi::Route;
use crate::problem::Problem;
use crate::routes::{ask, rpc};
use crate::state::Gateway;

/// The header with the token of joining.
const CALL_TOKEN: &str = "x-call-token";

/// The token of joining, which speaks for one person in one call.
struct CallToken(String);

impl FromRequestParts<Arc<Gateway>> for CallToken {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, _: &Arc<Gateway>) -> Result<Self, Problem> {
        let token = parts.headers.get(CALL_TOKEN).and_then(|value| value.to_str().ok());
        token.map(|token| Self(token.to_owned())).ok_or_else(|| Problem::field(CALL_TOKEN, "is required"))
    }
}

/// What is said of a file besides its bytes.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct AskedFile {
    /// What it is.
    #[param(inline)]
    kind: SessionFileKind,
    /// How the file is called; a path before it is dropped, at most 255 bytes are kept.
    #[serde(default)]
    #[param(required = false)]
    name: String,
}

async fn upload_in_call(
    guest: Guest,
    Id(subject_id): Id,
    Query(asked): Query<AskedFile>,
    CallToken(call_token): CallToken,
    upload: Upload,
) -> Answer<SessionFile> {
    use proto::upload_call_file_request::Part;
    let about = common::AttachmentUpload {
        request_id: guest.request_uuid(),
        subject_id,
        name: asked.name,
        size: upload.size(),
        sha256: String::new(),
    };
    let start = proto::CallFileUpload { call_token, kind: Some(asked.kind).back(), upload: Some(about) };
    let (parts, broken) = upload::parts(upload.bytes(), Part::Upload(start), Part::Chunk);
    let messages = Messages(parts.map(|part| proto::UploadCallFileRequest { part: Some(part) }).boxed());
    let mut client = guest.gateway.upstreams.video();
    let taken = client.upload_call_file(guest.request_within(messages, upload::LIMIT));
    let answer = upload::unless(broken, taken).await?;
    let file = answer.map_err(|status| told(guest.problem(status)))?.into_inner().file;
    show_created(file, "/v1/attachments/video")
}

async fn add(call: Call, Id(session_id): Id, Json(new): Json<NewSessionFile>) -> Answer<VideoSession> {
    let message = proto::AddSessionFileRequest {
        request_id: call.request_uuid(),
        session_id,
        kind: Some(new.kind).back(),
        attachment_id: new.attachment_id,
    };
    show_inner(ask!(call, video.add_session_file(message)).session)
}

async fn remove(call: Call, Id(session_id): Id, Json(named): Json<NamedSessionFile>) -> Answer<VideoSession> {
    let (request_id, attachment_id) = (call.request_uuid(), named.attachment_id);
    let message = proto::RemoveSessionFileRequest { request_id, session_id, attachment_id };
    show_inner(ask!(call, video.remove_session_file(message)).session)
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::post("/v1/videoSessions/{id}/call/files", upload_in_call)
            .rpc(rpc!("video.v1.VideoService", "UploadCallFile"))
            .open()
            .query::<AskedFile>()
            .takes_bytes::<super::Bytes>()
            .creates::<SessionFile>()
            .about(
                "Takes a recording or a screenshot from a page of calls and makes it the session's: the body is its \
                 bytes, 50 MiB at most. The credential is the token of joining, in the header X-Call-Token; it is good \
                 for this until an hour after the call. Recordings are taken of whom was let record (V-8).",
            ),
        Route::post("/v1/videoSessions/{id}:addFile", add)
            .rpc(rpc!("video.v1.VideoService", "AddSessionFile"))
            .body::<NewSessionFile>()
            .answers::<VideoSession>()
            .about(
                "Makes a file that the caller uploaded for the session a recording or a screenshot of it: a recording \
                 by the employee for whom one ran while both sides consented, a screenshot by who is in the call; and \
                 within an hour after (V-8).",
            ),
        Route::post("/v1/videoSessions/{id}:removeFile", remove)
            .rpc(rpc!("video.v1.VideoService", "RemoveSessionFile"))
            .body::<NamedSessionFile>()
            .answers::<VideoSession>()
            .about("Removes a recording or a screenshot, for good. Moderators and administrators."),
    ]
}
