//! Every RPC and every route as every role: the permission table of the domain, one row for each.
//!
//! The rows are in `rpcs.txt` and `routes.txt`. The RPCs are called straight at the services, since the gateway is not
//! a wall; the routes through the gateway.

mod fixture;

use std::collections::{BTreeMap, BTreeSet};

use callboard_e2e_tests::{Platform, Service, grpc};
use callboard_kernel::{IdGenerator, RandomIds};
use futures::stream::{self, StreamExt};
use prost_reflect::MethodDescriptor;
use reqwest::Method;
use serde_json::Value;
use tokio::sync::{Mutex, OnceCell};
use tonic::Code;
use tonic::transport::Channel;

use fixture::{Fixture, ROLES, Thing};

const RPCS: &str = include_str!("rpcs.txt");
const ROUTES: &str = include_str!("routes.txt");
/// Rows under way at once.
const AT_ONCE: usize = 6;

/// A row: what is called, about what, who is answered what.
#[derive(Debug, Clone)]
struct Row {
    name: String,
    thing: String,
    /// Each allowed role gets a thing of its own.
    fresh: bool,
    answers: String,
    request: String,
    parameters: String,
    /// A list: asked for in pages as large as they come, so that the thing is on the first.
    paged: bool,
}

fn lines(text: &str) -> impl Iterator<Item = Vec<&str>> {
    text.lines()
        .filter(|line| !line.trim().is_empty() && !line.starts_with('#'))
        .map(|line| line.split('|').map(str::trim).collect())
}

fn rpc_rows() -> Vec<Row> {
    let row = |cells: Vec<&str>| {
        let [name, thing, answers, request] = cells[..] else { panic!("four cells: {cells:?}") };
        assert_eq!(answers.len(), ROLES.len(), "an answer for each role: {name} {answers}");
        Row {
            name: name.to_owned(),
            thing: thing.trim_end_matches('+').to_owned(),
            fresh: thing.ends_with('+'),
            answers: answers.to_owned(),
            request: request.to_owned(),
            parameters: String::new(),
            paged: request.contains("pageSize"),
        }
    };
    lines(RPCS).map(row).collect()
}

/// Rows of routes. They take thing and answers from the row of their RPC, unless they say themselves.
fn route_rows() -> Vec<Row> {
    let rpcs = rpc_rows();
    let row = |cells: Vec<&str>| {
        let (name, behind) = (cells[0].to_owned(), cells[1]);
        let request = cells.get(2).copied().unwrap_or_default().to_owned();
        let parameters = cells.get(3).copied().filter(|cell| !cell.is_empty()).unwrap_or("id=$id").to_owned();
        let (rpc, nth) =
            behind.split_once('#').map_or((behind, 1), |(rpc, nth)| (rpc, nth.parse().expect("#n")));
        match rpcs.iter().filter(|row| row.name == rpc).nth(nth - 1) {
            Some(row) => Row { name, request, parameters, ..row.clone() },
            None => {
                assert_eq!(behind.len(), ROLES.len(), "no row of this RPC, and no answers: {behind}");
                let answers = behind.to_owned();
                Row { name, thing: "-".to_owned(), fresh: false, answers, request, parameters, paged: false }
            }
        }
    };
    lines(ROUTES).map(row).collect()
}

/// What one call was answered: a letter of the table, or what is not in it; and the answer's text.
struct Heard {
    letter: String,
    body: Vec<u8>,
}

fn fits(expected: char, heard: &Heard, id: &str) -> bool {
    let shows = || heard.body.windows(id.len()).any(|window| window == id.as_bytes());
    match expected {
        's' => heard.letter == "." && shows(),
        'e' => heard.letter == "." && !shows(),
        'n' => heard.letter == "d" || heard.letter == "h",
        other => heard.letter == other.to_string(),
    }
}

/// Things that several rows share.
struct Things<'a> {
    fixture: &'a Fixture,
    shared: Mutex<BTreeMap<String, std::sync::Arc<OnceCell<Thing>>>>,
}

impl<'a> Things<'a> {
    fn new(fixture: &'a Fixture) -> Self {
        Self { fixture, shared: Mutex::default() }
    }

