//! All services in this process, wired to each other over loopback.

use std::net::SocketAddr;
use std::path::Path;

use callboard_backing::{Backing, MailCatcher, MailPage, free_port};
use callboard_service::{BoxError, Definition, Running, StartOptions, start, telemetry};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

/// The contexts and the gateway, running.
#[derive(Debug)]
pub struct Platform {
    /// The contexts, in the order of their start.
    contexts: Vec<Running>,
    gateway: Running,
    /// Keeps what is sent by e-mail.
    _mail: MailCatcher,
    mail_page: MailPage,
}

/// The contexts, the directory first: it holds the keys that the others verify tokens with.
fn contexts() -> Vec<Definition> {
    vec![
        callboard_directory::definition(),
        callboard_tickets::definition(),
        callboard_fleet::definition(),
        callboard_ratings::definition(),
        callboard_support::definition(),
        callboard_messenger::definition(),
        callboard_tasks::definition(),
        callboard_notifications::definition(),
        callboard_video::definition(),
    ]
}

impl Platform {
    /// Starts everything on these servers and waits until it serves. Files are kept below `home`; `gateway` is where
    /// people come in.
    ///
    /// # Errors
    /// The first service that does not start.
    pub async fn start(home: &Path, backing: &Backing, gateway: SocketAddr) -> Result<Self, BoxError> {
        let keys: SocketAddr = ([127, 0, 0, 1], free_port()?).into();
        let issuer = format!("http://{keys}");
        let public_url = std::env::var("CALLBOARD__GATEWAY__PUBLIC_URL");
        let public_url = public_url.unwrap_or_else(|_| format!("http://{gateway}"));
        let own_keys: SocketAddr = ([127, 0, 0, 1], free_port()?).into();
        let own_issuer = format!("http://{own_keys}");
        let mail = MailCatcher::start(([127, 0, 0, 1], 0).into()).await?;
        let mail_page = MailPage::start(&mail, ([127, 0, 0, 1], 0).into()).await?;
        let metrics = telemetry::metrics();
        let common = || {
            StartOptions { environment: environment(), ..StartOptions::default() }
                .with("nats.url", backing.nats_url())
                .with("shutdown.propagation_delay", "0s")
                .with("auth.issuers", issuers(&issuer))
        };
        let mut running: Vec<Running> = Vec::new();
        for definition in contexts() {
            let directory = definition.name == "directory";
            let notifications = definition.name == "notifications";
            let admin = if directory {
                keys.to_string()
            } else if notifications {
                own_keys.to_string()
            } else {
                "127.0.0.1:0".to_owned()
            };
            let mut options = common()
                .with("database.url", backing.postgres_url())
                .with("database.migrate_on_start", true)
                .with("grpc.listen", "127.0.0.1:0")
                .with("admin.listen", admin);
            if directory {
                options = options
                    .with("directory.issuer.issuer", issuer.clone())
                    .with("directory.issuer.development_tokens", true)
                    // Notifications ask the directory as themselves.
                    .with("auth.issuers", issuers_with(&issuer, &own_issuer));
            }
            if notifications {
                let directory = running.first().map(|directory| format!("http://{}", directory.grpc_addr));
                options = options
                    .with("notifications.public_url", format!("http://{gateway}"))
                    .with("notifications.ticket_url", "{public_url}/v1/tickets/{ticket}/view")
                    .with("notifications.video_session_url", "{public_url}/v1/videoSessions/{session}")
                    .with("notifications.task_url", "{public_url}/v1/tasks/{task}")
                    .with("notifications.support_ticket_url", "{public_url}/v1/supportTickets/{ticket}")
                    .with("notifications.directory.url", directory.unwrap_or_default())
                    .with("notifications.directory.issuer", own_issuer.clone())
                    .with("notifications.email.url", mail.url())
                    .with("notifications.email.starttls", "none")
                    // Backends that are tried out run on this machine.
                    .with("notifications.webhooks.allow_private", true)
                    .with("notifications.webhooks.allow_http", true);
            }
            if definition.name == "video" {
                options = options.with("video.call_page", format!("{public_url}/call"));
            }
            if definition.default_config.contains(".attachments]") {
                let folder = home.join("attachments").display().to_string();
                options = options.with(format!("{}.attachments.folder", definition.name), folder);
            }
            running.push(start(definition, options, metrics.clone(), CancellationToken::new()).await?);
        }
        let mut options =
            common().with("grpc.listen", gateway.to_string()).with("admin.listen", "127.0.0.1:0");
        options = options.with("gateway.public_url", public_url.clone());
        for (definition, service) in contexts().iter().zip(&running) {
            let key = format!("gateway.upstreams.{}", definition.name);
            options = options.with(key, format!("http://{}", service.grpc_addr));
        }
        let gateway =
            start(callboard_gateway::definition(), options, metrics.clone(), CancellationToken::new())
                .await?;
        let mut platform = Self { contexts: running, gateway, _mail: mail, mail_page };
        for service in &mut platform.contexts {
            service.ready().await?;
        }
        platform.gateway.ready().await?;
        Ok(platform)
    }

