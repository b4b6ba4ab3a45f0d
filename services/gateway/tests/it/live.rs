//! The live stream, over a bus in memory.

use std::time::Duration;

use bytes::Bytes;
use callboard_bus::{Event, StreamLog};
use callboard_kernel::{
    Actor, Clock, EventId, IdGenerator, OrganisationId, Principal, RandomIds, Refusal, SystemClock, Version,
};
use callboard_proto::Event as _;
use callboard_proto::{fleet::v1 as fleet, tasks::v1 as tasks, tickets::v1 as tickets};
use callboard_service::error::status;
use callboard_testkit::PATIENCE;
use chrono::TimeDelta;
use reqwest::{Method, Response};
use serde_json::Value;
use tokio::time::timeout;
use uuid::Uuid;

use crate::world::{DEVICE, EMPLOYEE, ORGANISATION, SESSION, TICKET, World, member, read, visitor};

pub const OTHER: Uuid = Uuid::from_u128(99);

/// One block of a stream.
#[derive(Debug, Clone, Default)]
pub struct Block {
    pub id: String,
    pub event: String,
    pub data: Value,
    pub text: String,
}

/// A reader.
pub struct Reader {
    response: Response,
    buffer: String,
}

impl Reader {
    pub async fn open(world: &World, principal: &Principal, last: Option<&str>) -> Self {
        Self::open_with(world, &world.token(principal), last).await
    }

    pub async fn open_with(world: &World, token: &str, last: Option<&str>) -> Self {
        let mut request = world.anonymous(Method::GET, "/v1/live").bearer_auth(token);
        if let Some(last) = last {
            request = request.header("Last-Event-ID", last);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.headers()["content-type"], "text/event-stream; charset=utf-8");
        Self { response, buffer: String::new() }
    }

