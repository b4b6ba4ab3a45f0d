//! Many who watch.

use std::sync::Arc;
use std::time::Duration;

use callboard_e2e_tests::{Service, World};
use callboard_kernel::{Clock, SystemClock, Timestamp};
use callboard_proto::tickets::v1 as proto;
use callboard_proto::tickets::v1::ticket_service_client::TicketServiceClient;
use callboard_standalone::rest::Client;
use chrono::DateTime;
use hdrhistogram::Histogram;
use parking_lot::Mutex;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::Channel;

use super::{bearer, with};
use crate::Failure;
use crate::echo::channels;
use crate::house::{House, new_id, post};
use crate::live::{Stream, field};
use crate::measure::{Caller, histogram, open, record};
use crate::options::Options;
use crate::process::resident_mib;
use crate::report::Row;
use crate::rest::text;

/// Events a second.
const RATE: f64 = 100.0;
/// Who watches, in turn.
const WATCHERS: [&str; 5] = ["max", "nora", "nick", "sofia", "otto"];

/// One organisation of several.
struct Place {
    ticket: String,
    poster: MetadataValue<Ascii>,
    watchers: Vec<String>,
}

/// Posts updates, one event each, in each organisation in turn.
struct Poster {
    client: TicketServiceClient<Channel>,
    places: Arc<Vec<(String, MetadataValue<Ascii>)>>,
    turn: usize,
}

impl Caller for Poster {
    async fn call(&mut self) -> Result<(), Failure> {
        let (ticket, bearer) = &self.places[self.turn % self.places.len()];
        self.turn += 1;
        let message = proto::PostUpdateRequest {
            request_id: new_id(),
            ticket_id: ticket.clone(),
            text: "On my way.".to_owned(),
            ..proto::PostUpdateRequest::default()
        };
        self.client.post_update(with(bearer, message)).await?;
        Ok(())
    }
}

async fn place(house: &House, at: usize) -> Result<Place, Failure> {
    let domain = format!("live{at}.example");
    let world = World::make(&house.platform, &domain).await;
    let nobody = Client::new(house.platform.gateway_url());
    let admin = nobody.as_person(&format!("ada@{domain}")).await?;
    let body = serde_json::json!({"deviceId": world.demo.oven_device, "title": "Watched", "open": true});
    let ticket = text(&post(&admin, "/v1/tickets", body).await?, "id")?;
    let mut watchers = Vec::new();
    for name in WATCHERS {
        let person = nobody.as_person(&format!("{name}@{domain}")).await?;
        watchers.push(person.token().unwrap_or_default().to_owned());
    }
    Ok(Place { ticket, poster: bearer(admin.token().unwrap_or_default())?, watchers })
}

