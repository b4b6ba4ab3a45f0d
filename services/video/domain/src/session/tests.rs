use callboard_kernel::{Principal, Role};
use proptest::prelude::*;

use super::*;
use crate::world::{ask, code_user, customer_user, employee, id, system, time};

mod files;
mod linking;
mod providers;
mod withdrawing;

const NOW: &str = "2026-01-01T00:00:00Z";
const TIMING: Timing = Timing { grace: TimeDelta::seconds(30), watch: TimeDelta::seconds(120) };

fn around(rated: bool) -> Around {
    Around { offered: false, rated, timing: TIMING }
}

fn new() -> NewSession {
    NewSession {
        device: id(1),
        place: Place { template: id(2), customer: Some(id(3)), departments: Vec::new() },
        flow: Flow { requests_allowed: true, asks_consent: true, ..Flow::default() },
        requester_name: String::new(),
        reason: "It hisses".into(),
        consents: false,
        tickets: vec![id(5)],
        conversation: None,
    }
}

fn boss() -> Principal {
    employee(9, Role::Moderator)
}

fn host() -> Principal {
    employee(21, Role::Member)
}

fn guest() -> Principal {
    code_user(1)
}

type Told = Result<Vec<SessionEvent>, SessionRejection>;

fn give(state: &mut SessionState, who: &Principal, now: &str, command: SessionCommand) -> Told {
    ask::<Session>(state, who, now, command)
}

fn act(state: &mut SessionState, who: &Principal, act: Act) -> Told {
    give(state, who, NOW, SessionCommand::Act { act, around: around(true) })
}

fn made(who: &Principal) -> SessionState {
    let mut state = SessionState::default();
    give(&mut state, who, NOW, SessionCommand::Create(Box::new(new()))).expect("made");
    state
}

fn content(state: &SessionState) -> &SessionContent {
    state.session.as_ref().expect("a session")
}

fn status(state: &SessionState) -> Status {
    content(state).status
}

fn appear(connection: u128, stream: u128) -> SessionCommand {
    SessionCommand::Appear { connection: id(connection), stream: id(stream), timing: TIMING }
}

fn joins(connection: u128) -> Act {
    Act::Join(id(connection), Provider::BuiltIn)
}

fn vanish(connection: u128, stream: u128) -> SessionCommand {
    SessionCommand::Vanish { connection: id(connection), stream: id(stream), timing: TIMING }
}

fn look(state: &SessionState, alive: &[u128]) -> (String, SessionCommand) {
    let due = content(state).call.as_ref().expect("a call").watch_at;
    let alive = alive.iter().map(|stream| id(*stream)).collect();
    (due.to_rfc3339(), SessionCommand::Watch { due, alive, around: around(true) })
}

/// The host and the guest are in the call, each with a stream of the connection's number and ten.
fn called() -> SessionState {
    let mut state = made(&host());
    act(&mut state, &host(), joins(31)).expect("joined");
    act(&mut state, &guest(), joins(32)).expect("joined");
    for command in [appear(31, 41), appear(32, 42)] {
        give(&mut state, &system(), NOW, command).expect("there");
    }
    state
}

#[test]
fn v_1_from_outside_a_session_is_requested_where_the_flow_allows_it_and_as_the_flow_says() {
    let state = made(&guest());
    assert_eq!((status(&state), content(&state).visibility), (Status::Requested, Visibility::Public));
    assert_eq!(content(&state).requester, Some(guest().actor()));
    let ask_with = |flow: Flow| {
        let new = NewSession { flow, reason: String::new(), consents: true, ..new() };
        give(&mut SessionState::default(), &guest(), NOW, SessionCommand::Create(Box::new(new)))
    };
    assert_eq!(ask_with(Flow::default()), Err(SessionRejection::RequestsNotAllowed));
    let strict = Flow {
        requests_allowed: true,
        name: crate::flow::Asked::Required,
        reason: crate::flow::Asked::Required,
        ..Flow::default()
    };
    let Err(SessionRejection::Invalid(wrong)) = ask_with(strict) else { panic!("not refused") };
    let fields: Vec<_> = wrong.iter().map(|wrong| wrong.field.as_str()).collect();
    assert_eq!(fields, ["requester_name", "reason", "consents"]);
}

#[test]
fn v_1_made_by_an_employee_it_is_confirmed_at_once() {
    let state = made(&host());
    assert_eq!((status(&state), content(&state).employee), (Status::Confirmed, Some(id(21))));
    assert_eq!(content(&state).requester, None);
}

