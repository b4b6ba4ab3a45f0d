//! Logs go to a file, so that the terminal shows what a person needs.

use std::fs::File;
use std::path::Path;

use callboard_service::BoxError;
use tracing_subscriber::EnvFilter;

/// Keeps the log open; drop it at the end.
#[derive(Debug)]
pub struct Log(());

/// Writes the log of all services to a file, anew at each start. `RUST_LOG` says how much; default: `info`.
///
/// # Errors
/// The file cannot be made, or something logs already.
pub fn to_file(path: &Path) -> Result<Log, BoxError> {
    let file = File::create(path)?;
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(file).try_init()?;
    Ok(Log(()))
}
