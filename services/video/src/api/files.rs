//! Recordings and screenshots: who may bring them, and who may see them (V-7, V-8).

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use callboard_attachments::{MAX_CHUNK, Owner, Owners};
use callboard_kernel::{
    Actor, CodeUser, CustomerUser, Employee, ErrorKind, Language, Principal, Refusal, Role, Subject,
    derive_uuid,
};
use callboard_proto::common::v1 as common;
use callboard_proto::video::v1 as proto;
use callboard_service::Mutation;
use callboard_service::database::refusal;
use callboard_service::request::parse_id;
use callboard_video_domain::session::{Act, FileKind};
use callboard_video_domain::{FileId, SessionId};
use futures::stream::BoxStream;
use futures::{Stream, StreamExt};
use tonic::{Request, Status};
use uuid::Uuid;

use super::fields::Fields;
use super::{Reads, VideoApi};
use crate::convert;
use crate::token::{Speaker, refused};

callboard_attachments::serve!(callboard_proto::video::v1, "video");

/// The kind of owner that a session is. Stored, also by the triggers: never changes.
const SESSION: &str = "session";
/// How long it may take to make a file the session's, once it is here.
const PATIENCE: Duration = Duration::from_secs(10);

const RECORDINGS: &[&str] = &["video/webm", "video/x-matroska", "video/mp4", "video/quicktime"];
const SCREENSHOTS: &[&str] = &["image/png", "image/jpeg"];

fn of_session(session: SessionId) -> Owner {
    Owner { kind: SESSION.to_owned(), id: session.uuid(), aggregate: session.uuid() }
}

/// Whether a file is what it is called, by its content.
fn fits(kind: FileKind, file: &common::Attachment) -> Result<(), Refusal> {
    let (types, rule) = match kind {
        FileKind::Recording => (RECORDINGS, "a recording is a WebM, Matroska, MP4 or QuickTime video"),
        FileKind::Screenshot => (SCREENSHOTS, "a screenshot is a PNG or JPEG picture"),
    };
    if types.contains(&file.media_type.as_str()) { Ok(()) } else { Err(Refusal::field("kind", rule)) }
}

/// Judges by sessions as they are now.
#[derive(Debug, Clone)]
pub struct SessionOwners {
    /// What is stored.
    pub reads: Reads,
}

impl Owners for SessionOwners {
    /// Whoever may bring a recording or a screenshot: what it is, is said later.
    fn may_upload<'a>(
        &'a self,
        principal: &'a Principal,
        subject: Option<Uuid>,
    ) -> futures::future::BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async move {
            let id = subject.ok_or_else(|| Refusal::field("upload.subject_id", "names the session"))?;
            let found = self.reads.session(principal, id.into()).await?.content;
            let (who, now) = (principal.actor(), self.reads.clock.now());
            if found.takes(FileKind::Screenshot, who, now) || found.takes(FileKind::Recording, who, now) {
                return Ok(());
            }
            let message = "files are brought by who is in the call, or was within the last hour (V-8)";
            Err(Refusal::new(ErrorKind::FailedPrecondition, "NO_CALL", message))
        })
    }

    /// Whoever sees the session: what is internal is not there from outside (V-7).
    fn may_see<'a>(
        &'a self,
        principal: &'a Principal,
        owner: &'a Owner,
    ) -> futures::future::BoxFuture<'a, Result<bool, Refusal>> {
        Box::pin(async move {
            if owner.kind != SESSION {
                return Ok(false);
            }
            match self.reads.session(principal, owner.id.into()).await {
                Ok(_) => Ok(true),
                Err(refusal) if refusal.kind == ErrorKind::NotFound => Ok(false),
                Err(refusal) => Err(refusal),
            }
        })
    }
}

type Body = BoxStream<'static, Result<Bytes, Refusal>>;

/// Splits an upload into what comes first and the bytes.
async fn split(
    mut parts: impl Stream<Item = Result<proto::UploadCallFileRequest, Status>> + Send + Unpin + 'static,
) -> Result<(proto::CallFileUpload, Body), Refusal> {
    use proto::upload_call_file_request::Part;
    let wrong = |rule: &str| Refusal::field("part", rule);
    let first = parts.next().await.and_then(Result::ok).and_then(|first| first.part);
    let Some(Part::Upload(upload)) = first else { return Err(wrong("`upload` comes first")) };
    let bytes = parts.map(move |part| match part.map(|part| part.part) {
        Ok(Some(Part::Chunk(bytes))) if bytes.len() <= MAX_CHUNK => Ok(Bytes::from(bytes)),
        Ok(Some(Part::Chunk(_))) => Err(wrong("at most 1 MiB each")),
        Ok(Some(Part::Upload(_)) | None) => Err(wrong("`chunk` follows")),
        Err(_) => Err(Refusal::new(ErrorKind::Cancelled, "CANCELLED", "the upload broke off")),
    });
    Ok((upload, bytes.boxed()))
}

fn kind_of(fields: &mut Fields, kind: i32) -> Option<FileKind> {
    let kind = proto::SessionFileKind::try_from(kind).ok().and_then(convert::from_file_kind);
    if kind.is_none() {
        fields.refuse("kind", "RECORDING or SCREENSHOT");
    }
    kind
}

