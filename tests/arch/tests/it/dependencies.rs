//! Who may depend on whom.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};

/// Contexts: every service with a domain crate, so that a new one is held to the rules from its first day.
fn contexts(crates: &BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    let found: Vec<String> = crates
        .keys()
        .filter_map(|name| name.strip_prefix("callboard-")?.strip_suffix("-domain"))
        .map(str::to_owned)
        .collect();
    for known in ["directory", "tickets", "fleet", "ratings"] {
        assert!(found.iter().any(|context| context == known), "{known} among {found:?}");
    }
    found
}

fn metadata() -> Metadata {
    MetadataCommand::new()
        .manifest_path(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../Cargo.toml"))
        .no_deps()
        .exec()
        .expect("cargo metadata")
}

/// Direct dependencies of every workspace crate, without those for tests.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let crates: BTreeMap<_, _> = metadata()
        .workspace_packages()
        .into_iter()
        .map(|package| {
            let names = package
                .dependencies
                .iter()
                .filter(|dependency| dependency.kind != DependencyKind::Development)
                .map(|dependency| dependency.name.clone());
            (package.name.to_string(), names.collect())
        })
        .collect();
    assert!(crates.len() > 15, "the workspace was read");
    crates
}

fn ours(names: &BTreeSet<String>) -> BTreeSet<&str> {
    names.iter().filter_map(|name| name.strip_prefix("callboard-")).collect()
}

#[test]
fn domain_crates_are_pure() {
    let allowed = ["callboard-kernel", "serde", "thiserror", "uuid", "chrono"];
    // Calendar arithmetic (K-1, RFC 5545): tables and pure functions, no clock and no files.
    let of_tasks = ["chrono-tz", "rrule"];
    let crates = dependencies();
    for context in contexts(&crates) {
        for name in &crates[&format!("callboard-{context}-domain")] {
            let fits =
                allowed.contains(&name.as_str()) || context == "tasks" && of_tasks.contains(&name.as_str());
            assert!(fits, "{context}-domain may not depend on {name}");
        }
    }
}

#[test]
fn the_kernel_brings_no_runtime_into_the_domains() {
    let allowed = ["chrono", "rand", "serde", "thiserror", "uuid"];
    for name in &dependencies()["callboard-kernel"] {
        assert!(allowed.contains(&name.as_str()), "the kernel may not depend on {name}");
    }
}

#[test]
fn libs_depend_only_downwards() {
    let allowed: BTreeMap<&str, &[&str]> = BTreeMap::from([
        ("kernel", &[][..]),
        ("proto", &[]),
        ("actor", &["kernel"]),
        ("bus", &["kernel"]),
        ("auth", &["kernel"]),
        ("journal", &["kernel", "actor", "bus"]),
        ("service", &["kernel", "proto", "actor", "journal", "bus", "auth"]),
        ("attachments", &["kernel", "proto", "auth", "service"]),
        ("backing", &[]),
        ("testkit", &["kernel", "backing"]),
    ]);
    let crates = dependencies();
    for (lib, allowed) in allowed {
        for name in ours(&crates[&format!("callboard-{lib}")]) {
            assert!(allowed.contains(&name), "libs/{lib} may not depend on {name}");
        }
    }
}

#[test]
fn services_never_depend_on_each_other() {
    let libs = ["kernel", "proto", "actor", "journal", "bus", "auth", "service", "attachments"];
    let crates = dependencies();
    for context in contexts(&crates) {
        let own = format!("{context}-domain");
        for name in ours(&crates[&format!("callboard-{context}")]) {
            assert!(libs.contains(&name) || name == own, "services/{context} may not depend on {name}");
        }
    }
}

#[test]
fn the_gateway_has_no_database_and_hosts_no_aggregate() {
    let crates = dependencies();
    let gateway = &crates["callboard-gateway"];
    for banned in ["sqlx", "callboard-actor", "callboard-journal"] {
        assert!(!gateway.contains(banned), "the gateway may not depend on {banned}");
    }
    for context in contexts(&crates) {
        assert!(!gateway.contains(&format!("callboard-{context}")));
    }
}

#[test]
fn only_standalone_composes_services_and_only_tests_use_the_testkit() {
    let crates = dependencies();
    for (name, dependencies) in &crates {
        if name == "callboard-standalone" {
            continue;
        }
        for context in contexts(&crates) {
            let service = format!("callboard-{context}");
            assert!(
                *name == service || !dependencies.contains(&service),
                "{name} may not depend on {service}"
            );
        }
        let of_tests =
            ["callboard-browser-tests", "callboard-e2e-tests", "callboard-load", "callboard-stage"];
        let is_tests = of_tests.contains(&name.as_str());
        assert!(is_tests || !dependencies.contains("callboard-testkit"), "{name}: the testkit is for tests");
    }
}

/// The stage is what the tests of every service share, hence the one crate outside `libs/` that services may use, in
/// their tests alone. That is sound as long as it knows none of them.
#[test]
fn the_stage_depends_on_no_service_and_only_tests_use_it() {
    let crates = dependencies();
    let libs = ["kernel", "proto", "actor", "journal", "bus", "auth", "service", "testkit"];
    for name in ours(&crates["callboard-stage"]) {
        assert!(libs.contains(&name), "tests/stage may not depend on {name}");
    }
    for (name, dependencies) in &crates {
        assert!(!dependencies.contains("callboard-stage"), "{name}: the stage is for tests");
    }
}
