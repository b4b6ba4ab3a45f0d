//! One request: who asks, in which language, under which ids, until when; and how it is passed on.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRequestParts, Path};
use callboard_auth::{AuthError, Verified};
use callboard_kernel::{Language, Principal, Refusal, derive_uuid};
use callboard_service::request::Deadline;
use http::header::{AUTHORIZATION, IF_MATCH};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method};
use tonic::metadata::MetadataValue;
use uuid::Uuid;

use crate::problem::Problem;
use crate::retry::MayRetry;
use crate::state::Gateway;

/// Names an idempotency key that is no UUID.
const KEY_NAMESPACE: Uuid = Uuid::from_u128(0x6b8f_9c3e_54d1_5a0e_9f3a_70c1_2b6d_11e4);
/// Longest idempotency key.
pub const MAX_IDEMPOTENCY_KEY: usize = 255;

/// What the outermost layers found out about a request.
#[derive(Debug, Clone)]
pub struct About {
    /// Names the request in logs and answers.
    pub request_id: String,
    /// The language to answer in.
    pub language: Language,
    /// Who asks; the reason why nobody is known.
    pub caller: Result<Arc<Verified>, AuthError>,
}

/// A request by somebody or nobody. Only what is open to all takes this; all else takes [`Call`].
#[derive(Debug, Clone)]
pub struct Guest {
    /// The gateway.
    pub gateway: Arc<Gateway>,
    /// The language to answer in.
    pub language: Language,
    /// Names the request in logs and answers.
    pub request_id: String,
    /// The id of the change that is asked for (AIP-155), from `Idempotency-Key`.
    pub change_id: Uuid,
    /// `If-Match`: the state the caller has seen.
    pub if_match: Option<String>,
    /// When to stop waiting for services.
    pub deadline: Deadline,
    /// Whether it only reads: what is asked for is in the query then, else in the body.
    reads: bool,
    authorization: Option<HeaderValue>,
}

/// A request by somebody.
#[derive(Debug, Clone)]
pub struct Call {
    guest: Guest,
    /// Who asks.
    pub verified: Arc<Verified>,
}

impl std::ops::Deref for Call {
    type Target = Guest;
    fn deref(&self) -> &Guest {
        &self.guest
    }
}

impl Call {
    /// Who asks.
    pub fn principal(&self) -> &Principal {
        &self.verified.principal
    }
}

impl Guest {
    /// The same request with another token.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        Self { authorization: HeaderValue::try_from(format!("Bearer {token}")).ok(), ..self.clone() }
    }

    /// The same request with its time begun anew: what came before, the caller's line took.
    #[must_use]
    pub fn afresh(mut self) -> Self {
        self.deadline = Deadline::after(self.gateway.settings.call_timeout);
        self
    }

    /// A message on its way to a service: with the caller's own token, the request id, the language, the trace and
    /// what is left of the time. Tried again while the service is away.
    pub fn request<T>(&self, message: T) -> tonic::Request<T> {
        let mut request = self.request_within(message, self.deadline.remaining());
        request.extensions_mut().insert(MayRetry(self.deadline));
        request
    }

    /// The same with a time of its own, and tried once.
    pub fn request_within<T>(&self, message: T, time: Duration) -> tonic::Request<T> {
        let mut request = tonic::Request::new(message);
        request.set_timeout(time);
        let metadata = request.metadata_mut();
        if let Some(value) = &self.authorization
            && let Ok(value) = MetadataValue::try_from(value.as_bytes())
        {
            metadata.insert("authorization", value);
        }
        if let Ok(value) = self.request_id.parse() {
            metadata.insert("x-request-id", value);
        }
        metadata.insert("accept-language", MetadataValue::from_static(self.language.as_str()));
        callboard_service::telemetry::inject(metadata);
        request
    }

    /// The id of the change, as the protos want it.
    pub fn request_uuid(&self) -> String {
        self.change_id.to_string()
    }

    /// The etag that an edit is bound to: `If-Match`, else the one in the body.
    pub fn etag(&self, in_body: Option<String>) -> String {
        self.if_match.clone().or(in_body).unwrap_or_default()
    }

    /// A status as a problem: a stale `If-Match` is 412.
    #[allow(clippy::needless_pass_by_value, reason = "what `map_err` hands over")]
    pub fn problem(&self, status: tonic::Status) -> Problem {
        Problem::of(&status, self.reads).with_precondition(self.if_match.is_some())
    }
}

