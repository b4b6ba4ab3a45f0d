//! What went wrong, as REST tells it: RFC 9457 problem documents with the reasons that gRPC uses.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use callboard_kernel::{ErrorKind, FieldViolation, Language, Refusal};
use callboard_service::error::{Report, report};
use http::header::{CONTENT_TYPE, RETRY_AFTER, UPGRADE, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::Serialize;
use std::time::Duration;
use utoipa::ToSchema;

use crate::naming::{lower_camel_path, query_path};

/// A failure on its way to the caller. Rendered last of all, when language and request id are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The HTTP status.
    pub status: StatusCode,
    /// `UPPER_SNAKE_CASE`; the catalogue is `docs/errors.md`.
    pub reason: String,
    /// For a person.
    pub detail: String,
    /// Wrong fields, named as REST names them.
    pub violations: Vec<FieldViolation>,
    /// When to try again.
    pub retry_after: Option<Duration>,
    /// The trace that the log knows more of.
    pub trace_id: Option<String>,
    /// Somebody else was faster: read again and retry.
    pub aborted: bool,
}

/// A problem document (RFC 9457), `application/problem+json`.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Problem)]
pub struct ProblemDocument {
    /// Where the reason is explained: `/docs/errors#OFFER_FILLED`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind of failure, in the caller's language.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What happened, for a person.
    pub detail: String,
    /// Stable machine-readable reason, `UPPER_SNAKE_CASE`; the same as over gRPC.
    pub reason: String,
    /// Names this request in the logs.
    pub request_id: String,
    /// Wrong fields.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub violations: Vec<Violation>,
    /// Names the trace in the logs, for what is our own fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
}

/// One wrong field.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Violation {
    /// Path of the field: `answers[2].text`.
    pub field: String,
    /// The rule that it breaks.
    pub description: String,
}

/// The HTTP status of a kind of failure. FAILED_PRECONDITION is 409 rather than the 400 of the canonical table: the
/// request is right, the state is not, and retrying after the state changed may help.
pub const fn http_status(kind: ErrorKind) -> StatusCode {
    match kind {
        ErrorKind::InvalidArgument => StatusCode::BAD_REQUEST,
        ErrorKind::Unauthenticated => StatusCode::UNAUTHORIZED,
        ErrorKind::PermissionDenied => StatusCode::FORBIDDEN,
        ErrorKind::NotFound => StatusCode::NOT_FOUND,
        ErrorKind::AlreadyExists | ErrorKind::FailedPrecondition | ErrorKind::Aborted => StatusCode::CONFLICT,
        ErrorKind::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
        // A service that gave up on us looks the same as one that took too long.
        ErrorKind::DeadlineExceeded | ErrorKind::Cancelled => StatusCode::GATEWAY_TIMEOUT,
        ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        ErrorKind::Unimplemented => StatusCode::NOT_IMPLEMENTED,
        ErrorKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// The title of a problem.
fn title(status: StatusCode, language: Language) -> &'static str {
    let (english, german) = match status.as_u16() {
        400 => ("The request is wrong", "Die Anfrage ist falsch"),
        401 => ("Not logged in", "Nicht angemeldet"),
        403 => ("Not allowed", "Nicht erlaubt"),
        404 => ("Not found", "Nicht gefunden"),
        405 => ("Method not allowed", "Methode nicht erlaubt"),
        409 => ("The state does not allow it", "Der Zustand erlaubt es nicht"),
        412 => ("Changed in the meantime", "Inzwischen geändert"),
        413 => ("Too large", "Zu groß"),
        415 => ("Media type not supported", "Medientyp nicht unterstützt"),
        426 => ("A WebSocket is expected", "Ein WebSocket wird erwartet"),
        429 => ("Too many requests", "Zu viele Anfragen"),
        501 => ("Not built yet", "Noch nicht gebaut"),
        503 => ("Not available now", "Zurzeit nicht verfügbar"),
        504 => ("Took too long", "Dauerte zu lange"),
        _ => ("Something went wrong", "Etwas ging schief"),
    };
    match language {
        Language::En => english,
        Language::De => german,
    }
}

impl Problem {
    /// A problem of the gateway's own.
    pub fn new(status: StatusCode, reason: &str, detail: impl Into<String>) -> Self {
        Self {
            status,
            reason: reason.to_owned(),
            detail: detail.into(),
            violations: Vec::new(),
            retry_after: None,
            trace_id: None,
            aborted: false,
        }
    }

    /// Wrong fields.
    pub fn fields(violations: Vec<FieldViolation>) -> Self {
        Refusal::fields(violations).into()
    }

    /// One wrong field.
    pub fn field(field: impl Into<String>, description: impl Into<String>) -> Self {
        Refusal::field(field, description).into()
    }

    /// ABORTED is 412 for who sent `If-Match` (RFC 9110 §13.1.1), else it stays 409: read again and retry either way.
    #[must_use]
    pub fn with_precondition(mut self, conditional: bool) -> Self {
        if conditional && self.aborted {
            self.status = StatusCode::PRECONDITION_FAILED;
        }
        self
    }

    /// What a service answered, its fields named as the caller wrote them: those of a `query`, else those of a body.
    pub fn of(status: &tonic::Status, query: bool) -> Self {
        let Report { kind, reason, message, violations, retry_after, metadata, .. } = report(status);
        let name = if query { query_path } else { lower_camel_path };
        let violations: Vec<FieldViolation> = violations
            .into_iter()
            .map(|violation| FieldViolation::new(name(&violation.field), violation.description))
            .collect();
        let detail = if kind == ErrorKind::Internal {
            "internal error".to_owned()
        } else if violations.is_empty() {
            message
        } else {
            // The service's own words name the fields as the protos do.
            Refusal::fields(violations.clone()).message
        };
        Self {
            status: http_status(kind),
            reason,
            detail,
            violations,
            retry_after,
            trace_id: metadata.get("traceId").cloned(),
            aborted: kind == ErrorKind::Aborted,
        }
    }

    /// The answer, in full.
    pub fn render(self, language: Language, request_id: &str) -> Response {
        let document = ProblemDocument {
            kind: format!("/docs/errors#{}", self.reason),
            // Somebody else was faster, whether or not the caller sent `If-Match`.
            title: title(if self.aborted { StatusCode::PRECONDITION_FAILED } else { self.status }, language)
                .to_owned(),
            status: self.status.as_u16(),
            detail: self.detail,
            reason: self.reason,
            request_id: request_id.to_owned(),
            violations: self
                .violations
                .into_iter()
                .map(|violation| Violation { field: violation.field, description: violation.description })
                .collect(),
            trace_id: self.trace_id,
        };
        let mut response = Response::new(Body::from(serde_json::to_vec(&document).unwrap_or_default()));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        put_retry_after(headers, self.retry_after);
        if self.status == StatusCode::UNAUTHORIZED {
            // RFC 6750 §3.
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"callboard\""));
        }
        if self.status == StatusCode::UPGRADE_REQUIRED {
            // RFC 9110 §15.5.22.
            headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        }
        response
    }
}

