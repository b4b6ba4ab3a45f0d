//! Which binaries are taken: named, on the path, pinned; and what is refused.

use std::path::{Path, PathBuf};

use callboard_backing::{Choice, Error, PINNED, Program, Search, Version};

use crate::script;

const PINNED_VERSION: Version = Version { major: 18, minor: 6, patch: 0 };

fn version(major: u32, minor: u32) -> Version {
    Version { major, minor, patch: 0 }
}

/// A world with one Postgres per (folder, version).
struct World {
    root: tempfile::TempDir,
    folders: Vec<(PathBuf, Version)>,
}

impl World {
    fn with(postgres: &[(&str, Version)]) -> Self {
        let root = tempfile::tempdir().expect("a temporary folder");
        let folders = postgres
            .iter()
            .map(|(name, version)| {
                let folder = root.path().join(name);
                script(&folder.join("initdb"), "");
                let executable = script(&folder.join("postgres"), "");
                (executable.parent().expect("has a parent").to_owned(), *version)
            })
            .collect();
        Self { root, folders }
    }

    fn search(&self) -> Search {
        let folders = self.folders.iter().map(|(folder, _)| folder.clone()).collect();
        Search { program: Program::Postgres, named: None, folders }
    }

    fn choose(&self, search: &Search, data: Option<u32>) -> Result<Choice, Error> {
        let probe = |executable: &Path| {
            let folder = executable.parent().expect("has a parent");
            let found = self.folders.iter().find(|(candidate, _)| candidate == folder);
            found.map(|(_, version)| *version).ok_or_else(|| "unknown".to_owned())
        };
        search.choose(probe, PINNED_VERSION, data.map(|major| (major, Path::new("/the/data"))))
    }

    fn installed(&self, index: usize) -> Choice {
        let (folder, version) = &self.folders[index];
        Choice::Installed(folder.join("postgres"), *version)
    }
}

#[test]
fn the_first_on_the_path_that_is_new_enough_is_taken() {
    let world = World::with(&[("old", version(14, 9)), ("good", version(15, 18)), ("newer", version(17, 1))]);
    assert_eq!(world.choose(&world.search(), None).expect("a choice"), world.installed(1));
}

#[test]
fn the_pinned_one_is_taken_when_all_found_are_too_old_or_none_is_there() {
    let world = World::with(&[("old", version(14, 9)), ("older", version(9, 6))]);
    assert_eq!(world.choose(&world.search(), None).expect("a choice"), Choice::Pinned);
    let world = World::with(&[]);
    assert_eq!(world.choose(&world.search(), None).expect("a choice"), Choice::Pinned);
}

#[test]
fn a_postgres_without_initdb_does_not_count() {
    let world = World::with(&[("half", version(16, 0)), ("whole", version(17, 0))]);
    std::fs::remove_file(world.root.path().join("half/initdb")).expect("was there");
    assert_eq!(world.choose(&world.search(), None).expect("a choice"), world.installed(1));
}

#[test]
fn a_named_one_goes_before_the_path_by_folder_and_by_file() {
    let world = World::with(&[("path", version(17, 0)), ("named", version(16, 0))]);
    for named in ["named", "named/postgres"] {
        let search = Search {
            named: Some(world.root.path().join(named)),
            folders: vec![world.folders[0].0.clone()],
            ..world.search()
        };
        assert_eq!(world.choose(&search, None).expect("a choice"), world.installed(1), "{named}");
    }
}

#[test]
fn a_named_one_that_is_too_old_is_refused_with_its_version_and_the_minimum() {
    let world = World::with(&[("named", version(14, 9)), ("path", version(17, 0))]);
    let search = Search { named: Some(world.folders[0].0.clone()), ..world.search() };
    let error = world.choose(&search, None).expect_err("too old");
    assert!(matches!(error, Error::TooOld { .. }), "{error:?}");
    let text = error.to_string();
    for part in ["14.9", "15.0", "CALLBOARD_POSTGRES_BIN"] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn a_named_one_that_is_not_there_is_refused_even_if_the_path_has_one() {
    let world = World::with(&[("path", version(17, 0))]);
    let search = Search { named: Some("/nowhere/bin".into()), ..world.search() };
    let error = world.choose(&search, None).expect_err("not there");
    assert!(matches!(error, Error::Unusable { .. }), "{error:?}");
}

#[test]
fn the_word_pinned_passes_over_what_is_on_the_path() {
    let world = World::with(&[("path", version(17, 0))]);
    let search = Search { named: Some(PINNED.into()), ..world.search() };
    assert_eq!(world.choose(&search, None).expect("a choice"), Choice::Pinned);
}

#[test]
fn data_is_opened_by_the_major_version_that_wrote_it_or_not_at_all() {
    let world = World::with(&[("new", version(17, 0)), ("matching", version(16, 3))]);
    assert_eq!(world.choose(&world.search(), Some(16)).expect("a choice"), world.installed(1));
    assert_eq!(world.choose(&world.search(), Some(18)).expect("a choice"), Choice::Pinned);
    let error = world.choose(&world.search(), Some(15)).expect_err("nothing opens it");
    assert!(matches!(error, Error::OtherMajor { data: 15, .. }), "{error:?}");
    assert!(error.to_string().contains("/the/data was written by Postgres 15"), "{error}");

    let named = Search { named: Some(world.folders[0].0.clone()), ..world.search() };
    let error = world.choose(&named, Some(16)).expect_err("the named one is another major");
    assert!(matches!(error, Error::OtherMajor { data: 16, .. }), "{error:?}");
}
