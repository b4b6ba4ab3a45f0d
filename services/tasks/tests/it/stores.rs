//! What is written is what is read.

use callboard_journal::{JournalOptions, MemJournal};
use callboard_kernel::{Clock, Employee, Language, Principal, Role, Subject, SystemClock};
use callboard_stage::{comes_back, fresh_journal, id};
use callboard_tasks::store::{DefinitionMapping, DeviceEventMapping, FeedMapping, TaskMapping};
use callboard_tasks_domain::definition::{Content, DefinitionCommand, Step};
use callboard_tasks_domain::device_event::{DeviceEventCommand, Plan};
use callboard_tasks_domain::feed::{FeedCommand, FeedScope};
use callboard_tasks_domain::task::{Edit, NewStep, NewTask, TaskCommand};
use callboard_tasks_domain::{Place, Visibility};
use uuid::Uuid;

fn boss() -> Principal {
    let subject = Subject::Employee(Employee {
        id: Uuid::from_u128(9).into(),
        role: Role::Administrator,
        departments: Vec::new(),
    });
    Principal { organisation: Uuid::from_u128(1).into(), subject, language: Language::En }
}

fn system() -> Principal {
    Principal::system(Uuid::from_u128(1).into())
}

fn place() -> Place {
    Place { template: id().into(), customer: Some(id().into()), departments: vec![id().into()] }
}

fn definition() -> Vec<(Principal, DefinitionCommand)> {
    let content = Content {
        template: id().into(),
        title: "T".into(),
        description: "D".into(),
        steps: vec![Step { id: id().into(), text: "S".into(), attachments: vec![] }],
    };
    vec![(boss(), DefinitionCommand::Put(content)), (boss(), DefinitionCommand::Delete)]
}

fn device_event() -> Vec<(Principal, DeviceEventCommand)> {
    let plan = Plan {
        device: id().into(),
        definition: Some(id().into()),
        title: "T".into(),
        start: "2020-01-06T08:00:00".into(),
        rule: "FREQ=WEEKLY".into(),
        visibility: Visibility::External,
        creates_task: true,
        assignees: vec![Uuid::from_u128(5).into()],
    };
    let zone = || "Europe/Berlin".to_owned();
    vec![
        (boss(), DeviceEventCommand::Put { plan, place: place(), time_zone: zone() }),
        (system(), DeviceEventCommand::Settle { place: place(), time_zone: zone() }),
        (system(), DeviceEventCommand::Leave { employee: Uuid::from_u128(5).into() }),
        (boss(), DeviceEventCommand::Delete),
    ]
}

fn task() -> Vec<(Principal, TaskCommand)> {
    let step = id();
    let ticket = id();
    let new = NewTask {
        device: id().into(),
        place: place(),
        definition: Some(id().into()),
        event: Some(id().into()),
        visibility: Visibility::Internal,
        title: "T".into(),
        description: "D".into(),
        steps: vec![NewStep { id: step.into(), text: "S".into(), attachments: vec![id()] }],
        assignees: vec![id().into()],
        due: Some(SystemClock.now() + chrono::TimeDelta::days(1)),
        ticket: Some(ticket.into()),
    };
    let edit = Edit { title: Some("U".into()), due: Some(None), ..Edit::default() };
    vec![
        (boss(), TaskCommand::Create(Box::new(new))),
        (boss(), TaskCommand::Tick { step: step.into(), done: true }),
        (boss(), TaskCommand::Edit(edit)),
        (system(), TaskCommand::Unlink { ticket: ticket.into() }),
        (boss(), TaskCommand::Close),
        (boss(), TaskCommand::Reopen),
        (boss(), TaskCommand::Delete),
    ]
}

fn feed() -> Vec<(Principal, FeedCommand)> {
    let create = FeedCommand::Create { name: "F".into(), scope: FeedScope::Mine, token_hash: vec![7; 32] };
    vec![(boss(), create), (boss(), FeedCommand::End)]
}

#[tokio::test]
async fn everything_comes_back_from_memory() {
    let journal = MemJournal::new(JournalOptions::new("tasks"));
    assert!(comes_back(&journal.store(DefinitionMapping), definition(), |state| state).await.removed);
    assert!(comes_back(&journal.store(DeviceEventMapping), device_event(), |state| state).await.removed);
    assert!(comes_back(&journal.store(TaskMapping), task(), |state| state).await.deleted);
    assert!(comes_back(&journal.store(FeedMapping), feed(), |state| state).await.ended);
}

#[tokio::test]
async fn everything_comes_back_from_postgres() {
    let (journal, _database) = fresh_journal(callboard_tasks::definition()).await;
    assert!(comes_back(&journal.store(DefinitionMapping), definition(), |state| state).await.removed);
    assert!(comes_back(&journal.store(DeviceEventMapping), device_event(), |state| state).await.removed);
    assert!(comes_back(&journal.store(TaskMapping), task(), |state| state).await.deleted);
    assert!(comes_back(&journal.store(FeedMapping), feed(), |state| state).await.ended);
}
