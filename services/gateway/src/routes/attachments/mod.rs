//! Files in and out: streamed, never whole in memory. Each context that owns files has a line in [`files!`].

mod call_files;
mod download;
mod upload;

use callboard_proto::common::v1 as common;
use futures::StreamExt as _;

use super::ask;
use crate::answer::{Answer, Gone, Shown, show_created, show_inner};
use crate::call::{Call, Guest, Id};
use crate::extract::Query;
use crate::model::attachments::{Attachment, AttachmentLink, Bytes};
use crate::model::mirror::Mirror as _;
use crate::openapi::{Resource, Route};
use crate::problem::Problem;
use download::{AskedDownload, Wanted};
use upload::{AskedUpload, Messages, Upload};

/// Failures of files that REST has statuses for.
fn told(mut problem: Problem) -> Problem {
    problem.status = match problem.reason.as_str() {
        "ATTACHMENT_TOO_LARGE" => http::StatusCode::PAYLOAD_TOO_LARGE,
        "ATTACHMENT_TYPE_NOT_ALLOWED" => http::StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "RANGE_NOT_SATISFIABLE" => http::StatusCode::RANGE_NOT_SATISFIABLE,
        "UPLOAD_STALLED" => http::StatusCode::REQUEST_TIMEOUT,
        _ => return problem,
    };
    problem
}

