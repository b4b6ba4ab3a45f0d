//! The journal's own tables.

use crate::Pool;
use sqlx::PgConnection;
use sqlx::migrate::{MigrateError, Migrator};

static MIGRATOR: Migrator = sqlx::migrate!("./migrations");

/// Where it is kept which of the journal's migrations were applied; apart from the context's own.
const TABLE: &str = "_journal_migrations";

/// Creates the schema if it is not there and brings the journal's tables in it up to date, before the context's own
/// migrations. Safe to run again and by several processes at once (sqlx takes an advisory lock on the database).
///
/// `schema` is a lower-case word of letters, digits and `_`, at most 63 characters. The connection's `search_path`
/// is the same afterwards.
///
/// # Errors
/// A schema name of another form, or what sqlx says.
pub async fn migrate(connection: &mut PgConnection, schema: &str) -> Result<(), MigrateError> {
    let word = schema.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    if !word || schema.is_empty() || schema.len() > 63 || schema.as_bytes()[0].is_ascii_digit() {
        return Err(MigrateError::Source(format!("{schema:?} is no name for a schema").into()));
    }
    let search_path: String =
        sqlx::query_scalar("select current_setting('search_path')").fetch_one(&mut *connection).await?;
    sqlx::query("select set_config('search_path', $1, false)").bind(schema).execute(&mut *connection).await?;
    let mut migrator = Migrator { migrations: MIGRATOR.migrations.clone(), ..Migrator::DEFAULT };
    migrator.dangerous_set_table_name(format!("{schema}.{TABLE}"));
    migrator.create_schema(schema.to_owned());
    // The release before this one must keep working on the schema of this one (expand, migrate, contract).
    migrator.set_ignore_missing(true);
    // `run` takes `impl Acquire`, which makes the future of whoever calls this not `Send`.
    let outcome = migrator.run_direct(None, &mut *connection, false).await;
    sqlx::query("select set_config('search_path', $1, false)")
        .bind(search_path)
        .execute(&mut *connection)
        .await?;
    outcome
}

/// The journal's migrations that are not applied yet in the pool's schema (first in its `search_path`), oldest first,
/// as `<version> <description>`.
///
/// # Errors
/// What Postgres says.
pub async fn pending_migrations(pool: &Pool, schema: &str) -> Result<Vec<String>, sqlx::Error> {
    let there: Option<String> = sqlx::query_scalar("select to_regclass($1)::text")
        .bind(format!("{schema}.{TABLE}"))
        .fetch_one(pool)
        .await?;
    let applied: Vec<i64> = match there {
        None => Vec::new(),
        Some(_) => {
            sqlx::query_scalar("select version from _journal_migrations where success")
                .fetch_all(pool)
                .await?
        }
    };
    let up = MIGRATOR.iter().filter(|migration| !migration.migration_type.is_down_migration());
    let missing = up.filter(|migration| !applied.contains(&migration.version));
    Ok(missing.map(|migration| format!("{} {}", migration.version, migration.description)).collect())
}
