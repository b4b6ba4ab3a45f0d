//! Configuration: embedded defaults, then a file, then the environment. Unknown keys are errors.

pub mod duration;
mod sections;
mod tree;

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

pub use sections::{
    AdminConfig, AuthConfig, DatabaseConfig, GrpcConfig, IssuerSection, LogFormat, NatsConfig,
    ShutdownConfig, TelemetryConfig,
};

/// The settings that every service has, with their defaults: also their documentation.
pub const DEFAULTS: &str = include_str!("default.toml");

/// What is wrong with the configuration: every problem, not only the first.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the configuration is wrong: {}", .0.join("; "))]
pub struct ConfigError(pub Vec<String>);

impl ConfigError {
    /// One problem.
    pub fn new(problem: impl Into<String>) -> Self {
        Self(vec![problem.into()])
    }
}

/// A service's [`check`](crate::Definition::check) where it has no settings of its own: then none may be set.
///
/// # Errors
/// Names what is set.
pub fn no_section(config: &Config) -> Result<(), ConfigError> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Nothing {}
    config.section::<Nothing>().map(drop)
}

/// What a stop needs after the last call: consumers finish what they hold (10 s at most), the relay publishes what is
/// committed (5 s), and calls that were cut off are told.
const LAST_WORK: Duration = Duration::from_secs(16);

/// Where settings come from besides the chassis' own defaults.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// The service's name: also the name of its section and schema.
    pub service: &'static str,
    /// The service's `config.default.toml`.
    pub defaults: &'static str,
    /// A file to read.
    pub file: Option<PathBuf>,
    /// `CALLBOARD__…` variables; others are ignored.
    pub environment: Vec<(String, String)>,
    /// Set by the program itself, by path (`grpc.listen`); these win. For standalone and tests.
    pub overrides: Vec<(String, Value)>,
}

/// The settings of a service.
#[derive(Clone)]
pub struct Config {
    /// Postgres.
    pub database: DatabaseConfig,
    /// NATS.
    pub nats: NatsConfig,
    /// The server for calls.
    pub grpc: GrpcConfig,
    /// The server for operators.
    pub admin: AdminConfig,
    /// Whose tokens are accepted.
    pub auth: AuthConfig,
    /// Logs and traces.
    pub telemetry: TelemetryConfig,
    /// How it ends.
    pub shutdown: ShutdownConfig,
    service: &'static str,
    section: Value,
    effective: Value,
}

impl std::fmt::Debug for Config {
    /// As [`Self::render`]: without secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Config").field(&self.render()).finish()
    }
}

#[derive(Deserialize)]
struct Sections {
    database: DatabaseConfig,
    nats: NatsConfig,
    grpc: GrpcConfig,
    admin: AdminConfig,
    auth: AuthConfig,
    telemetry: TelemetryConfig,
    shutdown: ShutdownConfig,
}

impl Config {
    /// Reads and checks everything.
    ///
    /// # Errors
    /// Names each unknown key, each value of a wrong type, and each limit that is broken.
    pub fn load(sources: &Sources) -> Result<Self, ConfigError> {
        let mut effective = tree::parse(DEFAULTS, "the chassis' defaults")?;
        let own = tree::parse(sources.defaults, "the service's defaults")?;
        let mut problems = Vec::new();
        tree::merge_defaults(&mut effective, own, sources.service, &mut problems);
        if let Some(path) = &sources.file {
            let name = path.display().to_string();
            let text = std::fs::read_to_string(path)
                .map_err(|error| ConfigError::new(format!("{name} cannot be read: {error}")))?;
            let overlay = tree::parse(&text, &name)?;
            tree::merge(&mut effective, overlay, "", &mut problems);
        }
        tree::merge_environment(&mut effective, &sources.environment, &mut problems);
        for (path, value) in &sources.overrides {
            tree::set(&mut effective, path, value.clone(), &mut problems);
        }
        if !problems.is_empty() {
            return Err(ConfigError(problems));
        }
        Self::from_tree(sources.service, effective)
    }

    fn from_tree(service: &'static str, effective: Value) -> Result<Self, ConfigError> {
        let sections: Sections = tree::typed(&effective, "")?;
        let section =
            effective.get(service).cloned().unwrap_or_else(|| Value::Object(serde_json::Map::new()));
        let Sections { database, nats, grpc, admin, auth, telemetry, shutdown } = sections;
        let config =
            Self { database, nats, grpc, admin, auth, telemetry, shutdown, service, section, effective };
        let problems = config.broken_limits();
        if problems.is_empty() { Ok(config) } else { Err(ConfigError(problems)) }
    }

    fn broken_limits(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let mut check = |holds: bool, problem: &str| {
            if !holds {
                problems.push(problem.to_owned());
            }
        };
        check((1..=16).contains(&self.database.max_connections), "database.max_connections must be 1 to 16");
        check(matches!(self.nats.stream_replicas, 1 | 3 | 5), "nats.stream_replicas must be 1, 3 or 5");
        check(
            (1024..=64 * 1024 * 1024).contains(&self.grpc.max_message_bytes),
            "grpc.max_message_bytes must be 1 KiB to 64 MiB",
        );
        check(self.grpc.max_connections > 0, "grpc.max_connections must be at least 1");
        check(!self.grpc.first_request_timeout.is_zero(), "grpc.first_request_timeout must not be 0");
        check(!self.grpc.default_deadline.is_zero(), "grpc.default_deadline must not be 0");
        check(
            self.grpc.default_deadline <= self.grpc.max_deadline,
            "grpc.default_deadline must not exceed grpc.max_deadline",
        );
        check(
            self.grpc.max_connection_age_grace >= self.grpc.max_deadline,
            "grpc.max_connection_age_grace must not be shorter than grpc.max_deadline",
        );
        check(
            self.shutdown.propagation_delay + self.shutdown.drain_timeout + LAST_WORK
                <= self.shutdown.hard_limit,
            "shutdown.hard_limit must hold propagation_delay, drain_timeout and 16s for events",
        );
        if let Err(problem) = self.auth.verifier() {
            problems.push(problem);
        }
        problems
    }

    /// The name of the service.
    pub const fn service(&self) -> &'static str {
        self.service
    }

    /// The service's own section, typed.
    ///
    /// # Errors
    /// Names what does not fit.
    pub fn section<T: DeserializeOwned>(&self) -> Result<T, ConfigError> {
        tree::typed(&self.section, self.service)
    }

    /// Every setting as a line `path = value`, sorted, secrets masked: what `check-config` prints. Valid TOML.
    pub fn render(&self) -> String {
        tree::render(&self.effective)
    }
}
