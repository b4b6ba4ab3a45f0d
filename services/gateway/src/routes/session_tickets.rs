//! A ticket made from a session in the back office (V-9): tickets make it, video links it.

use std::time::Duration;

use callboard_kernel::{ErrorKind, Refusal, derive_uuid};
use callboard_proto::tickets::v1 as tickets;
use callboard_proto::video::v1 as video;
use callboard_service::error::report;
use http::StatusCode;
use serde::Deserialize;
use tonic::Status;
use tower::retry::backoff::Backoff;
use utoipa::ToSchema;

use super::tickets::check_answers;
use super::{ask, rpc};
use crate::answer::{Answer, show_created};
use crate::call::{Call, Id};
use crate::extract::Json;
use crate::model::mirror::Mirror;
use crate::model::tickets::{Answer as StepAnswer, Priority, Ticket};
use crate::openapi::Route;
use crate::problem::Problem;
use crate::retry::pauses;

/// How long video may take to hear of a new ticket: it does within milliseconds, unless it just starts.
const HEARING: Duration = Duration::from_secs(5);

/// A ticket to make from a session. It is opened at once, internal, on the session's device.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct SessionTicket {
    /// The flow that is answered; not given: a plain ticket (T-1).
    pub flow_id: Option<String>,
    /// Plain tickets: required, 1 to 200 characters. With a flow: left out.
    pub title: Option<String>,
    /// At most 10,000 characters.
    pub description: Option<String>,
    /// Answers to the flow's steps.
    pub answers: Vec<StepAnswer>,
    /// Default NORMAL.
    pub priority: Option<Priority>,
}

/// From outside nobody links; of the employees those of the session, while there is room. Whoever may not link but may
/// hide it is one of them: all that is left is the limit. That holds for a repeat as well: whether its ticket is one of
/// the fifty is not known before it is asked for again, and asking makes it.
fn may_link(moves: video::SessionMoves) -> Result<(), Refusal> {
    match (moves.link, moves.set_visibility) {
        (true, _) => Ok(()),
        (false, true) => Err(Refusal::new(
            ErrorKind::FailedPrecondition,
            "TOO_MANY_TICKETS",
            "at most 50 tickets are linked to a session: unlink one first",
        )),
        (false, false) => Err(Refusal::denied("for employees of the session (V-9)")),
    }
}

/// Makes the ticket and links it. Each of the two has an id derived from that of the request, so that a repeat makes
/// nothing twice and goes on where the first try ended.
async fn create_ticket(call: Call, Id(session_id): Id, Json(new): Json<SessionTicket>) -> Answer<Ticket> {
    check_answers(&new.answers)?;
    let asked = video::GetSessionRequest { session_id: session_id.clone() };
    let session = ask!(call, video.get_session(asked)).session.unwrap_or_default();
    // Before anything is made.
    may_link(session.moves.unwrap_or_default())?;
    let derived = |part: &[u8]| derive_uuid(call.change_id, &[b"session-ticket", part]).to_string();
    let message = tickets::CreateTicketRequest {
        request_id: derived(b"create"),
        device_id: session.device_id,
        flow_id: new.flow_id.unwrap_or_default(),
        title: new.title.unwrap_or_default(),
        description: new.description.unwrap_or_default(),
        answers: new.answers.back(),
        visibility: tickets::Visibility::Internal.into(),
        priority: new.priority.back(),
        open: true,
    };
    let made = ask!(call, tickets.create_ticket(message)).ticket;
    let ticket_id = made.as_ref().map(|ticket| ticket.id.clone()).unwrap_or_default();
    link(&call, video::LinkTicketRequest { request_id: derived(b"link"), session_id, ticket_id }).await?;
    show_created(made, "/v1/tickets")
}

/// Whether it is the ticket that video has not heard of. What else is not there, the session above all, does not come by
/// waiting.
fn is_unheard(status: &Status) -> bool {
    let report = report(status);
    report.kind == ErrorKind::NotFound && report.resource.is_some_and(|missing| missing.kind == "ticket")
}

/// Links it as soon as video has heard of it: until then it is not found there.
async fn link(call: &Call, message: video::LinkTicketRequest) -> Result<(), Problem> {
    let mut pauses = pauses();
    let linked = async {
        loop {
            match call.gateway.upstreams.video().link_ticket(call.request(message.clone())).await {
                Ok(_) => return Ok(()),
                Err(status) if is_unheard(&status) => pauses.next_backoff().await,
                Err(status) => return Err(call.problem(status)),
            }
        }
    };
    tokio::time::timeout(call.deadline.remaining().min(HEARING), linked).await.unwrap_or_else(|_| {
        let detail = "the ticket is made but not linked yet: send the same request again";
        Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE", detail))
    })
}

/// The route.
pub(super) fn route() -> Route {
    Route::post("/v1/videoSessions/{id}:createTicket", create_ticket)
        .rpc(rpc!("video.v1.VideoService", "LinkTicket"))
        .named("createTicketOfVideoSession")
        .body::<SessionTicket>()
        .creates::<Ticket>()
        .about(
            "Makes an internal ticket on the session's device, opens it and links it. Employees of the session (V-9), \
             while fewer than 50 are linked. The same request again, by its Idempotency-Key, makes nothing twice and \
             finishes what a failure left.",
        )
}
