//! Postgres: one pool per service, its own schema, forward-only migrations.

use std::str::FromStr;
use std::time::Duration;

pub use callboard_journal::Pool;
use callboard_journal::{migrate as migrate_journal, pending_migrations};
use callboard_kernel::{ErrorKind, Refusal};
use secrecy::ExposeSecret;
use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection, PgConnection};

use crate::config::DatabaseConfig;

/// The oldest Postgres that is supported.
pub const OLDEST_POSTGRES: u32 = 15;
/// Where it is kept which of a service's migrations were applied, in its schema.
const TABLE: &str = "_migrations";

/// The database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// `database.url` is missing or no address.
    #[error("database.url: {0}")]
    Address(&'static str),
    /// Older than what is supported.
    #[error("Postgres {0} is too old: {OLDEST_POSTGRES} or newer is needed")]
    TooOld(u32),
    /// Postgres said no, or nothing.
    #[error("database: {0}")]
    Sql(#[from] sqlx::Error),
    /// A migration cannot be applied, or one that was applied has changed.
    #[error("migrations: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
}

impl DatabaseError {
    /// True when it may go away by itself: the server is not there yet.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Sql(sqlx::Error::Database(error)) => {
                // 57P03: cannot connect now. 53300: too many connections. 3D000: no such database, yet.
                matches!(error.code().as_deref(), Some("57P03" | "53300" | "3D000"))
            }
            Self::Sql(_) => true,
            Self::Address(_) | Self::TooOld(_) | Self::Migrate(_) => false,
        }
    }
}

/// What a caller is told when a query failed: UNAVAILABLE where trying again helps, else INTERNAL. Texts of the
/// database stay in the log.
pub fn refusal(error: sqlx::Error) -> Refusal {
    if is_away(&error) {
        tracing::warn!(%error, "the database cannot be reached");
        Refusal::new(ErrorKind::Unavailable, "UNAVAILABLE", "not now")
    } else {
        Refusal::new(ErrorKind::Internal, "INTERNAL", error.to_string())
    }
}

/// True when the server could not be asked or went away over the question, as at a restart or fail-over.
fn is_away(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        // A connection that ended in the middle of an answer.
        | sqlx::Error::Protocol(_) => true,
        // Class 08: connection. 57P01 to 57P03: shut down, crashed, not up yet. 53300: too many connections.
        sqlx::Error::Database(error) => error.code().is_some_and(|code| {
            code.starts_with("08") || matches!(&*code, "57P01" | "57P02" | "57P03" | "53300")
        }),
        _ => false,
    }
}

fn options(config: &DatabaseConfig, service: &str) -> Result<PgConnectOptions, DatabaseError> {
    let url = config.url.expose_secret();
    if url.is_empty() {
        return Err(DatabaseError::Address("is required"));
    }
    // What the parser says may quote the password.
    let options =
        PgConnectOptions::from_str(url).map_err(|_| DatabaseError::Address("is no postgres:// address"))?;
    Ok(options.application_name(&format!("callboard-{service}")).options([("search_path", service)]))
}

/// A pool whose connections work in the service's schema. Connects when first used. A statement may take thirty
/// seconds, and wait five for a lock.
///
/// # Errors
/// [`DatabaseError::Address`].
pub fn pool(config: &DatabaseConfig, service: &str) -> Result<Pool, DatabaseError> {
    // A row that somebody else holds, or a query that never ends, must not hold up a committer and all behind it.
    // Migrations have a connection of their own, without these.
    let options = options(config, service)?.options([("lock_timeout", "5s"), ("statement_timeout", "30s")]);
    let limits = PgPoolOptions::new()
        .max_connections(config.max_connections)
        .acquire_timeout(config.acquire_timeout)
        .max_lifetime(Duration::from_secs(1800));
    Ok(Pool::new(limits, options))
}

/// Asks Postgres for a sign of life over a connection of its own: a pool in which all are at work is no reason to send
/// calls elsewhere, and idle connections in it are no proof that the server can be reached.
#[derive(Debug)]
pub struct Probe {
    options: PgConnectOptions,
    connection: tokio::sync::Mutex<Option<PgConnection>>,
}

impl Probe {
    /// A probe that connects when first asked.
    ///
    /// # Errors
    /// [`DatabaseError::Address`].
    pub fn new(config: &DatabaseConfig, service: &str) -> Result<Self, DatabaseError> {
        let options = options(config, service)?.application_name(&format!("callboard-{service}-readiness"));
        Ok(Self { options, connection: tokio::sync::Mutex::default() })
    }

    /// Asks now. May be dropped at any time: the connection then goes with it.
    ///
    /// # Errors
    /// What Postgres says.
    pub async fn ask(&self) -> Result<(), sqlx::Error> {
        let mut kept = self.connection.lock().await;
        let mut connection = match kept.take() {
            Some(connection) => connection,
            None => PgConnection::connect_with(&self.options).await?,
        };
        connection.ping().await?;
        *kept = Some(connection);
        Ok(())
    }
}

/// Refuses a server that is too old.
///
/// # Errors
/// [`DatabaseError::TooOld`], or what Postgres says.
pub async fn check_version(pool: &Pool) -> Result<(), DatabaseError> {
    let number: String = sqlx::query_scalar("show server_version_num").fetch_one(pool).await?;
    let major = number.parse::<u32>().unwrap_or_default() / 10_000;
    if major < OLDEST_POSTGRES { Err(DatabaseError::TooOld(major)) } else { Ok(()) }
}

fn migrator(service: &str, migrations: &Migrator) -> Migrator {
    let mut own = Migrator { migrations: migrations.migrations.clone(), ..Migrator::DEFAULT };
    own.dangerous_set_table_name(format!("{service}.{TABLE}"));
    own.create_schema(service.to_owned());
    // The release before this one must keep working on the schema of this one (expand, migrate, contract).
    own.set_ignore_missing(true);
    own
}

/// Brings the schema up to date: the journal's tables, then the service's own. Under an advisory lock, on a
/// connection of its own; safe to run again and by several at once.
///
/// # Errors
/// What Postgres or a migration says.
pub async fn migrate(
    config: &DatabaseConfig,
    service: &str,
    migrations: &Migrator,
) -> Result<(), DatabaseError> {
    let mut connection = PgConnection::connect_with(&options(config, service)?).await?;
    migrate_journal(&mut connection, service).await?;
    migrator(service, migrations).run_direct(None, &mut connection, false).await?;
    connection.close().await?;
    Ok(())
}

/// What is not applied yet, oldest first: the journal's migrations, then the service's own.
///
/// # Errors
/// What Postgres says.
pub async fn pending(
    pool: &Pool,
    service: &str,
    migrations: &Migrator,
) -> Result<Vec<String>, DatabaseError> {
    let there: Option<String> = sqlx::query_scalar("select to_regclass($1)::text")
        .bind(format!("{service}.{TABLE}"))
        .fetch_one(pool)
        .await?;
    let applied: Vec<i64> = match there {
        None => Vec::new(),
        // Unqualified: the search path is the service's schema.
        Some(_) => {
            sqlx::query_scalar("select version from _migrations where success").fetch_all(pool).await?
        }
    };
    let name =
        |migration: &sqlx::migrate::Migration| format!("{} {}", migration.version, migration.description);
    let journal = pending_migrations(pool, service).await?;
    let own = migrations
        .iter()
        .filter(|migration| {
            !migration.migration_type.is_down_migration() && !applied.contains(&migration.version)
        })
        .map(name);
    Ok(journal.into_iter().map(|name| format!("journal {name}")).chain(own).collect())
}
