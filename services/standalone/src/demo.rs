//! Plays the life of a ticket through a running gateway and prints each call and each event as it arrives.

use std::collections::HashMap;
use std::io::Write;
use std::sync::Arc;

use callboard_kernel::{IdGenerator, RandomIds};
use callboard_service::BoxError;
use futures::StreamExt;
use parking_lot::Mutex;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::rest::Client;
use crate::seed::Demo;

/// The longest a demo waits for an event.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(20);

/// What has been seen on the live stream.
#[derive(Default)]
struct Seen {
    /// Event id to a short name, to say what caused what.
    names: Mutex<HashMap<String, String>>,
    order: Mutex<Vec<String>>,
    news: Notify,
}

/// Prints a line of the play.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    // A reader that went away ends the play at its next call.
    let _ = writeln!(out, "{line}");
}

struct Player<'a> {
    name: &'a str,
    client: Client,
}

impl Player<'_> {
    async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Result<Value, BoxError> {
        let shown = body.as_ref().map(|body| format!(" {body}")).unwrap_or_default();
        say(&format!("→ {:<9} {method} {path}{shown}", self.name));
        let answer = self.client.send_when_known(method, path, body, Some(RandomIds.next())).await?;
        say(&format!("← {:<9} {}", "", short(&answer)));
        Ok(answer)
    }

    async fn upload(&self, path: &str, content: &str) -> Result<Value, BoxError> {
        say(&format!("→ {:<9} POST {path} {content:?}", self.name));
        let answer = self.client.upload(path, content.into(), RandomIds.next()).await?;
        say(&format!("← {:<9} {}", "", short(&answer)));
        Ok(answer)
    }
}

/// What of an answer a reader wants to see.
fn short(answer: &Value) -> String {
    const SHOWN: [&str; 15] = [
        "number",
        "status",
        "state",
        "visibility",
        "title",
        "score",
        "employeeId",
        "text",
        "name",
        "mediaType",
        "size",
        "domain",
        "decision",
        "unread",
        "id",
    ];
    let parts: Vec<String> = SHOWN
        .iter()
        .filter_map(|key| {
            answer.get(key).filter(|value| !value.is_null()).map(|value| format!("{key}: {value}"))
        })
        .collect();
    if parts.is_empty() { "ok".to_owned() } else { parts.join(", ") }
}

/// Follows `/v1/live` and prints what comes.
async fn follow(client: Client, seen: Arc<Seen>, ready: Arc<Notify>) -> Result<(), BoxError> {
    let answer = client.request(Method::GET, "/v1/live").send().await?.error_for_status()?;
    ready.notify_one();
    let mut stream = answer.bytes_stream();
    let mut pending = String::new();
    while let Some(bytes) = stream.next().await {
        pending.push_str(&String::from_utf8_lossy(&bytes?));
        while let Some(end) = pending.find("\n\n") {
            let block: String = pending.drain(..end + 2).collect();
            let field = |name: &str| -> String {
                block.lines().filter_map(|line| line.strip_prefix(name)).map(str::trim).collect()
            };
            if let Ok(data) = serde_json::from_str::<Value>(&field("data:")) {
                match field("event:").as_str() {
                    kind @ ("notification" | "unread") => show_told(kind, &data, &seen),
                    _ => show(&data, &seen),
                }
            }
        }
    }
    Ok(())
}

/// What the stream says of the drawer of who follows it.
fn show_told(kind: &str, told: &Value, seen: &Seen) {
    match kind {
        "notification" => say(&entry("  🔔 max is told:", told)),
        _ => say(&format!("  🔔 max has {} unread", told["unread"])),
    }
    seen.order.lock().push(kind.to_owned());
    seen.news.notify_waiters();
}

/// A line of a drawer.
fn entry(before: &str, entry: &Value) -> String {
    let state = if entry["unread"] == true { "unread" } else { "read" };
    format!("{before} {} ({state})", entry["text"].as_str().unwrap_or_default())
}

