//! The service's own settings. `config.default.toml` says what each means.

use std::path::PathBuf;
use std::time::Duration;

use callboard_service::config::{Config, ConfigError, duration};
use lettre::message::Mailbox;
use secrecy::SecretString;
use serde::Deserialize;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// `[notifications]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NotificationsConfig {
    /// Links begin with it.
    pub public_url: String,
    /// `{public_url}` and `{ticket}` are filled in; empty: none.
    pub ticket_url: String,
    /// `{public_url}` and `{session}` are filled in; empty: none.
    pub video_session_url: String,
    /// `{public_url}` and `{task}` are filled in; empty: none.
    pub task_url: String,
    /// `{public_url}` and `{ticket}` are filled in; empty: none.
    pub support_ticket_url: String,
    /// N-6.
    #[serde(deserialize_with = "duration::deserialize")]
    pub access_link_lifetime: Duration,
    /// Base64; empty: made.
    pub link_key: SecretString,
    /// At least 30 days.
    #[serde(deserialize_with = "duration::deserialize")]
    pub log_kept: Duration,
    /// At least 1.
    pub max_streams_per_person: usize,
    /// N-2.
    #[serde(deserialize_with = "duration::deserialize")]
    pub window_patience: Duration,
    /// `[notifications.directory]`
    pub directory: DirectoryConfig,
    /// `[notifications.email]`
    pub email: EmailConfig,
    /// `[notifications.push]`
    pub push: PushConfig,
    /// `[notifications.webhooks]`
    pub webhooks: WebhooksConfig,
}

/// `[notifications.directory]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DirectoryConfig {
    /// Empty: none.
    pub url: String,
    /// `iss`
    pub issuer: String,
    /// `aud`
    pub audience: String,
    /// PEM; empty: made.
    pub key_file: PathBuf,
}

/// How a connection is made secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StartTls {
    /// STARTTLS or nothing.
    Required,
    /// In the clear.
    None,
}

/// `[notifications.email]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmailConfig {
    /// `smtp://` or `smtps://`; empty: there is no e-mail.
    pub url: String,
    /// Of `smtp://`.
    pub starttls: StartTls,
    /// PEM; empty: none.
    pub ca_file: PathBuf,
    /// Empty: without login.
    pub username: String,
    /// Of that user.
    pub password: SecretString,
    /// Who sends.
    pub from: String,
    /// For an e-mail.
    #[serde(deserialize_with = "duration::deserialize")]
    pub timeout: Duration,
    /// At once.
    pub concurrency: usize,
}

/// `[notifications.push]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PushConfig {
    /// PEM; empty: made.
    pub key_file: PathBuf,
    /// `mailto:` or `https:`.
    pub contact: String,
    /// TTL.
    #[serde(deserialize_with = "duration::deserialize")]
    pub keep_for: Duration,
    /// For an answer.
    #[serde(deserialize_with = "duration::deserialize")]
    pub timeout: Duration,
    /// At once.
    pub concurrency: usize,
    /// For tests.
    pub allow_private: bool,
}

/// `[notifications.webhooks]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhooksConfig {
    /// For an answer.
    #[serde(deserialize_with = "duration::deserialize")]
    pub timeout: Duration,
    /// At once.
    pub concurrency: usize,
    /// How long an endpoint may do nothing but fail.
    #[serde(deserialize_with = "duration::deserialize")]
    pub disable_after: Duration,
    /// How long secrets go on signing after a rotation.
    #[serde(deserialize_with = "duration::deserialize")]
    pub old_secret_kept: Duration,
    /// At least 30 days.
    #[serde(deserialize_with = "duration::deserialize")]
    pub kept: Duration,
    /// For development and tests.
    pub allow_private: bool,
    /// For development and tests.
    pub allow_http: bool,
}

/// An SMTP server's address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SmtpAddress {
    /// Name or number.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// TLS from the first byte.
    pub tls_first: bool,
}

impl EmailConfig {
    /// Where e-mails are handed over; `None`: nowhere.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn address(&self) -> Result<Option<SmtpAddress>, String> {
        if self.url.is_empty() {
            return Ok(None);
        }
        let wrong = || "notifications.email.url must be smtp://host:port or smtps://host:port".to_owned();
        let url: http::Uri = self.url.parse().map_err(|_| wrong())?;
        let tls_first = match url.scheme_str() {
            Some("smtp") => false,
            Some("smtps") => true,
            _ => return Err(wrong()),
        };
        let host = url.host().ok_or_else(wrong)?.to_owned();
        let port = url.port_u16().unwrap_or(if tls_first { 465 } else { 587 });
        Ok(Some(SmtpAddress { host, port, tls_first }))
    }
}

impl NotificationsConfig {
    /// Reads the settings and checks them.
    ///
    /// # Errors
    /// Names every setting that is wrong.
    pub fn read(config: &Config) -> Result<Self, ConfigError> {
        let settings: Self = config.section()?;
        let problems = settings.problems();
        if problems.is_empty() { Ok(settings) } else { Err(ConfigError(problems)) }
    }

    fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let mut check = |holds: bool, problem: &str| {
            if !holds {
                problems.push(problem.to_owned());
            }
        };
        let is_http = |url: &str| url.starts_with("http://") || url.starts_with("https://");
        check(is_http(&self.public_url), "notifications.public_url must begin with http:// or https://");
        check(!self.public_url.ends_with('/'), "notifications.public_url must not end with a slash");
        check(
            self.access_link_lifetime <= 30 * DAY && !self.access_link_lifetime.is_zero(),
            "notifications.access_link_lifetime must be at most 30d and not 0",
        );
        check(self.log_kept >= 30 * DAY, "notifications.log_kept must be at least 30d");
        check(self.max_streams_per_person > 0, "notifications.max_streams_per_person must be at least 1");
        check(
            (1..=256).contains(&self.email.concurrency),
            "notifications.email.concurrency must be 1 to 256",
        );
        let hooks = &self.webhooks;
        check(
            (1..=1024).contains(&hooks.concurrency),
            "notifications.webhooks.concurrency must be 1 to 1024",
        );
        // Deliveries are tried for three days.
        check(hooks.kept >= 30 * DAY, "notifications.webhooks.kept must be at least 30d");
        check(!hooks.disable_after.is_zero(), "notifications.webhooks.disable_after must not be 0");
        check(
            hooks.old_secret_kept <= 30 * DAY,
            "notifications.webhooks.old_secret_kept must be at most 30d",
        );
        check((1..=256).contains(&self.push.concurrency), "notifications.push.concurrency must be 1 to 256");
        let contact = &self.push.contact;
        check(
            contact.starts_with("mailto:") || contact.starts_with("https:"),
            "notifications.push.contact must begin with mailto: or https:",
        );
        check(
            self.email.from.parse::<Mailbox>().is_ok(),
            "notifications.email.from must be `Name <address>` or an address",
        );
        if let Err(problem) = self.email.address() {
            problems.push(problem);
        }
        // An attempt must end before its worker is taken for dead, or it would count as unknown.
        let most = Duration::from_secs(60);
        for (name, timeout) in
            [("email", self.email.timeout), ("push", self.push.timeout), ("webhooks", self.webhooks.timeout)]
        {
            if timeout > most || timeout.is_zero() {
                problems.push(format!("notifications.{name}.timeout must be at most 60s and not 0"));
            }
        }
        problems
    }
}
