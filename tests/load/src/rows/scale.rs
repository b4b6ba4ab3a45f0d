//! What a million stored tickets change.

use std::sync::Arc;

use callboard_e2e_tests::Service;
use http::Method;
use sqlx::{AssertSqlSafe, PgPool};
use tokio::time::Instant;

use super::GrpcCreate;
use super::list::{PATH, STORED};
use super::team::Shared;
use super::view::Getter;
use crate::Failure;
use crate::echo::channels;
use crate::house::{House, post};
use crate::measure::{Outcome, open};
use crate::options::Options;
use crate::report::Row;
use crate::rest::{Rest, text};
use crate::say;

/// Calls a second.
const RATE: f64 = 50.0;
/// Tickets for each statement that fills.
const STEP: u64 = 50_000;

/// Stores tickets like this one in its organisation until there are so many of this name: all statuses but drafts, and
/// the timeline that each would have. Ids and numbers are out of the way of those given out.
///
/// # Errors
/// What Postgres says.
pub async fn fill(pool: &PgPool, like: &str, name: &str, count: u64) -> Result<(), Failure> {
    let columns: Vec<String> = sqlx::query_scalar(
        "select column_name::text from information_schema.columns where table_schema = 'tickets' and \
         table_name = 'ticket' and is_generated = 'NEVER' order by ordinal_position",
    )
    .fetch_all(pool)
    .await?;
    let values: Vec<String> = columns
        .iter()
        .map(|column| match column.as_str() {
            "id" => format!("md5('{name}' || i)::uuid"),
            "number" => "10000000 + i".to_owned(),
            "status" => "(array['OPEN', 'ASSIGNED', 'IN_PROGRESS', 'DONE', 'CLOSED', 'CANCELLED', 'CLOSED'])[1 + i % 7]"
                .to_owned(),
            "create_time" | "update_time" | "open_time" => format!("t.{column} - i * interval '10 seconds'"),
            "title" => "'Ticket ' || md5(i::text)".to_owned(),
            other => format!("t.{other}"),
        })
        .collect();
    let there: i64 = sqlx::query_scalar(
        "select count(*) from tickets.ticket where number >= 10000000 and organisation_id = \
         (select organisation_id from tickets.ticket where id = $1::uuid)",
    )
    .bind(like)
    .fetch_one(pool)
    .await?;
    let mut from = u64::try_from(there)? + 1;
    while from <= count {
        let to = (from + STEP - 1).min(count);
        let sql = format!(
            // The table's triggers name other tables of its schema.
            "begin; set local search_path = tickets;
             with made as (insert into tickets.ticket ({}) select {} from tickets.ticket t, generate_series({from}, {to}) i
             where t.id = '{like}' returning id)
             insert into tickets.ticket_timeline (aggregate_id, sequence, time, actor, field, before, after, automatic)
             select made.id, l.sequence, l.time, l.actor, l.field, l.before, l.after, l.automatic
             from made, tickets.ticket_timeline l where l.aggregate_id = '{like}'; commit",
            columns.join(", "),
            values.join(", "),
        );
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(pool).await?;
        from = to + 1;
    }
    sqlx::raw_sql("analyze tickets.ticket; analyze tickets.ticket_timeline").execute(pool).await?;
    Ok(())
}

struct Times {
    create: Outcome,
    view: Outcome,
    list: Outcome,
}

/// `scale-create`, `scale-view`, `scale-list`.
///
/// # Errors
/// What did not work.
pub async fn rows(house: &House, options: &Options, team: &mut Shared) -> Result<Vec<Row>, Failure> {
    let team = team.get(house).await?;
    let admin = house.admin().await?;
    let plain = house.kind(&admin, "scale", None, false).await?;
    let body = serde_json::json!({"deviceId": plain.device, "title": "One", "open": true});
    let seed = text(&post(&admin, "/v1/tickets", body).await?, "id")?;
    let tickets = team.offered(house, 100).await?;
    let views = Arc::new(tickets.iter().map(|(id, _)| format!("/v1/tickets/{id}/view")).collect::<Vec<_>>());
    let lists = Arc::new(vec![PATH.to_owned()]);
    let gateway = house.platform.gateway_url();
    let channels = channels(&house.grpc(Service::Tickets), 1).await?;
    let token = &team.tokens[0];
    let mut rest = Rest::connect(&gateway, token).await?;
    for path in views.iter() {
        rest.ok(Method::GET, path, None).await?;
    }
    let measure = || async {
        house.settle().await?;
        Ok::<_, Failure>(Times {
            create: open(GrpcCreate::many(&channels, 4, token, &plain.device)?, RATE, options.span * 2).await,
            view: open(Getter::many(&gateway, 4, token, &views).await?, RATE, options.span * 2).await,
            list: open(Getter::many(&gateway, 4, token, &lists).await?, RATE, options.span * 2).await,
        })
    };
    fill(&house.pool, &seed, "scale", STORED).await?;
    measure().await?;
    let few = measure().await?;
    let began = Instant::now();
    fill(&house.pool, &seed, "scale", options.tickets).await?;
    say(&format!("  {} tickets stored in {:.0} s", options.tickets, began.elapsed().as_secs_f64()));
    sqlx::raw_sql("checkpoint").execute(&house.pool).await?;
    measure().await?;
    let many = measure().await?;
    let row = |name: &str, what: &str, few: &Outcome, many: &Outcome| {
        let workload = format!(
            "{what}, {RATE} a second by 4 callers, open loop, at {} stored tickets of the organisation; second of two runs",
            options.tickets
        );
        Row::new(name, workload, "ms p50")
            .timed(many)
            .value(many.quantile_ms(0.5))
            .against(&format!("the same at {STORED}"), few.quantile_ms(0.5))
    };
    Ok(vec![
        row("scale-create", "gRPC create and open", &few.create, &many.create),
        row("scale-view", "the ticket's view through the gateway", &few.view, &many.view),
        row("scale-list", "list 50 by status through the gateway", &few.list, &many.list),
    ])
}
