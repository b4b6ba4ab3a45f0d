//! People who write to each other.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hdrhistogram::Histogram;
use http::Method;
use parking_lot::Mutex;
use serde_json::json;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::view::Getter;
use crate::Failure;
use crate::house::{House, Kind};
use crate::live::{Stream, find};
use crate::measure::{Caller, closed, histogram, open, record};
use crate::options::Options;
use crate::report::Row;
use crate::rest::{Rest, text};

/// Who writes: moderators may everywhere.
const MEMBERS: usize = 10;
/// Conversations; everybody watches each.
const CONVERSATIONS: usize = 20;
/// Messages a second, open loop.
const RATE: f64 = 20.0;
/// Who writes at the same time, where it is about how many.
const SENDERS: usize = 16;
/// What the texts begin with.
const MARK: &str = "bench-";

/// Sends messages, in each conversation in turn.
struct Sender {
    rest: Rest,
    paths: Arc<Vec<String>>,
    turn: Turn,
}

enum Turn {
    /// One of several whose messages are numbered in the order in which they are due.
    Own { next: usize, step: usize },
    /// Whoever comes next.
    Shared(Arc<AtomicUsize>),
}

impl Caller for Sender {
    async fn call(&mut self) -> Result<(), Failure> {
        let number = match &mut self.turn {
            Turn::Own { next, step } => {
                *next += *step;
                *next - *step
            }
            Turn::Shared(turn) => turn.fetch_add(1, Ordering::Relaxed),
        };
        let body = json!({ "text": format!("{MARK}{number} It is fixed, please try it.") });
        let path = &self.paths[number % self.paths.len()];
        self.rest.json(Method::POST, path, Some(&body)).await.map(|_| ())
    }
}

/// The number in a frame that brings a message.
fn number(frame: &[u8]) -> Option<usize> {
    find(frame, b"event: message\n")?;
    let rest = &frame[find(frame, MARK.as_bytes())? + MARK.len()..];
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    std::str::from_utf8(&rest[..digits]).ok()?.parse().ok()
}

/// Opens the conversations of new tickets.
async fn conversations(house: &House, kind: &Kind, token: &str) -> Result<Vec<String>, Failure> {
    let mut rest = Rest::connect(&house.platform.gateway_url(), token).await?;
    let mut all = Vec::new();
    for _ in 0..CONVERSATIONS {
        let body = json!({ "deviceId": kind.device, "title": "To be talked about", "open": true });
        let made = rest.json(Method::POST, "/v1/tickets", Some(&body)).await?;
        all.push(text(&made, "id")?);
    }
    house.settle().await?;
    Ok(all)
}

/// `message`, `messages`, `messages-last`.
///
/// # Errors
/// What did not work.
pub async fn rows(house: &House, options: &Options) -> Result<Vec<Row>, Failure> {
    let admin = house.admin().await?;
    let (_, people) = house.department_of(&admin, "writers", MEMBERS, "MODERATOR").await?;
    let kind = house.kind(&admin, "talkative", None, false).await?;
    let mut tokens = Vec::new();
    for (name, _) in &people {
        tokens.push(house.token(name).await?);
    }
    let tickets = conversations(house, &kind, &tokens[0]).await?;
    let paths = Arc::new(tickets.iter().map(|id| format!("/v1/conversations/{id}:send")).collect::<Vec<_>>());
    Ok(vec![
        to_streams(house, options, &tokens, &tickets, &paths).await?,
        as_fast_as_it_goes(house, options, &tokens, &paths).await?,
        read(house, options, &tokens, &tickets).await?,
    ])
}

