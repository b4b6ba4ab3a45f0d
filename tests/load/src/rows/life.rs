//! Whole lives of tickets, by people with a live stream, as an app has one.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use callboard_standalone::rest::Client;
use http::Method;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::DESCRIPTION;
use super::team::{Shared, Team};
use crate::Failure;
use crate::house::House;
use crate::live::{Stream, field};
use crate::measure::{Caller, closed};
use crate::options::Options;
use crate::report::Row;
use crate::rest::{Rest, text};

/// Lives at once.
const CALLERS: usize = 16;

/// What has been heard of a ticket.
#[derive(Debug, Clone, Default)]
struct Heard {
    names: Vec<&'static str>,
    /// Employee to offer.
    offers: HashMap<String, String>,
}

/// What the live stream says, by ticket.
#[derive(Debug, Default)]
struct Ears(Mutex<HashMap<String, watch::Sender<Heard>>>);

/// What a life waits for.
const WAITED: [&str; 4] = ["offers.made", "ticket.assigned", "rating.requested", "ticket.closed"];

impl Ears {
    fn hear(&self, frame: &Bytes) {
        let Some(name) =
            field(frame, "name").and_then(|name| WAITED.into_iter().find(|known| *known == name))
        else {
            return;
        };
        let Some(ticket) = field(frame, "ticketId") else { return };
        let offers = if name == "offers.made" { offers(frame) } else { HashMap::new() };
        let mut all = self.0.lock();
        let heard = all.entry(ticket.to_owned()).or_insert_with(|| watch::channel(Heard::default()).0);
        heard.send_modify(|heard| {
            heard.names.push(name);
            heard.offers.extend(offers);
        });
    }

    async fn wait(&self, ticket: &str, name: &str) -> Result<HashMap<String, String>, Failure> {
        let mut receiver = {
            let mut all = self.0.lock();
            all.entry(ticket.to_owned()).or_insert_with(|| watch::channel(Heard::default()).0).subscribe()
        };
        let heard = receiver.wait_for(|heard| heard.names.contains(&name));
        let heard =
            timeout(Duration::from_secs(20), heard).await.map_err(|_| format!("no {name} in time"))??;
        Ok(heard.offers.clone())
    }

    fn forget(&self, ticket: &str) {
        self.0.lock().remove(ticket);
    }
}

fn offers(frame: &[u8]) -> HashMap<String, String> {
    let Some(start) = frame.windows(6).position(|window| window == b"data: ") else { return HashMap::new() };
    let event: Value = serde_json::from_slice(&frame[start + 6..]).unwrap_or_default();
    let offers = event["data"]["offers"].as_array().cloned().unwrap_or_default();
    let pair = |offer: &Value| {
        Some((offer["employeeId"].as_str()?.to_owned(), offer["offerId"].as_str()?.to_owned()))
    };
    offers.iter().filter_map(pair).collect()
}

/// A visitor and an employee.
struct Life {
    visitor: Rest,
    employee: Rest,
    team: Arc<Team>,
    turn: Arc<AtomicUsize>,
    ears: Arc<Ears>,
}

impl Caller for Life {
    async fn call(&mut self) -> Result<(), Failure> {
        let body = json!({"title": "No coffee", "description": DESCRIPTION, "open": true});
        let ticket = text(&self.visitor.json(Method::POST, "/v1/tickets", Some(&body)).await?, "id")?;
        let at = |rest: &str| format!("/v1/tickets/{ticket}{rest}");
        let offers = self.ears.wait(&ticket, "offers.made").await?;
        let one = self.turn.fetch_add(1, Ordering::Relaxed) % self.team.members.len();
        if offers.len() != self.team.members.len() {
            return Err(format!("{} offers to {} people", offers.len(), self.team.members.len()).into());
        }
        let offer = offers.get(&self.team.members[one]).ok_or("no offer for this one")?;
        self.employee.become_somebody(&self.team.tokens[one])?;
        let nothing = Some(Bytes::from_static(b"{}"));
        self.employee.ok(Method::POST, &format!("/v1/offers/{offer}:accept"), nothing).await?;
        self.ears.wait(&ticket, "ticket.assigned").await?;
        let status = |status: &str| json!({"status": status});
        self.employee.json(Method::POST, &at(":setStatus"), Some(&status("IN_PROGRESS"))).await?;
        for text in ["On my way.", "Pump seal replaced, **9 bar**.", "Tested with two cups."] {
            let update = json!({"text": text, "visibility": "PUBLIC"});
            self.employee.json(Method::POST, &at("/updates"), Some(&update)).await?;
        }
        self.employee.json(Method::POST, &at(":setStatus"), Some(&status("DONE"))).await?;
        self.ears.wait(&ticket, "rating.requested").await?;
        let rating = json!({"score": 5, "comment": "Quick and friendly"});
        self.visitor.json(Method::POST, &at("/rating:submit"), Some(&rating)).await?;
        self.ears.wait(&ticket, "ticket.closed").await?;
        self.ears.forget(&ticket);
        Ok(())
    }
}

/// `life`.
///
/// # Errors
/// What did not work.
pub async fn rows(house: &House, options: &Options, team: &mut Shared) -> Result<Vec<Row>, Failure> {
    let team = Arc::new(team.get(house).await?);
    let gateway = house.platform.gateway_url();
    let ears = Arc::new(Ears::default());
    let mut stream = Stream::open(&gateway, &house.token("max").await?).await?;
    let (stop, listening) = (CancellationToken::new(), TaskTracker::new());
    let (over, hearing) = (stop.clone(), Arc::clone(&ears));
    listening.spawn(async move {
        while let Some(Ok(frame)) = over.run_until_cancelled(stream.next()).await {
            hearing.hear(&frame);
        }
    });
    listening.close();
    let turn = Arc::new(AtomicUsize::new(0));
    let lives = || async {
        let mut lives = Vec::new();
        for _ in 0..CALLERS {
            let visitor = Client::new(gateway.as_str()).as_visitor(&team.code, None).await?;
            lives.push(Life {
                visitor: Rest::connect(&gateway, visitor.token().unwrap_or_default()).await?,
                employee: Rest::connect(&gateway, &team.tokens[0]).await?,
                team: Arc::clone(&team),
                turn: Arc::clone(&turn),
                ears: Arc::clone(&ears),
            });
        }
        Ok::<_, Failure>(lives)
    };
    closed(lives().await?, options.span / 3).await;
    house.settle().await?;
    let before = house.cpu();
    let lived = closed(lives().await?, options.span * 2).await;
    house.settle().await?;
    let cost = house.cpu().since(&before).text(lived.count());
    stop.cancel();
    listening.wait().await;
    let workload = format!(
        "POST create, 10 offers, accept, start, 3 updates, done, rate, until CLOSED is heard on the live stream; REST, \
         HTTP/1.1, {CALLERS} lives at once, closed loop; waits for events on one live stream"
    );
    Ok(vec![Row::new("life", workload, "lives/s").timed(&lived).value(lived.rate()).note(cost)])
}
