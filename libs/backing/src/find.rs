//! Which binaries are used: named ones, else those on the path or in the usual places, else the pinned ones.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::version::{Program, Version};

/// What the variables [`Program::variable`] take instead of a path to ask for the pinned binaries, whatever is on
/// the path.
pub const PINNED: &str = "pinned";

/// Where to look for one program.
#[derive(Debug, Clone)]
pub struct Search {
    /// Which program.
    pub program: Program,
    /// The value of the program's variable: a path, or [`PINNED`].
    pub named: Option<PathBuf>,
    /// Folders to look in, best first.
    pub folders: Vec<PathBuf>,
}

/// What to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// Binaries that are there: the executable and its version.
    Installed(PathBuf, Version),
    /// The pinned ones, to be installed if they are not yet.
    Pinned,
}

impl Search {
    /// Looks where this process's environment says: the program's variable, `PATH`, then the usual places.
    pub fn from_env(program: Program) -> Self {
        let named = std::env::var_os(program.variable()).filter(|value| !value.is_empty()).map(PathBuf::from);
        let path = std::env::var_os("PATH").unwrap_or_default();
        Self { program, named, folders: folders(program, &path) }
    }

    /// Chooses binaries. `probe` tells an executable's version or why it has none; `data` is the major version that
    /// wrote the data folder (Postgres only) and `pinned` the version of the pinned binaries.
    ///
    /// Those found on the way that are too old or of another major than the data are passed over.
    ///
    /// # Errors
    /// - [`Error::Unusable`] or [`Error::TooOld`] if the variable names something that does not serve;
    /// - [`Error::OtherMajor`] if there is data that nothing at hand can open (`data_folder` is for the message).
    pub fn choose(
        &self,
        probe: impl Fn(&Path) -> Result<Version, String>,
        pinned: Version,
        data: Option<(u32, &Path)>,
    ) -> Result<Choice, Error> {
        let fits = |version: Version| data.is_none_or(|(major, _)| major == version.major);
        let other_major = |available: String| {
            let (data, path) = data.unwrap_or((0, Path::new("")));
            Error::OtherMajor { path: path.to_owned(), data, available }
        };
        match &self.named {
            Some(word) if word.as_os_str() == OsStr::new(PINNED) => {}
            Some(path) => {
                let executable = self.named_executable(path)?;
                let found = probe(&executable).map_err(|reason| self.unusable(path, reason))?;
                if found < self.program.minimum() {
                    return Err(Error::TooOld { program: self.program, path: executable, found });
                }
                if !fits(found) {
                    return Err(other_major(found.to_string()));
                }
                return Ok(Choice::Installed(executable, found));
            }
            None => {
                for executable in self.folders.iter().filter_map(|folder| self.executable_in(folder)) {
                    match probe(&executable) {
                        Ok(found) if found >= self.program.minimum() && fits(found) => {
                            return Ok(Choice::Installed(executable, found));
                        }
                        _ => {}
                    }
                }
            }
        }
        if fits(pinned) { Ok(Choice::Pinned) } else { Err(other_major(pinned.to_string())) }
    }

    /// The variable may name the file or, for Postgres, its folder.
    fn named_executable(&self, path: &Path) -> Result<PathBuf, Error> {
        let folder = if path.is_dir() { path } else { path.parent().unwrap_or(Path::new("")) };
        match self.program {
            Program::Postgres => self
                .executable_in(folder)
                .ok_or_else(|| self.unusable(path, "there are no postgres and initdb there".to_owned())),
            Program::Nats if path.is_file() => Ok(path.to_owned()),
            Program::Nats => self
                .executable_in(path)
                .ok_or_else(|| self.unusable(path, "there is no such file".to_owned())),
        }
    }

    /// The program's executable in a folder, links followed: Postgres finds its own parts beside the real file.
    /// A Postgres without its `initdb` does not count.
    fn executable_in(&self, folder: &Path) -> Option<PathBuf> {
        let executable =
            folder.join(self.program.executable()).canonicalize().ok().filter(|file| file.is_file())?;
        match self.program {
            Program::Postgres if !executable.with_file_name("initdb").is_file() => None,
            _ => Some(executable),
        }
    }

    fn unusable(&self, path: &Path, reason: String) -> Error {
        Error::Unusable { program: self.program, path: path.to_owned(), reason }
    }
}

/// The folders of `path`, then the usual places, newest version first, each once.
fn folders(program: Program, path: &OsStr) -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> =
        std::env::split_paths(path).filter(|folder| folder.is_absolute()).collect();
    match program {
        Program::Postgres => {
            // Debian's and its children's, Red Hat's, Homebrew's, Postgres.app's.
            folders.extend(versioned("/usr/lib/postgresql", "", "bin"));
            folders.extend(versioned("/usr", "pgsql-", "bin"));
            folders.push("/usr/local/pgsql/bin".into());
            folders.extend(versioned("/opt/homebrew/opt", "postgresql@", "bin"));
            folders.extend(versioned("/usr/local/opt", "postgresql@", "bin"));
            folders.push("/Applications/Postgres.app/Contents/Versions/latest/bin".into());
        }
        Program::Nats => {
            folders
                .extend(["/usr/local/bin", "/usr/bin", "/usr/sbin", "/opt/homebrew/bin"].map(PathBuf::from));
        }
    }
    let mut seen = std::collections::HashSet::new();
    folders.retain(|folder| seen.insert(folder.clone()));
    folders
}

/// `<root>/<prefix><number>/<leaf>` for every number there, highest first.
fn versioned(root: &str, prefix: &str, leaf: &str) -> Vec<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = std::fs::read_dir(root)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let number = entry.file_name().to_str()?.strip_prefix(prefix)?.parse().ok()?;
            Some((number, entry.path().join(leaf)))
        })
        .collect();
    found.sort_by_key(|(number, _)| std::cmp::Reverse(*number));
    found.into_iter().map(|(_, folder)| folder).collect()
}
