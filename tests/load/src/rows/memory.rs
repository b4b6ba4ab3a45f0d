//! Resident memory of what nobody uses.

use callboard_e2e_tests::Service;
use tokio::time::{Instant, sleep_until};

use crate::Failure;
use crate::house::House;
use crate::process::resident_mib;
use crate::report::Row;
use crate::standalone::{IDLE, measure};

/// Of each service.
pub fn of_services(house: &House) -> Vec<(&'static str, f64)> {
    Service::ALL.map(|service| (service.name(), resident_mib(house.platform.process_id(service)))).to_vec()
}

/// As text.
pub fn text(all: &[(&str, f64)]) -> String {
    all.iter().map(|(name, mib)| format!("{name} {mib:.1}")).collect::<Vec<_>>().join(", ")
}

/// `memory-services`, `memory-standalone`.
///
/// # Errors
/// What did not work.
pub async fn rows(house: &House) -> Result<Vec<Row>, Failure> {
    house.settle().await?;
    sleep_until(Instant::now() + IDLE).await;
    let services = of_services(house);
    let sum = services.iter().map(|(_, mib)| mib).sum();
    let mut first = Row::new(
        "memory-services",
        "VmRSS of all services as processes, one small organisation, idle",
        "MiB",
    )
    .value(sum)
    .note(text(&services));
    first.samples = services.len() as u64;
    let standalone = measure(house).await?;
    let mut second =
        Row::new("memory-standalone", "VmRSS of callboard-standalone, demo organisation, idle", "MiB")
            .value(standalone.resident_mib);
    second.samples = 1;
    Ok(vec![first, second])
}
