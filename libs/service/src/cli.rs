//! The command line that every service has.

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use uuid::Uuid;

/// A Callboard service.
#[derive(Debug, Parser)]
#[command(version, about)]
pub(crate) struct Cli {
    /// A configuration file (TOML), laid over the defaults.
    #[arg(long, env = "CALLBOARD_CONFIG", global = true)]
    pub config: Option<PathBuf>,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve calls until SIGTERM.
    Serve {
        /// Apply migrations first. For development.
        #[arg(long)]
        migrate: bool,
    },
    /// Bring the database schema up to date.
    Migrate {
        /// Only say what would be applied.
        #[arg(long)]
        dry_run: bool,
    },
    /// Print the effective configuration, secrets masked; fails when it is wrong.
    CheckConfig,
    /// Rebuild this service's stream from Postgres, with the same event ids. Stop the service first.
    Republish,
    /// Events of this service that the bus refused. Nothing needs to be stopped.
    Outbox {
        #[command(subcommand)]
        command: OutboxCommand,
    },
    /// Events that could not be processed, and those that wait behind them.
    Dlq {
        #[command(subcommand)]
        command: DlqCommand,
    },
}

/// What can be done with events that the bus refused.
#[derive(Debug, Clone, Subcommand)]
pub enum OutboxCommand {
    /// List them, oldest first, and why. Later events of the same aggregate wait behind each.
    ListRefused {
        /// At most this many.
        #[arg(long, default_value_t = 100)]
        limit: u32,
    },
    /// Let go of one: what waits behind it goes on.
    Release {
        /// The event.
        id: Uuid,
        /// Never publish it. Otherwise it is tried once more.
        #[arg(long)]
        skip: bool,
    },
}

/// What can be done with dead letters.
#[derive(Debug, Clone, Subcommand)]
pub enum DlqCommand {
    /// List them, oldest first.
    List {
        /// At most this many.
        #[arg(long, default_value_t = 100)]
        limit: u32,
    },
    /// Show one event whole.
    Show {
        /// The event.
        id: Uuid,
    },
    /// Try one event again, and those behind it.
    Replay {
        /// The event.
        id: Uuid,
    },
    /// Give one event up, and let those behind it go on.
    Skip {
        /// The event.
        id: Uuid,
    },
}
