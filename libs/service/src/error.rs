//! The one mapping between a domain's "no", gRPC and back.

use std::time::Duration;

use callboard_kernel::{ErrorKind, FieldViolation, Refusal, Resource};
use std::collections::HashMap;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::telemetry;

/// How long a caller should wait before it tries again, when we cannot know better.
pub const RETRY_DELAY: Duration = Duration::from_millis(500);

/// Longest message of a status, in characters.
const MAX_MESSAGE: usize = 500;
/// Most bytes of fields and rules in a status.
const MAX_VIOLATIONS: usize = 4096;

/// The gRPC code of a kind of failure.
pub const fn code(kind: ErrorKind) -> Code {
    match kind {
        ErrorKind::InvalidArgument => Code::InvalidArgument,
        ErrorKind::Unauthenticated => Code::Unauthenticated,
        ErrorKind::PermissionDenied => Code::PermissionDenied,
        ErrorKind::NotFound => Code::NotFound,
        ErrorKind::AlreadyExists => Code::AlreadyExists,
        ErrorKind::FailedPrecondition => Code::FailedPrecondition,
        ErrorKind::Aborted => Code::Aborted,
        ErrorKind::ResourceExhausted => Code::ResourceExhausted,
        ErrorKind::DeadlineExceeded => Code::DeadlineExceeded,
        ErrorKind::Cancelled => Code::Cancelled,
        ErrorKind::Unavailable => Code::Unavailable,
        ErrorKind::Unimplemented => Code::Unimplemented,
        ErrorKind::Internal => Code::Internal,
    }
}

/// The kind of failure of a gRPC code. `Ok` is none, so a status of that code is our own mistake. So is `OutOfRange`: no
/// handler says it, but the transport on this side of an answer that is larger than we take.
pub const fn kind(code: Code) -> ErrorKind {
    match code {
        Code::InvalidArgument => ErrorKind::InvalidArgument,
        Code::Unauthenticated => ErrorKind::Unauthenticated,
        Code::PermissionDenied => ErrorKind::PermissionDenied,
        Code::NotFound => ErrorKind::NotFound,
        Code::AlreadyExists => ErrorKind::AlreadyExists,
        Code::FailedPrecondition => ErrorKind::FailedPrecondition,
        Code::Aborted => ErrorKind::Aborted,
        Code::ResourceExhausted => ErrorKind::ResourceExhausted,
        Code::DeadlineExceeded => ErrorKind::DeadlineExceeded,
        Code::Cancelled => ErrorKind::Cancelled,
        Code::Unavailable => ErrorKind::Unavailable,
        Code::Unimplemented => ErrorKind::Unimplemented,
        Code::Ok | Code::Unknown | Code::OutOfRange | Code::Internal | Code::DataLoss => ErrorKind::Internal,
    }
}

/// The status of a refusal.
///
/// Always with `ErrorInfo{reason, domain = "callboard.<service>"}`; with `BadRequest` where fields are wrong,
/// `PreconditionFailure` where the state is, `ResourceInfo` where something is not there, and `RetryInfo` where trying again later helps. What is internal goes to
/// the log; the caller gets the trace id.
///
/// A status travels in headers, and headers that are too large end the whole connection with everybody's calls on it:
/// of many wrong fields the first are told, and a long message is cut.
pub fn status(service: &str, refusal: &Refusal) -> Status {
    let mut details = ErrorDetails::new();
    let mut metadata = HashMap::new();
    let trace_id = telemetry::current_trace_id();
    let told: String = refusal.message.chars().take(MAX_MESSAGE).collect();
    let message = match refusal.kind {
        ErrorKind::Internal => {
            tracing::error!(reason = refusal.reason, detail = %refusal.message, "internal error");
            if let Some(trace_id) = trace_id {
                metadata.insert("traceId".to_owned(), trace_id);
            }
            "internal error; the log has the details under the trace id".to_owned()
        }
        ErrorKind::ResourceExhausted | ErrorKind::Unavailable => {
            details.set_retry_info(Some(RETRY_DELAY));
            told.clone()
        }
        ErrorKind::FailedPrecondition => {
            details.add_precondition_failure_violation(
                refusal.reason,
                format!("callboard.{service}"),
                told.clone(),
            );
            told.clone()
        }
        ErrorKind::InvalidArgument
        | ErrorKind::Unauthenticated
        | ErrorKind::PermissionDenied
        | ErrorKind::NotFound
        | ErrorKind::AlreadyExists
        | ErrorKind::Aborted
        | ErrorKind::DeadlineExceeded
        | ErrorKind::Cancelled
        | ErrorKind::Unimplemented => told.clone(),
    };
    details.set_error_info(refusal.reason, format!("callboard.{service}"), metadata);
    if let Some(Resource { kind, name }) = refusal.resource.as_deref() {
        details.set_resource_info(kind, name, "", told);
    }
    let mut bytes = 0;
    for (index, violation) in refusal.violations.iter().enumerate() {
        bytes += violation.field.len() + violation.description.len();
        if index > 0 && bytes > MAX_VIOLATIONS {
            break;
        }
        details.add_bad_request_violation(violation.field.clone(), violation.description.clone());
    }
    Status::with_error_details(code(refusal.kind), message, details)
}

