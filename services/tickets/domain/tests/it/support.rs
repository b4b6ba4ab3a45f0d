//! A world to decide in: people, a device, a flow, and a ticket that remembers what happened to it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use callboard_kernel::{
    Aggregate, Cause, CodeUser, CommandId, CustomerUser, DecisionContext, DeviceId, Employee, EmployeeId,
    IdGenerator, Language, OrganisationId, Principal, Role, Subject, Timestamp,
};
use callboard_tickets_domain::{
    Answer, AnswerValue, Choice, Command, Event, Fact, Flow, LocalizedText, NewTicket, Place, Rejection,
    State, Status, Step, StepKind, Ticket, TicketAggregate, Visibility,
};
use uuid::Uuid;

pub(crate) const fn id(n: u128) -> Uuid {
    Uuid::from_u128(n)
}

#[derive(Debug, Default)]
pub(crate) struct CountedIds(AtomicU64);

impl IdGenerator for CountedIds {
    fn next(&self) -> Uuid {
        id(1_000_000 + u128::from(self.0.fetch_add(1, Ordering::Relaxed)))
    }
}

pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_timestamp(1_700_000_000 + seconds, 0).expect("a time")
}

pub(crate) fn organisation() -> OrganisationId {
    id(1).into()
}

pub(crate) fn device() -> DeviceId {
    id(2).into()
}

fn principal(subject: Subject) -> Principal {
    Principal { organisation: organisation(), subject, language: Language::En }
}

pub(crate) fn employee(n: u128, role: Role) -> Principal {
    principal(Subject::Employee(Employee { id: id(n).into(), role, departments: Vec::new() }))
}

/// Members are numbered from 100, so that they can be involved.
pub(crate) fn member(n: u128) -> Principal {
    employee(n, Role::Member)
}

pub(crate) fn moderator() -> Principal {
    employee(10, Role::Moderator)
}

pub(crate) fn administrator() -> Principal {
    employee(11, Role::Administrator)
}

pub(crate) fn code_user() -> Principal {
    code_user_at(device(), 20)
}

pub(crate) fn code_user_at(device: DeviceId, session: u128) -> Principal {
    principal(Subject::CodeUser(CodeUser { session: id(session).into(), code: id(21).into(), device }))
}

pub(crate) fn customer_user() -> Principal {
    customer_user_of(5)
}

pub(crate) fn customer_user_of(customer: u128) -> Principal {
    principal(Subject::CustomerUser(CustomerUser { id: id(30).into(), customer: id(customer).into() }))
}

pub(crate) fn system() -> Principal {
    Principal::system(organisation())
}

pub(crate) fn stranger() -> Principal {
    Principal { organisation: id(999).into(), ..administrator() }
}

pub(crate) fn person(n: u128) -> EmployeeId {
    id(n).into()
}

pub(crate) fn place() -> Place {
    Place {
        template: id(3).into(),
        customer: Some(id(5).into()),
        departments: vec![id(4).into()],
        version: 1,
    }
}

pub(crate) fn text(en: &str) -> LocalizedText {
    LocalizedText(BTreeMap::from([("en".to_owned(), en.to_owned()), ("de".to_owned(), format!("{en} (de)"))]))
}

pub(crate) fn step(key: &str, kind: StepKind, required: bool) -> Step {
    let choices = if kind.has_choices() {
        ["red", "blue"].map(|key| Choice { key: key.to_owned(), label: text(key) }).to_vec()
    } else {
        Vec::new()
    };
    Step { key: key.to_owned(), kind, required, label: text(key), help: LocalizedText::default(), choices }
}

pub(crate) fn flow() -> Flow {
    Flow {
        id: id(6).into(),
        label: text("Repair"),
        steps: vec![
            step("what", StepKind::Text, true),
            step("colour", StepKind::SingleChoice, true),
            step("when", StepKind::Date, false),
        ],
        title_step: Some("what".to_owned()),
        group: Some(id(7).into()),
        notification_group: Some(id(8).into()),
        active: true,
    }
}

