//! What is stored is what was decided: state → rows → state, in memory and on Postgres.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use callboard_actor::{Ask, Lane, Options, Registry, Store};
use callboard_journal::{JournalOptions, MemJournal, PgJournal};
use callboard_kernel::{Cause, Employee, Language, Principal, RandomIds, Role, Subject, SystemClock};
use callboard_tickets::store::{FlowSetMapping, TicketMapping};
use callboard_tickets_domain::{
    Answer, AnswerValue, Choice, Command, Contact, Edit, Flow, FlowSet, FlowSetAggregate, FlowSetCommand,
    LocalizedText, NewTicket, Place, Priority, State, Status, Step, StepKind, TicketAggregate, Visibility,
};
use parking_lot::Mutex;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::support::*;

fn text(en: &str) -> LocalizedText {
    LocalizedText([("en".to_owned(), en.to_owned())].into())
}

fn flow() -> Flow {
    let kinds = [
        StepKind::Text,
        StepKind::LongText,
        StepKind::SingleChoice,
        StepKind::MultipleChoice,
        StepKind::Number,
        StepKind::Date,
        StepKind::YesNo,
        StepKind::Attachment,
        StepKind::Contact,
    ];
    let step = |kind: &StepKind| Step {
        key: kind.as_str().to_lowercase(),
        kind: *kind,
        required: true,
        label: text("Label"),
        help: LocalizedText::default(),
        choices: if kind.has_choices() {
            vec![Choice { key: "red".into(), label: text("Red") }]
        } else {
            vec![]
        },
    };
    Flow {
        id: id().into(),
        label: text("Repair"),
        steps: kinds.iter().map(step).collect(),
        title_step: Some("text".into()),
        group: Some(id().into()),
        notification_group: None,
        active: true,
    }
}

fn answers(file: Uuid) -> Vec<Answer> {
    let answer = |step: &str, value| Answer { step: step.into(), value };
    vec![
        answer("text", AnswerValue::Text("It leaks".into())),
        answer("long_text", AnswerValue::Text("two\nlines ü 🙂".into())),
        answer("single_choice", AnswerValue::Choice("red".into())),
        answer("multiple_choice", AnswerValue::Choices(vec!["red".into()])),
        answer("number", AnswerValue::Number(-0.1)),
        answer("date", AnswerValue::Date(chrono::NaiveDate::from_ymd_opt(2026, 11, 21).unwrap())),
        answer("yes_no", AnswerValue::YesNo(false)),
        answer("attachment", AnswerValue::Attachments(vec![file.to_string()])),
        answer("contact", AnswerValue::Contact(Contact { name: "Ada".into(), ..Contact::default() })),
    ]
}

/// Asks, and answers the state that was installed.
async fn ask<S: Store<TicketAggregate>>(
    registry: &Registry<TicketAggregate, S>,
    ticket: Uuid,
    principal: &Arc<Principal>,
    command: Command,
) -> State {
    let seen = Arc::new(Mutex::new(State::None));
    let keep = Arc::clone(&seen);
    let ask = Ask {
        command,
        command_id: id().into(),
        fingerprint: 0,
        principal: Arc::clone(principal),
        cause: Arc::new(Cause::default()),
        lane: Lane::User,
        deadline: Instant::now() + Duration::from_secs(30),
        expected: None,
        creates: false,
        answer: Box::new(move |state: &State, _, _| {
            *keep.lock() = state.clone();
            Bytes::new()
        }),
    };
    registry.ask(ticket, ask).await.unwrap();
    let seen = seen.lock();
    seen.clone()
}

/// `files` are pending ones of the organisation, where the store knows such a thing.
async fn every_state_survives<S: Store<TicketAggregate> + Clone>(
    store: S,
    organisation: Uuid,
    files: [Uuid; 3],
) {
    let tracker = TaskTracker::new();
    let registry =
        Registry::new(store.clone(), Options::default(), Arc::new(SystemClock), Arc::new(RandomIds), tracker);
    let organisation = organisation.into();
    let employee = Employee { id: id().into(), role: Role::Moderator, departments: vec![] };
    let moderator =
        Arc::new(Principal { organisation, subject: Subject::Employee(employee), language: Language::En });
    let system = Arc::new(Principal::system(organisation));
    let ticket = id();
    let place = || Place {
        template: id().into(),
        customer: Some(id().into()),
        departments: vec![id().into()],
        version: 7,
    };
    let flow = Arc::new(flow());
    let (one, two) = (id().into(), id().into());
    let new = NewTicket {
        id: ticket.into(),
        device: id().into(),
        place: place(),
        flow: Some(flow),
        title: String::new(),
        description: "described".into(),
        answers: answers(files[0]),
        visibility: Some(Visibility::Public),
        priority: Some(Priority::High),
        open: None,
    };
    let update = |text: &str, file: Uuid| Command::PostUpdate {
        id: id().into(),
        text: text.into(),
        visibility: None,
        attachments: vec![file.to_string()],
    };
    let number = i64::from(ticket.as_fields().0);
    let life = [
        (&moderator, Command::Create(Box::new(new))),
        (&moderator, Command::Answer { step: "yes_no".into(), value: Some(AnswerValue::YesNo(true)) }),
        (&moderator, Command::Submit { number, visibility: None, place: Some(place()) }),
        (&system, Command::Involve(one)),
        (&system, Command::Involve(two)),
        (&moderator, update("first", files[1])),
        (&system, Command::Uninvolve(one)),
        (&system, Command::Involve(one)),
        (
            &moderator,
            Command::Edit(Edit {
                title: Some("T".into()),
                description: Some("D".into()),
                priority: Some(Priority::Low),
                visibility: Some(Visibility::Internal),
            }),
        ),
        (&moderator, Command::SetStatus(Status::Done)),
        (&system, Command::Rate { done_round: 1, score: 3 }),
        (&moderator, Command::Reopen),
        (&moderator, update("second", files[2])),
        (&moderator, Command::Delete),
    ];
    for (principal, command) in life {
        let name = format!("{command:?}");
        let decided = ask(&registry, ticket, principal, command).await;
        let loaded = store.load(ticket).await.unwrap();
        assert_eq!(loaded.state, decided, "{name}");
        assert_eq!(loaded.organisation, Some(organisation));
    }
    registry.stop().await;
}