    /// The thing of a cell. Whoever is refused shares one with all who are: it must stay as it is.
    async fn of(&self, row: &Row, answer: char) -> Thing {
        let allowed = matches!(answer, '.' | 's' | 'e');
        if row.fresh && allowed {
            return self.fixture.thing(&row.thing).await;
        }
        let key = if row.fresh { format!("refused {}", row.thing) } else { row.thing.clone() };
        let cell = std::sync::Arc::clone(self.shared.lock().await.entry(key).or_default());
        cell.get_or_init(|| self.fixture.thing(&row.thing)).await.clone()
    }

    /// The refused have changed nothing: what they were refused is as new.
    async fn assert_untouched(&self) {
        for (key, cell) in self.shared.lock().await.iter() {
            if key == "refused task" || key == "refused external_task" {
                let task = &cell.get().expect("a made thing").id;
                let task = self.fixture.by('A').get(&format!("/v1/tasks/{task}")).await.ok();
                assert_eq!(
                    (&task["status"], &task["title"]),
                    (&"OPEN".into(), &"Look".into()),
                    "{key}: {task}"
                );
                assert_eq!(task["steps"][0]["tickTime"], Value::Null, "{key}: {task}");
                assert_eq!(task["assigneeIds"].as_array().map(Vec::len), Some(1), "{key}: {task}");
            }
            let status = match key.as_str() {
                "refused open" | "refused offer" => "OPEN",
                "refused assigned" => "ASSIGNED",
                "refused closed" => "CLOSED",
                "refused done" => "DONE",
                _ => continue,
            };
            let thing = cell.get().expect("a made thing");
            let ticket = self.fixture.by('A').get(&format!("/v1/tickets/{}", thing.ticket)).await.ok();
            assert_eq!(ticket["status"], status, "{key}: {ticket}");
            assert_eq!(ticket["priority"], "NORMAL", "{key}: {ticket}");
            assert_eq!(ticket["visibility"], "PUBLIC", "{key}: {ticket}");
            let updates =
                self.fixture.by('A').get(&format!("/v1/tickets/{}/updates", thing.ticket)).await.ok();
            assert_eq!(updates["updates"], serde_json::json!([]), "{key}");
        }
    }
}

/// Plays all rows; every cell that is answered otherwise.
async fn play<F: Future<Output = Heard>>(
    things: &Things<'_>,
    rows: &[Row],
    call: impl Fn(Row, Thing, char) -> F,
) -> Vec<String> {
    let call = &call;
    let wrong: Vec<Vec<String>> = stream::iter(rows)
        .map(|row| async move {
            let mut wrong = Vec::new();
            for (role, expected) in ROLES.chars().zip(row.answers.chars()) {
                let thing = things.of(row, expected).await;
                let heard = call(row.clone(), thing.clone(), role).await;
                if !fits(expected, &heard, &thing.id) {
                    let body = String::from_utf8_lossy(&heard.body).into_owned();
                    let body: String = body.chars().filter(|c| !c.is_control()).take(160).collect();
                    wrong.push(format!(
                        "{} ({}) as {role}: expected {expected}, got {} {body}",
                        row.name, row.thing, heard.letter
                    ));
                }
            }
            wrong
        })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    wrong.into_iter().flatten().collect()
}

fn letter(code: Code) -> String {
    match code {
        Code::Ok => ".".to_owned(),
        Code::PermissionDenied => "d".to_owned(),
        Code::NotFound => "h".to_owned(),
        Code::Unauthenticated => "u".to_owned(),
        Code::FailedPrecondition => "f".to_owned(),
        Code::InvalidArgument => "i".to_owned(),
        other => format!("{other:?}"),
    }
}

async fn call_rpc(
    fixture: &Fixture,
    door: &Channel,
    method: &MethodDescriptor,
    row: &Row,
    thing: &Thing,
    role: char,
) -> Heard {
    let mut request: Value =
        serde_json::from_str(&fixture.fill(&row.request, thing)).expect("JSON in the table");
    if method.input().get_field_by_name("request_id").is_some() {
        request["requestId"] = RandomIds.next().to_string().into();
    }
    let caller = fixture.by(role);
    let token = (role != '-').then(|| caller.token());
    match grpc::call(door, method, &request, token).await {
        Ok(body) => Heard { letter: letter(Code::Ok), body },
        Err(status) => Heard { letter: letter(status.code()), body: status.message().into() },
    }
}

