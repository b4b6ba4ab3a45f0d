//! The service's own settings. `config.default.toml` says what each means.

use std::time::Duration;

use callboard_attachments::AttachmentsConfig;
use callboard_service::config::{Config, ConfigError, duration};
use callboard_video_domain::session::{Provider, Timing};
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
    /// Of calls that begin (V-10).
    pub provider: Provider,
    /// STUN and TURN.
    pub ice: IceConfig,
    /// A LiveKit server.
    pub livekit: LiveKitConfig,
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

/// `[video.livekit]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LiveKitConfig {
    /// Where clients connect. Empty: there is none.
    pub url: String,
    /// Where it is asked. Empty: at `url`.
    pub api_url: String,
    /// Names the secret.
    pub api_key: String,
    /// Shared with the server.
    pub api_secret: SecretString,
    /// Of what lets somebody in.
    #[serde(deserialize_with = "duration::deserialize")]
    pub token_lifetime: Duration,
    /// How often a room is asked about.
    #[serde(deserialize_with = "duration::deserialize")]
    pub interval: Duration,
    /// How long an answer may take.
    #[serde(deserialize_with = "duration::deserialize")]
    pub timeout: Duration,
}

impl LiveKitConfig {
    /// Whether there is a server.
    pub const fn is_set(&self) -> bool {
        !self.url.is_empty()
    }

    /// Where the server is asked, without a slash at its end: clients connect by `ws`, questions go by `http`.
    pub fn asked_at(&self) -> String {
        let address = if self.api_url.is_empty() { &self.url } else { &self.api_url };
        let address = address.trim_end_matches('/');
        match address.strip_prefix("ws") {
            Some(rest) => format!("http{rest}"),
            None => address.to_owned(),
        }
    }

    /// Every limit that is broken.
    fn problems(&self, is_needed: bool) -> Vec<String> {
        let mut problems = Vec::new();
        let mut must = |holds: bool, rule: &str| {
            if !holds {
                problems.push(format!("video.livekit.{rule}"));
            }
        };
        let begins =
            |address: &str, schemes: [&str; 2]| schemes.iter().any(|scheme| address.starts_with(scheme));
        must(!is_needed || self.is_set(), "url is needed where video.provider is LIVEKIT");
        let secret = self.api_secret.expose_secret();
        if self.is_set() {
            must(begins(&self.url, ["ws://", "wss://"]), "url must be a ws or wss address");
            must(!self.api_key.is_empty(), "api_key is needed with url");
            must(!secret.is_empty(), "api_secret is needed with url");
        } else {
            let rest = [&self.api_url, &self.api_key, secret];
            must(
                rest.iter().all(|setting| setting.is_empty()),
                "url is needed with api_url, api_key, api_secret",
            );
        }
        let asked = self.api_url.is_empty() || begins(&self.api_url, ["http://", "https://"]);
        must(asked, "api_url must be an http or https address");
        // What the server itself asks for.
        must(secret.is_empty() || secret.len() >= 32, "api_secret must have at least 32 characters");
        let (second, minute) = (Duration::from_secs(1), Duration::from_secs(60));
        must((minute..=60 * minute).contains(&self.token_lifetime), "token_lifetime must be 1m to 1h");
        must((second / 10..=5 * minute).contains(&self.interval), "interval must be 100ms to 5m");
        // A timer that looks at a call has a quarter of a minute for all.
        must((second / 10..=10 * second).contains(&self.timeout), "timeout must be 100ms to 10s");
        problems
    }
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
        problems.extend(self.livekit.problems(self.provider == Provider::Livekit));
        problems
    }

    /// How long things take, for the domain.
    pub fn timing(&self) -> Timing {
        Timing { grace: TimeDelta::from_std(self.grace_time).unwrap_or_default(), watch: WATCH }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn livekit(set: impl FnOnce(&mut LiveKitConfig)) -> LiveKitConfig {
        let mut config = LiveKitConfig {
            url: "wss://livekit.example.com/".into(),
            api_url: String::new(),
            api_key: "north".into(),
            api_secret: "x".repeat(32).into(),
            token_lifetime: Duration::from_secs(300),
            interval: Duration::from_secs(10),
            timeout: Duration::from_secs(5),
        };
        set(&mut config);
        config
    }

    #[test]
    fn what_is_wrong_or_missing_of_livekit_is_named() {
        assert_eq!(livekit(|_| {}).problems(true), [""; 0]);
        type Set = fn(&mut LiveKitConfig);
        let wrong: [(Set, &str); 9] = [
            (|it| it.url = String::new(), "video.livekit.url is needed"),
            (|it| it.url = "livekit.example.com".into(), "video.livekit.url must be"),
            (|it| it.api_url = "livekit.example.com".into(), "video.livekit.api_url must be"),
            (|it| it.api_key = String::new(), "video.livekit.api_key is needed"),
            (|it| it.api_secret = String::new().into(), "video.livekit.api_secret is needed"),
            (|it| it.api_secret = "short".to_owned().into(), "video.livekit.api_secret must have"),
            (|it| it.token_lifetime = Duration::from_secs(59), "video.livekit.token_lifetime"),
            (|it| it.interval = Duration::ZERO, "video.livekit.interval"),
            (|it| it.timeout = Duration::from_secs(11), "video.livekit.timeout"),
        ];
        for (set, rule) in wrong {
            let problems = livekit(set).problems(true);
            assert!(problems.iter().any(|problem| problem.starts_with(rule)), "{rule}: {problems:?}");
            assert!(!problems.concat().contains("short"), "no secret is told");
        }
        // Nobody needs a server who does not ask for one.
        let none = |it: &mut LiveKitConfig| {
            it.url = String::new();
            it.api_key = String::new();
            it.api_secret = String::new().into();
        };
        assert_eq!(livekit(none).problems(false), [""; 0]);
        assert_eq!(
            livekit(none).problems(true),
            ["video.livekit.url is needed where video.provider is LIVEKIT"]
        );
    }

    #[test]
    fn a_server_is_asked_where_clients_connect_unless_told_otherwise() {
        assert_eq!(livekit(|_| {}).asked_at(), "https://livekit.example.com");
        assert_eq!(livekit(|it| it.url = "ws://h:7880".into()).asked_at(), "http://h:7880");
        assert_eq!(livekit(|it| it.api_url = "http://inside:7880/".into()).asked_at(), "http://inside:7880");
    }
}
