//! The fleet service: whom to offer a ticket, who takes it (F-1 to F-11).

pub mod api;
mod convert;
pub mod events;
pub mod store;

use std::sync::Arc;

use callboard_bus::HandleError;
use callboard_proto::fleet::v1::fleet_service_server::{FleetServiceServer, SERVICE_NAME as FLEET_SERVICE};
use callboard_proto::fleet::v1::group_service_server::{GroupServiceServer, SERVICE_NAME as GROUP_SERVICE};
use callboard_service::{BoxError, BuildContext, Built, Context, Definition, Operation, PgRegistry};
use futures::FutureExt;
use futures::future::BoxFuture;
use sqlx::migrate::Migrator;
use tonic::service::Routes;

use api::{FleetApi, GroupApi, Reads};
use events::Planner;
use events::directory::DirectoryHandler;
use events::tickets::TicketsHandler;
use events::timers::TimerHandler;
use store::{Copies, DispatchMapping, GroupSetMapping, Queries};

/// The service's name: its schema, its stream, its error domain.
pub const NAME: &str = "fleet";

static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// The actors of dispatches.
pub type Dispatches = PgRegistry<DispatchMapping>;
/// The actors of sets of groups.
pub type GroupSets = PgRegistry<GroupSetMapping>;

/// What the chassis needs to run fleet.
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

fn assemble(build: &BuildContext) -> Result<(Context, FleetApi, GroupApi), BoxError> {
    let mut context = Context::new(build)?;
    let dispatches: Dispatches = context.registry(DispatchMapping);
    let group_sets: GroupSets = context.registry(GroupSetMapping);
    let queries = Queries::new(context.pool().clone());
    let copies = Copies::new(context.pool().clone());
    let planner = Planner::new(queries.clone(), copies.clone());
    let tickets = TicketsHandler { dispatches: dispatches.clone(), planner: planner.clone() };
    context.consume(events::tickets::CONSUMER, "tickets", Arc::new(tickets));
    let directory = DirectoryHandler {
        dispatches: dispatches.clone(),
        group_sets: group_sets.clone(),
        planner: planner.clone(),
    };
    context.consume(events::directory::CONSUMER, "directory", Arc::new(directory));
    let timers = TimerHandler { dispatches: dispatches.clone(), planner: planner.clone() };
    context.on_timer(move |timer| {
        let timers = timers.clone();
        async move { timers.fire(timer).await }.boxed()
    });
    let reads = Reads { queries, copies, clock: Arc::clone(&build.clock) };
    let fleet = FleetApi { dispatches, reads: reads.clone(), planner };
    Ok((context, fleet, GroupApi { group_sets, reads }))
}

fn build(build: BuildContext) -> BoxFuture<'static, Result<Built, BoxError>> {
    async move {
        let limit = build.config.grpc.max_message_bytes;
        let (context, fleet, groups) = assemble(&build)?;
        let routes = Routes::new(FleetServiceServer::new(fleet).max_decoding_message_size(limit))
            .add_service(GroupServiceServer::new(groups).max_decoding_message_size(limit));
        let mut built = Built::new(routes, vec![FLEET_SERVICE, GROUP_SERVICE]);
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
