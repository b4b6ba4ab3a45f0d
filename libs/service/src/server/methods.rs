//! The RPCs that exist: names for metrics that nobody from outside can multiply.

use std::collections::HashSet;
use std::sync::OnceLock;

use prost::Message;
use prost_types::FileDescriptorSet;

const FURNITURE: [&str; 4] = [
    "grpc.health.v1.Health/Check",
    "grpc.health.v1.Health/List",
    "grpc.health.v1.Health/Watch",
    "grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
];

/// `package.Service/Method` of every RPC.
pub(crate) fn all() -> &'static HashSet<String> {
    static METHODS: OnceLock<HashSet<String>> = OnceLock::new();
    METHODS.get_or_init(|| {
        let files = FileDescriptorSet::decode(callboard_proto::FILE_DESCRIPTOR_SET).unwrap_or_default();
        let of_protos = files.file.iter().flat_map(|file| {
            file.service.iter().flat_map(|service| {
                service
                    .method
                    .iter()
                    .map(|method| format!("{}.{}/{}", file.package(), service.name(), method.name()))
            })
        });
        of_protos.chain(FURNITURE.iter().map(|&name| name.to_owned())).collect()
    })
}

/// The name of an RPC by its path; `other` where there is none.
pub(crate) fn known(path: &str) -> &'static str {
    path.strip_prefix('/').and_then(|path| all().get(path)).map_or("other", String::as_str)
}

/// Health and reflection are for everybody.
pub(crate) fn is_furniture(path: &str) -> bool {
    path.starts_with("/grpc.health.v1.Health/") || path.starts_with("/grpc.reflection.v1.ServerReflection/")
}
