//! Video sessions, their calls, and templates' session flows (V-1 to V-10).

use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::response::Response;
use callboard_proto::video::v1 as proto;
use http::HeaderMap;
use serde::Deserialize;
use utoipa::IntoParams;

use super::{ask, provider_webhooks, rpc, session_tickets};
use crate::answer::{Answer, show, show_created, show_inner};
use crate::call::{Call, Guest, Id};
use crate::extract::{Json, OptionalJson, Query};
use crate::model::Time;
use crate::model::common::time_range;
use crate::model::mirror::Mirror;
use crate::model::video::{
    CallJoining, CallProvider, JoinedCall, LinkedTicket, NewConsent, NewRecording, NewSessionVisibility,
    NewVideoSession, SessionFlow, SessionRequest, VideoSession, VideoSessionPage, VideoSessionStatus,
    VideoSessionVisibility,
};
use crate::openapi::{Resource, Route};
use crate::problem::Problem;
use crate::signals;
use crate::signals::words::{CallHello, HeardInCall, SaidInCall};

const SESSIONS: &str = "/v1/videoSessions";

/// Which sessions.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Asked {
    /// Statuses; repeat it for several.
    #[param(inline)]
    status: Vec<VideoSessionStatus>,
    /// Who sees them.
    #[param(inline)]
    visibility: Option<VideoSessionVisibility>,
    /// Devices; repeat it for several.
    device_id: Vec<String>,
    /// Templates; repeat it for several.
    template_id: Vec<String>,
    /// Customers; repeat it for several.
    customer_id: Vec<String>,
    /// Linked to this ticket.
    ticket_id: String,
    /// Of these employees; repeat it for several. For employees.
    employee_id: Vec<String>,
    /// The caller's own: as its employee, or as one of those who may withdraw it (V-5).
    mine: bool,
    /// 1 to 5; repeat it for several.
    rating: Vec<i32>,
    /// Made at or after.
    #[param(inline)]
    created_from: Option<Time>,
    /// Made before.
    #[param(inline)]
    created_before: Option<Time>,
    /// 0 or not given: 50; more than 200 counts as 200.
    page_size: i32,
    /// The `nextPageToken` of the page before.
    page_token: String,
}

async fn request(call: Call, Json(new): Json<SessionRequest>) -> Answer<VideoSession> {
    let message = proto::RequestSessionRequest { request_id: call.request_uuid(), ..new.back() };
    show_created(ask!(call, video.request_session(message)).session, SESSIONS)
}

async fn create(call: Call, Json(new): Json<NewVideoSession>) -> Answer<VideoSession> {
    let message = proto::CreateSessionRequest { request_id: call.request_uuid(), ..new.back() };
    show_created(ask!(call, video.create_session(message)).session, SESSIONS)
}

async fn list(call: Call, Query(asked): Query<Asked>) -> Answer<VideoSessionPage> {
    let filter = proto::SessionFilter {
        statuses: VideoSessionStatus::numbers(asked.status),
        visibility: asked.visibility.back(),
        device_ids: asked.device_id,
        template_ids: asked.template_id,
        customer_ids: asked.customer_id,
        ticket_id: asked.ticket_id,
        employee_ids: asked.employee_id,
        mine: asked.mine,
        ratings: asked.rating,
        created: time_range(asked.created_from, asked.created_before),
    };
    let message = proto::ListSessionsRequest {
        filter: Some(filter),
        page_size: asked.page_size,
        page_token: asked.page_token,
    };
    show(ask!(call, video.list_sessions(message)))
}

async fn get(call: Call, Id(session_id): Id) -> Answer<VideoSession> {
    show_inner(ask!(call, video.get_session(proto::GetSessionRequest { session_id })).session)
}

async fn confirm(call: Call, Id(session_id): Id) -> Answer<VideoSession> {
    let (request_id, etag) = (call.request_uuid(), call.etag(None));
    let message = proto::ConfirmSessionRequest { request_id, session_id, etag };
    show_inner(ask!(call, video.confirm_session(message)).session)
}

async fn withdraw(call: Call, Id(session_id): Id) -> Answer<VideoSession> {
    let (request_id, etag) = (call.request_uuid(), call.etag(None));
    let message = proto::WithdrawSessionRequest { request_id, session_id, etag };
    show_inner(ask!(call, video.withdraw_session(message)).session)
}

async fn cancel(call: Call, Id(session_id): Id) -> Answer<VideoSession> {
    let (request_id, etag) = (call.request_uuid(), call.etag(None));
    let message = proto::CancelSessionRequest { request_id, session_id, etag };
    show_inner(ask!(call, video.cancel_session(message)).session)
}

async fn reopen(call: Call, Id(session_id): Id) -> Answer<VideoSession> {
    let (request_id, etag) = (call.request_uuid(), call.etag(None));
    let message = proto::ReopenSessionRequest { request_id, session_id, etag };
    show_inner(ask!(call, video.reopen_session(message)).session)
}

