//! What every handler needs of a request.

use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use callboard_auth::{Standing, Verified};
use callboard_kernel::{CommandId, ErrorKind, Principal, Refusal, Timestamp, derive_uuid};
use callboard_proto::Paged;
use chrono::TimeDelta;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// When the caller stops waiting. Put into every request by the server: never missing, never far away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline(pub Instant);

impl Deadline {
    /// This long from now.
    pub fn after(duration: Duration) -> Self {
        Self(Instant::now() + duration)
    }

    /// What is left; zero when it has passed.
    pub fn remaining(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }
}

/// Names one call in logs and answers: `x-request-id` as the caller gave it, or a new one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(pub String);

/// Who is asking.
///
/// # Errors
/// Unauthenticated, where the RPC is public and no token came along.
pub fn principal<T>(request: &tonic::Request<T>) -> Result<Arc<Principal>, Refusal> {
    request
        .extensions()
        .get::<Arc<Principal>>()
        .cloned()
        .ok_or_else(|| Refusal::new(ErrorKind::Unauthenticated, "TOKEN_MISSING", "a bearer token is needed"))
}

/// What can end the caller's token before it expires: for what is given out on its strength and outlives it.
///
/// # Errors
/// As [`principal`].
pub fn standing<T>(request: &tonic::Request<T>) -> Result<Standing, Refusal> {
    request
        .extensions()
        .get::<Arc<Verified>>()
        .map(|verified| verified.standing.clone())
        .ok_or_else(|| Refusal::new(ErrorKind::Unauthenticated, "TOKEN_MISSING", "a bearer token is needed"))
}

/// When the caller stops waiting. Ten seconds where the chassis did not say, as in a handler called by a test.
pub fn deadline<T>(request: &tonic::Request<T>) -> Deadline {
    request.extensions().get().copied().unwrap_or_else(|| Deadline::after(Duration::from_secs(10)))
}

/// The call's id, if it has one.
pub fn request_id<T>(request: &tonic::Request<T>) -> Option<&str> {
    request.extensions().get::<RequestId>().map(|id| id.0.as_str())
}

/// An id out of a request.
///
/// # Errors
/// Names the field when it is missing or no UUID.
pub fn parse_id<I: From<Uuid>>(field: &str, text: &str) -> Result<I, Refusal> {
    if text.is_empty() {
        return Err(Refusal::field(field, "is required"));
    }
    text.parse::<Uuid>().map(I::from).map_err(|_| Refusal::field(field, "must be a UUID"))
}

/// An id that may be missing.
///
/// # Errors
/// Names the field when it is no UUID.
pub fn parse_optional_id<I: From<Uuid>>(field: &str, text: &str) -> Result<Option<I>, Refusal> {
    if text.is_empty() { Ok(None) } else { parse_id(field, text).map(Some) }
}

/// The command that this request is (AIP-155): the same caller, RPC and `request_id` name the same command for good.
///
/// # Errors
/// Names `request_id` when it is missing or no UUID.
pub fn command_id(principal: &Principal, rpc: &str, request_id: &str) -> Result<CommandId, Refusal> {
    let request_id: Uuid = parse_id("request_id", request_id)?;
    let organisation = principal.organisation.uuid();
    let actor = principal.actor().to_string();
    Ok(derive_uuid(request_id, &[organisation.as_bytes(), actor.as_bytes(), rpc.as_bytes()]).into())
}

/// A hash of what was asked, the same in every process and version that encodes the message the same way: tells a
/// repeat from another request under the same `request_id`. Maps are ordered in our generated code.
pub fn fingerprint(message: &impl prost::Message) -> i64 {
    fingerprint_of(&[&message.encode_to_vec()])
}

fn fingerprint_of(parts: &[&[u8]]) -> i64 {
    let digest = derive_uuid(Uuid::nil(), parts);
    let (high, low) = digest.as_u64_pair();
    (high ^ low.rotate_left(32)).cast_signed()
}

/// How many entries a page has (AIP-158): 0 asks for the default; more than the most gives the most.
///
/// # Errors
/// Names `page_size` when it is negative.
pub fn page_size(asked: i32, default: u32, most: u32) -> Result<u32, Refusal> {
    match u32::try_from(asked) {
        Err(_) => Err(Refusal::field("page_size", "must not be negative")),
        Ok(0) => Ok(default.min(most)),
        Ok(asked) => Ok(asked.min(most)),
    }
}

/// How long a page token holds.
const PAGE_TOKEN_LIFE: TimeDelta = TimeDelta::days(3);
/// Longest page token that is looked at.
const MAX_PAGE_TOKEN: usize = 2048;

#[derive(Serialize, Deserialize)]
struct PageToken<C> {
    /// Where the next page starts.
    c: C,
    /// Hash of the other arguments.
    q: i64,
    /// Seconds since the epoch when it ends.
    e: i64,
}

/// What a page token is bound to (AIP-158): which list, and all of its arguments but `page_token` and `page_size`.
pub fn page_query(message: &impl Paged) -> i64 {
    fingerprint_of(&[name_of(message).as_bytes(), &message.of_any_page().encode_to_vec()])
}

