//! The service's own settings. `config.default.toml` says what each means.

use std::time::Duration;

use callboard_attachments::AttachmentsConfig;
use callboard_service::config::{Config, ConfigError, duration};
use callboard_video_domain::session::Timing;
use chrono::TimeDelta;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

/// How often it is looked whether those who are in a call are there.
const WATCH: TimeDelta = TimeDelta::minutes(2);

/// `[video]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VideoConfig {
    /// Without a slash at its end.
    pub call_page: String,
    /// V-4.
    #[serde(deserialize_with = "duration::deserialize")]
    pub grace_time: Duration,
    /// Empty: generated, and kept in the schema.
    pub token_secret: SecretString,
    /// STUN and TURN.
    pub ice: IceConfig,
    /// Recordings and screenshots.
    pub attachments: AttachmentsConfig,
}

/// `[video.ice]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IceConfig {
    /// `stun:…`
    pub stun_urls: Vec<String>,
    /// `turn:…`, `turns:…`
    pub turn_urls: Vec<String>,
    /// Shared with the TURN servers.
    pub turn_secret: SecretString,
    /// Of a password.
    #[serde(deserialize_with = "duration::deserialize")]
    pub turn_lifetime: Duration,
}

impl VideoConfig {
    /// Reads the settings and checks them.
    ///
    /// # Errors
    /// Names every setting that is wrong.
    pub fn read(config: &Config) -> Result<Self, ConfigError> {
        let mut settings: Self = config.section()?;
        settings.attachments.check()?;
        settings.call_page.truncate(settings.call_page.trim_end_matches('/').len());
        let problems = settings.problems();
        if problems.is_empty() { Ok(settings) } else { Err(ConfigError(problems)) }
    }

    /// Every limit that is broken.
    fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let mut must = |holds: bool, rule: &str| {
            if !holds {
                problems.push(rule.to_owned());
            }
        };
        let is_web = ["http://", "https://"].iter().any(|scheme| self.call_page.starts_with(scheme));
        must(is_web, "video.call_page must be an http or https address");
        let grace = Duration::from_secs(5)..=Duration::from_secs(600);
        must(grace.contains(&self.grace_time), "video.grace_time must be 5s to 10m");
        let secret = self.token_secret.expose_secret().len();
        must(secret == 0 || secret >= 32, "video.token_secret must have at least 32 characters");
        let ice = &self.ice;
        must(
            ice.stun_urls.iter().all(|url| url.starts_with("stun:")),
            "video.ice.stun_urls begin with stun:",
        );
        let is_turn = |url: &String| url.starts_with("turn:") || url.starts_with("turns:");
        must(ice.turn_urls.iter().all(is_turn), "video.ice.turn_urls begin with turn: or turns:");
        must(ice.stun_urls.len() + ice.turn_urls.len() <= 10, "video.ice names at most 10 servers");
        let has_secret = !ice.turn_secret.expose_secret().is_empty();
        must(ice.turn_urls.is_empty() || has_secret, "video.ice.turn_secret is needed for turn_urls");
        let life = Duration::from_secs(60)..=Duration::from_secs(24 * 60 * 60);
        must(life.contains(&ice.turn_lifetime), "video.ice.turn_lifetime must be 1m to 24h");
        problems
    }

    /// How long things take, for the domain.
    pub fn timing(&self) -> Timing {
        Timing { grace: TimeDelta::from_std(self.grace_time).unwrap_or_default(), watch: WATCH }
    }
}