async fn to_streams(
    house: &House,
    options: &Options,
    tokens: &[String],
    tickets: &[String],
    paths: &Arc<Vec<String>>,
) -> Result<Row, Failure> {
    let gateway = house.platform.gateway_url();
    // When message 0 of the measured ones was due; `None`: not yet.
    let due = Arc::new(Mutex::new(None::<Instant>));
    let times = Arc::new(Mutex::new(histogram()));
    let (stop, watching) = (CancellationToken::new(), TaskTracker::new());
    for (member, token) in tokens.iter().enumerate() {
        for ticket in tickets {
            let mut stream =
                Stream::open_at(&gateway, token, &format!("/v1/conversations/{ticket}/live")).await?;
            let (stop, due, times) = (stop.clone(), Arc::clone(&due), Arc::clone(&times));
            watching.spawn(async move {
                while let Some(Ok(frame)) = stop.run_until_cancelled(stream.next()).await {
                    let arrived = Instant::now();
                    let (Some(number), Some(due)) = (number(&frame), *due.lock()) else { continue };
                    // One's own message is no news.
                    if number % MEMBERS != member {
                        let at = due + Duration::from_secs_f64(number as f64 / RATE);
                        record(&mut times.lock(), arrived.saturating_duration_since(at));
                    }
                }
            });
        }
    }
    watching.close();
    let mut senders = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let rest = Rest::connect(&gateway, token).await?;
        senders.push(Sender { rest, paths: Arc::clone(paths), turn: Turn::Own { next: at, step: MEMBERS } });
    }
    let cpu = house.cpu();
    *due.lock() = Some(Instant::now());
    let sent = open(senders, RATE, options.span * 2).await;
    let expected = sent.count() * (MEMBERS as u64 - 1);
    arrive(&times).await;
    let cost = house.cpu().since(&cpu).text(sent.count());
    stop.cancel();
    watching.wait().await;
    let all = times.lock();
    let at = |quantile: f64| all.value_at_quantile(quantile) as f64 / 1e6;
    let workload = format!(
        "{} open streams of {CONVERSATIONS} conversations, {RATE} messages a second through the gateway, open loop; from \
         when it was to be sent to its arrival at each of the {} others",
        MEMBERS * CONVERSATIONS,
        MEMBERS - 1
    );
    let mut row = Row::new("message", workload, "ms p99").value(at(0.99)).note(cost);
    (row.concurrency, row.samples) = ((MEMBERS * CONVERSATIONS) as u64, all.len());
    (row.median_ms, row.p99_ms) = (Some(at(0.5)), Some(at(0.99)));
    if sent.failed > 0 || all.len() != expected {
        row = row.note(format!(
            "{} of {expected} came; {} not sent: {}",
            all.len(),
            sent.failed,
            sent.first_error
        ));
        row.value = Some(f64::INFINITY);
    }
    Ok(row)
}

/// Waits until nothing arrives any more.
async fn arrive(times: &Mutex<Histogram<u64>>) {
    let mut last = u64::MAX;
    loop {
        let now = times.lock().len();
        if now == last {
            return;
        }
        last = now;
        sleep_until(Instant::now() + Duration::from_millis(500)).await;
    }
}

async fn as_fast_as_it_goes(
    house: &House,
    options: &Options,
    tokens: &[String],
    paths: &Arc<Vec<String>>,
) -> Result<Row, Failure> {
    let turn = Arc::new(AtomicUsize::new(0));
    let mut senders = Vec::new();
    for at in 0..SENDERS {
        let rest = Rest::connect(&house.platform.gateway_url(), &tokens[at % MEMBERS]).await?;
        senders.push(Sender { rest, paths: Arc::clone(paths), turn: Turn::Shared(Arc::clone(&turn)) });
    }
    let cpu = house.cpu();
    let sent = closed(senders, options.span).await;
    house.settle().await?;
    let cost = house.cpu().since(&cpu).text(sent.count());
    let workload = format!(
        "POST /v1/conversations/{{id}}:send, {SENDERS} in flight, closed loop, {CONVERSATIONS} conversations; the best \
         peer measured does 193/s"
    );
    Ok(Row::new("messages", workload, "messages/s").timed(&sent).value(sent.rate()).note(cost))
}

async fn read(
    house: &House,
    options: &Options,
    tokens: &[String],
    tickets: &[String],
) -> Result<Row, Failure> {
    let paths = tickets.iter().map(|id| format!("/v1/conversations/{id}/messages?pageSize=50")).collect();
    let paths = Arc::new(paths);
    let getters = Getter::many(&house.platform.gateway_url(), SENDERS, &tokens[0], &paths).await?;
    let cpu = house.cpu();
    let read = closed(getters, options.span).await;
    let cost = house.cpu().since(&cpu).text(read.count());
    let workload = format!(
        "GET /v1/conversations/{{id}}/messages?pageSize=50, {SENDERS} in flight, closed loop; the best peer measured does \
         142/s"
    );
    Ok(Row::new("messages-last", workload, "calls/s").timed(&read).value(read.rate()).note(cost))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_frames_of_messages_have_numbers() {
        assert_eq!(number(b"id: 4\nevent: message\ndata: {\"text\":\"bench-17 It\"}\n\n"), Some(17));
        assert_eq!(number(b"event: typing\ndata: bench-17\n\n"), None);
        assert_eq!(number(b"event: message\ndata: {}\n\n"), None);
    }
}
