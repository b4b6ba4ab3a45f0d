//! Turns `proto/` into Rust: messages, services, the descriptor set, and what each event is called.
//! Shared by `examples/generate.rs`, which writes, and `tests/it`, which compares.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use prost::Message as _;
use prost_types::{FileDescriptorProto, FileDescriptorSet};

/// Generated files by name, as they belong into `src/gen`.
pub fn generate() -> BTreeMap<String, Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto");
    let mut files = Vec::new();
    collect(&root, &mut files);
    files.sort();
    let descriptors = protox::Compiler::new([&root])
        .expect("the proto folder")
        .include_source_info(true)
        .include_imports(true)
        .open_files(&files)
        .expect("valid protos")
        .file_descriptor_set();

    let out = std::env::temp_dir().join(format!("callboard-proto-{}", std::process::id()));
    std::fs::create_dir_all(&out).expect("a temporary folder");
    tonic_prost_build::configure()
        .build_transport(false)
        .btree_map(".")
        .skip_debug(with_secrets(&descriptors).map(|(file, message)| path(file, message)))
        .emit_rerun_if_changed(false)
        .out_dir(&out)
        .compile_fds(descriptors.clone())
        .expect("code from descriptors");

    let mut generated = BTreeMap::new();
    for entry in std::fs::read_dir(&out).expect("the temporary folder").flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with("callboard.") {
            generated.insert(name, std::fs::read(entry.path()).expect("a generated file"));
        }
    }
    std::fs::remove_dir_all(&out).expect("to remove the temporary folder");
    generated.insert("events.rs".to_owned(), events(&descriptors).into_bytes());
    generated.insert("veiled.rs".to_owned(), veiled(&descriptors).into_bytes());
    generated.insert("methods.rs".to_owned(), methods(&descriptors).into_bytes());
    generated.insert("pages.rs".to_owned(), pages(&descriptors).into_bytes());
    generated.insert(CATALOGUE.to_owned(), catalogue(&descriptors).into_bytes());
    generated.insert("descriptors.bin".to_owned(), descriptors.encode_to_vec());
    generated
}

/// The catalogue of events, relative to `src/gen`.
const CATALOGUE: &str = "../../../../docs/events.md";

/// Where the generated files live.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/gen")
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a readable proto folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "proto") {
            files.push(path);
        }
    }
}

/// Fields that let somebody in: whoever reads them in a log could take another's place.
fn is_secret(field: &str) -> bool {
    matches!(field, "pin" | "token" | "secret")
        || (field.ends_with("_token") && !field.ends_with("page_token"))
}

fn with_secrets(
    descriptors: &FileDescriptorSet,
) -> impl Iterator<Item = (&FileDescriptorProto, &prost_types::DescriptorProto)> {
    let ours = descriptors.file.iter().filter(|file| file.package().starts_with("callboard."));
    ours.flat_map(|file| file.message_type.iter().map(move |message| (file, message)))
        .filter(|(_, message)| message.field.iter().any(|field| is_secret(field.name())))
}

fn path(file: &FileDescriptorProto, message: &prost_types::DescriptorProto) -> String {
    format!(".{}.{}", file.package(), message.name())
}

/// `impl Debug` without secrets.
fn veiled(descriptors: &FileDescriptorSet) -> String {
    let mut code = String::from("// @generated from messages that hold a PIN, a token or a secret.\n");
    for (file, message) in with_secrets(descriptors) {
        let context = file.package().split('.').nth(1).expect("callboard.<context>.v1");
        let name = message.name();
        let mut fields = String::new();
        let mut oneofs = std::collections::BTreeSet::new();
        for field in &message.field {
            let shown = match field.oneof_index {
                Some(index) if !field.proto3_optional() => {
                    if !oneofs.insert(index) {
                        continue;
                    }
                    assert!(!is_secret(field.name()), "a secret in a oneof is not veiled: {name}");
                    message.oneof_decl[usize::try_from(index).expect("an index")].name()
                }
                _ => field.name(),
            };
            let value = if is_secret(shown) {
                format!("&crate::veil(&self.{shown})")
            } else {
                format!("&self.{shown}")
            };
            writeln!(fields, "            .field({shown:?}, {value})").expect("writing to a string");
        }
        writeln!(
            code,
            "\nimpl ::core::fmt::Debug for crate::{context}::v1::{name} {{\n    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> \
             ::core::fmt::Result {{\n        f.debug_struct({name:?})\n{fields}            .finish()\n    }}\n}}"
        )
        .expect("writing to a string");
    }
    code
}

