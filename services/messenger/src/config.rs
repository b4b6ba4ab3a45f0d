//! The service's own settings. `config.default.toml` says what each means.

use std::time::Duration;

use callboard_attachments::AttachmentsConfig;
use callboard_service::config::{Config, ConfigError, duration};
use chrono::TimeDelta;
use serde::Deserialize;

/// The longest time for editing: what was changed within it is kept in memory.
const MOST: Duration = Duration::from_secs(24 * 60 * 60);

/// `[messenger]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MessengerConfig {
    /// M-6; zero: never.
    #[serde(deserialize_with = "duration::deserialize")]
    pub edit_window: Duration,
    /// At least 1.
    pub max_streams_per_person: usize,
    /// Files of messages.
    pub attachments: AttachmentsConfig,
}

impl MessengerConfig {
    /// Reads the settings and checks them.
    ///
    /// # Errors
    /// Names every setting that is wrong.
    pub fn read(config: &Config) -> Result<Self, ConfigError> {
        let settings: Self = config.section()?;
        settings.attachments.check()?;
        let problems = settings.problems();
        if problems.is_empty() { Ok(settings) } else { Err(ConfigError(problems)) }
    }

    /// Every limit that is broken.
    fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.edit_window > MOST {
            problems.push("messenger.edit_window must be at most 24h".to_owned());
        }
        if self.max_streams_per_person == 0 {
            problems.push("messenger.max_streams_per_person must be at least 1".to_owned());
        }
        problems
    }

    /// The time for editing, for the domain.
    pub fn window(&self) -> TimeDelta {
        TimeDelta::from_std(self.edit_window).unwrap_or_default()
    }
}