fn show(event: &Value, seen: &Seen) {
    let text = |key: &str| event[key].as_str().unwrap_or_default().to_owned();
    let (id, name, cause) = (text("id"), text("name"), text("causedBy"));
    if name.is_empty() {
        // "ready" and its like are no events.
        return;
    }
    let because = match seen.names.lock().get(&cause) {
        Some(cause) => format!("because of {cause}"),
        None if cause.is_empty() => "by hand".to_owned(),
        None => format!("because of event {cause}"),
    };
    say(&format!("  ⚡ {name:<28} {because}"));
    seen.names.lock().insert(id, name.clone());
    seen.order.lock().push(name);
    seen.news.notify_waiters();
}

impl Seen {
    /// Waits until an event of this name has come since position `from`.
    async fn wait(&self, name: &str, from: usize) -> Result<(), BoxError> {
        let found = async {
            loop {
                let news = self.news.notified();
                if self.order.lock().iter().skip(from).any(|seen| seen == name) {
                    return;
                }
                news.await;
            }
        };
        tokio::time::timeout(PATIENCE, found).await.map_err(|_| format!("no event {name} came").into())
    }

    fn position(&self) -> usize {
        self.order.lock().len()
    }
}

/// Plays the life: scan, answer, offers, accept, work, done, rate, closed; then a request at the support desk.
///
/// # Errors
/// The first call that fails, or an event that does not come.
pub async fn play(gateway: &str, demo: &Demo) -> Result<(), BoxError> {
    let anyone = Client::new(gateway);
    let seen = Arc::new(Seen::default());
    let (ready, stop) = (Arc::new(Notify::new()), CancellationToken::new());
    let moderator = anyone.as_person(&demo.email("max")).await?;
    let tasks = TaskTracker::new();
    let follower = follow(moderator.clone(), Arc::clone(&seen), Arc::clone(&ready));
    let stopped = stop.clone();
    tasks.spawn(async move {
        tokio::select! {
            outcome = follower => if let Err(error) = outcome {
                say(&format!("the live stream ended: {error}"));
            },
            () = stopped.cancelled() => {}
        }
    });
    tokio::time::timeout(PATIENCE, ready.notified()).await.map_err(|_| "no live stream")?;
    let outcome = life(&anyone, demo, &seen).await;
    stop.cancel();
    tasks.close();
    tasks.wait().await;
    outcome
}

