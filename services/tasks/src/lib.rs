//! The tasks service: what is to be done on devices, when it falls due, and the calendar (K-1 to K-5).

pub mod api;
mod config;
mod convert;
pub mod events;
pub mod icalendar;
pub mod store;

use std::sync::{Arc, LazyLock};

use callboard_attachments::Attachments;
use callboard_bus::HandleError;
use callboard_proto::tasks::v1::attachment_service_server::{
    AttachmentServiceServer, SERVICE_NAME as ATTACHMENT_SERVICE,
};
use callboard_proto::tasks::v1::calendar_service_server::{
    CalendarServiceServer, SERVICE_NAME as CALENDAR_SERVICE,
};
use callboard_proto::tasks::v1::task_service_server::{SERVICE_NAME as TASK_SERVICE, TaskServiceServer};
use callboard_service::{BoxError, BuildContext, Built, Context, Definition, Operation, PgRegistry};
use futures::FutureExt;
use futures::future::BoxFuture;
use sqlx::migrate::Migrator;
use tonic::service::Routes;

use api::{AttachmentApi, CalendarApi, Reads, TaskApi, TaskOwners};
use config::TasksConfig;
use events::directory::DirectoryHandler;
use events::own::OwnHandler;
use events::tickets::TicketsHandler;
use events::timers::TimerHandler;
use store::{Copies, DefinitionMapping, DeviceEventMapping, FeedMapping, Queries, TaskMapping};

/// The service's name: its schema, its stream, its error domain.
pub const NAME: &str = "tasks";

/// The service's own migrations, those of attachments among them.
static MIGRATIONS: LazyLock<Migrator> =
    LazyLock::new(|| callboard_attachments::with_migrations(sqlx::migrate!("./migrations")));

/// The actors of definitions.
pub type Definitions = PgRegistry<DefinitionMapping>;
/// The actors of device events.
pub type DeviceEvents = PgRegistry<DeviceEventMapping>;
/// The actors of tasks.
pub type Tasks = PgRegistry<TaskMapping>;
/// The actors of feeds.
pub type Feeds = PgRegistry<FeedMapping>;

/// All actors of the context.
#[derive(Debug, Clone)]
pub struct Actors {
    /// Of definitions.
    pub definitions: Definitions,
    /// Of device events.
    pub device_events: DeviceEvents,
    /// Of tasks.
    pub tasks: Tasks,
    /// Of feeds.
    pub feeds: Feeds,
}

/// What the chassis needs to run tasks.
pub fn definition() -> Definition {
    Definition {
        name: NAME,
        default_config: concat!(
            include_str!("../config.default.toml"),
            callboard_attachments::default_config!("tasks")
        ),
        migrations: Some(&MIGRATIONS),
        uses_bus: true,
        build,
        operate: Some(operate),
        check: |config| config.section::<TasksConfig>()?.attachments.check(),
    }
}

/// Everything that works on the journal, with its consumers and timers.
struct Parts {
    context: Context,
    actors: Actors,
    reads: Reads,
}

fn parts(build: &BuildContext) -> Result<Parts, BoxError> {
    let mut context = Context::new(build)?;
    let actors = Actors {
        definitions: context.registry(DefinitionMapping),
        device_events: context.registry(DeviceEventMapping),
        tasks: context.registry(TaskMapping),
        feeds: context.registry(FeedMapping),
    };
    let reads = Reads {
        queries: Queries::new(context.pool().clone()),
        copies: Copies::new(context.pool().clone()),
        clock: Arc::clone(&build.clock),
    };
    let own = OwnHandler { tasks: actors.tasks.clone(), reads: reads.clone() };
    context.consume(events::own::CONSUMER, NAME, Arc::new(own));
    let directory = DirectoryHandler { actors: actors.clone(), reads: reads.clone() };
    context.consume(events::directory::CONSUMER, "directory", Arc::new(directory));
    let tickets = TicketsHandler { tasks: actors.tasks.clone(), reads: reads.clone() };
    context.consume(events::tickets::CONSUMER, "tickets", Arc::new(tickets));
    let timers = TimerHandler { actors: actors.clone() };
    context.on_timer(move |timer| {
        let timers = timers.clone();
        async move { timers.fire(timer).await }.boxed()
    });
    Ok(Parts { context, actors, reads })
}

fn build(build: BuildContext) -> BoxFuture<'static, Result<Built, BoxError>> {
    async move {
        let limit = build.config.grpc.max_message_bytes;
        let Parts { context, actors, reads } = parts(&build)?;
        let config: TasksConfig = build.config.section()?;
        let owners = TaskOwners { reads: reads.clone() };
        let attachments = Attachments::open(&build, config.attachments, Arc::new(owners)).await?;
        let calendar = CalendarApi::new(actors.feeds.clone(), reads.clone());
        let tasks = TaskApi { actors, reads, attachments: attachments.clone() };
        let files = AttachmentApi(attachments.clone());
        let routes = Routes::new(TaskServiceServer::new(tasks).max_decoding_message_size(limit))
            .add_service(CalendarServiceServer::new(calendar).max_decoding_message_size(limit))
            .add_service(AttachmentServiceServer::new(files).max_decoding_message_size(limit));
        let mut built = Built::new(routes, vec![TASK_SERVICE, CALENDAR_SERVICE, ATTACHMENT_SERVICE]);
        built.public_rpcs = &[
            // A calendar program has no token but that in the address.
            "callboard.tasks.v1.CalendarService/ReadFeed",
            // A link needs none either.
            "callboard.tasks.v1.AttachmentService/DownloadAttachment",
        ];
        built.unhurried_rpcs = &["callboard.tasks.v1.AttachmentService/UploadAttachment"];
        attachments.furnish(&mut built);
        context.furnish(&mut built).await?;
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
