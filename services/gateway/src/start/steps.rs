//! Answering a flow step by step on a draft that the tickets service keeps (T-2), and what became of it.

use std::fmt::Write as _;

use axum::extract::{Path, Query, Request};
use axum::response::Response;
use callboard_kernel::Language;
use callboard_proto::tickets::v1 as proto;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use uuid::Uuid;

use super::files::{Filled, files_of};
use super::form::{self, Pairs, can_be_asked, localized};
use super::page::{go_to, keep, page, said};
use super::visit::{ask_for_code, out_or_sorry};
use super::visitor::Visitor;
use super::words::words;
use crate::call::{Guest, uuid_text};
use crate::html::Text;
use crate::language::status_label;
use crate::model::mirror::Mirror;
use crate::model::tickets::TicketStatus;
use crate::problem::Problem;
use crate::routes::ask;

/// The flow of tickets without one, as the filter of lists names it too.
pub const PLAIN: &str = "plain";

/// Which step.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    step: Option<String>,
}

/// What was wrong with a form, and what it held.
pub struct Again<'a> {
    error: String,
    pairs: &'a Pairs,
}

async fn flow_of(own: &Guest, template_id: &str, flow_id: &str) -> Result<proto::Flow, Problem> {
    let message = proto::GetFlowRequest { template_id: template_id.to_owned(), flow_id: flow_id.to_owned() };
    let mut flow = ask!(own, flows.get_flow(message)).flow.unwrap_or_default();
    flow.steps.retain(can_be_asked);
    Ok(flow)
}

/// What a draft is answered by: the flow that it began with, whatever became of that since (T-2).
fn flow_of_draft(draft: &mut proto::Ticket) -> proto::Flow {
    let mut flow = draft.draft_flow.take().unwrap_or_default();
    flow.steps.retain(can_be_asked);
    flow
}

async fn ticket_of(own: &Guest, ticket_id: &str) -> Result<proto::Ticket, Problem> {
    let message = proto::GetTicketRequest { ticket_id: uuid_text(ticket_id)? };
    Ok(ask!(own, tickets.get_ticket(message)).ticket.unwrap_or_default())
}

/// The first step of a flow; the form that makes the draft. `own` is the visitor's request.
pub async fn first(
    own: &Guest,
    template: &str,
    flow: &str,
    again: Option<Again<'_>>,
) -> Result<Response, Problem> {
    // Sent with the form: pressing the button twice makes one draft (AIP-155).
    let request = again.as_ref().and_then(|again| again.pairs.first("request")).map(str::to_owned);
    let request = request.unwrap_or_else(|| own.gateway.ids.next().to_string());
    let hidden = format!("<input type=\"hidden\" name=\"request\" value=\"{}\">", Text(request));
    if flow == PLAIN {
        return Ok(plain(own.language, &hidden, again));
    }
    let flow = flow_of(own, template, flow).await?;
    if !flow.active {
        return Err(Problem::new(StatusCode::NOT_FOUND, "NOT_FOUND", "no such flow"));
    }
    Ok(match flow.steps.first() {
        Some(step) => step_page(own, &flow, step, None, &hidden, again).await?,
        // A flow without steps is a button that needs no answer.
        None => {
            let body = format!(
                "<form method=\"post\">{hidden}<button>{}</button></form>",
                words(own.language).submit
            );
            page(own.language, &localized(flow.label.as_ref(), own.language), &body)
        }
    })
}

fn plain(language: Language, hidden: &str, again: Option<Again<'_>>) -> Response {
    let words = words(language);
    let given = |name| again.as_ref().and_then(|again| again.pairs.first(name)).unwrap_or_default();
    let body = format!(
        "{error}<form method=\"post\">{hidden}<label>{title}<input name=\"title\" required maxlength=\"200\" value=\"{}\"></label>\
         <label>{description} <span class=\"help\">({optional})</span>\
         <textarea name=\"description\" rows=\"6\" maxlength=\"10000\">{}</textarea></label><button>{submit}</button></form>",
        Text(given("title")),
        Text(given("description")),
        error = error(again.as_ref()),
        title = Text(words.title),
        description = Text(words.description),
        optional = Text(words.optional),
        submit = Text(words.submit),
    );
    page(language, words.plain, &body)
}

