//! Comparing with what is kept in `goldens/`.

use std::path::{Path, PathBuf};

/// Where the goldens are.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("goldens")
}

/// Compares with a golden, or writes it when asked to.
pub fn compare(name: &str, found: &str) {
    let path = folder().join(name);
    if std::env::var_os("UPDATE_GOLDENS").is_some() {
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("to make the folder");
        std::fs::write(&path, found).expect("to write the golden");
        return;
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    let line = kept.lines().zip(found.lines()).position(|(kept, found)| kept != found);
    let line = line.unwrap_or_else(|| kept.lines().count().min(found.lines().count()));
    assert!(
        kept == found,
        "{name} differs from line {}:\n  kept  {:?}\n  found {:?}\nIf that is meant, run with UPDATE_GOLDENS=1.",
        line + 1,
        kept.lines().nth(line),
        found.lines().nth(line),
    );
}
