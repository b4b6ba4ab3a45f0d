//! A local S3 server, for tests of what is kept in buckets.

use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::path::PathBuf;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use crate::error::{Doing, Error};
use crate::folder::Folder;
use crate::home::{Layout, log_tail};
use crate::options::Options;
use crate::port::free_port;
use crate::process::{Plan, Supervised};
use crate::tools::{Tool, provide};

/// Nothing of it is to be kept, so there is no order to end in.
const STOP: &str = "KILL";

/// How long a start may take.
const START: Duration = Duration::from_secs(60);

/// How long one of its own interfaces may take to answer.
const ANSWER: Duration = Duration::from_secs(10);

/// Who listens on which port: each of the server's parts has one for HTTP and one for gRPC.
#[derive(Debug, Clone, Copy)]
struct Ports {
    master: [u16; 2],
    volume: [u16; 2],
    filer: [u16; 2],
    s3: [u16; 2],
}

impl Ports {
    fn new() -> Result<Self, Error> {
        let two = || Ok::<_, std::io::Error>([free_port()?, free_port()?]);
        let all = || -> std::io::Result<Self> {
            Ok(Self { master: two()?, volume: two()?, filer: two()?, s3: two()? })
        };
        all().doing(|| "looking for free ports".to_owned())
    }
}

/// An S3 server of one's own on the loopback address: SeaweedFS, which verifies the signature of every request. Its
/// data is in a temporary folder and goes with it.
///
/// Dropped, it is killed; so it is if this process dies.
pub struct S3 {
    folder: Folder,
    lock: File,
    executable: PathBuf,
    ports: Ports,
    key_id: String,
    secret: String,
    server: Supervised,
}

impl fmt::Debug for S3 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3").field("endpoint", &self.endpoint()).finish_non_exhaustive()
    }
}

impl S3 {
    /// Starts a server without any bucket. Returns when it takes objects, which takes some seconds.
    ///
    /// # Errors
    /// The pinned server cannot be installed, or does not start; with the end of its log.
    pub async fn start(options: &Options) -> Result<Self, Error> {
        let home = options.home.clone();
        let install = move || provide(&Layout::make(&home)?.tools(), Tool::SeaweedFs);
        let executable = tokio::task::spawn_blocking(install)
            .await
            .map_err(std::io::Error::other)
            .doing(|| "looking for an S3 server".to_owned())??;
        let mut folder = Folder::ephemeral("s3", None)?;
        let lock = folder.lock().await?;
        let ports = Ports::new()?;
        let drawn = |what: &str| format!("{:016x}", RandomState::new().hash_one((what, ports.s3)));
        let (key_id, secret) = (drawn("id"), drawn("secret") + &drawn("more"));
        let identities = serde_json::json!({ "identities": [{
            "name": "tests",
            "credentials": [{ "accessKey": key_id, "secretKey": secret }],
            "actions": ["Admin", "Read", "List", "Tagging", "Write"],
        }]});
        folder.write_private("identities.json", &identities.to_string())?;
        let server = launch(&folder, &lock, &executable, &ports)?;
        folder.hand_over();
        let mut s3 = Self { folder, lock, executable, ports, key_id, secret, server };
        s3.ready(5).await?;
        Ok(s3)
    }