fn error(again: Option<&Again<'_>>) -> String {
    again.map_or_else(String::new, |again| {
        format!("<p class=\"error\" role=\"alert\" id=\"error\">{}</p>", Text(&again.error))
    })
}

async fn step_page(
    own: &Guest,
    flow: &proto::Flow,
    step: &proto::Step,
    draft: Option<&proto::Ticket>,
    hidden: &str,
    again: Option<Again<'_>>,
) -> Result<Response, Problem> {
    let language = own.language;
    let words = words(language);
    let place = flow.steps.iter().position(|other| other.key == step.key).unwrap_or_default();
    let kept = draft.and_then(|draft| draft.answers.iter().find(|answer| answer.step == step.key).cloned());
    let given =
        again.as_ref().map(|again| form::answer(step, again.pairs)).or(kept).and_then(|answer| answer.value);
    let files = files_of(own, given.as_ref()).await?;
    let back = draft.map(|draft| match place.checked_sub(1).and_then(|place| flow.steps.get(place)) {
        Some(before) => {
            format!("<a href=\"/t/{}?step={}\">{}</a>", Text(&draft.id), Text(&before.key), words.back)
        }
        None => String::new(),
    });
    let [step_word, of] = words.step_of;
    let body = format!(
        "<p class=\"progress\">{step_word} {} {of} {}</p>{error}<form method=\"post\"{encoding}{}>{hidden}{fields}\
         <input type=\"hidden\" name=\"step\" value=\"{}\"><button>{}</button> {}</form>",
        place + 1,
        flow.steps.len(),
        draft.map_or_else(String::new, |draft| format!(" action=\"/t/{}\"", Text(&draft.id))),
        Text(&step.key),
        Text(words.go_on),
        back.unwrap_or_default(),
        error = error(again.as_ref()),
        encoding = form::encoding(step),
        fields = form::fields(step, given.as_ref(), &files, language),
    );
    let mut response = page(language, &localized(flow.label.as_ref(), language), &body);
    if again.is_some() {
        *response.status_mut() = StatusCode::BAD_REQUEST;
    }
    Ok(response)
}

/// An answer that a form refuses itself, since the service would take it back without a word.
fn left_out(step: &proto::Step, answer: &proto::Answer, language: Language) -> Option<String> {
    (step.required && answer.value.is_none()).then(|| words(language).please_answer.to_owned())
}

fn wrong(language: Language, problem: &Problem) -> String {
    format!("{} {}", words(language).does_not_fit, said(problem))
}

/// `POST /start/{template}/{flow}`: the first answer makes the draft.
pub async fn begin(
    guest: Guest,
    Path((template, flow)): Path<(String, String)>,
    headers: HeaderMap,
    request: Request,
) -> Response {
    let Some(mut visitor) = Visitor::of(&guest, &headers).await else {
        return ask_for_code(&guest, Some(&flow), None);
    };
    let filled = match Filled::read(&guest, &mut visitor, "", request).await {
        Ok(filled) => filled,
        Err(problem) => return keep(out_or_sorry(&guest, &problem), &guest.gateway, &visitor),
    };
    let guest = guest.afresh();
    let Some(visitor) = visitor.renewed(&guest).await else {
        return ask_for_code(&guest, Some(&flow), None);
    };
    let outcome = begin_as(&visitor.asks(&guest), &template, &flow, &filled).await;
    let response = outcome.unwrap_or_else(|problem| out_or_sorry(&guest, &problem));
    keep(response, &guest.gateway, &visitor)
}

