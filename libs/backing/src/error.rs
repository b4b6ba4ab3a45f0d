//! What can go wrong while finding, installing or running a server, in words a developer can act on.

use std::path::PathBuf;

use crate::version::{Program, Version};

/// Why a backing server or a pinned tool is not there.
///
/// Every variant's text says what to do about it where there is something to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A program that was asked for by name is older than what Callboard supports.
    #[error(
        "{program} at {} is version {found}, but Callboard needs {minimum} or newer; \
         install a newer one or unset {variable} to let Callboard bring its own",
        path.display(), minimum = program.minimum(), variable = program.variable()
    )]
    TooOld {
        /// Which program.
        program: Program,
        /// Where it was found.
        path: PathBuf,
        /// The version it told.
        found: Version,
    },
    /// A running server that a URL points to is older than what Callboard supports.
    #[error(
        "the {program} server that {setting} points to is version {found}, but Callboard needs {minimum} or newer",
        minimum = program.minimum()
    )]
    ServerTooOld {
        /// Which program.
        program: Program,
        /// The setting that holds the URL.
        setting: &'static str,
        /// The version the server told.
        found: Version,
    },
    /// A running server that a URL points to does not answer as it should.
    #[error("the {program} server that {setting} points to cannot be used: {reason}")]
    Unreachable {
        /// Which program.
        program: Program,
        /// The setting that holds the URL.
        setting: &'static str,
        /// What happened. Without the URL, which may hold a password.
        reason: String,
    },
    /// A program that was asked for by name is not there or does not run.
    #[error("{variable} is set to {}, but {reason}", path.display(), variable = program.variable())]
    Unusable {
        /// Which program.
        program: Program,
        /// What the variable says.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The data folder was written by another major version of Postgres and no matching binaries were found.
    #[error(
        "{} was written by Postgres {data}, and only Postgres {available} can be used here; install Postgres {data} \
         (or point CALLBOARD_POSTGRES_BIN to its bin folder), or move the folder away to start afresh",
        path.display()
    )]
    OtherMajor {
        /// The data folder.
        path: PathBuf,
        /// The major version that wrote it.
        data: u32,
        /// The versions at hand.
        available: String,
    },
    /// Another live process holds the data folder.
    #[error("{} is in use by process {holder}; stop it first, or choose another folder with CALLBOARD_HOME", path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
        /// The process id of its holder, or `?`.
        holder: String,
    },
    /// The folder belongs to another user.
    #[error(
        "{} belongs to user id {owner}, not to the current user; \
         start as that user, or choose another folder with CALLBOARD_HOME",
        path.display()
    )]
    NotOurs {
        /// The folder.
        path: PathBuf,
        /// Numeric id of its owner.
        owner: u32,
    },
    /// Postgres refuses to run as root and there is no user to run it as.
    #[error("Postgres refuses to run as root, and {0}; start Callboard as an ordinary user")]
    NoOrdinaryUser(String),
    /// A pinned tool could not be installed.
    #[error("{package} could not be installed: {reason}")]
    Install {
        /// Name and version of the package.
        package: String,
        /// What the installer said, or what is missing.
        reason: String,
    },
    /// A server ended or did not become ready.
    #[error("{program} did not start: {reason}{}", tail(log_tail))]
    NotStarted {
        /// Which program.
        program: Program,
        /// What happened.
        reason: String,
        /// The last lines of its log.
        log_tail: String,
    },
    /// A database name that is no plain lower-case identifier of at most 63 characters.
    #[error("{0:?} is no database name: 1 to 63 of a-z, 0-9 and _, not beginning with a digit")]
    DatabaseName(String),
    /// The server answered with an error.
    #[error("Postgres: {0}")]
    Postgres(#[from] sqlx::Error),
    /// A file or process operation failed.
    #[error("{action}: {source}")]
    Io {
        /// What was being done, with the path.
        action: String,
        /// The operating system's answer.
        source: std::io::Error,
    },
}

fn tail(log: &str) -> String {
    if log.is_empty() { String::new() } else { format!("\nthe end of its log:\n{log}") }
}

/// Says what was being done when an operation of the operating system failed.
pub(crate) trait Doing<T> {
    /// Turns the error into [`Error::Io`] with `action` in front.
    fn doing(self, action: impl FnOnce() -> String) -> Result<T, Error>;
}

impl<T> Doing<T> for std::io::Result<T> {
    fn doing(self, action: impl FnOnce() -> String) -> Result<T, Error> {
        self.map_err(|source| Error::Io { action: action(), source })
    }
}
