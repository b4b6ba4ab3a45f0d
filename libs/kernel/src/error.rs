//! What can go wrong, in words that gRPC and HTTP share.

use std::fmt;

/// The kinds of failure a caller can tell apart. Each maps to exactly one gRPC code and one HTTP status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The request is wrong whatever the state; do not retry.
    InvalidArgument,
    /// No valid token.
    Unauthenticated,
    /// The caller may see the object but not do this.
    PermissionDenied,
    /// No such object, or one the caller may not see.
    NotFound,
    /// The id is taken.
    AlreadyExists,
    /// Wrong state; retrying does not help until the state changes.
    FailedPrecondition,
    /// Somebody else was faster (`etag` differs): read again and retry.
    Aborted,
    /// A limit, quota or full mailbox; retry later as told.
    ResourceExhausted,
    /// The deadline passed; whether the work was done is unknown, unless a receipt says so.
    DeadlineExceeded,
    /// The caller went away.
    Cancelled,
    /// Not now; safe to retry.
    Unavailable,
    /// Not built.
    Unimplemented,
    /// Our fault. Details stay in the log.
    Internal,
}

/// One wrong field of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldViolation {
    /// Path of the field as the caller wrote it: `answers[2].text`.
    pub field: String,
    /// The rule that it breaks, for a person: "at most 500 characters".
    pub description: String,
}

impl FieldViolation {
    /// Names a field and the rule it breaks.
    pub fn new(field: impl Into<String>, description: impl Into<String>) -> Self {
        Self { field: field.into(), description: description.into() }
    }
}

/// A thing by its kind and id: what `google.rpc.ResourceInfo` tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// Its kind in the words of the API, lower case: `ticket`, `customer_user`.
    pub kind: String,
    /// Its id.
    pub name: String,
}

/// A domain's "no": every context's error enum implements it, and the one mapping to gRPC reads it.
pub trait Rejection: fmt::Debug + fmt::Display + Send + Sync {
    /// What kind of failure it is.
    fn kind(&self) -> ErrorKind;
    /// Stable machine-readable reason, `UPPER_SNAKE_CASE`, at most 63 characters (AIP-193).
    fn reason(&self) -> &'static str;
    /// Wrong fields, for [`ErrorKind::InvalidArgument`].
    fn violations(&self) -> Vec<FieldViolation> {
        Vec::new()
    }
}

/// A rejection without its type: what crosses the layers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What kind of failure it is.
    pub kind: ErrorKind,
    /// Stable reason, `UPPER_SNAKE_CASE`.
    pub reason: &'static str,
    /// For a person. Holds no secret and no personal data.
    pub message: String,
    /// Wrong fields.
    pub violations: Vec<FieldViolation>,
    /// What is not there, or not to be seen, for [`ErrorKind::NotFound`]. Boxed, since it is rare.
    pub resource: Option<Box<Resource>>,
}

impl Refusal {
    /// A refusal without field violations.
    pub fn new(kind: ErrorKind, reason: &'static str, message: impl Into<String>) -> Self {
        Self { kind, reason, message: message.into(), violations: Vec::new(), resource: None }
    }

    /// A refusal of one wrong field.
    pub fn field(field: impl Into<String>, description: impl Into<String>) -> Self {
        Self::fields(vec![FieldViolation::new(field, description)])
    }

    /// A refusal of several wrong fields.
    pub fn fields(violations: Vec<FieldViolation>) -> Self {
        let message = violations
            .iter()
            .map(|violation| format!("{}: {}", violation.field, violation.description))
            .collect::<Vec<_>>()
            .join("; ");
        Self {
            kind: ErrorKind::InvalidArgument,
            reason: "INVALID_FIELDS",
            message,
            violations,
            resource: None,
        }
    }

    /// No such object, or one the caller may not see: the two look the same on purpose (AIP-211). Where the request
    /// named it by its id, [`Self::missing`] says which.
    pub fn not_found(what: &str) -> Self {
        Self::new(ErrorKind::NotFound, "NOT_FOUND", format!("no such {}", what.replace('_', " ")))
    }

    /// As [`Self::not_found`], of the kind and id that the request named.
    pub fn missing(kind: &str, id: impl fmt::Display) -> Self {
        Self::not_found(kind).of(kind, id)
    }

    /// Says which one is not there, unless that is said already.
    #[must_use]
    pub fn of(mut self, kind: &str, id: impl fmt::Display) -> Self {
        let resource = || Box::new(Resource { kind: kind.to_owned(), name: id.to_string() });
        self.resource.get_or_insert_with(resource);
        self
    }

    /// The caller may see the object but not do this.
    pub fn denied(why: impl Into<String>) -> Self {
        Self::new(ErrorKind::PermissionDenied, "PERMISSION_DENIED", why)
    }
}

impl<R: Rejection> From<&R> for Refusal {
    fn from(rejection: &R) -> Self {
        Self {
            kind: rejection.kind(),
            reason: rejection.reason(),
            message: rejection.to_string(),
            violations: rejection.violations(),
            resource: None,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.reason, self.message)
    }
}

impl std::error::Error for Refusal {}