async fn begin_as(own: &Guest, template: &str, flow: &str, filled: &Filled) -> Result<Response, Problem> {
    let pairs = &filled.pairs;
    if let Some(refused) = &filled.refused {
        let again = Again { error: wrong(own.language, refused), pairs };
        return first(own, template, flow, Some(again)).await;
    }
    let request = pairs.first("request").and_then(|id| id.parse::<Uuid>().ok());
    let mut message = proto::CreateTicketRequest {
        request_id: request.unwrap_or_else(|| own.gateway.ids.next()).to_string(),
        ..Default::default()
    };
    let mut next = String::new();
    if flow == PLAIN {
        message.title = pairs.first("title").unwrap_or_default().trim().to_owned();
        message.description = pairs.first("description").unwrap_or_default().trim().to_owned();
        message.open = true;
    } else {
        flow.clone_into(&mut message.flow_id);
        let flow = flow_of(own, template, flow).await?;
        if let Some(step) = flow.steps.first() {
            let answer = form::answer(step, pairs);
            if let Some(error) = left_out(step, &answer, own.language) {
                return first(own, template, &flow.id, Some(Again { error, pairs })).await;
            }
            message.answers = answer.value.is_some().then_some(answer).into_iter().collect();
        }
        next = flow.steps.get(1).map(|step| format!("?step={}", step.key)).unwrap_or_default();
    }
    let created = async { Ok::<_, Problem>(ask!(own, tickets.create_ticket(message))) };
    match created.await {
        Ok(created) => Ok(go_to(&format!("/t/{}{next}", created.ticket.unwrap_or_default().id))),
        Err(problem) if problem.status == StatusCode::BAD_REQUEST => {
            first(own, template, flow, Some(Again { error: wrong(own.language, &problem), pairs })).await
        }
        Err(problem) => Err(problem),
    }
}

