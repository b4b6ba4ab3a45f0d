//! Tickets of a session (V-9).

use super::*;
use crate::MAX_TICKETS;

#[test]
fn v_9_tickets_are_linked_once_and_unlinked_and_t_11_a_deleted_one_is_forgotten() {
    let mut state = made(&host());
    act(&mut state, &host(), Act::Link(id(4))).expect("linked");
    assert_eq!(act(&mut state, &host(), Act::Link(id(4))), Ok(Vec::new()));
    assert_eq!(content(&state).tickets, [id(4), id(5)]);
    let stranger = employee(22, Role::Member);
    assert!(matches!(act(&mut state, &stranger, Act::Unlink(id(4))), Err(SessionRejection::Denied(_))));
    act(&mut state, &host(), Act::Unlink(id(4))).expect("unlinked");
    give(&mut state, &system(), NOW, SessionCommand::Forget { ticket: id(5) }).expect("forgotten");
    assert!(content(&state).tickets.is_empty());
}

#[test]
fn v_9_a_session_with_fifty_tickets_promises_no_link_that_would_be_refused() {
    let mut state = made(&host());
    let promised = |state: &SessionState| content(state).moves(&host(), false).link;
    let mut number = 100;
    while content(&state).tickets.len() < MAX_TICKETS {
        assert!(promised(&state));
        act(&mut state, &host(), Act::Link(id(number))).expect("linked");
        number += 1;
    }
    assert!(!promised(&state));
    assert!(matches!(act(&mut state, &host(), Act::Link(id(number))), Err(SessionRejection::Invalid(_))));
    // One that is linked already is no other one, and there is room again when one goes.
    assert_eq!(act(&mut state, &host(), Act::Link(id(100))), Ok(Vec::new()));
    act(&mut state, &host(), Act::Unlink(id(100))).expect("unlinked");
    assert!(promised(&state));
}
