//! A light HTTP/1.1 caller: one connection for each, so that the client costs little beside what it measures.

use bytes::Bytes;
use callboard_kernel::{IdGenerator, RandomIds};
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_util::task::TaskTracker;

use crate::Failure;

/// A connection of one person.
#[derive(Debug)]
pub struct Rest {
    sender: SendRequest<Full<Bytes>>,
    host: HeaderValue,
    authorization: HeaderValue,
}

impl Rest {
    /// Connects to `http://host:port`.
    ///
    /// # Errors
    /// It cannot be reached.
    pub async fn connect(url: &str, token: &str) -> Result<Self, Failure> {
        let address = url.trim_start_matches("http://");
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        TaskTracker::new().spawn(connection);
        Ok(Self {
            sender,
            host: HeaderValue::from_str(address)?,
            authorization: HeaderValue::from_str(&format!("Bearer {token}"))?,
        })
    }

    /// From now on as somebody else.
    ///
    /// # Errors
    /// A token that fits in no header.
    pub fn become_somebody(&mut self, token: &str) -> Result<(), Failure> {
        self.authorization = HeaderValue::from_str(&format!("Bearer {token}"))?;
        Ok(())
    }

    /// Sends; the answer's head and its body as it comes.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn open(
        &mut self,
        method: Method,
        path: &str,
        body: Option<Bytes>,
    ) -> Result<http::Response<Incoming>, Failure> {
        let mut request = Request::builder()
            .method(&method)
            .uri(path)
            .header(HOST, self.host.clone())
            .header(AUTHORIZATION, self.authorization.clone());
        if method != Method::GET {
            request = request.header("idempotency-key", RandomIds.next().to_string());
        }
        if body.is_some() {
            request = request.header(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        self.sender.ready().await?;
        Ok(self.sender.send_request(request.body(Full::new(body.unwrap_or_default()))?).await?)
    }

    /// A call under a key of its own; status and body.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn call(
        &mut self,
        method: Method,
        path: &str,
        body: Option<Bytes>,
    ) -> Result<(StatusCode, Bytes), Failure> {
        let answer = self.open(method, path, body).await?;
        let status = answer.status();
        Ok((status, answer.into_body().collect().await?.to_bytes()))
    }

    /// A call that has to succeed; its body.
    ///
    /// # Errors
    /// The problem document, if it does not.
    pub async fn ok(&mut self, method: Method, path: &str, body: Option<Bytes>) -> Result<Bytes, Failure> {
        let (status, bytes) = self.call(method.clone(), path, body).await?;
        if status.is_success() {
            Ok(bytes)
        } else {
            Err(format!("{method} {path}: {status}: {}", String::from_utf8_lossy(&bytes)).into())
        }
    }

    /// As [`Rest::ok`], as JSON.
    ///
    /// # Errors
    /// See there.
    pub async fn json(&mut self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, Failure> {
        let body = body.map(|body| Bytes::from(body.to_string()));
        let bytes = self.ok(method, path, body).await?;
        if bytes.is_empty() { Ok(Value::Null) } else { Ok(serde_json::from_slice(&bytes)?) }
    }
}

/// A text of an answer.
///
/// # Errors
/// There is none of this name.
pub fn text(value: &Value, name: &str) -> Result<String, Failure> {
    value[name].as_str().map(str::to_owned).ok_or_else(|| format!("no {name} in {value}").into())
}