#[test]
fn m_7_from_a_conversation_it_is_linked_and_only_for_those_who_may_write_there() {
    let from = |may_write| NewSession { conversation: Some((id(6), may_write)), ..new() };
    let mut state = SessionState::default();
    let told = give(&mut state, &host(), NOW, SessionCommand::Create(Box::new(from(false))));
    assert!(matches!(told, Err(SessionRejection::Denied(_))));
    give(&mut state, &host(), NOW, SessionCommand::Create(Box::new(from(true)))).expect("made");
    assert_eq!(content(&state).tickets, [id(5), id(6)]);
    assert_eq!(content(&state).conversation, Some(id(6)));
}

#[test]
fn v_2_a_requested_session_cannot_be_called_until_one_of_its_employees_confirms_it() {
    let mut state = made(&guest());
    for who in [guest(), boss()] {
        assert_eq!(act(&mut state, &who, joins(31)), Err(SessionRejection::NotConfirmed));
    }
    assert!(matches!(act(&mut state, &host(), Act::Confirm), Err(SessionRejection::Denied(_))));
    assert!(matches!(act(&mut state, &guest(), Act::Confirm), Err(SessionRejection::Denied(_))));
    let offered = Around { offered: true, ..around(true) };
    let command = SessionCommand::Act { act: Act::Confirm, around: offered };
    give(&mut state, &host(), NOW, command).expect("confirmed");
    assert_eq!((status(&state), content(&state).employee), (Status::Confirmed, Some(id(21))));
    assert_eq!(act(&mut state, &boss(), Act::Confirm), Err(SessionRejection::NotRequested));
}

#[test]
fn v_3_either_side_starts_and_both_at_once_is_one_call() {
    for (first, second) in [(host(), guest()), (guest(), host())] {
        let mut state = made(&host());
        let told = act(&mut state, &first, joins(31)).expect("joined");
        assert!(matches!(told[..], [SessionEvent::CallStarted { .. }]), "{told:?}");
        assert_eq!(status(&state), Status::InProgress);
        let told = act(&mut state, &second, joins(32)).expect("joined");
        assert!(matches!(told[..], [SessionEvent::Joined { .. }]), "{told:?}");
        let call = content(&state).call.clone().expect("a call");
        assert_eq!((call.number, content(&state).calls), (1, 1));
        assert_eq!(Some(call.started_by()), Side::of(&first));
        assert!(call.guest.is_some() && call.employee.is_some());
    }
}

#[test]
fn v_1_one_on_each_side_and_a_lost_place_is_free() {
    let mut state = called();
    let other = customer_user(3);
    assert_eq!(act(&mut state, &other, joins(33)), Err(SessionRejection::SideTaken));
    assert_eq!(act(&mut state, &boss(), joins(33)), Err(SessionRejection::SideTaken));
    give(&mut state, &system(), NOW, vanish(32, 42)).expect("gone");
    act(&mut state, &other, joins(33)).expect("the place is free");
    // What is left of the first guest changes nothing.
    for late in [vanish(32, 42), appear(32, 43)] {
        assert_eq!(give(&mut state, &system(), NOW, late), Ok(Vec::new()));
    }
}

#[test]
fn v_4_a_dropped_connection_is_not_an_end_within_the_grace_time() {
    let mut state = called();
    give(&mut state, &system(), "2026-01-01T00:01:00Z", vanish(32, 42)).expect("gone");
    assert!(content(&state).call.as_ref().expect("a call").quiet_since.is_none());
    give(&mut state, &system(), "2026-01-01T00:01:05Z", vanish(31, 41)).expect("gone");
    let call = content(&state).call.clone().expect("a call");
    assert_eq!(call.watch_at, time("2026-01-01T00:01:35Z"));
    // Back in time.
    give(&mut state, &system(), "2026-01-01T00:01:34Z", appear(32, 43)).expect("back");
    let early = SessionCommand::Watch { due: call.watch_at, alive: vec![id(43)], around: around(true) };
    assert_eq!(give(&mut state, &system(), "2026-01-01T00:01:35Z", early), Ok(Vec::new()));
    assert_eq!(status(&state), Status::InProgress);
    // Gone again, and not back.
    give(&mut state, &system(), "2026-01-01T00:02:00Z", vanish(32, 43)).expect("gone");
    let (due, command) = look(&state, &[]);
    assert_eq!(due, "2026-01-01T00:02:30+00:00");
    give(&mut state, &system(), &due, command).expect("over");
    assert_eq!((status(&state), content(&state).done_round), (Status::Done, 1));
    assert_eq!(content(&state).ended_at, Some(time("2026-01-01T00:02:30Z")));
}