/// `package.Service/Method` of every RPC.
fn methods(descriptors: &FileDescriptorSet) -> String {
    let mut code = String::from(
        "// @generated from services.\n\n/// `package.Service/Method` of every RPC of the platform, in the order of the \
         protos.\npub const METHODS: &[&str] = &[\n",
    );
    for file in &descriptors.file {
        for service in &file.service {
            for method in &service.method {
                writeln!(code, "    \"{}.{}/{}\",", file.package(), service.name(), method.name())
                    .expect("writing to a string");
            }
        }
    }
    code.push_str("];\n");
    code
}

/// `impl Paged` for every request with `page_size` and `page_token` (AIP-158).
fn pages(descriptors: &FileDescriptorSet) -> String {
    let mut code = String::from("// @generated from requests with a page_token.\n");
    for file in &descriptors.file {
        let Some(context) =
            file.package().strip_prefix("callboard.").and_then(|rest| rest.strip_suffix(".v1"))
        else {
            continue;
        };
        for message in &file.message_type {
            let has = |name: &str| message.field.iter().any(|field| field.name() == name);
            if !has("page_token") || !has("page_size") {
                continue;
            }
            let name = message.name();
            let full = format!("{}.{name}", file.package());
            writeln!(
                code,
                "\nimpl crate::Paged for crate::{context}::v1::{name} {{\n    const NAME: &'static str = {full:?};\n\n    \
                 fn of_any_page(&self) -> Self {{\n        Self {{ page_size: 0, page_token: String::new(), \
                 ..self.clone() }}\n    }}\n}}"
            )
            .expect("writing to a string");
        }
    }
    code
}

/// `impl Event` for every message of an `events.proto` whose comment has a `Subject:` line, and the catalogue.
fn events(descriptors: &FileDescriptorSet) -> String {
    let mut code = String::from("// @generated from the comments of events.proto files.\n\n");
    let mut catalogue = String::new();
    for file in &descriptors.file {
        if !file.name().ends_with("/events.proto") {
            continue;
        }
        let package = file.package();
        let context = package.split('.').nth(1).expect("callboard.<context>.v1");
        for (index, message) in file.message_type.iter().enumerate() {
            let comment = leading_comment(file, index);
            let Some(subject) = line(&comment, "Subject: ") else { continue };
            let reactions = line(&comment, "Reactions: ").expect("every event says who reacts");
            let when = comment.lines().take_while(|line| !line.trim().is_empty()).map(str::trim);
            let when = when.collect::<Vec<_>>().join(" ");
            let name = message.name();
            let kind = format!("{package}.{name}");
            writeln!(
                code,
                "impl crate::Event for crate::{context}::v1::{name} {{\n    const CONTEXT: &'static str = {context:?};\n    \
                 const SUBJECT: &'static str = {subject:?};\n    const TYPE: &'static str = {kind:?};\n}}\n"
            )
            .expect("writing to a string");
            writeln!(
                catalogue,
                "    crate::EventDescription {{\n        context: {context:?},\n        subject: {subject:?},\n        \
                 kind: {kind:?},\n        when: {when:?},\n        reactions: {reactions:?},\n    }},"
            )
            .expect("writing to a string");
        }
    }
    writeln!(
        code,
        "/// Every event of the platform, in the order of the protos.\npub const EVENTS: &[crate::EventDescription] = &[\n{catalogue}];"
    )
    .expect("writing to a string");
    code
}

fn leading_comment(file: &FileDescriptorProto, message: usize) -> String {
    let path = [4, i32::try_from(message).expect("few messages")];
    file.source_code_info
        .iter()
        .flat_map(|info| &info.location)
        .find(|location| location.path == path)
        .map(|location| location.leading_comments().to_owned())
        .unwrap_or_default()
}

fn line<'a>(comment: &'a str, prefix: &str) -> Option<&'a str> {
    comment.lines().find_map(|line| line.trim().strip_prefix(prefix))
}

