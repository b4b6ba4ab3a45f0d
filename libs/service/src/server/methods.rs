//! The RPCs that exist: names for metrics that nobody from outside can multiply.

use std::collections::HashSet;
use std::sync::OnceLock;

const FURNITURE: [&str; 4] = [
    "grpc.health.v1.Health/Check",
    "grpc.health.v1.Health/List",
    "grpc.health.v1.Health/Watch",
    "grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
];

/// `package.Service/Method` of every RPC.
pub(crate) fn all() -> &'static HashSet<&'static str> {
    static METHODS: OnceLock<HashSet<&'static str>> = OnceLock::new();
    METHODS.get_or_init(|| callboard_proto::METHODS.iter().chain(&FURNITURE).copied().collect())
}

/// The name of an RPC by its path; `other` where there is none.
pub(crate) fn known(path: &str) -> &'static str {
    path.strip_prefix('/').and_then(|path| all().get(path)).copied().unwrap_or("other")
}

/// Health and reflection are for everybody.
pub(crate) fn is_furniture(path: &str) -> bool {
    path.starts_with("/grpc.health.v1.Health/") || path.starts_with("/grpc.reflection.v1.ServerReflection/")
}
