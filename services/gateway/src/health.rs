//! gRPC health of what passes through: `callboard.tickets.v1.TicketService` is as well as the service behind it, whatever
//! the gateway's own state is.

use std::time::Duration;

use futures::future::{BoxFuture, join_all};
use futures::{FutureExt, StreamExt};
use tonic::transport::Channel;
use tonic_health::ServingStatus;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus as Told;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::server::HealthReporter;

use crate::upstream::{SERVICES, Upstreams, context_of};

/// Between two tries to hear from a service that is away.
const AWAY: Duration = Duration::from_millis(500);

/// Tells the health of every service that passes through, as its own server tells it. Never ends.
pub fn follow(upstreams: &Upstreams, reporter: &HealthReporter) -> BoxFuture<'static, ()> {
    let followed = SERVICES.iter().filter_map(|name| {
        let channel = upstreams.channel(context_of(name)?)?;
        Some(follow_one(name, channel, reporter.clone()))
    });
    join_all(followed.collect::<Vec<_>>()).map(drop).boxed()
}

async fn follow_one(name: &'static str, channel: Channel, reporter: HealthReporter) {
    loop {
        reporter.set_service_status(name, ServingStatus::NotServing).await;
        let question = HealthCheckRequest { service: name.to_owned() };
        if let Ok(stream) = HealthClient::new(channel.clone()).watch(question).await {
            let mut stream = stream.into_inner();
            while let Some(Ok(told)) = stream.next().await {
                let status = match told.status() {
                    Told::Serving => ServingStatus::Serving,
                    Told::Unknown | Told::NotServing | Told::ServiceUnknown => ServingStatus::NotServing,
                };
                reporter.set_service_status(name, status).await;
            }
        }
        reporter.set_service_status(name, ServingStatus::NotServing).await;
        tokio::time::sleep(AWAY).await;
    }
}
