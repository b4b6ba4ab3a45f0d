//! Settings, a sub-section of the context's own.

use std::path::PathBuf;
use std::time::Duration;

use callboard_service::config::{ConfigError, duration};
use object_store::path::Path;
use secrecy::{ExposeSecret, SecretString};
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
    /// What the names of all objects begin with; empty: nothing.
    pub prefix: String,
    /// Its region.
    pub region: String,
    /// Address of an S3-compatible server; empty: that of AWS.
    pub endpoint: String,
    /// Whether the bucket stands in the path of an address, not in the name of its host.
    pub path_style: bool,
    /// The key's id; empty: the credentials that the surroundings give.
    pub access_key_id: String,
    /// The key.
    pub secret_access_key: SecretString,
    /// Whether the endpoint may be plain http.
    pub allow_http: bool,
    /// Certificates (PEM) that the server's is to be checked against, besides those of the system.
    pub ca_file: String,
    /// How long one request may take; each carries 5 MiB at most.
    #[serde(deserialize_with = "duration::deserialize")]
    pub timeout: Duration,
}

#[cfg(test)]
impl Default for S3Config {
    fn default() -> Self {
        Self {
            bucket: String::new(),
            prefix: String::new(),
            region: "us-east-1".to_owned(),
            endpoint: String::new(),
            path_style: true,
            access_key_id: String::new(),
            secret_access_key: String::new().into(),
            allow_http: false,
            ca_file: String::new(),
            timeout: Duration::from_secs(30),
        }
    }
}

impl S3Config {
    fn problems(&self) -> Vec<&'static str> {
        if self.bucket.is_empty() {
            return Vec::new();
        }
        let (endpoint, has_key) =
            (self.endpoint.as_str(), !self.secret_access_key.expose_secret().is_empty());
        let scheme = endpoint.split_once("://").map(|(scheme, _)| scheme);
        let checks = [
            (!self.region.is_empty(), "region must be given"),
            (
                endpoint.is_empty() || matches!(scheme, Some("http" | "https")),
                "endpoint must begin with https:// or http://",
            ),
            (
                scheme != Some("http") || self.allow_http,
                "endpoint is plain http: set allow_http or use https",
            ),
            (!endpoint.contains(['@', '?', '#']), "endpoint must hold no credentials and no query"),
            (
                self.access_key_id.is_empty() != has_key,
                "access_key_id and secret_access_key must both be given, or neither",
            ),
            (Path::parse(&self.prefix).is_ok(), "prefix must be a path such as callboard/production"),
            (
                (Duration::from_millis(100)..=Duration::from_secs(300)).contains(&self.timeout),
                "timeout must be 100ms to 5m",
            ),
        ];
        checks.into_iter().filter(|(holds, _)| !holds).map(|(_, problem)| problem).collect()
    }
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
        problems.extend(self.s3.problems().into_iter().map(|problem| format!("attachments.s3.{problem}")));
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
# A bucket to keep files in, of any S3-compatible server. Empty: the folder above. The bucket must remove incomplete
# multipart uploads itself, after a day (a lifecycle rule). docs/attachments.md: Buckets.
bucket = \"\"
# What the names of all objects begin with, such as callboard/production. Installations that share a bucket need one
# each: each removes what it does not know.
prefix = \"\"
region = \"us-east-1\"
# Such as https://s3.example:9000. Empty: that of AWS.
endpoint = \"\"
# false: the bucket stands in the name of the host (bucket.s3.example), as some servers want it.
path_style = true
# Both empty: what the surroundings give, as AWS' own tools find it (AWS_ACCESS_KEY_ID and its kin, roles of service
# accounts, containers and machines). The key from a file: CALLBOARD__…__S3__SECRET_ACCESS_KEY_FILE.
access_key_id = \"\"
secret_access_key = \"\"
# Whether the endpoint may be plain http.
allow_http = false
# Certificates (PEM) to check the server's against, besides those of the system.
ca_file = \"\"
# How long one request may take; each carries 5 MiB at most.
timeout = \"30s\"
"
        )
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket() -> S3Config {
        S3Config { bucket: "files".to_owned(), ..S3Config::default() }
    }

    #[test]
    fn a_wrong_bucket_is_told_before_anything_starts() {
        let key = |id: &str, key: &str| S3Config {
            access_key_id: id.to_owned(),
            secret_access_key: key.to_owned().into(),
            ..bucket()
        };
        let at = |endpoint: &str| S3Config { endpoint: endpoint.to_owned(), ..bucket() };
        let none: [&str; 0] = [];
        for right in [bucket(), key("id", "key"), at("https://s3.example")] {
            assert_eq!(right.problems(), none, "{right:?}");
        }
        assert_eq!(S3Config { allow_http: true, ..at("http://s3.example") }.problems(), none);
        for (wrong, told) in [
            (key("id", ""), "access_key_id and"),
            (key("", "key"), "access_key_id and"),
            (at("s3.example"), "endpoint must begin"),
            (at("http://s3.example"), "endpoint is plain http"),
            (at("https://id:key@s3.example"), "endpoint must hold no credentials"),
            (S3Config { region: String::new(), ..bucket() }, "region"),
            (S3Config { prefix: "a//b".to_owned(), ..bucket() }, "prefix"),
            (S3Config { timeout: Duration::ZERO, ..bucket() }, "timeout"),
        ] {
            let problems = wrong.problems();
            assert!(problems.len() == 1 && problems[0].starts_with(told), "{problems:?}, not {told}");
        }
        assert_eq!(S3Config { bucket: String::new(), ..key("id", "") }.problems(), none, "it is not used");
    }

    #[test]
    fn settings_never_show_the_key() {
        let config = S3Config { secret_access_key: "the very key".to_owned().into(), ..bucket() };
        assert!(!format!("{config:?}").contains("the very key"));
    }
}
