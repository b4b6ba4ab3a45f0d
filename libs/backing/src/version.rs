//! Versions of the servers: what they print, and the oldest that is supported.

use std::fmt;
use std::path::Path;
use std::process::{Command, Stdio};

/// A server that Callboard stands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// The database server.
    Postgres,
    /// The message broker.
    Nats,
}

impl Program {
    /// The oldest version that works.
    ///
    /// Postgres 15: `MERGE`, `NULLS NOT DISTINCT`, and the oldest that Debian's stable releases carry.
    /// nats-server 2.10: an older one silently ignores `filter_subjects` and stream metadata.
    pub const fn minimum(self) -> Version {
        match self {
            Self::Postgres => Version { major: 15, minor: 0, patch: 0 },
            Self::Nats => Version { major: 2, minor: 10, patch: 0 },
        }
    }

    /// Name of the executable.
    pub const fn executable(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Nats => "nats-server",
        }
    }

    /// The environment variable that points to one's own binaries: for Postgres the bin folder, for NATS the file.
    pub const fn variable(self) -> &'static str {
        match self {
            Self::Postgres => "CALLBOARD_POSTGRES_BIN",
            Self::Nats => "CALLBOARD_NATS_SERVER",
        }
    }
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Postgres => "Postgres",
            Self::Nats => "nats-server",
        })
    }
}

/// A version of up to three numbers; pre-release marks are dropped (`18beta1` counts as 18).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// First number.
    pub major: u32,
    /// Second number, 0 if not told.
    pub minor: u32,
    /// Third number, 0 if not told.
    pub patch: u32,
}

impl Version {
    /// Finds the version in what a program prints for `--version`, such as
    /// `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)` or `nats-server: v2.15.1`: the first word that
    /// begins with a digit, after an optional `v`. `None` if there is none.
    pub fn parse(printed: &str) -> Option<Self> {
        printed.split_whitespace().find_map(Self::parse_word)
    }

    fn parse_word(word: &str) -> Option<Self> {
        let word = word.strip_prefix('v').unwrap_or(word);
        let mut numbers = [0; 3];
        for (index, part) in word.splitn(3, '.').enumerate() {
            let digits = &part[..part.bytes().take_while(u8::is_ascii_digit).count()];
            if digits.is_empty() {
                // "15.x" is nothing that a server prints; "v" or "(Debian" is another word.
                return None;
            }
            numbers[index] = digits.parse().ok()?;
            if digits.len() < part.len() {
                break;
            }
        }
        let [major, minor, patch] = numbers;
        Some(Self { major, minor, patch })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)?;
        if self.patch > 0 { write!(f, ".{}", self.patch) } else { Ok(()) }
    }
}

/// Asks an executable for its version.
///
/// # Errors
/// A sentence that says why it could not be told: not there, not runnable, or nothing like a version printed.
pub fn probe(executable: &Path) -> Result<Version, String> {
    let output = Command::new(executable)
        .arg("--version")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{} does not run: {error}", executable.display()))?;
    let printed = String::from_utf8_lossy(&output.stdout);
    match Version::parse(&printed) {
        Some(version) if output.status.success() => Ok(version),
        _ => Err(format!("{} does not tell its version", executable.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(major: u32, minor: u32, patch: u32) -> Version {
        Version { major, minor, patch }
    }

    #[test]
    fn versions_are_read_from_what_servers_print() {
        for (printed, expected) in [
            ("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n", version(15, 18, 0)),
            ("postgres (PostgreSQL) 18.6", version(18, 6, 0)),
            ("postgres (PostgreSQL) 19beta1", version(19, 0, 0)),
            ("postgres (PostgreSQL) 9.6.24", version(9, 6, 24)),
            ("nats-server: v2.15.1\n", version(2, 15, 1)),
            ("nats-server: v2.9.10", version(2, 9, 10)),
            ("nats-server: v2.11.0-preview.2", version(2, 11, 0)),
        ] {
            assert_eq!(Version::parse(printed), Some(expected), "{printed}");
        }
        assert_eq!(Version::parse("no version here"), None);
        assert_eq!(Version::parse(""), None);
    }

    #[test]
    fn versions_are_compared_by_number_not_by_text() {
        assert!(version(2, 9, 10) < Program::Nats.minimum());
        assert!(version(2, 10, 0) >= Program::Nats.minimum());
        assert!(version(14, 99, 0) < Program::Postgres.minimum());
        assert!(version(15, 0, 0) >= Program::Postgres.minimum());
    }
}
