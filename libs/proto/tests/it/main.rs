//! The checked-in code is what the protos say.

#[path = "../../codegen.rs"]
mod codegen;

use std::collections::BTreeSet;

#[test]
fn generated_code_is_up_to_date() {
    for (name, content) in codegen::generate() {
        let path = codegen::folder().join(&name);
        let stored = std::fs::read(&path).unwrap_or_default();
        assert!(stored == content, "{name} is stale: run `make proto`");
    }
}

#[test]
fn every_event_has_its_own_subject_and_says_who_reacts() {
    let mut subjects = BTreeSet::new();
    for event in callboard_proto::EVENTS {
        assert!(subjects.insert((event.context, event.subject)), "{} is used twice", event.subject);
        assert_eq!(event.subject.split('.').count(), 2, "{}: aggregate.event", event.subject);
        assert!(!event.when.is_empty() && !event.reactions.is_empty(), "{}", event.kind);
    }
    assert!(subjects.len() > 40);
}

#[test]
fn what_lets_somebody_in_is_not_written_for_people() {
    use callboard_proto::directory::v1::{ScanCodeRequest, Tokens};
    let scan = ScanCodeRequest { pin: "1234".into(), language: "en".into(), ..ScanCodeRequest::default() };
    let shown = format!("{scan:?}");
    assert!(shown.contains("\"en\"") && shown.contains("…") && !shown.contains("1234"), "{shown}");
    let tokens =
        Tokens { access_token: "ey.a.b".into(), refresh_token: "family.1".into(), ..Tokens::default() };
    let shown = format!("{:?}", Some(tokens));
    assert!(!shown.contains("ey.a.b") && !shown.contains("family.1"), "{shown}");
}