pub(crate) fn answered(step: &str, value: AnswerValue) -> Answer {
    Answer { step: step.to_owned(), value }
}

pub(crate) fn all_answers() -> Vec<Answer> {
    vec![
        answered("colour", AnswerValue::Choice("red".to_owned())),
        answered("what", AnswerValue::Text("It leaks".to_owned())),
    ]
}

pub(crate) fn plain(title: &str, open: Option<i64>) -> NewTicket {
    NewTicket {
        id: id(50).into(),
        device: device(),
        place: place(),
        flow: None,
        title: title.to_owned(),
        description: String::new(),
        answers: Vec::new(),
        visibility: None,
        priority: None,
        open,
    }
}

pub(crate) fn by_flow(answers: Vec<Answer>, open: Option<i64>) -> NewTicket {
    NewTicket { title: String::new(), flow: Some(Arc::new(flow())), answers, ..plain("", open) }
}

/// Decides once, without changing anything.
pub(crate) fn decide(
    state: &State,
    command: &Command,
    principal: &Principal,
    now: Timestamp,
) -> Result<Vec<Event>, Rejection> {
    let ids = CountedIds::default();
    let context = DecisionContext {
        now,
        principal,
        cause: &Cause::default(),
        command_id: CommandId(id(77)),
        ids: &ids,
    };
    TicketAggregate::decide(state, command, &context)
}

/// A ticket under test.
#[derive(Debug, Default, Clone)]
pub(crate) struct World {
    pub(crate) state: State,
    pub(crate) history: Vec<Event>,
    clock: i64,
}

impl World {
    pub(crate) fn ask(&mut self, principal: &Principal, command: Command) -> Result<Vec<Fact>, Rejection> {
        self.clock += 1;
        let events = decide(&self.state, &command, principal, at(self.clock))?;
        for event in &events {
            TicketAggregate::evolve(&mut self.state, event);
        }
        self.history.extend(events.iter().cloned());
        Ok(events.into_iter().map(|event| event.fact).collect())
    }

    /// Asks, and it must be done.
    pub(crate) fn must(&mut self, principal: &Principal, command: Command) -> Vec<Fact> {
        self.ask(principal, command).expect("to be allowed")
    }

    pub(crate) fn ticket(&self) -> &Ticket {
        self.state.live().expect("a ticket")
    }

    pub(crate) fn status(&self) -> Status {
        self.ticket().status
    }

    /// A public ticket that a code user opened.
    pub(crate) fn open() -> Self {
        let mut world = Self::default();
        world.must(&code_user(), Command::Create(Box::new(plain("It leaks", Some(7)))));
        world
    }

    /// The same, made by a moderator: internal.
    pub(crate) fn open_internal() -> Self {
        let mut world = Self::default();
        world.must(&moderator(), Command::Create(Box::new(plain("It leaks", Some(7)))));
        world
    }

    /// A public ticket in a status, with these members involved.
    pub(crate) fn at(status: Status, involved: &[u128]) -> Self {
        let mut world = Self::open();
        for n in involved {
            world.must(&system(), Command::Involve(person(*n)));
        }
        world.must(&moderator(), Command::SetStatus(status));
        world
    }

    /// A draft by the flow, by somebody.
    pub(crate) fn draft(author: &Principal) -> Self {
        let mut world = Self::default();
        world.must(author, Command::Create(Box::new(by_flow(Vec::new(), None))));
        world
    }
}

pub(crate) fn submit(number: i64) -> Command {
    Command::Submit { number, visibility: None, place: Some(place()) }
}

pub(crate) fn update(visibility: Option<Visibility>) -> Command {
    Command::PostUpdate {
        id: id(60).into(),
        text: "Seal replaced".to_owned(),
        visibility,
        attachments: Vec::new(),
    }
}

pub(crate) fn fields(result: Result<Vec<Fact>, Rejection>) -> Vec<String> {
    match result {
        Err(Rejection::Fields(violations)) => violations.into_iter().map(|found| found.field).collect(),
        other => panic!("expected wrong fields, got {other:?}"),
    }
}
