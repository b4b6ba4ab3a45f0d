//! Coming in: by a scanned code, by a typed one, by a pressed button.

use axum::Json;
use axum::extract::{Path, Query, RawForm};
use axum::response::{IntoResponse, Response};
use callboard_kernel::ErrorKind;
use callboard_proto::directory::v1 as directory;
use callboard_proto::tickets::v1 as tickets;
use http::{HeaderMap, Method, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::form::{Pairs, localized};
use super::page::{go_to, keep, page, said, sorry};
use super::steps::{self, PLAIN};
use super::visitor::Visitor;
use super::words::words;
use super::{flow_path, flow_url};
use crate::call::{Call, Guest, uuid_text};
use crate::html::Text;
use crate::model::mirror::Mirror;
use crate::model::tickets::Flow;
use crate::problem::{Problem, http_status};
use crate::routes::ask;

/// What stands behind the `?`. What we do not know is ignored: links pass through many hands, which add to them.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    code: Option<String>,
    flow: Option<String>,
    device: Option<String>,
}

/// `?flow=…` where there is a flow to go on with.
fn with_flow(path: &str, flow: Option<&str>) -> String {
    match flow {
        Some(flow) => format!("{path}?flow={flow}"),
        None => path.to_owned(),
    }
}

/// A flow as a link names it: a UUID or `plain`. What is neither leads to the list of flows.
fn flow_in(asked: Option<String>) -> Option<String> {
    asked.filter(|flow| flow == PLAIN || uuid_text(flow).is_ok())
}

/// A code, also out of a pasted address.
fn code_in(typed: &str) -> Option<&str> {
    let code = typed.trim().trim_end_matches('/').rsplit('/').next()?.split('?').next()?;
    let fits = (16..=64).contains(&code.len())
        && code.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    fits.then_some(code)
}

/// Asks for the code. 401: nobody is in.
pub fn ask_for_code(guest: &Guest, flow: Option<&str>, note: Option<&str>) -> Response {
    let words = words(guest.language);
    let note =
        note.map(|note| format!("<p class=\"error\" role=\"alert\">{}</p>", Text(note))).unwrap_or_default();
    let flow = flow.map(|flow| format!("<input type=\"hidden\" name=\"flow\" value=\"{}\">", Text(flow)));
    let body = format!(
        "{note}<p class=\"help\">{help}</p><form action=\"/c\">{flow}<label>{code}\
         <input name=\"code\" required maxlength=\"500\" autocomplete=\"off\" autocapitalize=\"none\" spellcheck=\"false\"></label>\
         <button>{go_on}</button></form>",
        help = Text(words.enter_code_help),
        flow = flow.unwrap_or_default(),
        code = Text(words.code),
        go_on = Text(words.go_on),
    );
    let mut response = page(guest.language, words.enter_code, &body);
    *response.status_mut() = StatusCode::UNAUTHORIZED;
    response
}

/// `GET /c?code=…`: typed by hand.
pub async fn typed(guest: Guest, Query(asked): Query<Asked>) -> Response {
    let flow = flow_in(asked.flow);
    match asked.code.as_deref().and_then(code_in) {
        Some(code) => go_to(&with_flow(&format!("/c/{code}"), flow.as_deref())),
        None => ask_for_code(&guest, flow.as_deref(), None),
    }
}

