//! The catalogue of reasons knows every reason that the code gives.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let name = entry.file_name();
        if path.is_dir() && name != "tests" && name != "gen" && name != "examples" {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The text in quotes at the beginning, if it looks like a reason.
fn reason(text: &str) -> Option<&str> {
    let word = text.trim_start().strip_prefix('"')?.split('"').next()?;
    let looks = word.len() >= 3 && word.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    looks.then_some(word)
}

/// Reasons in a source: what `fn reason` answers, and what refusals are made with.
fn reasons(source: &str) -> BTreeSet<String> {
    let code = source.split("#[cfg(test)]").next().unwrap_or_default();
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
    found
}

#[test]
fn aip_193_every_reason_is_in_the_catalogue() {
    let catalogue = std::fs::read_to_string(root().join("docs/errors.md")).expect("the catalogue");
    let known: Vec<&str> =
        catalogue.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    let unique: BTreeSet<&&str> = known.iter().collect();
    assert_eq!(unique.len(), known.len(), "a reason is explained twice");
    let mut files = Vec::new();
    sources(&root().join("libs"), &mut files);
    sources(&root().join("services"), &mut files);
    let mut missing: BTreeMap<String, PathBuf> = BTreeMap::new();
    let mut all = 0;
    for file in files {
        for reason in reasons(&std::fs::read_to_string(&file).unwrap_or_default()) {
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
