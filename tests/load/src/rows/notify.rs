//! One event that a thousand people are told of.

use std::time::Duration;

use http::Method;
use serde_json::json;
use tokio::time::{Instant, interval};
use uuid::Uuid;

use crate::Failure;
use crate::house::House;
use crate::measure::median;
use crate::options::Options;
use crate::report::Row;
use crate::rest::{Rest, text};

/// How many people.
const PEOPLE: usize = 1_000;
/// How long it may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// `notify`.
///
/// # Errors
/// What did not work.
pub async fn rows(house: &House, options: &Options) -> Result<Vec<Row>, Failure> {
    let admin = house.admin().await?;
    let (department, _) = house.department(&admin, "crowd", PEOPLE).await?;
    let kind = house.kind(&admin, "wanted", Some(&department), false).await?;
    let token = admin.token().unwrap_or_default().to_owned();
    let mut rest = Rest::connect(&house.platform.gateway_url(), &token).await?;
    let (mut took, mut cost) = (Vec::new(), String::new());
    for _ in 0..options.rounds.max(1) {
        let cpu = house.cpu();
        let began = Instant::now();
        let body = json!({ "deviceId": kind.device, "title": "For all of you", "open": true });
        let made = rest.json(Method::POST, "/v1/tickets", Some(&body)).await?;
        let ticket: Uuid = text(&made, "id")?.parse()?;
        let mut look = interval(Duration::from_millis(5));
        while house.notified(ticket).await? < PEOPLE as i64 {
            look.tick().await;
            if began.elapsed() > PATIENCE {
                return Err(format!("{} of {PEOPLE} were told", house.notified(ticket).await?).into());
            }
        }
        took.push(began.elapsed().as_secs_f64());
        house.settle().await?;
        cost = house.cpu().since(&cpu).text(1);
    }
    let median = median(took);
    let workload = format!(
        "a ticket is opened and offered to {PEOPLE} people at once: from the call until the offer is in the drawers of \
         all; median of {} rounds",
        options.rounds
    );
    let mut row = Row::new("notify", workload, "ms")
        .value(median * 1e3)
        .note(format!("{:.0} notifications/s; once: {cost}", PEOPLE as f64 / median));
    (row.concurrency, row.samples) = (1, options.rounds.max(1) as u64);
    Ok(vec![row])
}
