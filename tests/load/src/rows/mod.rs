//! The rows, a module for those that are measured together.

pub mod accept;
mod create;
mod life;
mod list;
mod live;
mod memory;
mod messages;
mod micro;
mod notify;
mod one;
mod rush;
mod scale;
mod start;
mod team;
mod upload;
mod view;

use std::time::Duration;

use callboard_proto::tickets::v1 as proto;
use callboard_proto::tickets::v1::ticket_service_client::TicketServiceClient;
use tonic::Request;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::Channel;

use crate::Failure;
use crate::house::{House, new_id};
use crate::measure::Caller;
use crate::options::Options;
use crate::report::{Row, Target};
use crate::say;

/// How long the rows of one module may take.
const LIMIT: Duration = Duration::from_secs(240);

/// What rows have to reach, as the table of the benchmark's contract says.
const fn target(row: &str) -> Target {
    match row.as_bytes() {
        b"create" | b"create-rest" => Target::RatioAtLeast(0.6),
        b"cpu" | b"one-grpc" | b"accept" => Target::RatioAtMost(3.0),
        b"one-rest" => Target::RatioAtMost(5.0),
        b"rush" => Target::RatioAtLeast(5.0),
        b"outbox" => Target::AtMost(1.0),
        b"view" => Target::RatioAtLeast(0.12),
        b"list" => Target::RatioAtLeast(0.25),
        b"accept-p99" => Target::AtMost(25.0),
        b"life" => Target::AtLeast(256.0),
        b"live" => Target::AtMost(250.0),
        b"messages" => Target::AtLeast(193.0),
        b"messages-last" => Target::AtLeast(142.0),
        b"scale-create" | b"scale-view" | b"scale-list" => Target::RatioAtMost(1.5),
        b"memory-services" => Target::AtMost(120.0),
        b"memory-standalone" => Target::AtMost(60.0),
        b"start-services" | b"start-standalone" => Target::AtMost(1.5),
        // No contract, but a guard: three times what they were on two cores when they were written.
        b"micro-decide" => Target::AtMost(4.0),
        b"micro-encode" => Target::AtMost(0.5),
        b"micro-mailbox" => Target::AtMost(200.0),
        b"micro-commit" => Target::RatioAtMost(3.0),
        _ => Target::None,
    }
}

/// Runs what is wanted.
pub async fn all(house: &mut House, options: &Options) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut team = team::Shared::default();
    macro_rules! part {
        ($asked:expr => $names:expr, $rows:expr, $limit:expr) => {
            if options.wants_any(&$asked) {
                say(&format!("… {}", $names.join(", ")));
                let outcome = tokio::time::timeout($limit, Box::pin($rows)).await;
                let names: Vec<&str> =
                    $names.into_iter().filter(|name| !$asked.contains(name) || options.wants(name)).collect();
                keep(&mut rows, &names, outcome.unwrap_or_else(|_| Err("took too long".into())));
            }
        };
        ($asked:expr => $names:expr, $rows:expr) => {
            part!($asked => $names, $rows, LIMIT)
        };
        ($names:expr, $rows:expr) => {
            part!($names => $names, $rows, LIMIT)
        };
    }
    part!(["memory"] => ["memory-services", "memory-standalone"], memory::rows(house));
    part!(["micro"] => micro::NAMES, micro::rows(house));
    part!(["create", "create-rest", "cpu", "outbox"], create::rows(house, options));
    part!(["one"] => ["one-grpc", "one-rest"], one::rows(house, options));
    part!(["view"], view::rows(house, options, &mut team));
    part!(["list"], list::rows(house, options));
    part!(["accept"] => ["accept", "accept-p99"], accept::rows(house, options, &mut team));
    part!(["rush"], rush::rows(house));
    part!(["life"], life::rows(house, options, &mut team));
    part!(["message", "messages", "messages-last"], messages::rows(house, options));
    part!(["upload"], upload::rows(house));
    part!(["notify"], notify::rows(house, options));
    part!(["live"] => ["live", "live-memory"], live::rows(house, options));
    let scales = ["scale-create", "scale-view", "scale-list"];
    part!(["scale"] => scales, scale::rows(house, options, &mut team), LIMIT * 5);
    part!(["start"] => ["start-services", "start-standalone"], start::rows(house));
    rows
}

/// Rows that did not run are there and say so.
fn keep(rows: &mut Vec<Row>, names: &[&str], outcome: Result<Vec<Row>, Failure>) {
    match outcome {
        Ok(made) => {
            for row in made {
                let limit = target(&row.row);
                let row = row.target(limit);
                say(&format!(
                    "  {}: {:?} {} ratio {:?} met {:?} {}",
                    row.row, row.value, row.unit, row.ratio, row.met, row.note
                ));
                rows.push(row);
            }
        }
        Err(error) => {
            for name in names {
                let row = Row::new(name, "", "").note(format!("did not run: {error}")).target(target(name));
                say(&format!("  {name}: did not run: {error}"));
                rows.push(row);
            }
        }
    }
}

/// A token as gRPC sends it.
///
/// # Errors
/// A token that fits in no header.
fn bearer(token: &str) -> Result<MetadataValue<Ascii>, Failure> {
    Ok(format!("Bearer {token}").parse()?)
}

/// A message with a token.
fn with<T>(bearer: &MetadataValue<Ascii>, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("authorization", bearer.clone());
    request
}

/// A description as people write them.
const DESCRIPTION: &str = "It hisses, then stops, and the display says E17. We have switched it off and on again twice; \
                           the water is fine. Somebody should look at it before the weekend.";

/// Creates and opens tickets over gRPC.
#[derive(Debug, Clone)]
struct GrpcCreate {
    client: TicketServiceClient<Channel>,
    bearer: MetadataValue<Ascii>,
    device: String,
}

impl GrpcCreate {
    fn many(channels: &[Channel], callers: usize, token: &str, device: &str) -> Result<Vec<Self>, Failure> {
        let bearer = bearer(token)?;
        let client = |at: usize| TicketServiceClient::new(channels[at % channels.len()].clone());
        Ok((0..callers)
            .map(|at| Self { client: client(at), bearer: bearer.clone(), device: device.to_owned() })
            .collect())
    }

    async fn make(&mut self) -> Result<proto::Ticket, Failure> {
        let message = proto::CreateTicketRequest {
            request_id: new_id(),
            device_id: self.device.clone(),
            title: "No coffee on the second floor".to_owned(),
            description: DESCRIPTION.to_owned(),
            open: true,
            ..proto::CreateTicketRequest::default()
        };
        let made = self.client.create_ticket(with(&self.bearer, message)).await?.into_inner();
        made.ticket.ok_or_else(|| "no ticket".into())
    }
}

impl Caller for GrpcCreate {
    async fn call(&mut self) -> Result<(), Failure> {
        self.make().await.map(|_| ())
    }
}
