//! The gateway's own settings.

use std::collections::BTreeMap;
use std::time::Duration;

use callboard_service::config::{Config, ConfigError, duration};
use serde::Deserialize;

use crate::upstream::CONTEXTS;

/// Section `gateway`; documented in `config.default.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Where people reach the gateway: what links and QR images begin with. Without a slash at its end.
    pub public_url: String,
    /// Where the services are, by context.
    pub upstreams: BTreeMap<String, String>,
    /// How long a service may take.
    #[serde(deserialize_with = "duration::deserialize")]
    pub call_timeout: Duration,
    /// How long a view waits for its parts.
    #[serde(deserialize_with = "duration::deserialize")]
    pub view_budget: Duration,
    /// Largest JSON body.
    pub max_body_bytes: usize,
    /// Largest body of one gRPC call through the gateway.
    pub max_grpc_body_bytes: usize,
    /// How much anybody may ask.
    pub rate: RateSettings,
    /// Who may call from a browser page of another origin.
    pub cors: CorsSettings,
    /// Live streams.
    pub live: LiveSettings,
    /// What the browsers of a call tell each other.
    pub calls: CallSettings,
}

/// Limits of requests.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateSettings {
    /// Requests a minute, each logged-in caller; 0: unlimited.
    pub per_principal: u32,
    /// Requests a minute, each address without a token; 0: unlimited.
    pub per_address: u32,
    /// How many proxies in front of the gateway add to `X-Forwarded-For`; 0: the header is not believed.
    pub trusted_proxies: usize,
}

/// Cross-origin requests.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CorsSettings {
    /// Origins such as `https://app.example.com`; `*` alone: any. None: no page of another origin.
    pub origins: Vec<String>,
}

/// Live streams.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LiveSettings {
    /// A comment is sent after this long without an event.
    #[serde(deserialize_with = "duration::deserialize")]
    pub heartbeat: Duration,
    /// How many events a reader may be behind before it is cut off.
    pub buffer: usize,
    /// How many tickets' facts are remembered.
    pub remembered_tickets: u64,
    /// Streams at once, each caller.
    pub max_streams_per_principal: usize,
}

/// What the browsers of a call tell each other.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallSettings {
    /// WebSockets at once.
    pub max_sockets: usize,
    /// How long the first message may take.
    #[serde(deserialize_with = "duration::deserialize")]
    pub hello_timeout: Duration,
    /// How often a browser is asked whether it is there; one that is not heard for twice as long is gone.
    #[serde(deserialize_with = "duration::deserialize")]
    pub ping_interval: Duration,
}

impl Settings {
    /// Out of a service's settings, checked.
    ///
    /// # Errors
    /// Names every key that is wrong, and the rule.
    pub fn read(config: &Config) -> Result<Self, ConfigError> {
        let own: Self = config.section()?;
        let problems = own.problems();
        if problems.is_empty() { Ok(own) } else { Err(ConfigError(problems)) }
    }

    /// Every limit that is broken.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let mut check = |holds: bool, problem: &str| {
            if !holds {
                problems.push(problem.to_owned());
            }
        };
        for name in CONTEXTS {
            check(
                self.upstreams.get(*name).is_some_and(|address| is_address(address)),
                &format!("gateway.upstreams.{name} must be an address such as http://localhost:50051"),
            );
        }
        for name in self.upstreams.keys() {
            check(
                CONTEXTS.contains(&name.as_str()),
                &format!("gateway.upstreams.{name}: there is no such context"),
            );
        }
        check(
            is_address(&self.public_url)
                && !self.public_url.ends_with('/')
                && !self.public_url.contains(['?', '#']),
            "gateway.public_url must be an address such as https://help.example.com, without a slash at its end",
        );
        check(self.view_budget >= Duration::from_millis(10), "gateway.view_budget must be at least 10ms");
        check(self.call_timeout >= Duration::from_millis(10), "gateway.call_timeout must be at least 10ms");
        check(self.max_body_bytes >= 1024, "gateway.max_body_bytes must be at least 1024");
        check(
            self.live.heartbeat >= Duration::from_millis(10),
            "gateway.live.heartbeat must be at least 10ms",
        );
        check((1..=1_000_000).contains(&self.live.buffer), "gateway.live.buffer must be 1 to 1000000");
        check(
            self.live.max_streams_per_principal > 0,
            "gateway.live.max_streams_per_principal must be at least 1",
        );
        check(
            (1..=1_000_000).contains(&self.calls.max_sockets),
            "gateway.calls.max_sockets must be 1 to 1000000",
        );
        let moment = Duration::from_millis(10);
        check(self.calls.hello_timeout >= moment, "gateway.calls.hello_timeout must be at least 10ms");
        check(self.calls.ping_interval >= moment, "gateway.calls.ping_interval must be at least 10ms");
        for origin in &self.cors.origins {
            check(
                origin == "*" || http::HeaderValue::from_str(origin).is_ok_and(|_| origin.contains("://")),
                "gateway.cors.origins must be origins such as https://app.example.com",
            );
        }
        problems
    }
}

fn is_address(text: &str) -> bool {
    text.parse::<http::Uri>().is_ok_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some_and(|host| !host.is_empty())
    })
}
