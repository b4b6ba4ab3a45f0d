//! Settings of the directory's own.

use std::time::Duration;

use callboard_service::config::{Config, ConfigError, duration};
use secrecy::SecretString;
use serde::Deserialize;

use crate::store::KeyEncryption;

/// `[directory]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DirectoryConfig {
    /// The built-in issuer.
    pub issuer: IssuerConfig,
}

impl DirectoryConfig {
    /// Out of a service's settings, checked.
    ///
    /// # Errors
    /// Names the key and the rule.
    pub fn read(config: &Config) -> Result<Self, ConfigError> {
        let own: Self = config.section()?;
        own.issuer.check().map_err(ConfigError::new)?;
        Ok(own)
    }
}

/// `[directory.issuer]`; `config.default.toml` says what each means.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "config.default.toml documents each")]
pub struct IssuerConfig {
    pub issuer: String,
    pub audience: String,
    pub key_file: String,
    pub key_encryption_key: SecretString,
    pub development_tokens: bool,
    #[serde(deserialize_with = "duration::deserialize")]
    pub access_token_lifetime: Duration,
    #[serde(deserialize_with = "duration::deserialize")]
    pub code_session_lifetime: Duration,
    #[serde(deserialize_with = "duration::deserialize")]
    pub person_session_lifetime: Duration,
}

impl IssuerConfig {
    /// What signing keys are encrypted with in the database.
    ///
    /// # Errors
    /// When it is no key.
    pub fn encryption(&self) -> Result<Option<KeyEncryption>, &'static str> {
        KeyEncryption::parse(&self.key_encryption_key)
    }

    /// What is wrong with it.
    ///
    /// # Errors
    /// The first limit that is broken.
    pub fn check(&self) -> Result<(), &'static str> {
        if self.issuer.is_empty() || self.issuer.ends_with('/') {
            return Err("directory.issuer.issuer: an address without a slash at its end");
        }
        if self.audience.is_empty() {
            return Err("directory.issuer.audience is required");
        }
        self.encryption()?;
        // Tokens that live longer than ended sessions are remembered would come to life again.
        if self.access_token_lifetime.is_zero() || self.access_token_lifetime > Duration::from_secs(3600) {
            return Err("directory.issuer.access_token_lifetime: at most 1h");
        }
        if self.code_session_lifetime.is_zero() || self.person_session_lifetime.is_zero() {
            return Err("directory.issuer: lifetimes of sessions must not be 0");
        }
        Ok(())
    }
}