#[test]
fn every_state_survives_its_rows_in_memory() {
    alone(async {
        let journal = MemJournal::new(JournalOptions::new("tickets"));
        every_state_survives(journal.store(TicketMapping::default()), id(), [id(), id(), id()]).await;
    });
}

#[test]
fn every_state_survives_its_rows_on_postgres() {
    run(|world| async move {
        let journal = PgJournal::new(world.pool.clone(), JournalOptions::new("tickets"), TaskTracker::new());
        let (organisation, files) = (id(), [id(), id(), id()]);
        for file in files {
            sqlx::query(
                "insert into attachment (id, organisation_id, uploader, state, name, media_type, size, sha256, \
                 object_key, thumbnail, scan, reserved, create_time, change_time) \
                 values ($1, $2, 'system', 'PENDING', 'a', 'text/plain', 1, '', $3, 'NONE', 'OFF', 0, now(), now())",
            )
            .bind(file)
            .bind(organisation)
            .bind(file.to_string())
            .execute(&world.pool)
            .await
            .unwrap();
        }
        every_state_survives(journal.store(TicketMapping::default()), organisation, files).await;
    });
}

#[test]
fn the_largest_ticket_fits_into_its_events() {
    alone(async {
        let journal = MemJournal::new(JournalOptions::new("tickets"));
        let registry = Registry::new(
            journal.store(TicketMapping::default()),
            Options::default(),
            Arc::new(SystemClock),
            Arc::new(RandomIds),
            TaskTracker::new(),
        );
        let system = Arc::new(Principal::system(id().into()));
        let ticket = id();
        let departments = (0..100).map(|_| id().into()).collect();
        let new = NewTicket {
            id: ticket.into(),
            device: id().into(),
            place: Place { template: id().into(), customer: Some(id().into()), departments, version: 0 },
            flow: None,
            title: "It leaks".into(),
            description: String::new(),
            answers: Vec::new(),
            visibility: Some(Visibility::Public),
            priority: None,
            open: Some(1),
        };
        ask(&registry, ticket, &system, Command::Create(Box::new(new))).await;
        // As many as fleet lets have one ticket.
        for _ in 0..750 {
            ask(&registry, ticket, &system, Command::Involve(id().into())).await;
        }
        registry.stop().await;
    });
}

#[test]
fn flows_survive_their_rows_in_their_order() {
    run(|world| async move {
        let journal = PgJournal::new(world.pool.clone(), JournalOptions::new("tickets"), TaskTracker::new());
        let store = journal.store(FlowSetMapping);
        let registry: Registry<FlowSetAggregate, _> = Registry::new(
            store.clone(),
            Options::default(),
            Arc::new(SystemClock),
            Arc::new(RandomIds),
            TaskTracker::new(),
        );
        let (template, organisation) = (id(), id().into());
        let flows = [flow(), flow(), flow()];
        let commands = [
            FlowSetCommand::Put(flows[2].clone()),
            FlowSetCommand::Put(flows[0].clone()),
            FlowSetCommand::Put(flows[1].clone()),
            FlowSetCommand::Delete(flows[2].id),
            FlowSetCommand::Put(Flow { active: false, ..flows[0].clone() }),
            FlowSetCommand::RemoveTemplate,
        ];
        for command in commands {
            let seen = Arc::new(Mutex::new(None));
            let keep = Arc::clone(&seen);
            let ask = Ask {
                command,
                command_id: id().into(),
                fingerprint: 0,
                principal: Arc::new(Principal::system(organisation)),
                cause: Arc::new(Cause::default()),
                lane: Lane::User,
                deadline: Instant::now() + Duration::from_secs(30),
                expected: None,
                creates: false,
                answer: Box::new(move |state: &FlowSet, _, _| {
                    *keep.lock() = Some(state.clone());
                    Bytes::new()
                }),
            };
            registry.ask(template, ask).await.unwrap();
            let decided = seen.lock().clone().unwrap();
            assert_eq!(store.load(template).await.unwrap().state, decided);
        }
        registry.stop().await;
    });
}
