//! What was measured, as a table and as JSON.

use std::fmt::Write as _;
use std::path::Path;

use serde::Serialize;

use crate::measure::Outcome;

/// What a row has to reach.
#[derive(Debug, Clone, Copy)]
pub enum Target {
    /// The ratio, at least.
    RatioAtLeast(f64),
    /// The ratio, at most.
    RatioAtMost(f64),
    /// The value itself, at most.
    AtMost(f64),
    /// The value itself, at least.
    AtLeast(f64),
    /// Only told.
    None,
}

impl Target {
    fn text(self) -> String {
        match self {
            Self::RatioAtLeast(limit) => format!("≥ {limit}×"),
            Self::RatioAtMost(limit) => format!("≤ {limit}×"),
            Self::AtMost(limit) => format!("≤ {limit}"),
            Self::AtLeast(limit) => format!("≥ {limit}"),
            Self::None => "–".to_owned(),
        }
    }

    fn met(self, value: Option<f64>, ratio: Option<f64>) -> Option<bool> {
        match self {
            Self::RatioAtLeast(limit) => Some(ratio? >= limit),
            Self::RatioAtMost(limit) => Some(ratio? <= limit),
            Self::AtMost(limit) => Some(value? <= limit),
            Self::AtLeast(limit) => Some(value? >= limit),
            Self::None => None,
        }
    }
}

/// A line of the table.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Row {
    /// What is measured: `create`.
    pub row: String,
    /// How.
    pub workload: String,
    /// Calls, streams or clients at once.
    pub concurrency: u64,
    /// How many were measured.
    pub samples: u64,
    /// Milliseconds, where a time was taken.
    pub median_ms: Option<f64>,
    /// Milliseconds, where a time was taken.
    pub p99_ms: Option<f64>,
    /// The figure.
    pub value: Option<f64>,
    /// Its unit.
    pub unit: String,
    /// What it is compared with.
    pub against: String,
    /// Its figure, in the same unit.
    pub baseline: Option<f64>,
    /// `value / baseline`.
    pub ratio: Option<f64>,
    /// What is to be reached.
    pub target: String,
    /// Whether it is; `null` where there is nothing to reach. What did not run, or failed in part, is not met.
    pub met: Option<bool>,
    /// What else is to be said: failures, reasons.
    pub note: String,
    /// Something failed, or nothing was measured: whatever the figures say, nothing is met.
    #[serde(skip)]
    pub spoilt: bool,
}

impl Row {
    /// A row without figures.
    pub fn new(row: &str, workload: impl Into<String>, unit: &str) -> Self {
        Self { row: row.to_owned(), workload: workload.into(), unit: unit.to_owned(), ..Self::default() }
    }

    /// With the times of a run.
    #[must_use]
    pub fn timed(mut self, outcome: &Outcome) -> Self {
        self.concurrency = outcome.callers;
        self.samples = outcome.count();
        self.median_ms = Some(outcome.quantile_ms(0.5));
        self.p99_ms = Some(outcome.quantile_ms(0.99));
        self.spoilt |= outcome.count() == 0;
        self.failures(outcome.failed, &outcome.first_error)
    }

    /// With what failed. A call that failed has no time, so that figures without it look better than they are.
    #[must_use]
    pub fn failures(mut self, count: u64, first: &str) -> Self {
        if count > 0 {
            self.spoilt = true;
            self = self.note(format!("{count} failed: {first}"));
        }
        self
    }

    /// With its figure.
    #[must_use]
    pub fn value(mut self, value: f64) -> Self {
        self.value = Some(value);
        self
    }

    /// Compared with something that was measured in the same run and unit.
    #[must_use]
    pub fn against(mut self, what: &str, baseline: f64) -> Self {
        what.clone_into(&mut self.against);
        self.baseline = Some(baseline);
        self.ratio = self.value.map(|value| value / baseline);
        self
    }

    /// With a ratio of its own: the median of several rounds.
    #[must_use]
    pub fn ratio(mut self, ratio: f64) -> Self {
        self.ratio = Some(ratio);
        self
    }

    /// With more to say.
    #[must_use]
    pub fn note(mut self, note: impl AsRef<str>) -> Self {
        if !self.note.is_empty() {
            self.note.push_str("; ");
        }
        self.note.push_str(note.as_ref());
        self
    }

    /// Judged. A row with a target and without a figure is not met, nor is one in which something failed.
    #[must_use]
    pub fn target(mut self, target: Target) -> Self {
        self.target = target.text();
        self.met = match (target, target.met(self.value, self.ratio)) {
            (Target::None, _) => None,
            (_, met) => Some(met == Some(true) && !self.spoilt),
        };
        self
    }
}

fn number(value: Option<f64>) -> String {
    match value {
        None => "–".to_owned(),
        Some(value) if value.abs() >= 1000.0 => format!("{value:.0}"),
        Some(value) if value.abs() >= 10.0 => format!("{value:.1}"),
        Some(value) => format!("{value:.2}"),
    }
}

/// The table, and below it what each row did.
pub fn table(rows: &[Row]) -> String {
    let head = [
        "row", "value", "unit", "against", "baseline", "ratio", "target", "met", "n", "at once", "p50 ms",
        "p99 ms",
    ];
    let mut lines: Vec<Vec<String>> = vec![head.iter().map(|&text| text.to_owned()).collect()];
    for row in rows {
        lines.push(vec![
            row.row.clone(),
            number(row.value),
            row.unit.clone(),
            if row.against.is_empty() { "–".to_owned() } else { row.against.clone() },
            number(row.baseline),
            row.ratio.map_or("–".to_owned(), |ratio| format!("{ratio:.2}×")),
            row.target.clone(),
            match row.met {
                Some(true) => "yes",
                Some(false) => "NO",
                None => "–",
            }
            .to_owned(),
            row.samples.to_string(),
            row.concurrency.to_string(),
            number(row.median_ms),
            number(row.p99_ms),
        ]);
    }
    let widths: Vec<usize> = (0..head.len())
        .map(|at| lines.iter().map(|line| line[at].chars().count()).max().unwrap_or(0))
        .collect();
    let mut text = String::new();
    for line in &lines {
        for (cell, width) in line.iter().zip(&widths) {
            let _ = write!(text, "{cell}{}  ", " ".repeat(width - cell.chars().count()));
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    text.push('\n');
    for row in rows {
        let _ = write!(text, "{}: {}", row.row, row.workload);
        if !row.note.is_empty() {
            let _ = write!(text, " [{}]", row.note);
        }
        text.push('\n');
    }
    text
}

/// All of a run.
#[derive(Debug, Serialize)]
pub struct Report<'a> {
    /// Cores, servers, settings.
    pub machine: Vec<(String, String)>,
    /// The table.
    pub rows: &'a [Row],
}

impl Report<'_> {
    /// Writes it as JSON.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, path: &Path) -> std::io::Result<()> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(path, serde_json::to_vec_pretty(self)?)
    }
}
