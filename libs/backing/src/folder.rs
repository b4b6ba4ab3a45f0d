//! The folder of one server: made, owned, locked, its log and its port.

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io::{Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::error::{Doing, Error};
use crate::port::{free_port, is_free};
use crate::process::is_alive;
use crate::progress::progress;
use crate::run_as::{RunAs, effective_uid};

/// A log longer than this is put aside at the next start.
const LONG_LOG: u64 = 8 * 1024 * 1024;

/// The folder of one server.
#[derive(Debug)]
pub(crate) struct Folder {
    pub(crate) path: PathBuf,
    /// Goes with the server.
    pub(crate) ephemeral: bool,
    pub(crate) run_as: Option<RunAs>,
    /// Whether this is to remove the folder: ephemeral, and no server has been started in it yet.
    abandoned: bool,
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.abandoned {
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

impl Folder {
    /// A folder that stays. Open to its owner alone.
    pub(crate) fn kept(path: PathBuf, run_as: Option<RunAs>) -> Result<Self, Error> {
        if !path.is_dir() {
            DirBuilder::new()
                .mode(0o700)
                .recursive(true)
                .create(&path)
                .doing(|| format!("making the folder {}", path.display()))?;
        }
        match &run_as {
            Some(user) => user.own(&path)?,
            None => {
                let owner = fs::metadata(&path).doing(|| format!("looking at {}", path.display()))?.uid();
                // Root may use anybody's.
                if ![0, owner].contains(&effective_uid()?) {
                    return Err(Error::NotOurs { path, owner });
                }
            }
        }
        Ok(Self { path, ephemeral: false, run_as, abandoned: false })
    }

    /// A folder for one run, in the system's place for such.
    pub(crate) fn ephemeral(name: &str, run_as: Option<RunAs>) -> Result<Self, Error> {
        let mut place = std::env::temp_dir();
        if let Some(user) = &run_as
            && !user.reaches(&place)?
        {
            place = PathBuf::from("/tmp");
        }
        let path = tempfile::Builder::new()
            .prefix(&format!("callboard-{name}-"))
            .tempdir_in(&place)
            .doing(|| format!("making a folder in {}", place.display()))?
            .keep();
        let folder = Self { path, ephemeral: true, run_as, abandoned: true };
        folder.own(&folder.path)?;
        Ok(folder)
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Leaves the removal to the server that has been started in it.
    pub(crate) fn hand_over(&mut self) {
        self.abandoned = false;
    }

    /// What the supervisor removes at the end.
    pub(crate) fn to_remove(&self) -> Option<&Path> {
        self.ephemeral.then_some(self.path.as_path())
    }

    /// Takes the folder for this process. If its holder has died, the holder's server is still stopping: waits for
    /// that. A live holder is given two seconds, then refused.
    pub(crate) async fn lock(&self) -> Result<File, Error> {
        let path = self.join("lock");
        let doing = || format!("locking {}", path.display());
        let mut file =
            File::options().create(true).truncate(false).read(true).write(true).open(&path).doing(doing)?;
        let begun = Instant::now();
        let mut told = false;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::Error(error)) => return Err(error).doing(doing),
                Err(TryLockError::WouldBlock) => {}
            }
            let holder = fs::read_to_string(&path).unwrap_or_default().trim().to_owned();
            let lives = holder.parse().is_ok_and(is_alive);
            if begun.elapsed() > Duration::from_secs(if lives { 2 } else { 90 }) {
                let holder = if holder.is_empty() { "?".to_owned() } else { holder };
                return Err(Error::InUse { path: self.path.clone(), holder });
            }
            if !lives && !told {
                told = true;
                progress(&format!(
                    "waiting for the server of the last run in {} to stop",
                    self.path.display()
                ));
            }
            sleep(Duration::from_millis(20)).await;
        }
        self.own(&path)?;
        file.set_len(0).doing(doing)?;
        file.rewind().doing(doing)?;
        file.write_all(format!("{}\n", std::process::id()).as_bytes()).doing(doing)?;
        Ok(file)
    }

    /// The server's log, an over-long one put aside, and where the next lines will stand in it.
    pub(crate) fn log(&self) -> (PathBuf, u64) {
        let path = self.join("log");
        let length = fs::metadata(&path).map_or(0, |metadata| metadata.len());
        if length > LONG_LOG && fs::rename(&path, self.join("log.1")).is_ok() {
            return (path, 0);
        }
        (path, length)
    }

    /// The port of the last start if it is free, so that addresses stay; else a new one.
    pub(crate) fn port(&self) -> Result<u16, Error> {
        let last = fs::read_to_string(self.join("port")).ok().and_then(|text| text.trim().parse().ok());
        match last {
            Some(port) if is_free(port).is_ok() => Ok(port),
            _ => self.new_port(),
        }
    }

    /// A new port, remembered for the next start.
    pub(crate) fn new_port(&self) -> Result<u16, Error> {
        let port = free_port().doing(|| "looking for a free port".to_owned())?;
        let path = self.join("port");
        fs::write(&path, format!("{port}\n")).doing(|| format!("writing {}", path.display()))?;
        self.own(&path)?;
        Ok(port)
    }

    /// Writes a file that only the server's user may read.
    pub(crate) fn write_private(&self, name: &str, content: &str) -> Result<PathBuf, Error> {
        let path = self.join(name);
        let doing = || format!("writing {}", path.display());
        let _ = fs::remove_file(&path);
        let mut file = File::options().create_new(true).write(true).mode(0o600).open(&path).doing(doing)?;
        file.write_all(content.as_bytes()).doing(doing)?;
        self.own(&path)?;
        Ok(path)
    }

    /// What root makes here belongs to the server's user, so that this user can start from the folder as well.
    fn own(&self, path: &Path) -> Result<(), Error> {
        self.run_as.as_ref().map_or(Ok(()), |user| user.own(path))
    }
}
