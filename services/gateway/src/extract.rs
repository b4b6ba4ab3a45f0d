//! What a request says: JSON bodies, partial edits, query parameters. Unknown fields are refused by name.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::sync::Arc;

use crate::naming::{lower_camel, snake};
use crate::problem::Problem;
use crate::state::Gateway;

/// A JSON body.
#[derive(Debug, Clone)]
pub struct Json<T>(pub T);

/// A JSON body that may be left out; then it says nothing.
#[derive(Debug, Clone)]
pub struct OptionalJson<T>(pub T);

/// A partial edit (AIP-134): the resource's fields in the body, and which of them to change.
#[derive(Debug, Clone)]
pub struct Patch<T> {
    /// The new values.
    pub resource: T,
    /// The fields to change, as the protos name them: those of `updateMask`, else those in the body.
    pub mask: Vec<String>,
}

/// What of a resource may be edited.
pub trait Patchable {
    /// Names in JSON. Others in the body are ignored when they exist, refused when they do not.
    const WRITABLE: &'static [&'static str];
}

/// The parameters of a query.
#[derive(Debug, Clone)]
pub struct Query<T>(pub T);

/// The body is larger than allowed.
pub fn too_large() -> Problem {
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "BODY_TOO_LARGE", "the body is larger than allowed")
}

/// The headers and the body of a request, as they came.
///
/// # Errors
/// When the body is too large or breaks off.
pub async fn bytes(request: Request) -> Result<(HeaderMap, Bytes), Problem> {
    let headers = request.headers().clone();
    match Bytes::from_request(request, &()).await {
        Ok(bytes) => Ok((headers, bytes)),
        Err(rejection) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => Err(too_large()),
        Err(_) => Err(Problem::new(StatusCode::BAD_REQUEST, "BODY_UNREADABLE", "the body could not be read")),
    }
}

fn demand_json(headers: &HeaderMap, bytes: &[u8]) -> Result<(), Problem> {
    if bytes.is_empty() {
        return Err(Problem::field("body", "is required: a JSON object"));
    }
    if headers.get(CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity") {
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "MEDIA_TYPE_UNSUPPORTED",
            "send the body as it is, without Content-Encoding",
        ));
    }
    let essence = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    let json = essence == "application/json"
        || essence == "application/merge-patch+json"
        || (essence.starts_with("application/") && essence.ends_with("+json"));
    if json {
        return Ok(());
    }
    Err(Problem::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "MEDIA_TYPE_UNSUPPORTED",
        "send the body as Content-Type: application/json",
    ))
}

/// Names the field and the rule: "unknown field `titel`, expected one of …" at its path.
fn json_problem(error: &serde_path_to_error::Error<serde_json::Error>) -> Problem {
    if error.inner().is_syntax() || error.inner().is_eof() {
        return Problem::field("body", format!("is not JSON: {}", error.inner()));
    }
    let path = error.path().to_string();
    let message = error.inner().to_string();
    let (rule, _) = message.rsplit_once(" at line ").unwrap_or((&message, ""));
    let quoted = |before: &str| {
        rule.strip_prefix(before).and_then(|rest| rest.split_once('`')).map(|(name, _)| name.to_owned())
    };
    let named = quoted("unknown field `").or_else(|| quoted("missing field `"));
    // "?" is a place within text that is no JSON.
    let parent = if matches!(path.as_str(), "." | "?") { "" } else { path.trim_end_matches('.') };
    let field = match named {
        Some(name) if parent.is_empty() || parent == name || parent.ends_with(&format!(".{name}")) => {
            if parent.is_empty() {
                name
            } else {
                parent.to_owned()
            }
        }
        Some(name) => format!("{parent}.{name}"),
        None if parent.is_empty() => "body".to_owned(),
        None => parent.to_owned(),
    };
    Problem::field(field, rule)
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    // A list would pass for an object, its values taken by position.
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    if first.is_some_and(|byte| matches!(byte, b'[' | b'"' | b'n' | b't' | b'f' | b'-' | b'0'..=b'9')) {
        return Err(Problem::field("body", "must be a JSON object"));
    }
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| json_problem(&error))?;
    deserializer.end().map_err(|_| Problem::field("body", "more than one JSON value"))?;
    Ok(value)
}

