//! Backing servers for real: chosen, started, stopped, killed, orphaned.

mod choice;
mod command;
mod servers;

use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::Duration;

use callboard_backing::{Data, Options, home};
use tokio::time::{Instant, sleep};

/// Waits until a condition holds, at most 30 seconds.
async fn until<F: Future<Output = bool>>(what: &str, condition: impl Fn() -> F) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !condition().await {
        assert!(Instant::now() < deadline, "waited 30 s in vain: {what}");
        // Between two looks: this crate comes before the testkit.
        sleep(Duration::from_millis(20)).await;
    }
}

/// A folder for kept data. It goes at the end of the test, which must have stopped its servers.
fn place() -> tempfile::TempDir {
    use std::os::unix::fs::PermissionsExt;
    let place = tempfile::tempdir().expect("a temporary folder");
    // As root the database runs as another user, who must get there.
    std::fs::set_permissions(place.path(), std::fs::Permissions::from_mode(0o755)).expect("permissions");
    place
}

fn kept(place: &Path) -> Options {
    Options { data: Data::Kept(place.to_owned()), ..Options::for_tests(home().expect("a home")) }
}

fn ephemeral() -> Options {
    Options::for_tests(home().expect("a home"))
}

/// Makes an executable that prints one line.
fn script(path: &Path, prints: &str) -> PathBuf {
    use std::os::unix::fs::PermissionsExt;
    std::fs::create_dir_all(path.parent().expect("has a parent")).expect("folder");
    std::fs::write(path, format!("#!/bin/sh\necho '{prints}'\n")).expect("script");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("permissions");
    path.canonicalize().expect("is there")
}
