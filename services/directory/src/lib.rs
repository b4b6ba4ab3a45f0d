//! The directory: who and what there is (D-1), who gets in (D-2, D-3), and what others need to know of it.

mod api;
mod bootstrap;
pub mod command;
mod config;
mod directory;
mod events;
mod pin;
mod store;
mod tokens;

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::routing::get;
use callboard_proto::directory::v1::code_service_server::{CodeServiceServer, SERVICE_NAME as CODES};
use callboard_proto::directory::v1::directory_service_server::{
    DirectoryServiceServer, SERVICE_NAME as DIRECTORY,
};
use callboard_proto::directory::v1::session_service_server::{
    SERVICE_NAME as SESSIONS, SessionServiceServer,
};
use callboard_service::{
    BackgroundTask, BoxError, BuildContext, Built, Context, Definition, Operation, Stage,
};
use chrono::TimeDelta;
use tonic::service::Routes;

pub use bootstrap::{NewOrganisation, administrator_id, bootstrap};
pub use config::{DirectoryConfig, IssuerConfig};
pub use directory::{Directory, Offline};
pub use store::{KeyEncryption, ReadError, keys as signing_keys};

use crate::api::{CodeApi, DirectoryApi, PUBLIC_RPCS, SessionApi};
use crate::events::inbound::{CONSUMER, References};
use crate::pin::Pins;
use crate::tokens::Tokens;

/// The migrations of the directory's schema.
pub static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("./migrations");

/// How often other replicas' new keys are looked for; far below the time for which a key is published before it signs.
const KEYS_PERIOD: Duration = Duration::from_secs(30);
/// How often old sessions are looked for.
const SESSIONS_PERIOD: Duration = Duration::from_secs(600);
/// How long a session is kept after its end.
const SESSIONS_KEPT: TimeDelta = TimeDelta::days(7);

/// The service.
pub fn definition() -> Definition {
    Definition {
        name: "directory",
        default_config: include_str!("../config.default.toml"),
        check: |config| DirectoryConfig::read(config).map(drop),
        migrations: Some(&MIGRATIONS),
        uses_bus: true,
        build: |context| Box::pin(build(context)),
        operate: Some(|context, operation| Box::pin(operate(context, operation))),
    }
}

fn assemble(build: &BuildContext) -> Result<(Context, Arc<Directory>), BoxError> {
    let mut context = Context::new(build)?;
    let pool = context.pool().clone();
    let directory = Arc::new(Directory::new(&mut context, pool, build.clock.clone(), build.ids.clone()));
    context.consume(CONSUMER, "directory", Arc::new(References(directory.clone())));
    Ok((context, directory))
}

async fn build(build: BuildContext) -> Result<Built, BoxError> {
    let config = DirectoryConfig::read(&build.config)?;
    let (context, directory) = assemble(&build)?;
    let pins = Arc::new(Pins::default());
    let pool = directory.pool.clone();
    let tokens = Arc::new(Tokens::new(pool, config.issuer, build.clock.clone(), build.ids.clone()).await?);
    let limit = build.config.grpc.max_message_bytes;
    let directory_api = DirectoryServiceServer::new(DirectoryApi(directory.clone()));
    let codes = CodeServiceServer::new(CodeApi { directory: directory.clone(), pins: pins.clone() });
    let sessions =
        SessionServiceServer::new(SessionApi { directory: directory.clone(), pins, tokens: tokens.clone() });
    let routes = Routes::new(directory_api.max_decoding_message_size(limit))
        .add_service(codes.max_decoding_message_size(limit))
        .add_service(sessions.max_decoding_message_size(limit));
    let mut built = Built::new(routes, vec![DIRECTORY, CODES, SESSIONS]);
    built.public_rpcs = PUBLIC_RPCS;
    built.admin_routes = Some(well_known(tokens.clone()));
    let stop = build.stop.fetch.clone();
    built.tasks.push(BackgroundTask::new("signing keys", Stage::Fetch, async move {
        while stop.run_until_cancelled(tokio::time::sleep(KEYS_PERIOD)).await.is_some() {
            if let Err(error) = tokens.reload().await {
                tracing::warn!(%error, "cannot read the signing keys; those that are known stay");
            }
        }
        Ok(())
    }));
    built.tasks.push(forget_old_sessions(&build, directory));
    context.furnish(&mut built).await?;
    Ok(built)
}

/// Deletes sessions a week after their end; until then it can be seen who was in.
fn forget_old_sessions(build: &BuildContext, directory: Arc<Directory>) -> BackgroundTask {
    let stop = build.stop.fetch.clone();
    BackgroundTask::new("old sessions", Stage::Fetch, async move {
        while stop.run_until_cancelled(tokio::time::sleep(SESSIONS_PERIOD)).await.is_some() {
            let before = directory.clock.now() - SESSIONS_KEPT;
            match store::lookups::forget_sessions(&directory.pool, before).await {
                Ok(0) => {}
                Ok(count) => tracing::info!(count, "old sessions deleted"),
                Err(error) => tracing::warn!(%error, "old sessions stay for now"),
            }
        }
        Ok(())
    })
}

async fn operate(build: BuildContext, operation: Operation) -> Result<String, BoxError> {
    let (context, _) = assemble(&build)?;
    context.operate(operation).await
}

/// What verifiers of the built-in issuer's tokens read (OpenID Connect Discovery, RFC 7517).
fn well_known(tokens: Arc<Tokens>) -> axum::Router {
    let (of_keys, of_issuer) = (tokens.clone(), tokens);
    let keys = async move || Json(of_keys.issuer().jwks());
    let configuration = async move || {
        let issuer = of_issuer.issuer();
        Json(issuer.openid_configuration(&format!("{}/.well-known/jwks.json", issuer.settings().issuer)))
    };
    axum::Router::new()
        .route("/.well-known/jwks.json", get(keys))
        .route("/.well-known/openid-configuration", get(configuration))
}
