//! Finds, installs and runs a local Postgres and NATS server for development and tests.
//!
//! [`Backing::start`] gives a pair: servers that are configured; else binaries that are there and new enough; else the
//! pinned ones, which it installs. Servers listen on the loopback address and free ports alone, run beside others on
//! the standard ports, work for root and for ordinary users, and never outlive the process that started them.
//! `docs/adr/0003-backing-servers.md` says why it is done this way. For tests of files there is [`S3`] besides.

mod error;
mod find;
mod folder;
mod home;
mod mail;
mod mail_page;
mod nats;
mod options;
mod port;
mod postgres;
mod process;
mod progress;
mod run_as;
mod s3;
mod tools;
mod version;

use std::path::{Path, PathBuf};

pub use error::Error;
pub use find::{Choice, PINNED, Search};
pub use home::{HOME_VARIABLE, home, tools};
pub use mail::{CaughtMail, MailCatcher, MailSession};
pub use mail_page::MailPage;
pub use nats::Nats;
pub use options::{DATABASE_URL_VARIABLE, Data, NATS_URL_VARIABLE, Options};
pub use port::free_port;
pub use postgres::{Postgres, create_database};
pub use s3::S3;
pub use tools::{Tool, provide};
pub use version::{Program, Version};

/// A server of one's own, or one that was there before.
#[derive(Debug)]
enum Server<T> {
    Own(T),
    Given(String),
}

/// A Postgres and a NATS server to work with.
#[derive(Debug)]
pub struct Backing {
    postgres: Server<Postgres>,
    nats: Server<Nats>,
}

impl Backing {
    /// Finds or starts both servers, side by side, and returns when both take connections.
    ///
    /// # Errors
    /// The first error of either; what has been started is stopped then. A server that [`Options`] name is refused if
    /// it cannot be reached or is too old.
    pub async fn start(options: &Options) -> Result<Self, Error> {
        let postgres = async {
            match &options.database_url {
                Some(url) => {
                    postgres::check_given(url, DATABASE_URL_VARIABLE).await?;
                    Ok(Server::Given(url.clone()))
                }
                None => Ok::<_, Error>(Server::Own(Postgres::start(options).await?)),
            }
        };
        let nats = async {
            match &options.nats_url {
                Some(url) => {
                    nats::check_given(url, NATS_URL_VARIABLE).await?;
                    Ok(Server::Given(url.clone()))
                }
                None => Ok::<_, Error>(Server::Own(Nats::start(options).await?)),
            }
        };
        let (postgres, nats) = tokio::try_join!(postgres, nats)?;
        Ok(Self { postgres, nats })
    }

    /// Address of the database: the configured one, else `callboard` on the own server.
    pub fn postgres_url(&self) -> String {
        match &self.postgres {
            Server::Own(postgres) => postgres.url(),
            Server::Given(url) => url.clone(),
        }
    }

    /// Address of the NATS server.
    pub fn nats_url(&self) -> String {
        match &self.nats {
            Server::Own(nats) => nats.url(),
            Server::Given(url) => url.clone(),
        }
    }

    /// The own Postgres, if it was started here.
    pub fn postgres(&mut self) -> Option<&mut Postgres> {
        match &mut self.postgres {
            Server::Own(postgres) => Some(postgres),
            Server::Given(_) => None,
        }
    }

    /// The own NATS server, if it was started here.
    pub fn nats(&mut self) -> Option<&mut Nats> {
        match &mut self.nats {
            Server::Own(nats) => Some(nats),
            Server::Given(_) => None,
        }
    }

    /// Folder of `pgbench`, `psql` and their kin, if the server is an own one.
    pub fn pg_bin_dir(&self) -> Option<&Path> {
        match &self.postgres {
            Server::Own(postgres) => Some(postgres.bin_dir()),
            Server::Given(_) => None,
        }
    }

    /// Logs of the own servers.
    pub fn logs(&self) -> Vec<PathBuf> {
        let mut logs = Vec::new();
        if let Server::Own(postgres) = &self.postgres {
            logs.push(postgres.log());
        }
        if let Server::Own(nats) = &self.nats {
            logs.push(nats.log());
        }
        logs
    }

    /// Stops the servers that were started here, in good order, and waits for them.
    ///
    /// # Errors
    /// [`Error::Io`] if one does not end in time; the other is stopped all the same.
    pub async fn stop(self) -> Result<(), Error> {
        let postgres = async {
            match self.postgres {
                Server::Own(postgres) => postgres.stop().await,
                Server::Given(_) => Ok(()),
            }
        };
        let nats = async {
            match self.nats {
                Server::Own(nats) => nats.stop().await,
                Server::Given(_) => Ok(()),
            }
        };
        let (postgres, nats) = tokio::join!(postgres, nats);
        postgres.and(nats)
    }
}

/// Where the executable of a server or tool is: what would be run now, installed first if need be.
///
/// # Errors
/// As [`Search::choose`] and [`provide`].
pub fn locate(home: &Path, tool: Tool) -> Result<PathBuf, Error> {
    let tools = home::Layout::make(home)?.tools();
    let program = match tool {
        Tool::Postgres => Program::Postgres,
        Tool::NatsServer => Program::Nats,
        Tool::Buf | Tool::SeaweedFs => return provide(&tools, tool),
    };
    match Search::from_env(program).choose(version::probe, tools::pinned_version(program), None)? {
        Choice::Installed(executable, _) => Ok(executable),
        Choice::Pinned => provide(&tools, tool),
    }
}
