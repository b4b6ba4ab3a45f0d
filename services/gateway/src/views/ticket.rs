//! The ticket details view.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Json;
use callboard_kernel::Language;
use callboard_proto::{fleet, ratings, tickets, video};
use callboard_service::request::Deadline;
use tokio::time::Instant;
use tonic::Status;

use super::around::Surroundings;
use super::linked::{conversation_part, linked_sessions, linked_tasks, own_notifications};
use super::names::ById;
use super::part::{Miss, Part, part, within};
use super::screen::{
    AssignedEmployee, FleetPart, General, LabelledStatus, NamedEmployee, ProgressStep, Reached,
    RequestedEmployee, SessionsPart, ShownSession, StatusBar, TicketView,
};
use crate::call::{Call, Id};
use crate::language::{priority_label, session_status_label, status_label, visibility_label};
use crate::model::mirror::Mirror;
use crate::model::tickets::{Flow, Ticket, TicketMoves, TicketStatus};
use crate::model::video::VideoSession;
use crate::model::{Actor, ActorKind};
use crate::problem::Problem;

/// Entries of each list that the view shows at once; more by the list's own route.
const LIST_LENGTH: i32 = 200;

/// `GET /v1/tickets/{id}/view`.
pub async fn view(call: Call, Id(ticket_id): Id) -> Result<Json<TicketView>, Problem> {
    let until = Instant::now() + call.gateway.settings.view_budget;
    let (ticket_id, is_employee) = (ticket_id.as_str(), call.principal().employee().is_some());
    let missing = parking_lot::Mutex::new(BTreeSet::new());
    let miss = |context: &'static str| {
        missing.lock().insert(context);
    };
    let general = about_ticket(&call, ticket_id, until, &miss);
    let dispatch = async {
        if !is_employee {
            return None;
        }
        let message = fleet::v1::GetDispatchRequest { ticket_id: ticket_id.to_owned() };
        let dispatch = part(
            "fleet",
            &miss,
            Part::of(call.gateway.upstreams.fleet().get_dispatch(within(&call, message, until)), until),
        )
        .await;
        let dispatch = dispatch.and_then(|response| response.dispatch);
        mark_seen(&call, ticket_id, dispatch.as_ref());
        dispatch
    };
    let rating = async {
        let message = ratings::v1::GetRatingRequest {
            subject_kind: ratings::v1::SubjectKind::Ticket.into(),
            subject_id: ticket_id.to_owned(),
        };
        part(
            "ratings",
            &miss,
            Part::of(call.gateway.upstreams.ratings().get_rating(within(&call, message, until)), until),
        )
        .await
    };
    let conversation = conversation_part(&call, ticket_id, until, &miss);
    let linked = linked_tasks(&call, ticket_id, until, &miss);
    let sessions = linked_sessions(&call, ticket_id, until, &miss);
    let notifications = own_notifications(&call, ticket_id, until, &miss);
    let names = async {
        if !is_employee {
            return ById::default();
        }
        part("directory", &miss, call.gateway.names.of(&call, until)).await.unwrap_or_default()
    };
    // Boxed: together they are large, and a request waits on them once.
    let (general, dispatch, conversation, linked, sessions, notifications, rating, names) = Box::pin(async {
        tokio::join!(general, dispatch, conversation, linked, sessions, notifications, rating, names)
    })
    .await;
    // The owner of the ticket has the last word on whether there is one for this caller.
    let general = general.map_err(|status| call.problem(status))?;
    let unreachable: Vec<&'static str> = missing.into_inner().into_iter().collect();
    if unreachable.len() == crate::upstream::CONTEXTS.len()
        || (general.is_none() && dispatch.is_none() && rating.is_none() && conversation.is_none())
    {
        let mut problem = Problem::new(
            http::StatusCode::SERVICE_UNAVAILABLE,
            "VIEW_UNAVAILABLE",
            format!("not reachable now: {}", unreachable.join(", ")),
        );
        problem.retry_after = Some(std::time::Duration::from_secs(1));
        return Err(problem);
    }
    let mut view = TicketView {
        ticket_id: ticket_id.to_owned(),
        unreachable,
        fleet: dispatch.map(|dispatch| fleet_part(dispatch, &names)),
        conversation,
        tasks: linked.map(Mirror::out),
        video_sessions: sessions.map(|page| sessions_part(page, call.language)),
        notifications,
        rating: rating.and_then(|response| response.rating).map(Mirror::out),
        ..TicketView::default()
    };
    if let Some((screen, surroundings)) = general {
        let ticket = Ticket::out(screen.ticket.unwrap_or_default());
        view.status_bar = status_bar(&ticket, screen.moves.map(Mirror::out), call.language);
        view.general =
            Some(general_part(ticket, screen.flow.map(Mirror::out), &surroundings, &names, call.language));
        view.updates = screen.public_updates.map(Mirror::out);
        view.internal_updates = screen.internal_updates.map(Mirror::out);
        view.timeline = screen.timeline.map(Mirror::out);
    }
    Ok(Json(view))
}

