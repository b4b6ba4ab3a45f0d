//! A local Postgres server.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio::time::{Instant, sleep, timeout};

use crate::error::{Doing, Error};
use crate::find::{Choice, Search};
use crate::folder::Folder;
use crate::home::{Layout, log_tail};
use crate::options::{Data, Options};
use crate::process::{Plan, Supervised, clean_environment, end_orphan};
use crate::progress::progress;
use crate::run_as::RunAs;
use crate::tools::{Tool, pinned_version, provide};
use crate::version::{Program, Version, probe};

/// The role that owns everything, and the database made for it at the first start.
const USER: &str = "callboard";

/// "Fast shutdown": sessions are ended, what they had not committed is rolled back.
const STOP: &str = "INT";

/// How long a start may take, recovery after a crash included.
const START: Duration = Duration::from_secs(120);

/// A Postgres server of one's own on the loopback address: at least 200 connections, a superuser with a random
/// password, no socket files.
///
/// Stopped by [`stop`](Self::stop). Dropped, it is told to stop and does so on its own; so it does if this process
/// dies, however it dies.
#[derive(Debug)]
pub struct Postgres {
    folder: Folder,
    lock: File,
    bin: PathBuf,
    password: String,
    port: u16,
    fast_unsafe: bool,
    server: Supervised,
}

/// What is found out before anything is started.
struct Ground {
    folder: Folder,
    bin: PathBuf,
    version: Version,
}

impl Postgres {
    /// Starts a server, whatever [`Options::database_url`] says. Returns when it takes connections.
    ///
    /// # Errors
    /// Those of [`Error`]: no usable binaries, the folder in use or another's, or the server's own refusal with the
    /// end of its log.
    pub async fn start(options: &Options) -> Result<Self, Error> {
        let asked = options.clone();
        let ground = tokio::task::spawn_blocking(move || Ground::survey(&asked))
            .await
            .map_err(std::io::Error::other)
            .doing(|| "looking for Postgres".to_owned())??;
        let Ground { mut folder, bin, version } = ground;
        let lock = folder.lock().await?;
        end_orphan(&folder.join("data/postmaster.pid"), &folder.join("data"), STOP).await;

        let made = !folder.join("data/PG_VERSION").is_file();
        if made {
            if !folder.ephemeral {
                progress(&format!(
                    "making a Postgres {} database in {}",
                    version.major,
                    folder.path.display()
                ));
            }
            initialise(&folder, &bin, version)?;
        }
        let password = folder.join("password");
        let password = fs::read_to_string(&password)
            .doing(|| format!("reading {}", password.display()))?
            .trim()
            .to_owned();
        let port = folder.port()?;
        let server = launch(&folder, &lock, &bin, port, options.fast_unsafe)?;
        folder.hand_over();
        let mut postgres =
            Self { folder, lock, bin, password, port, fast_unsafe: options.fast_unsafe, server };
        postgres.ready(false).await?;
        postgres.create_database(USER).await?;
        Ok(postgres)
    }

    /// Address of the database `callboard`, password included. Stays the same over [`restart`](Self::restart).
    pub fn url(&self) -> String {
        self.url_of(USER)
    }

    /// Address of the database with this name, which need not exist.
    pub fn url_of(&self, database: &str) -> String {
        format!("postgres://{USER}:{}@127.0.0.1:{}/{database}", self.password, self.port)
    }

    /// Folder of `postgres`, `initdb` and, if installed with them, `psql`, `pgbench`, `pg_dump`.
    pub fn bin_dir(&self) -> &Path {
        &self.bin
    }

    /// Port on the loopback address.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The server's log.
    pub fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    /// Makes sure that there is a database with this name and returns its address.
    ///
    /// # Errors
    /// [`Error::DatabaseName`] unless it is 1 to 63 of `a-z`, `0-9`, `_`, not beginning with a digit;
    /// [`Error::Postgres`] with the server's answer.
    pub async fn create_database(&self, name: &str) -> Result<String, Error> {
        create_database(&self.url_of("postgres"), name).await?;
        Ok(self.url_of(name))
    }

