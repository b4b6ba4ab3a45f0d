//! Running a server so that it never outlives whoever started it.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::error::{Doing, Error};
use crate::run_as::RunAs;

/// The shell script that stands between this process and the server; see its head.
///
/// A script, because the ways in which Linux ends a child with its parent (`PR_SET_PDEATHSIG`) hang on the *thread*
/// that started it, and threads of a runtime come and go; and because this one works on every Unix.
const SUPERVISE: &str = include_str!("supervise.sh");

const POLL: Duration = Duration::from_millis(10);

/// How to run a server.
pub(crate) struct Plan<'a> {
    pub(crate) command: Vec<OsString>,
    pub(crate) run_as: Option<&'a RunAs>,
    /// Working folder.
    pub(crate) folder: &'a Path,
    /// Held until the supervisor has ended, which is after the server has.
    pub(crate) lock: &'a File,
    /// Takes the server's output.
    pub(crate) log: &'a Path,
    /// Name of the signal that ends the server in good order.
    pub(crate) stop_signal: &'static str,
    /// How long the server may take to end before it is killed.
    pub(crate) patience: Duration,
    /// What is removed when the server has been stopped for good.
    pub(crate) remove: Option<&'a Path>,
}

/// A running server. Dropped, it is told to stop; so it is if this process dies.
#[derive(Debug)]
pub(crate) struct Supervised {
    supervisor: Child,
    leash: Option<ChildStdin>,
    patience: Duration,
    remove: Option<PathBuf>,
}

impl Supervised {
    pub(crate) fn start(plan: Plan<'_>) -> Result<Self, Error> {
        let doing = || format!("starting {}", plan.command[0].display());
        let log = File::options()
            .create(true)
            .append(true)
            .open(plan.log)
            .doing(|| format!("opening {}", plan.log.display()))?;
        if let Some(user) = plan.run_as {
            user.own(plan.log)?;
        }
        let mut command = Command::new("/bin/sh");
        command
            // Without its head, which is for readers of the file and not of the list of processes.
            .args([
                "-c",
                &SUPERVISE.lines().skip_while(|line| line.starts_with('#')).collect::<Vec<_>>().join(
                    "
",
                ),
            ])
            .args(["callboard-supervise", plan.stop_signal])
            .arg(plan.patience.as_secs().to_string())
            .arg(plan.remove.map(PathBuf::from).unwrap_or_default())
            .args(&plan.command)
            .current_dir(plan.folder)
            // A Ctrl-C in the terminal is for the program, which stops its servers last.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(plan.lock.try_clone().doing(doing)?)
            .stderr(log);
        clean_environment(&mut command);
        if let Some(user) = plan.run_as {
            user.apply(&mut command);
        }
        let mut supervisor = command.spawn().doing(doing)?;
        let leash = supervisor.stdin.take();
        Ok(Self { supervisor, leash, patience: plan.patience, remove: plan.remove.map(PathBuf::from) })
    }

    /// How the server ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.supervisor.try_wait().ok().flatten()
    }

    /// Ends the server for good: in good order, by force after its patience; and waits for that.
    pub(crate) async fn stop(&mut self) -> Result<(), Error> {
        drop(self.leash.take());
        self.wait().await
    }

    /// Ends the server as [`stop`](Self::stop), to be started again by another: its folder stays.
    pub(crate) async fn pause(&mut self) -> Result<(), Error> {
        self.order("stop");
        self.wait().await?;
        self.remove = None;
        Ok(())
    }

    /// Ends the server at once, as a crash would, and waits for that. Its folder stays until this is dropped.
    pub(crate) async fn kill(&mut self) -> Result<(), Error> {
        self.order("kill");
        self.wait().await
    }

    /// Says a word to the supervisor. It may have ended already with its server; then there is nothing to order.
    fn order(&mut self, word: &str) {
        if let Some(leash) = &mut self.leash {
            let _ = writeln!(leash, "{word}");
        }
    }

    async fn wait(&mut self) -> Result<(), Error> {
        let deadline = Instant::now() + self.patience + Duration::from_secs(10);
        while self.ended().is_none() {
            if Instant::now() > deadline {
                return Err(std::io::Error::from(std::io::ErrorKind::TimedOut))
                    .doing(|| "waiting for a server to stop".to_owned());
            }
            sleep(POLL).await;
        }
        Ok(())
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        // The supervisor removes the folder after the server. If it has gone before, that is left to do here.
        if self.ended().is_some()
            && let Some(folder) = &self.remove
        {
            let _ = fs::remove_dir_all(folder);
        }
    }
}

/// Takes away variables that would make Postgres' programs do something else than they are told.
pub(crate) fn clean_environment(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let name_text = name.to_string_lossy();
        if (name_text.starts_with("PG") && !name_text.contains('_'))
            || name_text.starts_with("LC_")
            || name == "LANG"
        {
            command.env_remove(&name);
        }
    }
}

/// Whether a process lives.
pub(crate) fn is_alive(pid: u32) -> bool {
    if Path::new("/proc/self").exists() {
        return Path::new(&format!("/proc/{pid}")).exists();
    }
    signal(pid, "0")
}

/// The command line of a live process, words separated by blanks; empty if it does not live.
fn command_line(pid: u32) -> String {
    if let Ok(raw) = fs::read(format!("/proc/{pid}/cmdline")) {
        return String::from_utf8_lossy(&raw).replace('\0', " ");
    }
    Command::new("ps")
        .args(["-o", "args=", "-p", &pid.to_string()])
        .stdin(Stdio::null())
        .output()
        .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
        .unwrap_or_default()
}

fn signal(pid: u32, name: &str) -> bool {
    Command::new("/bin/sh")
        .args(["-c", "kill -\"$1\" \"$2\" 2>/dev/null", "sh", name, &pid.to_string()])
        .stdin(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Ends a server that outlived both its starter and its supervisor. To be called with the folder's lock held, so that
/// no live one's server is meant.
///
/// The process id comes from a file that a server left behind, and may since belong to something else: only a process
/// whose command line names `data` is touched.
pub(crate) async fn end_orphan(pid_file: &Path, data: &Path, stop_signal: &str) {
    let pid =
        fs::read_to_string(pid_file).ok().and_then(|text| text.lines().next()?.trim().parse::<u32>().ok());
    let is_server = |pid: u32| command_line(pid).contains(&*data.to_string_lossy());
    if let Some(pid) = pid
        && is_server(pid)
    {
        signal(pid, stop_signal);
        let deadline = Instant::now() + Duration::from_secs(20);
        while is_server(pid) && Instant::now() < deadline {
            sleep(POLL).await;
        }
        if is_server(pid) {
            signal(pid, "KILL");
            while is_server(pid) && Instant::now() < deadline + Duration::from_secs(5) {
                sleep(POLL).await;
            }
        }
    }
    // A file that names a process which is now something else would keep Postgres from starting.
    let _ = fs::remove_file(pid_file);
}
