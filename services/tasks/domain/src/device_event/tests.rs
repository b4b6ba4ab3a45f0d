use callboard_kernel::Role;

use super::*;
use crate::world::{ask, code_user, employee, id, system, time};

fn plan(start: &str, rule: &str) -> Plan {
    Plan {
        device: id(1),
        definition: Some(id(2)),
        title: "Yearly maintenance".into(),
        start: start.into(),
        rule: rule.into(),
        visibility: Visibility::Internal,
        creates_task: true,
        assignees: vec![id(8), id(7), id(8)],
    }
}

fn place() -> Place {
    Place { template: id(3), customer: None, departments: Vec::new() }
}

fn put(plan: Plan) -> DeviceEventCommand {
    DeviceEventCommand::Put { plan, place: place(), time_zone: "Europe/Berlin".into() }
}

type Told = Result<Vec<DeviceEventEvent>, DeviceEventRejection>;

fn give(
    state: &mut DeviceEventState,
    who: &callboard_kernel::Principal,
    now: &str,
    command: DeviceEventCommand,
) -> Told {
    ask::<DeviceEvent>(state, who, now, command)
}

fn boss() -> callboard_kernel::Principal {
    employee(9, Role::Moderator)
}

fn weekly() -> DeviceEventState {
    let mut state = DeviceEventState::default();
    give(&mut state, &boss(), "2026-01-01T00:00:00Z", put(plan("2026-01-05T08:00:00", "FREQ=WEEKLY")))
        .expect("planned");
    state
}

fn next(state: &DeviceEventState) -> Option<Timestamp> {
    state.planned.as_ref()?.next.map(|next| next.at)
}

#[test]
fn k_1_moderators_plan_events_and_nobody_else() {
    let wanted = put(plan("2026-01-05T08:00:00", ""));
    for who in [employee(9, Role::Member), code_user(1)] {
        let told = give(&mut DeviceEventState::default(), &who, "2026-01-01T00:00:00Z", wanted.clone());
        assert_eq!(told, Err(DeviceEventRejection::Denied));
    }
    let mut state = weekly();
    assert_eq!(next(&state), Some(time("2026-01-05T07:00:00Z")));
    assert_eq!(state.planned.as_ref().expect("it").plan.assignees, [id(7), id(8)]);
    give(&mut state, &boss(), "2026-01-02T00:00:00Z", DeviceEventCommand::Delete).expect("removed");
    assert_eq!(next(&state), None);
    let again = give(&mut state, &boss(), "2026-01-02T00:00:00Z", wanted);
    assert_eq!(again, Err(DeviceEventRejection::IdTaken));
}

#[test]
fn k_1_what_is_past_falls_due_no_more() {
    let mut state = DeviceEventState::default();
    let now = "2026-06-01T00:00:00Z";
    let once = give(&mut state, &boss(), now, put(plan("2026-01-05T08:00:00", "")));
    let Err(DeviceEventRejection::Invalid(wrong)) = once else { panic!("{once:?}") };
    assert_eq!(wrong[0].field, "device_event.start");
    give(&mut state, &boss(), now, put(plan("2020-01-06T08:00:00", "FREQ=WEEKLY"))).expect("planned");
    assert_eq!(next(&state), Some(time("2026-06-01T06:00:00Z")), "from now on");
}

#[test]
fn k_3_a_due_time_falls_once_and_an_old_timer_says_nothing() {
    let mut state = weekly();
    let due = time("2026-01-05T07:00:00Z");
    let fall = DeviceEventCommand::Fall { due };
    let told = give(&mut state, &system(), "2026-01-05T07:00:01Z", fall.clone()).expect("fell");
    assert!(matches!(told[..], [DeviceEventEvent::Fell { missed: 0, .. }]), "{told:?}");
    assert_eq!(give(&mut state, &system(), "2026-01-05T07:00:02Z", fall.clone()), Ok(vec![]));
    assert_eq!(next(&state), Some(time("2026-01-12T07:00:00Z")));
    assert_eq!(
        give(
            &mut state,
            &boss(),
            "2026-01-12T07:00:00Z",
            DeviceEventCommand::Fall { due: time("2026-01-12T07:00:00Z") }
        ),
        Ok(vec![]),
        "by hand nothing falls due"
    );
}

#[test]
fn k_3_after_downtime_one_task_and_not_one_per_missed_tick() {
    let mut state = weekly();
    let fall = DeviceEventCommand::Fall { due: time("2026-01-05T07:00:00Z") };
    let told = give(&mut state, &system(), "2026-02-01T00:00:00Z", fall).expect("fell");
    let [DeviceEventEvent::Fell { due, missed, next, .. }] = told[..] else { panic!("{told:?}") };
    assert_eq!((due, missed), (time("2026-01-05T07:00:00Z"), 3));
    assert_eq!(next.map(|next| next.at), Some(time("2026-02-02T07:00:00Z")));
}

#[test]
fn k_3_the_task_of_an_event_and_a_due_time_has_one_id() {
    let (one, two) = (time("2026-01-05T07:00:00Z"), time("2026-01-12T07:00:00Z"));
    assert_eq!(task_of(id(1), one), task_of(id(1), one));
    assert_ne!(task_of(id(1), one), task_of(id(1), two));
    assert_ne!(task_of(id(1), one), task_of(id(2), one));
}

#[test]
fn an_edit_that_leaves_the_times_alone_leaves_the_next_due_time_alone() {
    let mut state = weekly();
    let fall = DeviceEventCommand::Fall { due: time("2026-01-05T07:00:00Z") };
    give(&mut state, &system(), "2026-01-05T07:00:01Z", fall).expect("fell");
    let titled = Plan { title: "Look after it".into(), ..plan("2026-01-05T08:00:00", "FREQ=WEEKLY") };
    give(&mut state, &boss(), "2026-03-01T00:00:00Z", put(titled)).expect("edited");
    assert_eq!(next(&state), Some(time("2026-01-12T07:00:00Z")));
    let moved = plan("2026-01-06T08:00:00", "FREQ=WEEKLY");
    give(&mut state, &boss(), "2026-03-01T00:00:00Z", put(moved)).expect("edited");
    assert_eq!(next(&state), Some(time("2026-03-03T07:00:00Z")));
}

#[test]
fn k_1_an_event_follows_its_device_into_another_time_zone() {
    let mut state = weekly();
    let settle = DeviceEventCommand::Settle { place: place(), time_zone: "America/New_York".into() };
    give(&mut state, &system(), "2026-01-02T00:00:00Z", settle.clone()).expect("settled");
    assert_eq!(next(&state), Some(time("2026-01-05T13:00:00Z")), "08:00 there");
    assert_eq!(give(&mut state, &system(), "2026-01-02T00:00:00Z", settle), Ok(vec![]));
    give(&mut state, &system(), "2026-01-02T00:00:00Z", DeviceEventCommand::Leave { employee: id(7) })
        .expect("left");
    assert_eq!(state.planned.expect("it").plan.assignees, [id(8)]);
}
