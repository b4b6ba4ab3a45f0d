//! `make bench`: how fast Callboard is, as ratios to what the same machine does without it, in the same run.
//!
//! Services run as separate release processes on a Postgres and a NATS that wait for the disk. Each row of the table is
//! a module of [`rows`]. What fails is told in its row.

mod echo;
mod house;
mod live;
mod measure;
mod options;
mod pgbench;
mod process;
mod report;
mod rest;
mod rows;
mod standalone;

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use house::House;
use options::Options;
use report::{Report, table};

/// Anything that went wrong, in words.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// A line on standard output.
pub(crate) fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    // Whoever does not read it does not miss it.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

fn main() -> ExitCode {
    let echo = std::env::args().nth(1).is_some_and(|command| command == echo::COMMAND);
    let outcome =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Failure::from).and_then(
            |runtime| runtime.block_on(async { if echo { echo::serve().await } else { bench().await } }),
        );
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "bench: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn bench() -> Result<(), Failure> {
    let options = Options::read()?;
    let began = Instant::now();
    let mut house = House::start(&options).await?;
    for (what, value) in &house.told {
        say(&format!("{what}: {value}"));
    }
    say(&format!("the platform runs after {:.1} s", began.elapsed().as_secs_f64()));
    if options.profile_seconds > 0 {
        for service in callboard_e2e_tests::Service::ALL {
            say(&format!("{}: process {}", service.name(), house.platform.process_id(service)));
        }
        tokio::time::sleep_until(tokio::time::Instant::now() + Duration::from_secs(options.profile_seconds))
            .await;
    }
    let rows = rows::all(&mut house, &options).await;
    let machine = std::mem::take(&mut house.told);
    say(&format!("\n{}", table(&rows)));
    let target = std::env::var("CARGO_TARGET_DIR").unwrap_or_else(|_| "target".to_owned());
    let path = Path::new(&target).join("bench/latest.json");
    Report { machine, rows: &rows }.write(&path)?;
    say(&format!("{:.0} s; written to {}", began.elapsed().as_secs_f64(), path.display()));
    Ok(())
}