/// The status of a failure that is our own fault.
pub fn internal(service: &str, error: &dyn std::fmt::Display) -> Status {
    status(service, &Refusal::new(ErrorKind::Internal, "INTERNAL", error.to_string()))
}

/// `refusal.into_status("tickets")` at the edge of a handler.
pub trait IntoStatus {
    /// The status, with the service as its domain.
    fn into_status(self, service: &str) -> Status;
}

impl<R: Into<Refusal>> IntoStatus for R {
    fn into_status(self, service: &str) -> Status {
        status(service, &self.into())
    }
}

/// What a status says, read back: for the gateway's problem documents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The kind of failure.
    pub kind: ErrorKind,
    /// `UPPER_SNAKE_CASE`; that of the code where the sender gave none.
    pub reason: String,
    /// `callboard.<service>`; empty where the sender gave none.
    pub domain: String,
    /// For a person.
    pub message: String,
    /// Wrong fields.
    pub violations: Vec<FieldViolation>,
    /// What is not there, or not to be seen.
    pub resource: Option<Resource>,
    /// When to try again.
    pub retry_after: Option<Duration>,
    /// Further facts by name, such as `traceId`.
    pub metadata: HashMap<String, String>,
}

/// What is said of a connection that broke under a call.
const BROKE_OFF: &str = "the service behind it broke off; whether the work was done is unknown";

/// Reads a status back. A client-side timeout, which tonic reports as `Cancelled`, is told as what it is; so is a
/// connection that broke under the call, which tonic reports as `Unknown`, `Internal` or `Cancelled`: the process
/// behind it died, and another try under the same request id finds the next one.
pub fn report(status: &Status) -> Report {
    let details = status.get_error_details();
    let timed_out = status.code() == Code::Cancelled && status.message().contains("Timeout expired");
    // What came over the wire has no source: this was made on this side of it.
    let broke_off = std::error::Error::source(status).is_some()
        && matches!(kind(status.code()), ErrorKind::Internal | ErrorKind::Cancelled);
    let kind = match (timed_out, broke_off) {
        (true, _) => ErrorKind::DeadlineExceeded,
        (false, true) => ErrorKind::Unavailable,
        (false, false) => kind(status.code()),
    };
    let (reason, domain, metadata) = match details.error_info() {
        Some(info) => (info.reason.clone(), info.domain.clone(), info.metadata.clone()),
        None => (default_reason(kind).to_owned(), String::new(), HashMap::new()),
    };
    let violations = details.bad_request().map_or_else(Vec::new, |bad| {
        let violation =
            |found: &tonic_types::FieldViolation| FieldViolation::new(&found.field, &found.description);
        bad.field_violations.iter().map(violation).collect()
    });
    let resource = details
        .resource_info()
        .map(|info| Resource { kind: info.resource_type.clone(), name: info.resource_name.clone() });
    let retry_after = details.retry_info().and_then(|info| info.retry_delay);
    let message = if kind == ErrorKind::Unavailable && broke_off { BROKE_OFF } else { status.message() };
    Report { kind, reason, domain, message: message.to_owned(), violations, resource, retry_after, metadata }
}

