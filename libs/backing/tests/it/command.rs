//! The command `callboard-backing`, as scripts and people call it.

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use crate::{place, script, until};

fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_callboard-backing"));
    command.stdin(Stdio::null()).env("CALLBOARD_HOME", callboard_backing::home().expect("a home"));
    for variable in ["CALLBOARD_TEST_POSTGRES_URL", "CALLBOARD_TEST_NATS_URL"] {
        command.env_remove(variable);
    }
    command
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn an_old_nats_server_that_is_named_is_refused_clearly() {
    let place = place();
    let old = script(&place.path().join("nats-server"), "nats-server: v2.9.10");
    let output = command().args(["where", "nats"]).env("CALLBOARD_NATS_SERVER", &old).output().expect("runs");
    assert!(!output.status.success());
    let text = stderr(&output);
    for part in ["2.9.10", "needs 2.10", "CALLBOARD_NATS_SERVER", &*old.to_string_lossy()] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn an_old_nats_server_on_the_path_is_passed_over() {
    let place = place();
    script(&place.path().join("nats-server"), "nats-server: v2.9.10");
    let path = format!("{}:{}", place.path().display(), std::env::var("PATH").expect("a path"));
    let output = command().args(["where", "nats"]).env("PATH", path).output().expect("runs");
    assert!(output.status.success(), "{}", stderr(&output));
    let chosen = String::from_utf8_lossy(&output.stdout);
    assert!(!chosen.starts_with(&*place.path().to_string_lossy()), "{chosen}");
    let version = Command::new(chosen.trim()).arg("--version").output().expect("runs");
    assert!(!String::from_utf8_lossy(&version.stdout).contains("2.9.10"));
}

#[test]
fn a_home_without_python_gets_advice() {
    let place = place();
    // The command needs `id` and `sh`, and finds no python3.
    let bin = place.path().join("bin");
    std::fs::create_dir(&bin).expect("folder");
    for tool in ["id", "sh"] {
        let real = ["/bin", "/usr/bin"]
            .map(|folder| Path::new(folder).join(tool))
            .into_iter()
            .find(|path| path.exists());
        std::os::unix::fs::symlink(real.expect("every system has it"), bin.join(tool)).expect("linked");
    }
    let output = command()
        .args(["where", "nats"])
        .env("PATH", &bin)
        .env("CALLBOARD_NATS_SERVER", "pinned")
        .env("CALLBOARD_HOME", place.path().join("home"))
        .output()
        .expect("runs");
    assert!(!output.status.success());
    let text = stderr(&output);
    for part in ["python3", "apt-get install python3-pip", "CALLBOARD__NATS__URL"] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn with_servers_gives_addresses_and_the_exit_code_of_the_command() {
    let output = command()
        .args([
            "with-servers",
            "--",
            "sh",
            "-c",
            "echo $CALLBOARD_TEST_POSTGRES_URL $CALLBOARD_TEST_NATS_URL; exit 7",
        ])
        .output()
        .expect("runs");
    assert_eq!(output.status.code(), Some(7), "{}", stderr(&output));
    let printed = String::from_utf8_lossy(&output.stdout);
    let urls: Vec<&str> = printed.split_whitespace().collect();
    assert!(urls[0].starts_with("postgres://") && urls[1].starts_with("nats://"), "{printed}");
    for port in ports(&printed) {
        assert!(TcpStream::connect(("127.0.0.1", port)).is_err(), "nothing is left at {port}");
    }
}

#[test]
fn servers_that_are_given_are_used_and_nothing_is_started() {
    let output = command()
        .args(["with-servers", "--", "sh", "-c", "true"])
        .env("CALLBOARD_TEST_POSTGRES_URL", "postgres://callboard@127.0.0.1:1/none")
        .env("CALLBOARD_TEST_NATS_URL", "nats://127.0.0.1:1")
        .output()
        .expect("runs");
    assert!(!output.status.success(), "nothing listens there, and nothing takes its place");
    assert!(stderr(&output).contains("cannot be used"), "{}", stderr(&output));
}

#[test]
fn a_command_that_a_signal_ended_counts_as_in_a_shell() {
    let output = command().args(["with-servers", "--", "sh", "-c", "kill -TERM $$"]).output().expect("runs");
    assert_eq!(output.status.code(), Some(128 + 15), "{}", stderr(&output));
}

/// The driver is killed in the hardest way while its servers run; nobody is left to stop them but themselves.
#[tokio::test]
async fn servers_do_not_outlive_a_driver_that_is_killed() {
    let mut driver: Child = command()
        .args([
            "with-servers",
            "--",
            "sh",
            "-c",
            "echo $CALLBOARD_TEST_POSTGRES_URL $CALLBOARD_TEST_NATS_URL; exec sleep 20 2>/dev/null",
        ])
        .stdout(Stdio::piped())
        .spawn()
        .expect("runs");
    let mut line = String::new();
    BufReader::new(driver.stdout.take().expect("is piped")).read_line(&mut line).expect("addresses");
    let ports = ports(&line);
    assert_eq!(ports.len(), 2, "{line}");
    for port in &ports {
        TcpStream::connect(("127.0.0.1", *port)).expect("it listens");
    }
    driver.kill().expect("is killed");
    driver.wait().expect("is gone");
    until("both servers are gone", async || {
        ports.iter().all(|port| TcpStream::connect(("127.0.0.1", *port)).is_err())
    })
    .await;
}

fn ports(printed: &str) -> Vec<u16> {
    printed
        .split_whitespace()
        .filter_map(|url| url.rsplit_once(':')?.1.split('/').next()?.parse().ok())
        .collect()
}
