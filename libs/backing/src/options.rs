//! What a caller may say about the servers.

use std::path::PathBuf;

/// The environment variables that a service's configuration reads; given, no server is started.
pub const DATABASE_URL_VARIABLE: &str = "CALLBOARD__DATABASE__URL";
/// See [`DATABASE_URL_VARIABLE`].
pub const NATS_URL_VARIABLE: &str = "CALLBOARD__NATS__URL";

/// Where a server's data lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Data {
    /// Under this folder; the next start continues with it, on the same port if that is still free.
    Kept(PathBuf),
    /// In a temporary folder that goes with the server.
    Ephemeral,
}

/// How servers are found and run.
#[derive(Debug, Clone)]
pub struct Options {
    /// Folder under which the pinned tools are installed.
    pub home: PathBuf,
    /// Where the data lives.
    pub data: Data,
    /// Gives up the promise that what was acknowledged survives a crash of the machine (not of the process):
    /// Postgres does not wait for the disk, and NATS writes to it when it likes. For tests that do not test durability.
    /// Otherwise Postgres waits at every commit, and NATS syncs every second (ADR 0014).
    pub fast_unsafe: bool,
    /// A Postgres that is there already; none is started then.
    pub database_url: Option<String>,
    /// A NATS server that is there already; none is started then.
    pub nats_url: Option<String>,
}

impl Options {
    /// For `make run` and its like: data kept under `home`, durable, and the servers that
    /// [`DATABASE_URL_VARIABLE`] and [`NATS_URL_VARIABLE`] name, if they do.
    pub fn kept(home: impl Into<PathBuf>) -> Self {
        let home = home.into();
        Self {
            data: Data::Kept(home.clone()),
            home,
            fast_unsafe: false,
            database_url: given(DATABASE_URL_VARIABLE),
            nats_url: given(NATS_URL_VARIABLE),
        }
    }

    /// For tests: data goes with the servers, nothing waits for the disk, and no configured server is ever touched.
    pub fn for_tests(home: impl Into<PathBuf>) -> Self {
        Self {
            home: home.into(),
            data: Data::Ephemeral,
            fast_unsafe: true,
            database_url: None,
            nats_url: None,
        }
    }
}

fn given(variable: &str) -> Option<String> {
    std::env::var(variable).ok().filter(|value| !value.is_empty())
}
