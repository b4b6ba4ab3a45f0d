//! What only the directory can do on the command line.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use callboard_kernel::{Clock, Isolation, Language, RandomIds, SystemClock};
use callboard_service::config::{Config, Sources};
use callboard_service::{BoxError, database, install_crypto_provider};
use clap::{Parser, Subcommand};
use std::io::Write;
use uuid::Uuid;

use crate::directory::Offline;
use crate::store::SigningKeys;
use crate::{Directory, DirectoryConfig, NewOrganisation, bootstrap, definition};

#[derive(Debug, Parser)]
#[command(name = "callboard-directory", version)]
struct Cli {
    /// A configuration file (TOML), laid over the defaults.
    #[arg(long, env = "CALLBOARD_CONFIG", global = true)]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Own,
}

#[derive(Debug, Subcommand)]
enum Own {
    /// Makes an organisation and its first administrator. The service publishes it when it runs.
    CreateOrganisation {
        /// For people.
        #[arg(long)]
        name: String,
        /// The administrator's e-mail address.
        #[arg(long)]
        admin_email: String,
        /// The administrator's name.
        #[arg(long, default_value = "Administrator")]
        admin_name: String,
        /// `en` or `de`.
        #[arg(long, default_value = "en")]
        language: Language,
        /// `off`, `basic` or `strict`.
        #[arg(long, default_value = "off")]
        isolation: Isolation,
        /// Its id; with it, running the command again changes nothing.
        #[arg(long)]
        id: Option<Uuid>,
    },
    /// Makes the next signing key. It is published at once and signs in a quarter of an hour.
    RotateKeys,
}

/// Carries out what the command line asks for if it is the directory's own; `None`: it is a service's usual.
pub fn run_own() -> Option<ExitCode> {
    let own = ["create-organisation", "rotate-keys"];
    if !std::env::args().any(|argument| own.contains(&argument.as_str())) {
        return None;
    }
    let cli = Cli::parse();
    install_crypto_provider();
    let outcome = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(BoxError::from)
        .and_then(|runtime| runtime.block_on(carry_out(cli)));
    let (text, code) = match outcome {
        Ok(text) => return Some(print(&text)),
        Err(error) => (format!("callboard-directory: {error}\n"), ExitCode::FAILURE),
    };
    let _ = std::io::stderr().write_all(text.as_bytes());
    Some(code)
}

fn print(text: &str) -> ExitCode {
    match std::io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

async fn carry_out(cli: Cli) -> Result<String, BoxError> {
    let definition = definition();
    let environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let config = Config::load(&Sources {
        service: definition.name,
        defaults: definition.default_config,
        file: cli.config,
        environment,
        overrides: Vec::new(),
    })?;
    let pool = database::pool(&config.database, definition.name)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    match cli.command {
        Own::RotateKeys => {
            let section: DirectoryConfig = config.section()?;
            let keys = SigningKeys::new(pool, section.issuer.encryption()?);
            Ok(format!("{}\n", keys.rotate(clock.now()).await?))
        }
        Own::CreateOrganisation { name, admin_email, admin_name, language, isolation, id } => {
            let ids = Arc::new(RandomIds);
            let mut offline = Offline::new(pool.clone(), clock.clone(), ids.clone());
            let directory = Directory::new(&mut offline, pool, clock, ids);
            let id = id.unwrap_or_else(|| directory.ids.next()).into();
            let new = NewOrganisation { id, name, language, isolation, admin_name, admin_email };
            let administrator = bootstrap(&directory, &new).await?;
            Ok(format!("organisation {id}\nadministrator {administrator}\n"))
        }
    }
}
