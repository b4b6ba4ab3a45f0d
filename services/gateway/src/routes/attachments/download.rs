//! Bytes on their way to a caller: ranges, tags, and headers that keep a browser from running them.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use callboard_proto::common::v1 as common;
use futures::StreamExt;
use futures::stream::BoxStream;
use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE,
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, IF_RANGE, RANGE, REFERRER_POLICY,
};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::Deserialize;
use tonic::Status;
use utoipa::IntoParams;

use crate::problem::Problem;
use crate::state::Gateway;

/// How a file is asked for.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct AskedDownload {
    /// A link made before, instead of a token.
    pub link: String,
}

/// What the headers of a request ask for (RFC 9110 §13 and §14).
#[derive(Debug, Clone, Default)]
pub(super) struct Wanted {
    range: Option<(i64, i64)>,
    none_match: Option<String>,
    if_range: Option<String>,
}

impl FromRequestParts<Arc<Gateway>> for Wanted {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, _: &Arc<Gateway>) -> Result<Self, Problem> {
        Ok(Self::of(&parts.headers))
    }
}

/// `bytes=2-5`, `bytes=2-`, `bytes=-3`: start (negative: from the end) and length (0: to the end). Several ranges, other
/// units and what is malformed are ignored, as a server may: all of it is answered then.
fn range(value: &str) -> Option<(i64, i64)> {
    let (first, last) = value.trim().strip_prefix("bytes=")?.trim().split_once('-')?;
    let number = |text: &str| text.trim().parse::<i64>().ok().filter(|number| *number >= 0);
    match (first.trim(), last.trim()) {
        ("", last) => number(last).filter(|length| *length > 0).map(|length| (-length, 0)),
        (first, "") => number(first).map(|first| (first, 0)),
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            (first <= last).then(|| (first, (last - first).saturating_add(1)))
        }
    }
}

impl Wanted {
    fn of(headers: &HeaderMap) -> Self {
        let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
        Self {
            range: text(RANGE).and_then(range),
            none_match: text(IF_NONE_MATCH).map(str::to_owned),
            if_range: text(IF_RANGE).map(str::to_owned),
        }
    }

    /// The range to ask for.
    pub(super) fn range(&self) -> Option<common::ByteRange> {
        let (start, length) = self.range?;
        Some(common::ByteRange { start, length })
    }

    fn has(&self, etag: &str) -> bool {
        self.none_match.as_ref().is_some_and(|tags| {
            tags.split(',').map(str::trim).any(|tag| tag == "*" || tag.trim_start_matches("W/") == etag)
        })
    }

    /// False when the caller's part is of another file: then the range is ignored.
    fn may_be_partial(&self, etag: &str) -> bool {
        self.if_range.as_ref().is_none_or(|tag| tag == etag)
    }
}

/// A part of a download, whichever context's message it came in.
#[derive(Debug)]
pub(super) enum Part {
    Head(Box<common::AttachmentHead>),
    Chunk(Vec<u8>),
}

/// `attachment; filename="…"; filename*=UTF-8''…` (RFC 6266): what is not plain ASCII is said in the second alone.
fn disposition(kind: &str, name: &str) -> String {
    let plain: String = name
        .chars()
        .map(|character| match character {
            '"' | '\\' | '%' => '_',
            ' '..='~' => character,
            _ => '_',
        })
        .collect();
    let mut encoded = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"!#$&+-.^_`|~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            use std::fmt::Write as _;
            // Writing to a string cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    format!("{kind}; filename=\"{plain}\"; filename*=UTF-8''{encoded}")
}

fn broken() -> Problem {
    tracing::error!("a download did not begin with its head");
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL", "internal error")
}

/// The answer: its head is read, its bytes follow as they come. What breaks off midway breaks the body off, so that
/// nobody takes a part for the whole. `None`: ask again without the range, since it is of another file (`If-Range`).
pub(super) async fn respond(
    wanted: &mut Wanted,
    thumbnail: bool,
    mut parts: BoxStream<'static, Result<Part, Status>>,
) -> Result<Option<Response>, Problem> {
    let head = match parts.next().await {
        Some(Ok(Part::Head(head))) => head,
        Some(Err(status)) => return Err(Problem::of(&status, true)),
        Some(Ok(Part::Chunk(_))) | None => return Err(broken()),
    };
    let mut headers = HeaderMap::new();
    let mut set = |name: HeaderName, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    set(ETAG, &head.etag);
    // Whoever comes back with the tag is judged anew before it is told that nothing changed.
    set(CACHE_CONTROL, "private, no-cache");
    set(ACCEPT_RANGES, "bytes");
    if wanted.has(&head.etag) {
        return Ok(Some((StatusCode::NOT_MODIFIED, headers).into_response()));
    }
    if wanted.range.is_some() && !wanted.may_be_partial(&head.etag) {
        wanted.range = None;
        return Ok(None);
    }
    let name = head.attachment.map(|attachment| attachment.name).unwrap_or_default();
    // Nothing that somebody uploaded is ever rendered on our origin; a thumbnail we made ourselves.
    let kind = if thumbnail { "inline" } else { "attachment" };
    set(CONTENT_DISPOSITION, &disposition(kind, &name));
    set(CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox");
    set(REFERRER_POLICY, "no-referrer");
    set(CONTENT_TYPE, &head.media_type);
    set(CONTENT_LENGTH, &head.length.to_string());
    let status = if wanted.range.is_some() {
        let last = head.start + head.length - 1;
        set(CONTENT_RANGE, &format!("bytes {}-{last}/{}", head.start, head.total));
        StatusCode::PARTIAL_CONTENT
    } else {
        StatusCode::OK
    };
    let bytes = parts.filter_map(|part| {
        std::future::ready(match part {
            Ok(Part::Chunk(bytes)) => Some(Ok(bytes)),
            Ok(Part::Head(_)) => None,
            Err(status) => Some(Err(std::io::Error::other(status.message().to_owned()))),
        })
    });
    Ok(Some((status, headers, Body::from_stream(bytes)).into_response()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_9110_a_single_range_of_bytes_is_understood_and_all_else_ignored() {
        assert_eq!(range("bytes=2-5"), Some((2, 4)));
        assert_eq!(range("bytes=2-"), Some((2, 0)));
        assert_eq!(range("bytes=-3"), Some((-3, 0)));
        assert_eq!(range("bytes=0-0"), Some((0, 1)));
        for ignored in
            ["bytes=5-2", "bytes=-0", "bytes=0-1,4-5", "lines=1-2", "bytes=a-b", "bytes=-", "2-5", ""]
        {
            assert_eq!(range(ignored), None, "{ignored}");
        }
    }

    #[test]
    fn rfc_6266_a_name_is_said_twice_and_breaks_out_of_nothing() {
        assert_eq!(
            disposition("attachment", "Prüf\"bericht.pdf"),
            "attachment; filename=\"Pr_f_bericht.pdf\"; filename*=UTF-8''Pr%C3%BCf%22bericht.pdf"
        );
        assert!(!disposition("attachment", "a\r\nSet-Cookie: b").contains('\n'));
    }

    #[test]
    fn rfc_9110_a_tag_that_is_known_needs_no_bytes() {
        let wanted = |tags: &str| Wanted { none_match: Some(tags.to_owned()), ..Wanted::default() };
        assert!(wanted("\"a\", W/\"b\"").has("\"b\""));
        assert!(wanted("*").has("\"b\""));
        assert!(!wanted("\"a\"").has("\"b\""));
    }
}
