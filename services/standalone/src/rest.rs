//! A caller of the gateway's REST.

use std::fmt;
use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

/// How long something that another context still has to hear of may be missing.
const PATIENCE: Duration = Duration::from_secs(20);
/// Between two looks.
const LOOK_AGAIN: Duration = Duration::from_millis(25);

/// A call did not do what it should.
#[derive(Debug, thiserror::Error)]
pub enum RestError {
    /// No answer.
    #[error("{call}: {source}")]
    Unreachable {
        /// Method and path.
        call: String,
        /// What the client says.
        source: reqwest::Error,
    },
    /// An answer that says no.
    #[error("{call}: {status}: {problem}")]
    Refused {
        /// Method and path.
        call: String,
        /// The HTTP status.
        status: StatusCode,
        /// The problem document.
        problem: Value,
    },
}

impl RestError {
    fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused { status, .. } if *status == StatusCode::NOT_FOUND)
    }
}

/// A caller with a token, or without.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    token: Option<String>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("base", &self.base).finish_non_exhaustive()
    }
}

impl Client {
    /// A caller without a token.
    pub fn new(base: impl Into<String>) -> Self {
        Self { http: reqwest::Client::new(), base: base.into(), token: None }
    }

    /// The same with a token.
    #[must_use]
    pub fn with_token(&self, token: impl Into<String>) -> Self {
        Self { token: Some(token.into()), ..self.clone() }
    }

    /// With a development token of an employee or customer user.
    ///
    /// # Errors
    /// Nobody has this e-mail address, or development tokens are switched off.
    pub async fn as_person(&self, email: &str) -> Result<Self, RestError> {
        let answer =
            self.send(Method::POST, "/v1/sessions:developmentToken", Some(json!({"email": email})), None);
        Ok(self.with_token(token_of(&answer.await?)))
    }

    /// With the token of a code user.
    ///
    /// # Errors
    /// The code lets nobody in, or the PIN is wrong.
    pub async fn as_visitor(&self, code: &str, pin: Option<&str>) -> Result<Self, RestError> {
        let body = json!({"code": code, "pin": pin.unwrap_or_default(), "language": "en"});
        Ok(self.with_token(token_of(&self.send(Method::POST, "/v1/codes:scan", Some(body), None).await?)))
    }

    /// The token it calls with.
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// An open request, for streams.
    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// A call; the body of its success. A `key` makes repeating it harmless.
    ///
    /// # Errors
    /// See [`RestError`].
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
        key: Option<Uuid>,
    ) -> Result<Value, RestError> {
        let call = format!("{method} {path}");
        let mut request = self.request(method, path);
        if let Some(key) = key {
            request = request.header("idempotency-key", key.to_string());
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        answered(call, request).await
    }

    /// Uploads a file; what is known of it. The path names it: `…/attachments?name=…`.
    ///
    /// # Errors
    /// See [`RestError`].
    pub async fn upload(&self, path: &str, bytes: Vec<u8>, key: Uuid) -> Result<Value, RestError> {
        let request = self.request(Method::POST, path).header("idempotency-key", key.to_string());
        let request = request.header("content-type", "application/octet-stream").body(bytes);
        answered(format!("POST {path}"), request).await
    }

    /// A call about something that another context may not have heard of yet: repeated while it is not found.
    ///
    /// # Errors
    /// See [`RestError`]; not found for too long.
    pub async fn send_when_known(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
        key: Option<Uuid>,
    ) -> Result<Value, RestError> {
        let began = Instant::now();
        loop {
            match self.send(method.clone(), path, body.clone(), key).await {
                Err(error) if error.is_not_found() && began.elapsed() < PATIENCE => {
                    tokio::time::sleep(LOOK_AGAIN).await;
                }
                outcome => return outcome,
            }
        }
    }

    /// GET until what comes back is as wanted.
    ///
    /// # Errors
    /// See [`RestError`]; the last answer when it is never as wanted.
    pub async fn get_until(&self, path: &str, wanted: impl Fn(&Value) -> bool) -> Result<Value, RestError> {
        let began = Instant::now();
        loop {
            let body = self.send_when_known(Method::GET, path, None, None).await?;
            if wanted(&body) {
                return Ok(body);
            }
            if began.elapsed() > PATIENCE {
                let call = format!("GET {path}: not as wanted for {} s", PATIENCE.as_secs());
                return Err(RestError::Refused { call, status: StatusCode::OK, problem: body });
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
}

fn token_of(answer: &Value) -> String {
    answer["tokens"]["accessToken"].as_str().unwrap_or_default().to_owned()
}

/// The body of a success.
async fn answered(call: String, request: reqwest::RequestBuilder) -> Result<Value, RestError> {
    let unreachable = |source| RestError::Unreachable { call: call.clone(), source };
    let answer = request.send().await.map_err(unreachable)?;
    let status = answer.status();
    let bytes = answer.bytes().await.map_err(unreachable)?;
    let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    if status.is_success() { Ok(body) } else { Err(RestError::Refused { call, status, problem: body }) }
}
