//! Creating tickets as fast as it goes, and what that costs.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use callboard_e2e_tests::Service;
use http::Method;
use parking_lot::Mutex;
use serde_json::json;
use sqlx::PgPool;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{DESCRIPTION, GrpcCreate};
use crate::Failure;
use crate::echo::channels;
use crate::house::{Cpu, House};
use crate::measure::{Caller, Outcome, closed, median};
use crate::options::Options;
use crate::report::Row;
use crate::rest::Rest;

/// In flight.
const CALLERS: usize = 128;
/// Connections that gRPC calls share.
pub const CONNECTIONS: usize = 4;

/// Creates and opens tickets through the gateway.
#[derive(Debug)]
pub struct RestCreate {
    rest: Rest,
    body: Bytes,
}

impl RestCreate {
    /// So many, each with a connection of its own.
    ///
    /// # Errors
    /// The gateway cannot be reached.
    pub async fn many(url: &str, callers: usize, token: &str, device: &str) -> Result<Vec<Self>, Failure> {
        let body = json!({
            "deviceId": device, "title": "No coffee on the second floor", "description": DESCRIPTION, "open": true,
        });
        let body = Bytes::from(body.to_string());
        let mut all = Vec::new();
        for _ in 0..callers {
            all.push(Self { rest: Rest::connect(url, token).await?, body: body.clone() });
        }
        Ok(all)
    }
}

impl Caller for RestCreate {
    async fn call(&mut self) -> Result<(), Failure> {
        self.rest.ok(Method::POST, "/v1/tickets", Some(self.body.clone())).await.map(|_| ())
    }
}

/// Looks how old the oldest event is that has not left the outbox.
#[derive(Debug)]
struct OutboxWatch {
    stop: CancellationToken,
    tasks: TaskTracker,
    ages: Arc<Mutex<Vec<f64>>>,
}

impl OutboxWatch {
    fn start(pool: PgPool) -> Self {
        let (stop, tasks, ages) = (CancellationToken::new(), TaskTracker::new(), Arc::default());
        let watch = Self { stop: stop.clone(), tasks: tasks.clone(), ages: Arc::clone(&ages) };
        tasks.spawn(async move {
            let mut look = interval(Duration::from_millis(100));
            look.set_missed_tick_behavior(MissedTickBehavior::Delay);
            while !stop.is_cancelled() {
                look.tick().await;
                let age: Result<Option<f64>, _> = sqlx::query_scalar(
                    "select max(extract(epoch from clock_timestamp() - created_at))::float8 from (
                     (select created_at from tickets.outbox where stream_seq is null order by position limit 1) union all
                     (select created_at from fleet.outbox where stream_seq is null order by position limit 1)) oldest",
                )
                .fetch_one(&pool)
                .await;
                // Where nobody can look nobody knows: that is no age of nothing.
                ages.lock().push(age.map_or(f64::INFINITY, |age| age.unwrap_or(0.0)));
            }
        });
        tasks.close();
        watch
    }

    async fn end(self) -> Vec<f64> {
        self.stop.cancel();
        self.tasks.wait().await;
        std::mem::take(&mut *self.ages.lock())
    }
}

/// What each round found.
#[derive(Debug, Default)]
struct Found {
    pair: Vec<f64>,
    grpc: Vec<f64>,
    rest: Vec<f64>,
    grpc_ratio: Vec<f64>,
    rest_ratio: Vec<f64>,
    cpu: Vec<f64>,
    pair_cpu: Vec<f64>,
    cpu_ratio: Vec<f64>,
    ages: Vec<f64>,
    drains: Vec<f64>,
}