async fn life(anyone: &Client, demo: &Demo, seen: &Seen) -> Result<(), BoxError> {
    say("A visitor scans the code on the coffee machine and answers the flow \"Repair\".");
    let visitor = Player { name: "visitor", client: anyone.as_visitor(&demo.coffee_code, None).await? };
    let draft = visitor.call(Method::POST, "/v1/tickets", Some(json!({"flowId": demo.repair_flow}))).await?;
    let ticket = draft["id"].as_str().unwrap_or_default().to_owned();
    let at = |rest: &str| format!("/v1/tickets/{ticket}{rest}");
    visitor
        .call(Method::PUT, &at("/answers/what"), Some(json!({"text": "It hisses and gives no coffee"})))
        .await?;
    visitor.call(Method::PUT, &at("/answers/part"), Some(json!({"choice": "pump"}))).await?;
    visitor.call(Method::POST, &at(":submit"), Some(json!({}))).await?;
    seen.wait("offers.made", 0).await?;

    say("\nNora, of the team that serves this customer, looks at it and accepts.");
    let nora = Player { name: "nora", client: anyone.as_person(&demo.email("nora")).await? };
    nora.call(Method::GET, &at("/view"), None).await?;
    let offers = format!("/v1/offers?ticketId={ticket}");
    let offered = |page: &Value| own_offer(page, demo.employee("nora")).is_some();
    let page = nora.client.get_until(&offers, offered).await?;
    let offer = own_offer(&page, demo.employee("nora")).unwrap_or_default();
    nora.call(Method::POST, &format!("/v1/offers/{offer}:accept"), Some(json!({}))).await?;
    seen.wait("ticket.assigned", 0).await?;

    read_drawer(&nora, &ticket).await?;

    say("\nThey write to each other.");
    let conversation = format!("/v1/conversations/{ticket}");
    let question = json!({"text": "Is there **water** under the machine?", "clientId": "nora-1"});
    // The messenger hears of her acceptance a moment after tickets do.
    let known = |found: &Value| found["mayWrite"] == true;
    nora.client.get_until(&conversation, known).await?;
    nora.call(Method::POST, &format!("{conversation}:send"), Some(question)).await?;
    seen.wait("message.sent", 0).await?;
    visitor.call(Method::GET, &format!("{conversation}/messages"), None).await?;
    let before = seen.position();
    let answer = json!({"text": "A little. See https://acme.example/leaks", "clientId": "visitor-1"});
    visitor.call(Method::POST, &format!("{conversation}:send"), Some(answer)).await?;
    seen.wait("message.sent", before).await?;
    nora.call(Method::POST, &format!("{conversation}:markRead"), Some(json!({"sequence": 2}))).await?;

    show_it(&visitor, &nora, demo, &ticket, seen).await?;

    say("\nShe works on it.");
    nora.call(Method::POST, &at(":setStatus"), Some(json!({"status": "IN_PROGRESS"}))).await?;
    let file = nora.upload(&at("/attachments?name=seal.txt"), "Seal 40 × 52, 9 bar\n").await?;
    let update = json!({
        "text": "Pump seal replaced, **pressure 9 bar**.", "visibility": "PUBLIC", "attachmentIds": [file["id"]],
    });
    nora.call(Method::POST, &at("/updates"), Some(update)).await?;
    let note = json!({"text": "Order two more seals.", "visibility": "INTERNAL"});
    nora.call(Method::POST, &at("/updates"), Some(note)).await?;
    say("\nWhat is left to do is a task, linked with the ticket.");
    let left = json!({
        "deviceId": demo.coffee_machine, "title": "Bring two seals", "steps": ["Order", "Deliver"],
        "ticketId": ticket, "assigneeIds": [demo.employee("nora")],
    });
    // Tasks hear of the ticket a moment after it opened; the repair takes longer than that.
    let task = nora.call(Method::POST, "/v1/tasks", Some(left)).await?;
    let of_task = format!("/v1/tasks/{}", task["id"].as_str().unwrap_or_default());
    for step in task["steps"].as_array().into_iter().flatten() {
        let step = step["id"].as_str().unwrap_or_default();
        nora.call(Method::POST, &format!("{of_task}/steps/{step}:tick"), None).await?;
    }
    nora.call(Method::POST, &format!("{of_task}:close"), None).await?;
    seen.wait("task.status_changed", 0).await?;

    let before = seen.position();
    nora.call(Method::POST, &at(":setStatus"), Some(json!({"status": "DONE"}))).await?;
    seen.wait("rating.requested", before).await?;

    say("\nThe visitor is asked, rates, and the ticket closes by itself.");
    visitor
        .call(Method::POST, &at("/rating:submit"), Some(json!({"score": 5, "comment": "Quick and friendly"})))
        .await?;
    seen.wait("ticket.closed", before).await?;
    let closed = nora.client.send(Method::GET, &at(""), None, None).await?;
    say(&format!(
        "\nTicket {} is {} with a rating of {}.",
        closed["number"], closed["status"], closed["rating"]
    ));
    decide_domain(anyone, demo, seen).await
}

