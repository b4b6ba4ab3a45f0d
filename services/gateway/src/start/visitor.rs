//! Who is in by a scanned code: a session of the directory, kept by the browser in a cookie that no script reads.
//!
//! The cookie holds the session's own tokens; the gateway keeps nothing. It is sent along by links from other pages and
//! never by their forms (`SameSite=Lax`), and only the pages look at it: the API takes tokens in headers alone.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use callboard_proto::directory::v1 as proto;
use http::header::COOKIE;
use http::{HeaderMap, HeaderValue};
use moka::future::Cache;
use serde::{Deserialize, Serialize};

use crate::call::Guest;
use crate::problem::Problem;
use crate::routes::ask;
use crate::state::Gateway;

const COOKIE_NAME: &str = "callboard_visitor";
/// An access token is renewed when it has less than this left, in seconds.
const RENEW_BEFORE: i64 = 15;

/// A session as the browser keeps it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Visitor {
    /// The code that was scanned.
    pub code: String,
    /// The device it is on.
    pub device: String,
    /// Its template.
    pub template: String,
    access: String,
    access_until: i64,
    refresh: String,
    until: i64,
    /// Whether the browser must be told.
    #[serde(skip)]
    pub changed: bool,
}

/// Renewals of the last minute. A refresh token is good for one use, and using it twice ends the session: a person who
/// presses a button twice must not be thrown out.
#[derive(Debug, Clone)]
pub struct Visitors(Cache<String, Visitor>);

impl Default for Visitors {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(10_000).time_to_live(Duration::from_secs(60)).build())
    }
}

impl Visitor {
    /// Lets somebody in by a code (D-3).
    pub async fn enter(guest: &Guest, code: &str, pin: &str) -> Result<Self, Problem> {
        let scan = proto::ScanCodeRequest {
            code: code.to_owned(),
            pin: pin.to_owned(),
            language: guest.language.as_str().to_owned(),
        };
        let answer = ask!(guest, sessions.scan_code(scan));
        let visitor = Self {
            code: code.to_owned(),
            device: answer.device_id,
            template: answer.template_id,
            access: String::new(),
            access_until: 0,
            refresh: String::new(),
            until: 0,
            changed: true,
        };
        Ok(visitor.with_tokens(answer.tokens.unwrap_or_default()))
    }

    fn with_tokens(mut self, tokens: proto::Tokens) -> Self {
        let seconds = |time: Option<prost_types::Timestamp>| time.map_or(0, |time| time.seconds);
        self.access = tokens.access_token;
        self.access_until = seconds(tokens.access_expire_time);
        self.refresh = tokens.refresh_token;
        self.until = seconds(tokens.refresh_expire_time);
        self.changed = true;
        self
    }

    /// Who the browser says it is, with a token that is good for this request. Nobody when the session is over.
    pub async fn of(guest: &Guest, headers: &HeaderMap) -> Option<Self> {
        Self::read(headers)?.renewed(guest).await
    }

    /// The same person, with a token that is good for a while.
    pub async fn renewed(self, guest: &Guest) -> Option<Self> {
        let now = guest.gateway.clock.now().timestamp();
        if self.access_until > now + RENEW_BEFORE {
            return Some(self);
        }
        let key = self.refresh.clone();
        let renewing = async {
            let message = proto::RefreshSessionRequest { refresh_token: self.refresh.clone() };
            let answer = ask!(guest, sessions.refresh_session(message));
            Ok::<_, Problem>(self.with_tokens(answer.tokens.unwrap_or_default()))
        };
        let renewed: Result<Self, Arc<Problem>> = guest.gateway.visitors.0.try_get_with(key, renewing).await;
        renewed.ok()
    }

    fn read(headers: &HeaderMap) -> Option<Self> {
        let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
        let value = cookies
            .flat_map(|line| line.split(';'))
            .find_map(|cookie| cookie.trim().strip_prefix(COOKIE_NAME)?.strip_prefix('='))?;
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(value).ok()?).ok()
    }

    /// What the browser is to keep, for as long as the session lasts.
    pub fn cookie(&self, gateway: &Gateway) -> Option<HeaderValue> {
        let value = URL_SAFE_NO_PAD.encode(serde_json::to_vec(self).ok()?);
        let left = (self.until - gateway.clock.now().timestamp()).max(0);
        let secure = if gateway.settings.public_url.starts_with("https:") { "; Secure" } else { "" };
        let cookie = format!("{COOKIE_NAME}={value}; Path=/; Max-Age={left}; HttpOnly; SameSite=Lax{secure}");
        let mut cookie = HeaderValue::from_str(&cookie).ok()?;
        cookie.set_sensitive(true);
        Some(cookie)
    }

    /// The request as this person's.
    pub fn asks(&self, guest: &Guest) -> Guest {
        guest.with_token(&self.access)
    }
}
