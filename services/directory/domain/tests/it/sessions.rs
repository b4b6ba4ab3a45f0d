use callboard_directory_domain::Refused;
use callboard_directory_domain::session::{Command, Ending, Event, Holder, Session, State};
use callboard_kernel::{Language, Role};
use uuid::Uuid;

use crate::world::{ask, at, employee, system};

fn opened() -> State {
    let mut state = None;
    let holder =
        Holder::CodeUser { code: Uuid::from_u128(1).into(), device: Uuid::from_u128(2).into(), epoch: 1 };
    let open = Command::Open {
        holder,
        language: Language::En,
        family: [1; 32],
        secret: [2; 32],
        expires_at: at(100),
    };
    ask::<Session>(&mut state, &system(), at(0), &open).expect("to be opened");
    state
}

fn refresh(secret: u8, next: u8) -> Command {
    Command::Refresh { family: [1; 32], secret: [secret; 32], next: [next; 32] }
}

#[test]
fn a_refresh_token_is_good_once() {
    let mut session = opened();
    assert!(matches!(
        ask::<Session>(&mut session, &system(), at(1), &refresh(2, 3)).unwrap()[..],
        [Event::Refreshed { .. }]
    ));
    assert!(matches!(
        ask::<Session>(&mut session, &system(), at(2), &refresh(3, 4)).unwrap()[..],
        [Event::Refreshed { .. }]
    ));
}

#[test]
fn a_refresh_token_used_twice_ends_the_session() {
    let mut session = opened();
    ask::<Session>(&mut session, &system(), at(1), &refresh(2, 3)).unwrap();
    let events = ask::<Session>(&mut session, &system(), at(2), &refresh(2, 9)).unwrap();
    assert_eq!(events, [Event::Ended { ending: Ending::Reused, at: at(2) }]);
    assert_eq!(ask::<Session>(&mut session, &system(), at(3), &refresh(3, 4)), Err(Refused::SessionEnded));
}

#[test]
fn a_made_up_refresh_token_has_no_effect() {
    let mut session = opened();
    let forged = Command::Refresh { family: [7; 32], secret: [2; 32], next: [9; 32] };
    assert_eq!(ask::<Session>(&mut session, &system(), at(1), &forged), Err(Refused::SessionEnded));
    assert!(ask::<Session>(&mut session, &system(), at(2), &refresh(2, 3)).is_ok());
}

#[test]
fn a_session_ends_at_its_time_however_often_it_is_refreshed() {
    let mut session = opened();
    ask::<Session>(&mut session, &system(), at(99), &refresh(2, 3)).unwrap();
    assert_eq!(ask::<Session>(&mut session, &system(), at(100), &refresh(3, 4)), Err(Refused::SessionEnded));
}

#[test]
fn an_ended_session_stays_ended() {
    let mut session = opened();
    ask::<Session>(&mut session, &system(), at(1), &Command::End { family: [1; 32] }).unwrap();
    assert_eq!(ask::<Session>(&mut session, &system(), at(2), &refresh(2, 3)), Err(Refused::SessionEnded));
    let admin = employee(Role::Administrator, &[]);
    assert!(matches!(ask::<Session>(&mut session, &admin, at(3), &refresh(2, 3)), Err(Refused::Denied(_))));
}
