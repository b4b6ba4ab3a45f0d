//! Recordings and screenshots (V-8).

use super::*;

const WITHIN: &str = "2026-01-01T01:00:00Z";
const LATER: &str = "2026-01-01T01:00:01Z";

fn at(state: &mut SessionState, who: &Principal, now: &str, act: Act) -> Told {
    give(state, who, now, SessionCommand::Act { act, around: around(true) })
}

fn add(state: &mut SessionState, who: &Principal, now: &str, file: u128, kind: FileKind) -> Told {
    at(state, who, now, Act::AddFile(id(file), kind))
}

fn recorded() -> SessionState {
    let mut state = called();
    act(&mut state, &host(), Act::Consent(true)).expect("consent");
    act(&mut state, &guest(), Act::Consent(true)).expect("consent");
    act(&mut state, &host(), Act::Record(true)).expect("recording");
    state
}

fn files(state: &SessionState) -> Vec<(u128, FileKind, i32)> {
    let of = |file: &SessionFile| (file.id.uuid().as_u128(), file.kind, file.call);
    content(state).kept.files.iter().map(of).collect()
}

#[test]
fn v_8_a_recording_is_taken_of_whom_was_let_record_and_of_nobody_else() {
    let mut state = called();
    for who in [host(), guest(), boss()] {
        let told = add(&mut state, &who, NOW, 51, FileKind::Recording);
        assert_eq!(told, Err(SessionRejection::NotRecorded), "nobody was let record");
    }
    act(&mut state, &host(), Act::Consent(true)).expect("consent");
    assert_eq!(act(&mut state, &host(), Act::Record(true)), Err(SessionRejection::NoConsent));
    assert_eq!(
        add(&mut state, &host(), NOW, 51, FileKind::Recording),
        Err(SessionRejection::NotRecorded),
        "one consent is none"
    );

    let mut state = recorded();
    for who in [guest(), boss()] {
        let told = add(&mut state, &who, NOW, 51, FileKind::Recording);
        assert_eq!(told, Err(SessionRejection::NotRecorded), "somebody else recorded");
    }
    // A part while it runs, and the rest within an hour after the guest withdrew; then no more.
    add(&mut state, &host(), NOW, 51, FileKind::Recording).expect("taken");
    act(&mut state, &guest(), Act::Consent(false)).expect("withdrawn");
    assert!(!content(&state).recording);
    act(&mut state, &guest(), Act::End).expect("over");
    add(&mut state, &host(), WITHIN, 52, FileKind::Recording).expect("taken");
    assert_eq!(add(&mut state, &host(), WITHIN, 52, FileKind::Recording), Ok(Vec::new()), "once");
    let late = add(&mut state, &host(), LATER, 53, FileKind::Recording);
    assert_eq!(late, Err(SessionRejection::NotRecorded));
    assert_eq!(files(&state), [(51, FileKind::Recording, 1), (52, FileKind::Recording, 1)]);
}

#[test]
fn v_8_a_screenshot_is_taken_of_who_is_in_the_call_or_was_within_the_hour() {
    let mut state = called();
    for (file, who) in [(51, host()), (52, guest())] {
        add(&mut state, &who, NOW, file, FileKind::Screenshot).expect("taken");
    }
    let told = add(&mut state, &boss(), NOW, 53, FileKind::Screenshot);
    assert_eq!(told, Err(SessionRejection::NoCall), "who is not in the call sees nothing of it");
    act(&mut state, &guest(), Act::End).expect("over");
    add(&mut state, &guest(), WITHIN, 53, FileKind::Screenshot).expect("on its way");
    let late = add(&mut state, &guest(), LATER, 54, FileKind::Screenshot);
    assert_eq!(late, Err(SessionRejection::NoCall));
    assert_eq!(files(&state).len(), 3);
}

#[test]
fn v_7_an_internal_session_takes_no_file_from_outside() {
    let mut state = called();
    act(&mut state, &host(), Act::SetVisibility(Visibility::Internal)).expect("hidden");
    let told = add(&mut state, &guest(), NOW, 51, FileKind::Screenshot);
    assert_eq!(told, Err(SessionRejection::Missing));
    add(&mut state, &host(), NOW, 51, FileKind::Screenshot).expect("taken");
}

#[test]
fn files_are_removed_by_moderators_and_administrators() {
    let mut state = called();
    add(&mut state, &host(), NOW, 51, FileKind::Screenshot).expect("taken");
    for who in [host(), guest()] {
        let told = act(&mut state, &who, Act::RemoveFile(id(51)));
        assert!(matches!(told, Err(SessionRejection::Denied(_))), "{told:?}");
    }
    act(&mut state, &boss(), Act::RemoveFile(id(51))).expect("removed");
    assert_eq!(act(&mut state, &boss(), Act::RemoveFile(id(51))), Ok(Vec::new()), "gone already");
    assert_eq!(files(&state), []);
}

#[test]
fn a_session_has_at_most_a_hundred_files() {
    let mut state = called();
    for file in 0..100 {
        add(&mut state, &host(), NOW, file, FileKind::Screenshot).expect("taken");
    }
    let told = add(&mut state, &host(), NOW, 100, FileKind::Screenshot);
    assert!(matches!(told, Err(SessionRejection::Invalid(_))), "{told:?}");
}

#[test]
fn v_8_who_records_and_opens_the_call_elsewhere_records_no_more() {
    let mut state = recorded();
    act(&mut state, &guest(), joins(33)).expect("joined");
    assert!(content(&state).recording, "the guest's browser does not record");
    act(&mut state, &host(), joins(34)).expect("joined");
    assert!(!content(&state).recording);
    add(&mut state, &host(), NOW, 51, FileKind::Recording)
        .expect("what the browser left behind still brings");
}
