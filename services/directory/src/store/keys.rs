//! Keys of the built-in issuer: made at first need, shared by all replicas, rotated without a gap.

use callboard_auth::{Issuer, IssuerSettings, SigningKey};
use callboard_kernel::{Clock, IdGenerator, Timestamp};
use chrono::TimeDelta;
use secrecy::{ExposeSecret, SecretString};
use sqlx::{Connection, PgConnection, PgPool};
use std::sync::Arc;

use super::ReadError;

/// A new key is published for so long before it signs, so that whoever keeps key sets has read it by then.
pub const PUBLISHED_BEFORE: TimeDelta = TimeDelta::minutes(15);
/// A key that no longer signs is published for so long: longer than any of its tokens lives, clock skew included.
pub const PUBLISHED_AFTER: TimeDelta = TimeDelta::hours(1);

/// Any number, the same in all replicas: guards the making of the first key.
const LOCK: i64 = 0x0063_616c_6c6b_6579;

async fn stored(connection: &mut PgConnection) -> Result<Vec<(String, Timestamp)>, ReadError> {
    Ok(sqlx::query_as("select pkcs8_pem, active_at from signing_key order by active_at, id")
        .fetch_all(connection)
        .await?)
}

async fn add(connection: &mut PgConnection, active_at: Timestamp) -> Result<SigningKey, ReadError> {
    let key = SigningKey::generate()?;
    sqlx::query("insert into signing_key (id, pkcs8_pem, active_at) values ($1, $2, $3)")
        .bind(key.id())
        .bind(key.to_pkcs8_pem()?.expose_secret())
        .bind(active_at)
        .execute(connection)
        .await?;
    Ok(key)
}

/// The issuer as of now: signs with the newest key that is due, publishes those before and after it. With a key from a
/// file that one signs, and the stored ones stay published.
///
/// # Errors
/// See [`ReadError`].
pub async fn issuer(
    pool: &PgPool,
    settings: IssuerSettings,
    file_key: Option<&SecretString>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdGenerator>,
) -> Result<Issuer, ReadError> {
    let now = clock.now();
    let mut connection = pool.acquire().await?;
    let mut keys = stored(&mut connection).await?;
    if keys.is_empty() && file_key.is_none() {
        let mut transaction = connection.begin().await?;
        sqlx::query("select pg_advisory_xact_lock($1)").bind(LOCK).execute(&mut *transaction).await?;
        // Somebody may have been faster.
        if stored(&mut transaction).await?.is_empty() {
            add(&mut transaction, now).await?;
        }
        transaction.commit().await?;
        keys = stored(&mut connection).await?;
    }
    let parse = |pem: &str| SigningKey::from_pkcs8_pem(&SecretString::from(pem));
    // The last that is due signs; where none is due yet (clocks differ), the first does.
    let due = keys.iter().rposition(|(_, active_at)| *active_at <= now).unwrap_or(0);
    let (active, mut others) = match file_key {
        Some(pem) => (SigningKey::from_pkcs8_pem(pem)?, Vec::new()),
        None => {
            let (pem, _) =
                keys.get(due).ok_or_else(|| ReadError::Hash("there is no signing key".to_owned()))?;
            (parse(pem)?, Vec::new())
        }
    };
    for (index, (pem, _)) in keys.iter().enumerate() {
        // A key ends when the next one begins.
        let ended = keys.get(index + 1).map(|(_, next)| *next);
        let published = ended.is_none_or(|ended| now < ended + PUBLISHED_AFTER);
        let key = parse(pem)?;
        if published && key.id() != active.id() {
            others.push(key);
        }
    }
    let issuer = Issuer::new(settings, active, clock, ids);
    Ok(others.iter().fold(issuer, Issuer::also_publishing))
}

/// Adds a key that will sign after [`PUBLISHED_BEFORE`], and forgets those whose tokens have all expired. Answers the
/// new key's id.
///
/// # Errors
/// See [`ReadError`].
pub async fn rotate(pool: &PgPool, now: Timestamp) -> Result<String, ReadError> {
    let mut connection = pool.acquire().await?;
    let mut transaction = connection.begin().await?;
    sqlx::query("select pg_advisory_xact_lock($1)").bind(LOCK).execute(&mut *transaction).await?;
    let first = stored(&mut transaction).await?.is_empty();
    let key = add(&mut transaction, if first { now } else { now + PUBLISHED_BEFORE }).await?;
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