/// The reason where none is given: the name of the code.
pub const fn default_reason(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::InvalidArgument => "INVALID_ARGUMENT",
        ErrorKind::Unauthenticated => "UNAUTHENTICATED",
        ErrorKind::PermissionDenied => "PERMISSION_DENIED",
        ErrorKind::NotFound => "NOT_FOUND",
        ErrorKind::AlreadyExists => "ALREADY_EXISTS",
        ErrorKind::FailedPrecondition => "FAILED_PRECONDITION",
        ErrorKind::Aborted => "ABORTED",
        ErrorKind::ResourceExhausted => "RESOURCE_EXHAUSTED",
        ErrorKind::DeadlineExceeded => "DEADLINE_EXCEEDED",
        ErrorKind::Cancelled => "CANCELLED",
        ErrorKind::Unavailable => "UNAVAILABLE",
        ErrorKind::Unimplemented => "UNIMPLEMENTED",
        ErrorKind::Internal => "INTERNAL",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KINDS: [ErrorKind; 13] = [
        ErrorKind::InvalidArgument,
        ErrorKind::Unauthenticated,
        ErrorKind::PermissionDenied,
        ErrorKind::NotFound,
        ErrorKind::AlreadyExists,
        ErrorKind::FailedPrecondition,
        ErrorKind::Aborted,
        ErrorKind::ResourceExhausted,
        ErrorKind::DeadlineExceeded,
        ErrorKind::Cancelled,
        ErrorKind::Unavailable,
        ErrorKind::Unimplemented,
        ErrorKind::Internal,
    ];

    #[test]
    fn every_kind_survives_the_wire_with_reason_and_domain() {
        for kind in KINDS {
            let read = report(&status("tickets", &Refusal::new(kind, "SOME_REASON", "because")));
            assert_eq!((read.kind, read.reason.as_str()), (kind, "SOME_REASON"));
            assert_eq!(read.domain, "callboard.tickets");
        }
    }

    #[test]
    fn a_connection_that_broke_under_a_call_is_unavailable_and_not_our_fault() {
        let broken = std::io::Error::from(std::io::ErrorKind::BrokenPipe);
        let read = report(&Status::from_error(Box::new(broken)));
        assert_eq!((read.kind, read.reason.as_str()), (ErrorKind::Unavailable, "UNAVAILABLE"));
        assert!(!read.message.contains("pipe"), "{}", read.message);
        assert_eq!(report(&Status::internal("said so")).kind, ErrorKind::Internal);
    }

    #[test]
    fn an_answer_too_large_to_be_taken_is_our_fault_and_not_the_callers() {
        let read = report(&Status::out_of_range("Error, decoded message length too large"));
        assert_eq!((read.kind, read.reason.as_str()), (ErrorKind::Internal, "INTERNAL"));
    }

    #[test]
    fn wrong_fields_and_when_to_retry_come_along() {
        let read =
            report(&Refusal::field("answers[2].text", "at most 500 characters").into_status("tickets"));
        assert_eq!(read.violations, vec![FieldViolation::new("answers[2].text", "at most 500 characters")]);
        assert_eq!(read.retry_after, None);
        let read = report(&Refusal::new(ErrorKind::Unavailable, "X", "later").into_status("tickets"));
        assert_eq!(read.retry_after, Some(RETRY_DELAY));
    }

    #[test]
    fn aip_193_what_is_not_there_is_named_by_kind_and_id() {
        let read = report(&Refusal::missing("customer_user", 7).into_status("directory"));
        assert_eq!(read.message, "no such customer user");
        let told = Resource { kind: "customer_user".to_owned(), name: "7".to_owned() };
        assert_eq!(read.resource, Some(told));
        assert_eq!(report(&Refusal::not_found("code").into_status("directory")).resource, None);
    }

    #[test]
    fn aip_193_a_wrong_state_names_the_precondition() {
        let status =
            status("tickets", &Refusal::new(ErrorKind::FailedPrecondition, "TICKET_CLOSED", "it is closed"));
        let details = status.get_error_details();
        let failure = details.precondition_failure().expect("a precondition failure");
        let violation = &failure.violations[0];
        assert_eq!(
            (violation.r#type.as_str(), violation.subject.as_str(), violation.description.as_str()),
            ("TICKET_CLOSED", "callboard.tickets", "it is closed")
        );
    }

    #[test]
    fn however_much_is_wrong_a_status_fits_into_headers() {
        let wrong = |n| FieldViolation::new(format!("answers[{n}].text"), "at most 500 characters");
        let mut refusal = Refusal::fields((0..10_000).map(wrong).collect());
        refusal.message = "ü".repeat(10_000);
        let status = refusal.into_status("tickets");
        assert_eq!(status.message(), "ü".repeat(MAX_MESSAGE));
        assert!(status.details().len() < 8 * 1024, "{}", status.details().len());
        let told = report(&status).violations;
        assert!((50..200).contains(&told.len()), "{}", told.len());
        assert!(told.into_iter().enumerate().all(|(n, violation)| violation == wrong(n)));
    }

    #[test]
    fn what_is_internal_stays_inside() {
        let status = internal("tickets", &"password is hunter2");
        assert!(!status.message().contains("hunter2"));
    }
}
