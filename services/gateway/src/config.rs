//! The gateway's own settings.

use std::time::Duration;

use callboard_service::config::duration;
use serde::Deserialize;

/// Section `gateway`; documented in `config.default.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Where the services are.
    pub upstreams: UpstreamSettings,
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
}

/// Addresses of the services.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpstreamSettings {
    /// Of the directory.
    pub directory: String,
    /// Of tickets.
    pub tickets: String,
    /// Of fleet.
    pub fleet: String,
    /// Of ratings.
    pub ratings: String,
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

impl Settings {
    /// Every limit that is broken.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let mut check = |holds: bool, problem: &str| {
            if !holds {
                problems.push(problem.to_owned());
            }
        };
        for (name, address) in self.upstreams.all() {
            check(
                address.parse::<http::Uri>().is_ok_and(|uri| uri.scheme().is_some() && uri.host().is_some()),
                &format!("gateway.upstreams.{name} must be an address such as http://localhost:50051"),
            );
        }
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
        for origin in &self.cors.origins {
            check(
                origin == "*" || http::HeaderValue::from_str(origin).is_ok_and(|_| origin.contains("://")),
                "gateway.cors.origins must be origins such as https://app.example.com",
            );
        }
        problems
    }
}

impl UpstreamSettings {
    /// By context.
    pub fn all(&self) -> [(&'static str, &str); 4] {
        [
            ("directory", &self.directory),
            ("tickets", &self.tickets),
            ("fleet", &self.fleet),
            ("ratings", &self.ratings),
        ]
    }
}
