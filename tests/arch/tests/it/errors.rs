//! The catalogue of reasons knows every reason that the code gives.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::PathBuf;

use crate::sources::{code, root, sources};

/// The text in quotes at the beginning, if it looks like a reason.
fn reason(text: &str) -> Option<&str> {
    let word = text.trim_start().strip_prefix('"')?.split('"').next()?;
    let looks = word.len() >= 3 && word.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    looks.then_some(word)
}

/// Reasons in a source: what `fn reason` answers, and what refusals are made with.
fn reasons(source: &str) -> BTreeSet<String> {
    let code: String = code(source).flat_map(|(_, line)| [line, "\n"]).collect();
    let mut found = BTreeSet::new();
    for body in code.split("fn reason(&self)").skip(1) {
        let body = body.split("\n    }").next().unwrap_or_default();
        found.extend(
            body.split("=>")
                .skip(1)
                .filter_map(|arm| reason(arm.trim_start_matches([' ', '{', '\n'])))
                .map(str::to_owned),
        );
    }
    for maker in ["Refusal::new(", "Problem::new(", "refusal("] {
        for arguments in code.split(maker).skip(1) {
            let second = arguments.split_once(',').map_or("", |(_, rest)| rest);
            found.extend(reason(second).map(str::to_owned));
        }
    }
    found.extend(code.split("reason: ").skip(1).filter_map(reason).map(str::to_owned));
    found
}

#[test]
fn aip_193_every_reason_is_in_the_catalogue() {
    let catalogue = std::fs::read_to_string(root().join("docs/errors.md")).expect("the catalogue");
    let known: Vec<&str> =
        catalogue.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    let unique: BTreeSet<&&str> = known.iter().collect();
    assert_eq!(unique.len(), known.len(), "a reason is explained twice");
    let files = ["libs", "services"].into_iter().flat_map(sources);
    let files = files.filter(|(path, _)| {
        let parts: Vec<_> = path.iter().collect();
        !path.ends_with("tests.rs")
            && ["tests", "examples"].iter().all(|folder| !parts.contains(&OsStr::new(folder)))
    });
    let mut missing: BTreeMap<String, PathBuf> = BTreeMap::new();
    let mut all = 0;
    for (file, source) in files {
        for reason in reasons(&source) {
            all += 1;
            assert!(reason.len() <= 63, "{reason} is longer than AIP-193 allows");
            if !known.contains(&reason.as_str()) {
                missing.insert(reason, file.clone());
            }
        }
    }
    assert!(all > 40, "the search finds too little: {all}");
    assert!(missing.is_empty(), "docs/errors.md does not know {missing:#?}");
}
