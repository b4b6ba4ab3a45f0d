//! Bodies that know when they end.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::{Body, Bytes};
use http::HeaderMap;
use http_body::Frame;
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::Status;

/// A body that ends once a token is cancelled and nothing of it is there to be taken. For streams of health and
/// reflection, which clients hold open for as long as they are let: one watcher would make every stop as long as
/// `shutdown.drain_timeout`.
pub(super) struct EndsWith {
    body: Body,
    end: Pin<Box<WaitForCancellationFutureOwned>>,
    /// What it ends with.
    last: Option<HeaderMap>,
    over: bool,
}

impl EndsWith {
    /// An answer. Ends with UNAVAILABLE: whoever watches has been told "not serving" by then, and looks elsewhere.
    pub(super) fn answer(body: Body, end: CancellationToken) -> Self {
        let mut trailers = HeaderMap::new();
        let told = Status::unavailable("this replica is stopping").add_header(&mut trailers);
        Self { last: told.is_ok().then_some(trailers), ..Self::question(body, end) }
    }

    /// What a client goes on sending. It ends as if the client had nothing more to ask.
    pub(super) fn question(body: Body, end: CancellationToken) -> Self {
        Self { body, end: Box::pin(end.cancelled_owned()), last: None, over: false }
    }
}

impl http_body::Body for EndsWith {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.over {
            return Poll::Ready(None);
        }
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            return Poll::Ready(frame);
        }
        ready!(self.end.as_mut().poll(context));
        self.over = true;
        // What is not read to its end has to be let go of for the transport to see the end of it.
        self.body = Body::empty();
        Poll::Ready(self.last.take().map(|trailers| Ok(Frame::trailers(trailers))))
    }

    fn is_end_stream(&self) -> bool {
        self.over || self.body.is_end_stream()
    }
}

/// The answer to a call that was admitted: it counts among the calls at once until its last byte is sent, or nobody
/// waits for it any more.
pub(super) struct Admitted {
    body: Body,
    permit: Option<OwnedSemaphorePermit>,
}

impl Admitted {
    pub(super) fn new(body: Body, permit: OwnedSemaphorePermit) -> Self {
        let permit = Some(permit).filter(|_| !http_body::Body::is_end_stream(&body));
        Self { body, permit }
    }
}

impl http_body::Body for Admitted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if matches!(polled, Poll::Ready(None | Some(Err(_)))) {
            self.permit = None;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.size_hint()
    }
}
