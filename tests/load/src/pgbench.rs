//! `pgbench`, for what Postgres does without us.

use std::path::{Path, PathBuf};
use std::time::Duration;

use hdrhistogram::Histogram;
use tempfile::TempDir;
use tokio::process::Command;

use crate::Failure;
use crate::measure::{histogram, record};

/// What the two inserts go to: a state and an event of about 400 bytes each.
pub const PAIR_TABLES: &str = "
create table pair_state (
    id uuid primary key, organisation_id uuid not null, version bigint not null, body text not null
);
create table pair_event (
    position bigint generated always as identity primary key, id uuid not null, body text not null
);";

/// Two inserts in one transaction.
const PAIR: &str = "\
begin;
insert into pair_state (id, organisation_id, version, body)
    values (gen_random_uuid(), '6f0f2f1c-2f2f-4c1c-8e61-3f2a5f7f3b11', 1, repeat('x', 400));
insert into pair_event (id, body) values (gen_random_uuid(), repeat('x', 400));
end;
";

/// What a run came to.
#[derive(Debug)]
pub struct Bench {
    /// Transactions a second.
    pub rate: f64,
    /// How many there were.
    pub count: u64,
    /// Nanoseconds; empty unless asked for.
    pub times: Histogram<u64>,
}

/// How to run it.
#[derive(Debug)]
pub struct Pgbench {
    program: PathBuf,
    url: String,
    scripts: TempDir,
}

impl Pgbench {
    /// Against this database.
    ///
    /// # Errors
    /// It is not installed beside the server.
    pub fn new(bin: &Path, url: String) -> Result<Self, Failure> {
        let program = bin.join("pgbench");
        if !program.is_file() {
            return Err(format!("there is no pgbench in {}", bin.display()).into());
        }
        let scripts = TempDir::new()?;
        std::fs::write(scripts.path().join("pair"), PAIR)?;
        Ok(Self { program, url, scripts })
    }

    /// Two inserts in one transaction, prepared, as fast as so many clients can.
    ///
    /// # Errors
    /// What it says.
    pub async fn pair(&self, clients: u32, span: Duration) -> Result<Bench, Failure> {
        self.run("pair", &self.url, clients, span, None).await
    }

    /// The same at a rate, times taken from when each was due.
    ///
    /// # Errors
    /// What it says.
    pub async fn pair_at(&self, clients: u32, per_second: f64, span: Duration) -> Result<Bench, Failure> {
        self.run("pair", &self.url, clients, span, Some(per_second)).await
    }

    /// A statement of one's own on a database of one's own.
    ///
    /// # Errors
    /// What it says.
    pub async fn statement(
        &self,
        sql: &str,
        url: &str,
        clients: u32,
        span: Duration,
    ) -> Result<Bench, Failure> {
        std::fs::write(self.scripts.path().join("statement"), format!("{};\n", sql.replace('\n', " ")))?;
        self.run("statement", url, clients, span, None).await
    }

    async fn run(
        &self,
        script: &str,
        url: &str,
        clients: u32,
        span: Duration,
        per_second: Option<f64>,
    ) -> Result<Bench, Failure> {
        let logs = TempDir::new()?;
        let (clients_text, seconds) = (clients.to_string(), span.as_secs().max(1).to_string());
        let mut command = Command::new(&self.program);
        command
            .args(["-n", "-M", "prepared", "-c", &clients_text, "-T", &seconds])
            .args(["-j", if clients > 1 { "2" } else { "1" }])
            .arg("-f")
            .arg(self.scripts.path().join(script));
        if let Some(per_second) = per_second {
            command.arg("-R").arg(per_second.to_string());
            command.arg("--log").arg("--log-prefix").arg(logs.path().join("log"));
        }
        let output = command.arg(url).kill_on_drop(true).output().await?;
        let text = String::from_utf8_lossy(&output.stdout);
        if !output.status.success() {
            return Err(format!("pgbench: {}", String::from_utf8_lossy(&output.stderr)).into());
        }
        let after = |word: &str| {
            let line = text.lines().find_map(|line| line.trim().strip_prefix(word))?;
            line.split(['/', ' ']).find(|part| !part.is_empty())?.parse::<f64>().ok()
        };
        let rate = after("tps =").ok_or_else(|| format!("pgbench said: {text}"))?;
        let count = after("number of transactions actually processed:").unwrap_or_default() as u64;
        let mut times = histogram();
        for log in std::fs::read_dir(logs.path())?.flatten() {
            for line in std::fs::read_to_string(log.path())?.lines() {
                if let Some(micros) = line.split(' ').nth(2).and_then(|text| text.parse().ok()) {
                    record(&mut times, Duration::from_micros(micros));
                }
            }
        }
        Ok(Bench { rate, count, times })
    }
}