impl<T: DeserializeOwned> FromRequest<Arc<Gateway>> for Json<T> {
    type Rejection = Problem;
    async fn from_request(request: Request, _: &Arc<Gateway>) -> Result<Self, Problem> {
        let (headers, bytes) = bytes(request).await?;
        demand_json(&headers, &bytes)?;
        parse(&bytes).map(Self)
    }
}

impl<T: DeserializeOwned + Default> FromRequest<Arc<Gateway>> for OptionalJson<T> {
    type Rejection = Problem;
    async fn from_request(request: Request, _: &Arc<Gateway>) -> Result<Self, Problem> {
        let (headers, bytes) = bytes(request).await?;
        if bytes.is_empty() {
            return Ok(Self(T::default()));
        }
        demand_json(&headers, &bytes)?;
        parse(&bytes).map(Self)
    }
}

impl<T: DeserializeOwned + Patchable> FromRequest<Arc<Gateway>> for Patch<T> {
    type Rejection = Problem;
    async fn from_request(request: Request, _: &Arc<Gateway>) -> Result<Self, Problem> {
        let query = request.uri().query().unwrap_or_default().to_owned();
        let (headers, bytes) = bytes(request).await?;
        demand_json(&headers, &bytes)?;
        let mut body: Map<String, Value> = parse(&bytes)?;
        let given: Vec<String> = body.keys().cloned().collect();
        // Null clears a field, as in a merge patch (RFC 7396).
        body.retain(|_, value| !value.is_null());
        let resource = parse(&serde_json::to_vec(&body).unwrap_or_default())?;
        let UpdateMask { update_mask } = parse_query(&query)?;
        let mask = match update_mask {
            Some(mask) => mask
                .split(',')
                .map(|name| lower_camel(name.trim()))
                .map(|name| match T::WRITABLE.contains(&name.as_str()) {
                    true => Ok(snake(&name)),
                    false => {
                        Err(Problem::field("updateMask", format!("may hold {}", T::WRITABLE.join(", "))))
                    }
                })
                .collect::<Result<Vec<_>, _>>()?,
            None => given
                .iter()
                .filter(|name| T::WRITABLE.contains(&name.as_str()))
                .map(|name| snake(name))
                .collect(),
        };
        if mask.is_empty() {
            return Err(Problem::field("body", format!("must change one of {}", T::WRITABLE.join(", "))));
        }
        Ok(Self { resource, mask })
    }
}

#[derive(Debug, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct UpdateMask {
    #[serde(default)]
    update_mask: Option<String>,
}

/// What the standard library says of numbers is no rule that a caller could follow.
fn in_plain_words(rule: String) -> String {
    let of_numbers = ["invalid digit", "cannot parse integer", "number too large", "number too small"];
    match of_numbers.iter().any(|said| rule.starts_with(said)) {
        true => "must be a whole number, not larger than 2147483647".to_owned(),
        false => rule,
    }
}

fn parse_query<T: DeserializeOwned>(query: &str) -> Result<T, Problem> {
    let deserializer = serde_html_form::Deserializer::from_bytes(query.as_bytes());
    serde_path_to_error::deserialize(deserializer).map_err(|error| {
        let path = error.path().to_string();
        let rule = in_plain_words(error.inner().to_string());
        let unknown = rule.strip_prefix("unknown field `").and_then(|rest| rest.split_once('`'));
        let field = unknown.map_or(path, |(name, _)| name.to_owned());
        Problem::field(field, rule)
    })
}

impl<T: DeserializeOwned> FromRequestParts<Arc<Gateway>> for Query<T> {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, _: &Arc<Gateway>) -> Result<Self, Problem> {
        parse_query(parts.uri.query().unwrap_or_default()).map(Self)
    }
}