async fn set_visibility(
    call: Call,
    Id(session_id): Id,
    Json(new): Json<NewSessionVisibility>,
) -> Answer<VideoSession> {
    let message = proto::SetSessionVisibilityRequest {
        request_id: call.request_uuid(),
        session_id,
        visibility: Some(new.visibility).back(),
        etag: call.etag(None),
    };
    show_inner(ask!(call, video.set_session_visibility(message)).session)
}

async fn link(call: Call, Id(session_id): Id, Json(linked): Json<LinkedTicket>) -> Answer<VideoSession> {
    let (request_id, ticket_id) = (call.request_uuid(), linked.ticket_id);
    let message = proto::LinkTicketRequest { request_id, session_id, ticket_id };
    show_inner(ask!(call, video.link_ticket(message)).session)
}

async fn unlink(call: Call, Id(session_id): Id, Json(linked): Json<LinkedTicket>) -> Answer<VideoSession> {
    let (request_id, ticket_id) = (call.request_uuid(), linked.ticket_id);
    let message = proto::UnlinkTicketRequest { request_id, session_id, ticket_id };
    show_inner(ask!(call, video.unlink_ticket(message)).session)
}

async fn set_consent(call: Call, Id(session_id): Id, Json(new): Json<NewConsent>) -> Answer<VideoSession> {
    let (request_id, given) = (call.request_uuid(), new.given);
    let message = proto::SetConsentRequest { request_id, session_id, given };
    show_inner(ask!(call, video.set_consent(message)).session)
}

async fn set_recording(
    call: Call,
    Id(session_id): Id,
    Json(new): Json<NewRecording>,
) -> Answer<VideoSession> {
    let (request_id, running) = (call.request_uuid(), new.running);
    let message = proto::SetRecordingRequest { request_id, session_id, running };
    show_inner(ask!(call, video.set_recording(message)).session)
}

async fn join(
    call: Call,
    Id(session_id): Id,
    OptionalJson(how): OptionalJson<CallJoining>,
) -> Answer<JoinedCall> {
    let (request_id, providers) = (call.request_uuid(), CallProvider::numbers(how.providers));
    let message = proto::JoinSessionRequest { request_id, session_id, providers };
    show(ask!(call, video.join_session(message)))
}

async fn end(call: Call, Id(session_id): Id) -> Answer<VideoSession> {
    let message = proto::EndCallRequest { request_id: call.request_uuid(), session_id };
    show_inner(ask!(call, video.end_call(message)).session)
}

