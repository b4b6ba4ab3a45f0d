//! The ticket's screen in one call.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::Method;

use super::team::Shared;
use crate::Failure;
use crate::echo::EchoServer;
use crate::house::House;
use crate::measure::{Caller, closed, exactly, median};
use crate::options::Options;
use crate::report::Row;
use crate::rest::Rest;

/// In flight.
const CALLERS: usize = 16;
/// How many tickets take turns.
const TICKETS: usize = 200;

/// GETs paths in turn.
#[derive(Debug)]
pub struct Getter {
    rest: Rest,
    paths: Arc<Vec<String>>,
    turn: Arc<AtomicUsize>,
}

impl Getter {
    /// So many, each with a connection of its own.
    ///
    /// # Errors
    /// The gateway cannot be reached.
    pub async fn many(
        url: &str,
        callers: usize,
        token: &str,
        paths: &Arc<Vec<String>>,
    ) -> Result<Vec<Self>, Failure> {
        let turn = Arc::new(AtomicUsize::new(0));
        let mut all = Vec::new();
        for _ in 0..callers {
            let rest = Rest::connect(url, token).await?;
            all.push(Self { rest, paths: Arc::clone(paths), turn: Arc::clone(&turn) });
        }
        Ok(all)
    }
}

impl Caller for Getter {
    async fn call(&mut self) -> Result<(), Failure> {
        let at = self.turn.fetch_add(1, Ordering::Relaxed) % self.paths.len();
        self.rest.ok(Method::GET, &self.paths[at], None).await.map(|_| ())
    }
}

/// `view`.
///
/// # Errors
/// What did not work.
pub async fn rows(house: &House, options: &Options, team: &mut Shared) -> Result<Vec<Row>, Failure> {
    let team = team.get(house).await?;
    let tickets = team.offered(house, TICKETS).await?;
    let paths = Arc::new(tickets.iter().map(|(id, _)| format!("/v1/tickets/{id}/view")).collect::<Vec<_>>());
    let gateway = house.platform.gateway_url();
    let getters = || Getter::many(&gateway, CALLERS, &team.tokens[0], &paths);
    // The first look marks the offer as seen.
    let first = exactly(getters().await?, TICKETS as u64).await;
    house.settle().await?;
    let echo = EchoServer::start().await?;
    closed(echo.callers(CALLERS, 1).await?, options.span / 5).await;
    closed(echo.callers(CALLERS, 4).await?, options.span / 5).await;
    let (mut ours, mut echoed, mut ratios, mut last) = (Vec::new(), Vec::new(), Vec::new(), None);
    let mut cost = String::new();
    for _ in 0..options.rounds.max(1) {
        let (mut best, half) = (0.0_f64, options.span / 2);
        for connections in [1, 4] {
            best = closed(echo.callers(CALLERS, connections).await?, half).await.rate().max(best);
        }
        let echo = best;
        let before = house.cpu();
        let view = closed(getters().await?, options.span).await;
        cost = house.cpu().since(&before).text(view.count());
        ours.push(view.rate());
        echoed.push(echo);
        ratios.push(view.rate() / echo);
        last = Some(view);
    }
    let Some(view) = last else { return Ok(Vec::new()) };
    let workload = format!(
        "GET /v1/tickets/{{id}}/view, HTTP/1.1, {CALLERS} in flight, closed loop, {TICKETS} tickets with 10 offers \
         each, seen before; median of {} rounds",
        options.rounds
    );
    let row = Row::new("view", workload, "calls/s")
        .timed(&view)
        .value(median(ours))
        .against("tonic echo, 16 in flight, best of 1 and 4 connections", median(echoed))
        .ratio(median(ratios))
        .note(cost);
    Ok(vec![row.failures(first.failed, &format!("first looks: {}", first.first_error))])
}
