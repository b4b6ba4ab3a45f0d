//! As whom Postgres runs: it refuses to run as root.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::error::{Doing, Error};

/// An unprivileged user that root hands Postgres over to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RunAs {
    pub(crate) name: String,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

impl RunAs {
    /// `None` if this process is not root. Otherwise the owner of `data` if it is there already, else the user
    /// `postgres`, else `nobody`.
    pub(crate) fn decide(data: &Path) -> Result<Option<Self>, Error> {
        if effective_uid()? != 0 {
            return Ok(None);
        }
        if let Some(owner) = Self::owner(data)? {
            return Ok(Some(owner));
        }
        let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
        ["postgres", "nobody"].into_iter().find_map(|name| Self::listed(&users, name)).map(Some).ok_or_else(
            || Error::NoOrdinaryUser("there is neither a user postgres nor a user nobody".to_owned()),
        )
    }

    /// The owner of what is there, if this process is root and the owner is not.
    pub(crate) fn owner(path: &Path) -> Result<Option<Self>, Error> {
        let Ok(metadata) = fs::metadata(path) else { return Ok(None) };
        let (uid, gid) = (metadata.uid(), metadata.gid());
        let ours = uid != 0 && effective_uid()? == 0;
        Ok(ours.then(|| Self { name: format!("user id {uid}"), uid, gid }))
    }

    fn listed(users: &str, name: &str) -> Option<Self> {
        users.lines().find_map(|line| {
            let mut fields = line.split(':');
            (fields.next() == Some(name)).then_some(())?;
            let uid = fields.nth(1)?.parse().ok()?;
            let gid = fields.next()?.parse().ok()?;
            (uid != 0).then(|| Self { name: format!("user {name}"), uid, gid })
        })
    }

    /// Lets the command run as this user, without root's groups.
    pub(crate) fn apply(&self, command: &mut Command) {
        command.uid(self.uid).gid(self.gid);
    }

    /// Whether this user can get at the path: enter it if it is a folder, run it if it is a program.
    pub(crate) fn reaches(&self, path: &Path) -> Result<bool, Error> {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "test -x \"$1\"", "sh"]).arg(path).current_dir("/").stdin(Stdio::null());
        self.apply(&mut command);
        let status = command.status().map_err(|error| {
            Error::NoOrdinaryUser(format!("it is not possible to run anything as {} ({error})", self.name))
        })?;
        Ok(status.success())
    }

    /// Gives the file or folder to this user.
    pub(crate) fn own(&self, path: &Path) -> Result<(), Error> {
        std::os::unix::fs::chown(path, Some(self.uid), Some(self.gid))
            .doing(|| format!("giving {} to {}", path.display(), self.name))
    }
}

/// The user id that this process acts with.
pub(crate) fn effective_uid() -> Result<u32, Error> {
    let output =
        Command::new("id").arg("-u").stdin(Stdio::null()).output().doing(|| "running id -u".to_owned())?;
    String::from_utf8_lossy(&output.stdout)
        .trim()
        .parse()
        .map_err(std::io::Error::other)
        .doing(|| "reading what id -u prints".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_found_by_name_and_root_never_counts() {
        let users = "root:x:0:0:root:/root:/bin/sh\npostgres:x:101:104:,,,:/var/lib/postgresql:/bin/bash\n\
                     nobody:x:0:0::/:/bin/false\n";
        let found = RunAs::listed(users, "postgres").expect("is listed");
        assert_eq!((found.uid, found.gid), (101, 104));
        assert_eq!(RunAs::listed(users, "nobody"), None);
        assert_eq!(RunAs::listed(users, "post"), None);
    }
}
