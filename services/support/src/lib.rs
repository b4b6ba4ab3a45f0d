//! The support desk: tickets that arise from what partner and account systems tell (S-1 to S-5).

pub mod api;
mod convert;
mod domain_name;
pub mod events;
pub mod intake;
pub mod store;

use std::sync::Arc;

use callboard_bus::{HandleError, StreamSpec};
use callboard_proto::support::v1::support_service_server::{SERVICE_NAME, SupportServiceServer};
use callboard_service::{BoxError, BuildContext, Built, Context, Definition, Operation, PgRegistry};
use futures::FutureExt;
use futures::future::BoxFuture;
use sqlx::migrate::Migrator;
use tonic::service::Routes;

use api::SupportApi;
use events::directory::DirectoryHandler;
use events::partners::PartnersHandler;
use intake::Intake;
use store::{Copies, Queries, TicketMapping};

/// The service's name: its schema, its stream, its error domain.
pub const NAME: &str = "support";

static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// The actors of tickets.
pub type Tickets = PgRegistry<TicketMapping>;

/// What the chassis needs to run the support desk.
pub const fn definition() -> Definition {
    Definition {
        name: NAME,
        default_config: include_str!("../config.default.toml"),
        migrations: Some(&MIGRATIONS),
        uses_bus: true,
        check: callboard_service::config::no_section,
        build,
        operate: Some(operate),
    }
}

fn assemble(build: &BuildContext) -> Result<(Context, SupportApi), BoxError> {
    let mut context = Context::new(build)?;
    let tickets: Tickets = context.registry(TicketMapping);
    let queries = Queries::new(context.pool().clone());
    let copies = Copies::new(context.pool().clone());
    let intake = Intake { tickets: tickets.clone(), queries: queries.clone() };
    let partners = PartnersHandler { intake: intake.clone() };
    context.consume(events::partners::CONSUMER, events::partners::PRODUCER, Arc::new(partners));
    let directory =
        DirectoryHandler { tickets: tickets.clone(), queries: queries.clone(), copies: copies.clone() };
    context.consume(events::directory::CONSUMER, "directory", Arc::new(directory));
    let api = SupportApi { tickets, queries, copies, intake, clock: Arc::clone(&build.clock) };
    Ok((context, api))
}

fn build(build: BuildContext) -> BoxFuture<'static, Result<Built, BoxError>> {
    async move {
        let limit = build.config.grpc.max_message_bytes;
        let (context, api) = assemble(&build)?;
        // No service of ours writes this stream, so the one that reads it makes it.
        let spec = StreamSpec { context: events::partners::PRODUCER.to_owned(), ..build.stream_spec() };
        build.bus()?.ensure_stream(&spec).await?;
        let routes = Routes::new(SupportServiceServer::new(api).max_decoding_message_size(limit));
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