/// The drawer of somebody who was offered a ticket: unread, then read.
async fn read_drawer(who: &Player<'_>, ticket: &str) -> Result<(), BoxError> {
    say("\nThat she was asked is in her drawer. She marks it read.");
    let drawer = format!("/v1/notifications?subjectId={ticket}&eventType=OFFER");
    let is_told = |page: &Value| page["entries"].as_array().is_some_and(|entries| !entries.is_empty());
    who.client.get_until(&drawer, is_told).await?;
    let mut marked = Vec::new();
    for _ in 0..2 {
        let page = who.call(Method::GET, &drawer, None).await?;
        for told in page["entries"].as_array().into_iter().flatten() {
            say(&entry(&format!("  🔔 {}'s drawer:", who.name), told));
            marked.push(told["id"].clone());
        }
        let ids = std::mem::take(&mut marked);
        if page["entries"].as_array().into_iter().flatten().any(|told| told["unread"] == true) {
            who.call(Method::POST, "/v1/notifications:mark", Some(json!({"entryIds": ids}))).await?;
        }
    }
    Ok(())
}

/// The support desk: a partner's system tells of a domain, an agent decides.
async fn decide_domain(anyone: &Client, demo: &Demo, seen: &Seen) -> Result<(), BoxError> {
    say("\nA partner's system submits a domain. Max, of the support desk, is told, and approves it.");
    let system = Player { name: "partner", client: anyone.as_person(&demo.email("ada")).await? };
    let max = Player { name: "max", client: anyone.as_person(&demo.email("max")).await? };
    // A domain that is approved is approved by itself the next time: each play has one of its own.
    let number = RandomIds.next().simple().to_string();
    let submitted = json!({"domainSubmitted": {
        "concern": {
            "person": {"name": "Pia Partner"}, "account": {"id": "a-1", "name": "Café Partner", "plan": "gold"},
        },
        // Below a public suffix, as the desk demands; nobody asks who has it.
        "domain": format!("cafe-{}.com", &number[20..]),
    }});
    let before = seen.position();
    let ticket = system.call(Method::POST, "/v1/partnerEvents", Some(submitted)).await?;
    seen.wait("notification", before).await?;
    let at = format!("/v1/supportTickets/{}", ticket["id"].as_str().unwrap_or_default());
    max.call(Method::POST, &format!("{at}:decide"), Some(json!({"decision": "APPROVED"}))).await?;
    Ok(())
}

/// A video session: what two browsers would do, but for the pictures.
async fn show_it(
    visitor: &Player<'_>,
    nora: &Player<'_>,
    demo: &Demo,
    ticket: &str,
    seen: &Seen,
) -> Result<(), BoxError> {
    say("\nThe visitor would rather show it. Nora confirms, and both join the call.");
    let wish = json!({
        "deviceId": demo.coffee_machine, "requesterName": "Vera", "reason": "Something leaks", "consents": true,
        "ticketId": ticket,
    });
    let session = visitor.call(Method::POST, "/v1/videoSessions:request", Some(wish)).await?;
    let at = |rest: &str| format!("/v1/videoSessions/{}{rest}", session["id"].as_str().unwrap_or_default());
    nora.call(Method::POST, &at(":confirm"), None).await?;
    seen.wait("video.session_confirmed", 0).await?;
    visitor.call(Method::POST, &at(":join"), None).await?;
    seen.wait("video.call_started", 0).await?;
    nora.call(Method::POST, &at(":join"), None).await?;
    seen.wait("video.call_joined", 0).await?;
    say("\nShe has seen enough and hangs up. The visitor is asked how it was; the session closes by itself.");
    let before = seen.position();
    nora.call(Method::POST, &at(":end"), None).await?;
    seen.wait("rating.requested", before).await?;
    visitor.call(Method::POST, &at("/rating:submit"), Some(json!({"score": 5}))).await?;
    seen.wait("video.session_closed", before).await
}

fn own_offer(page: &Value, employee: &str) -> Option<String> {
    let offers = page["offers"].as_array()?;
    let own = offers.iter().find(|offer| offer["employeeId"] == employee)?;
    own["id"].as_str().map(str::to_owned)
}
