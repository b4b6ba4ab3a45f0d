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
        // A list stands above what it is of; a file may have several handlers.
        let handlers: Vec<&str> = source.split("const HEARS: ").collect();
        assert_eq!(messages(handlers[0], "::TYPE"), BTreeSet::new(), "{}: above its list", path.display());
        for handler in &handlers[1..] {
            looked_at += 1;
            let (hears, takes) = (messages(handler, "::SUBJECT"), messages(handler, "::TYPE"));
            assert_eq!(hears, takes, "{}", path.display());
        }
    }
    assert!(looked_at > 10, "{looked_at}");
}
