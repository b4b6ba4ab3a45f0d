use callboard_kernel::{Principal, Role};
use proptest::prelude::*;

use super::*;
use crate::world::{ask, code_user, customer_user, employee, id, system, time};

const NOW: &str = "2026-01-01T00:00:00Z";

fn step(number: u128, text: &str) -> NewStep {
    NewStep { id: id(number), text: text.into(), attachments: vec![id(number + 100)] }
}

fn new(visibility: Visibility) -> NewTask {
    NewTask {
        device: id(1),
        place: Place { template: id(2), customer: Some(id(3)), departments: Vec::new() },
        definition: Some(id(4)),
        event: None,
        visibility,
        title: "Clean it".into(),
        description: String::new(),
        steps: vec![step(11, "Open"), step(12, "Wipe")],
        assignees: vec![id(21)],
        due: Some(time("2026-02-01T00:00:00Z")),
        ticket: Some(id(5)),
    }
}

fn boss() -> Principal {
    employee(9, Role::Moderator)
}

fn task(visibility: Visibility) -> TaskState {
    let mut state = TaskState::default();
    give(&mut state, &boss(), TaskCommand::Create(Box::new(new(visibility)))).expect("made");
    state
}

fn give(
    state: &mut TaskState,
    who: &Principal,
    command: TaskCommand,
) -> Result<Vec<TaskEvent>, TaskRejection> {
    ask::<Task>(state, who, NOW, command)
}

fn status(state: &TaskState) -> Status {
    state.task.as_ref().expect("a task").status
}

fn tick(step: u128, done: bool) -> TaskCommand {
    TaskCommand::Tick { step: id(step), done }
}

#[test]
fn k_2_from_outside_a_task_is_external_and_has_title_and_description_alone() {
    let mut state = TaskState::default();
    let told = give(&mut state, &code_user(1), TaskCommand::Create(Box::new(new(Visibility::Internal))));
    let Err(TaskRejection::Invalid(wrong)) = told else { panic!("{told:?}") };
    let fields: Vec<_> = wrong.iter().map(|wrong| wrong.field.as_str()).collect();
    assert_eq!(fields, ["definition_id", "steps", "assignee_ids", "due_time", "ticket_id"]);
    let plain = NewTask {
        definition: None,
        steps: Vec::new(),
        assignees: Vec::new(),
        due: None,
        ticket: None,
        ..new(Visibility::Internal)
    };
    give(&mut state, &code_user(1), TaskCommand::Create(Box::new(plain))).expect("made");
    assert_eq!(state.task.as_ref().expect("a task").visibility, Visibility::External);
}

#[test]
fn k_2_steps_are_ticked_off_one_by_one_and_the_first_starts_the_task() {
    let mut state = task(Visibility::Internal);
    let worker = employee(21, Role::Member);
    give(&mut state, &worker, tick(11, true)).expect("ticked");
    assert_eq!(status(&state), Status::InProgress);
    assert_eq!(give(&mut state, &worker, tick(11, true)), Ok(vec![]), "it is ticked off already");
    give(&mut state, &worker, tick(11, false)).expect("unticked");
    let wrong = give(&mut state, &worker, tick(99, true));
    assert!(matches!(wrong, Err(TaskRejection::Invalid(_))), "{wrong:?}");
}

#[test]
fn k_3_a_task_that_is_there_is_not_made_again() {
    let mut state = task(Visibility::Internal);
    let again = TaskCommand::Create(Box::new(new(Visibility::External)));
    assert_eq!(give(&mut state, &system(), again.clone()), Ok(vec![]));
    give(&mut state, &boss(), TaskCommand::Delete).expect("deleted");
    assert_eq!(give(&mut state, &system(), again), Ok(vec![]), "nor one that was deleted since");
}