async fn socket(
    guest: Guest,
    Id(session_id): Id,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Problem> {
    signals::open(guest, session_id, &headers, upgrade)
}

async fn get_flow(call: Call, Id(template_id): Id) -> Answer<SessionFlow> {
    let message = proto::GetSessionFlowRequest { template_id };
    show_inner(ask!(call, video.get_session_flow(message)).session_flow)
}

async fn put_flow(call: Call, Id(template_id): Id, Json(flow): Json<SessionFlow>) -> Answer<SessionFlow> {
    let mut flow: proto::SessionFlow = flow.back();
    flow.etag = call.etag(Some(std::mem::take(&mut flow.etag)));
    flow.template_id = template_id;
    let message = proto::PutSessionFlowRequest { request_id: call.request_uuid(), session_flow: Some(flow) };
    show_inner(ask!(call, video.put_session_flow(message)).session_flow)
}

/// The routes.
pub fn resource() -> Resource {
    Resource {
        tag: "videoSessions",
        about: "Video sessions, their calls, and the session flows of templates (V-1 to V-10).",
        routes: sessions()
            .into_iter()
            .chain([session_tickets::route()])
            .chain(in_the_call())
            .chain(session_flows())
            .chain(provider_webhooks::routes())
            .collect(),
    }
}

fn sessions() -> Vec<Route> {
    vec![
        Route::get("/v1/videoSessions", list)
            .rpc(rpc!("video.v1.VideoService", "ListSessions"))
            .named("listVideoSessions")
            .query::<Asked>()
            .answers::<VideoSessionPage>()
            .about("Sessions the caller may see, newest first."),
        Route::post("/v1/videoSessions", create)
            .rpc(rpc!("video.v1.VideoService", "CreateSession"))
            .named("createVideoSession")
            .body::<NewVideoSession>()
            .creates::<VideoSession>()
            .about(
                "Makes a session that is CONFIRMED at once (V-1). Employees; from a conversation, which the messenger \
                 then posts the join link in, those who may write there (M-7).",
            ),
        Route::post("/v1/videoSessions:request", request)
            .rpc(rpc!("video.v1.VideoService", "RequestSession"))
            .named("requestVideoSession")
            .body::<SessionRequest>()
            .creates::<VideoSession>()
            .about(
                "Asks for a session (V-1). Code users and customer users of the device, where its template allows it.",
            ),
        Route::get("/v1/videoSessions/{id}", get)
            .rpc(rpc!("video.v1.VideoService", "GetSession"))
            .named("getVideoSession")
            .answers::<VideoSession>()
            .about("A session the caller may see."),
        Route::post("/v1/videoSessions/{id}:confirm", confirm)
            .rpc(rpc!("video.v1.VideoService", "ConfirmSession"))
            .named("confirmVideoSession")
            .answers::<VideoSession>()
            .conditional()
            .about("REQUESTED to CONFIRMED. Responsible or offered employees, moderators, administrators (V-2)."),
        Route::post("/v1/videoSessions/{id}:withdraw", withdraw)
            .rpc(rpc!("video.v1.VideoService", "WithdrawSession"))
            .named("withdrawVideoSession")
            .answers::<VideoSession>()
            .conditional()
            .about(
                "REQUESTED to CANCELLED (V-5): code users of the device what was requested by scanning; users of its owner \
                 that, too, and what was requested under a login of the company.",
            ),
        Route::post("/v1/videoSessions/{id}:cancel", cancel)
            .rpc(rpc!("video.v1.VideoService", "CancelSession"))
            .named("cancelVideoSession")
            .answers::<VideoSession>()
            .conditional()
            .about("Cancels it; ends a running call. Employees of the session (V-5)."),
        Route::post("/v1/videoSessions/{id}:reopen", reopen)
            .rpc(rpc!("video.v1.VideoService", "ReopenSession"))
            .named("reopenVideoSession")
            .answers::<VideoSession>()
            .conditional()
            .about("CLOSED, DONE or CANCELLED to CONFIRMED. Employees of the session (V-6)."),
        Route::post("/v1/videoSessions/{id}:setVisibility", set_visibility)
            .rpc(rpc!("video.v1.VideoService", "SetSessionVisibility"))
            .named("setVideoSessionVisibility")
            .body::<NewSessionVisibility>()
            .answers::<VideoSession>()
            .conditional()
            .about("Makes it internal, which ends a running call, or public. Employees of the session (V-7)."),
        Route::post("/v1/videoSessions/{id}:linkTicket", link)
            .rpc(rpc!("video.v1.VideoService", "LinkTicket"))
            .body::<LinkedTicket>()
            .answers::<VideoSession>()
            .about("Links a ticket of the same device. Employees of the session (V-9)."),
        Route::post("/v1/videoSessions/{id}:unlinkTicket", unlink)
            .rpc(rpc!("video.v1.VideoService", "UnlinkTicket"))
            .body::<LinkedTicket>()
            .answers::<VideoSession>()
            .about("Takes a link away. Employees of the session (V-9)."),
    ]
}

fn in_the_call() -> Vec<Route> {
    vec![
        Route::post("/v1/videoSessions/{id}:join", join)
            .rpc(rpc!("video.v1.VideoService", "JoinSession"))
            .named("joinVideoSession")
            .body_as::<CallJoining>("application/json", false)
            .answers::<JoinedCall>()
            .about(
                "Takes the caller's place in the call, which the first to come starts (V-3), and answers what their \
                 browser needs, by what carries the call (V-10). The same request again answers the same connection with \
                 fresh credentials.",
            ),
        Route::get("/v1/videoSessions/{id}/call", socket)
            .rpc(rpc!("video.v1.VideoService", "Signal"))
            .named("signalInVideoSession")
            .open()
            .speaks::<CallHello, SaidInCall, HeardInCall>()
            .about(
                "A WebSocket (RFC 6455): what the two browsers of a BUILT_IN call tell each other. The first message is a \
                 CallHello with the token of joining, which is the credential; each one after it a SaidInCall. What \
                 comes back are HeardInCall. Every message is one text frame of at most 256 KiB. docs/video-calls.md \
                 says what the close codes mean.",
            ),
        Route::post("/v1/videoSessions/{id}:end", end)
            .rpc(rpc!("video.v1.VideoService", "EndCall"))
            .named("endVideoCall")
            .answers::<VideoSession>()
            .about("Hangs up: the call is over for both (V-4)."),
        Route::post("/v1/videoSessions/{id}:setConsent", set_consent)
            .rpc(rpc!("video.v1.VideoService", "SetConsent"))
            .body::<NewConsent>()
            .answers::<VideoSession>()
            .about(
                "Gives the caller's side's consent to recordings, or withdraws it, which ends a running recording \
                 (V-8).",
            ),
        Route::post("/v1/videoSessions/{id}:setRecording", set_recording)
            .rpc(rpc!("video.v1.VideoService", "SetRecording"))
            .body::<NewRecording>()
            .answers::<VideoSession>()
            .about("Says that the caller records, or no more; only while both sides consent (V-8)."),
    ]
}

fn session_flows() -> Vec<Route> {
    vec![
        Route::get("/v1/templates/{id}/sessionFlow", get_flow)
            .rpc(rpc!("video.v1.VideoService", "GetSessionFlow"))
            .answers::<SessionFlow>()
            .about(
                "What is asked of who requests a session. Employees; from outside that of one's own devices.",
            ),
        Route::put("/v1/templates/{id}/sessionFlow", put_flow)
            .rpc(rpc!("video.v1.VideoService", "PutSessionFlow"))
            .body::<SessionFlow>()
            .answers::<SessionFlow>()
            .conditional()
            .about("Sets the session flow. Moderators and administrators."),
    ]
}
