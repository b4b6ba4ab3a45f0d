//! The notifications service: drawers, preferences, and the channels that tell people (N-1 to N-6).

pub mod api;
mod config;
pub mod contacts;
mod convert;
pub mod courier;
pub mod events;
pub mod links;
pub mod presence;
pub mod render;
pub mod store;
pub mod tell;
pub mod window;

use std::sync::Arc;

use callboard_auth::{Issuer, IssuerSettings, SigningKey};
use callboard_bus::HandleError;
use callboard_journal::Pool;
use callboard_proto::notifications::v1::address_service_server::{
    AddressServiceServer, SERVICE_NAME as ADDRESS_SERVICE,
};
use callboard_proto::notifications::v1::group_service_server::{
    GroupServiceServer, SERVICE_NAME as GROUP_SERVICE,
};
use callboard_proto::notifications::v1::notification_service_server::{
    NotificationServiceServer, SERVICE_NAME as NOTIFICATION_SERVICE,
};
use callboard_proto::notifications::v1::webhook_service_server::{
    SERVICE_NAME as WEBHOOK_SERVICE, WebhookServiceServer,
};
use callboard_service::config::{Config, ConfigError};
use callboard_service::{
    BackgroundTask, BoxError, BuildContext, Built, Context, Definition, Operation, PgRegistry, Stage,
};
use chrono::TimeDelta;
use futures::FutureExt;
use futures::future::BoxFuture;
use secrecy::{ExposeSecret, SecretString};
use sqlx::migrate::Migrator;
use tokio::sync::Notify;
use tonic::service::Routes;

use api::{AddressApi, GroupApi, NotificationApi, WebhookApi};
use config::NotificationsConfig;
use contacts::Contacts;
use courier::{Bounds, Courier, EmailChannel, HookCourier, HookSettings, PushChannel, PushKey};
use links::Links;
use render::Texts;
use store::{
    Addresses, Chosen, Circles, Copies, Deliveries, Destinations, Drawers, GroupMapping, Groups, HookLog,
    Hooks, OwnKeys, PreferencesMapping, Subscriptions, Tellings, WebhookMapping, Webhooks,
};
use tell::Teller;
use window::Windows;

/// The service's name: its schema, its stream, its error domain.
pub const NAME: &str = "notifications";

static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// The actors of preferences.
pub type PreferencesActors = PgRegistry<PreferencesMapping>;
/// The actors of notification groups.
pub type GroupActors = PgRegistry<GroupMapping>;
/// The actors of webhooks.
pub type WebhookActors = PgRegistry<WebhookMapping>;

/// What the chassis needs to run notifications.
pub const fn definition() -> Definition {
    Definition {
        name: NAME,
        default_config: include_str!("../config.default.toml"),
        check,
        migrations: Some(&MIGRATIONS),
        uses_bus: true,
        build,
        operate: Some(operate),
    }
}

fn check(config: &Config) -> Result<(), ConfigError> {
    NotificationsConfig::read(config).map(drop)
}

/// The tables, all of them.
#[derive(Debug, Clone)]
pub struct Tables {
    /// Read copies.
    pub copies: Copies,
    /// Drawers.
    pub drawers: Drawers,
    /// The queue and log of deliveries.
    pub deliveries: Deliveries,
    /// What was told.
    pub tellings: Tellings,
    /// What people chose.
    pub chosen: Chosen,
    /// Notification groups.
    pub groups: Groups,
    /// Browsers that take pushes.
    pub subscriptions: Subscriptions,
    /// Addresses of people without login.
    pub addresses: Addresses,
    /// Destinations that rest.
    pub destinations: Destinations,
    /// Webhooks.
    pub webhooks: Webhooks,
    /// What is sent to webhooks.
    pub hooks: Hooks,
    /// What was sent to webhooks.
    pub hook_log: HookLog,
}

impl Tables {
    /// In this database.
    pub fn new(pool: &Pool) -> Self {
        Self {
            copies: Copies::new(pool.clone()),
            drawers: Drawers::new(pool.clone()),
            deliveries: Deliveries::new(pool.clone()),
            tellings: Tellings::new(pool.clone()),
            chosen: Chosen::new(pool.clone()),
            groups: Groups::new(pool.clone()),
            subscriptions: Subscriptions::new(pool.clone()),
            addresses: Addresses::new(pool.clone()),
            destinations: Destinations::new(pool.clone()),
            webhooks: Webhooks::new(pool.clone()),
            hooks: Hooks::new(pool.clone()),
            hook_log: HookLog::new(pool.clone()),
        }
    }
}

