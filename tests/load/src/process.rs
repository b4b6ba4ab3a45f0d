//! What processes cost, from `/proc`.

use std::collections::HashMap;
use std::fs;

/// Clock ticks a second, as `/proc` counts; the same on every Linux that Rust runs on.
const TICKS: f64 = 100.0;

/// CPU of one process, in ticks.
#[derive(Debug, Clone, Copy)]
struct Usage {
    parent: u32,
    own: u64,
    /// Of children that have ended and were waited for.
    ended_children: u64,
}

fn usage(process: u32) -> Option<Usage> {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name, in parentheses, may hold anything.
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let field = |at: usize| fields.get(at)?.parse::<u64>().ok();
    Some(Usage {
        parent: u32::try_from(field(1)?).ok()?,
        own: field(11)? + field(12)?,
        ended_children: field(13)? + field(14)?,
    })
}

/// User and system CPU of a process and its children, past and present, in milliseconds.
pub fn cpu_ms(root: u32) -> f64 {
    let Some(own) = usage(root) else { return f64::NAN };
    let mut all: HashMap<u32, Usage> = HashMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        if let Some(process) = entry.file_name().to_str().and_then(|name| name.parse().ok()) {
            all.extend(usage(process).map(|usage| (process, usage)));
        }
    }
    let mut ticks = own.own + own.ended_children;
    let mut parents = vec![root];
    while let Some(parent) = parents.pop() {
        for (&process, usage) in all.iter().filter(|(_, usage)| usage.parent == parent) {
            ticks += usage.own + usage.ended_children;
            parents.push(process);
        }
    }
    ticks as f64 * 1000.0 / TICKS
}

/// Resident memory of a process in MiB.
pub fn resident_mib(process: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    let kib: f64 = line.split_whitespace().next().and_then(|text| text.parse().ok()).unwrap_or(f64::NAN);
    kib / 1024.0
}

/// How many processors there are.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
