//! The messenger: a conversation for each ticket, what is said in it, and who watches (M-1 to M-7).

pub mod api;
mod config;
mod convert;
pub mod events;
pub mod live;
pub mod render;
pub mod store;

use std::sync::{Arc, LazyLock};

use callboard_attachments::Attachments;
use callboard_bus::HandleError;
use callboard_proto::messenger::v1::attachment_service_server::{
    AttachmentServiceServer, SERVICE_NAME as ATTACHMENT_SERVICE,
};
use callboard_proto::messenger::v1::messenger_service_server::{MessengerServiceServer, SERVICE_NAME};
use callboard_service::{
    BackgroundTask, BoxError, BuildContext, Built, Context, Definition, Operation, PgRegistry, Stage,
};
use futures::FutureExt;
use futures::future::BoxFuture;
use sqlx::migrate::Migrator;
use tonic::service::Routes;

use api::{AttachmentApi, MessageOwners, MessengerApi};
use config::MessengerConfig;
use events::directory::DirectoryHandler;
use events::fleet::FleetHandler;
use events::tickets::TicketsHandler;
use events::video::VideoHandler;
use live::Hub;
use store::{ConversationMapping, Copies, Queries};

/// The service's name: its schema, its stream, its error domain.
pub const NAME: &str = "messenger";

/// The service's own migrations, those of attachments among them.
static MIGRATIONS: LazyLock<Migrator> =
    LazyLock::new(|| callboard_attachments::with_migrations(sqlx::migrate!("./migrations")));

/// The actors of conversations.
pub type Conversations = PgRegistry<ConversationMapping>;

/// What the chassis needs to run the messenger.
pub fn definition() -> Definition {
    Definition {
        name: NAME,
        default_config: concat!(
            include_str!("../config.default.toml"),
            callboard_attachments::default_config!("messenger")
        ),
        check: |config| MessengerConfig::read(config).map(drop),
        migrations: Some(&MIGRATIONS),
        uses_bus: true,
        build,
        operate: Some(operate),
    }
}

/// Everything that works on the journal, with its consumers.
struct Parts {
    context: Context,
    config: MessengerConfig,
    conversations: Conversations,
    queries: Queries,
    copies: Copies,
    hub: Hub,
}

fn parts(build: &BuildContext) -> Result<Parts, BoxError> {
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
    let tickets =
        TicketsHandler { conversations: conversations.clone(), hub: hub.clone(), queries: queries.clone() };
    context.consume(events::tickets::CONSUMER, "tickets", Arc::new(tickets));
    let fleet = FleetHandler { conversations: conversations.clone(), hub: hub.clone() };
    context.consume(events::fleet::CONSUMER, "fleet", Arc::new(fleet));
    let video =
        VideoHandler { conversations: conversations.clone(), queries: queries.clone(), hub: hub.clone() };
    context.consume(events::video::CONSUMER, "video", Arc::new(video));
    let directory = DirectoryHandler { copies: copies.clone() };
    context.consume(events::directory::CONSUMER, "directory", Arc::new(directory));
    Ok(Parts { context, config, conversations, queries, copies, hub })
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
        let Parts { context, config, conversations, queries, copies, hub } = parts(&build)?;
        let window = config.window();
        let owners = MessageOwners { queries: queries.clone(), copies: copies.clone() };
        let attachments = Attachments::open(&build, config.attachments, Arc::new(owners)).await?;
        queries.with_files(attachments.clone());
        let files = AttachmentApi(attachments.clone());
        let api = MessengerApi {
            conversations,
            queries,
            copies,
            hub: hub.clone(),
            verifier: Arc::clone(&build.verifier),
            clock: Arc::clone(&build.clock),
            window,
            attachments: attachments.clone(),
        };
        let routes = Routes::new(MessengerServiceServer::new(api).max_decoding_message_size(limit))
            .add_service(AttachmentServiceServer::new(files).max_decoding_message_size(limit));
        let mut built = Built::new(routes, vec![SERVICE_NAME, ATTACHMENT_SERVICE]);
        built.public_rpcs = &["callboard.messenger.v1.AttachmentService/DownloadAttachment"];
        built.unhurried_rpcs = &["callboard.messenger.v1.AttachmentService/UploadAttachment"];
        attachments.furnish(&mut built);
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
    async move { parts(&build)?.context.operate(operation).await }.boxed()
}

/// A query failed while an event was handled: it is tried again.
fn not_now(error: sqlx::Error) -> HandleError {
    HandleError::Retry(error.to_string())
}
