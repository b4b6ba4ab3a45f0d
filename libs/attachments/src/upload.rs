//! Taking a file: streamed, counted, judged, kept.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use callboard_kernel::{ErrorKind, Principal, Refusal, derive_uuid};
use callboard_proto::common::v1 as common;
use callboard_service::request::{command_id, parse_optional_id};
use futures::{Stream, StreamExt};
use sha2::{Digest, Sha256};
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::attachments::Attachments;
use crate::media::{self, Charset, TextCheck};
use crate::objects::{Objects, Sink};
use crate::rows::{Incoming, Rows, Standing, Taken};

/// How long is waited for the next bytes.
const PATIENCE: Duration = Duration::from_secs(30);
/// How much room is made at a time for a file of unknown size.
const STEP: i64 = 5 * 1024 * 1024;
/// Most bytes of one part of an upload.
pub const MAX_CHUNK: usize = 1024 * 1024;

/// Hexadecimal, lower case.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// What a caller said of a file before its bytes.
struct Declared {
    id: Uuid,
    subject: Option<Uuid>,
    name: String,
    size: Option<i64>,
    sha256: Option<String>,
}

impl Declared {
    fn new(principal: &Principal, upload: &common::AttachmentUpload, max: i64) -> Result<Self, Refusal> {
        let command = command_id(principal, "UploadAttachment", &upload.request_id)?;
        let sha256 = upload.sha256.to_ascii_lowercase();
        if !sha256.is_empty() && (sha256.len() != 64 || !sha256.bytes().all(|byte| byte.is_ascii_hexdigit()))
        {
            return Err(Refusal::field("upload.sha256", "64 hexadecimal digits"));
        }
        if upload.size < 0 {
            return Err(Refusal::field("upload.size", "must not be negative"));
        }
        if upload.size > max {
            return Err(too_large(max));
        }
        Ok(Self {
            id: derive_uuid(command.uuid(), &[b"attachment"]),
            subject: parse_optional_id("upload.subject_id", &upload.subject_id)?,
            name: crate::name::clean(&upload.name),
            size: Some(upload.size).filter(|size| *size > 0),
            sha256: Some(sha256).filter(|sha256| !sha256.is_empty()),
        })
    }
}

fn too_large(max: i64) -> Refusal {
    Refusal::new(
        ErrorKind::InvalidArgument,
        "ATTACHMENT_TOO_LARGE",
        format!("a file has at most {max} bytes"),
    )
}

/// Removes what an upload left behind when it fails, or when nobody waits for it any more.
struct Cleanup {
    rows: Rows,
    objects: Objects,
    tracker: TaskTracker,
    left: Option<(Uuid, String)>,
}

impl Drop for Cleanup {
    fn drop(&mut self) {
        let Some((id, key)) = self.left.take() else { return };
        let (rows, objects) = (self.rows.clone(), self.objects.clone());
        self.tracker.spawn(async move {
            let removed = async {
                objects.remove(&key).await?;
                rows.forget(id, &key, "UPLOADING").await
            };
            if let Err(error) = removed.await {
                tracing::debug!(%error, "an upload that broke off is left to the keeper");
            }
        });
    }
}

impl Attachments {
    /// Takes a file for the caller. It is pending until an owner names it.
    ///
    /// `body` is streamed: no more than five mebibytes of it are held. A repeat of the same upload (`request_id`)
    /// answers the file of the first without reading the body; one that broke off is begun anew.
    ///
    /// # Errors
    /// Wrong fields; what the context says of uploads for this subject; `ATTACHMENT_TOO_LARGE`, `ATTACHMENT_EMPTY`,
    /// `ATTACHMENT_TYPE_NOT_ALLOWED` (M-2), `ATTACHMENT_DIFFERS` from what was declared, `ATTACHMENT_QUOTA_EXCEEDED`,
    /// `ATTACHMENTS_PENDING`, `UPLOAD_STALLED`, `UPLOAD_SUPERSEDED`, `REQUEST_ID_REUSED`.
    pub async fn upload(
        &self,
        principal: &Principal,
        upload: common::AttachmentUpload,
        body: impl Stream<Item = Result<Bytes, Refusal>> + Send,
    ) -> Result<common::Attachment, Refusal> {
        let declared = Declared::new(principal, &upload, self.config.max_bytes)?;
        self.owners.may_upload(principal, declared.subject).await?;
        if let Some(known) = self.repeated(principal, &declared).await? {
            return Ok(known);
        }
        let new = Incoming {
            id: declared.id,
            organisation: principal.organisation,
            uploader: principal.actor(),
            aggregate: declared.subject,
            name: declared.name.clone(),
            object_key: self.objects.key(principal.organisation.uuid(), declared.id, self.ids.next()),
            now: self.clock.now(),
        };
        let room = declared.size.unwrap_or_else(|| STEP.min(self.config.max_bytes));
        self.rows.begin(&new, room, (self.config.quota_bytes, self.config.pending_bytes)).await?;
        let mut cleanup = Cleanup {
            rows: self.rows.clone(),
            objects: self.objects.clone(),
            tracker: self.tracker.clone(),
            left: Some((new.id, new.object_key.clone())),
        };
        let taken = self.take(&new, &declared, room, body).await?;
        let file = self.rows.finish(&new, &taken, self.clock.now()).await?;
        cleanup.left = None;
        self.wake();
        Ok(file.shown())
    }

