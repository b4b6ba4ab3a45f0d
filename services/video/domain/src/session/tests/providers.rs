//! Calls that a server carries, which is asked who is there (V-10).

use super::*;

fn in_livekit(connection: u128) -> Act {
    Act::Join(id(connection), Provider::Livekit)
}

/// The host (31) and the guest (32) have places; nobody has been seen yet.
fn joined() -> SessionState {
    let mut state = made(&host());
    act(&mut state, &host(), in_livekit(31)).expect("joined");
    act(&mut state, &guest(), in_livekit(32)).expect("joined");
    state
}

fn found(call: i32, present: &[(u128, u128)]) -> SessionCommand {
    let one =
        |(connection, stream): &(u128, u128)| Presence { connection: id(*connection), stream: id(*stream) };
    SessionCommand::Found { call, present: present.iter().map(one).collect(), timing: TIMING }
}

fn find(state: &mut SessionState, now: &str, present: &[(u128, u128)]) -> Vec<SessionEvent> {
    give(state, &system(), now, found(1, present)).expect("found")
}

fn present(state: &SessionState) -> [bool; 2] {
    let call = content(state).call.as_ref().expect("a call");
    [Side::Guest, Side::Employee].map(|side| call.is_present(side))
}

#[test]
fn v_10_the_provider_of_a_call_stays_until_it_ends() {
    let mut state = joined();
    let provider = |state: &SessionState| content(state).call.as_ref().expect("a call").provider;
    assert_eq!(provider(&state), Provider::Livekit);
    // The settings have changed: who joins, joins the call that runs.
    act(&mut state, &guest(), joins(33)).expect("joined");
    assert_eq!(provider(&state), Provider::Livekit);
    act(&mut state, &host(), Act::End).expect("over");
    act(&mut state, &host(), Act::Reopen).expect("open");
    act(&mut state, &host(), joins(34)).expect("joined");
    assert_eq!(provider(&state), Provider::BuiltIn);
    // Who is in a call from browser to browser is nobody else's to say.
    assert_eq!(give(&mut state, &system(), NOW, found(2, &[(34, 44)])), Ok(Vec::new()));
}

#[test]
fn v_10_whom_the_provider_names_is_there_and_whom_it_does_not_is_lost() {
    let mut state = joined();
    assert_eq!(find(&mut state, NOW, &[(31, 41), (32, 42)]).len(), 2);
    assert_eq!(present(&state), [true, true]);
    assert!(find(&mut state, NOW, &[(31, 41), (32, 42)]).is_empty(), "no news");
    // Gone and back by the same joining: another coming.
    assert_eq!(find(&mut state, NOW, &[(31, 41), (32, 43)]).len(), 1);
    // One goes and the other comes: the call has not been quiet.
    find(&mut state, NOW, &[(32, 43)]);
    let told = find(&mut state, NOW, &[(31, 44)]);
    assert_eq!((told.len(), present(&state)), (2, [false, true]));
    let quiet = |event: &SessionEvent| matches!(event, SessionEvent::Presence { quiet_since: Some(_), .. });
    assert!(!told.iter().any(quiet), "{told:?}");
    // Who has no place here is not there (V-1), and an answer about another call is late.
    assert!(find(&mut state, NOW, &[(31, 44), (99, 45)]).is_empty());
    assert_eq!(give(&mut state, &system(), NOW, found(2, &[])), Ok(Vec::new()));
    assert!(matches!(give(&mut state, &boss(), NOW, found(1, &[])), Err(SessionRejection::Denied(_))));
}

#[test]
fn v_4_nobody_in_the_room_for_the_grace_time_ends_the_call_and_one_keeps_it() {
    let mut state = joined();
    find(&mut state, NOW, &[(31, 41)]);
    let (later, watch) = look(&state, &[41]);
    give(&mut state, &system(), &later, watch).expect("watched");
    assert_eq!(status(&state), Status::InProgress, "one waits for the other");
    find(&mut state, "2026-01-01T00:10:00Z", &[]);
    let (end, watch) = look(&state, &[]);
    assert_eq!(end, "2026-01-01T00:10:30+00:00");
    give(&mut state, &system(), &end, watch).expect("watched");
    assert_eq!(status(&state), Status::Done);
}

#[test]
fn v_1_a_place_that_was_taken_over_is_not_the_others_any_more() {
    let mut state = joined();
    find(&mut state, NOW, &[(31, 41), (32, 42)]);
    act(&mut state, &guest(), in_livekit(33)).expect("from elsewhere");
    assert_eq!(present(&state), [false, true]);
    assert!(find(&mut state, NOW, &[(31, 41), (32, 42)]).is_empty(), "left behind");
    find(&mut state, NOW, &[(31, 41), (32, 42), (33, 43)]);
    assert_eq!(present(&state), [true, true]);
}

proptest! {
    /// Whatever was found before, and however often: what was found last is what is known.
    #[test]
    fn v_10_what_was_found_last_is_what_counts(
        answers in prop::collection::vec(prop::collection::vec((31..34_u128, 41..44_u128), 0..3), 1..20),
    ) {
        let mut state = joined();
        for answer in &answers {
            find(&mut state, NOW, answer);
            let call = content(&state).call.as_ref().expect("a call");
            let is_found = |connection: u128| answer.iter().any(|(found, _)| *found == connection);
            prop_assert_eq!(present(&state), [is_found(32), is_found(31)]);
            prop_assert_eq!(call.quiet_since.is_some(), !(is_found(31) || is_found(32)));
            let present: Vec<Presence> = answer
                .iter()
                .map(|(connection, stream)| Presence { connection: id(*connection), stream: id(*stream) })
                .collect();
            prop_assert!(call.agrees_with(&present));
        }
    }
}