/// What its owner has of the ticket, and what it hangs on. `Err`: its owner says no. `Ok(None)`: its owner cannot be
/// reached.
async fn about_ticket(
    call: &Call,
    ticket_id: &str,
    until: Instant,
    miss: &Miss<'_>,
) -> Result<Option<(tickets::v1::GetTicketScreenResponse, Arc<Surroundings>)>, Status> {
    let message =
        tickets::v1::GetTicketScreenRequest { ticket_id: ticket_id.to_owned(), page_size: LIST_LENGTH };
    let mut upstream = call.gateway.upstreams.tickets();
    let screen = match Part::of(upstream.get_ticket_screen(within(call, message, until)), until).await {
        Part::Here(screen) => screen,
        Part::Nothing(status) => return Err(status),
        Part::Unreachable => {
            miss("tickets");
            return Ok(None);
        }
    };
    let ticket = screen.ticket.as_ref().ok_or_else(|| Status::internal("a screen without a ticket"))?;
    let around = call.gateway.names.around.of(call, ticket, until, miss).await;
    Ok(Some((screen, around)))
}

/// Opening the details is what marks an offer as seen (F-3). Nobody waits for it, and a failure is only logged: the
/// next look marks it.
fn mark_seen(call: &Call, ticket_id: &str, dispatch: Option<&fleet::v1::Dispatch>) {
    let unseen = fleet::v1::OfferStatus::Unseen;
    // Where fleet did not answer in time it may still take the mark.
    let worth_it = dispatch.is_none_or(|dispatch| {
        dispatch.requested.iter().any(|offer| offer.id == dispatch.own_offer_id && offer.status() == unseen)
    });
    if !worth_it {
        return;
    }
    let message = fleet::v1::MarkSeenRequest {
        request_id: call.gateway.ids.next().to_string(),
        ticket_id: ticket_id.to_owned(),
    };
    let request = call.request_within(message, Deadline::remaining(call.deadline));
    let mut fleet = call.gateway.upstreams.fleet();
    call.gateway.tracker.spawn(async move {
        if let Err(status) = fleet.mark_seen(request).await {
            tracing::debug!(code = ?status.code(), "an offer was not marked as seen");
        }
    });
}

fn status_bar(ticket: &Ticket, moves: Option<TicketMoves>, language: Language) -> Option<StatusBar> {
    let status = ticket.status?;
    let labelled = |status| LabelledStatus { status, label: status_label(status, language) };
    Some(StatusBar {
        status: labelled(status),
        progress: progress(status, language),
        visibility: ticket.visibility,
        visibility_label: ticket.visibility.map(|visibility| visibility_label(visibility, language)),
        priority_label: ticket.priority.map(|priority| priority_label(priority, language)),
        status_moves: moves
            .iter()
            .flat_map(|moves| &moves.statuses.0)
            .map(|status| labelled(*status))
            .collect(),
        moves,
    })
}