    /// Ends the server in good order and waits for it. Ephemeral data is gone then.
    ///
    /// # Errors
    /// [`Error::Io`] if it does not end within 70 seconds.
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
        self.server = launch(&self.folder, &self.lock, &self.bin, self.port, self.fast_unsafe)?;
        self.ready(true).await
    }

    /// Waits until the server takes connections. What passes by itself is waited for: a port taken in the same moment
    /// (another is chosen, unless the port is `fixed`), and sessions of a killed server that have yet to end.
    async fn ready(&mut self, fixed: bool) -> Result<(), Error> {
        let deadline = Instant::now() + START;
        let (log, mut from) = self.folder.log();
        let mut ports_left = 5;
        let mut tell = Instant::now() + Duration::from_secs(5);
        loop {
            if let Some(status) = self.server.ended() {
                let log_tail = log_tail(&log, from);
                let lingering =
                    log_tail.contains("pre-existing shared memory block") || log_tail.contains("lock file");
                let taken =
                    log_tail.contains("Address already in use") || log_tail.contains("could not bind");
                if taken && !fixed && ports_left > 0 {
                    ports_left -= 1;
                    self.port = self.folder.new_port()?;
                } else if !((lingering || taken) && Instant::now() < deadline) {
                    let reason = format!("it ended with {status}");
                    return Err(Error::NotStarted { program: Program::Postgres, reason, log_tail });
                }
                sleep(Duration::from_millis(200)).await;
                from = self.folder.log().1;
                self.server.pause().await?;
                self.server = launch(&self.folder, &self.lock, &self.bin, self.port, self.fast_unsafe)?;
            }
            let reason = match timeout(Duration::from_secs(5), connect(&self.url_of("postgres"))).await {
                Ok(Ok(connection)) => {
                    let _ = connection.close().await;
                    return Ok(());
                }
                Ok(Err(error)) => error.to_string(),
                Err(_) => "it does not answer".to_owned(),
            };
            if Instant::now() > deadline {
                let log_tail = log_tail(&log, from);
                return Err(Error::NotStarted { program: Program::Postgres, reason, log_tail });
            }
            if Instant::now() > tell {
                progress(&format!("Postgres is starting ({reason})"));
                tell += Duration::from_secs(10);
            }
            sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Ground {
    fn survey(options: &Options) -> Result<Self, Error> {
        let layout = Layout::make(&options.home)?;
        let folder = match &options.data {
            Data::Ephemeral => Folder::ephemeral("postgres", RunAs::decide(&layout.postgres())?)?,
            Data::Kept(place) => {
                let path = Layout::make(place)?.postgres();
                let run_as = RunAs::decide(&path)?;
                Folder::kept(path, run_as)?
            }
        };
        let (executable, version) = find(&layout, &folder)?;
        let bin = executable.parent().unwrap_or(Path::new("/")).to_owned();
        Ok(Self { folder, bin, version })
    }
}

/// Finds or installs `postgres` for this folder: one that its data and its user can live with.
fn find(layout: &Layout, folder: &Folder) -> Result<(PathBuf, Version), Error> {
    let program = Program::Postgres;
    let data = folder.join("data");
    let major = fs::read_to_string(data.join("PG_VERSION")).ok().and_then(|text| text.trim().parse().ok());
    let reachable = |executable: &Path| match &folder.run_as {
        Some(user) => user.reaches(executable),
        None => Ok(true),
    };
    let search = Search::from_env(program);
    let choice = search.choose(
        |executable| match reachable(executable) {
            Ok(true) => probe(executable),
            Ok(false) => {
                Err(format!("the user that Postgres has to run as cannot reach {}", executable.display()))
            }
            Err(error) => Err(error.to_string()),
        },
        pinned_version(program),
        major.map(|major| (major, data.as_path())),
    )?;
    match choice {
        Choice::Installed(executable, version) => Ok((executable, version)),
        Choice::Pinned => {
            let executable = provide(&layout.tools(), Tool::Postgres)?;
            if !reachable(&executable)? {
                let text = format!("the user it would run as cannot reach {}", executable.display());
                return Err(Error::NoOrdinaryUser(text));
            }
            Ok((executable, pinned_version(program)))
        }
    }
}

/// Makes the data folder: beside its place, then moved there, so that a broken-off one is never taken for whole.
fn initialise(folder: &Folder, bin: &Path, version: Version) -> Result<(), Error> {
    let mut random = [0_u8; 16];
    File::open("/dev/urandom")
        .and_then(|mut source| source.read_exact(&mut random))
        .doing(|| "reading /dev/urandom".to_owned())?;
    let password: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    let password_file = folder.write_private("password", &password)?;

    // Order by code point, letters of all languages known (full text folds them by LC_CTYPE); as far as the system has
    // such a locale. From 17 on Postgres brings its own for everything but full text.
    let own: &[&str] =
        if version.major >= 17 { &["--locale-provider=builtin", "--builtin-locale=C.UTF-8"] } else { &[] };
    let mut refusal = String::new();
    for letters in ["C.UTF-8", "en_US.UTF-8", "C"] {
        let fresh = folder.join("data.new");
        let _ = fs::remove_dir_all(&fresh);
        let mut command = Command::new(bin.join("initdb"));
        command
            .arg("-D")
            .arg(&fresh)
            .arg("--pwfile")
            .arg(&password_file)
            .args(["-U", USER, "-A", "password", "--encoding=UTF8", "--no-instructions", "--locale=C"])
            .arg(format!("--lc-ctype={letters}"))
            .args(own)
            .current_dir(&folder.path)
            .stdin(Stdio::null());
        if folder.ephemeral {
            command.arg("--no-sync");
        }
        clean_environment(&mut command);
        if let Some(user) = &folder.run_as {
            user.apply(&mut command);
        }
        let output = command.output().doing(|| format!("running {}", bin.join("initdb").display()))?;
        if output.status.success() {
            let data = folder.join("data");
            return fs::rename(&fresh, &data)
                .doing(|| format!("moving the new database to {}", data.display()));
        }
        refusal = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    }
    let reason = "its initdb failed".to_owned();
    Err(Error::NotStarted { program: Program::Postgres, reason, log_tail: refusal })
}

fn launch(
    folder: &Folder,
    lock: &File,
    bin: &Path,
    port: u16,
    fast_unsafe: bool,
) -> Result<Supervised, Error> {
    let mut command: Vec<OsString> =
        vec![bin.join("postgres").into(), "-D".into(), folder.join("data").into()];
    let port = format!("port={port}");
    let mut settings = vec![
        port.as_str(),
        "listen_addresses=127.0.0.1",
        "unix_socket_directories=",
        "max_connections=300",
        "timezone=UTC",
        "log_timezone=UTC",
        "logging_collector=off",
        "log_destination=stderr",
        "cluster_name=callboard",
    ];
    if fast_unsafe {
        // Commits are still written before they are acknowledged: what was acknowledged survives a kill of the server.
        settings.extend(["fsync=off", "synchronous_commit=on", "full_page_writes=off"]);
        settings.extend(["wal_level=minimal", "max_wal_senders=0"]);
    } else {
        settings.extend(["fsync=on", "synchronous_commit=on", "full_page_writes=on"]);
    }
    for setting in settings {
        command.extend(["-c".into(), setting.into()]);
    }
    let (log, _) = folder.log();
    Supervised::start(Plan {
        command,
        run_as: folder.run_as.as_ref(),
        folder: &folder.path,
        lock,
        log: &log,
        stop_signal: STOP,
        patience: Duration::from_secs(60),
        remove: folder.to_remove(),
    })
}

/// Makes sure that a database exists, by way of a connection to another one of the same server.
///
/// # Errors
/// As [`Postgres::create_database`].
pub async fn create_database(url: &str, name: &str) -> Result<(), Error> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    let first = name.bytes().next();
    if name.len() > 63 || first.is_none_or(|byte| byte.is_ascii_digit()) || !name.bytes().all(plain) {
        return Err(Error::DatabaseName(name.to_owned()));
    }
    let mut connection = connect(url).await?;
    let there: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)")
        .bind(name)
        .fetch_one(&mut connection)
        .await?;
    if !there {
        // The name was checked above; a statement of this kind takes no parameters.
        let made = sqlx::raw_sql(AssertSqlSafe(format!("CREATE DATABASE \"{name}\"")))
            .execute(&mut connection)
            .await;
        if let Err(error) = made {
            // duplicate_database, or its like when two make it in the same moment
            let code = error.as_database_error().and_then(|error| error.code().map(|code| code.into_owned()));
            if !matches!(code.as_deref(), Some("42P04" | "23505")) {
                return Err(error.into());
            }
        }
    }
    connection.close().await?;
    Ok(())
}

/// Refuses a running server that is too old.
pub(crate) async fn check_given(url: &str, setting: &'static str) -> Result<(), Error> {
    let printed: Result<String, sqlx::Error> = async {
        let mut connection = connect(url).await?;
        let printed = sqlx::query_scalar("SHOW server_version").fetch_one(&mut connection).await?;
        connection.close().await?;
        Ok(printed)
    }
    .await;
    let printed = printed.map_err(|error| Error::Unreachable {
        program: Program::Postgres,
        setting,
        reason: error.to_string(),
    })?;
    match Version::parse(&printed) {
        Some(found) if found < Program::Postgres.minimum() => {
            Err(Error::ServerTooOld { program: Program::Postgres, setting, found })
        }
        _ => Ok(()),
    }
}

/// Connects; without asking for TLS if the server is on the loopback address, where ours speak none.
async fn connect(url: &str) -> Result<PgConnection, sqlx::Error> {
    let options: PgConnectOptions = url.parse()?;
    let plain = options.get_host() == "127.0.0.1" && matches!(options.get_ssl_mode(), PgSslMode::Prefer);
    let options = if plain { options.ssl_mode(PgSslMode::Disable) } else { options };
    PgConnection::connect_with(&options).await
}
