//! Fifty of ten thousand tickets by status, and the same statement by `pgbench`.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use callboard_e2e_tests::World;
use sqlx::PgPool;
use tokio::time::{Instant, interval};

use super::scale::fill;
use super::view::Getter;
use crate::Failure;
use crate::house::{House, post};
use crate::measure::{Caller, closed, median};
use crate::options::Options;
use crate::report::Row;
use crate::rest::text;

/// In flight.
const CALLERS: usize = 16;
/// How many the organisation has.
pub const STORED: u64 = 10_000;
/// What is asked for.
pub const PATH: &str = "/v1/tickets?status=OPEN&pageSize=50";

/// `list`.
///
/// # Errors
/// What did not work.
pub async fn rows(house: &House, options: &Options) -> Result<Vec<Row>, Failure> {
    let world = World::make(&house.platform, "list.example").await;
    let caller = callboard_standalone::rest::Client::new(house.platform.gateway_url())
        .as_person("ada@list.example")
        .await?;
    let body = serde_json::json!({"deviceId": world.demo.oven_device, "title": "One", "open": true});
    let seed = text(&post(&caller, "/v1/tickets", body).await?, "id")?;
    fill(&house.pool, &seed, "list", STORED).await?;
    let token = caller.token().unwrap_or_default();
    let gateway = house.platform.gateway_url();
    let paths = Arc::new(vec![PATH.to_owned()]);
    let sql = statement_of(&house.pool, &house.postgres_log, || async {
        Getter::many(&gateway, 1, token, &paths).await?.remove(0).call().await
    })
    .await?;
    let separator = if house.platform.database_url().contains('?') { '&' } else { '?' };
    let url = format!("{}{separator}options=-csearch_path%3Dtickets", house.platform.database_url());
    let clients = u32::try_from(CALLERS)?;
    house.pgbench.statement(&sql, &url, clients, Duration::from_secs(1)).await?;
    closed(Getter::many(&gateway, CALLERS, token, &paths).await?, options.span / 5).await;
    let (mut ours, mut theirs, mut ratios, mut last) = (Vec::new(), Vec::new(), Vec::new(), None);
    let mut cost = String::new();
    for _ in 0..options.rounds.max(1) {
        let bench = house.pgbench.statement(&sql, &url, clients, options.span).await?.rate;
        let before = house.cpu();
        let list = closed(Getter::many(&gateway, CALLERS, token, &paths).await?, options.span).await;
        cost = house.cpu().since(&before).text(list.count());
        ours.push(list.rate());
        theirs.push(bench);
        ratios.push(list.rate() / bench);
        last = Some(list);
    }
    let Some(list) = last else { return Ok(Vec::new()) };
    let workload = format!(
        "GET {PATH}, an organisation of {STORED} tickets, a seventh of them OPEN; HTTP/1.1, {CALLERS} in flight, \
         closed loop; median of {} rounds",
        options.rounds
    );
    Ok(vec![
        Row::new("list", workload, "calls/s")
            .timed(&list)
            .value(median(ours))
            .against("pgbench, same query, prepared, 16 clients", median(theirs))
            .ratio(median(ratios))
            .note(cost),
    ])
}

/// The statement that a call makes Postgres carry out, its values written into it, as Postgres' own log tells it.
async fn statement_of<F: Future<Output = Result<(), Failure>>>(
    pool: &PgPool,
    log: &Path,
    call: impl Fn() -> F,
) -> Result<String, Failure> {
    let from = fs::metadata(log)?.len();
    switch_log(pool, "alter system set log_min_duration_statement = 0").await?;
    let end = Instant::now() + Duration::from_secs(10);
    let mut look = interval(Duration::from_millis(50));
    let found = loop {
        look.tick().await;
        call().await?;
        let text = fs::read(log)?;
        let text = String::from_utf8_lossy(&text[usize::try_from(from)?..]).into_owned();
        if let Some(found) = logged(&text) {
            break Ok(found);
        }
        if Instant::now() > end {
            break Err("the list's statement is not in Postgres' log".into());
        }
    };
    switch_log(pool, "alter system reset log_min_duration_statement").await?;
    found
}

async fn switch_log(pool: &PgPool, sql: &'static str) -> Result<(), Failure> {
    sqlx::raw_sql(sql).execute(pool).await?;
    sqlx::raw_sql("select pg_reload_conf()").execute(pool).await?;
    Ok(())
}

/// The last list in a log.
fn logged(text: &str) -> Option<String> {
    let lines: Vec<&str> = text.lines().collect();
    let at = lines.iter().rposition(|line| {
        line.contains("execute ") && line.contains("from ticket t where") && line.contains(" limit ")
    })?;
    let sql = &lines[at][lines[at].find(": select ")? + 2..];
    let detail = lines[at + 1..].iter().find(|line| line.contains("DETAIL:"))?;
    let values = detail[detail.find("$1 = ")?..].split(", $");
    let mut sql = sql.to_owned();
    // From the last: `$1` is the beginning of `$10`.
    let values: Vec<&str> =
        values.filter_map(|value| value.split_once(" = ").map(|(_, value)| value)).collect();
    for (at, value) in values.iter().enumerate().rev() {
        sql = sql.replace(&format!("${}", at + 1), value);
    }
    Some(sql)
}
