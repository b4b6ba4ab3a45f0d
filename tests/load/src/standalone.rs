//! The whole platform in one process, on the bench's Postgres and a NATS of its own.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use callboard_backing::{Nats, create_database};
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::{Instant, interval, sleep_until};

use crate::Failure;
use crate::house::{House, servers};
use crate::process::resident_mib;

/// How long it is left alone before its memory is looked at.
pub const IDLE: Duration = Duration::from_secs(4);

/// What was found.
#[derive(Debug, Clone, Copy)]
pub struct Standalone {
    /// From start to serving, with the data that is there.
    pub ready_s: f64,
    /// Resident memory when idle.
    pub resident_mib: f64,
}

struct Place {
    home: TempDir,
    database: String,
    nats: Nats,
}

impl Place {
    fn start(&self) -> Result<Child, Failure> {
        let program: PathBuf = std::env::current_exe()?.with_file_name("callboard-standalone");
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        Ok(Command::new(program)
            .arg("serve")
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("CALLBOARD_HOME", self.home.path())
            .env("CALLBOARD_LISTEN", port.to_string())
            .env("CALLBOARD__DATABASE__URL", &self.database)
            .env("CALLBOARD__NATS__URL", self.nats.url())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?)
    }

    /// It writes where it is reached when it is ready, and removes that at its end.
    async fn ready(&self, child: &mut Child) -> Result<f64, Failure> {
        let (began, mut look) = (Instant::now(), interval(Duration::from_millis(5)));
        while !self.home.path().join("gateway.url").is_file() {
            look.tick().await;
            if let Some(status) = child.try_wait()? {
                return Err(format!("callboard-standalone ended with {status}").into());
            }
            if began.elapsed() > Duration::from_secs(60) {
                return Err("callboard-standalone is not ready after a minute".into());
            }
        }
        Ok(began.elapsed().as_secs_f64())
    }
}

async fn stop(mut child: Child) -> Result<(), Failure> {
    let id = child.id().ok_or("it has ended")?.to_string();
    Command::new("kill").args(["-TERM", &id]).status().await?;
    tokio::time::timeout(Duration::from_secs(30), child.wait()).await??;
    Ok(())
}

/// Starts it twice: once to make its data, once to be measured.
///
/// # Errors
/// It does not start.
pub async fn measure(house: &House) -> Result<Standalone, Failure> {
    let url = house.platform.database_url();
    let name = format!("standalone_{}", Instant::now().elapsed().as_nanos() + u128::from(std::process::id()));
    create_database(&url, &name).await?;
    let (front, _) = url.rsplit_once('/').ok_or("a database without a name")?;
    let place = Place {
        home: TempDir::new()?,
        database: format!("{front}/{name}"),
        nats: Nats::start(&servers()?).await?,
    };
    let mut child = place.start()?;
    place.ready(&mut child).await?;
    stop(child).await?;
    let mut child = place.start()?;
    let ready_s = place.ready(&mut child).await?;
    sleep_until(Instant::now() + IDLE).await;
    let resident_mib = resident_mib(child.id().ok_or("it has ended")?);
    stop(child).await?;
    place.nats.stop().await?;
    Ok(Standalone { ready_s, resident_mib })
}
