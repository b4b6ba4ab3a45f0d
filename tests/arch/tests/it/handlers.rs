//! What handlers of events say of themselves.

use std::collections::BTreeSet;

use crate::sources::{code, sources};

/// The messages that are followed by `what` in a source: `OfferAccepted` of `proto::OfferAccepted::TYPE`.
fn messages<'a>(source: &'a str, what: &str) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::new();
    for (_, line) in code(source) {
        for (at, _) in line.match_indices(what) {
            let before = &line[..at];
            let begin = before.rfind(|letter: char| !letter.is_alphanumeric()).map_or(0, |at| at + 1);
            found.insert(&before[begin..]);
        }
    }
    found
}

/// What is missing in `HEARS` is never sent to the handler; what nobody handles is sent for nothing.
#[test]
fn handlers_hear_what_they_take_and_nothing_else() {
    let mut looked_at = 0;
    for (path, source) in sources("services") {
        if !source.contains("HEARS: ") {
            continue;
        }
        looked_at += 1;
        let (hears, takes) = (messages(&source, "::SUBJECT"), messages(&source, "::TYPE"));
        assert_eq!(hears, takes, "{}", path.display());
    }
    assert!(looked_at > 10, "{looked_at}");
}
