//! `make run` and `make demo`: the platform in one process on servers that it brings along, its data kept.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use callboard_e2e_tests::{Client, program};
use callboard_testkit::{PATIENCE, eventually, eventually_some};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::{Child, Command};

/// Making the data of a first start takes longer than anything else.
const START: Duration = Duration::from_secs(180);

fn command(home: &Path, what: &str) -> Command {
    let mut command = Command::new(program("callboard-standalone"));
    command
        .arg(what)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", std::env::var_os("HOME").unwrap_or_default())
        .env("CALLBOARD_HOME", home)
        .env("CALLBOARD_LISTEN", "127.0.0.1:0")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

async fn serve(home: &Path) -> (Child, Client) {
    let mut child =
        command(home, "serve").stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("to start");
    let told = home.join("gateway.url");
    let url = tokio::select! {
        url = eventually_some("where to go", START, || async { std::fs::read_to_string(&told).ok() }) => url,
        ended = child.wait() => panic!("it ended with {ended:?}"),
    };
    (child, Client::new(url.trim()))
}

/// Ends it as Ctrl-C does, and waits for the last of its servers.
async fn interrupt(home: &Path, mut child: Child) {
    let id = child.id().expect("a running process").to_string();
    let sent = Command::new("kill").args(["-INT", &id]).status().await.expect("kill");
    assert!(sent.success());
    let ended = tokio::time::timeout(PATIENCE, child.wait()).await.expect("to end in time").expect("its end");
    assert!(ended.success(), "{ended:?}");
    assert!(!home.join("gateway.url").exists(), "nobody is led to where nobody is");
    eventually("nothing of it to be left", PATIENCE, || async {
        let left = processes_of(home);
        if left.is_empty() { Ok(()) } else { Err(left) }
    })
    .await;
}

/// Command lines that name the home.
fn processes_of(home: &Path) -> Vec<String> {
    let home = home.to_string_lossy().into_owned();
    let all = std::fs::read_dir("/proc").expect("/proc").flatten();
    all.filter_map(|process| std::fs::read(process.path().join("cmdline")).ok())
        .map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
        .filter(|line| line.contains(&home))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_start_fills_it_a_demo_plays_and_a_second_start_goes_on_with_the_same_data() {
    // Both rustls providers may be in the build; clients of this process need one chosen.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let home = TempDir::new().expect("a temporary folder");
    // As root the database runs as another user, who must get there.
    std::fs::set_permissions(home.path(), std::fs::Permissions::from_mode(0o755)).expect("permissions");
    let installed = callboard_backing::tools(&callboard_backing::home().expect("a home")).expect("its tools");
    if installed.is_dir() {
        symlink(installed, home.path().join("tools")).expect("the tools that are there already");
    }
    let (child, _) = serve(home.path()).await;
    let played = command(home.path(), "demo").output().await.expect("the demo");
    let told = String::from_utf8_lossy(&played.stdout);
    assert!(played.status.success(), "{told}\n{}", String::from_utf8_lossy(&played.stderr));
    assert!(told.contains("\"CLOSED\" with a rating of 5"), "{told}");
    // It passes through every context: also through the drawer, the files and the support desk.
    let line = |begins: &str, ends: &str| {
        told.lines().any(|line| line.trim_start().starts_with(begins) && line.ends_with(ends))
    };
    assert!(line("🔔 nora's drawer:", "(unread)") && line("🔔 nora's drawer:", "(read)"), "{told}");
    assert!(line("🔔 max is told:", "(unread)") && line("🔔 max has", "unread"), "{told}");
    assert!(told.contains("name: \"seal.txt\", mediaType: \"text/plain; charset=utf-8\""), "{told}");
    assert!(told.contains("\"attachmentIds\":[\""), "{told}");
    let decided = |line: &str| line.contains("status: \"SOLVED\"") && line.contains("decision: \"APPROVED\"");
    assert!(told.lines().any(decided), "{told}");
    interrupt(home.path(), child).await;

    let made = std::fs::read(home.path().join("demo.json")).expect("what was made");
    let made: Value = serde_json::from_slice(&made).expect("JSON");
    let (child, nobody) = serve(home.path()).await;
    let visit = nobody.post("/v1/codes:scan", json!({"code": made["coffee_code"]})).await.ok();
    let visitor = nobody.with_token(visit["tokens"]["accessToken"].as_str().expect("a token"));
    let seen = visitor.get("/v1/tickets").await.ok();
    assert_eq!(seen["tickets"][0]["status"], "CLOSED", "what was played before: {seen}");
    interrupt(home.path(), child).await;
}
