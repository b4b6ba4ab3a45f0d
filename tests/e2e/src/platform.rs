//! Services as processes, each from its own binary.
//!
//! No process outlives the test's: see [`Leash`].

use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;
use std::process::Stdio;

use callboard_testkit::{
    Database, Nats, PATIENCE, Postgres, Servers, eventually, free_port, fresh_nats, fresh_postgres,
};
use serde_json::json;
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::sync::OnceCell;

use crate::Client;

/// A service of the platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Service {
    /// People, devices, codes; issues tokens.
    Directory,
    /// Tickets and flows.
    Tickets,
    /// Offers and assignments.
    Fleet,
    /// Ratings.
    Ratings,
    /// Conversations.
    Messenger,
    /// The support desk.
    Support,
    /// What is to be done on devices.
    Tasks,
    /// What people are told. There is no mail server here.
    Notifications,
    /// Video sessions.
    Video,
    /// The door.
    Gateway,
}

impl Service {
    /// All of them, the gateway last.
    pub const ALL: [Self; 10] = [
        Self::Directory,
        Self::Tickets,
        Self::Fleet,
        Self::Ratings,
        Self::Messenger,
        Self::Support,
        Self::Tasks,
        Self::Notifications,
        Self::Video,
        Self::Gateway,
    ];

    /// Those that have a database and a stream of their own. That of notifications stays empty.
    pub fn contexts() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(|service| *service != Self::Gateway)
    }

    /// Its name: `tickets`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Directory => "directory",
            Self::Tickets => "tickets",
            Self::Fleet => "fleet",
            Self::Ratings => "ratings",
            Self::Support => "support",
            Self::Messenger => "messenger",
            Self::Tasks => "tasks",
            Self::Notifications => "notifications",
            Self::Video => "video",
            Self::Gateway => "gateway",
        }
    }
}

/// Where a service listens. Fixed for the platform's life, so that a restart is found again.
#[derive(Debug, Clone, Copy)]
struct Ports {
    grpc: u16,
    admin: u16,
}

/// A Postgres and a NATS for one platform.
enum Backing {
    /// The test run's Postgres, with a database of its own; a NATS of its own, since stream names are fixed.
    Shared(Database, Box<Nats>),
    /// Servers that this test may kill.
    Own(Box<Postgres>, Box<Nats>),
}

/// Ends a process when this one is gone, however it went: statics are never dropped, and a test may be killed.
struct Leash(std::process::Child);

