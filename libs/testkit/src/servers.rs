//! Servers and databases for tests.

use std::fmt;

use callboard_backing::{Backing, Options, create_database, home};
pub use callboard_backing::{Nats, Postgres, S3};
use callboard_kernel::{IdGenerator, RandomIds};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio::sync::OnceCell;

/// Set by `callboard-backing with-servers`, so that all processes of a test run share one pair.
const POSTGRES_URL: &str = "CALLBOARD_TEST_POSTGRES_URL";
/// See [`POSTGRES_URL`].
const NATS_URL: &str = "CALLBOARD_TEST_NATS_URL";

static SHARED: OnceCell<Servers> = OnceCell::const_new();

/// A Postgres and a NATS server that tests share.
///
/// Those of the test run, if it was started by `callboard-backing with-servers`; else a pair of this process, started
/// when first asked for and gone with the process. Neither waits for the disk, so tests of durability take a
/// [`fresh_postgres`] or [`fresh_nats`] of their own and kill that.
pub struct Servers {
    backing: Backing,
}

impl Servers {
    /// The servers of this run.
    ///
    /// # Panics
    /// If they cannot be found, installed or started; the text says why and what to do.
    pub async fn shared() -> &'static Self {
        SHARED
            .get_or_init(|| async {
                let given = |variable| std::env::var(variable).ok().filter(|url: &String| !url.is_empty());
                let options =
                    Options { database_url: given(POSTGRES_URL), nats_url: given(NATS_URL), ..options() };
                match Backing::start(&options).await {
                    Ok(backing) => Self { backing },
                    Err(error) => panic!("no servers for tests: {error}"),
                }
            })
            .await
    }

    /// Address of a database of the server that every test may read and none may write to: ask for a
    /// [`fresh_database`](Self::fresh_database).
    pub fn postgres_url(&self) -> String {
        self.backing.postgres_url()
    }

    /// Address of the NATS server. Streams and subjects are shared by all tests of the run: a test that makes streams
    /// of fixed names takes a [`fresh_nats`].
    pub fn nats_url(&self) -> String {
        self.backing.nats_url()
    }

    /// A new and empty database, gone when the value is dropped.
    ///
    /// # Panics
    /// If the server refuses.
    pub async fn fresh_database(&self) -> Database {
        let server = self.postgres_url();
        let name = format!("t_{}", RandomIds.next().simple());
        if let Err(error) = create_database(&server, &name).await {
            panic!("no database for the test: {error}");
        }
        let url = match server.rsplit_once('/') {
            // What follows the database's name are settings of the connection.
            Some((front, back)) => match back.split_once('?') {
                Some((_, settings)) => format!("{front}/{name}?{settings}"),
                None => format!("{front}/{name}"),
            },
            None => panic!("{POSTGRES_URL} does not name a database"),
        };
        Database { url, name, server }
    }
}

impl fmt::Debug for Servers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Servers").field("nats", &self.nats_url()).finish_non_exhaustive()
    }
}

/// A database of one test. Dropped, it is removed, whoever is still connected; that of a failed test stays as long as
/// its server does.
#[must_use = "the database is removed when this is dropped"]
pub struct Database {
    url: String,
    name: String,
    server: String,
}

impl Database {
    /// Its address, password included.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let (server, name) = (self.server.clone(), self.name.clone());
        // The test's own runtime cannot be waited for from within.
        let removal = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let mut connection = PgConnection::connect(&server).await?;
                let sql = format!("DROP DATABASE IF EXISTS \"{name}\" WITH (FORCE)");
                sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await?;
                connection.close().await
            })
        });
        // A database that stays is no failure of the test; it goes with the server.
        let _ = removal.join();
    }
}

/// A Postgres of this test alone, to be killed and restarted. Commits survive [`Postgres::kill`]. It takes about a
/// second to start; gone when dropped.
///
/// # Panics
/// If it cannot be started.
pub async fn fresh_postgres() -> Postgres {
    match Postgres::start(&options()).await {
        Ok(postgres) => postgres,
        Err(error) => panic!("no Postgres for the test: {error}"),
    }
}

/// A NATS server of this test alone, with streams of its own, to be killed and restarted. It takes some hundredths of
/// a second to start; gone when dropped.
///
/// # Panics
/// If it cannot be started.
pub async fn fresh_nats() -> Nats {
    match Nats::start(&options()).await {
        Ok(nats) => nats,
        Err(error) => panic!("no NATS server for the test: {error}"),
    }
}

/// An S3 server of this test alone, without buckets. It takes some seconds to start, so tests that do not kill it share
/// one; gone when dropped.
///
/// # Panics
/// If it cannot be started.
pub async fn fresh_s3() -> S3 {
    match S3::start(&options()).await {
        Ok(s3) => s3,
        Err(error) => panic!("no S3 server for the test: {error}"),
    }
}

fn options() -> Options {
    match home() {
        Ok(home) => Options::for_tests(home),
        Err(error) => panic!("no folder for the servers' tools: {error}"),
    }
}
