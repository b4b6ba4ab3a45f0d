//! The messenger: a conversation for each ticket, what is said in it, and who watches (M-1 to M-7).

pub mod api;
mod config;
mod convert;
pub mod events;
pub mod live;
pub mod render;
pub mod store;

use std::sync::Arc;

use callboard_bus::HandleError;
use callboard_proto::messenger::v1::messenger_service_server::{MessengerServiceServer, SERVICE_NAME};
use callboard_service::{
    BackgroundTask, BoxError, BuildContext, Built, Context, Definition, Operation, PgRegistry, Stage,
};
use futures::FutureExt;
use futures::future::BoxFuture;
use sqlx::migrate::Migrator;
use tonic::service::Routes;

use api::MessengerApi;
use config::MessengerConfig;
use events::directory::DirectoryHandler;
use events::fleet::FleetHandler;
use events::tickets::TicketsHandler;
use live::Hub;
use store::{ConversationMapping, Copies, Queries};

/// The service's name: its schema, its stream, its error domain.
pub const NAME: &str = "messenger";

static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// The actors of conversations.
pub type Conversations = PgRegistry<ConversationMapping>;

/// What the chassis needs to run the messenger.
pub const fn definition() -> Definition {
    Definition {
        name: NAME,
        default_config: include_str!("../config.default.toml"),
        check: |config| MessengerConfig::read(config).map(drop),
        migrations: Some(&MIGRATIONS),
        uses_bus: true,
        build,
        operate: Some(operate),
    }
}

fn assemble(build: &BuildContext) -> Result<(Context, MessengerApi), BoxError> {
    let config = MessengerConfig::read(&build.config)?;
    let mut context = Context::new(build)?;
    let conversations: Conversations = context.registry(ConversationMapping);
    let queries = Queries::new(context.pool().clone());
    let copies = Copies::new(context.pool().clone());
    let hub = Hub::new(
        queries.clone(),
        build.bus()?,
        build.tracker.clone(),
        build.stop.requested.clone(),
        config.max_streams_per_person,
    );
    let tickets = TicketsHandler { conversations: conversations.clone(), hub: hub.clone() };
    context.consume(events::tickets::CONSUMER, "tickets", Arc::new(tickets));
    let fleet = FleetHandler { conversations: conversations.clone(), hub: hub.clone() };
    context.consume(events::fleet::CONSUMER, "fleet", Arc::new(fleet));
    let directory = DirectoryHandler { copies: copies.clone() };
    context.consume(events::directory::CONSUMER, "directory", Arc::new(directory));
    let api = MessengerApi {
        conversations,
        queries,
        copies,
        hub,
        verifier: Arc::clone(&build.verifier),
        clock: Arc::clone(&build.clock),
        window: config.window(),
    };
    Ok((context, api))
}

/// Runs until calls are over.
fn beside(
    name: &'static str,
    stop: &tokio_util::sync::CancellationToken,
    work: impl Future<Output = ()> + Send + 'static,
) -> BackgroundTask {
    let stop = stop.clone();
    BackgroundTask::new(name, Stage::Fetch, async move {
        stop.run_until_cancelled(work).await;
        Ok(())
    })
}

fn build(build: BuildContext) -> BoxFuture<'static, Result<Built, BoxError>> {
    async move {
        let limit = build.config.grpc.max_message_bytes;
        let (context, api) = assemble(&build)?;
        let hub = api.hub.clone();
        let routes = Routes::new(MessengerServiceServer::new(api).max_decoding_message_size(limit));
        let mut built = Built::new(routes, vec![SERVICE_NAME]);
        context.furnish(&mut built).await?;
        let stop = &build.stop.fetch;
        let (following, speaking) = (hub.clone(), hub.clone());
        built.tasks.push(beside("watchers", stop, async move { following.follow(NAME).await }));
        built.tasks.push(beside("whispers", stop, async move { speaking.speak().await }));
        built.tasks.push(beside("whispers heard", stop, async move { hub.listen().await }));
        Ok(built)
    }
    .boxed()
}

fn operate(build: BuildContext, operation: Operation) -> BoxFuture<'static, Result<String, BoxError>> {
    async move { assemble(&build)?.0.operate(operation).await }.boxed()
}

/// A query failed while an event was handled: it is tried again.
fn not_now(error: sqlx::Error) -> HandleError {
    HandleError::Retry(error.to_string())
}