#[test]
fn v_4_whoever_falls_silent_without_a_word_is_found_out() {
    let mut state = called();
    // Both are there: it is looked again later.
    let (due, command) = look(&state, &[41, 42]);
    give(&mut state, &system(), &due, command).expect("looked");
    // The process that served both is gone: the grace time begins.
    let (due, command) = look(&state, &[]);
    give(&mut state, &system(), &due, command).expect("looked");
    assert_eq!(status(&state), Status::InProgress);
    let call = content(&state).call.clone().expect("a call");
    assert_eq!(call.watch_at - time(&due), TimeDelta::seconds(30));
    let (due, command) = look(&state, &[]);
    give(&mut state, &system(), &due, command).expect("looked");
    assert_eq!(status(&state), Status::Done);
}

#[test]
fn v_4_whoever_joins_and_never_shows_up_is_not_there() {
    let mut state = made(&host());
    act(&mut state, &guest(), joins(31)).expect("joined");
    let (due, command) = look(&state, &[]);
    assert_eq!(due, "2026-01-01T00:00:30+00:00");
    give(&mut state, &system(), &due, command).expect("over");
    assert!(status(&state).is_over());
}

#[test]
fn v_4_the_call_ends_done_where_sessions_are_rated_and_else_closed() {
    for (rated, visibility, expected) in [
        (true, Visibility::Public, Status::Done),
        (false, Visibility::Public, Status::Closed),
        (true, Visibility::Internal, Status::Closed),
    ] {
        let mut state = made(&host());
        act(&mut state, &host(), Act::SetVisibility(visibility)).expect("set");
        act(&mut state, &host(), joins(31)).expect("joined");
        let hang_up = SessionCommand::Act { act: Act::End, around: around(rated) };
        give(&mut state, &host(), NOW, hang_up).expect("over");
        assert_eq!(status(&state), expected);
    }
}

#[test]
fn v_4_the_rating_closes_and_r_3_a_later_one_replaces_it() {
    let mut state = called();
    act(&mut state, &guest(), Act::End).expect("over");
    let rate = |round, score| SessionCommand::Rate { round, score };
    assert_eq!(give(&mut state, &system(), NOW, rate(7, Some(1))), Ok(Vec::new()));
    give(&mut state, &system(), NOW, rate(1, Some(4))).expect("rated");
    assert_eq!((status(&state), content(&state).rating), (Status::Closed, Some(4)));
    act(&mut state, &host(), Act::Reopen).expect("open again");
    act(&mut state, &guest(), joins(33)).expect("joined");
    act(&mut state, &host(), Act::End).expect("over");
    assert_eq!(give(&mut state, &system(), NOW, rate(1, Some(1))), Ok(Vec::new()));
    let told = give(&mut state, &system(), NOW, rate(2, Some(5))).expect("rated");
    assert!(matches!(told[0], SessionEvent::Rated { score: 5, previous: 4, .. }));
    assert_eq!((status(&state), content(&state).calls), (Status::Closed, 2));
}

#[test]
fn v_4_waived_it_closes_unrated() {
    let mut state = called();
    act(&mut state, &guest(), Act::End).expect("over");
    give(&mut state, &system(), NOW, SessionCommand::Rate { round: 1, score: None }).expect("closed");
    assert_eq!((status(&state), content(&state).rating), (Status::Closed, None));
}

#[test]
fn v_5_the_requester_withdraws_and_employees_cancel_which_ends_a_running_call() {
    let mut state = made(&guest());
    assert!(matches!(act(&mut state, &boss(), Act::Withdraw), Err(SessionRejection::Denied(_))));
    assert!(matches!(act(&mut state, &guest(), Act::Cancel), Err(SessionRejection::Denied(_))));
    act(&mut state, &guest(), Act::Withdraw).expect("withdrawn");
    assert_eq!(status(&state), Status::Cancelled);
    let mut state = called();
    let told = act(&mut state, &host(), Act::Cancel).expect("cancelled");
    assert!(matches!(told[..], [SessionEvent::CallEnded { .. }, SessionEvent::Cancelled { .. }]), "{told:?}");
    assert!(content(&state).call.is_none());
    assert_eq!(act(&mut state, &host(), Act::Cancel), Err(SessionRejection::Over));
}

#[test]
fn v_6_what_is_over_is_confirmed_again_with_everything_it_had() {
    for ending in [Act::Cancel, Act::End] {
        let mut state = called();
        let links = content(&state).tickets.clone();
        act(&mut state, &host(), ending).expect("over");
        assert_eq!(act(&mut state, &guest(), joins(33)), Err(SessionRejection::Over));
        assert!(matches!(act(&mut state, &guest(), Act::Reopen), Err(SessionRejection::Denied(_))));
        act(&mut state, &host(), Act::Reopen).expect("open again");
        assert_eq!((status(&state), &content(&state).tickets), (Status::Confirmed, &links));
        assert_eq!(act(&mut state, &host(), Act::Reopen), Err(SessionRejection::NotOver));
    }
}

