//! A large file on its way through the gateway.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use callboard_e2e_tests::Service;
use http::Method;
use serde_json::json;
use tokio::time::{Instant, interval};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::Failure;
use crate::house::House;
use crate::process::resident_mib;
use crate::report::Row;
use crate::rest::{Rest, text};

/// The largest that is allowed.
const SIZE: usize = 50 * 1024 * 1024;
/// So many, one after the other.
const TIMES: usize = 3;

/// What is a sound by its first bytes.
fn sound() -> Bytes {
    let mut file = BytesMut::with_capacity(SIZE);
    file.extend_from_slice(b"RIFF");
    file.extend_from_slice(&u32::try_from(SIZE - 8).unwrap_or(u32::MAX).to_le_bytes());
    file.extend_from_slice(b"WAVEfmt ");
    file.resize(SIZE, 0);
    file.freeze()
}

/// The most that a process holds until told to stop, in MiB.
async fn most(process: u32, stop: CancellationToken) -> f64 {
    let mut most = resident_mib(process);
    let mut look = interval(Duration::from_millis(5));
    while stop.run_until_cancelled(look.tick()).await.is_some() {
        most = most.max(resident_mib(process));
    }
    most
}

/// `upload`.
///
/// # Errors
/// What did not work.
pub async fn rows(house: &House) -> Result<Vec<Row>, Failure> {
    let admin = house.admin().await?;
    let kind = house.kind(&admin, "loud", None, false).await?;
    let mut rest = Rest::connect(&house.platform.gateway_url(), admin.token().unwrap_or_default()).await?;
    let body = json!({ "deviceId": kind.device, "title": "It sounds like this", "open": true });
    let ticket = text(&rest.json(Method::POST, "/v1/tickets", Some(&body)).await?, "id")?;
    house.settle().await?;
    let path = format!("/v1/conversations/{ticket}/attachments?name=sound.wav");
    let file = sound();
    let gateway = house.platform.process_id(Service::Gateway);
    let (before, stop) = (resident_mib(gateway), CancellationToken::new());
    let watching = TaskTracker::new().spawn(most(gateway, stop.clone()));
    let cpu = house.cpu();
    let began = Instant::now();
    for _ in 0..TIMES {
        rest.ok(Method::POST, &path, Some(file.clone())).await?;
    }
    let took = began.elapsed().as_secs_f64();
    let cost = house.cpu().since(&cpu).text(TIMES as u64);
    stop.cancel();
    let most = watching.await?;
    let workload = "a file of 50 MiB into a conversation through the gateway, three one after the other: how much the \
                    gateway's resident memory grows meanwhile";
    let mut row = Row::new("upload", workload, "MiB").value(most - before).note(format!(
        "{before:.1} MiB before, {most:.1} MiB at most; {:.0} MiB/s; {cost}",
        (TIMES * SIZE) as f64 / 1_048_576.0 / took
    ));
    (row.concurrency, row.samples) = (1, TIMES as u64);
    Ok(vec![row])
}
