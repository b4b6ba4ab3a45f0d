//! What the caller may say: `make bench ROWS=create,view`.

use std::time::Duration;

/// All that can be asked for, in the order in which it runs; some make several rows, whose names begin alike.
pub const ROWS: [&str; 20] = [
    "memory",
    "micro",
    "create",
    "create-rest",
    "cpu",
    "outbox",
    "one",
    "view",
    "list",
    "accept",
    "rush",
    "life",
    "message",
    "messages",
    "messages-last",
    "upload",
    "notify",
    "live",
    "scale",
    "start",
];

/// How much is measured.
#[derive(Debug, Clone)]
pub struct Options {
    rows: Vec<String>,
    /// `BENCH_SECONDS`: of each measurement.
    pub span: Duration,
    /// `BENCH_ROUNDS`: how often baseline and ours take turns.
    pub rounds: usize,
    /// `BENCH_STREAMS`: live streams.
    pub streams: usize,
    /// `BENCH_LIVE_ORGANISATIONS`: over how many organisations they are spread.
    pub live_organisations: usize,
    /// `BENCH_TICKETS`: how many are stored in the row `scale`.
    pub tickets: u64,
    /// `BENCH_STATEMENTS=1`: `create` tells what each statement cost. Costs a little itself.
    pub statements: bool,
    /// `BENCH_PAUSE`: seconds to wait after start-up, for whoever attaches a profiler.
    pub profile_seconds: u64,
}

fn given<T: std::str::FromStr>(name: &str, default: T) -> T {
    std::env::var(name).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(default)
}

impl Options {
    /// From the environment.
    ///
    /// # Errors
    /// A row of a name that there is not.
    pub fn read() -> Result<Self, String> {
        let rows: Vec<String> = std::env::var("ROWS")
            .unwrap_or_default()
            .split([',', ' '])
            .filter(|row| !row.is_empty())
            .map(str::to_owned)
            .collect();
        for row in &rows {
            if !ROWS.contains(&row.as_str()) {
                return Err(format!("no row {row}; there are {}", ROWS.join(", ")));
            }
        }
        Ok(Self {
            rows,
            span: Duration::from_secs_f64(given("BENCH_SECONDS", 5.0)),
            rounds: given("BENCH_ROUNDS", 3),
            streams: given("BENCH_STREAMS", 2_000),
            live_organisations: given("BENCH_LIVE_ORGANISATIONS", 20),
            tickets: given("BENCH_TICKETS", 1_000_000),
            statements: given("BENCH_STATEMENTS", 0) == 1,
            profile_seconds: given("BENCH_PAUSE", 0),
        })
    }

    /// Whether a row is wanted.
    pub fn wants(&self, row: &str) -> bool {
        self.rows.is_empty() || self.rows.iter().any(|wanted| wanted == row)
    }

    /// Whether any of these is.
    pub fn wants_any(&self, rows: &[&str]) -> bool {
        rows.iter().any(|row| self.wants(row))
    }
}
