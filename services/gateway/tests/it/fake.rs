//! A gRPC server that answers what it is told, and remembers what it was asked.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use futures::stream;
use http::{HeaderMap, HeaderValue};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use parking_lot::Mutex;
use prost::Message;
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;
use tonic::Status;

type Answer = Arc<dyn Fn(&[u8]) -> Result<Vec<Vec<u8>>, Status> + Send + Sync>;

/// One call that came.
#[derive(Debug, Clone)]
pub struct Asked {
    pub path: String,
    pub headers: HeaderMap,
    pub message: Bytes,
    /// What came after it, where the caller streams.
    more: Vec<Bytes>,
}

#[derive(Clone, Default)]
struct Shared {
    answers: Arc<Mutex<HashMap<String, (Answer, Duration)>>>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

/// A service behind the gateway.
pub struct Fake {
    pub address: String,
    shared: Shared,
    _server: TaskTracker,
}

impl Fake {
    pub async fn start() -> Self {
        Self::on_listener(TcpListener::bind("127.0.0.1:0").await.unwrap(), 0)
    }

    /// One that throws out who connects first: a service that is just restarting.
    pub fn on_listener(listener: TcpListener, thrown_out: usize) -> Self {
        let shared = Shared::default();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).with_state(shared.clone());
        let server = TaskTracker::new();
        server.spawn(async move {
            for _ in 0..thrown_out {
                drop(listener.accept().await);
            }
            axum::serve(listener, router).await
        });
        Self { address, shared, _server: server }
    }

    /// Answers a method, `callboard.tickets.v1.TicketService/GetTicket`.
    pub fn on<I, O>(&self, method: &str, answer: impl Fn(I) -> Result<O, Status> + Send + Sync + 'static)
    where
        I: Message + Default,
        O: Message,
    {
        self.on_stream(method, move |message: I| answer(message).map(|message| vec![message]));
    }

    /// Answers a method with several messages.
    pub fn on_stream<I, O>(
        &self,
        method: &str,
        answer: impl Fn(I) -> Result<Vec<O>, Status> + Send + Sync + 'static,
    ) where
        I: Message + Default,
        O: Message,
    {
        self.insert(method, Duration::ZERO, answer);
    }

    /// Answers a method, later than anybody waits.
    pub fn hang(&self, method: &str) {
        self.insert(method, Duration::from_secs(60), |_: ()| Ok(vec![()]));
    }

    fn insert<I, O>(
        &self,
        method: &str,
        after: Duration,
        answer: impl Fn(I) -> Result<Vec<O>, Status> + Send + Sync + 'static,
    ) where
        I: Message + Default,
        O: Message,
    {
        let answer: Answer = Arc::new(move |bytes| {
            let messages = answer(I::decode(bytes).expect("a message of that type"))?;
            Ok(messages.iter().map(Message::encode_to_vec).collect())
        });
        self.shared.answers.lock().insert(format!("/{method}"), (answer, after));
    }

    /// What callers of a method streamed, in the order of the calls.
    pub fn streamed<I: Message + Default>(&self, method: &str) -> Vec<Vec<I>> {
        let path = format!("/{method}");
        let asked = self.shared.asked.lock();
        let calls = asked.iter().filter(|call| call.path == path);
        let all = |call: &Asked| {
            let messages = std::iter::once(&call.message).chain(&call.more);
            messages.map(|message| I::decode(message.clone()).expect("a message of that type")).collect()
        };
        calls.map(all).collect()
    }

    /// The calls of a method, as they came.
    pub fn asked<I: Message + Default>(&self, method: &str) -> Vec<(I, HeaderMap)> {
        let path = format!("/{method}");
        let asked = self.shared.asked.lock();
        let calls = asked.iter().filter(|call| call.path == path);
        calls
            .map(|call| {
                (I::decode(call.message.clone()).expect("a message of that type"), call.headers.clone())
            })
            .collect()
    }
}

/// A body's messages: a byte "not compressed" and four of length before each.
fn messages(mut body: Bytes) -> Vec<Bytes> {
    let mut messages = Vec::new();
    while let Some(length) = body.get(1..5) {
        let length = u32::from_be_bytes(length.try_into().expect("four bytes")) as usize;
        let mut rest = body.split_off(5);
        body = rest.split_off(length);
        messages.push(rest);
    }
    messages
}

async fn answer(State(shared): State<Shared>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    let headers = request.headers().clone();
    let body = request.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let mut messages = messages(body).into_iter();
    let message = messages.next().unwrap_or_default();
    let asked = Asked { path: path.clone(), headers, message: message.clone(), more: messages.collect() };
    shared.asked.lock().push(asked);
    let found = shared.answers.lock().get(&path).cloned();
    let outcome = match found {
        None => Err(Status::unimplemented(format!("the test does not answer {path}"))),
        Some((answer, after)) => {
            // Slow on purpose: what is tested is the budget of who waits.
            tokio::time::sleep(after).await;
            answer(&message)
        }
    };
    let mut frames = Vec::new();
    let mut trailers = HeaderMap::new();
    match outcome {
        Ok(messages) => {
            for message in messages {
                let mut frame = vec![0];
                frame.extend_from_slice(&u32::try_from(message.len()).unwrap().to_be_bytes());
                frame.extend(message);
                frames.push(Ok::<_, std::io::Error>(Frame::data(Bytes::from(frame))));
            }
            trailers.insert("grpc-status", HeaderValue::from_static("0"));
            trailers.insert("x-from-behind", HeaderValue::from_static("yes"));
        }
        // Without a message there are only headers, as real servers send it.
        Err(status) => return status.into_http::<tonic::body::Body>().map(Body::new),
    }
    frames.push(Ok(Frame::trailers(trailers)));
    let mut response = Response::new(Body::new(StreamBody::new(stream::iter(frames))));
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
    response
}
