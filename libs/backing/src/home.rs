//! Where things live: tools, data, logs.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Once;

use sha2::{Digest, Sha256};

use crate::error::{Doing, Error};
use crate::progress::progress;
use crate::run_as::RunAs;

/// The environment variable that names the home.
pub const HOME_VARIABLE: &str = "CALLBOARD_HOME";

/// Where root keeps what an unprivileged user must reach, if the home itself is out of that user's reach.
const FALLBACK: &str = "/var/lib/callboard";

/// The home: what `CALLBOARD_HOME` says, else `.callboard` in the outermost folder above the current one that holds a
/// `Cargo.lock` (the repository, also from within a crate), else `.callboard` in the current folder.
///
/// # Errors
/// [`Error::Io`] if the current folder is not known.
pub fn home() -> Result<PathBuf, Error> {
    let current = std::env::current_dir().doing(|| "asking for the current folder".to_owned())?;
    if let Some(home) = std::env::var_os(HOME_VARIABLE).filter(|value| !value.is_empty()) {
        return Ok(current.join(home));
    }
    let root =
        current.ancestors().filter(|folder| folder.join("Cargo.lock").is_file()).last().unwrap_or(&current);
    Ok(root.join(".callboard"))
}

/// Where the pinned tools of a home are installed, or will be.
///
/// # Errors
/// The home cannot be made.
pub fn tools(home: &Path) -> Result<PathBuf, Error> {
    Ok(Layout::make(home)?.tools())
}

/// The folders under a home.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    base: PathBuf,
}

impl Layout {
    /// Makes the home's folder. If root asks and the user that Postgres will run as cannot get there (`/root` is
    /// closed to others), a folder under `/var/lib/callboard`, named after the home, takes its place.
    pub(crate) fn make(home: &Path) -> Result<Self, Error> {
        let home = std::path::absolute(home).doing(|| format!("finding {}", home.display()))?;
        create(&home)?;
        // Without such a user Postgres cannot be started, and says so itself; all else can.
        let user = match RunAs::decide(&home.join("postgres")) {
            Ok(Some(user)) => user,
            Ok(None) | Err(Error::NoOrdinaryUser(_)) => return Ok(Self { base: home }),
            Err(error) => return Err(error),
        };
        if user.reaches(&home)? {
            return Ok(Self { base: home });
        }
        let mark: String = Sha256::digest(home.as_os_str().as_encoded_bytes())
            .iter()
            .take(6)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let base = Path::new(FALLBACK).join(mark);
        create(&base)?;
        for folder in [Path::new(FALLBACK), &base] {
            open_to_all(folder)?;
        }
        if !user.reaches(&base)? {
            return Err(Error::NoOrdinaryUser(format!(
                "{} can enter neither {} nor {}",
                user.name,
                home.display(),
                base.display()
            )));
        }
        static TOLD: Once = Once::new();
        TOLD.call_once(|| {
            progress(&format!(
                "{} cannot enter {}; using {} instead",
                user.name,
                home.display(),
                base.display()
            ));
        });
        Ok(Self { base })
    }

    pub(crate) fn tools(&self) -> PathBuf {
        self.base.join("tools")
    }

    pub(crate) fn postgres(&self) -> PathBuf {
        self.base.join("postgres")
    }

    pub(crate) fn nats(&self) -> PathBuf {
        self.base.join("nats")
    }
}

fn create(path: &Path) -> Result<(), Error> {
    fs::create_dir_all(path).doing(|| format!("making the folder {}", path.display()))
}

/// Lets every user enter a folder, which root's umask may have forbidden. What is secret inside has modes of its own.
pub(crate) fn open_to_all(path: &Path) -> Result<(), Error> {
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
        .doing(|| format!("setting permissions of {}", path.display()))
}

/// Last lines of a log from a position on, for an error message. Empty if it cannot be read.
pub(crate) fn log_tail(log: &Path, from: u64) -> String {
    const LINES: usize = 20;
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(text.get(from as usize..).unwrap_or_default()).into_owned();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LINES)..].join("\n")
}
