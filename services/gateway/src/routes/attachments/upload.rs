//! A body on its way to a service, piece by piece.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{Stream, StreamExt};
use serde::Deserialize;
use tokio::sync::oneshot;
use utoipa::IntoParams;

use crate::problem::Problem;
use crate::state::Gateway;

/// The longest that an upload may take. A line that brings nothing for half a minute is cut off before.
pub(super) const LIMIT: Duration = Duration::from_secs(60 * 60);
/// Most bytes of one message.
const PIECE: usize = 256 * 1024;

/// What is said of a file besides its bytes.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct AskedUpload {
    /// How the file is called; a path before it is dropped, at most 255 bytes are kept.
    pub name: String,
    /// SHA-256 of the content, hexadecimal, if known; another content is refused.
    pub sha256: String,
}

/// A body that is a file.
#[derive(Debug)]
pub(super) struct Upload {
    size: i64,
    body: Body,
}

impl FromRequest<Arc<Gateway>> for Upload {
    type Rejection = Problem;
    async fn from_request(request: Request, _: &Arc<Gateway>) -> Result<Self, Problem> {
        let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
        // A form would be kept as the file.
        if header(CONTENT_TYPE).is_some_and(|value| value.trim_start().starts_with("multipart/")) {
            return Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "MEDIA_TYPE_UNSUPPORTED",
                "send the file itself as the body, not a form",
            ));
        }
        let size = header(CONTENT_LENGTH).and_then(|value| value.parse().ok()).unwrap_or_default();
        Ok(Self { size, body: request.into_body() })
    }
}

impl Upload {
    /// As the caller declares it; 0: unknown.
    pub(super) const fn size(&self) -> i64 {
        self.size
    }

    /// The bytes as they come.
    pub(super) fn bytes(self) -> BodyDataStream {
        self.body.into_data_stream()
    }
}

/// The messages: the first, then the bytes. What the receiver hears, when the bytes break off: the messages then never
/// end, so that half a file is not taken for a whole one.
pub(super) fn parts<P: Send + 'static, E: Send + 'static>(
    bytes: impl Stream<Item = Result<Bytes, E>> + Send + Unpin + 'static,
    first: P,
    chunk: fn(Vec<u8>) -> P,
) -> (BoxStream<'static, P>, oneshot::Receiver<()>) {
    let (break_off, broken) = oneshot::channel();
    let state = (bytes, Some(break_off));
    let pieces = futures::stream::unfold(state, |(mut body, mut break_off)| async move {
        match body.next().await {
            None => None,
            Some(Ok(bytes)) => Some((bytes, (body, break_off))),
            Some(Err(_)) => {
                if let Some(break_off) = break_off.take() {
                    // Nobody waits any more: as good.
                    let _ = break_off.send(());
                }
                std::future::pending().await
            }
        }
    });
    let chunks = pieces
        .flat_map(|bytes| futures::stream::iter(bytes.chunks(PIECE).map(<[u8]>::to_vec).collect::<Vec<_>>()));
    (futures::stream::once(async move { first }).chain(chunks.map(chunk)).boxed(), broken)
}

/// Messages on their way. A type of its own, since the compiler cannot prove that a call with a boxed stream may move
/// between threads.
pub(super) struct Messages<T>(pub(super) BoxStream<'static, T>);

impl<T> Stream for Messages<T> {
    type Item = T;
    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        self.0.as_mut().poll_next(context)
    }
}

/// Waits for an answer, unless the body breaks off; the call is dropped then, and the service forgets what came.
pub(super) async fn unless<T>(
    broken: oneshot::Receiver<()>,
    answer: impl Future<Output = T>,
) -> Result<T, Problem> {
    let broken = async {
        if broken.await.is_err() {
            // The body came to its end.
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        answer = answer => Ok(answer),
        () = broken => {
            Err(Problem::new(StatusCode::BAD_REQUEST, "BODY_UNREADABLE", "the body broke off"))
        }
    }
}