fn name_of<M: Paged>(_: &M) -> &'static str {
    M::NAME
}

/// An opaque, URL-safe page token (AIP-158), bound to the other arguments of the list and good for three days.
///
/// `query` is what [`page_query`] makes of the request. The token is not signed: it gives no right, since every query is scoped by organisation and caller anyway.
pub fn encode_page_token(cursor: &impl Serialize, query: i64, now: Timestamp) -> String {
    let token = PageToken { c: cursor, q: query, e: (now + PAGE_TOKEN_LIFE).timestamp() };
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(&token).unwrap_or_default())
}

/// Reads a page token back; an empty one is the first page.
///
/// # Errors
/// Names `page_token` when it is malformed, of another query, or has expired.
pub fn decode_page_token<C: DeserializeOwned>(
    token: &str,
    query: i64,
    now: Timestamp,
) -> Result<Option<C>, Refusal> {
    if token.is_empty() {
        return Ok(None);
    }
    let malformed = || Refusal::field("page_token", "is not one of ours");
    if token.len() > MAX_PAGE_TOKEN {
        return Err(malformed());
    }
    let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| malformed())?;
    // Postgres takes no zero character, and none of ours holds one.
    if bytes.windows(6).any(|part| part == br"\u0000") {
        return Err(malformed());
    }
    let token: PageToken<C> = serde_json::from_slice(&bytes).map_err(|_| malformed())?;
    if token.q != query {
        return Err(Refusal::field("page_token", "belongs to other arguments: start again without it"));
    }
    if now.timestamp() >= token.e {
        return Err(Refusal::field("page_token", "has expired: start again without it"));
    }
    Ok(Some(token.c))
}

#[cfg(test)]
mod tests {
    use callboard_kernel::{Clock, SystemClock};

    use super::*;

    #[test]
    fn aip_155_the_same_request_is_the_same_command_and_another_caller_or_rpc_is_not() {
        let request_id = Uuid::from_u128(9).to_string();
        let one = Principal::system(Uuid::from_u128(1).into());
        let two = Principal::system(Uuid::from_u128(2).into());
        let id = command_id(&one, "Accept", &request_id).unwrap();
        assert_eq!(command_id(&one, "Accept", &request_id), Ok(id));
        assert_ne!(command_id(&two, "Accept", &request_id), Ok(id));
        assert_ne!(command_id(&one, "Decline", &request_id), Ok(id));
        for wrong in ["", "7"] {
            assert_eq!(command_id(&one, "Accept", wrong).unwrap_err().violations[0].field, "request_id");
        }
    }

    #[test]
    fn aip_158_a_page_token_is_bound_to_its_query_and_expires() {
        let now = SystemClock.now();
        let token = encode_page_token(&(7, "x"), 42, now);
        assert!(token.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'));
        let read = |query, now| decode_page_token::<(i32, String)>(&token, query, now);
        assert_eq!(read(42, now), Ok(Some((7, "x".to_owned()))));
        assert_eq!(read(43, now).unwrap_err().kind, ErrorKind::InvalidArgument);
        assert_eq!(read(42, now + TimeDelta::days(3)).unwrap_err().violations[0].field, "page_token");
        assert!(decode_page_token::<i32>("%%%", 42, now).is_err());
        assert_eq!(decode_page_token::<i32>("", 42, now), Ok(None));
    }

    #[test]
    fn aip_158_page_sizes_have_a_default_and_a_most() {
        assert_eq!(page_size(0, 25, 100), Ok(25));
        assert_eq!(page_size(1000, 25, 100), Ok(100));
        assert!(page_size(-1, 25, 100).is_err());
    }

    #[test]
    fn aip_158_a_page_token_is_of_its_list_and_its_arguments_alone() {
        use callboard_proto::directory::v1::{ListDepartmentsRequest, ListEmployeesRequest};
        let now = SystemClock.now();
        let asked = ListEmployeesRequest { page_size: 5, ..ListEmployeesRequest::default() };
        let token = encode_page_token(&1, page_query(&asked), now);
        let next = ListEmployeesRequest { page_size: 9, page_token: token.clone(), ..asked.clone() };
        assert_eq!(decode_page_token(&token, page_query(&next), now), Ok(Some(1)));
        let others = [
            page_query(&ListEmployeesRequest { query: "a".into(), ..asked }),
            page_query(&ListDepartmentsRequest { page_size: 5, ..ListDepartmentsRequest::default() }),
        ];
        for other in others {
            assert!(decode_page_token::<i32>(&token, other, now).is_err());
        }
    }

    #[test]
    fn a_made_up_page_token_brings_no_zero_character() {
        let now = SystemClock.now();
        let token = encode_page_token(&"a\0b", 1, now);
        assert!(decode_page_token::<String>(&token, 1, now).is_err());
    }

    #[test]
    fn fingerprints_tell_requests_apart() {
        assert_eq!(fingerprint(&"a".to_owned()), fingerprint(&"a".to_owned()));
        assert_ne!(fingerprint(&"a".to_owned()), fingerprint(&"b".to_owned()));
    }
}
