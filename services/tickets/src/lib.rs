//! The tickets service: tickets from a draft to a closed, rated record, and the creation flows they are made by.

mod api;
mod config;
mod convert;
pub mod events;
mod record;
pub mod store;

use std::sync::{Arc, LazyLock};

use callboard_attachments::Attachments;
use callboard_bus::HandleError;
use callboard_journal::DueTimer;
use callboard_kernel::{Cause, Principal, Timestamp};
use callboard_proto::tickets::v1::attachment_service_server::AttachmentServiceServer;
use callboard_proto::tickets::v1::flow_service_server::FlowServiceServer;
use callboard_proto::tickets::v1::ticket_service_server::TicketServiceServer;
use callboard_service::{BoxError, BuildContext, Built, Context, Definition, Operation, reaction};
use callboard_tickets_domain::Command;
use sqlx::migrate::Migrator;
use tonic::service::Routes;

use crate::api::{Api, AttachmentApi, FlowApi, TicketApi, TicketOwners};
use crate::config::TicketsConfig;
use crate::events::inbound::{Flows, FromDirectory, FromFleet, FromRatings, Tickets};
use crate::store::{CLOSE_UNRATED, Copies, DISCARD_DRAFT, FlowSetMapping, Numbers, Reads, TicketMapping};

/// The service's own migrations, those of attachments among them.
pub static MIGRATIONS: LazyLock<Migrator> =
    LazyLock::new(|| callboard_attachments::with_migrations(sqlx::migrate!("./migrations")));

/// The service, for its binary and for `standalone`.
pub fn definition() -> Definition {
    Definition {
        name: "tickets",
        default_config: concat!(
            include_str!("../config.default.toml"),
            callboard_attachments::default_config!("tickets")
        ),
        check: |config| config.section::<TicketsConfig>()?.attachments.check(),
        migrations: Some(&MIGRATIONS),
        uses_bus: true,
        build: |build| Box::pin(build_service(build)),
        operate: Some(|build, operation| Box::pin(operate(build, operation))),
    }
}

/// Everything that works on the journal, with its consumers and timers.
struct Parts {
    context: Context,
    tickets: Tickets,
    flows: Flows,
    copies: Copies,
}

fn parts(build: &BuildContext) -> Result<Parts, BoxError> {
    let config: TicketsConfig = build.config.section()?;
    let mut context = Context::new(build)?;
    let tickets = context.registry(TicketMapping { limits: config.limits() });
    let flows = context.registry(FlowSetMapping);
    let copies = Copies::new(context.pool().clone());
    let from_fleet = FromFleet { tickets: tickets.clone(), copies: copies.clone() };
    context.consume(FromFleet::CONSUMER, "fleet", Arc::new(from_fleet));
    context.consume(FromRatings::CONSUMER, "ratings", Arc::new(FromRatings { tickets: tickets.clone() }));
    let from_directory = FromDirectory { flows: flows.clone(), copies: copies.clone() };
    context.consume(FromDirectory::CONSUMER, "directory", Arc::new(from_directory));
    let timed = tickets.clone();
    context.on_timer(move |timer| {
        let tickets = timed.clone();
        Box::pin(async move { fire(&tickets, &timer).await })
    });
    Ok(Parts { context, tickets, flows, copies })
}

/// A time limit passed: of a DONE (extension of T-8), or of a draft.
async fn fire(tickets: &Tickets, timer: &DueTimer) -> Result<(), HandleError> {
    let said = std::str::from_utf8(&timer.payload).unwrap_or_default();
    let command = match timer.name.as_str() {
        CLOSE_UNRATED => said.parse().ok().map(|done_round| Command::CloseUnrated { done_round }),
        DISCARD_DRAFT => said
            .parse()
            .ok()
            .and_then(Timestamp::from_timestamp_micros)
            .map(|untouched_since| Command::DiscardDraft { untouched_since }),
        _ => None,
    };
    let command =
        command.ok_or_else(|| HandleError::Poison(format!("a timer {} that is none of ours", timer.name)))?;
    let principal = Principal::system(timer.organisation);
    reaction::give(tickets, timer.aggregate_id, command, timer.command_id(), principal, Cause::default())
        .await
        .map(|_| ())
}

async fn build_service(build: BuildContext) -> Result<Built, BoxError> {
    let Parts { context, tickets, flows, copies } = parts(&build)?;
    let pool = context.pool().clone();
    let reads = Reads::new(pool.clone());
    let owners = TicketOwners { copies: copies.clone(), reads: reads.clone() };
    let config: TicketsConfig = build.config.section()?;
    let attachments = Attachments::open(&build, config.attachments, Arc::new(owners)).await?;
    let api = Arc::new(Api {
        numbers: Numbers::new(&pool, &build.tracker, build.stop.fetch.clone()),
        attachments: attachments.clone(),
        reads,
        tickets,
        flows,
        copies,
        clock: Arc::clone(&build.clock),
    });
    let limit = build.config.grpc.max_message_bytes;
    let routes =
        Routes::new(TicketServiceServer::new(TicketApi(Arc::clone(&api))).max_decoding_message_size(limit))
            .add_service(FlowServiceServer::new(FlowApi(api)).max_decoding_message_size(limit))
            .add_service(
                AttachmentServiceServer::new(AttachmentApi(attachments.clone()))
                    .max_decoding_message_size(limit),
            );
    let names = vec![
        "callboard.tickets.v1.TicketService",
        "callboard.tickets.v1.FlowService",
        "callboard.tickets.v1.AttachmentService",
    ];
    let mut built = Built::new(routes, names);
    built.public_rpcs = &["callboard.tickets.v1.AttachmentService/DownloadAttachment"];
    built.unhurried_rpcs = &["callboard.tickets.v1.AttachmentService/UploadAttachment"];
    attachments.furnish(&mut built);
    context.furnish(&mut built).await?;
    Ok(built)
}

async fn operate(build: BuildContext, operation: Operation) -> Result<String, BoxError> {
    parts(&build)?.context.operate(operation).await
}
