//! Settings, a sub-section of the context's own.

use std::path::PathBuf;
use std::time::Duration;

use callboard_service::config::{ConfigError, duration};
use secrecy::SecretString;
use serde::Deserialize;

/// `[<context>.attachments]`; [`default_config!`](crate::default_config) has the defaults and says what each means.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttachmentsConfig {
    /// Where files are, when they are not in a bucket.
    pub folder: PathBuf,
    /// Largest file, in bytes.
    pub max_bytes: i64,
    /// All files of an organisation in this context, in bytes.
    pub quota_bytes: i64,
    /// All pending files of one uploader, in bytes.
    pub pending_bytes: i64,
    /// How long a file may stay pending.
    #[serde(deserialize_with = "duration::deserialize")]
    pub pending_for: Duration,
    /// How long a link holds.
    #[serde(deserialize_with = "duration::deserialize")]
    pub link_life: Duration,
    /// How often is looked for what is to be removed, scanned or made small.
    #[serde(deserialize_with = "duration::deserialize")]
    pub sweep_every: Duration,
    /// What links are signed with; empty: generated, and kept in the schema.
    pub link_secret: SecretString,
    /// `host:port` of a clamd; empty: nothing is scanned.
    pub clamd: String,
    /// A bucket.
    pub s3: S3Config,
}

/// `[<context>.attachments.s3]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct S3Config {
    /// Its name; empty: files are in the folder.
    pub bucket: String,
    /// Its region.
    pub region: String,
    /// Address of an S3-compatible server; empty: that of AWS.
    pub endpoint: String,
    /// The key's id.
    pub access_key_id: String,
    /// The key.
    pub secret_access_key: SecretString,
    /// Whether the endpoint may be plain http.
    pub allow_http: bool,
}

impl AttachmentsConfig {
    /// Checks the limits, for a context's `check`.
    ///
    /// # Errors
    /// Names every limit that is broken.
    pub fn check(&self) -> Result<(), ConfigError> {
        let problems = self.problems();
        if problems.is_empty() { Ok(()) } else { Err(ConfigError(problems)) }
    }

    fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let mut check = |holds: bool, problem: &str| {
            if !holds {
                problems.push(format!("attachments.{problem}"));
            }
        };
        check(self.max_bytes > 0, "max_bytes must be at least 1");
        check(self.max_bytes <= self.quota_bytes, "max_bytes must not exceed quota_bytes");
        check(self.max_bytes <= self.pending_bytes, "max_bytes must not exceed pending_bytes");
        check(!self.link_life.is_zero(), "link_life must not be 0");
        check(self.link_life <= Duration::from_secs(24 * 60 * 60), "link_life must be at most 24h");
        check(self.sweep_every >= Duration::from_millis(10), "sweep_every must be at least 10ms");
        problems
    }
}

/// The defaults as text, for the end of a context's `default_config`:
///
/// ```ignore
/// default_config: concat!(
///     include_str!("../config.default.toml"),
///     callboard_attachments::default_config!("tickets"),
/// ),
/// ```
#[macro_export]
macro_rules! default_config {
    ($section:literal) => {
        concat!(
            "\n[",
            $section,
            ".attachments]
# Where files are kept, unless there is a bucket. All replicas must share it.
folder = \"attachments\"
# Largest file, in bytes: 50 MiB (M-2).
max_bytes = 52428800
# All files of one organisation here: 10 GiB.
quota_bytes = 10737418240
# All files of one uploader that are not part of anything yet: 500 MiB.
pending_bytes = 524288000
# They are removed after this.
pending_for = \"24h\"
# How long a download link holds.
link_life = \"5m\"
# How often is looked for what is to be removed, scanned or made small. What happens in this process is seen at once.
sweep_every = \"5s\"
# What links are signed with, at least 32 characters. Empty: generated, and kept in the schema.
link_secret = \"\"
# host:port of a clamd that scans each file before it is handed out. Empty: nothing is scanned.
clamd = \"\"

[",
            $section,
            ".attachments.s3]
# A bucket to keep files in; any S3-compatible server. Empty: the folder above. Let the bucket remove incomplete uploads
# after a day.
bucket = \"\"
region = \"us-east-1\"
# Empty: that of AWS.
endpoint = \"\"
access_key_id = \"\"
secret_access_key = \"\"
allow_http = false
"
        )
    };
}
