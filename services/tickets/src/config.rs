//! The service's own settings. `config.default.toml` says what each means.

use std::time::Duration;

use callboard_attachments::AttachmentsConfig;
use callboard_service::config::duration;
use serde::Deserialize;

use crate::store::Limits;

/// `[tickets]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TicketsConfig {
    /// Extension of T-8; zero: off.
    #[serde(deserialize_with = "duration::deserialize")]
    pub close_unrated_after: Duration,
    /// T-2; zero: never.
    #[serde(deserialize_with = "duration::deserialize")]
    pub delete_code_users_drafts_after: Duration,
    /// T-2; zero: never.
    #[serde(deserialize_with = "duration::deserialize")]
    pub delete_drafts_after: Duration,
    /// Files of updates and answers.
    pub attachments: AttachmentsConfig,
}

impl TicketsConfig {
    /// The limits that are set.
    pub fn limits(&self) -> Limits {
        let set = |limit: Duration| Some(limit).filter(|limit| !limit.is_zero());
        Limits {
            close_unrated: set(self.close_unrated_after),
            drafts_of_code_users: set(self.delete_code_users_drafts_after),
            drafts_of_people: set(self.delete_drafts_after),
        }
    }
}
