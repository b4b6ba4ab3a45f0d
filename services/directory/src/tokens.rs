//! Tokens: access tokens signed by the built-in issuer, refresh tokens that are good once.

use std::sync::Arc;

use callboard_auth::{Issuer, IssuerSettings, hash_secret, random_secret};
use callboard_directory_domain::session::Hash;
use callboard_journal::Pool;
use callboard_kernel::{Clock, ErrorKind, IdGenerator, Principal, Refusal, Timestamp};
use callboard_proto::directory::v1 as proto;
use callboard_service::convert::to_proto_time;
use chrono::TimeDelta;
use parking_lot::RwLock;
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

use crate::config::IssuerConfig;
use crate::store::{ReadError, SigningKeys};

/// The built-in issuer, which learns of new keys while it runs.
#[derive(Debug)]
pub struct Tokens {
    keys: SigningKeys,
    config: IssuerConfig,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdGenerator>,
    file_key: Option<SecretString>,
    issuer: RwLock<Arc<Issuer>>,
}

impl Tokens {
    /// Reads the keys, and makes the first one.
    ///
    /// # Errors
    /// See [`ReadError`]; a key file that cannot be read.
    pub async fn new(
        pool: Pool,
        config: IssuerConfig,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn IdGenerator>,
    ) -> Result<Self, ReadError> {
        let file_key = match config.key_file.as_str() {
            "" => None,
            path => {
                let pem = tokio::fs::read_to_string(path).await;
                let pem = pem.map_err(|error| ReadError::Hash(format!("issuer.key_file: {error}")))?;
                Some(SecretString::from(pem))
            }
        };
        let encryption = config.encryption().map_err(|rule| ReadError::Sealed(rule.to_owned()))?;
        if encryption.is_none() && file_key.is_none() {
            tracing::warn!(
                "private signing keys lie UNENCRYPTED in the database: whoever reads it can issue tokens for everybody. \
                 Set directory.issuer.key_encryption_key (or key_file) outside of development"
            );
        }
        let encrypts = encryption.is_some();
        let keys = SigningKeys::new(pool, encryption);
        if encrypts {
            match keys.protect().await? {
                0 => {}
                count => tracing::info!(
                    count,
                    "signing keys encrypted anew; rotate those that lay unencrypted, for backups have them"
                ),
            }
        }
        let settings = Self::settings(&config);
        let issuer = keys.issuer(settings, file_key.as_ref(), clock.clone(), ids.clone()).await?;
        let issuer = RwLock::new(Arc::new(issuer));
        Ok(Self { keys, config, clock, ids, file_key, issuer })
    }

    fn settings(config: &IssuerConfig) -> IssuerSettings {
        IssuerSettings { issuer: config.issuer.clone(), audience: config.audience.clone() }
    }

    /// Reads the keys again.
    ///
    /// # Errors
    /// See [`ReadError`]; the keys that are there stay.
    pub async fn reload(&self) -> Result<(), ReadError> {
        let settings = Self::settings(&self.config);
        let (clock, ids) = (self.clock.clone(), self.ids.clone());
        let issuer = self.keys.issuer(settings, self.file_key.as_ref(), clock, ids).await?;
        *self.issuer.write() = Arc::new(issuer);
        Ok(())
    }

    /// The issuer as of the last reading.
    pub fn issuer(&self) -> Arc<Issuer> {
        self.issuer.read().clone()
    }

    /// What was set.
    pub const fn config(&self) -> &IssuerConfig {
        &self.config
    }

    /// Access and refresh token of a session.
    ///
    /// # Errors
    /// When signing fails, which does not happen with a well-formed key.
    pub fn tokens(
        &self,
        principal: &Principal,
        epoch: i64,
        refresh: &RefreshToken,
        refresh_expires_at: Timestamp,
    ) -> Result<proto::Tokens, Refusal> {
        // An access token never outlives its session.
        let left = refresh_expires_at - self.clock.now();
        let lifetime = TimeDelta::from_std(self.config.access_token_lifetime).unwrap_or(left).min(left);
        let access = self
            .issuer()
            .issue(principal, epoch, lifetime)
            .map_err(|error| Refusal::new(ErrorKind::Internal, "INTERNAL", error.to_string()))?;
        Ok(proto::Tokens {
            access_token: access.token.expose_secret().to_owned(),
            access_expire_time: Some(to_proto_time(access.expires_at)),
            refresh_token: refresh.render(),
            refresh_expire_time: Some(to_proto_time(refresh_expires_at)),
        })
    }
}

/// A refresh token: the session, what all its refresh tokens share, and what only this one has. The shared part tells
/// a token that was used before (the session ends) from one that was made up (nothing happens).
pub struct RefreshToken {
    /// The session.
    pub session: Uuid,
    family: SecretString,
    secret: SecretString,
}

impl std::fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RefreshToken").field("session", &self.session).finish_non_exhaustive()
    }
}

/// Length of a secret in text.
const SECRET: usize = 43;

impl RefreshToken {
    /// The first of a session.
    pub fn first(session: Uuid) -> Self {
        Self { session, family: random_secret(), secret: random_secret() }
    }

    /// The next of the same session.
    #[must_use]
    pub fn next(&self) -> Self {
        Self { session: self.session, family: self.family.clone(), secret: random_secret() }
    }

    /// Reads a token back; `None`: it is none of ours.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        let (session, family, secret) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() || session.len() != 32 || family.len() != SECRET || secret.len() != SECRET {
            return None;
        }
        Some(Self { session: session.parse().ok()?, family: family.into(), secret: secret.into() })
    }

    fn render(&self) -> String {
        let (family, secret) = (self.family.expose_secret(), self.secret.expose_secret());
        format!("{}.{family}.{secret}", self.session.simple())
    }

    /// What is stored of the shared part.
    pub fn family_hash(&self) -> Hash {
        hash_secret(self.family.expose_secret())
    }

    /// What is stored of its own part.
    pub fn secret_hash(&self) -> Hash {
        hash_secret(self.secret.expose_secret())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refresh_token_comes_back_and_the_next_shares_the_family_only() {
        let first = RefreshToken::first(Uuid::from_u128(7));
        let read = RefreshToken::parse(&first.render()).unwrap();
        assert_eq!(read.session, first.session);
        assert_eq!((read.family_hash(), read.secret_hash()), (first.family_hash(), first.secret_hash()));
        let next = first.next();
        assert_eq!(next.family_hash(), first.family_hash());
        assert_ne!(next.secret_hash(), first.secret_hash());
        for wrong in ["", "a.b.c", &first.render()[1..], &format!("{}.x", first.render())] {
            assert!(RefreshToken::parse(wrong).is_none(), "{wrong}");
        }
    }
}
