//! The service's own settings.

use callboard_attachments::AttachmentsConfig;
use serde::Deserialize;

/// `[tasks]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TasksConfig {
    /// Files of definitions' steps.
    pub attachments: AttachmentsConfig,
}