/// `create`, `create-rest`, `cpu`, `outbox`.
///
/// # Errors
/// What did not work.
pub async fn rows(house: &House, options: &Options) -> Result<Vec<Row>, Failure> {
    let admin = house.admin().await?;
    let plain = house.kind(&admin, "plain", None, false).await?;
    let token = house.token("nora").await?;
    let channels = channels(&house.grpc(Service::Tickets), CONNECTIONS).await?;
    let span = options.span;
    let with_rest = options.wants_any(&["create-rest", "cpu"]);

    // Connections, caches and statements are warm before anything counts.
    closed(GrpcCreate::many(&channels, CALLERS, &token, &plain.device)?, span / 3).await;
    let gateway = house.platform.gateway_url();
    if with_rest {
        closed(RestCreate::many(&gateway, CALLERS, &token, &plain.device).await?, span / 3).await;
    }
    house.settle().await?;

    let mut found = Found::default();
    let (mut grpc_last, mut rest_last, mut costs): (Option<Outcome>, Option<Outcome>, Vec<String>) =
        (None, None, Vec::new());
    for _ in 0..options.rounds.max(1) {
        let pair = best(house, span).await?;
        found.pair.push(pair);

        if options.statements {
            house.count_statements().await?;
        }
        let before = house.cpu();
        let watch = OutboxWatch::start(house.pool.clone());
        let grpc = closed(GrpcCreate::many(&channels, CALLERS, &token, &plain.device)?, span).await;
        found.ages.extend(watch.end().await);
        found.drains.push(house.settle().await?.as_secs_f64());
        costs.push(format!("gRPC {}", house.cpu().since(&before).text(grpc.count())));
        if options.statements {
            crate::say(&house.statements(grpc.count()).await?);
        }
        found.grpc.push(grpc.rate());
        found.grpc_ratio.push(grpc.rate() / pair);

        if with_rest {
            let before = house.cpu();
            let callers = RestCreate::many(&gateway, CALLERS, &token, &plain.device).await?;
            let rest = closed(callers, span).await;
            house.settle().await?;
            let cost = house.cpu().since(&before);
            costs.push(format!("REST {}", cost.text(rest.count())));
            found.rest.push(rest.rate());
            found.rest_ratio.push(rest.rate() / grpc.rate());
            // What our creates left to be written is not pgbench's.
            sqlx::raw_sql("checkpoint").execute(&house.pool).await?;
            let pair_cpu = pair_cpu(house, span).await?;
            let ours = cost.ours() * 1000.0 / rest.count().max(1) as f64;
            found.cpu.push(ours);
            found.pair_cpu.push(pair_cpu);
            found.cpu_ratio.push(ours / pair_cpu);
            rest_last = Some(rest);
        }
        grpc_last = Some(grpc);
    }
    let costs: Vec<String> = costs.into_iter().rev().take(2).collect();
    Ok(told(options, found, grpc_last, rest_last, &costs.join(" | ")))
}

/// How many pairs `pgbench` writes a second at its best.
async fn best(house: &House, span: Duration) -> Result<f64, Failure> {
    let mut best = 0.0;
    for clients in [1, 8, 32, 128] {
        best = house.pgbench.pair(clients, span / 2).await?.rate.max(best);
    }
    Ok(best)
}

async fn pair_cpu(house: &House, span: Duration) -> Result<f64, Failure> {
    let before: Cpu = house.cpu();
    let pair = house.pgbench.pair(16, span).await?;
    Ok(house.cpu().since(&before).postgres * 1000.0 / pair.count.max(1) as f64)
}

fn told(
    options: &Options,
    found: Found,
    grpc: Option<Outcome>,
    rest: Option<Outcome>,
    costs: &str,
) -> Vec<Row> {
    let mut rows = Vec::new();
    let rounds = format!("median of {} rounds, each side in turn; times of the last", options.rounds);
    let oldest = found.ages.iter().copied().fold(0.0, f64::max);
    let grpc_rate = median(found.grpc);
    if let (Some(grpc), true) = (grpc, options.wants("create")) {
        let workload = format!(
            "gRPC to tickets, {CALLERS} in flight on {CONNECTIONS} connections, closed loop, plain ticket opened in \
             one call, template without groups; {rounds}"
        );
        rows.push(
            Row::new("create", workload, "calls/s")
                .timed(&grpc)
                .value(grpc_rate)
                .against("pgbench pair, best of 1, 8, 32, 128 clients", median(found.pair))
                .ratio(median(found.grpc_ratio))
                .note(costs),
        );
    }
    if let Some(rest) = rest {
        let workload = format!(
            "POST /v1/tickets through the gateway, HTTP/1.1, a connection each, {CALLERS} in flight, closed loop; \
             {rounds}"
        );
        if options.wants("create-rest") {
            rows.push(
                Row::new("create-rest", workload, "calls/s")
                    .timed(&rest)
                    .value(median(found.rest))
                    .against("create", grpc_rate)
                    .ratio(median(found.rest_ratio)),
            );
        }
        if options.wants("cpu") {
            let workload = "user and system CPU of all services and NATS for 1,000 creates through the gateway, until \
                            all reactions are done; against Postgres' own for as many pgbench pairs, 16 clients";
            let mut row = Row::new("cpu", workload, "ms/1,000")
                .value(median(found.cpu))
                .against("Postgres, pgbench pair", median(found.pair_cpu))
                .ratio(median(found.cpu_ratio));
            (row.concurrency, row.samples) = (CALLERS as u64, rest.count());
            rows.push(row);
        }
    }
    if options.wants("outbox") {
        let workload = "age of the oldest unpublished event of tickets and fleet, looked at every 100 ms during the \
                        gRPC creates";
        let mut row = Row::new("outbox", workload, "s behind").value(oldest);
        (row.concurrency, row.samples) = (CALLERS as u64, found.ages.len() as u64);
        let mut ages = found.ages;
        ages.sort_by(f64::total_cmp);
        row.median_ms = ages.get(ages.len() / 2).map(|age| age * 1000.0);
        row.p99_ms = ages.get(ages.len() * 99 / 100).map(|age| age * 1000.0);
        rows.push(
            row.note(format!("all reactions done {:.2} s after the last create", median(found.drains))),
        );
    }
    rows
}
