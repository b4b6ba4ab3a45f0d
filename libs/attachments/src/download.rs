//! Handing a file out.

use std::ops::Range;

use bytes::Bytes;
use callboard_kernel::{ErrorKind, Principal, Refusal};
use callboard_proto::common::v1 as common;
use futures::StreamExt;
use futures::stream::BoxStream;
use uuid::Uuid;

use crate::attachments::Attachments;
use crate::rows::{File, Standing};

/// After so many bytes of a download it is judged anew whether the caller may still see the owner (T-13).
const JUDGED_EVERY: u64 = 4 * 1024 * 1024;
/// Most bytes of one part of a download.
const MAX_PART: usize = 256 * 1024;

/// What is asked for.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// Which file.
    pub id: String,
    /// A link instead of a token; empty: none.
    pub link: String,
    /// A part of it; `None`: all.
    pub range: Option<common::ByteRange>,
    /// Its thumbnail instead.
    pub thumbnail: bool,
}

/// A download: what comes, and the bytes.
pub type Download = (common::AttachmentHead, BoxStream<'static, Result<Bytes, Refusal>>);

/// The bytes of a range; `None` when it begins behind the end.
fn within(range: Option<&common::ByteRange>, total: u64) -> Option<Range<u64>> {
    let Some(range) = range else { return Some(0..total) };
    let start = match u64::try_from(range.start) {
        Ok(start) => start,
        // More than there is, counted from the end, is all of it.
        Err(_) => total.saturating_sub(range.start.unsigned_abs()),
    };
    let end = match u64::try_from(range.length) {
        Ok(0) => total,
        Ok(length) => start.saturating_add(length).min(total),
        Err(_) => return None,
    };
    (start < total).then_some(start..end)
}

impl Attachments {
    /// A file that the caller may see now: a pending one its uploader, a linked one whoever sees its owner.
    pub(crate) async fn visible(&self, principal: &Principal, id: Uuid) -> Result<File, Refusal> {
        let not_found = || Refusal::not_found("attachment");
        let file = self.rows.find(&[id]).await?.pop().ok_or_else(not_found)?;
        let sees = file.organisation == principal.organisation
            && match (file.standing, &file.owner) {
                (Standing::Pending, _) => file.uploader == principal.actor().to_string(),
                (Standing::Linked, Some(owner)) => {
                    self.owners.may_see_file(principal, owner, file.id).await?
                }
                (Standing::Linked, None) | (Standing::Uploading | Standing::Purged, _) => false,
            };
        if sees { Ok(file) } else { Err(not_found()) }
    }

    /// Hands a file out to whoever may see its owner now: the caller, or whoever a link was made for.
    ///
    /// # Errors
    /// `NOT_FOUND`, whether it is not there or not to be seen; `LINK_INVALID`; `ATTACHMENT_NOT_SCANNED` and
    /// `ATTACHMENT_INFECTED`; `RANGE_NOT_SATISFIABLE`.
    pub async fn download(&self, caller: Option<&Principal>, asked: Asked) -> Result<Download, Refusal> {
        let id: Uuid = callboard_service::request::parse_id("attachment_id", &asked.id)?;
        let by_link;
        let principal = match (asked.link.is_empty(), caller) {
            (false, _) => {
                by_link = self.signer.open(&asked.link, id, self.clock.now(), &self.revocations)?;
                &by_link
            }
            (true, Some(caller)) => caller,
            (true, None) => {
                return Err(Refusal::new(
                    ErrorKind::Unauthenticated,
                    "TOKEN_MISSING",
                    "a bearer token or a link is needed",
                ));
            }
        };
        let file = self.visible(principal, id).await?;
        match file.scan.as_str() {
            "WAITING" => {
                return Err(Refusal::new(
                    ErrorKind::FailedPrecondition,
                    "ATTACHMENT_NOT_SCANNED",
                    "the file is still being scanned: try again soon",
                ));
            }
            "INFECTED" => {
                return Err(Refusal::new(
                    ErrorKind::FailedPrecondition,
                    "ATTACHMENT_INFECTED",
                    "the scanner found something harmful in the file: it is not handed out",
                ));
            }
            _ => {}
        }
        let (key, media_type, total, tag) = if asked.thumbnail {
            if !file.has_thumbnail {
                return Err(Refusal::not_found("thumbnail"));
            }
            let key = file.thumbnail_key();
            let total = self.objects.size(&key).await?;
            (key, crate::thumbnail::MEDIA_TYPE.to_owned(), total, format!("\"{}-t\"", file.sha256))
        } else {
            let total = u64::try_from(file.size).unwrap_or_default();
            (file.object_key.clone(), file.media_type.clone(), total, format!("\"{}\"", file.sha256))
        };
        let range = within(asked.range.as_ref(), total).ok_or_else(|| {
            Refusal::new(
                ErrorKind::FailedPrecondition,
                "RANGE_NOT_SATISFIABLE",
                format!("the range begins behind the end: there are {total} bytes"),
            )
        })?;
        let count = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let head = common::AttachmentHead {
            attachment: Some(file.shown()),
            media_type,
            total: count(total),
            start: count(range.start),
            length: count(range.end - range.start),
            etag: tag,
        };
        let bytes = self.objects.stream(&key, range).await.inspect_err(|refusal| {
            if refusal.kind == ErrorKind::NotFound {
                tracing::warn!(%id, key, "the bytes of an attachment are gone, or it was deleted just now");
            }
        })?;
        Ok((head, self.judged(principal.clone(), id, bytes)))
    }

    /// Bytes that end when the caller may no longer see the owner.
    fn judged(
        &self,
        principal: Principal,
        id: Uuid,
        bytes: BoxStream<'static, Result<Bytes, Refusal>>,
    ) -> BoxStream<'static, Result<Bytes, Refusal>> {
        let this = self.clone();
        let parts = bytes.flat_map(|bytes| {
            let parts: Vec<Result<Bytes, Refusal>> = match bytes {
                Err(refusal) => vec![Err(refusal)],
                Ok(mut bytes) => {
                    let mut parts = Vec::with_capacity(bytes.len() / MAX_PART + 1);
                    while !bytes.is_empty() {
                        parts.push(Ok(bytes.split_to(bytes.len().min(MAX_PART))));
                    }
                    parts
                }
            };
            futures::stream::iter(parts)
        });
        let state = (parts.boxed(), 0_u64, false);
        futures::stream::unfold(state, move |(mut parts, mut sent, ended)| {
            let (this, principal) = (this.clone(), principal.clone());
            async move {
                if ended {
                    return None;
                }
                let part = parts.next().await?;
                if let Ok(bytes) = &part {
                    sent += bytes.len() as u64;
                }
                if sent > JUDGED_EVERY {
                    sent = 0;
                    if let Err(refusal) = this.visible(&principal, id).await {
                        return Some((Err(refusal), (parts, sent, true)));
                    }
                }
                Some((part, (parts, sent, false)))
            }
        })
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_9110_ranges_are_cut_to_what_there_is() {
        let range = |start, length| within(Some(&common::ByteRange { start, length }), 10);
        assert_eq!(within(None, 10), Some(0..10));
        assert_eq!(range(2, 3), Some(2..5));
        assert_eq!(range(2, 0), Some(2..10));
        assert_eq!(range(8, 100), Some(8..10));
        assert_eq!(range(-3, 0), Some(7..10));
        assert_eq!(range(-30, 0), Some(0..10));
        assert_eq!(range(10, 1), None);
        assert_eq!(range(0, -1), None);
        assert_eq!(range(i64::MAX, i64::MAX), None);
    }
}
