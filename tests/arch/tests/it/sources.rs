//! What sources may not say.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
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

fn sources(below: &str) -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    rust_files(&root().join(below), &mut files);
    assert!(!files.is_empty(), "{below} has sources");
    files.into_iter().map(|path| (path.clone(), fs::read_to_string(path).expect("a readable file"))).collect()
}

/// Code lines of a file, without comments and without what follows `#[cfg(test)]`.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .take_while(|(_, line)| line.trim() != "#[cfg(test)]")
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
        .map(|(number, line)| (number + 1, line.split(" // ").next().unwrap_or(line)))
}

#[test]
fn libs_hold_no_word_of_a_context() {
    let words = ["ticket", "offer", "rating", "messenger", "conversation"];
    for lib in ["actor", "journal", "bus", "backing", "attachments"] {
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
            let is_test = relative.components().any(|part| part.as_os_str() == "tests");
            if !is_test || path.ends_with("arch/tests/it/sources.rs") {
                continue;
            }
            let mut excused = false;
            for (number, line) in text.lines().enumerate() {
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
