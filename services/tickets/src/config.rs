//! The service's own settings. `config.default.toml` says what each means.

use std::time::Duration;

use callboard_service::config::duration;
use serde::Deserialize;

/// `[tickets]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TicketsConfig {
    /// Extension of T-8; zero: off.
    #[serde(deserialize_with = "duration::deserialize")]
    pub close_unrated_after: Duration,
}