#[test]
fn v_7_internal_it_is_not_there_for_those_outside_and_a_running_call_is_over() {
    let mut state = called();
    act(&mut state, &host(), Act::SetVisibility(Visibility::Internal)).expect("set");
    assert_eq!(status(&state), Status::Closed, "an internal session is never asked about (R-2)");
    for who in [guest(), customer_user(3)] {
        assert_eq!(act(&mut state, &who, Act::Consent(true)), Err(SessionRejection::Missing));
    }
    for who in [code_user(8), customer_user(8)] {
        assert_eq!(act(&mut called(), &who, joins(33)), Err(SessionRejection::Missing));
    }
}

#[test]
fn t_13_an_internal_ticket_takes_its_sessions_along() {
    let mut state = called();
    let hide = |ticket| SessionCommand::Hide { ticket: id(ticket), around: around(true) };
    assert_eq!(give(&mut state, &system(), NOW, hide(6)), Ok(Vec::new()), "not linked");
    assert!(matches!(give(&mut state, &boss(), NOW, hide(5)), Err(SessionRejection::Denied(_))));
    give(&mut state, &system(), NOW, hide(5)).expect("hidden");
    assert_eq!(content(&state).visibility, Visibility::Internal);
    assert!(content(&state).call.is_none());
}

#[test]
fn v_8_recordings_run_only_while_both_sides_consent() {
    let mut state = called();
    assert_eq!(act(&mut state, &host(), Act::Record(true)), Err(SessionRejection::NoConsent));
    act(&mut state, &guest(), Act::Consent(true)).expect("given");
    assert_eq!(act(&mut state, &host(), Act::Record(true)), Err(SessionRejection::NoConsent));
    act(&mut state, &host(), Act::Consent(true)).expect("given");
    assert!(matches!(act(&mut state, &guest(), Act::Record(true)), Err(SessionRejection::Denied(_))));
    assert!(matches!(act(&mut state, &boss(), Act::Record(true)), Err(SessionRejection::Denied(_))));
    act(&mut state, &host(), Act::Record(true)).expect("recording");
    let told = act(&mut state, &guest(), Act::Consent(false)).expect("withdrawn");
    assert!(matches!(told[1], SessionEvent::Recorded { running: false, .. }), "{told:?}");
    assert!(!content(&state).recording);
}

#[test]
fn v_8_consent_is_a_persons_whoever_comes_instead_is_asked_anew() {
    let mut state = called();
    act(&mut state, &guest(), Act::Consent(true)).expect("given");
    act(&mut state, &host(), Act::Consent(true)).expect("given");
    act(&mut state, &host(), Act::Record(true)).expect("recording");
    give(&mut state, &system(), NOW, vanish(32, 42)).expect("gone");
    assert!(content(&state).recording, "a dropped connection changes no consent");
    act(&mut state, &customer_user(3), joins(33)).expect("the place is free");
    assert!(!content(&state).recording);
    assert!(!content(&state).consents(Side::Guest));
}

/// What anybody may try.
fn any_act() -> impl Strategy<Value = Act> {
    prop_oneof![
        Just(Act::Confirm),
        Just(Act::Withdraw),
        Just(Act::Cancel),
        Just(Act::Reopen),
        any::<bool>().prop_map(|internal| Act::SetVisibility(if internal {
            Visibility::Internal
        } else {
            Visibility::Public
        })),
        (4..7_u128).prop_map(|ticket| Act::Link(id(ticket))),
        (4..7_u128).prop_map(|ticket| Act::Unlink(id(ticket))),
        any::<bool>().prop_map(Act::Consent),
        any::<bool>().prop_map(Act::Record),
        (31..35_u128).prop_map(joins),
        Just(Act::End),
    ]
}

/// What happens by itself.
#[derive(Debug, Clone)]
enum Step {
    Act(usize, Act, bool),
    Appear(u128, u128),
    Vanish(u128, u128),
    Look(Vec<u128>, bool),
    Rate(i32, Option<i32>),
    Hide(u128),
    Forget(u128),
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..5_usize, any_act(), any::<bool>()).prop_map(|(who, act, rated)| Step::Act(who, act, rated)),
        2 => (31..35_u128, 41..44_u128).prop_map(|(connection, stream)| Step::Appear(connection, stream)),
        1 => (31..35_u128, 41..44_u128).prop_map(|(connection, stream)| Step::Vanish(connection, stream)),
        1 => (prop::collection::vec(41..44_u128, 0..3), any::<bool>())
            .prop_map(|(alive, rated)| Step::Look(alive, rated)),
        1 => (0..3, prop::option::of(1..6)).prop_map(|(round, score)| Step::Rate(round, score)),
        1 => (4..7_u128).prop_map(Step::Hide),
        1 => (4..7_u128).prop_map(Step::Forget),
    ]
}

