//! A local NATS server with JetStream.

use std::ffi::OsString;
use std::fs::{self, File};
use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use crate::error::{Doing, Error};
use crate::find::{Choice, Search};
use crate::folder::Folder;
use crate::home::{Layout, log_tail};
use crate::options::{Data, Options};
use crate::process::{Plan, Supervised, end_orphan};
use crate::run_as::RunAs;
use crate::tools::{Tool, pinned_version, provide};
use crate::version::{Program, Version, probe};

/// Sessions are closed, JetStream is flushed.
const STOP: &str = "TERM";

/// How long a start may take, the recovery of streams included.
const START: Duration = Duration::from_secs(60);

/// A NATS server of one's own on the loopback address, with JetStream on disk and without accounts.
///
/// Stopped by [`stop`](Self::stop). Dropped, it is told to stop and does so on its own; so it does if this process
/// dies, however it dies.
#[derive(Debug)]
pub struct Nats {
    folder: Folder,
    lock: File,
    executable: PathBuf,
    port: u16,
    /// What the server calls itself, to be told from any other that took its port.
    name: String,
    fast_unsafe: bool,
    server: Supervised,
}

impl Nats {
    /// Starts a server, whatever [`Options::nats_url`] says. Returns when JetStream is ready.
    ///
    /// # Errors
    /// Those of [`Error`]: no usable binary, the folder in use or another's, or the server's own refusal with the end
    /// of its log.
    pub async fn start(options: &Options) -> Result<Self, Error> {
        let asked = options.clone();
        let (mut folder, executable) = tokio::task::spawn_blocking(move || survey(&asked))
            .await
            .map_err(std::io::Error::other)
            .doing(|| "looking for nats-server".to_owned())??;
        let lock = folder.lock().await?;
        end_orphan(&folder.join("pid"), &folder.join("nats.conf"), STOP).await;
        let port = folder.port()?;
        let name = format!("callboard-{:016x}", RandomState::new().hash_one(port));
        let server = launch(&folder, &lock, &executable, port, &name, options.fast_unsafe)?;
        folder.hand_over();
        let fast_unsafe = options.fast_unsafe;
        let mut nats = Self { folder, lock, executable, port, name, fast_unsafe, server };
        nats.ready(false).await?;
        Ok(nats)
    }

    /// Address for clients. Stays the same over [`restart`](Self::restart).
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Port on the loopback address.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The server's log.
    pub fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    /// Where JetStream keeps its streams. Crash tests may cut or remove them while the server is killed.
    pub fn store_dir(&self) -> PathBuf {
        self.folder.join("store")
    }

    /// Ends the server in good order and waits for it. Ephemeral data is gone then.
    ///
    /// # Errors
    /// [`Error::Io`] if it does not end within 40 seconds.
    pub async fn stop(mut self) -> Result<(), Error> {
        self.server.stop().await
    }

    /// Kills the server as a crash would. [`restart`](Self::restart) brings it back with the data it had.
    ///
    /// # Errors
    /// [`Error::Io`] if it does not go.
    pub async fn kill(&mut self) -> Result<(), Error> {
        self.server.kill().await
    }

    /// Starts the server anew on the same port with the same data; ends it in good order first if it runs.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn restart(&mut self) -> Result<(), Error> {
        self.server.pause().await?;
        self.launch()?;
        self.ready(true).await
    }

    fn launch(&mut self) -> Result<(), Error> {
        let Self { folder, lock, executable, port, name, fast_unsafe, .. } = self;
        self.server = launch(folder, lock, executable, *port, name, *fast_unsafe)?;
        Ok(())
    }

    async fn ready(&mut self, fixed: bool) -> Result<(), Error> {
        let deadline = Instant::now() + START;
        let (log, mut from) = self.folder.log();
        let mut ports_left = 5;
        loop {
            if let Some(status) = self.server.ended() {
                let log_tail = log_tail(&log, from);
                if log_tail.contains("address already in use") && ports_left > 0 {
                    ports_left -= 1;
                    if !fixed {
                        self.port = self.folder.new_port()?;
                    }
                } else {
                    let reason = format!("it ended with {status}");
                    return Err(Error::NotStarted { program: Program::Nats, reason, log_tail });
                }
                sleep(Duration::from_millis(200)).await;
                from = self.folder.log().1;
                self.server.pause().await?;
                self.launch()?;
            }
            let reason = match greeting(&format!("127.0.0.1:{}", self.port)).await {
                Ok(greeting) if greeting.server_name != self.name => "another server has its port".to_owned(),
                Ok(greeting) if greeting.jetstream => return Ok(()),
                Ok(_) => "JetStream is not ready".to_owned(),
                Err(error) => error.to_string(),
            };
            if Instant::now() > deadline {
                let log_tail = log_tail(&log, from);
                return Err(Error::NotStarted { program: Program::Nats, reason, log_tail });
            }
            sleep(Duration::from_millis(10)).await;
        }
    }
}

