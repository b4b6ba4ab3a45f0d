//! From accepting an offer to a ticket that a reader sees ASSIGNED, beside the bare chain of such a reaction.

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, pull};
use async_nats::jetstream::{self, stream};
use bytes::Bytes;
use callboard_e2e_tests::Service;
use callboard_proto::fleet::v1 as fleet;
use callboard_proto::fleet::v1::fleet_service_client::FleetServiceClient;
use callboard_proto::tickets::v1 as tickets;
use callboard_proto::tickets::v1::ticket_service_client::TicketServiceClient;
use futures::StreamExt;
use parking_lot::Mutex;
use sqlx::{Connection, PgConnection};
use tokio::time::Instant;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::Channel;

use super::team::Shared;
use super::{bearer, with};
use crate::Failure;
use crate::echo::channels;
use crate::house::{House, new_id};
use crate::measure::{Caller, Outcome, median, open};
use crate::options::Options;
use crate::report::Row;

/// Accepts a second, one at a time.
const RATE: f64 = 20.0;
/// The stream of the bare chain.
pub const CHAIN: &str = "BENCH_CHAIN";

/// Accepts an offer and reads until the ticket is assigned.
#[derive(Debug)]
struct Accept {
    fleet: FleetServiceClient<Channel>,
    tickets: TicketServiceClient<Channel>,
    bearer: MetadataValue<Ascii>,
    offers: Arc<Mutex<Vec<(String, String)>>>,
}

impl Caller for Accept {
    async fn call(&mut self) -> Result<(), Failure> {
        let (ticket_id, offer_id) = self.offers.lock().pop().ok_or("no more offers")?;
        let message = fleet::AcceptOfferRequest { request_id: new_id(), offer_id };
        self.fleet.accept_offer(with(&self.bearer, message)).await?;
        let end = Instant::now() + Duration::from_secs(10);
        loop {
            let message = tickets::GetTicketRequest { ticket_id: ticket_id.clone() };
            let found = self.tickets.get_ticket(with(&self.bearer, message)).await?.into_inner();
            if found.ticket.is_some_and(|ticket| ticket.status() == tickets::TicketStatus::Assigned) {
                return Ok(());
            }
            if Instant::now() > end {
                return Err("not assigned after ten seconds".into());
            }
        }
    }
}

/// Commit, publish, consume, commit.
struct Chain {
    first: PgConnection,
    second: PgConnection,
    jetstream: jetstream::Context,
    messages: pull::Stream,
}

const COMMIT: &str = "with s as (insert into pair_state (id, organisation_id, version, body)
    values (gen_random_uuid(), gen_random_uuid(), 1, $1))
    insert into pair_event (id, body) values (gen_random_uuid(), $1)";

impl Caller for Chain {
    async fn call(&mut self) -> Result<(), Failure> {
        let body = "x".repeat(400);
        sqlx::query(COMMIT).bind(&body).execute(&mut self.first).await?;
        self.jetstream.publish("bench.chain", Bytes::from(body.clone())).await?.await?;
        let message = self.messages.next().await.ok_or("the consumer ended")??;
        sqlx::query(COMMIT).bind(&body).execute(&mut self.second).await?;
        message.ack().await
    }
}

async fn chain(house: &House) -> Result<Chain, Failure> {
    let jetstream = house.jetstream().clone();
    let config = stream::Config {
        name: CHAIN.to_owned(),
        subjects: vec!["bench.chain".to_owned()],
        ..stream::Config::default()
    };
    let stream = jetstream.get_or_create_stream(config).await?;
    let config = pull::Config {
        durable_name: Some("bench".to_owned()),
        ack_policy: AckPolicy::Explicit,
        ..pull::Config::default()
    };
    let messages = stream.get_or_create_consumer("bench", config).await?.messages().await?;
    Ok(Chain {
        first: PgConnection::connect(&house.bench_url).await?,
        second: PgConnection::connect(&house.bench_url).await?,
        jetstream,
        messages,
    })
}

/// `accept`, `accept-p99`.
///
/// # Errors
/// What did not work.
pub async fn rows(house: &House, options: &Options, team: &mut Shared) -> Result<Vec<Row>, Failure> {
    let team = team.get(house).await?;
    let (span, rounds) = (options.span, options.rounds.max(1));
    let count = (span.as_secs_f64() * RATE) as usize * rounds;
    let offers = team.offered(house, count + 20).await?;
    let offers = Arc::new(Mutex::new(offers));
    let fleet = channels(&house.grpc(Service::Fleet), 1).await?.remove(0);
    let tickets = channels(&house.grpc(Service::Tickets), 1).await?.remove(0);
    let accept = || -> Result<Accept, Failure> {
        Ok(Accept {
            fleet: FleetServiceClient::new(fleet.clone()),
            tickets: TicketServiceClient::new(tickets.clone()),
            bearer: bearer(&team.tokens[0])?,
            offers: Arc::clone(&offers),
        })
    };
    let mut raw = chain(house).await?;
    for _ in 0..20 {
        raw.call().await?;
        accept()?.call().await?;
    }
    drop(raw);
    house.settle().await?;
    let (mut ours, mut raw): (Option<Outcome>, Option<Outcome>) = (None, None);
    let (mut middle, mut tails) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let theirs = open(vec![chain(house).await?], RATE, span).await;
        let mine = open(vec![accept()?], RATE, span).await;
        middle.push(mine.quantile_ms(0.5) / theirs.quantile_ms(0.5));
        tails.push(mine.quantile_ms(0.99) / theirs.quantile_ms(0.99));
        for (all, one) in [(&mut raw, theirs), (&mut ours, mine)] {
            match all {
                Some(all) => all.merge(&one),
                None => *all = Some(one),
            }
        }
    }
    let (Some(ours), Some(raw)) = (ours, raw) else { return Ok(Vec::new()) };
    let workload = format!(
        "AcceptOffer over gRPC until GetTicket, asked again and again, says ASSIGNED; one at a time, {RATE} a second, \
         open loop; {rounds} rounds in turn with the bare chain, median of their ratios, quantiles of all"
    );
    let mut tail =
        Row::new("accept-p99", workload.clone(), "ms p99").timed(&ours).value(ours.quantile_ms(0.99));
    tail = tail.failures(raw.failed, &format!("bare chain: {}", raw.first_error));
    Ok(vec![
        Row::new("accept", workload, "ms p50")
            .timed(&ours)
            .value(ours.quantile_ms(0.5))
            .against("commit, JetStream publish, consume, commit; p50", raw.quantile_ms(0.5))
            .ratio(median(middle)),
        tail.against("the same chain, p99", raw.quantile_ms(0.99)).ratio(median(tails)),
    ])
}