/// `live`, `live-memory`.
///
/// # Errors
/// What did not work.
pub async fn rows(house: &House, options: &Options) -> Result<Vec<Row>, Failure> {
    let organisations = options.live_organisations.max(1);
    let mut places = Vec::new();
    for at in 0..organisations {
        places.push(place(house, at).await?);
    }
    house.settle().await?;
    sleep_until(Instant::now() + Duration::from_secs(2)).await;
    let gateway = house.platform.gateway_url();
    let before = resident_mib(house.platform.process_id(Service::Gateway));
    let times: Arc<Vec<Mutex<Histogram<u64>>>> = Arc::new((0..16).map(|_| Mutex::new(histogram())).collect());
    let (stop, watching) = (CancellationToken::new(), TaskTracker::new());
    let ended = Arc::new(Mutex::new(Vec::<String>::new()));
    let began = Instant::now();
    for at in 0..options.streams {
        let token = &places[at % organisations].watchers[at / organisations % WATCHERS.len()];
        let mut stream = Stream::open(&gateway, token).await?;
        let (over, times, ended) = (stop.clone(), Arc::clone(&times), Arc::clone(&ended));
        watching.spawn(async move {
            loop {
                match over.run_until_cancelled(stream.next()).await {
                    None => return,
                    Some(Ok(frame)) => {
                        if let Some(age) = age(&frame) {
                            record(&mut times[at % 16].lock(), age);
                        }
                    }
                    Some(Err(error)) => {
                        ended.lock().push(error.to_string());
                        return;
                    }
                }
            }
        });
    }
    watching.close();
    let opened = began.elapsed().as_secs_f64();
    sleep_until(Instant::now() + Duration::from_secs(3)).await;
    let with_streams = resident_mib(house.platform.process_id(Service::Gateway));

    let channel = channels(&house.grpc(Service::Tickets), 1).await?.remove(0);
    let targets =
        Arc::new(places.iter().map(|place| (place.ticket.clone(), place.poster.clone())).collect::<Vec<_>>());
    let posters = |count: usize| -> Vec<Poster> {
        (0..count)
            .map(|at| Poster {
                client: TicketServiceClient::new(channel.clone()),
                places: Arc::clone(&targets),
                turn: at * targets.len() / count,
            })
            .collect()
    };
    // Visibility of each ticket is learnt once by each reader.
    open(posters(8), RATE, Duration::from_secs(2)).await;
    sleep_until(Instant::now() + Duration::from_secs(1)).await;
    times.iter().for_each(|times| times.lock().reset());
    let cpu = house.cpu();
    let posted = open(posters(8), RATE, options.span * 2).await;
    let mut last = 0;
    loop {
        sleep_until(Instant::now() + Duration::from_millis(500)).await;
        let now: u64 = times.iter().map(|times| times.lock().len()).sum();
        if now == last {
            break;
        }
        last = now;
    }
    let cost = house.cpu().since(&cpu).text(posted.count());
    stop.cancel();
    watching.wait().await;

    let mut all = histogram();
    for times in times.iter() {
        let _ = all.add(&*times.lock());
    }
    let expected = posted.count() * options.streams as u64 / organisations as u64;
    let at = |quantile: f64| all.value_at_quantile(quantile) as f64 / 1e6;
    let workload = format!(
        "{} open streams of {organisations} organisations, {RATE} updates posted a second, open loop; from the event's \
         own time to its arrival, each event on {} streams",
        options.streams,
        options.streams / organisations
    );
    let mut row = Row::new("live", workload, "ms p99").value(at(0.99)).note(cost).note(format!(
        "{} of {expected} deliveries, longest {:.0} ms",
        all.len(),
        all.max() as f64 / 1e6
    ));
    (row.concurrency, row.samples) = (options.streams as u64, all.len());
    (row.median_ms, row.p99_ms) = (Some(at(0.5)), Some(at(0.99)));
    row = row.failures(posted.failed, &format!("posts: {}", posted.first_error));
    let ended = ended.lock();
    if let Some(why) = ended.first() {
        row = row.note(format!("{} streams ended: {why}", ended.len()));
    }
    if all.len() < expected || expected == 0 {
        row.value = Some(f64::INFINITY);
    }
    let each = (with_streams - before) * 1024.0 / options.streams.max(1) as f64;
    let workload =
        format!("resident memory of the gateway with {} idle streams, less without, each", options.streams);
    let mut memory = Row::new("live-memory", workload, "KiB/stream")
        .value(each)
        .note(format!("{before:.1} MiB without, {with_streams:.1} MiB with; opened in {opened:.1} s"));
    (memory.concurrency, memory.samples) = (options.streams as u64, options.streams as u64);
    Ok(vec![row, memory])
}

/// How long ago the event in a frame happened; `None`: not an update.
fn age(frame: &[u8]) -> Option<Duration> {
    (field(frame, "name")? == "ticket.update_posted").then_some(())?;
    let time: Timestamp = DateTime::parse_from_rfc3339(field(frame, "time")?).ok()?.into();
    (SystemClock.now() - time).to_std().ok()
}