    /// Address of the server. Stays the same over [`restart`](Self::restart).
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address())
    }

    /// `host:port` of the same.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.ports.s3[0])
    }

    /// Id of the one key that it knows.
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// That key.
    pub fn secret(&self) -> &str {
        &self.secret
    }

    /// Makes a bucket.
    ///
    /// # Errors
    /// [`Error::Io`] if the server refuses.
    pub async fn make_bucket(&self, name: &str) -> Result<(), Error> {
        let doing = || format!("making the bucket {name}");
        let (status, answer) =
            ask(self.ports.filer[0], "POST", &format!("/buckets/{name}/")).await.doing(doing)?;
        if status / 100 == 2 { Ok(()) } else { Err(std::io::Error::other(answer)).doing(doing) }
    }

    /// How many uploads of several parts were begun in the bucket and neither completed nor aborted: what listing the
    /// objects does not show, and what is paid for all the same.
    ///
    /// # Errors
    /// [`Error::Io`] if the server does not tell.
    pub async fn unfinished_uploads(&self, bucket: &str) -> Result<usize, Error> {
        let doing = || format!("looking into the bucket {bucket}");
        let path = format!("/buckets/{bucket}/.uploads/?limit=1000");
        let (status, answer) = ask(self.ports.filer[0], "GET", &path).await.doing(doing)?;
        if status == 404 {
            return Ok(0);
        }
        let listed: serde_json::Value =
            serde_json::from_str(&answer).map_err(std::io::Error::other).doing(doing)?;
        Ok(listed["Entries"].as_array().map_or(0, Vec::len))
    }

    /// Kills the server as a crash would. [`restart`](Self::restart) brings it back with the data it had.
    ///
    /// # Errors
    /// [`Error::Io`] if it does not go.
    pub async fn kill(&mut self) -> Result<(), Error> {
        self.server.kill().await
    }

    /// Starts the server anew on the same ports with the same data.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn restart(&mut self) -> Result<(), Error> {
        self.server.pause().await?;
        self.server = launch(&self.folder, &self.lock, &self.executable, &self.ports)?;
        self.ready(0).await
    }

    /// Waits until all its parts have found each other. When it ended, as it does when another has one of its ports, it
    /// is tried so many times more with other ports.
    async fn ready(&mut self, mut tries: u32) -> Result<(), Error> {
        let deadline = Instant::now() + START;
        loop {
            if self.server.ended().is_some() && tries > 0 {
                tries -= 1;
                self.server.pause().await?;
                self.ports = Ports::new()?;
                self.server = launch(&self.folder, &self.lock, &self.executable, &self.ports)?;
            }
            let waits_for = match self.missing().await {
                None => return Ok(()),
                Some(missing) => missing,
            };
            if Instant::now() > deadline || (self.server.ended().is_some() && tries == 0) {
                let log = log_tail(&self.folder.join("log"), 0);
                return Err(std::io::Error::other(format!("{waits_for}\n{log}")))
                    .doing(|| "starting an S3 server".to_owned());
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// What does not work yet.
    async fn missing(&self) -> Option<String> {
        match ask(self.ports.master[0], "GET", "/dir/assign").await {
            Ok((200, answer)) if answer.contains("\"fid\"") => {}
            other => return Some(format!("no room for objects: {other:?}")),
        }
        match ask(self.ports.filer[0], "POST", "/buckets/ready/").await {
            // 409: it was made when it was asked before.
            Ok((200..300 | 409, _)) => {}
            other => return Some(format!("no place for buckets: {other:?}")),
        }
        match ask(self.ports.s3[0], "GET", "/ready?list-type=2").await {
            // It asks for a signature.
            Ok((403, _)) => None,
            other => Some(format!("S3 does not answer: {other:?}")),
        }
    }
}

fn launch(folder: &Folder, lock: &File, executable: &PathBuf, ports: &Ports) -> Result<Supervised, Error> {
    let data = folder.join("data");
    std::fs::create_dir_all(&data).doing(|| format!("making the folder {}", data.display()))?;
    let mut command: Vec<OsString> = vec![executable.into(), "-logtostderr=true".into(), "server".into()];
    let mut set = |name: &str, value: &dyn fmt::Display| command.push(format!("-{name}={value}").into());
    set("dir", &data.display());
    set("ip", &"127.0.0.1");
    set("ip.bind", &"127.0.0.1");
    set("filer", &true);
    set("s3", &true);
    set("s3.config", &folder.join("identities.json").display());
    set("s3.port.iceberg", &0);
    set("s3.port.lance", &0);
    // A bucket that is not there is not there.
    set("s3.autoCreateBucket", &false);
    for (part, [http, grpc]) in
        [("master", ports.master), ("volume", ports.volume), ("filer", ports.filer), ("s3", ports.s3)]
    {
        set(&format!("{part}.port"), &http);
        set(&format!("{part}.port.grpc"), &grpc);
    }
    for part in ["filer", "s3"] {
        set(&format!("{part}.localSocket"), &folder.join(&format!("{part}.sock")).display());
    }
    // Alone, it need not wait for anybody to elect it.
    set("master.electionTimeout", &"500ms");
    set("master.heartbeatInterval", &"100ms");
    set("master.volumeSizeLimitMB", &64);
    // Each bucket takes some. They grow as they are filled.
    set("volume.max", &1000);
    set("volume.preStopSeconds", &0);
    let (log, _) = folder.log();
    Supervised::start(Plan {
        command,
        run_as: None,
        folder: &folder.path,
        lock,
        log: &log,
        stop_signal: STOP,
        patience: Duration::from_secs(5),
        remove: folder.to_remove(),
    })
}

/// Asks one of the server's own interfaces: status and body.
async fn ask(port: u16, method: &str, path: &str) -> std::io::Result<(u16, String)> {
    let exchange = async {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
        let request = format!(
            "{method} {path} HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\nAccept: application/json\r\nContent-Length: 0\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
        let body = answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned());
        status.zip(body).ok_or_else(|| std::io::Error::other("that is no HTTP"))
    };
    timeout(ANSWER, exchange).await.map_err(std::io::Error::from)?
}