fn survey(options: &Options) -> Result<(Folder, PathBuf), Error> {
    let layout = Layout::make(&options.home)?;
    let executable =
        match Search::from_env(Program::Nats).choose(probe, pinned_version(Program::Nats), None)? {
            Choice::Installed(executable, _) => executable,
            Choice::Pinned => provide(&layout.tools(), Tool::NatsServer)?,
        };
    let folder = match &options.data {
        Data::Ephemeral => Folder::ephemeral("nats", None)?,
        Data::Kept(place) => {
            let path = Layout::make(place)?.nats();
            // NATS has nothing against root; but what an ordinary user began, root goes on with as that user.
            let run_as = RunAs::owner(&path)?;
            Folder::kept(path, run_as)?
        }
    };
    Ok((folder, executable))
}

fn launch(
    folder: &Folder,
    lock: &File,
    executable: &Path,
    port: u16,
    name: &str,
    fast_unsafe: bool,
) -> Result<Supervised, Error> {
    // The broker acknowledges before it syncs. What a crash of the machine takes, relays publish again (ADR 0014).
    let sync = if fast_unsafe { "" } else { "  sync_interval: \"1s\"\n" };
    let quoted = |name: &str| serde_json::Value::from(folder.join(name).to_string_lossy()).to_string();
    let configuration = folder.write_private(
        "nats.conf",
        &format!(
            "listen: \"127.0.0.1:{port}\"\nserver_name: {name}\npid_file: {pid}\njetstream {{\n  store_dir: {store}\n  \
             max_file_store: 64GB\n  max_memory_store: 1GB\n{sync}}}\n",
            pid = quoted("pid"),
            store = quoted("store"),
        ),
    )?;
    let _ = fs::remove_file(folder.join("pid"));
    let (log, _) = folder.log();
    let command: Vec<OsString> = vec![executable.into(), "-c".into(), configuration.into()];
    Supervised::start(Plan {
        command,
        run_as: folder.run_as.as_ref(),
        folder: &folder.path,
        lock,
        log: &log,
        stop_signal: STOP,
        patience: Duration::from_secs(30),
        remove: folder.to_remove(),
    })
}

/// What a NATS server says of itself to whoever connects.
#[derive(Debug, serde::Deserialize)]
struct Greeting {
    version: String,
    #[serde(default)]
    server_name: String,
    #[serde(default)]
    jetstream: bool,
}

/// Connects, reads the greeting, goes.
async fn greeting(address: &str) -> std::io::Result<Greeting> {
    let read = async {
        let mut line = String::new();
        BufReader::new(TcpStream::connect(address).await?).read_line(&mut line).await?;
        let json = line
            .strip_prefix("INFO ")
            .ok_or_else(|| std::io::Error::other("it does not greet as NATS does"))?;
        serde_json::from_str(json).map_err(std::io::Error::other)
    };
    timeout(Duration::from_secs(5), read).await.map_err(std::io::Error::from)?
}

/// Refuses a running server that is too old. An address that this cannot read (several servers, WebSocket) is left to
/// the client, which reports the version as well.
pub(crate) async fn check_given(url: &str, setting: &'static str) -> Result<(), Error> {
    let Some(address) = address_of(url) else { return Ok(()) };
    let greeting = greeting(&address).await.map_err(|error| Error::Unreachable {
        program: Program::Nats,
        setting,
        reason: error.to_string(),
    })?;
    match Version::parse(&greeting.version) {
        Some(found) if found < Program::Nats.minimum() => {
            Err(Error::ServerTooOld { program: Program::Nats, setting, found })
        }
        _ => Ok(()),
    }
}

/// Host and port of `nats://user:password@host:port`.
fn address_of(url: &str) -> Option<String> {
    let rest = match url.split_once("://") {
        Some(("nats" | "tls", rest)) => rest,
        Some(_) => return None,
        None => url,
    };
    let host = rest.rsplit('@').next()?.trim_end_matches('/');
    if host.is_empty() || host.contains(',') {
        return None;
    }
    let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    Some(if has_port { host.to_owned() } else { format!("{host}:4222") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_from_urls() {
        for (url, expected) in [
            ("nats://127.0.0.1:20001", Some("127.0.0.1:20001")),
            ("nats://me:secret@broker", Some("broker:4222")),
            ("tls://broker:4443/", Some("broker:4443")),
            ("broker", Some("broker:4222")),
            ("ws://broker:80", None),
            ("nats://a:1,b:2", None),
        ] {
            assert_eq!(address_of(url).as_deref(), expected, "{url}");
        }
    }
}
