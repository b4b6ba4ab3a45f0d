//! The settings that every service has, typed. `default.toml` says what each means.

use std::net::SocketAddr;
use std::time::Duration;

use callboard_auth::{ClaimNames, IssuerConfig, KeySource, TokenKind, VerifierConfig};
use chrono::TimeDelta;
use secrecy::SecretString;
use serde::Deserialize;
use uuid::Uuid;

use super::duration;

/// `[database]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "default.toml documents each")]
pub struct DatabaseConfig {
    pub url: SecretString,
    pub max_connections: u32,
    #[serde(deserialize_with = "duration::deserialize")]
    pub acquire_timeout: Duration,
    pub migrate_on_start: bool,
}

/// `[nats]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "default.toml documents each")]
pub struct NatsConfig {
    pub url: SecretString,
    pub credentials_file: String,
    pub ca_file: String,
    pub require_tls: bool,
    pub stream_replicas: usize,
    #[serde(deserialize_with = "duration::deserialize")]
    pub stream_max_age: Duration,
}

/// `[grpc]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "default.toml documents each")]
pub struct GrpcConfig {
    pub listen: SocketAddr,
    pub max_message_bytes: usize,
    pub max_concurrent_streams: u32,
    pub max_concurrent_calls: usize,
    pub max_connections: usize,
    #[serde(deserialize_with = "duration::deserialize")]
    pub first_request_timeout: Duration,
    #[serde(deserialize_with = "duration::deserialize")]
    pub keepalive_interval: Duration,
    #[serde(deserialize_with = "duration::deserialize")]
    pub keepalive_timeout: Duration,
    #[serde(deserialize_with = "duration::deserialize")]
    pub max_connection_age: Duration,
    #[serde(deserialize_with = "duration::deserialize")]
    pub max_connection_age_grace: Duration,
    pub reflection: bool,
    #[serde(deserialize_with = "duration::deserialize")]
    pub default_deadline: Duration,
    #[serde(deserialize_with = "duration::deserialize")]
    pub max_deadline: Duration,
}

/// `[admin]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "default.toml documents each")]
pub struct AdminConfig {
    pub listen: SocketAddr,
    #[serde(deserialize_with = "duration::deserialize")]
    pub readiness_grace: Duration,
}

/// `[auth]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "default.toml documents each")]
pub struct AuthConfig {
    pub issuers: Vec<IssuerSection>,
    #[serde(deserialize_with = "duration::deserialize")]
    pub clock_skew: Duration,
    #[serde(deserialize_with = "duration::deserialize")]
    pub max_token_lifetime: Duration,
    #[serde(deserialize_with = "duration::deserialize")]
    pub unknown_key_interval: Duration,
    #[serde(deserialize_with = "duration::deserialize")]
    pub key_refresh_interval: Duration,
    #[serde(deserialize_with = "duration::deserialize")]
    pub keys_serve_stale: Duration,
}

/// One of `auth.issuers`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "default.toml documents each")]
pub struct IssuerSection {
    pub issuer: String,
    pub audience: String,
    #[serde(default)]
    pub jwks_url: Option<String>,
    #[serde(default)]
    pub jwks: Option<String>,
    #[serde(default)]
    pub claims: ClaimNames,
    #[serde(default = "people")]
    pub kinds: Vec<TokenKind>,
    #[serde(default)]
    pub organisations: Vec<Uuid>,
    #[serde(default)]
    pub require_at_jwt: bool,
}

fn people() -> Vec<TokenKind> {
    vec![TokenKind::Employee, TokenKind::CodeUser, TokenKind::CustomerUser]
}

impl AuthConfig {
    /// What a verifier goes by.
    ///
    /// # Errors
    /// Names the issuer that has no key set, or two, or that is there twice.
    pub fn verifier(&self) -> Result<VerifierConfig, String> {
        let delta =
            |duration: Duration| TimeDelta::from_std(duration).map_err(|_| "auth: a duration is too long");
        let issuers: Vec<IssuerConfig> =
            self.issuers.iter().map(IssuerSection::config).collect::<Result<_, _>>()?;
        for (at, issuer) in issuers.iter().enumerate() {
            // The one would take the other's place, with its rights.
            if issuers[..at].iter().any(|before| before.issuer == issuer.issuer) {
                return Err(format!("auth.issuers: {} is named twice", issuer.issuer));
            }
        }
        Ok(VerifierConfig {
            issuers,
            clock_skew: delta(self.clock_skew)?,
            max_token_lifetime: delta(self.max_token_lifetime)?,
            unknown_key_interval: delta(self.unknown_key_interval)?,
            key_refresh_interval: delta(self.key_refresh_interval)?,
            keys_serve_stale: delta(self.keys_serve_stale)?,
            ..VerifierConfig::default()
        })
    }
}

impl IssuerSection {
    fn config(&self) -> Result<IssuerConfig, String> {
        if self.issuer.is_empty() || self.audience.is_empty() {
            return Err("auth.issuers: issuer and audience must not be empty".to_owned());
        }
        let keys = match (&self.jwks_url, &self.jwks) {
            (Some(url), None) => KeySource::Url(url.clone()),
            (None, Some(document)) => KeySource::Document(document.clone()),
            _ => return Err(format!("auth.issuers: {} needs jwks_url or jwks, and one only", self.issuer)),
        };
        Ok(IssuerConfig {
            issuer: self.issuer.clone(),
            audience: self.audience.clone(),
            keys,
            claims: self.claims.clone(),
            kinds: self.kinds.clone(),
            organisations: self.organisations.clone(),
            require_at_jwt: self.require_at_jwt,
        })
    }
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

/// `[telemetry]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "default.toml documents each")]
pub struct TelemetryConfig {
    pub log_format: LogFormat,
    pub log_level: String,
    pub otlp_endpoint: String,
}

/// `[shutdown]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "default.toml documents each")]
pub struct ShutdownConfig {
    #[serde(deserialize_with = "duration::deserialize")]
    pub propagation_delay: Duration,
    #[serde(deserialize_with = "duration::deserialize")]
    pub drain_timeout: Duration,
    #[serde(deserialize_with = "duration::deserialize")]
    pub hard_limit: Duration,
}
