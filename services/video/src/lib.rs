//! The video sessions service: who may call whom, when a call begins and ends, and what the two browsers tell each other
//! (V-1 to V-10).

pub mod api;
pub mod call;
mod config;
mod convert;
pub mod events;
mod ice;
pub mod provider;
pub mod store;
mod token;

use std::sync::{Arc, LazyLock};

use callboard_attachments::Attachments;
use callboard_bus::HandleError;
use callboard_proto::video::v1::attachment_service_server::{
    AttachmentServiceServer, SERVICE_NAME as ATTACHMENT_SERVICE,
};
use callboard_proto::video::v1::video_service_server::{SERVICE_NAME, VideoServiceServer};
use callboard_service::{
    BackgroundTask, BoxError, BuildContext, Built, Context, Definition, Operation, PgRegistry, Stage,
};
use futures::FutureExt;
use futures::future::BoxFuture;
use sqlx::migrate::Migrator;
use tonic::service::Routes;

use api::{AttachmentApi, Reads, SessionOwners, VideoApi};
use call::Calls;
use config::VideoConfig;
use events::directory::DirectoryHandler;
use events::fleet::FleetHandler;
use events::ratings::RatingsHandler;
use events::tickets::TicketsHandler;
use events::timers::TimerHandler;
use provider::livekit::Keeper;
use provider::{BuiltIn, LiveKit, Providers};
use store::{Copies, FlowMapping, Queries, Rooms, SessionMapping, Streams};

/// The service's name: its schema, its stream, its error domain.
pub const NAME: &str = "video";

/// The service's own migrations, those of attachments among them.
static MIGRATIONS: LazyLock<Migrator> =
    LazyLock::new(|| callboard_attachments::with_migrations(sqlx::migrate!("./migrations")));

/// The actors of sessions.
pub type Sessions = PgRegistry<SessionMapping>;
/// The actors of session flows.
pub type Flows = PgRegistry<FlowMapping>;

/// What the chassis needs to run video sessions.
pub fn definition() -> Definition {
    Definition {
        name: NAME,
        default_config: concat!(
            include_str!("../config.default.toml"),
            callboard_attachments::default_config!("video")
        ),
        check: |config| VideoConfig::read(config).map(drop),
        migrations: Some(&MIGRATIONS),
        uses_bus: true,
        build,
        operate: Some(operate),
    }
}

/// Everything that works on the journal, with its consumers.
struct Parts {
    context: Context,
    config: Arc<VideoConfig>,
    sessions: Sessions,
    flows: Flows,
    reads: Reads,
    streams: Streams,
    providers: Providers,
}

fn parts(build: &BuildContext) -> Result<Parts, BoxError> {
    let config = Arc::new(VideoConfig::read(&build.config)?);
    let mut context = Context::new(build)?;
    let sessions: Sessions = context.registry(SessionMapping::new(&config.call_page));
    let flows: Flows = context.registry(FlowMapping);
    let reads = Reads {
        queries: Queries::new(context.pool().clone()),
        copies: Copies::new(context.pool().clone()),
        clock: Arc::clone(&build.clock),
        timing: config.timing(),
    };
    let streams = Streams::new(context.pool().clone(), Arc::clone(&build.clock));
    let directory = DirectoryHandler { copies: reads.copies.clone() };
    context.consume(events::directory::CONSUMER, "directory", Arc::new(directory));
    let tickets = TicketsHandler { sessions: sessions.clone(), reads: reads.clone() };
    context.consume(events::tickets::CONSUMER, "tickets", Arc::new(tickets));
    let fleet = FleetHandler { copies: reads.copies.clone() };
    context.consume(events::fleet::CONSUMER, "fleet", Arc::new(fleet));
    let ratings = RatingsHandler { sessions: sessions.clone(), copies: reads.copies.clone() };
    context.consume(events::ratings::CONSUMER, "ratings", Arc::new(ratings));
    let providers =
        providers(build, &config, (&sessions, &reads, &streams), Rooms::new(context.pool().clone()))?;
    let timers =
        TimerHandler { sessions: sessions.clone(), reads: reads.clone(), providers: providers.clone() };
    context.on_timer(move |timer| {
        let timers = timers.clone();
        async move { timers.fire(timer).await }.boxed()
    });
    Ok(Parts { context, config, sessions, flows, reads, streams, providers })
}

fn providers(
    build: &BuildContext,
    config: &VideoConfig,
    (sessions, reads, streams): (&Sessions, &Reads, &Streams),
    rooms: Rooms,
) -> Result<Providers, BoxError> {
    let livekit = if config.livekit.is_set() {
        let known = (sessions.clone(), reads.queries.clone(), rooms);
        Some(LiveKit::new(build, config.livekit.clone(), config.timing(), known)?)
    } else {
        None
    };
    Ok(Providers::new(config.provider, BuiltIn::new(config.ice.clone(), streams.clone()), livekit))
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
        let Parts { context, config, sessions, flows, reads, streams, providers } = parts(&build)?;
        let signer = Arc::new(token::open(&build.pool()?, &config.token_secret).await?);
        let owners = SessionOwners { reads: reads.clone() };
        let attachments = Attachments::open(&build, config.attachments.clone(), Arc::new(owners)).await?;
        let calls = Calls::new(&build, sessions.clone(), reads.clone(), streams, Arc::clone(&signer))?;
        let files = AttachmentApi(attachments.clone());
        let api = VideoApi {
            sessions,
            flows,
            reads,
            calls: calls.clone(),
            signer,
            config,
            providers: providers.clone(),
            attachments: attachments.clone(),
        };
        let routes = Routes::new(VideoServiceServer::new(api).max_decoding_message_size(limit))
            .add_service(AttachmentServiceServer::new(files).max_decoding_message_size(limit));
        let mut built = Built::new(routes, vec![SERVICE_NAME, ATTACHMENT_SERVICE]);
        built.public_rpcs = &[
            // The call token in the first message is the credential.
            "callboard.video.v1.VideoService/Signal",
            "callboard.video.v1.VideoService/UploadCallFile",
            // The provider's signature is.
            "callboard.video.v1.VideoService/ReceiveProviderWebhook",
            // A link needs none.
            "callboard.video.v1.AttachmentService/DownloadAttachment",
        ];
        built.unhurried_rpcs = &[
            "callboard.video.v1.VideoService/Signal",
            "callboard.video.v1.VideoService/UploadCallFile",
            "callboard.video.v1.AttachmentService/UploadAttachment",
        ];
        attachments.furnish(&mut built);
        context.furnish(&mut built).await?;
        let stop = &build.stop.fetch;
        let (following, speaking) = (calls.clone(), calls.clone());
        let keeper = providers.livekit().map(|livekit| Keeper::new(Arc::clone(livekit)));
        let woken = keeper.clone();
        built.tasks.push(beside("calls", stop, async move {
            following.follow(NAME, || woken.iter().for_each(Keeper::wake)).await;
        }));
        if let Some(keeper) = keeper {
            let stop = stop.clone();
            built.tasks.push(BackgroundTask::new("rooms of calls", Stage::Fetch, async move {
                keeper.run(stop).await;
                Ok(())
            }));
        }
        built.tasks.push(beside("signals", stop, async move { speaking.speak().await }));
        built.tasks.push(beside("signals heard", stop, async move { calls.listen().await }));
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
