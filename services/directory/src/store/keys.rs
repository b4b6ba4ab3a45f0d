//! Keys of the built-in issuer: made at first need, shared by all replicas, rotated without a gap, encrypted at rest.

use callboard_auth::{Issuer, IssuerSettings, SigningKey};
use callboard_journal::Pool;
use callboard_kernel::{Clock, IdGenerator, Timestamp};
use chrono::TimeDelta;
use secrecy::{ExposeSecret, SecretString};
use sqlx::{Connection, PgConnection};
use std::sync::Arc;

use super::ReadError;
use super::seal::KeyEncryption;

/// A new key is published for so long before it signs, so that whoever keeps key sets has read it by then.
pub const PUBLISHED_BEFORE: TimeDelta = TimeDelta::minutes(15);
/// A key that no longer signs is published for so long: longer than any of its tokens lives, clock skew included.
pub const PUBLISHED_AFTER: TimeDelta = TimeDelta::hours(1);

/// Any number, the same in all replicas: guards the making of the first key.
const LOCK: i64 = 0x0063_616c_6c6b_6579;

/// The keys in the directory's schema.
#[derive(Debug)]
pub struct SigningKeys {
    pool: Pool,
    encryption: Option<KeyEncryption>,
}

/// A key as it lies there.
#[derive(sqlx::FromRow)]
struct Stored {
    id: String,
    pkcs8_pem: Option<String>,
    sealed: Option<Vec<u8>>,
    active_at: Timestamp,
}

async fn stored(connection: &mut PgConnection) -> Result<Vec<Stored>, ReadError> {
    let sql = "select id, pkcs8_pem, sealed, active_at from signing_key order by active_at, id";
    Ok(sqlx::query_as(sql).fetch_all(connection).await?)
}

impl SigningKeys {
    /// Keys of the pool's schema; without `encryption` new ones lie there as they are.
    pub const fn new(pool: Pool, encryption: Option<KeyEncryption>) -> Self {
        Self { pool, encryption }
    }

    /// The private key, and whether it lies there as it would be written now.
    fn open(&self, row: &Stored) -> Result<(SecretString, bool), ReadError> {
        match (&row.pkcs8_pem, &row.sealed, &self.encryption) {
            (Some(pem), None, encryption) => Ok((SecretString::from(pem.as_str()), encryption.is_none())),
            (None, Some(sealed), Some(encryption)) => encryption.open(&row.id, sealed),
            (None, Some(_), None) => Err(ReadError::Sealed(format!(
                "{} is encrypted: directory.issuer.key_encryption_key is required",
                row.id
            ))),
            _ => Err(ReadError::Sealed(format!("{} is not kept", row.id))),
        }
    }

    fn parse(&self, row: &Stored) -> Result<SigningKey, ReadError> {
        Ok(SigningKey::from_pkcs8_pem(&self.open(row)?.0)?)
    }

    /// What is written of a key: as it is, or encrypted.
    fn close(&self, id: &str, pem: &SecretString) -> Result<(Option<String>, Option<Vec<u8>>), ReadError> {
        Ok(match &self.encryption {
            None => (Some(pem.expose_secret().to_owned()), None),
            Some(encryption) => (None, Some(encryption.seal(id, pem)?)),
        })
    }

    async fn add(
        &self,
        connection: &mut PgConnection,
        active_at: Timestamp,
    ) -> Result<SigningKey, ReadError> {
        let key = SigningKey::generate()?;
        let (pem, sealed) = self.close(key.id(), &key.to_pkcs8_pem()?)?;
        sqlx::query("insert into signing_key (id, pkcs8_pem, sealed, active_at) values ($1, $2, $3, $4)")
            .bind(key.id())
            .bind(pem)
            .bind(sealed)
            .bind(active_at)
            .execute(connection)
            .await?;
        Ok(key)
    }

    /// Encrypts what lies there unencrypted, or under a key that is no longer the first. Answers how many. Replicas that
    /// do not know the new key yet go on with the signing keys they have read.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub async fn protect(&self) -> Result<usize, ReadError> {
        let mut connection = self.pool.acquire().await?;
        let mut transaction = connection.begin().await?;
        sqlx::query("select pg_advisory_xact_lock($1)").bind(LOCK).execute(&mut *transaction).await?;
        let mut count = 0;
        for row in stored(&mut transaction).await? {
            let (pem, as_now) = self.open(&row)?;
            if as_now {
                continue;
            }
            let (pem, sealed) = self.close(&row.id, &pem)?;
            sqlx::query("update signing_key set pkcs8_pem = $2, sealed = $3 where id = $1")
                .bind(&row.id)
                .bind(pem)
                .bind(sealed)
                .execute(&mut *transaction)
                .await?;
            count += 1;
        }
        transaction.commit().await?;
        Ok(count)
    }

    /// The issuer as of now: signs with the newest key that is due, publishes those before and after it. With a key from
    /// a file that one signs, and the stored ones stay published.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub async fn issuer(
        &self,
        settings: IssuerSettings,
        file_key: Option<&SecretString>,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn IdGenerator>,
    ) -> Result<Issuer, ReadError> {
        let now = clock.now();
        let mut connection = self.pool.acquire().await?;
        let mut keys = stored(&mut connection).await?;
        if keys.is_empty() && file_key.is_none() {
            let mut transaction = connection.begin().await?;
            sqlx::query("select pg_advisory_xact_lock($1)").bind(LOCK).execute(&mut *transaction).await?;
            // Somebody may have been faster.
            if stored(&mut transaction).await?.is_empty() {
                self.add(&mut transaction, now).await?;
            }
            transaction.commit().await?;
            keys = stored(&mut connection).await?;
        }
        // The last that is due signs; where none is due yet (clocks differ), the first does.
        let due = keys.iter().rposition(|key| key.active_at <= now).unwrap_or(0);
        let active = match (file_key, keys.get(due)) {
            (Some(pem), _) => SigningKey::from_pkcs8_pem(pem)?,
            (None, Some(row)) => self.parse(row)?,
            (None, None) => return Err(ReadError::Hash("there is no signing key".to_owned())),
        };
        let mut others = Vec::new();
        for (index, row) in keys.iter().enumerate() {
            // A key ends when the next one begins.
            let ended = keys.get(index + 1).map(|next| next.active_at);
            let published = ended.is_none_or(|ended| now < ended + PUBLISHED_AFTER);
            if published && row.id != active.id() {
                others.push(self.parse(row)?);
            }
        }
        let issuer = Issuer::new(settings, active, clock, ids);
        Ok(others.iter().fold(issuer, Issuer::also_publishing))
    }

    /// Adds a key that will sign after [`PUBLISHED_BEFORE`], and forgets those whose tokens have all expired. Answers
    /// the new key's id.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub async fn rotate(&self, now: Timestamp) -> Result<String, ReadError> {
        let mut connection = self.pool.acquire().await?;
        let mut transaction = connection.begin().await?;
        sqlx::query("select pg_advisory_xact_lock($1)").bind(LOCK).execute(&mut *transaction).await?;
        let first = stored(&mut transaction).await?.is_empty();
        let key = self.add(&mut transaction, if first { now } else { now + PUBLISHED_BEFORE }).await?;
        sqlx::query(
            "delete from signing_key k where exists
               (select from signing_key next where next.active_at > k.active_at and next.active_at < $1)",
        )
        .bind(now - PUBLISHED_AFTER)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(key.id().to_owned())
    }
}
