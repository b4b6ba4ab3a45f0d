//! What sources may not say.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the repository")
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a readable folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            if !path.ends_with("gen") && !path.ends_with("target") {
                rust_files(&path, found);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

pub fn sources(below: &str) -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    rust_files(&root().join(below), &mut files);
    assert!(!files.is_empty(), "{below} has sources");
    files.into_iter().map(|path| (path.clone(), fs::read_to_string(path).expect("a readable file"))).collect()
}

/// Code lines of a file with their numbers, without comments and without items that only tests have.
pub fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut kept = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        if line.trim() == "#[cfg(test)]" {
            let indent = line.len() - line.trim_start().len();
            // An item ends with a semicolon, or with the bracket that stands as far left as it began.
            let end = |line: &str| {
                let here = line.len() - line.trim_start().len() == indent;
                here && (line.ends_with(';') || line.trim_end() == format!("{}}}", " ".repeat(indent)))
            };
            lines.by_ref().find(|(_, line)| end(line));
        } else if !line.trim_start().starts_with("//") {
            kept.push((number + 1, line.split(" // ").next().unwrap_or(line)));
        }
    }
    kept.into_iter()
}

#[test]
fn items_of_tests_are_left_out_and_nothing_else() {
    let text = "one\n#[cfg(test)]\nmod tests;\ntwo // why\n// not\n#[cfg(test)]\nmod more {\n    fn a() {\n    }\n}\n\
                three\n    #[cfg(test)]\n    fn b(\n    ) {\n    }\n    four";
    let found: Vec<_> = code(text).collect();
    assert_eq!(found, [(1, "one"), (4, "two"), (11, "three"), (16, "    four")]);
}

#[test]
fn libs_hold_no_word_of_a_context() {
    let words = ["ticket", "offer", "dispatch", "rating", "messenger", "conversation"];
    for lib in ["actor", "journal", "bus", "service", "backing", "attachments"] {
        for (path, text) in sources(&format!("libs/{lib}/src")) {
            for (number, line) in code(&text) {
                let line_lower = line.to_lowercase();
                for word in words {
                    // "operating", "iterating" hold "rating" and mean nothing by it.
                    let found = line_lower
                        .split(|character: char| !character.is_ascii_alphabetic())
                        .any(|token| token == word || token.strip_suffix('s') == Some(word));
                    assert!(!found, "{}:{number}: {word} is a context's word", path.display());
                }
            }
        }
    }
}

#[test]
fn domain_crates_know_no_clock_no_randomness_and_no_wait() {
    let banned = ["::now()", "rand::", "async fn", ".await", "std::env", "std::fs", "std::net", "static mut"];
    let services = fs::read_dir(root().join("services")).expect("services").flatten();
    let domains: Vec<PathBuf> =
        services.map(|service| service.path().join("domain/src")).filter(|domain| domain.is_dir()).collect();
    assert!(domains.len() >= 4, "{domains:?}");
    for domain in domains {
        let below = domain.strip_prefix(root()).expect("below the root").to_string_lossy().into_owned();
        for (path, text) in sources(&below) {
            for (number, line) in code(&text) {
                for word in banned {
                    assert!(!line.contains(word), "{}:{number}: {word} in a domain crate", path.display());
                }
            }
        }
    }
}

#[test]
fn tests_do_not_sleep() {
    for below in ["libs", "services", "tests"] {
        for (path, text) in sources(below) {
            let relative = path.strip_prefix(root()).expect("below the root");
            if path.ends_with("arch/tests/it/sources.rs") {
                continue;
            }
            let of_tests = relative.components().any(|part| part.as_os_str() == "tests")
                || path.file_name().is_some_and(|name| name == "tests.rs");
            let productive: HashSet<usize> =
                if of_tests { HashSet::new() } else { code(&text).map(|(number, _)| number).collect() };
            let mut excused = false;
            for (number, line) in text.lines().enumerate() {
                if productive.contains(&(number + 1)) {
                    continue;
                }
                let sleeps = line
                    .split(|character: char| !character.is_ascii_alphanumeric() && !"_(".contains(character))
                    .any(|word| word.starts_with("sleep("));
                assert!(
                    !sleeps || excused,
                    "{}:{}: wait for the condition instead",
                    path.display(),
                    number + 1
                );
                // What a test plays, or time that stands still, is no waiting in hope.
                excused = ["// Slow on purpose:", "// Virtual time:", "// Between two looks:"]
                    .iter()
                    .any(|excuse| line.contains(excuse));
            }
        }
    }
}