/// The id of a change: the key itself where it is a UUID, else one derived from it; a new one where there is none, so
/// that a repeat of that request is another change.
fn change_id(headers: &HeaderMap, gateway: &Gateway) -> Result<Uuid, Problem> {
    let wrong = || Problem::field("Idempotency-Key", "must be 1 to 255 visible ASCII characters");
    let mut values = headers.get_all("idempotency-key").iter();
    let Some(value) = values.next() else { return Ok(gateway.ids.next()) };
    if values.next().is_some() {
        return Err(Problem::field("Idempotency-Key", "must be given once"));
    }
    let key = value.to_str().map_err(|_| wrong())?.trim();
    // The draft of the header wants a quoted string; most send it bare. Both mean the same key.
    let key = key.strip_prefix('"').and_then(|key| key.strip_suffix('"')).unwrap_or(key);
    if key.is_empty()
        || key.len() > MAX_IDEMPOTENCY_KEY
        || !key.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ')
    {
        return Err(wrong());
    }
    Ok(key.parse().unwrap_or_else(|_| derive_uuid(KEY_NAMESPACE, &[key.as_bytes()])))
}

/// `If-Match` with one strong tag (AIP-154). `*` asks only that the thing exists, which every edit asks anyway.
fn if_match(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get(IF_MATCH) else { return Ok(None) };
    let wrong = || Problem::field("If-Match", "must be one strong entity tag such as \"7\", or *");
    let value = value.to_str().map_err(|_| wrong())?.trim();
    match value {
        "*" => Ok(None),
        tag if tag.len() >= 2 && tag.starts_with('"') && tag.ends_with('"') && !tag.contains(',') => {
            Ok(Some(tag.to_owned()))
        }
        _ => Err(wrong()),
    }
}

fn about(parts: &Parts) -> Result<&About, Problem> {
    parts
        .extensions
        .get::<About>()
        .ok_or_else(|| Problem::new(http::StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL", "internal error"))
}

impl FromRequestParts<Arc<Gateway>> for Guest {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, gateway: &Arc<Gateway>) -> Result<Self, Problem> {
        let about = about(parts)?;
        Ok(Self {
            language: about.language,
            request_id: about.request_id.clone(),
            change_id: change_id(&parts.headers, gateway)?,
            if_match: if_match(&parts.headers)?,
            deadline: Deadline::after(gateway.settings.call_timeout),
            // A token that does not count is not passed on: getting in and refreshing need none, and who still sends an
            // expired one along is not to be refused for it.
            authorization: about.caller.is_ok().then(|| parts.headers.get(AUTHORIZATION).cloned()).flatten(),
            reads: matches!(parts.method, Method::GET | Method::HEAD),
            gateway: gateway.clone(),
        })
    }
}

impl FromRequestParts<Arc<Gateway>> for Call {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, gateway: &Arc<Gateway>) -> Result<Self, Problem> {
        let caller = about(parts)?.caller.clone();
        let verified = caller.map_err(|error| Problem::from(Refusal::from(&error)))?;
        Ok(Self { guest: Guest::from_request_parts(parts, gateway).await?, verified })
    }
}

/// An id in the path: a UUID, else there is no such thing.
#[derive(Debug, Clone)]
pub struct Id(pub String);

impl FromRequestParts<Arc<Gateway>> for Id {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, gateway: &Arc<Gateway>) -> Result<Self, Problem> {
        let Path(id) = Path::<String>::from_request_parts(parts, gateway).await.map_err(|_| no_such_id())?;
        Ok(Self(uuid_text(&id)?))
    }
}

/// Two ids in the path, the second one any key.
#[derive(Debug, Clone)]
pub struct IdAndKey(pub String, pub String);

impl FromRequestParts<Arc<Gateway>> for IdAndKey {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, gateway: &Arc<Gateway>) -> Result<Self, Problem> {
        let Path((id, key)) =
            Path::<(String, String)>::from_request_parts(parts, gateway).await.map_err(|_| no_such_id())?;
        Ok(Self(uuid_text(&id)?, key))
    }
}

/// A UUID in its one way of writing.
///
/// # Errors
/// It is none.
pub fn uuid_text(id: &str) -> Result<String, Problem> {
    id.parse::<Uuid>().map(|id| id.to_string()).map_err(|_| no_such_id())
}

fn no_such_id() -> Problem {
    Problem::field("id", "must be a UUID")
}