#[test]
fn k_4_closing_does_not_demand_all_steps_and_employees_may_reopen() {
    let mut state = task(Visibility::External);
    let worker = employee(21, Role::Member);
    give(&mut state, &worker, TaskCommand::Close).expect("closed");
    assert_eq!(status(&state), Status::Closed);
    for command in [TaskCommand::Start, TaskCommand::Close, tick(11, true)] {
        assert_eq!(give(&mut state, &worker, command), Err(TaskRejection::Closed));
    }
    let denied = give(&mut state, &code_user(1), TaskCommand::Reopen);
    assert!(matches!(denied, Err(TaskRejection::Denied(_))), "{denied:?}");
    give(&mut state, &worker, TaskCommand::Reopen).expect("reopened");
    assert_eq!(status(&state), Status::Open);
    assert_eq!(give(&mut state, &worker, TaskCommand::Reopen), Err(TaskRejection::NotClosed));
    give(&mut state, &worker, tick(12, true)).expect("ticked");
    assert_eq!(give(&mut state, &worker, TaskCommand::Start), Err(TaskRejection::Started));
    give(&mut state, &worker, TaskCommand::Close).expect("closed");
    give(&mut state, &worker, TaskCommand::Reopen).expect("reopened");
    assert_eq!(status(&state), Status::InProgress, "something is ticked off");
}

#[test]
fn k_5_members_assign_themselves_and_moderators_anybody() {
    let mut state = task(Visibility::Internal);
    let other = employee(22, Role::Member);
    let add = |who: u128| TaskCommand::Assign { add: vec![id(who)], remove: Vec::new() };
    let denied = give(&mut state, &other, add(23));
    assert!(matches!(denied, Err(TaskRejection::Denied(_))), "{denied:?}");
    give(&mut state, &other, add(22)).expect("taken on");
    give(&mut state, &boss(), add(23)).expect("assigned");
    assert_eq!(state.task.as_ref().expect("a task").assignees, [id(21), id(22), id(23)]);
    let remove = TaskCommand::Assign { add: Vec::new(), remove: vec![id(22)] };
    give(&mut state, &other, remove).expect("given back");
    give(&mut state, &system(), TaskCommand::Leave { employee: id(23) }).expect("left");
    assert_eq!(state.task.as_ref().expect("a task").assignees, [id(21)]);
}

#[test]
fn k_5_a_due_time_is_told_once_while_the_task_is_not_closed() {
    let mut state = task(Visibility::Internal);
    let due = time("2026-02-01T00:00:00Z");
    let fall = TaskCommand::FallDue { due };
    assert_eq!(give(&mut state, &system(), fall.clone()), Ok(vec![TaskEvent::FellDue { due }]));
    assert_eq!(give(&mut state, &system(), fall.clone()), Ok(vec![]));
    let mut closed = task(Visibility::Internal);
    give(&mut closed, &boss(), TaskCommand::Close).expect("closed");
    assert_eq!(give(&mut closed, &system(), fall), Ok(vec![]));
}

#[test]
fn t_11_a_deleted_ticket_is_linked_no_more() {
    let mut state = task(Visibility::Internal);
    give(&mut state, &boss(), TaskCommand::Close).expect("closed");
    assert_eq!(give(&mut state, &system(), TaskCommand::Unlink { ticket: id(6) }), Ok(vec![]));
    give(&mut state, &system(), TaskCommand::Unlink { ticket: id(5) }).expect("unlinked");
    assert_eq!(state.task.expect("a task").ticket, None);
}

