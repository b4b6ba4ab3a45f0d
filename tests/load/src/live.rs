//! A light reader of `/v1/live`.

use bytes::{Bytes, BytesMut};
use http::Method;
use http_body_util::BodyExt;
use hyper::body::Incoming;

use crate::Failure;
use crate::rest::Rest;

/// An open stream.
#[derive(Debug)]
pub struct Stream {
    body: Incoming,
    read: BytesMut,
    /// Dropped, the connection would end.
    _rest: Rest,
}

impl Stream {
    /// Opens it and waits for its beginning.
    ///
    /// # Errors
    /// It is refused.
    pub async fn open(url: &str, token: &str) -> Result<Self, Failure> {
        let mut stream = Self::open_at(url, token, "/v1/live").await?;
        let first = stream.next().await?;
        if find(&first, b"event: ready").is_none() {
            return Err(format!("/v1/live began with {}", String::from_utf8_lossy(&first)).into());
        }
        Ok(stream)
    }

    /// Opens another stream.
    ///
    /// # Errors
    /// It is refused.
    pub async fn open_at(url: &str, token: &str, path: &str) -> Result<Self, Failure> {
        let mut rest = Rest::connect(url, token).await?;
        let answer = rest.open(Method::GET, path, None).await?;
        if !answer.status().is_success() {
            return Err(format!("{path}: {}", answer.status()).into());
        }
        Ok(Self { body: answer.into_body(), read: BytesMut::new(), _rest: rest })
    }

    /// The next frame, heartbeats included.
    ///
    /// # Errors
    /// The end of the stream.
    pub async fn next(&mut self) -> Result<Bytes, Failure> {
        loop {
            if let Some(end) = find(&self.read, b"\n\n") {
                return Ok(self.read.split_to(end + 2).freeze());
            }
            let frame = self.body.frame().await.ok_or("the live stream ended")??;
            if let Ok(data) = frame.into_data() {
                self.read.extend_from_slice(&data);
            }
        }
    }
}

/// Where a part of a text is.
pub fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

/// The text of a JSON field that is written without blanks: `"name":"…"`.
pub fn field<'a>(frame: &'a [u8], name: &str) -> Option<&'a str> {
    let start = find(frame, format!("\"{name}\":\"").as_bytes())? + name.len() + 4;
    let end = frame[start..].iter().position(|&byte| byte == b'"')?;
    std::str::from_utf8(&frame[start..start + end]).ok()
}
