//! The relay's place: who is the relay of a context, and who claims to be for a while.
//!
//! Both are session-level advisory locks, gone with their connection. One who rebuilds a stream by hand claims the
//! place first; the relay looks for a claim now and then and gives way.

use crate::Pool;
use sqlx::PgConnection;

/// Takes the relay's lock for this connection, unless another connection claims the relay's place. It lasts as long as
/// the connection does.
pub(crate) async fn try_lock(connection: &mut PgConnection, context: &str) -> Result<bool, sqlx::Error> {
    let held: bool = sqlx::query_scalar(
        "select case when pg_try_advisory_xact_lock_shared(hashtextextended(current_schema() || ':relay-claim:' || $1, 0)) \
         then pg_try_advisory_lock(hashtextextended(current_schema() || ':relay:' || $1, 0)) else false end",
    )
    .bind(context)
    .fetch_one(&mut *connection)
    .await?;
    if held {
        // Marks need not be on disk before the next batch: one that is lost with the server is found again by its
        // event id in the stream.
        sqlx::query("set synchronous_commit = off").execute(connection).await?;
    }
    Ok(held)
}

/// Claims the relay's place for this connection, as long as it lasts. False: another does, or a relay is looking just
/// now whether somebody does: ask again.
pub(crate) async fn try_claim(connection: &mut PgConnection, context: &str) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "select pg_try_advisory_lock(hashtextextended(current_schema() || ':relay-claim:' || $1, 0))",
    )
    .bind(context)
    .fetch_one(connection)
    .await
}

/// True when another connection claims the relay's place.
pub(crate) async fn is_claimed(connection: &mut PgConnection, context: &str) -> Result<bool, sqlx::Error> {
    // Shared, so that replicas that look at the same time do not take each other for a claim; and for this statement.
    sqlx::query_scalar(
        "select not pg_try_advisory_xact_lock_shared(hashtextextended(current_schema() || ':relay-claim:' || $1, 0))",
    )
    .bind(context)
    .fetch_one(connection)
    .await
}

/// Who holds the relay's lock, for operators.
pub(crate) async fn holder(pool: &Pool, context: &str) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar(
        "select format('%s at %s (pid %s)', a.application_name, coalesce(a.client_addr::text, 'this host'), a.pid) \
         from pg_locks l join pg_stat_activity a on a.pid = l.pid \
         where l.locktype = 'advisory' and l.granted and l.mode = 'ExclusiveLock' and l.objsubid = 1 \
         and l.database = (select oid from pg_database where datname = current_database()) \
         and ((l.classid::bigint << 32) | l.objid::bigint) = \
             hashtextextended(current_schema() || ':relay:' || $1, 0)",
    )
    .bind(context)
    .fetch_optional(pool)
    .await
}