/// The ways a session may go (V-2 to V-6).
fn may_go(from: Status, to: Status) -> bool {
    use Status::{Cancelled, Closed, Confirmed, Done, InProgress, Requested};
    matches!(
        (from, to),
        (Requested, Confirmed | Cancelled)
            | (Confirmed, InProgress | Cancelled)
            | (InProgress, Done | Closed | Cancelled)
            | (Done, Closed | Cancelled | Confirmed)
            | (Closed | Cancelled, Confirmed)
    )
}

proptest! {
    /// Whatever comes: a session goes only the ways there are; a call runs exactly while it is IN_PROGRESS; nothing is
    /// recorded without both consents; buttons promise what is allowed.
    #[test]
    fn a_session_keeps_its_word(
        requested in any::<bool>(),
        steps in prop::collection::vec(any_step(), 1..60),
    ) {
        let people = [boss(), host(), employee(22, Role::Member), guest(), customer_user(3)];
        let mut state = made(if requested { &people[3] } else { &people[1] });
        let mut now = time(NOW);
        for step in steps {
            now += TimeDelta::seconds(7);
            let before = content(&state).clone();
            let (who, command) = match &step {
                Step::Act(who, act, rated) => {
                    (people[*who].clone(), SessionCommand::Act { act: *act, around: around(*rated) })
                }
                Step::Appear(connection, stream) => (system(), appear(*connection, *stream)),
                Step::Vanish(connection, stream) => (system(), vanish(*connection, *stream)),
                Step::Look(alive, rated) => {
                    let Some(call) = &before.call else { continue };
                    now = now.max(call.watch_at);
                    let alive = alive.iter().map(|stream| id(*stream)).collect();
                    let watch = SessionCommand::Watch { due: call.watch_at, alive, around: around(*rated) };
                    (system(), watch)
                }
                Step::Rate(round, score) => {
                    (system(), SessionCommand::Rate { round: *round, score: *score })
                }
                Step::Hide(ticket) => {
                    (system(), SessionCommand::Hide { ticket: id(*ticket), around: around(true) })
                }
                Step::Forget(ticket) => (system(), SessionCommand::Forget { ticket: id(*ticket) }),
            };
            let promised =
                if before.admits(&who) { before.moves(&who, false) } else { Moves::default() };
            let told = give(&mut state, &who, &now.to_rfc3339(), command);
            if let Step::Act(_, act, _) = &step {
                let expected = match act {
                    Act::Confirm => promised.confirm,
                    Act::Withdraw => promised.withdraw,
                    Act::Cancel => promised.cancel,
                    Act::Reopen => promised.reopen,
                    Act::SetVisibility(_) => promised.set_visibility,
                    Act::Link(_) => promised.link,
                    Act::Unlink(_) => promised.set_visibility,
                    Act::Consent(_) => promised.consent,
                    Act::Record(true) => promised.record,
                    Act::Record(false) | Act::AddFile(..) | Act::RemoveFile(_) => told.is_ok(),
                    Act::Join(..) => promised.join,
                    Act::End => promised.end,
                };
                prop_assert_eq!(told.is_ok(), expected, "{:?} {:?}", step, told);
            }
            let after = content(&state);
            if after.status != before.status {
                let internal_end = after.visibility == Visibility::Internal;
                prop_assert!(
                    may_go(before.status, after.status),
                    "{:?} {:?} → {:?} {}", step, before.status, after.status, internal_end
                );
            }
            prop_assert_eq!(after.call.is_some(), after.status == Status::InProgress);
            prop_assert!(!after.recording || after.may_be_recorded());
            prop_assert!(after.tickets.windows(2).all(|pair| pair[0] < pair[1]));
            prop_assert!(after.done_round >= before.done_round && after.calls >= before.calls);
            if let Some(call) = &after.call {
                let is_quiet = Side::ALL.iter().all(|side| !call.is_present(*side));
                prop_assert_eq!(call.quiet_since.is_some(), is_quiet);
                prop_assert!(call.watch_at <= now + TIMING.watch, "a call is always watched");
            }
        }
    }
}