async fn call_route(fixture: &Fixture, row: &Row, thing: &Thing, role: char) -> Heard {
    let (method, path) = row.name.split_once(' ').expect("METHOD path");
    let mut path = path.to_owned();
    for pair in row.parameters.split_whitespace() {
        let (name, value) = pair.split_once('=').expect("name=value");
        path = path.replace(&format!("{{{name}}}"), &fixture.fill(value, thing));
    }
    if row.paged {
        path.push_str("?pageSize=200");
    }
    if path.ends_with("/live") {
        let mut response = fixture.by(role).stream(&path, &[]).await;
        let letter = status_letter(response.status().as_u16());
        // A conversation's stream begins with it; that of all events with whatever happens.
        let mut body = Vec::new();
        while path != "/v1/live" && letter == "." && !String::from_utf8_lossy(&body).contains("event: ") {
            let chunk = response.chunk().await.expect("a stream");
            body.extend_from_slice(&chunk.expect("no end"));
        }
        return Heard { letter, body };
    }
    let body = (!row.request.is_empty())
        .then(|| serde_json::from_str(&fixture.fill(&row.request, thing)).expect("JSON in the table"));
    let method: Method = method.parse().expect("a method");
    let answer = fixture.by(role).call(method, &path, body).await;
    Heard { letter: status_letter(answer.status.as_u16()), body: answer.body.to_string().into_bytes() }
}

fn status_letter(status: u16) -> String {
    match status {
        200..=299 => ".".to_owned(),
        401 => "u".to_owned(),
        403 => "d".to_owned(),
        404 => "h".to_owned(),
        400 => "i".to_owned(),
        409 => "f".to_owned(),
        426 => "w".to_owned(),
        other => other.to_string(),
    }
}

#[test]
fn every_rpc_has_a_row() {
    let rows: BTreeSet<String> = rpc_rows().into_iter().map(|row| row.name).collect();
    let pool = grpc::descriptors();
    let known: BTreeSet<String> = grpc::served(&pool)
        .flat_map(|service| service.methods().collect::<Vec<_>>())
        .map(|method| {
            let service = method.parent_service().full_name().trim_start_matches("callboard.").to_owned();
            format!("{service}/{}", method.name())
        })
        .collect();
    assert_eq!(rows, known, "rows of rpcs.txt against the RPCs there are");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_has_a_row() {
    let platform = Platform::shared().await;
    let openapi = platform.client().get("/openapi.json").await.ok();
    let rows: BTreeSet<String> = route_rows().into_iter().map(|row| row.name).collect();
    let mut known = BTreeSet::new();
    for (path, operations) in openapi["paths"].as_object().expect("paths") {
        for method in operations.as_object().expect("operations").keys() {
            if ["get", "post", "put", "patch", "delete"].contains(&method.as_str()) {
                known.insert(format!("{} {path}", method.to_uppercase()));
            }
        }
    }
    assert_eq!(rows, known, "rows of routes.txt against the routes there are");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_rpc_and_route_answers_every_role_as_the_permission_table_says() {
    let platform = Platform::shared().await;
    let fixture = Fixture::make(platform).await;
    let things = Things::new(&fixture);
    let pool = grpc::descriptors();
    let doors: BTreeMap<&str, Channel> = Service::ALL
        .iter()
        .map(|service| (service.name(), grpc::channel(&platform.grpc_url(*service))))
        .collect();
    let mut wrong = play(&things, &rpc_rows(), |row, thing, role| {
        let method = grpc::method(&pool, &row.name);
        let door = doors[row.name.split('.').next().expect("a context")].clone();
        let fixture = &fixture;
        async move { call_rpc(fixture, &door, &method, &row, &thing, role).await }
    })
    .await;
    let routes = play(&things, &route_rows(), |row, thing, role| {
        let fixture = &fixture;
        async move { call_route(fixture, &row, &thing, role).await }
    })
    .await;
    wrong.extend(routes);
    assert!(wrong.is_empty(), "{} answers are not as the table says:\n{}", wrong.len(), wrong.join("\n"));
    things.assert_untouched().await;
}