/// What the process is made of.
struct Parts {
    context: Context,
    tables: Tables,
    preferences: PreferencesActors,
    groups: GroupActors,
    webhooks: WebhookActors,
    hooks_wake: Arc<Notify>,
    windows: Windows,
    teller: Teller,
}

fn assemble(build: &BuildContext, settings: &NotificationsConfig) -> Result<Parts, BoxError> {
    let mut context = Context::new(build)?;
    let preferences: PreferencesActors = context.registry(PreferencesMapping);
    let groups: GroupActors = context.registry(GroupMapping);
    let webhooks: WebhookActors = context.registry(WebhookMapping);
    let hooks_wake = Arc::<Notify>::default();
    let tables = Tables::new(context.pool());
    let windows = Windows::new(build.bus()?, build.ids.next(), settings.max_streams_per_person);
    let teller = Teller {
        circles: Circles::new(context.pool().clone()),
        tables: tables.clone(),
        windows: windows.clone(),
        has_email: settings.email.address().is_ok_and(|address| address.is_some()),
        wake: Arc::default(),
        clock: Arc::clone(&build.clock),
    };
    events::subscribe(&mut context, &teller, &hooks_wake);
    Ok(Parts { context, tables, preferences, groups, webhooks, hooks_wake, windows, teller })
}

/// A key out of a file; else the one that is kept here, made when it was first needed.
async fn key_pem(
    file: &std::path::Path,
    keys: &OwnKeys,
    name: &str,
    fresh: impl FnOnce() -> Result<SecretString, BoxError>,
) -> Result<SecretString, BoxError> {
    if !file.as_os_str().is_empty() {
        let text = std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
        return Ok(text.into());
    }
    let kept = keys.key(name, fresh()?.expose_secret().as_bytes()).await?;
    Ok(String::from_utf8(kept)?.into())
}

async fn service_issuer(
    build: &BuildContext,
    settings: &NotificationsConfig,
    keys: &OwnKeys,
) -> Result<Arc<Issuer>, BoxError> {
    let pem =
        key_pem(
            &settings.directory.key_file,
            keys,
            "service",
            || Ok(SigningKey::generate()?.to_pkcs8_pem()?),
        )
        .await?;
    let issuer = IssuerSettings {
        issuer: settings.directory.issuer.clone(),
        audience: settings.directory.audience.clone(),
    };
    let key = SigningKey::from_pkcs8_pem(&pem)?;
    Ok(Arc::new(Issuer::new(issuer, key, Arc::clone(&build.clock), Arc::clone(&build.ids))))
}

/// The key set by which the directory knows this service.
fn key_set(issuer: &Issuer) -> axum::Router {
    let document = issuer.jwks();
    axum::Router::new().route(
        "/.well-known/jwks.json",
        axum::routing::get(move || std::future::ready(axum::Json(document.clone()))),
    )
}

fn hook_courier(
    build: &BuildContext,
    settings: &NotificationsConfig,
    tables: &Tables,
    actors: &WebhookActors,
    wake: &Arc<Notify>,
    teller: &Teller,
) -> Result<HookCourier, BoxError> {
    let settings = &settings.webhooks;
    let bounds = Bounds { allow_private: settings.allow_private, allow_http: settings.allow_http };
    Ok(HookCourier {
        tables: tables.clone(),
        actors: actors.clone(),
        teller: teller.clone(),
        client: courier::client(settings.timeout, bounds)?,
        settings: HookSettings {
            timeout: settings.timeout,
            concurrency: settings.concurrency,
            bounds,
            disable_after: TimeDelta::from_std(settings.disable_after)?,
            kept: TimeDelta::from_std(settings.kept)?,
        },
        wake: Arc::clone(wake),
        tracker: build.tracker.clone(),
        clock: Arc::clone(&build.clock),
    })
}