/// `GET /t/{ticket}`: a step, all answers before they are sent, or what became of the ticket.
pub async fn show(
    guest: Guest,
    Path(ticket): Path<String>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Response {
    let Some(visitor) = Visitor::of(&guest, &headers).await else { return ask_for_code(&guest, None, None) };
    let outcome = show_as(&visitor.asks(&guest), &ticket, asked.step.as_deref()).await;
    keep(outcome.unwrap_or_else(|problem| out_or_sorry(&guest, &problem)), &guest.gateway, &visitor)
}

async fn show_as(own: &Guest, ticket: &str, step: Option<&str>) -> Result<Response, Problem> {
    let mut ticket = ticket_of(own, ticket).await?;
    if ticket.status() != proto::TicketStatus::Draft {
        return Ok(opened(own.language, &ticket));
    }
    let flow = flow_of_draft(&mut ticket);
    let step = step.and_then(|key| flow.steps.iter().find(|step| step.key == key));
    match step {
        Some(step) => step_page(own, &flow, step, Some(&ticket), "", None).await,
        None => look_over(own, &flow, &ticket).await,
    }
}

async fn look_over(own: &Guest, flow: &proto::Flow, draft: &proto::Ticket) -> Result<Response, Problem> {
    let language = own.language;
    let words = words(language);
    let mut list = String::new();
    let mut missing = String::new();
    for step in &flow.steps {
        let label = localized(step.label.as_ref(), language);
        let answer = draft.answers.iter().find(|answer| answer.step == step.key);
        let value = answer.and_then(|answer| answer.value.as_ref());
        let files = files_of(own, value).await?;
        let said = value.map_or_else(
            || words.not_answered.to_owned(),
            |value| form::shown(step, value, &files, language),
        );
        let _ = write!(
            list,
            "<dt>{label}</dt><dd>{} <a href=\"/t/{}?step={}\" aria-label=\"{change}: {label}\">{change}</a></dd>",
            Text(said),
            Text(&draft.id),
            Text(&step.key),
            label = Text(&label),
            change = Text(words.change),
        );
        if step.required && value.is_none() {
            let _ = write!(missing, "<li>{}</li>", Text(&label));
        }
    }
    let end = if missing.is_empty() {
        format!(
            "<form method=\"post\" action=\"/t/{}/submit\"><button>{}</button></form>",
            Text(&draft.id),
            Text(words.submit)
        )
    } else {
        format!("<p class=\"error\">{}</p><ul>{missing}</ul>", Text(words.still_missing))
    };
    Ok(page(language, words.look_over, &format!("<dl>{list}</dl>{end}")))
}

fn opened(language: Language, ticket: &proto::Ticket) -> Response {
    let words = words(language);
    let status: Option<TicketStatus> = Mirror::out(ticket.status);
    let body = format!(
        "<p>{}</p><dl><dt>{} {}</dt><dd>{}</dd><dt>{}</dt><dd>{}</dd></dl><p class=\"help\">{}</p>",
        Text(words.thanks),
        Text(words.ticket),
        ticket.number,
        Text(&ticket.title),
        Text(words.status),
        status.map_or("", |status| status_label(status, language)),
        Text(words.come_back),
    );
    page(language, &format!("{} {}", words.ticket, ticket.number), &body)
}

/// `POST /t/{ticket}`: one answer.
pub async fn answer(
    guest: Guest,
    Path(ticket): Path<String>,
    headers: HeaderMap,
    request: Request,
) -> Response {
    let Some(mut visitor) = Visitor::of(&guest, &headers).await else {
        return ask_for_code(&guest, None, None);
    };
    let filled = match Filled::read(&guest, &mut visitor, &ticket, request).await {
        Ok(filled) => filled,
        Err(problem) => return keep(out_or_sorry(&guest, &problem), &guest.gateway, &visitor),
    };
    let guest = guest.afresh();
    let Some(visitor) = visitor.renewed(&guest).await else { return ask_for_code(&guest, None, None) };
    let outcome = answer_as(&visitor.asks(&guest), &ticket, &filled).await;
    keep(outcome.unwrap_or_else(|problem| out_or_sorry(&guest, &problem)), &guest.gateway, &visitor)
}

async fn answer_as(own: &Guest, ticket: &str, filled: &Filled) -> Result<Response, Problem> {
    let pairs = &filled.pairs;
    let mut ticket = ticket_of(own, ticket).await?;
    if ticket.status() != proto::TicketStatus::Draft {
        return Ok(go_to(&format!("/t/{}", ticket.id)));
    }
    let flow = flow_of_draft(&mut ticket);
    let place = flow.steps.iter().position(|step| Some(step.key.as_str()) == pairs.first("step"));
    let Some((place, step)) = place.and_then(|place| Some((place, flow.steps.get(place)?))) else {
        return Ok(go_to(&format!("/t/{}", ticket.id)));
    };
    let answer = form::answer(step, pairs);
    let again = |error| step_page(own, &flow, step, Some(&ticket), "", Some(Again { error, pairs }));
    if let Some(refused) = &filled.refused {
        return again(wrong(own.language, refused)).await;
    }
    if let Some(error) = left_out(step, &answer, own.language) {
        return again(error).await;
    }
    let said_before = ticket.answers.iter().any(|other| other.step == step.key);
    if answer.value.is_some() || said_before {
        let message = proto::AnswerStepRequest {
            request_id: own.gateway.ids.next().to_string(),
            ticket_id: ticket.id.clone(),
            answer: Some(answer),
            etag: String::new(),
        };
        let answered = async { Ok::<_, Problem>(ask!(own, tickets.answer_step(message))) };
        match answered.await {
            Ok(_) => {}
            Err(problem) if problem.status == StatusCode::BAD_REQUEST => {
                return again(wrong(own.language, &problem)).await;
            }
            Err(problem) => return Err(problem),
        }
    }
    let next = flow.steps.get(place + 1).map(|step| format!("?step={}", step.key)).unwrap_or_default();
    Ok(go_to(&format!("/t/{}{next}", ticket.id)))
}

/// `POST /t/{ticket}/submit`: DRAFT to OPEN (T-4).
pub async fn submit(guest: Guest, Path(ticket): Path<String>, headers: HeaderMap) -> Response {
    let Some(visitor) = Visitor::of(&guest, &headers).await else { return ask_for_code(&guest, None, None) };
    let outcome = submit_as(&visitor.asks(&guest), &ticket).await;
    keep(outcome.unwrap_or_else(|problem| out_or_sorry(&guest, &problem)), &guest.gateway, &visitor)
}

async fn submit_as(own: &Guest, ticket: &str) -> Result<Response, Problem> {
    let ticket = ticket_of(own, ticket).await?;
    // Pressed twice: it is open already.
    if ticket.status() == proto::TicketStatus::Draft {
        let message = proto::SubmitTicketRequest {
            request_id: own.gateway.ids.next().to_string(),
            ticket_id: ticket.id.clone(),
            ..Default::default()
        };
        ask!(own, tickets.submit_ticket(message));
    }
    Ok(go_to(&format!("/t/{}", ticket.id)))
}