impl Leash {
    /// A shell that waits for the end of its input, which is ours to close.
    fn tie(process: u32) -> Self {
        let child = std::process::Command::new("sh")
            .args(["-c", "cat >/dev/null; kill -9 \"$0\" 2>/dev/null", &process.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a shell for the leash");
        Self(child)
    }
}

impl Drop for Leash {
    /// Lets the process go: its id may soon be another's.
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A running service. Dropped, it is killed.
struct Process {
    leash: Leash,
    child: Child,
}

static SHARED: OnceCell<Platform> = OnceCell::const_new();

/// All services, each a process, on a database and a NATS of their own.
pub struct Platform {
    backing: Backing,
    ports: BTreeMap<Service, Ports>,
    processes: BTreeMap<Service, Process>,
    extra: Vec<(Service, String, String)>,
    logs: TempDir,
}

impl Platform {
    /// The platform that all tests of this process share. They may neither stop nor kill anything, and make
    /// organisations of their own.
    pub async fn shared() -> &'static Self {
        // Tokens of people outlast the longest test, also on a busy machine.
        let long = (
            Service::Directory,
            "CALLBOARD__DIRECTORY__ISSUER__ACCESS_TOKEN_LIFETIME".to_owned(),
            "1h".to_owned(),
        );
        SHARED.get_or_init(async || Self::prepare(vec![long]).await.up().await).await
    }

    /// Starts everything and waits until it serves.
    pub async fn start() -> Self {
        Self::prepare(Vec::new()).await.up().await
    }

    /// Starts everything on servers that may be killed.
    pub async fn start_on_own_servers() -> Self {
        let backing = Backing::Own(Box::new(fresh_postgres().await), Box::new(fresh_nats().await));
        Self::on(backing, Vec::new()).up().await
    }

    /// A platform of which nothing runs yet but its servers; with further settings of some services.
    pub async fn prepare(extra: Vec<(Service, String, String)>) -> Self {
        let database = Servers::shared().await.fresh_database().await;
        Self::on(Backing::Shared(database, Box::new(fresh_nats().await)), extra)
    }

    /// As [`Platform::prepare`], on these servers.
    pub fn prepare_on(postgres: Postgres, nats: Nats, extra: Vec<(Service, String, String)>) -> Self {
        Self::on(Backing::Own(Box::new(postgres), Box::new(nats)), extra)
    }

    /// Starts every service and waits until all are ready.
    pub async fn up(mut self) -> Self {
        for service in Service::ALL {
            self.spawn(service);
        }
        for service in Service::ALL {
            self.ready(service).await;
        }
        self
    }

    fn on(backing: Backing, extra: Vec<(Service, String, String)>) -> Self {
        // Both rustls providers may be in the build; clients of this process need one chosen.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let ports = Service::ALL.map(|service| (service, Ports { grpc: port(), admin: port() }));
        Self {
            backing,
            ports: ports.into_iter().collect(),
            processes: BTreeMap::new(),
            extra,
            logs: TempDir::new().expect("a temporary folder for logs"),
        }
    }

    /// Address of the gateway: `http://127.0.0.1:…`.
    pub fn gateway_url(&self) -> String {
        self.grpc_url(Service::Gateway)
    }

    /// Address of a service's gRPC server.
    pub fn grpc_url(&self, service: Service) -> String {
        format!("http://127.0.0.1:{}", self.ports[&service].grpc)
    }

    /// Address of a service's admin server.
    pub fn admin_url(&self, service: Service) -> String {
        format!("http://127.0.0.1:{}", self.ports[&service].admin)
    }

    /// The database that all schemas are in.
    pub fn database_url(&self) -> String {
        match &self.backing {
            Backing::Shared(database, _) => database.url().to_owned(),
            Backing::Own(postgres, _) => postgres.url(),
        }
    }

    /// The NATS server.
    pub fn nats_url(&self) -> String {
        match &self.backing {
            Backing::Shared(_, nats) => nats.url(),
            Backing::Own(_, nats) => nats.url(),
        }
    }

    /// A client of the gateway without a token.
    pub fn client(&self) -> Client {
        Client::new(self.gateway_url())
    }

    /// The NATS server, to be killed and restarted.
    pub const fn nats(&mut self) -> &mut Nats {
        match &mut self.backing {
            Backing::Shared(_, nats) => nats,
            Backing::Own(_, nats) => nats,
        }
    }

    /// The Postgres server, to be killed and restarted; only of [`Platform::start_on_own_servers`].
    pub fn postgres(&mut self) -> &mut Postgres {
        match &mut self.backing {
            Backing::Own(postgres, _) => postgres,
            Backing::Shared(..) => panic!("the test run's Postgres is not this test's to kill"),
        }
    }

    /// Ends a service at once, as a power cut would (SIGKILL).
    pub async fn kill(&mut self, service: Service) {
        let Process { leash, mut child } = self.processes.remove(&service).expect("a running service");
        drop(leash);
        child.kill().await.expect("to kill it");
    }

    /// Asks a service to stop (SIGTERM) and waits for its end; true when it ended well.
    pub async fn terminate(&mut self, service: Service) -> bool {
        let Process { leash, mut child } = self.processes.remove(&service).expect("a running service");
        drop(leash);
        let id = child.id().expect("a running process").to_string();
        let status = Command::new("kill").args(["-TERM", &id]).status().await.expect("the kill command");
        assert!(status.success(), "SIGTERM could not be sent");
        child.wait().await.expect("its end").success()
    }

    /// The process id of a running service.
    pub fn process_id(&self, service: Service) -> u32 {
        self.processes.get(&service).and_then(|process| process.child.id()).expect("a running service")
    }

    /// Starts a service that was ended, without waiting.
    pub fn spawn(&mut self, service: Service) {
        let log = File::options().create(true).append(true).open(self.log_path(service)).expect("a log file");
        let child = Command::new(binary(service))
            .arg("serve")
            .env_clear()
            .envs(self.environment(service))
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a second handle"))
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| {
                panic!("{}: {error}; build the services' binaries first", service.name())
            });
        let leash = Leash::tie(child.id().expect("a running process"));
        let before = self.processes.insert(service, Process { leash, child });
        assert!(before.is_none(), "{} runs already", service.name());
    }

    /// Waits until a service says that it is ready.
    pub async fn ready(&self, service: Service) {
        let url = format!("{}/readyz", self.admin_url(service));
        let http = reqwest::Client::new();
        eventually(
            &format!("{} to be ready; log:\n{}", service.name(), self.log(service)),
            PATIENCE,
            || async {
                match http.get(&url).send().await {
                    Ok(answer) if answer.status().is_success() => Ok(()),
                    Ok(answer) => Err(answer.text().await.unwrap_or_default()),
                    Err(error) => Err(format!("{error}\n{}", self.log(service))),
                }
            },
        )
        .await;
    }

    /// The end of what a service has logged.
    pub fn log(&self, service: Service) -> String {
        let text = std::fs::read_to_string(self.log_path(service)).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }

    /// Where the services keep files, each below a folder of its name.
    pub fn files(&self) -> PathBuf {
        self.logs.path().join("files")
    }

    fn log_path(&self, service: Service) -> PathBuf {
        self.logs.path().join(format!("{}.log", service.name()))
    }

    fn environment(&self, service: Service) -> Vec<(String, String)> {
        let mut issuers = vec![json!({
            "issuer": "https://callboard.test",
            "audience": "callboard",
            "jwks_url": format!("{}/.well-known/jwks.json", self.admin_url(Service::Directory)),
        })];
        if service == Service::Directory {
            // Notifications ask the directory as themselves.
            issuers.push(json!({
                "issuer": "https://notifications.test",
                "audience": "callboard",
                "jwks_url": format!("{}/.well-known/jwks.json", self.admin_url(Service::Notifications)),
                "kinds": ["service"],
            }));
        }
        let ports = self.ports[&service];
        let mut all = vec![
            ("CALLBOARD__GRPC__LISTEN", format!("127.0.0.1:{}", ports.grpc)),
            ("CALLBOARD__ADMIN__LISTEN", format!("127.0.0.1:{}", ports.admin)),
            ("CALLBOARD__NATS__URL", self.nats_url()),
            ("CALLBOARD__AUTH__ISSUERS", json!(issuers).to_string()),
            ("CALLBOARD__SHUTDOWN__PROPAGATION_DELAY", "0s".to_owned()),
        ];
        if service == Service::Gateway {
            for upstream in Service::ALL.into_iter().filter(|upstream| *upstream != Service::Gateway) {
                let key = match upstream {
                    Service::Directory => "CALLBOARD__GATEWAY__UPSTREAMS__DIRECTORY",
                    Service::Tickets => "CALLBOARD__GATEWAY__UPSTREAMS__TICKETS",
                    Service::Fleet => "CALLBOARD__GATEWAY__UPSTREAMS__FLEET",
                    Service::Support => "CALLBOARD__GATEWAY__UPSTREAMS__SUPPORT",
                    Service::Messenger => "CALLBOARD__GATEWAY__UPSTREAMS__MESSENGER",
                    Service::Tasks => "CALLBOARD__GATEWAY__UPSTREAMS__TASKS",
                    Service::Notifications => "CALLBOARD__GATEWAY__UPSTREAMS__NOTIFICATIONS",
                    Service::Video => "CALLBOARD__GATEWAY__UPSTREAMS__VIDEO",
                    Service::Ratings | Service::Gateway => "CALLBOARD__GATEWAY__UPSTREAMS__RATINGS",
                };
                all.push((key, self.grpc_url(upstream)));
            }
            all.push(("CALLBOARD__GATEWAY__RATE__PER_PRINCIPAL", "0".to_owned()));
            all.push(("CALLBOARD__GATEWAY__RATE__PER_ADDRESS", "0".to_owned()));
        } else {
            all.push(("CALLBOARD__DATABASE__URL", self.database_url()));
            all.push(("CALLBOARD__DATABASE__MIGRATE_ON_START", "true".to_owned()));
        }
        let folder = match service {
            Service::Tickets => Some("CALLBOARD__TICKETS__ATTACHMENTS__FOLDER"),
            Service::Messenger => Some("CALLBOARD__MESSENGER__ATTACHMENTS__FOLDER"),
            Service::Tasks => Some("CALLBOARD__TASKS__ATTACHMENTS__FOLDER"),
            Service::Video => Some("CALLBOARD__VIDEO__ATTACHMENTS__FOLDER"),
            _ => None,
        };
        all.extend(folder.map(|key| (key, self.files().display().to_string())));
        if service == Service::Video {
            all.push(("CALLBOARD__VIDEO__CALL_PAGE", format!("{}/call", self.gateway_url())));
        }
        if service == Service::Notifications {
            all.push(("CALLBOARD__NOTIFICATIONS__DIRECTORY__URL", self.grpc_url(Service::Directory)));
            all.push((
                "CALLBOARD__NOTIFICATIONS__DIRECTORY__ISSUER",
                "https://notifications.test".to_owned(),
            ));
        }
        if service == Service::Directory {
            all.push(("CALLBOARD__DIRECTORY__ISSUER__ISSUER", "https://callboard.test".to_owned()));
            all.push(("CALLBOARD__DIRECTORY__ISSUER__DEVELOPMENT_TOKENS", "true".to_owned()));
        }
        let mut all: Vec<(String, String)> =
            all.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        all.extend(
            self.extra
                .iter()
                .filter(|(of, ..)| *of == service)
                .map(|(_, key, value)| (key.clone(), value.clone())),
        );
        all
    }

    /// Runs a subcommand of a service's binary with the platform's settings; its standard output.
    pub async fn run(&self, service: Service, arguments: &[&str]) -> String {
        self.run_with(service, arguments, &[]).await
    }

    /// As [`Platform::run`], with further settings.
    pub async fn run_with(&self, service: Service, arguments: &[&str], extra: &[(&str, &str)]) -> String {
        match self.try_run(service, arguments, extra).await {
            Ok(text) => text,
            Err(error) => panic!("{} {arguments:?}: {error}", service.name()),
        }
    }

    /// As [`Platform::run_with`], for what may fail.
    ///
    /// # Errors
    /// All that the process wrote, when it did not end well.
    pub async fn try_run(
        &self,
        service: Service,
        arguments: &[&str],
        extra: &[(&str, &str)],
    ) -> Result<String, String> {
        let output = Command::new(binary(service))
            .args(arguments)
            .env_clear()
            .envs(self.environment(service))
            .envs(extra.iter().copied())
            .output()
            .await
            .expect("to run the binary");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        if output.status.success() {
            Ok(text)
        } else {
            Err(format!("{text}{}", String::from_utf8_lossy(&output.stderr)))
        }
    }
}

impl Drop for Platform {
    /// The logs of a failed test say why.
    fn drop(&mut self) {
        if std::thread::panicking() {
            for service in Service::ALL {
                let text = std::fs::read_to_string(self.log_path(service)).unwrap_or_default();
                let told =
                    text.lines().filter(|line| line.contains("\"ERROR\"") || line.contains("\"WARN\""));
                for line in told.take(40) {
                    #[expect(clippy::print_stderr, reason = "for whoever reads the failed test")]
                    {
                        eprintln!("{}: {line}", service.name());
                    }
                }
            }
        }
    }
}

/// The binary beside this one, or beside the folder of a test: `target/<profile>/callboard-<service>`.
fn binary(service: Service) -> PathBuf {
    program(&format!("callboard-{}", service.name()))
}

/// A binary of the workspace, beside the one that runs.
///
/// # Panics
/// This process does not know where it is.
pub fn program(name: &str) -> PathBuf {
    let own = std::env::current_exe().expect("the test's own path");
    let mut folders = own.ancestors().skip(1).take(2).map(|folder| folder.join(name));
    folders.find(|path| path.is_file()).unwrap_or_else(|| PathBuf::from(name))
}

fn port() -> u16 {
    free_port().expect("a free port")
}