fn build(build: BuildContext) -> BoxFuture<'static, Result<Built, BoxError>> {
    async move {
        let settings = NotificationsConfig::read(&build.config)?;
        let limit = build.config.grpc.max_message_bytes;
        let Parts { context, tables, preferences, groups, webhooks, hooks_wake, windows, teller } =
            assemble(&build, &settings)?;
        let hooks = hook_courier(&build, &settings, &tables, &webhooks, &hooks_wake, &teller)?;
        let keys = OwnKeys::new(context.pool().clone());
        let issuer = service_issuer(&build, &settings, &keys).await?;
        let contacts = Contacts::new(&settings.directory, Arc::clone(&issuer))?;
        let link_key = settings.link_key.expose_secret();
        let link_key = if link_key.is_empty() {
            keys.key("links", &rand::random::<[u8; 32]>()).await?
        } else {
            links::read_key(link_key)?
        };
        let links = Links::new(&link_key, &settings);
        let pem = key_pem(&settings.push.key_file, &keys, "vapid", PushKey::generate).await?;
        let push_key = Arc::new(PushKey::from_pem(&pem, &settings.push.contact)?);
        let texts = Arc::new(Texts::read()?);
        let email = EmailChannel::new(&settings.email)?;
        let courier = Courier {
            tables: tables.clone(),
            windows: windows.clone(),
            contacts: contacts.clone(),
            texts: Arc::clone(&texts),
            links: links.clone(),
            email: email.map(Arc::new),
            push: Arc::new(PushChannel::new(&settings.push, Arc::clone(&push_key))?),
            patience: settings.window_patience,
            email_concurrency: settings.email.concurrency,
            push_concurrency: settings.push.concurrency,
            log_kept: settings.log_kept,
            wake: Arc::clone(&teller.wake),
            tracker: build.tracker.clone(),
            clock: Arc::clone(&build.clock),
        };
        let notifications = NotificationApi {
            preferences: preferences.clone(),
            tables: tables.clone(),
            windows: windows.clone(),
            texts,
            push_key,
            allow_private_pushes: settings.push.allow_private,
            verifier: Arc::clone(&build.verifier),
            stop: build.stop.requested.clone(),
            clock: Arc::clone(&build.clock),
            ids: Arc::clone(&build.ids),
        };
        let webhooks = WebhookApi {
            webhooks,
            tables: tables.clone(),
            bounds: hooks.settings.bounds,
            old_secret_kept: TimeDelta::from_std(settings.webhooks.old_secret_kept)?,
            wake: hooks_wake,
            clock: Arc::clone(&build.clock),
        };
        let groups = GroupApi { groups, tables: tables.clone(), clock: Arc::clone(&build.clock) };
        let addresses = AddressApi {
            preferences,
            tables,
            contacts,
            links,
            courier: courier.clone(),
            clock: Arc::clone(&build.clock),
        };
        let routes =
            Routes::new(NotificationServiceServer::new(notifications).max_decoding_message_size(limit))
                .add_service(GroupServiceServer::new(groups).max_decoding_message_size(limit))
                .add_service(AddressServiceServer::new(addresses).max_decoding_message_size(limit))
                .add_service(WebhookServiceServer::new(webhooks).max_decoding_message_size(limit));
        let services = vec![NOTIFICATION_SERVICE, GROUP_SERVICE, ADDRESS_SERVICE, WEBHOOK_SERVICE];
        let mut built = Built::new(routes, services);
        // Who presses a link in an e-mail has no token but that in the link.
        built.public_rpcs = &[
            "callboard.notifications.v1.AddressService/OpenLink",
            "callboard.notifications.v1.AddressService/Unsubscribe",
        ];
        built.admin_routes = Some(key_set(&issuer));
        let stop = build.stop.fetch.clone();
        let listening = windows.clone();
        built.tasks.push(BackgroundTask::new("windows", Stage::Fetch, {
            let stop = stop.clone();
            async move {
                stop.run_until_cancelled(listening.listen()).await;
                Ok(())
            }
        }));
        built.tasks.push(BackgroundTask::new("couriers", Stage::Fetch, async move {
            tokio::join!(courier.run(stop.clone()), hooks.run(stop));
            Ok(())
        }));
        context.furnish(&mut built).await?;
        Ok(built)
    }
    .boxed()
}

fn operate(build: BuildContext, operation: Operation) -> BoxFuture<'static, Result<String, BoxError>> {
    async move {
        let settings = NotificationsConfig::read(&build.config)?;
        assemble(&build, &settings)?.context.operate(operation).await
    }
    .boxed()
}

/// A query failed while an event was handled: it is tried again.
fn not_now(error: sqlx::Error) -> HandleError {
    HandleError::Retry(error.to_string())
}