/// `Retry-After` in whole seconds, rounded up.
fn put_retry_after(headers: &mut HeaderMap, after: Option<Duration>) {
    if let Some(after) = after {
        let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        Self {
            status: http_status(refusal.kind),
            reason: refusal.reason.to_owned(),
            detail: refusal.message,
            violations: refusal.violations,
            retry_after: None,
            trace_id: None,
            aborted: refusal.kind == ErrorKind::Aborted,
        }
    }
}

impl From<tonic::Status> for Problem {
    fn from(status: tonic::Status) -> Self {
        Self::of(&status, false)
    }
}

/// Only carries the problem: the outermost layer renders it.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = self.status;
        response.extensions_mut().insert(self);
        response
    }
}

#[cfg(test)]
mod tests {
    use callboard_service::error::status;

    use super::*;

    #[test]
    fn a_status_becomes_a_problem_with_its_reason_and_fields() {
        let refusal = Refusal::field("ticket.device_id", "must be a UUID");
        let problem = Problem::from(status("tickets", &refusal));
        assert_eq!((problem.status, problem.reason.as_str()), (StatusCode::BAD_REQUEST, "INVALID_FIELDS"));
        assert_eq!(problem.violations[0].field, "deviceId");
        assert_eq!(problem.detail, "deviceId: must be a UUID");
        let refusal = Refusal::field("filter.device_ids[0]", "must be a UUID");
        assert_eq!(Problem::of(&status("tickets", &refusal), true).detail, "deviceId[0]: must be a UUID");
        let filled = Refusal::new(ErrorKind::FailedPrecondition, "OFFER_FILLED", "filled");
        let problem = Problem::from(status("fleet", &filled));
        assert_eq!((problem.status, problem.reason.as_str()), (StatusCode::CONFLICT, "OFFER_FILLED"));
    }

    #[test]
    fn what_is_internal_stays_inside() {
        let problem = Problem::from(tonic::Status::internal("password is hunter2"));
        assert!(!problem.detail.contains("hunter2"));
        let problem = Problem::from(tonic::Status::unknown("password is hunter2"));
        assert!(!problem.detail.contains("hunter2"));
    }
}
