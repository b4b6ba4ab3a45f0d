//! What is written is what is read.

use callboard_journal::{JournalOptions, MemJournal};
use callboard_kernel::{CodeUser, Employee, Language, Principal, Role, Subject};
use callboard_stage::{comes_back, fresh_journal, id};
use callboard_video::store::{FlowMapping, SessionMapping};
use callboard_video_domain::flow::{Asked, Choice, Flow, FlowCommand};
use callboard_video_domain::session::{Act, Around, NewSession, Provider, SessionCommand, Timing};
use callboard_video_domain::{Place, Visibility};
use chrono::TimeDelta;
use uuid::Uuid;

fn person(subject: Subject) -> Principal {
    Principal { organisation: Uuid::from_u128(1).into(), subject, language: Language::En }
}

fn boss() -> Principal {
    let id = Uuid::from_u128(9).into();
    person(Subject::Employee(Employee { id, role: Role::Administrator, departments: Vec::new() }))
}

fn guest(device: Uuid) -> Principal {
    let session = Uuid::from_u128(8).into();
    person(Subject::CodeUser(CodeUser { session, code: id().into(), device: device.into() }))
}

fn system() -> Principal {
    Principal::system(Uuid::from_u128(1).into())
}

fn session() -> Vec<(Principal, SessionCommand)> {
    let timing = Timing { grace: TimeDelta::seconds(30), watch: TimeDelta::minutes(2) };
    let act = |act| SessionCommand::Act { act, around: Around { offered: false, rated: true, timing } };
    let (device, ticket) = (id(), id());
    let (connection, stream) = (id().into(), id().into());
    let new = NewSession {
        device: device.into(),
        place: Place { template: id().into(), customer: Some(id().into()), departments: vec![id().into()] },
        flow: Flow { requests_allowed: true, asks_consent: true, ..Flow::default() },
        requester_name: "Ada".into(),
        reason: "It hisses".into(),
        consents: true,
        tickets: vec![id().into()],
        conversation: None,
    };
    vec![
        (guest(device), SessionCommand::Create(Box::new(new))),
        (boss(), act(Act::Confirm)),
        (boss(), act(Act::Link(ticket.into()))),
        (guest(device), act(Act::Join(connection, Provider::Livekit))),
        (system(), SessionCommand::Appear { connection, stream, timing }),
        (boss(), act(Act::Join(id().into(), Provider::Livekit))),
        (boss(), act(Act::Consent(true))),
        (boss(), act(Act::Record(true))),
        (system(), SessionCommand::Vanish { connection, stream, timing }),
        (guest(device), act(Act::End)),
        (system(), SessionCommand::Rate { round: 1, score: Some(5) }),
        (boss(), act(Act::Reopen)),
        (boss(), act(Act::SetVisibility(Visibility::Internal))),
        (system(), SessionCommand::Forget { ticket: ticket.into() }),
        (boss(), act(Act::Cancel)),
    ]
}

fn flow() -> Vec<(Principal, FlowCommand)> {
    let flow = Flow {
        requests_allowed: true,
        name: Asked::Required,
        reason: Asked::Not,
        reasons: vec![Choice([("en".to_owned(), "Noise".to_owned())].into())],
        asks_consent: true,
        employees: vec![id().into()],
        departments: vec![id().into()],
    };
    vec![(boss(), FlowCommand::Put(flow)), (boss(), FlowCommand::Put(Flow::default()))]
}

#[tokio::test]
async fn everything_comes_back_from_memory() {
    let journal = MemJournal::new(JournalOptions::new("video"));
    comes_back(&journal.store(SessionMapping::new("https://x/call")), session(), |state| state).await;
    comes_back(&journal.store(FlowMapping), flow(), |state| state).await;
}

#[tokio::test]
async fn everything_comes_back_from_postgres() {
    let (journal, _database) = fresh_journal(callboard_video::definition()).await;
    comes_back(&journal.store(SessionMapping::new("https://x/call")), session(), |state| state).await;
    comes_back(&journal.store(FlowMapping), flow(), |state| state).await;
}