/// The routes of one context's files: its name, its client, where files for a subject go, what a subject is.
macro_rules! files {
    ($context:ident, $client:ident, $subject:literal, $named:literal) => {
        pub(in crate::routes) mod $context {
            use callboard_proto::$context::v1 as proto;

            use super::*;

            /// Passes a file on as it comes.
            pub async fn pass<E: Send + 'static>(
                guest: &Guest,
                start: common::AttachmentUpload,
                bytes: impl futures::Stream<Item = Result<bytes::Bytes, E>> + Send + Unpin + 'static,
            ) -> Result<Option<common::Attachment>, Problem> {
                use proto::upload_attachment_request::Part;
                let (parts, broken) = upload::parts(bytes, Part::Upload(start), Part::Chunk);
                let messages = parts.map(|part| proto::UploadAttachmentRequest { part: Some(part) });
                let messages = Messages(messages.boxed());
                let mut client = guest.gateway.upstreams.$client();
                let taken = client.upload_attachment(guest.request_within(messages, upload::LIMIT));
                let answer = upload::unless(broken, taken).await?;
                Ok(answer.map_err(|status| told(guest.problem(status)))?.into_inner().attachment)
            }

            async fn take(call: Call, subject: String, asked: AskedUpload, upload: Upload) -> Answer<Attachment> {
                let start = common::AttachmentUpload {
                    request_id: call.request_uuid(),
                    subject_id: subject,
                    name: asked.name,
                    size: upload.size(),
                    sha256: asked.sha256,
                };
                let attachment = pass(&call, start, upload.bytes()).await?;
                show_created(attachment, concat!("/v1/attachments/", stringify!($context)))
            }

            async fn upload_for(
                call: Call,
                Id(subject): Id,
                Query(asked): Query<AskedUpload>,
                upload: Upload,
            ) -> Answer<Attachment> {
                take(call, subject, asked, upload).await
            }

            async fn upload_loose(call: Call, Query(asked): Query<AskedUpload>, upload: Upload) -> Answer<Attachment> {
                take(call, String::new(), asked, upload).await
            }

            async fn get(call: Call, Id(attachment_id): Id) -> Answer<Attachment> {
                let message = proto::GetAttachmentRequest { attachment_id };
                show_inner(ask!(call, $client.get_attachment(message)).attachment)
            }

            async fn delete(call: Call, Id(attachment_id): Id) -> Gone {
                let message =
                    proto::DeleteAttachmentRequest { request_id: call.request_uuid(), attachment_id };
                ask!(call, $client.delete_attachment(message));
                Ok(http::StatusCode::NO_CONTENT)
            }

            async fn link(call: Call, Id(attachment_id): Id) -> Answer<AttachmentLink> {
                let message = proto::CreateAttachmentLinkRequest { attachment_id: attachment_id.clone() };
                let made = ask!(call, $client.create_attachment_link(message));
                let path = format!(
                    concat!("/v1/attachments/", stringify!($context), "/{}/content?link={}"),
                    attachment_id, made.link
                );
                let expire_time = made.expire_time.map(crate::model::Time::out);
                Ok(Shown::new(AttachmentLink { path, expire_time }))
            }

            async fn hand_out(
                guest: Guest,
                attachment_id: String,
                asked: AskedDownload,
                mut wanted: Wanted,
                thumbnail: bool,
            ) -> Result<axum::response::Response, Problem> {
                use proto::download_attachment_response::Part;
                loop {
                    let message = proto::DownloadAttachmentRequest {
                        attachment_id: attachment_id.clone(),
                        link: asked.link.clone(),
                        range: wanted.range(),
                        thumbnail,
                    };
                    let mut client = guest.gateway.upstreams.$client();
                    let parts = client
                        .download_attachment(guest.request(message))
                        .await
                        .map_err(|status| told(guest.problem(status)))?
                        .into_inner();
                    let parts = parts.map(|part| {
                        part.map(|part| match part.part {
                            Some(Part::Head(head)) => download::Part::Head(Box::new(head)),
                            Some(Part::Chunk(bytes)) => download::Part::Chunk(bytes),
                            None => download::Part::Chunk(Vec::new()),
                        })
                    });
                    if let Some(answer) = download::respond(&mut wanted, thumbnail, Box::pin(parts)).await? {
                        return Ok(answer);
                    }
                }
            }

            async fn content(
                guest: Guest,
                Id(id): Id,
                Query(asked): Query<AskedDownload>,
                wanted: Wanted,
            ) -> Result<axum::response::Response, Problem> {
                hand_out(guest, id, asked, wanted, false).await
            }

            async fn thumbnail(
                guest: Guest,
                Id(id): Id,
                Query(asked): Query<AskedDownload>,
                wanted: Wanted,
            ) -> Result<axum::response::Response, Problem> {
                hand_out(guest, id, asked, wanted, true).await
            }

            pub(in crate::routes) fn routes() -> Vec<Route> {
                vec![
                    Route::post($subject, upload_for)
                        .rpc(concat!("callboard.", stringify!($context), ".v1.AttachmentService/", "UploadAttachment"))
                        .named(concat!("upload", $named, "Attachment"))
                        .query::<AskedUpload>()
                        .takes_bytes::<Bytes>()
                        .creates::<Attachment>()
                        .about(
                            "Uploads a file: the body is its bytes. It stays pending until something names it. Types \
                             are judged by content, 50 MiB at most (M-2).",
                        ),
                    Route::post(concat!("/v1/attachments/", stringify!($context), ""), upload_loose)
                        .rpc(concat!("callboard.", stringify!($context), ".v1.AttachmentService/", "UploadAttachment"))
                        .named(concat!("upload", $named, "AttachmentAhead"))
                        .query::<AskedUpload>()
                        .takes_bytes::<Bytes>()
                        .creates::<Attachment>()
                        .about("Uploads a file for something that is yet to be made."),
                    Route::get(concat!("/v1/attachments/", stringify!($context), "/{id}"), get)
                        .rpc(concat!("callboard.", stringify!($context), ".v1.AttachmentService/", "GetAttachment"))
                        .named(concat!("get", $named, "Attachment"))
                        .answers::<Attachment>()
                        .about("What is known of a file."),
                    Route::delete(concat!("/v1/attachments/", stringify!($context), "/{id}"), delete)
                        .rpc(concat!("callboard.", stringify!($context), ".v1.AttachmentService/", "DeleteAttachment"))
                        .named(concat!("delete", $named, "Attachment"))
                        .about("Removes a pending file: its uploader."),
                    Route::get(concat!("/v1/attachments/", stringify!($context), "/{id}/content"), content)
                        .rpc(concat!("callboard.", stringify!($context), ".v1.AttachmentService/", "DownloadAttachment"))
                        .named(concat!("download", $named, "Attachment"))
                        .open()
                        .query::<AskedDownload>()
                        .answers_as::<Bytes>("200", "application/octet-stream")
                        .answers_as::<Bytes>("206", "application/octet-stream")
                        .about(
                            "The file's bytes, to whoever may see its owner now: by token or by link. Takes Range and \
                             If-None-Match.",
                        ),
                    Route::get(concat!("/v1/attachments/", stringify!($context), "/{id}/thumbnail"), thumbnail)
                        .rpc(concat!("callboard.", stringify!($context), ".v1.AttachmentService/", "DownloadAttachment"))
                        .named(concat!("download", $named, "Thumbnail"))
                        .open()
                        .query::<AskedDownload>()
                        .answers_as::<Bytes>("200", "image/jpeg")
                        .about("A small picture of a picture, by token or by link."),
                    Route::post(concat!("/v1/attachments/", stringify!($context), "/{id}:createLink"), link)
                        .rpc(concat!("callboard.", stringify!($context), ".v1.AttachmentService/", "CreateAttachmentLink"))
                        .named(concat!("create", $named, "AttachmentLink"))
                        .answers::<AttachmentLink>()
                        .about(
                            "A link that downloads the file without a token for five minutes, for as long as the caller \
                             may see its owner.",
                        ),
                ]
            }
        }
    };
}

files!(tickets, ticket_files, "/v1/tickets/{id}/attachments", "Ticket");
files!(messenger, message_files, "/v1/conversations/{id}/attachments", "Message");
files!(tasks, task_files, "/v1/taskDefinitions/{id}/attachments", "Task");
files!(video, session_files, "/v1/videoSessions/{id}/attachments", "Session");

/// Takes a file that hangs on tickets, from wherever its bytes come.
pub use tickets::pass as pass_ticket_file;

/// The routes of all contexts' files.
pub fn resource() -> Resource {
    let mut of_sessions = video::routes();
    // A recording is never made before its session.
    of_sessions.retain(|route| route.method != http::Method::POST || route.path != "/v1/attachments/video");
    let routes = [tickets::routes(), messenger::routes(), tasks::routes(), of_sessions, call_files::routes()];
    Resource {
        tag: "attachments",
        about: "Files: of updates, answers, messages, steps and calls. Uploaded first, then named by what they become part \
                of.",
        routes: routes.into_iter().flatten().collect(),
    }
}