impl VideoApi {
    pub(super) async fn add_file(
        &self,
        request: &Request<proto::AddSessionFileRequest>,
    ) -> Result<proto::Session, Refusal> {
        let message = request.get_ref();
        let mutation = Mutation::new(request, "AddSessionFile", &message.request_id)?;
        let mut fields = Fields::default();
        let id: SessionId = fields.id("session_id", &message.session_id);
        let file: FileId = fields.id("attachment_id", &message.attachment_id);
        let kind = kind_of(&mut fields, message.kind);
        fields.finish()?;
        // Where there is none, the fields were refused.
        let kind = kind.unwrap_or(FileKind::Screenshot);
        self.keep(&mutation, id, file, kind).await
    }

    /// Makes a file the session's.
    async fn keep(
        &self,
        mutation: &Mutation,
        session: SessionId,
        file: FileId,
        kind: FileKind,
    ) -> Result<proto::Session, Refusal> {
        let principal = Arc::clone(&mutation.principal);
        self.change(mutation, session, async |_| {
            let owner = of_session(session);
            let ids = [file.to_string()];
            // The field's name has an index, as where several are named.
            let known = self.attachments.check(&principal, &owner, "attachment_id", &ids).await?;
            known.iter().try_for_each(|known| fits(kind, known))?;
            Ok(Act::AddFile(file, kind))
        })
        .await
    }

    pub(super) async fn remove_file(
        &self,
        request: &Request<proto::RemoveSessionFileRequest>,
    ) -> Result<proto::Session, Refusal> {
        let message = request.get_ref();
        let file: FileId = parse_id("attachment_id", &message.attachment_id)?;
        let at = (message.request_id.as_str(), message.session_id.as_str(), "");
        let session = self.verb(request, "RemoveSessionFile", at, Act::RemoveFile(file)).await?;
        self.attachments.wake();
        Ok(session)
    }

    /// A file from the page of calls: by its token, in one step.
    pub(super) async fn upload_in_call(
        &self,
        parts: impl Stream<Item = Result<proto::UploadCallFileRequest, Status>> + Send + Unpin + 'static,
    ) -> Result<proto::SessionFile, Refusal> {
        let (upload, body) = split(parts).await?;
        let speaker = self.calls.speaker(&upload.call_token)?;
        let mut fields = Fields::default();
        let kind = kind_of(&mut fields, upload.kind);
        let about = upload.upload.unwrap_or_default();
        let session: SessionId = fields.id("upload.subject_id", &about.subject_id);
        fields.finish()?;
        if session != speaker.session {
            return Err(refused());
        }
        let kind = kind.unwrap_or(FileKind::Screenshot);
        let principal = Arc::new(self.reads.caller(&speaker).await?);
        let taken = self.attachments.upload(&principal, about, body).await?;
        let file: FileId = parse_id("attachment_id", &taken.id)?;
        let command = derive_uuid(file.uuid(), &[b"of its session"]).into();
        let mutation = Mutation::once(Arc::clone(&principal), command, Instant::now() + PATIENCE);
        match self.keep(&mutation, session, file, kind).await {
            Ok(session) => {
                let kept = session.files.into_iter().find(|kept| kept.attachment_id == taken.id);
                kept.ok_or_else(|| Refusal::missing("attachment", file))
            }
            Err(refusal) => {
                // What is refused for good is of no use. Otherwise the same request finds the file there when it comes
                // again; what nobody asks for any more is collected after a day.
                let for_good = matches!(
                    refusal.kind,
                    ErrorKind::InvalidArgument
                        | ErrorKind::PermissionDenied
                        | ErrorKind::NotFound
                        | ErrorKind::FailedPrecondition
                );
                if for_good && let Err(error) = self.attachments.delete(&principal, &taken.id).await {
                    tracing::debug!(%error, "a file that is nobody's stays for a while");
                }
                Err(refusal)
            }
        }
    }

    /// Adds what is known of a session's files.
    pub(super) async fn with_files(&self, session: proto::Session) -> Result<proto::Session, Refusal> {
        let mut sessions = [session];
        self.show_files(&mut sessions).await?;
        let [session] = sessions;
        Ok(session)
    }

    /// Adds to sessions what is known of their files.
    pub(super) async fn show_files(&self, sessions: &mut [proto::Session]) -> Result<(), Refusal> {
        let files = || sessions.iter().flat_map(|session| &session.files);
        let ids: Vec<Uuid> = files().filter_map(|file| file.attachment_id.parse().ok()).collect();
        let known = self.attachments.find(&ids).await?;
        for file in sessions.iter_mut().flat_map(|session| &mut session.files) {
            file.attachment = file.attachment_id.parse().ok().and_then(|id| known.get(&id).cloned());
        }
        Ok(())
    }
}

impl Reads {
    /// Who a call token speaks for: as much of them as a decision about their own files asks for, which is who they are and
    /// not which role they have.
    async fn caller(&self, speaker: &Speaker) -> Result<Principal, Refusal> {
        let organisation = speaker.organisation;
        let content = self.queries.content(organisation, speaker.session).await.map_err(refusal)?;
        let content = content.ok_or_else(refused)?;
        let subject = match speaker.who.parse().map_err(|_| refused())? {
            Actor::Employee(id) => {
                Subject::Employee(Employee { id, role: Role::Member, departments: Vec::new() })
            }
            Actor::CodeUser(session) => {
                Subject::CodeUser(CodeUser { session, code: Uuid::nil().into(), device: content.device })
            }
            Actor::CustomerUser(id) => {
                let device = self.copies.device(organisation, content.device).await.map_err(refusal)?;
                let customer = content.place.customer.or(device.and_then(|device| device.place.customer));
                Subject::CustomerUser(CustomerUser { id, customer: customer.ok_or_else(refused)? })
            }
            Actor::System => return Err(refused()),
        };
        Ok(Principal { organisation, subject, language: Language::En })
    }
}