/// From open to closed; a draft stands before it, and cancelling ends it where it was not foreseen.
fn progress(current: TicketStatus, language: Language) -> Vec<ProgressStep> {
    use TicketStatus::{Assigned, Cancelled, Closed, Done, Draft, InProgress, Open};
    let way: &[TicketStatus] = match current {
        Draft => &[Draft, Open, Assigned, InProgress, Done, Closed],
        Cancelled => &[Open, Cancelled],
        Open | Assigned | InProgress | Done | Closed => &[Open, Assigned, InProgress, Done, Closed],
    };
    let here = way.iter().position(|status| *status == current).unwrap_or_default();
    way.iter()
        .enumerate()
        .map(|(index, status)| ProgressStep {
            status: *status,
            label: status_label(*status, language),
            reached: match index.cmp(&here) {
                std::cmp::Ordering::Less => Reached::Past,
                std::cmp::Ordering::Equal => Reached::Current,
                std::cmp::Ordering::Greater => Reached::Ahead,
            },
        })
        .collect()
}

fn general_part(
    ticket: Ticket,
    flow: Option<Flow>,
    around: &Surroundings,
    names: &ById,
    language: Language,
) -> General {
    let text = |localized: Option<&crate::model::Localized>| localized?.text(language).map(str::to_owned);
    let template: Option<crate::model::directory::Template> = around.template.clone().map(Mirror::out);
    let creator = match &ticket.creator {
        Some(Actor { kind: Some(ActorKind::Employee), id: Some(id) }) => names.get(id).cloned(),
        _ => None,
    };
    let filled = |text: &String| (!text.is_empty()).then(|| text.clone());
    let device = around.device.as_ref();
    let device_name = device.and_then(|device| filled(&device.name));
    let device_serial_number = device.and_then(|device| filled(&device.serial_number));
    General {
        category: text(flow.as_ref().and_then(|flow| flow.label.as_ref())),
        template_name: text(template.as_ref().and_then(|template| template.name.as_ref())),
        customer_name: around.customer.as_ref().and_then(|customer| filled(&customer.name)),
        creator_name: creator,
        device_name,
        device_serial_number,
        flow,
        ticket,
    }
}

fn sessions_part(page: video::v1::ListSessionsResponse, language: Language) -> SessionsPart {
    let shown = |session: VideoSession| ShownSession {
        status_label: session.status.map(|status| session_status_label(status, language)),
        session,
    };
    SessionsPart {
        sessions: page.sessions.into_iter().map(|session| shown(Mirror::out(session))).collect(),
        next_page_token: Mirror::out(page.next_page_token),
    }
}

fn fleet_part(dispatch: fleet::v1::Dispatch, names: &ById) -> FleetPart {
    let named = |id: String| NamedEmployee { name: names.get(&id).cloned(), id };
    FleetPart {
        assigned: dispatch
            .assigned
            .into_iter()
            .map(|assignment| AssignedEmployee {
                employee: named(assignment.employee_id),
                source: Mirror::out(assignment.source),
                since: Mirror::out(assignment.create_time),
            })
            .collect(),
        requested: dispatch
            .requested
            .into_iter()
            .map(|offer| RequestedEmployee {
                seen: offer.seen_time.is_some(),
                employee: named(offer.employee_id),
                offer_id: offer.id,
                status: Mirror::out(offer.status),
                seen_time: Mirror::out(offer.seen_time),
                decide_time: Mirror::out(offer.decide_time),
                decline_reason: Mirror::out(offer.decline_reason),
            })
            .collect(),
        available: dispatch.available_employee_ids.into_iter().map(named).collect(),
        required_workers: Mirror::out(dispatch.required_workers),
        may_manage: dispatch.may_manage,
        own_offer_id: Mirror::out(dispatch.own_offer_id),
    }
}