#[test]
fn an_internal_task_is_not_there_for_those_outside_and_an_external_one_is_theirs_to_do() {
    for who in [code_user(1), customer_user(3)] {
        let mut internal = task(Visibility::Internal);
        for command in [TaskCommand::Start, TaskCommand::Close, tick(11, true), TaskCommand::Delete] {
            assert_eq!(give(&mut internal, &who, command), Err(TaskRejection::Missing));
        }
        let mut external = task(Visibility::External);
        give(&mut external, &who, TaskCommand::Start).expect("started");
        give(&mut external, &who, tick(11, true)).expect("ticked");
        let edit = TaskCommand::Edit(Edit { title: Some("Mine".into()), ..Edit::default() });
        for command in [edit, TaskCommand::Delete, TaskCommand::Assign { add: vec![id(1)], remove: vec![] }] {
            assert!(matches!(give(&mut external, &who, command), Err(TaskRejection::Denied(_))));
        }
        give(&mut external, &who, TaskCommand::Close).expect("closed");
    }
    for who in [code_user(7), customer_user(7)] {
        let told = give(&mut task(Visibility::External), &who, TaskCommand::Start);
        assert_eq!(told, Err(TaskRejection::Missing), "of another device, of another company");
    }
}

#[test]
fn members_work_on_what_is_theirs_and_on_what_is_nobodys() {
    let other = employee(22, Role::Member);
    let mut state = task(Visibility::Internal);
    for command in [TaskCommand::Start, tick(11, true), TaskCommand::Close] {
        assert!(matches!(give(&mut state, &other, command), Err(TaskRejection::Denied(_))));
    }
    let remove = TaskCommand::Assign { add: Vec::new(), remove: vec![id(21)] };
    give(&mut state, &boss(), remove).expect("unassigned");
    give(&mut state, &other, TaskCommand::Start).expect("started");
}

/// Any command, by anybody.
fn command() -> impl Strategy<Value = TaskCommand> {
    prop_oneof![
        Just(TaskCommand::Create(Box::new(new(Visibility::Internal)))),
        Just(TaskCommand::Start),
        Just(TaskCommand::Close),
        Just(TaskCommand::Reopen),
        Just(TaskCommand::Delete),
        (10..14_u128, any::<bool>()).prop_map(|(step, done)| tick(step, done)),
        (20..24_u128, 20..24_u128)
            .prop_map(|(add, remove)| TaskCommand::Assign { add: vec![id(add)], remove: vec![id(remove)] }),
        any::<bool>().prop_map(|external| TaskCommand::Edit(Edit {
            visibility: Some(if external { Visibility::External } else { Visibility::Internal }),
            due: Some(external.then(|| time("2026-03-01T00:00:00Z"))),
            ..Edit::default()
        })),
        Just(TaskCommand::Unlink { ticket: id(5) }),
        Just(TaskCommand::FallDue { due: time("2026-02-01T00:00:00Z") }),
        (20..24_u128).prop_map(|who| TaskCommand::Leave { employee: id(who) }),
    ]
}

fn people() -> [Principal; 6] {
    [boss(), employee(21, Role::Member), employee(22, Role::Member), code_user(1), customer_user(3), system()]
}

proptest! {
    /// Whatever comes: what the buttons promise is what is allowed, closed tasks know who closed them, assignees are
    /// in order and there once.
    #[test]
    fn a_task_keeps_its_word(steps in prop::collection::vec((0..6_usize, command()), 1..40)) {
        let mut state = task(Visibility::External);
        for (who, command) in steps {
            let who = &people()[who];
            let promised = state.task.as_ref().map(|task| (task.admits(who), task.moves(who)));
            let told = give(&mut state, who, command.clone());
            if let Some((admitted, moves)) = promised && *who != system() {
                let expected = match command {
                    TaskCommand::Start => Some(moves.start),
                    TaskCommand::Close => Some(moves.close),
                    TaskCommand::Reopen => Some(moves.reopen),
                    TaskCommand::Delete => Some(moves.delete),
                    _ => None,
                };
                if let Some(expected) = expected {
                    prop_assert_eq!(told.is_ok(), expected && admitted, "{:?} {:?}", command, told);
                }
            }
            if let Some(task) = &state.task {
                prop_assert_eq!(task.closing.is_some(), task.status == Status::Closed);
                prop_assert!(task.assignees.windows(2).all(|pair| pair[0] < pair[1]));
            }
        }
    }
}
