//! The ratings service: who is asked to rate, what was given, and the figures.

pub mod api;
mod convert;
pub mod events;
pub mod store;

use std::sync::Arc;

use callboard_bus::HandleError;
use callboard_proto::ratings::v1::rating_service_server::{RatingServiceServer, SERVICE_NAME};
use callboard_service::{BoxError, BuildContext, Built, Context, Definition, Operation, PgRegistry};
use futures::FutureExt;
use futures::future::BoxFuture;
use sqlx::migrate::Migrator;
use tonic::service::Routes;

use api::RatingApi;
use events::directory::DirectoryHandler;
use events::tickets::TicketsHandler;
use events::video::VideoHandler;
use store::{Copies, Queries, RequestMapping, SwitchSetMapping};

/// The service's name: its schema, its stream, its error domain.
pub const NAME: &str = "ratings";

static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// The actors of ratings.
pub type Requests = PgRegistry<RequestMapping>;
/// The actors of switches.
pub type SwitchSets = PgRegistry<SwitchSetMapping>;

/// What the chassis needs to run ratings.
pub const fn definition() -> Definition {
    Definition {
        name: NAME,
        default_config: include_str!("../config.default.toml"),
        check: callboard_service::config::no_section,
        migrations: Some(&MIGRATIONS),
        uses_bus: true,
        build,
        operate: Some(operate),
    }
}

fn assemble(build: &BuildContext) -> Result<(Context, RatingApi), BoxError> {
    let mut context = Context::new(build)?;
    let requests: Requests = context.registry(RequestMapping);
    let switch_sets: SwitchSets = context.registry(SwitchSetMapping);
    let queries = Queries::new(context.pool().clone());
    let copies = Copies::new(context.pool().clone());
    let tickets = TicketsHandler { requests: requests.clone(), queries: queries.clone() };
    context.consume(events::tickets::CONSUMER, "tickets", Arc::new(tickets));
    let video = VideoHandler { requests: requests.clone(), queries: queries.clone() };
    context.consume(events::video::CONSUMER, "video", Arc::new(video));
    let directory = DirectoryHandler { copies: copies.clone() };
    context.consume(events::directory::CONSUMER, "directory", Arc::new(directory));
    let api = RatingApi { requests, switch_sets, queries, copies, clock: Arc::clone(&build.clock) };
    Ok((context, api))
}

fn build(build: BuildContext) -> BoxFuture<'static, Result<Built, BoxError>> {
    async move {
        let limit = build.config.grpc.max_message_bytes;
        let (context, api) = assemble(&build)?;
        let routes = Routes::new(RatingServiceServer::new(api).max_decoding_message_size(limit));
        let mut built = Built::new(routes, vec![SERVICE_NAME]);
        context.furnish(&mut built).await?;
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
