//! `callboard-backing`: servers and tools for scripts.

use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use callboard_backing::{
    Backing, DATABASE_URL_VARIABLE, Error, NATS_URL_VARIABLE, Options, Tool, home, locate,
};
use clap::{Parser, Subcommand, ValueEnum};
use tokio::signal::unix::{SignalKind, signal};

/// Finds, installs and runs a local Postgres and NATS server, and other pinned tools.
#[derive(Parser)]
#[command(name = "callboard-backing", version)]
struct Arguments {
    /// Folder of tools and data [default: .callboard in the repository]
    #[arg(long, env = "CALLBOARD_HOME")]
    home: Option<PathBuf>,
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Installs everything that is missing, so that later starts need no network
    Install,
    /// Prints the path of the executable that would be used
    Where {
        /// Which one
        tool: Named,
    },
    /// Runs a tool, installing it first if it is missing
    Tool {
        /// Which one
        tool: Named,
        /// Its arguments
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Runs a command with a pair of servers of its own, for tests; they and their data go with it
    ///
    /// The addresses are in CALLBOARD_TEST_POSTGRES_URL and CALLBOARD_TEST_NATS_URL; nothing is started if both are
    /// set already.
    WithServers {
        /// The command
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
        command: Vec<String>,
    },
    /// Runs the servers on kept data until interrupted, and prints their addresses as settings
    Serve,
}

#[derive(Clone, Copy, ValueEnum)]
enum Named {
    Postgres,
    Nats,
    Buf,
    Seaweedfs,
}

impl From<Named> for Tool {
    fn from(named: Named) -> Self {
        match named {
            Named::Postgres => Self::Postgres,
            Named::Nats => Self::NatsServer,
            Named::Buf => Self::Buf,
            Named::Seaweedfs => Self::SeaweedFs,
        }
    }
}

/// What the test kit reads.
const TEST_POSTGRES_URL: &str = "CALLBOARD_TEST_POSTGRES_URL";
/// See [`TEST_POSTGRES_URL`].
const TEST_NATS_URL: &str = "CALLBOARD_TEST_NATS_URL";

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(code) => code,
        Err(error) => {
            tell(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<ExitCode, Error> {
    let home = match arguments.home {
        Some(home) => home,
        None => home()?,
    };
    match arguments.what {
        What::Install => {
            for tool in Tool::ALL {
                print(&locate(&home, tool)?.display().to_string());
            }
        }
        What::Where { tool } => print(&locate(&home, tool.into())?.display().to_string()),
        What::Tool { tool, arguments } => {
            let executable = locate(&home, tool.into())?;
            let error = Command::new(&executable).args(arguments).exec();
            return Err(Error::Io { action: format!("running {}", executable.display()), source: error });
        }
        What::WithServers { command } => return with_servers(&home, &command).await,
        What::Serve => {
            let backing = Backing::start(&Options::kept(home)).await?;
            print(&format!("{DATABASE_URL_VARIABLE}={}", backing.postgres_url()));
            print(&format!("{NATS_URL_VARIABLE}={}", backing.nats_url()));
            let mut interrupts = Interrupts::listen()?;
            interrupts.next().await;
            tell("stopping the servers");
            backing.stop().await?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Runs a command between the start and the stop of the servers; its exit code becomes ours.
async fn with_servers(home: &std::path::Path, command: &[String]) -> Result<ExitCode, Error> {
    let given = |variable| std::env::var(variable).ok().filter(|url: &String| !url.is_empty());
    let options = Options {
        database_url: given(TEST_POSTGRES_URL),
        nats_url: given(TEST_NATS_URL),
        ..Options::for_tests(home)
    };
    let mut interrupts = Interrupts::listen()?;
    let backing = tokio::select! {
        backing = Backing::start(&options) => backing?,
        code = interrupts.next() => return Ok(code),
    };
    let started = tokio::process::Command::new(&command[0])
        .args(&command[1..])
        .env(TEST_POSTGRES_URL, backing.postgres_url())
        .env(TEST_NATS_URL, backing.nats_url())
        // Tests are about these servers, not about those that a developer has configured.
        .env_remove(DATABASE_URL_VARIABLE)
        .env_remove(NATS_URL_VARIABLE)
        .spawn();
    let result = match started {
        Err(error) => Err(Error::Io { action: format!("running {}", command[0]), source: error }),
        Ok(mut child) => {
            let pid = child.id();
            loop {
                tokio::select! {
                    ended = child.wait() => break ended.map_err(|source| Error::Io {
                        action: format!("waiting for {}", command[0]),
                        source,
                    }),
                    // A Ctrl-C in the terminal reaches the command as well; a signal to us alone is passed on.
                    _ = interrupts.next() => if let Some(pid) = pid {
                        let _ = Command::new("/bin/sh").args(["-c", "kill -TERM \"$1\"", "sh", &pid.to_string()]).status();
                    },
                }
            }
        }
    };
    backing.stop().await?;
    let status = result?;
    // As shells do it: a command that was ended by a signal counts as 128 and its number.
    let code = status.code().or_else(|| status.signal().map(|number| 128 + number)).unwrap_or(1);
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(1)))
}

/// Ctrl-C and the polite request to end.
struct Interrupts {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

impl Interrupts {
    fn listen() -> Result<Self, Error> {
        let listen = |kind| {
            signal(kind).map_err(|source| Error::Io { action: "listening for signals".to_owned(), source })
        };
        Ok(Self { interrupt: listen(SignalKind::interrupt())?, terminate: listen(SignalKind::terminate())? })
    }

    /// Waits for the next one and tells the exit code that shells give it.
    async fn next(&mut self) -> ExitCode {
        tokio::select! {
            _ = self.interrupt.recv() => ExitCode::from(130),
            _ = self.terminate.recv() => ExitCode::from(143),
        }
    }
}

#[expect(clippy::print_stdout, reason = "what a script asked for")]
fn print(text: &str) {
    println!("{text}");
}

#[expect(clippy::print_stderr, reason = "for whoever called the command")]
fn tell(text: &str) {
    eprintln!("callboard-backing: {text}");
}