    /// The file of the same upload, when it came in before.
    async fn repeated(
        &self,
        principal: &Principal,
        declared: &Declared,
    ) -> Result<Option<common::Attachment>, Refusal> {
        let Some(known) = self.rows.find(&[declared.id]).await?.pop() else { return Ok(None) };
        match known.standing {
            Standing::Uploading => Ok(None),
            Standing::Purged => Err(Refusal::not_found("attachment")),
            Standing::Pending | Standing::Linked => {
                let same = known.uploader == principal.actor().to_string()
                    && known.name == declared.name
                    && declared.size.is_none_or(|size| size == known.size)
                    && declared.sha256.as_ref().is_none_or(|sha256| *sha256 == known.sha256);
                if same {
                    return Ok(Some(known.shown()));
                }
                Err(Refusal::new(
                    ErrorKind::InvalidArgument,
                    "REQUEST_ID_REUSED",
                    "this request_id was used for another file",
                ))
            }
        }
    }

    async fn take(
        &self,
        new: &Incoming,
        declared: &Declared,
        mut room: i64,
        body: impl Stream<Item = Result<Bytes, Refusal>> + Send,
    ) -> Result<Taken, Refusal> {
        let mut sink = self.objects.sink(&new.object_key, &self.tracker).await?;
        let outcome = self.fill(new, declared, &mut room, &mut sink, body).await;
        let (size, sha256, head, text) = match outcome {
            Ok(filled) => filled,
            Err(refusal) => {
                sink.abort().await;
                return Err(refusal);
            }
        };
        sink.finish().await?;
        let read = |from: u64, length: u64| -> futures::future::BoxFuture<'_, Result<Bytes, Refusal>> {
            Box::pin(self.objects.read(&new.object_key, from..from + length))
        };
        let bytes = u64::try_from(size).unwrap_or_default();
        let media = media::judge(&head, bytes, text, &read).await?.ok_or_else(|| {
            Refusal::new(
                ErrorKind::InvalidArgument,
                "ATTACHMENT_TYPE_NOT_ALLOWED",
                format!("the content is none of {} (M-2)", media::ALLOWED),
            )
        })?;
        let scan = if self.scanner.is_some() { "WAITING" } else { "OFF" };
        Ok(Taken { media, size, sha256, scan })
    }

    /// Reads the body to its end.
    async fn fill(
        &self,
        new: &Incoming,
        declared: &Declared,
        room: &mut i64,
        sink: &mut Sink,
        body: impl Stream<Item = Result<Bytes, Refusal>> + Send,
    ) -> Result<(i64, String, BytesMut, Option<Charset>), Refusal> {
        let mut body = std::pin::pin!(body);
        let (mut digest, mut text) = (Sha256::new(), TextCheck::default());
        let (mut size, mut head) = (0_i64, BytesMut::new());
        let stalled = || {
            Refusal::new(ErrorKind::DeadlineExceeded, "UPLOAD_STALLED", "no more bytes came: send them again")
        };
        while let Some(chunk) = tokio::time::timeout(PATIENCE, body.next()).await.map_err(|_| stalled())? {
            let chunk = chunk?;
            size += i64::try_from(chunk.len()).unwrap_or(i64::MAX);
            if size > self.config.max_bytes {
                return Err(too_large(self.config.max_bytes));
            }
            if declared.size.is_some_and(|declared| size > declared) {
                return Err(differs("has more bytes than were declared"));
            }
            if size > *room {
                let step = STEP.min(self.config.max_bytes - *room).max(size - *room);
                self.rows.grow(new, step, self.config.quota_bytes, self.clock.now()).await?;
                *room += step;
            }
            if head.len() < media::HEAD {
                head.extend_from_slice(&chunk[..chunk.len().min(media::HEAD - head.len())]);
            }
            digest.update(&chunk);
            text.take(&chunk);
            if sink.take(&chunk).await? {
                // It is alive: a slow line is no upload that broke off.
                self.rows.grow(new, 0, self.config.quota_bytes, self.clock.now()).await?;
            }
        }
        if size == 0 {
            return Err(Refusal::new(ErrorKind::InvalidArgument, "ATTACHMENT_EMPTY", "a file has bytes"));
        }
        if declared.size.is_some_and(|declared| size != declared) {
            return Err(differs("has fewer bytes than were declared"));
        }
        let sha256 = hex(&digest.finalize());
        if declared.sha256.as_ref().is_some_and(|declared| *declared != sha256) {
            return Err(differs("has another SHA-256 than was declared"));
        }
        Ok((size, sha256, head, text.charset()))
    }
}

fn differs(how: &str) -> Refusal {
    Refusal::new(ErrorKind::InvalidArgument, "ATTACHMENT_DIFFERS", format!("what came {how}: send it again"))
}
