//! From start to ready, with the data of all rows before.

use std::time::Duration;

use callboard_e2e_tests::Service;
use tokio::time::{Instant, interval};

use super::memory::{of_services, text};
use crate::Failure;
use crate::house::House;
use crate::report::Row;
use crate::standalone::measure;

/// `start-services`, `start-standalone`.
///
/// # Errors
/// What did not work.
pub async fn rows(house: &mut House) -> Result<Vec<Row>, Failure> {
    house.settle().await?;
    let before = text(&of_services(house));
    let stored: i64 =
        sqlx::query_scalar("select count(*) from tickets.ticket").fetch_one(&house.pool).await?;
    for service in Service::ALL.into_iter().rev() {
        house.platform.terminate(service).await;
    }
    let http = reqwest::Client::new();
    let began = Instant::now();
    for service in Service::ALL {
        house.platform.spawn(service);
    }
    let mut each = Vec::new();
    let mut look = interval(Duration::from_millis(5));
    for service in Service::ALL {
        let url = format!("{}/readyz", house.platform.admin_url(service));
        loop {
            if http.get(&url).send().await.is_ok_and(|answer| answer.status().is_success()) {
                break;
            }
            if began.elapsed() > Duration::from_secs(60) {
                return Err(format!("{} is not ready after a minute", service.name()).into());
            }
            look.tick().await;
        }
        each.push(format!("{} by {:.2} s", service.name(), began.elapsed().as_secs_f64()));
    }
    let seconds = began.elapsed().as_secs_f64();
    let workload =
        format!("all services started at once, until every /readyz says yes; {stored} stored tickets");
    let mut services = Row::new("start-services", workload, "s")
        .value(seconds)
        .note(each.join(", "))
        .note(format!("resident before, after all rows, MiB: {before}"));
    services.samples = 1;
    let mut standalone =
        Row::new("start-standalone", "callboard-standalone with its demo organisation, second start", "s")
            .value(measure(house).await?.ready_s);
    standalone.samples = 1;
    Ok(vec![services, standalone])
}