/// `docs/events.md`: every event with subject, payload, when and who reacts.
fn catalogue(descriptors: &FileDescriptorSet) -> String {
    let mut page = String::from(
        "# Events\n\n<!-- Generated from proto/ by `make proto`. Do not edit. -->\n\n\
         What Callboard publishes on NATS JetStream. Each context writes one stream, `CALLBOARD_<CONTEXT>`; an event's\n\
         subject is `callboard.<organisation>.<context>.<event>.v1`, so `callboard.*.tickets.>` is all of tickets and\n\
         `callboard.<organisation>.>` all of one organisation.\n\n\
         The payload is the protobuf message named in `ce-type`; the attributes are CloudEvents 1.0 in binary mode, as\n\
         lower-case headers:\n\n\
         | header | what it holds |\n|---|---|\n\
         | `ce-specversion` | `1.0` |\n| `ce-datacontenttype` | `application/protobuf` |\n\
         | `ce-id`, `Nats-Msg-Id` | UUIDv7 of the event; the same again when it is delivered or published again |\n\
         | `ce-type` | full name of the message |\n| `ce-source` | `/callboard/<context>` |\n\
         | `ce-subject`, `ce-partitionkey` | id of the aggregate; order is promised within it and nowhere else |\n\
         | `ce-time` | when it was decided |\n| `ce-tenantid` | the organisation |\n\
         | `ce-aggregateversion` | version of the aggregate after the command |\n\
         | `ce-sequence` | the same, zero-padded, so that text compares like numbers |\n\
         | `ce-correlationid` | ties a chain together: the first command's id |\n\
         | `ce-causationid` | the event that caused it; missing when it was done by hand |\n\
         | `ce-authtype`, `ce-authid` | who did it, by id |\n| `ce-traceparent` | W3C trace context |\n\n\
         Delivery is at least once: keep `ce-id` of what you have done. Within `v1` changes are additive; ignore types and\n\
         fields you do not know. Free text, names and addresses of people stay in the context that owns them.\n",
    );
    for file in &descriptors.file {
        if !file.name().ends_with("/events.proto") {
            continue;
        }
        let context = file.package().split('.').nth(1).expect("callboard.<context>.v1");
        writeln!(page, "\n## {context}\n").expect("writing to a string");
        let about = file_comment(file);
        if !about.is_empty() {
            writeln!(page, "{about}\n").expect("writing to a string");
        }
        for (index, message) in file.message_type.iter().enumerate() {
            let comment = leading_comment(file, index);
            let Some(subject) = line(&comment, "Subject: ") else { continue };
            let reactions = line(&comment, "Reactions: ").expect("every event says who reacts");
            let when = comment.lines().take_while(|line| !line.trim().is_empty()).map(str::trim);
            let when = when.collect::<Vec<_>>().join(" ");
            writeln!(
                page,
                "### `{subject}`\n\n{when}\n\n- Subject: `callboard.<organisation>.{context}.{subject}.v1`\n- Payload: `{}.{}`{}\n- Reactions: {reactions}\n",
                file.package(),
                message.name(),
                fields(message)
            )
            .expect("writing to a string");
        }
        writeln!(page, "Messages within:\n").expect("writing to a string");
        for (index, message) in file.message_type.iter().enumerate() {
            let comment = leading_comment(file, index);
            if line(&comment, "Subject: ").is_none() {
                writeln!(
                    page,
                    "- `{}`: {}{}",
                    message.name(),
                    comment.trim().replace('\n', " "),
                    fields(message)
                )
                .expect("writing to a string");
            }
        }
    }
    page.truncate(page.trim_end().len());
    page.push('\n');
    page
}

/// What stands above `syntax`.
fn file_comment(file: &FileDescriptorProto) -> String {
    // descriptor.proto: FileDescriptorProto.syntax
    const SYNTAX: [i32; 1] = [12];
    let locations = file.source_code_info.iter().flat_map(|info| &info.location);
    let found = locations.into_iter().find(|location| location.path == SYNTAX);
    let comment = found.map(|location| location.leading_comments()).unwrap_or_default();
    comment.lines().map(str::trim).collect::<Vec<_>>().join("\n").trim().to_owned()
}

/// ` { ticket: TicketFacts, by: Actor }`.
fn fields(message: &prost_types::DescriptorProto) -> String {
    let list = message.field.iter().map(|field| {
        let kind = match field.type_name().rsplit('.').next() {
            Some(name) if !name.is_empty() => name.to_owned(),
            _ => format!("{:?}", field.r#type()).to_lowercase(),
        };
        let repeated = field.label() == prost_types::field_descriptor_proto::Label::Repeated;
        format!("{}: {}{kind}", field.name(), if repeated { "repeated " } else { "" })
    });
    format!(" `{{ {} }}`", list.collect::<Vec<_>>().join(", "))
}
