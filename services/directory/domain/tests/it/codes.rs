use callboard_directory_domain::Refused;
use callboard_directory_domain::code::{Code, Command, Event, LOCK_OUT, PinProof, State, WRONG_PINS};
use callboard_kernel::{DeviceId, Role, Timestamp};
use uuid::Uuid;

use crate::world::{ask, at, code_user, employee, stranger, system};

fn device(number: u128) -> DeviceId {
    DeviceId(Uuid::from_u128(number))
}

fn made(device: Option<DeviceId>, pin: Option<&str>) -> State {
    let mut state = State::default();
    let create = Command::Create { token: "t".repeat(22), device, pin: pin.map(str::to_owned) };
    ask::<Code>(&mut state, &employee(Role::Administrator, &[]), at(0), &create).expect("to be made");
    state
}

fn admit(state: &mut State, now: Timestamp, proof: PinProof) -> Result<Vec<Event>, Refused> {
    ask::<Code>(state, &system(), now, &Command::Admit(proof))
}

fn pin(right: bool) -> PinProof {
    PinProof::Checked { against: "hash".into(), right }
}

fn refused(result: Result<Vec<Event>, Refused>) -> &'static str {
    callboard_kernel::Rejection::reason(&result.expect_err("a refusal"))
}

#[test]
fn d_3_a_paired_and_active_code_admits() {
    assert_eq!(admit(&mut made(Some(device(1)), None), at(1), PinProof::None), Ok(vec![]));
}

#[test]
fn d_3_unpaired_or_deactivated_admits_nobody() {
    assert_eq!(refused(admit(&mut made(None, None), at(1), PinProof::None)), "CODE_UNPAIRED");
    let mut code = made(Some(device(1)), None);
    ask::<Code>(&mut code, &system(), at(1), &Command::Deactivate).unwrap();
    assert_eq!(refused(admit(&mut code, at(2), PinProof::None)), "CODE_DEACTIVATED");
    ask::<Code>(&mut code, &system(), at(3), &Command::Activate).unwrap();
    assert!(admit(&mut code, at(4), PinProof::None).is_ok());
}

#[test]
fn d_3_a_pin_is_asked_for_and_five_wrong_ones_lock_it_for_a_quarter_of_an_hour() {
    let mut code = made(Some(device(1)), Some("hash"));
    assert_eq!(refused(admit(&mut code, at(0), PinProof::None)), "PIN_REQUIRED");
    for wrong_pins in 1..WRONG_PINS {
        let events = admit(&mut code, at(0), pin(false)).unwrap();
        assert_eq!(events, [Event::PinFailed { wrong_pins, locked_until: None }]);
    }
    let events = admit(&mut code, at(0), pin(false)).unwrap();
    assert_eq!(events, [Event::PinFailed { wrong_pins: 5, locked_until: Some(at(0) + LOCK_OUT) }]);
    assert_eq!(
        refused(admit(&mut code, at(899), pin(true))),
        "PIN_LOCKED",
        "the right one is not looked at either"
    );
    let events = admit(&mut code, at(900), pin(false)).unwrap();
    assert_eq!(events, [Event::PinFailed { wrong_pins: 1, locked_until: None }], "counts anew");
    assert_eq!(admit(&mut code, at(901), pin(true)), Ok(vec![Event::PinPassed]));
    assert_eq!(admit(&mut code, at(902), pin(true)), Ok(vec![]));
}

#[test]
fn d_3_a_pin_that_changed_while_it_was_checked_does_not_count() {
    let mut code = made(Some(device(1)), Some("other"));
    assert_eq!(refused(admit(&mut code, at(0), pin(true))), "PIN_CHANGED");
}

#[test]
fn d_3_a_new_pin_lifts_the_lock_out() {
    let mut code = made(Some(device(1)), Some("hash"));
    for _ in 0..WRONG_PINS {
        admit(&mut code, at(0), pin(false)).unwrap();
    }
    ask::<Code>(&mut code, &system(), at(1), &Command::SetPin(Some("hash".into()))).unwrap();
    assert_eq!(admit(&mut code, at(2), pin(true)), Ok(vec![]));
}

#[test]
fn d_3_and_d_4_what_ends_sessions_raises_the_epoch() {
    let epoch = |state: &State| match state {
        State::Kept(code) | State::Removed(code) => code.session_epoch,
        State::Absent => 0,
    };
    for (command, ends) in [
        (Command::EndSessions, true),
        (Command::Unpair, true),
        (Command::Deactivate, true),
        (Command::Delete, true),
        (Command::Pair(device(2)), true),
        (Command::Abandon(device(1)), true),
        (Command::Abandon(device(2)), false),
        (Command::Pair(device(1)), false),
        (Command::Activate, false),
        (Command::SetPin(Some("x".into())), false),
    ] {
        let mut code = made(Some(device(1)), None);
        ask::<Code>(&mut code, &system(), at(1), &command).unwrap();
        assert_eq!(epoch(&code) > 1, ends, "{command:?}");
    }
}

#[test]
fn permission_table_codes_are_for_administrators() {
    for who in [employee(Role::Moderator, &[]), employee(Role::Member, &[]), code_user(Uuid::nil())] {
        assert_eq!(
            refused(ask::<Code>(&mut made(None, None), &who, at(1), &Command::EndSessions)),
            "PERMISSION_DENIED"
        );
    }
    assert_eq!(
        refused(ask::<Code>(&mut made(None, None), &stranger(), at(1), &Command::Unpair)),
        "NOT_FOUND"
    );
    let admin = employee(Role::Administrator, &[]);
    let scan = ask::<Code>(&mut made(None, None), &admin, at(1), &Command::Admit(PinProof::None));
    assert_eq!(refused(scan), "PERMISSION_DENIED");
}