    /// Where people come in: `http://127.0.0.1:…`.
    pub fn url(&self) -> String {
        format!("http://{}", self.gateway.grpc_addr)
    }

    /// Where one sees what was sent by e-mail: `http://127.0.0.1:…`.
    pub fn mail_url(&self) -> String {
        self.mail_page.url()
    }

    /// The contexts by name.
    fn named(&self) -> impl Iterator<Item = (&'static str, &Running)> {
        contexts().into_iter().map(|definition| definition.name).zip(&self.contexts)
    }

    /// Where metrics and probes are, by service.
    pub fn admin_urls(&self) -> Vec<(&'static str, String)> {
        self.named()
            .chain([("gateway", &self.gateway)])
            .map(|(name, service)| (name, format!("http://{}", service.admin_addr)))
            .collect()
    }

    /// Where the services listen for gRPC, by name; the gateway takes all of it too.
    pub fn grpc_urls(&self) -> Vec<(&'static str, String)> {
        self.named().map(|(name, service)| (name, format!("http://{}", service.grpc_addr))).collect()
    }

    /// Stops the gateway, then the contexts, each in good order.
    ///
    /// # Errors
    /// The first that did not end well; all are asked to.
    pub async fn stop(self) -> Result<(), BoxError> {
        let mut outcome = self.gateway.stop().await;
        for service in &self.contexts {
            service.request_stop();
        }
        for service in self.contexts {
            outcome = outcome.and(service.stop().await);
        }
        outcome
    }
}

fn issuers(issuer: &str) -> Value {
    json!([{"issuer": issuer, "audience": "callboard", "jwks_url": format!("{issuer}/.well-known/jwks.json")}])
}

/// As [`issuers`], with the service that speaks for itself.
fn issuers_with(issuer: &str, service: &str) -> Value {
    let mut both = issuers(issuer);
    if let Value::Array(list) = &mut both {
        list.push(json!({
            "issuer": service, "audience": "callboard",
            "jwks_url": format!("{service}/.well-known/jwks.json"), "kinds": ["service"],
        }));
    }
    both
}

/// What the caller's environment may still say: how calls are limited, what is logged. Addresses are ours to choose.
fn environment() -> Vec<(String, String)> {
    const OURS: [&str; 6] = [
        "CALLBOARD__DATABASE__",
        "CALLBOARD__NATS__",
        "CALLBOARD__GRPC__LISTEN",
        "CALLBOARD__ADMIN__LISTEN",
        "CALLBOARD__AUTH__ISSUERS",
        "CALLBOARD__GATEWAY__UPSTREAMS",
    ];
    std::env::vars().filter(|(name, _)| !OURS.iter().any(|ours| name.starts_with(ours))).collect()
}
