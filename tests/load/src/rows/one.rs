//! One caller: what a create takes beside an echo and a commit.

use callboard_e2e_tests::Service;

use super::GrpcCreate;
use super::create::RestCreate;
use crate::Failure;
use crate::echo::{EchoServer, channels};
use crate::house::House;
use crate::measure::{Outcome, median, open};
use crate::options::Options;
use crate::report::Row;

/// Calls a second: far from what one caller could do.
const RATE: f64 = 50.0;

/// `one-grpc`, `one-rest`.
///
/// # Errors
/// What did not work.
pub async fn rows(house: &House, options: &Options) -> Result<Vec<Row>, Failure> {
    let admin = house.admin().await?;
    let plain = house.kind(&admin, "one", None, false).await?;
    let token = house.token("nora").await?;
    let gateway = house.platform.gateway_url();
    let channels = channels(&house.grpc(Service::Tickets), 1).await?;
    let echo = EchoServer::start().await?;
    let span = options.span;
    let (mut floor, mut grpc_ms, mut rest_ms) = (Vec::new(), Vec::new(), Vec::new());
    let (mut grpc_ratio, mut rest_ratio) = (Vec::new(), Vec::new());
    let mut last: Option<(Outcome, Outcome)> = None;
    let mut parts = String::new();
    for _ in 0..options.rounds.max(1) {
        let echoed = open(echo.callers(1, 1).await?, RATE, span).await.quantile_ms(0.5);
        let pair = house.pgbench.pair_at(1, RATE, span).await?.times.value_at_quantile(0.5) as f64 / 1e6;
        let grpc = open(GrpcCreate::many(&channels, 1, &token, &plain.device)?, RATE, span).await;
        let rest = open(RestCreate::many(&gateway, 1, &token, &plain.device).await?, RATE, span).await;
        parts = format!("echo {echoed:.2} ms + pgbench {pair:.2} ms");
        floor.push(echoed + pair);
        grpc_ratio.push(grpc.quantile_ms(0.5) / (echoed + pair));
        rest_ratio.push(rest.quantile_ms(0.5) / (echoed + pair));
        grpc_ms.push(grpc.quantile_ms(0.5));
        rest_ms.push(rest.quantile_ms(0.5));
        last = Some((grpc, rest));
    }
    let Some((grpc, rest)) = last else { return Ok(Vec::new()) };
    let workload = |how: &str| {
        format!(
            "create and open over {how}, one caller, {RATE} a second, open loop; median of {} rounds",
            options.rounds
        )
    };
    let floor = median(floor);
    Ok(vec![
        Row::new("one-grpc", workload("gRPC to tickets"), "ms p50")
            .timed(&grpc)
            .value(median(grpc_ms))
            .against("echo + pgbench pair, p50", floor)
            .ratio(median(grpc_ratio))
            .note(&parts),
        Row::new("one-rest", workload("REST through the gateway"), "ms p50")
            .timed(&rest)
            .value(median(rest_ms))
            .against("echo + pgbench pair, p50", floor)
            .ratio(median(rest_ratio))
            .note(parts),
    ])
}