    /// The next block; `None`: the stream ended.
    async fn block(&mut self) -> Option<Block> {
        loop {
            if let Some(end) = self.buffer.find("\n\n") {
                let text: String = self.buffer.drain(..end + 2).collect();
                let mut block = Block { text: text.clone(), ..Block::default() };
                for line in text.lines() {
                    match line.split_once(": ") {
                        Some(("id", id)) => block.id = id.to_owned(),
                        Some(("event", event)) => block.event = event.to_owned(),
                        Some(("data", data)) => block.data = serde_json::from_str(data).unwrap(),
                        _ => {}
                    }
                }
                return Some(block);
            }
            let chunk = timeout(PATIENCE, self.response.chunk()).await.expect("something comes").ok()??;
            self.buffer.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    /// The next block that is no heartbeat.
    pub async fn next(&mut self) -> Option<Block> {
        loop {
            let block = self.block().await?;
            if !block.text.starts_with(':') {
                return Some(block);
            }
        }
    }

    pub async fn ready(&mut self) -> String {
        let block = self.next().await.unwrap();
        assert_eq!(block.event, "ready", "{block:?}");
        block.id
    }

    pub async fn titles(&mut self, count: usize) -> Vec<String> {
        let mut found = Vec::new();
        while found.len() < count {
            let block = self.next().await.unwrap();
            assert_eq!(block.event, "", "{block:?}");
            found.push(format!(
                "{} {}",
                block.data["name"].as_str().unwrap(),
                block.data["data"]["ticket"]["number"]
            ));
        }
        found
    }
}

pub fn facts(number: i64, visibility: tickets::Visibility) -> tickets::TicketFacts {
    tickets::TicketFacts {
        ticket_id: TICKET.to_string(),
        organisation_id: ORGANISATION.to_string(),
        number,
        device_id: DEVICE.to_string(),
        status: tickets::TicketStatus::InProgress.into(),
        visibility: visibility.into(),
        involved_employee_ids: vec![EMPLOYEE.to_string()],
        ..Default::default()
    }
}

pub fn event_of<M: callboard_proto::Event>(organisation: Uuid, aggregate: Uuid, message: &M) -> Event {
    Event {
        id: EventId(RandomIds.next()),
        context: M::CONTEXT.into(),
        name: M::SUBJECT.into(),
        kind: M::TYPE.into(),
        organisation: OrganisationId(organisation),
        aggregate_id: aggregate,
        aggregate_version: Version(1),
        time: SystemClock.now(),
        causation: Some(EventId(OTHER)),
        correlation: Some(OTHER),
        traceparent: None,
        actor: Actor::Employee(EMPLOYEE.into()),
        payload: Bytes::from(message.encode_to_vec()),
    }
}

pub async fn publish<M: callboard_proto::Event>(world: &World, message: &M) {
    append(world, event_of(ORGANISATION, TICKET, message)).await;
}

pub async fn append(world: &World, event: Event) {
    let log = world.bus.log(&event.context);
    let last = log.tail().await.unwrap().last_sequence;
    let (stored, error) = log.publish(&[event], last).await;
    assert!(error.is_none() && stored.len() == 1, "{error:?}");
}

fn started(number: i64) -> tickets::TicketStarted {
    tickets::TicketStarted { ticket: Some(facts(number, tickets::Visibility::Public)), ..Default::default() }
}

#[tokio::test]
async fn events_come_with_type_facts_and_cause() {
    let world = World::new().await;
    let mut reader = Reader::open(&world, &member(&[]), None).await;
    reader.ready().await;
    publish(&world, &started(7)).await;
    let block = reader.next().await.unwrap();
    assert!(block.id.starts_with("di0-ti1-fl0-ra0"), "{}", block.id);
    assert_eq!(block.data["type"], tickets::TicketStarted::TYPE);
    assert_eq!(block.data["name"], "ticket.started");
    assert_eq!(block.data["ticketId"], TICKET.to_string());
    assert_eq!(block.data["causedBy"], OTHER.to_string());
    assert_eq!(block.data["actor"]["kind"], "EMPLOYEE");
    assert_eq!(block.data["data"]["ticket"]["status"], "IN_PROGRESS");
    assert_eq!(block.data["data"]["ticket"]["number"], 7);
    assert_eq!(block.data["data"]["ticket"]["involvedEmployeeIds"][0], EMPLOYEE.to_string());
}

#[tokio::test]
async fn a_reader_resumes_without_gap_and_without_double() {
    let world = World::new().await;
    let me = member(&[]);
    let mut reader = Reader::open(&world, &me, None).await;
    let mut last = reader.ready().await;
    // At the very beginning, in the middle, and again: each time some happens while nobody reads.
    let mut seen = Vec::new();
    for round in 0..5 {
        drop(reader);
        for number in 1..4 {
            publish(&world, &started(round * 10 + number)).await;
        }
        reader = Reader::open(&world, &me, Some(&last)).await;
        publish(&world, &started(round * 10 + 4)).await;
        assert_eq!(reader.ready().await, last, "nothing is passed over by coming back");
        for _ in 0..2 {
            let block = reader.next().await.unwrap();
            seen.push(block.data["data"]["ticket"]["number"].as_i64().unwrap());
            last = block.id;
        }
    }
    drop(reader);
    let mut reader = Reader::open(&world, &me, Some(&last)).await;
    reader.ready().await;
    while seen.len() < 20 {
        let block = reader.next().await.unwrap();
        seen.push(block.data["data"]["ticket"]["number"].as_i64().unwrap());
    }
    let all: Vec<i64> = (0..5).flat_map(|round| (1..5).map(move |number| round * 10 + number)).collect();
    assert_eq!(seen, all);
    let (status, problem) =
        read(world.request(&me, Method::GET, "/v1/live").header("Last-Event-ID", "7").send().await.unwrap())
            .await;
    assert_eq!((status, problem["violations"][0]["field"].as_str()), (400, Some("Last-Event-ID")));
}

#[tokio::test]
async fn outsiders_see_their_device_s_public_things_and_nothing_of_fleet() {
    let world = World::new().await;
    let mut here = Reader::open(&world, &visitor(DEVICE), None).await;
    let mut elsewhere = Reader::open(&world, &visitor(OTHER), None).await;
    let mut colleague = Reader::open(&world, &member(&[]), None).await;
    for reader in [&mut here, &mut elsewhere, &mut colleague] {
        reader.ready().await;
    }
    publish(&world, &started(1)).await;
    let offer = fleet::OfferFacts { ticket_id: TICKET.to_string(), ..Default::default() };
    publish(&world, &fleet::OfferAccepted { offer: Some(offer), ..Default::default() }).await;
    let note = |visibility: tickets::Visibility| tickets::TicketUpdatePosted {
        ticket: Some(facts(2, tickets::Visibility::Public)),
        update_visibility: visibility.into(),
        ..Default::default()
    };
    publish(&world, &note(tickets::Visibility::Internal)).await;
    publish(&world, &note(tickets::Visibility::Public)).await;
    // Another organisation's event, in the same stream.
    append(&world, event_of(OTHER, TICKET, &started(3))).await;
    // The end of the test, for everybody who sees the other device.
    let there = tickets::TicketFacts {
        ticket_id: OTHER.to_string(),
        device_id: OTHER.to_string(),
        ..facts(9, tickets::Visibility::Public)
    };
    publish(&world, &tickets::TicketDone { ticket: Some(there), ..Default::default() }).await;
    publish(&world, &started(8)).await;

    let block = here.next().await.unwrap();
    assert_eq!(block.data["data"]["ticket"]["number"], 1);
    assert!(block.data["data"]["ticket"].get("involvedEmployeeIds").is_none(), "only for employees");
    assert_eq!(here.titles(2).await, ["ticket.update_posted 2", "ticket.started 8"]);
    assert_eq!(elsewhere.titles(1).await, ["ticket.done 9"]);
    let mut names: Vec<String> = colleague.titles(6).await;
    names.sort();
    assert_eq!(
        names,
        [
            "offer.accepted null",
            "ticket.done 9",
            "ticket.started 1",
            "ticket.started 8",
            "ticket.update_posted 2",
            "ticket.update_posted 2"
        ]
    );
}

#[tokio::test]
async fn t_13_hiding_hides_at_once_also_what_was_not_sent_yet() {
    let world = World::new().await;
    let mut reader = Reader::open(&world, &visitor(DEVICE), None).await;
    let last = reader.ready().await;
    drop(reader);
    // While nobody reads: something public happens, then the ticket is hidden.
    publish(&world, &started(1)).await;
    let hidden = tickets::TicketVisibilityChanged {
        ticket: Some(facts(1, tickets::Visibility::Internal)),
        previous_visibility: tickets::Visibility::Public.into(),
        ..Default::default()
    };
    publish(&world, &hidden).await;
    let internal =
        tickets::TicketDone { ticket: Some(facts(1, tickets::Visibility::Internal)), ..Default::default() };
    publish(&world, &internal).await;
    let mut watching = Reader::open(&world, &member(&[]), Some(&last)).await;
    watching.ready().await;
    assert_eq!(watching.titles(3).await.len(), 3, "employees see all of it");
    let mut reader = Reader::open(&world, &visitor(DEVICE), Some(&last)).await;
    reader.ready().await;
    let block = reader.next().await.unwrap();
    assert_eq!(block.data["name"], "ticket.hidden", "{block:?}");
    assert_eq!(block.data["data"], serde_json::json!({}));
    // Public again: what comes now is shown; nothing came in between.
    publish(&world, &started(5)).await;
    assert_eq!(reader.titles(1).await, ["ticket.started 5"]);
}

#[tokio::test]
async fn tasks_are_told_to_who_sees_them_now_and_vanish_for_those_outside() {
    const GET: &str = "callboard.tasks.v1.TaskService/GetTask";
    let world = World::new().await;
    world.tasks.on(GET, |_: tasks::GetTaskRequest| Ok(tasks::GetTaskResponse::default()));
    let facts = |visibility: tasks::Visibility| {
        Some(tasks::TaskFacts {
            task_id: OTHER.to_string(),
            organisation_id: ORGANISATION.to_string(),
            device_id: DEVICE.to_string(),
            visibility: visibility.into(),
            assignee_ids: vec![EMPLOYEE.to_string()],
            ticket_id: TICKET.to_string(),
            ..Default::default()
        })
    };
    let mut colleague = Reader::open(&world, &member(&[]), None).await;
    let mut here = Reader::open(&world, &visitor(DEVICE), None).await;
    let mut elsewhere = Reader::open(&world, &visitor(OTHER), None).await;
    for reader in [&mut colleague, &mut here, &mut elsewhere] {
        reader.ready().await;
    }
    publish(&world, &tasks::TaskCreated { task: facts(tasks::Visibility::External) }).await;
    let full = colleague.next().await.unwrap().data;
    assert_eq!(
        (&full["ticketId"], &full["data"]["task"]["assigneeIds"][0]),
        (&TICKET.to_string().into(), &EMPLOYEE.to_string().into())
    );
    let outside = here.next().await.unwrap().data;
    assert_eq!(
        (&outside["name"], &outside["data"]["task"]["taskId"]),
        (&"task.created".into(), &OTHER.to_string().into())
    );
    for hidden in ["assigneeIds", "ticketId"] {
        assert!(
            outside["data"]["task"].get(hidden).is_none(),
            "{hidden} is not for those outside: {outside}"
        );
    }
    // From now on its service says that it is internal.
    world.tasks.on(GET, |_: tasks::GetTaskRequest| {
        Err::<tasks::GetTaskResponse, _>(status("tasks", &Refusal::not_found("task")))
    });
    // Told late, when it was external no more: nothing. What is left to say: it is gone.
    publish(
        &world,
        &tasks::TaskStepTicked { task: facts(tasks::Visibility::External), ..Default::default() },
    )
    .await;
    let hidden = tasks::TaskVisibilityChanged {
        task: facts(tasks::Visibility::Internal),
        previous_visibility: tasks::Visibility::External.into(),
        ..Default::default()
    };
    publish(&world, &hidden).await;
    let gone = here.next().await.unwrap().data;
    assert_eq!(
        (&gone["name"], &gone["data"]),
        (&"task.hidden".into(), &serde_json::json!({"task": {"taskId": OTHER.to_string()}}))
    );
    for expected in ["task.step_ticked", "task.visibility_changed"] {
        assert_eq!(colleague.next().await.unwrap().data["name"], expected);
    }
    // Definitions are for employees. The visitor of another device has heard of nothing so far.
    let there = tickets::TicketFacts {
        ticket_id: OTHER.to_string(),
        device_id: OTHER.to_string(),
        ..self::facts(9, tickets::Visibility::Public)
    };
    publish(&world, &tasks::DefinitionChanged::default()).await;
    // Events of different contexts come in no agreed order.
    assert_eq!(colleague.next().await.unwrap().data["name"], "definition.changed");
    publish(&world, &tickets::TicketDone { ticket: Some(there), ..Default::default() }).await;
    assert_eq!(elsewhere.titles(1).await, ["ticket.done 9"]);
}

#[tokio::test]
async fn ending_the_session_or_the_token_ends_the_stream() {
    let world = World::new().await;
    let mut revoked = Reader::open(&world, &visitor(DEVICE), None).await;
    revoked.ready().await;
    let short = world.token_for(&member(&[]), TimeDelta::seconds(2));
    let mut expiring = Reader::open_with(&world, &short, None).await;
    expiring.ready().await;
    world.revocations.revoke(SESSION, 2, SystemClock.now());
    let end = revoked.next().await.unwrap();
    assert_eq!((end.event.as_str(), &end.data["reason"]), ("end", &"TOKEN_REVOKED".into()));
    assert!(revoked.next().await.is_none());
    let end = expiring.next().await.unwrap();
    assert_eq!((end.event.as_str(), &end.data["reason"]), ("end", &"TOKEN_EXPIRED".into()));
    let mut stopped = Reader::open(&world, &member(&[]), None).await;
    stopped.ready().await;
    world.stopping.cancel();
    assert_eq!(stopped.next().await.unwrap().data["reason"], "STOPPING");
    assert!(stopped.next().await.is_none());
}

#[tokio::test]
async fn a_reader_that_is_too_slow_is_cut_off_and_resumes() {
    let world = World::with(|settings| settings.live.buffer = 8).await;
    let me = member(&[]);
    let mut reader = Reader::open(&world, &me, None).await;
    let mut last = reader.ready().await;
    // Large facts, so that the connection's own buffers are full long before all is written.
    const EVENTS: i64 = 60;
    let many = vec![EMPLOYEE.to_string(); 1_400];
    for number in 1..=EVENTS {
        let facts = tickets::TicketFacts {
            involved_employee_ids: many.clone(),
            ..facts(number, tickets::Visibility::Public)
        };
        publish(&world, &tickets::TicketStarted { ticket: Some(facts), ..Default::default() }).await;
    }
    let mut seen = Vec::new();
    let mut cuts = 0;
    loop {
        match reader.next().await {
            Some(block) if block.event == "end" => assert_eq!(block.data["reason"], "TOO_SLOW"),
            Some(block) if block.event == "ready" => {}
            Some(block) => {
                seen.push(block.data["data"]["ticket"]["number"].as_i64().unwrap());
                last = block.id;
            }
            None => {
                cuts += 1;
                reader = Reader::open(&world, &me, Some(&last)).await;
            }
        }
        if seen.len() as i64 >= EVENTS {
            break;
        }
    }
    assert_eq!(seen, (1..=EVENTS).collect::<Vec<_>>());
    assert!(cuts > 0, "nobody was cut off: the test shows nothing");
}

#[tokio::test]
async fn a_heartbeat_carries_the_position_and_streams_are_counted() {
    let world = World::with(|settings| settings.live.heartbeat = Duration::from_millis(50)).await;
    let mut outsider = Reader::open(&world, &visitor(OTHER), None).await;
    outsider.ready().await;
    publish(&world, &started(1)).await;
    loop {
        // Nothing for this reader; yet it need not read it again.
        let block = outsider.block().await.unwrap();
        assert!(block.text.starts_with(':') && block.data.is_null(), "{block:?}");
        if block.id.starts_with("di0-ti1-fl0-ra0") {
            break;
        }
    }
    let me = member(&[]);
    let mut open = Vec::new();
    for _ in 0..3 {
        let mut reader = Reader::open(&world, &me, None).await;
        reader.ready().await;
        open.push(reader);
    }
    let (status, problem) = read(world.request(&me, Method::GET, "/v1/live").send().await.unwrap()).await;
    assert_eq!((status, problem["reason"].as_str()), (429, Some("TOO_MANY_STREAMS")));
}
