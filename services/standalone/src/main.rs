//! `callboard-standalone`: the whole platform in one process.

use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use callboard_backing::{Backing, Options, free_port};
use callboard_service::{BoxError, install_crypto_provider, lifecycle};
use callboard_standalone::platform::Platform;
use callboard_standalone::rest::Client;
use callboard_standalone::seed::{Demo, OVEN_PIN};
use callboard_standalone::{demo, organisation, seed};
use clap::{Parser, Subcommand};
use reqwest::Method;

/// The port tried first for people to come in; another is taken when it is not free.
const PREFERRED_PORT: u16 = 8480;
/// The demo organisation's mail domain.
const DOMAIN: &str = "acme.example";
/// Where a running platform says how to reach it, below the home.
const ADDRESS_FILE: &str = "gateway.url";
/// Where is noted what the demo organisation was made of, below the home.
const DEMO_FILE: &str = "demo.json";

/// The whole platform in one process, on a Postgres and a NATS of its own.
#[derive(Parser)]
#[command(name = "callboard-standalone", version)]
struct Arguments {
    /// Folder of tools and data [default: .callboard in the repository]
    #[arg(long, env = "CALLBOARD_HOME", global = true)]
    home: Option<PathBuf>,
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Start, and stop on Ctrl-C
    Serve {
        /// Where people come in [default: 127.0.0.1:8480, or a free port]
        #[arg(long, env = "CALLBOARD_LISTEN")]
        listen: Option<SocketAddr>,
    },
    /// Play the life of a ticket through the running platform
    Demo,
}

fn main() -> ExitCode {
    callboard_service::small_pages();
    install_crypto_provider();
    let arguments = Arguments::parse();
    let outcome = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(BoxError::from)
        .and_then(|runtime| runtime.block_on(Box::pin(run(arguments))));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tell(&format!("callboard: {error}"));
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), BoxError> {
    let home = match arguments.home {
        Some(home) => home,
        None => callboard_backing::home()?,
    };
    match arguments.what {
        What::Serve { listen } => serve(&home, listen).await,
        What::Demo => {
            let url = std::fs::read_to_string(home.join(ADDRESS_FILE))
                .map_err(|_| "no platform runs here; start one with `make run`")?;
            let made = fill(&home, url.trim())
                .await
                .map_err(|error| format!("{error}; is `make run` still running?"))?;
            demo::play(url.trim(), &made).await
        }
    }
}

/// Progress and errors; answers of the demo go to standard output.
fn tell(line: &str) {
    // Nobody reads: then nobody misses it.
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

async fn serve(home: &Path, listen: Option<SocketAddr>) -> Result<(), BoxError> {
    let began = Instant::now();
    std::fs::create_dir_all(home)?;
    let _logs = callboard_standalone::log::to_file(&home.join("callboard.log"))?;
    tell("Starting Postgres and NATS …");
    let backing = Backing::start(&Options::kept(home)).await?;
    tell(&format!("Starting the services … ({:.1} s)", began.elapsed().as_secs_f32()));
    let outcome = serve_on(home, &backing, listen, began).await;
    tell("Stopping Postgres and NATS …");
    backing.stop().await?;
    outcome
}

async fn serve_on(
    home: &Path,
    backing: &Backing,
    listen: Option<SocketAddr>,
    began: Instant,
) -> Result<(), BoxError> {
    let gateway = match listen {
        Some(listen) => listen,
        None => preferred()?,
    };
    let platform = Platform::start(home, backing, gateway).await?;
    let url = platform.url();
    let outcome = async {
        organisation::make(backing, DOMAIN).await?;
        let made = fill(home, &url).await?;
        std::fs::write(home.join(ADDRESS_FILE), &url)?;
        tell(&format!("Ready after {:.1} s.\n", began.elapsed().as_secs_f32()));
        welcome(&platform, backing, &made)?;
        lifecycle::signal().await;
        Ok(())
    }
    .await;
    tell("\nStopping the services …");
    // It may never have been written.
    let _ = std::fs::remove_file(home.join(ADDRESS_FILE));
    outcome.and(platform.stop().await)
}

fn preferred() -> Result<SocketAddr, BoxError> {
    let preferred = SocketAddr::from(([127, 0, 0, 1], PREFERRED_PORT));
    let free = TcpListener::bind(preferred).is_ok();
    Ok(if free { preferred } else { SocketAddr::from(([127, 0, 0, 1], free_port()?)) })
}

/// Makes the demo organisation's contents, or finds them made: a later start takes one look at what was noted.
async fn fill(home: &Path, url: &str) -> Result<Demo, BoxError> {
    let admin = Client::new(url).as_person(&format!("ada@{DOMAIN}")).await?;
    let note = home.join(DEMO_FILE);
    if let Some(demo) = noted(&note, &admin).await {
        return Ok(demo);
    }
    let demo = seed::seed(&admin, organisation::organisation_id(DOMAIN).uuid(), DOMAIN).await?;
    std::fs::write(&note, serde_json::to_vec_pretty(&demo)?)?;
    Ok(demo)
}

/// What was noted, if this database holds it: a code's text is made anew in every database.
async fn noted(note: &Path, admin: &Client) -> Option<Demo> {
    let demo: Demo = serde_json::from_slice(&std::fs::read(note).ok()?).ok()?;
    let path = format!("/v1/codes/{}", demo.coffee_code_id);
    let code = admin.send(Method::GET, &path, None, None).await.ok()?;
    (code["token"] == demo.coffee_code).then_some(demo)
}

fn welcome(platform: &Platform, backing: &Backing, made: &Demo) -> Result<(), BoxError> {
    let url = platform.url();
    let mut out = std::io::stdout().lock();
    writeln!(out, "Callboard is running.\n")?;
    writeln!(out, "  REST and live events   {url}/v1   (documentation: {url}/docs)")?;
    writeln!(out, "  gRPC, all contexts     {url}   (reflection is on)")?;
    writeln!(out, "  Scanned by a visitor   {url}/c/{}   (a page: open it in a browser)", made.coffee_code)?;
    writeln!(out, "  E-mails that were sent {}   (none leaves this machine)", platform.mail_url())?;
    for (name, admin) in platform.admin_urls() {
        writeln!(out, "  {:<22} {admin}/metrics", format!("Metrics of {name}"))?;
    }
    writeln!(out, "  Events on NATS         {}", backing.nats_url())?;
    writeln!(out, "\nPeople of the demo organisation (password-less, for development):\n")?;
    let people = ["ada", "max", "nora", "nick", "sofia", "otto"].map(|name| made.email(name));
    for (email, role) in
        people.iter().zip(["administrator", "moderator", "member", "member", "member", "member"])
    {
        writeln!(out, "  {email:<22} {role}")?;
    }
    writeln!(out, "  {:<22} customer user", made.customer_email())?;
    writeln!(
        out,
        "  codes: {} (coffee machine), {} (oven, PIN {OVEN_PIN})",
        made.coffee_code, made.oven_code
    )?;
    out.write_all(callboard_standalone::tour::tour(&url, made).as_bytes())?;
    writeln!(out, "\n`make demo` plays all of it. Ctrl-C stops everything; data stays for the next start.")?;
    Ok(())
}