/// `GET /c/{code}`: scanned. Opening it is the scan (D-3), hence it makes a session, which changes nothing for anybody.
pub async fn scanned(
    guest: Guest,
    method: Method,
    Path(code): Path<String>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Response {
    let flow = flow_in(asked.flow);
    let in_already = Visitor::of(&guest, &headers).await.filter(|visitor| visitor.code == code);
    // A session that was ended says so at its first call: then the code is scanned anew.
    if let Some(visitor) = in_already
        && let Ok(response) = arrived(&guest, &visitor, flow.as_deref()).await
    {
        return keep(response, &guest.gateway, &visitor);
    }
    let needs = async {
        let question = directory::LookUpCodeRequest { code: code.clone() };
        Ok::<_, Problem>(ask!(guest, sessions.look_up_code(question)))
    };
    let words = words(guest.language);
    match needs.await {
        // Somebody typed it.
        Err(problem) if problem.status.is_client_error() => {
            ask_for_code(&guest, flow.as_deref(), Some(&said(&problem)))
        }
        Err(problem) => sorry(guest.language, &problem),
        Ok(needs) if !needs.admits_code_users => {
            sorry(guest.language, &Problem::new(StatusCode::FORBIDDEN, "PERMISSION_DENIED", words.not_in_use))
        }
        Ok(needs) if needs.needs_pin => ask_for_pin(&guest, flow.as_deref(), None),
        // Who only looks at what is there comes in no further.
        Ok(_) if method == Method::HEAD => StatusCode::OK.into_response(),
        Ok(_) => let_in(&guest, &code, "", flow.as_deref()).await,
    }
}

/// `POST /c/{code}`: with the PIN.
pub async fn unlocked(guest: Guest, Path(code): Path<String>, RawForm(body): RawForm) -> Response {
    let pairs = Pairs::read(&body);
    let flow = flow_in(pairs.first("flow").map(str::to_owned));
    let_in(&guest, &code, pairs.first("pin").unwrap_or_default().trim(), flow.as_deref()).await
}

async fn let_in(guest: &Guest, code: &str, pin: &str, flow: Option<&str>) -> Response {
    let visitor = match Visitor::enter(guest, code, pin).await {
        Ok(visitor) => visitor,
        Err(problem)
            if problem.reason.starts_with("PIN_")
                || problem.violations.iter().any(|one| one.field == "pin") =>
        {
            return ask_for_pin(guest, flow, Some(&problem));
        }
        Err(problem) => return sorry(guest.language, &problem),
    };
    // To where it was opened, so that the browser's "reload" sends no PIN again.
    let response = match arrived(guest, &visitor, flow).await {
        Ok(_) if !pin.is_empty() => go_to(&with_flow(&format!("/c/{code}"), flow)),
        Ok(response) => response,
        Err(problem) => sorry(guest.language, &problem),
    };
    keep(response, &guest.gateway, &visitor)
}

fn ask_for_pin(guest: &Guest, flow: Option<&str>, wrong: Option<&Problem>) -> Response {
    let words = words(guest.language);
    let error = wrong.map(|problem| format!("<p class=\"error\" role=\"alert\">{}</p>", Text(said(problem))));
    let flow = flow.map(|flow| format!("<input type=\"hidden\" name=\"flow\" value=\"{}\">", Text(flow)));
    let body = format!(
        "{error}<form method=\"post\">{flow}<label>{pin}<input name=\"pin\" type=\"password\" inputmode=\"numeric\" \
         pattern=\"[0-9]{{4,12}}\" required autocomplete=\"off\"></label><button>{go_on}</button></form>",
        error = error.unwrap_or_default(),
        flow = flow.unwrap_or_default(),
        pin = Text(words.pin),
        go_on = Text(words.go_on),
    );
    let mut response = page(guest.language, words.enter_pin, &body);
    if let Some(problem) = wrong {
        *response.status_mut() = problem.status;
    }
    response
}

/// Who is in goes on with the flow, or chooses one.
async fn arrived(guest: &Guest, visitor: &Visitor, flow: Option<&str>) -> Result<Response, Problem> {
    let own = visitor.asks(guest);
    let message =
        tickets::ListFlowsRequest { template_id: visitor.template.clone(), include_inactive: false };
    let flows = ask!(own, flows.list_flows(message)).flows;
    if let Some(flow) = flow {
        return Ok(go_to(&flow_path(&visitor.template, flow)));
    }
    let words = words(guest.language);
    let mut body = String::from("<p class=\"flows\">");
    for flow in &flows {
        let label = localized(flow.label.as_ref(), guest.language);
        body += &format!(
            "<a class=\"button\" href=\"{}\">{}</a>",
            Text(flow_path(&visitor.template, &flow.id)),
            Text(label)
        );
    }
    // A template without flows still lets a plain ticket be made (T-1).
    if flows.is_empty() {
        body += &format!(
            "{}<a class=\"button\" href=\"{}\">{}</a>",
            Text(words.nothing_offered),
            Text(flow_path(&visitor.template, PLAIN)),
            Text(words.plain)
        );
    }
    body += "</p>";
    Ok(page(guest.language, words.choose, &body))
}

/// A flow for a program that follows its link.
#[derive(Debug, Serialize)]
struct FlowToStart {
    flow: Flow,
    /// The call that makes the draft; with `open` and all answers it opens the ticket at once.
    start: Value,
}

fn wants_json(headers: &HeaderMap) -> bool {
    let accept = headers.get(http::header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    accept.contains("application/json") && !accept.contains("text/html")
}

/// `GET /start/{template}/{flow}`: a pressed button. Makes nothing yet: the first answer does.
pub async fn pressed(
    guest: Guest,
    call: Result<Call, Problem>,
    Path((template, flow)): Path<(String, String)>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Response {
    if wants_json(&headers) {
        return match describe(call, template, flow, asked.device).await {
            Ok(described) => Json(described).into_response(),
            Err(problem) => problem.into_response(),
        };
    }
    let Some(flow) = flow_in(Some(flow)) else {
        return sorry(guest.language, &Problem::field("flow", "no such flow"));
    };
    let visitor = Visitor::of(&guest, &headers).await;
    if let Some(code) = asked.code.as_deref().and_then(code_in)
        && visitor.as_ref().is_none_or(|visitor| visitor.code != code)
    {
        return go_to(&with_flow(&format!("/c/{code}"), Some(&flow)));
    }
    let words = words(guest.language);
    let Some(visitor) = visitor else { return ask_for_code(&guest, Some(&flow), None) };
    if visitor.template != template || asked.device.is_some_and(|device| device != visitor.device) {
        return ask_for_code(&guest, Some(&flow), Some(words.other_device));
    }
    let response = match steps::first(&visitor.asks(&guest), &template, &flow, None).await {
        Ok(response) => response,
        Err(problem) => out_or_sorry(&guest, &problem),
    };
    keep(response, &guest.gateway, &visitor)
}

/// The code is asked for when the session is over, else what went wrong is said.
pub fn out_or_sorry(guest: &Guest, problem: &Problem) -> Response {
    if problem.status == http_status(ErrorKind::Unauthenticated) {
        return ask_for_code(guest, None, Some(words(guest.language).session_over));
    }
    sorry(guest.language, problem)
}

async fn describe(
    call: Result<Call, Problem>,
    template_id: String,
    flow_id: String,
    device: Option<String>,
) -> Result<FlowToStart, Problem> {
    let call = call?;
    let message = tickets::GetFlowRequest { template_id: template_id.clone(), flow_id: flow_id.clone() };
    let flow = ask!(call, flows.get_flow(message)).flow.unwrap_or_default();
    let mut body = json!({"flowId": flow_id, "answers": []});
    if let Some(device) = device {
        body["deviceId"] = Value::from(device);
    }
    let url = format!("{}/v1/tickets", call.gateway.settings.public_url);
    let start_url = Some(flow_url(&call.gateway, &template_id, &flow_id));
    Ok(FlowToStart {
        flow: Flow { start_url, ..Flow::out(flow) },
        start: json!({"method": "POST", "url": url, "body": body}),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_out_of_what_people_paste() {
        for typed in ["AbCdEfGhIjKlMnOp", " AbCdEfGhIjKlMnOp ", "https://x.example/c/AbCdEfGhIjKlMnOp?flow=1"]
        {
            assert_eq!(code_in(typed), Some("AbCdEfGhIjKlMnOp"), "{typed}");
        }
        for wrong in ["", "short", "//evil.example", "AbCdEfGhIjKlMnOp\r\nx"] {
            assert_eq!(code_in(wrong), None, "{wrong}");
        }
    }
}
