//! The RPCs, the same in every context: a macro, since each context has messages of its own.

use std::sync::Arc;

use bytes::Bytes;
use callboard_kernel::{ErrorKind, Principal, Refusal};
use callboard_proto::common::v1 as common;
use futures::stream::BoxStream;
use futures::{Stream, StreamExt};
use tonic::Status;

use crate::upload::MAX_CHUNK;

/// A part of an upload, whichever context's message it came in.
#[derive(Debug)]
pub enum Part {
    /// The first.
    Upload(common::AttachmentUpload),
    /// All others.
    Chunk(Vec<u8>),
}

fn wrong(rule: &str) -> Refusal {
    Refusal::field("part", rule)
}

/// Splits a stream of parts into what comes first and the bytes.
///
/// # Errors
/// When it does not begin with `upload`.
pub async fn split<S>(
    mut parts: S,
) -> Result<(common::AttachmentUpload, BoxStream<'static, Result<Bytes, Refusal>>), Refusal>
where
    S: Stream<Item = Result<Option<Part>, Status>> + Send + Unpin + 'static,
{
    let first = parts.next().await.ok_or_else(|| wrong("`upload` comes first"))?;
    let Ok(Some(Part::Upload(upload))) = first else { return Err(wrong("`upload` comes first")) };
    let bytes = parts.map(|part| match part {
        Ok(Some(Part::Chunk(bytes))) if bytes.len() <= MAX_CHUNK => Ok(Bytes::from(bytes)),
        Ok(Some(Part::Chunk(_))) => Err(wrong("at most 1 MiB each")),
        Ok(Some(Part::Upload(_)) | None) => Err(wrong("`chunk` follows")),
        // The caller went away, or its connection did.
        Err(_) => Err(Refusal::new(ErrorKind::Cancelled, "CANCELLED", "the upload broke off")),
    });
    Ok((upload, bytes.boxed()))
}

/// Who is asking, as [`callboard_service::request::principal`].
///
/// # Errors
/// Unauthenticated.
pub fn principal<T>(request: &tonic::Request<T>) -> Result<Arc<Principal>, Refusal> {
    callboard_service::request::principal(request)
}

/// Serves a context's `AttachmentService`: defines `AttachmentApi`, made of [`Attachments`](crate::Attachments).
///
/// ```ignore
/// callboard_attachments::serve!(callboard_proto::tickets::v1, "tickets");
/// ```
#[macro_export]
macro_rules! serve {
    ($($package:ident)::+, $service:literal) => {
        /// Answers `AttachmentService`.
        #[derive(Debug, Clone)]
        pub struct AttachmentApi(pub $crate::Attachments);

        const _: () = {
            use $($package)::+ as proto;
            use $crate::again::{BoxStream, IntoStatus, Request, Response, Status, StreamExt, Streaming};

            #[$crate::again::async_trait]
            impl proto::attachment_service_server::AttachmentService for AttachmentApi {
                async fn upload_attachment(
                    &self,
                    request: Request<Streaming<proto::UploadAttachmentRequest>>,
                ) -> Result<Response<proto::UploadAttachmentResponse>, Status> {
                    use proto::upload_attachment_request::Part;
                    let result = async {
                        let principal = $crate::serve_parts::principal(&request)?;
                        let parts = request.into_inner().map(|part| {
                            part.map(|part| {
                                part.part.map(|part| match part {
                                    Part::Upload(upload) => $crate::serve_parts::Part::Upload(upload),
                                    Part::Chunk(bytes) => $crate::serve_parts::Part::Chunk(bytes),
                                })
                            })
                        });
                        let (upload, body) = $crate::serve_parts::split(parts).await?;
                        self.0.upload(&principal, upload, body).await
                    };
                    let attachment = result.await.map_err(|refusal| refusal.into_status($service))?;
                    Ok(Response::new(proto::UploadAttachmentResponse { attachment: Some(attachment) }))
                }

                async fn get_attachment(
                    &self,
                    request: Request<proto::GetAttachmentRequest>,
                ) -> Result<Response<proto::GetAttachmentResponse>, Status> {
                    let result = async {
                        let principal = $crate::serve_parts::principal(&request)?;
                        self.0.get(&principal, &request.get_ref().attachment_id).await
                    };
                    let attachment = result.await.map_err(|refusal| refusal.into_status($service))?;
                    Ok(Response::new(proto::GetAttachmentResponse { attachment: Some(attachment) }))
                }

                type DownloadAttachmentStream =
                    BoxStream<'static, Result<proto::DownloadAttachmentResponse, Status>>;

                async fn download_attachment(
                    &self,
                    request: Request<proto::DownloadAttachmentRequest>,
                ) -> Result<Response<Self::DownloadAttachmentStream>, Status> {
                    use proto::download_attachment_response::Part;
                    let principal = $crate::serve_parts::principal(&request).ok();
                    let message = request.into_inner();
                    let asked = $crate::Asked {
                        id: message.attachment_id,
                        link: message.link,
                        range: message.range,
                        thumbnail: message.thumbnail,
                    };
                    let (head, bytes) = self
                        .0
                        .download(principal.as_deref(), asked)
                        .await
                        .map_err(|refusal| refusal.into_status($service))?;
                    let part = |part| proto::DownloadAttachmentResponse { part: Some(part) };
                    let chunks = bytes.map(move |bytes| match bytes {
                        Ok(bytes) => Ok(part(Part::Chunk(bytes.into()))),
                        Err(refusal) => Err(refusal.into_status($service)),
                    });
                    let first = $crate::again::once(async move { Ok(part(Part::Head(head))) });
                    Ok(Response::new(first.chain(chunks).boxed()))
                }

                async fn create_attachment_link(
                    &self,
                    request: Request<proto::CreateAttachmentLinkRequest>,
                ) -> Result<Response<proto::CreateAttachmentLinkResponse>, Status> {
                    let result = async {
                        let principal = $crate::serve_parts::principal(&request)?;
                        self.0.link(&principal, &request.get_ref().attachment_id).await
                    };
                    let (link, expires) = result.await.map_err(|refusal| refusal.into_status($service))?;
                    let expire_time = Some($crate::again::to_proto_time(expires));
                    Ok(Response::new(proto::CreateAttachmentLinkResponse { link, expire_time }))
                }

                async fn delete_attachment(
                    &self,
                    request: Request<proto::DeleteAttachmentRequest>,
                ) -> Result<Response<proto::DeleteAttachmentResponse>, Status> {
                    let result = async {
                        let principal = $crate::serve_parts::principal(&request)?;
                        self.0.delete(&principal, &request.get_ref().attachment_id).await
                    };
                    result.await.map_err(|refusal| refusal.into_status($service))?;
                    Ok(Response::new(proto::DeleteAttachmentResponse {}))
                }
            }
        };
    };
}
