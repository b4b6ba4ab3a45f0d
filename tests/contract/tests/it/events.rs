//! One encoded sample of every event: what is on the wire must stay readable.
//!
//! The sample sets every field to a value made from its number, so that renumbering or retyping a field shows.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use prost::Message as _;
use prost_reflect::{
    DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor, ReflectMessage, Value,
};

use crate::golden::{compare, folder};

fn pool() -> DescriptorPool {
    DescriptorPool::decode(callboard_proto::FILE_DESCRIPTOR_SET).expect("descriptors")
}

/// A message with every field set.
fn sample(descriptor: &MessageDescriptor) -> DynamicMessage {
    let mut message = DynamicMessage::new(descriptor.clone());
    for field in descriptor.fields() {
        let one = || of_kind(&field, &field.kind());
        let value = if field.is_map() {
            let Kind::Message(entry) = field.kind() else { unreachable!("maps are of entries") };
            let value = of_kind(&field, &entry.map_entry_value_field().kind());
            Value::Map([(MapKey::String(format!("key {}", field.number())), value)].into())
        } else if field.is_list() {
            Value::List(vec![one(), one()])
        } else {
            one()
        };
        message.set_field(&field, value);
    }
    message
}

fn of_kind(field: &FieldDescriptor, kind: &Kind) -> Value {
    let number = field.number();
    match kind {
        Kind::String => Value::String(format!("text {number}")),
        Kind::Bool => Value::Bool(true),
        Kind::Int32 => Value::I32(i32::try_from(number).expect("small")),
        Kind::Int64 => Value::I64(i64::from(number)),
        Kind::Double => Value::F64(f64::from(number)),
        Kind::Enum(values) => Value::EnumNumber(values.values().last().expect("a value").number()),
        Kind::Message(message) => Value::Message(sample(message)),
        other => panic!("{}: no event has {other:?} yet; give it a sample here", field.full_name()),
    }
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    for line in bytes.chunks(32) {
        for byte in line {
            let _ = write!(text, "{byte:02x}");
        }
        text.push('\n');
    }
    text
}

#[test]
fn every_event_is_encoded_as_agreed() {
    let pool = pool();
    let mut names = BTreeSet::new();
    for event in callboard_proto::EVENTS {
        let descriptor =
            pool.get_message_by_name(event.kind).unwrap_or_else(|| panic!("{} is no message", event.kind));
        let message = sample(&descriptor);
        let name = format!("{}.txt", event.kind);
        let subject = format!("callboard.<organisation>.{}.{}.v1", event.context, event.subject);
        compare(&format!("events/{name}"), &format!("{subject}\n{}", hex(&message.encode_to_vec())));
        names.insert(name);
    }
    for entry in std::fs::read_dir(folder().join("events")).expect("goldens of events").flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        assert!(names.contains(&name), "{name}: this event is gone, and somebody may still wait for it");
    }
}

#[test]
fn what_was_once_encoded_can_still_be_read() {
    let pool = pool();
    for event in callboard_proto::EVENTS {
        let path = folder().join("events").join(format!("{}.txt", event.kind));
        let kept = std::fs::read_to_string(&path).unwrap_or_else(|_| panic!("{} has no golden", event.kind));
        let digits: String = kept.lines().skip(1).collect();
        let bytes: Vec<u8> = (0..digits.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).expect("hexadecimal"))
            .collect();
        let descriptor = pool.get_message_by_name(event.kind).expect("a message");
        let read = DynamicMessage::decode(descriptor, bytes.as_slice()).expect("readable");
        assert_eq!(read.unknown_fields().count(), 0, "{}: a field is gone", event.kind);
        assert_eq!(read.descriptor().full_name(), event.kind);
    }
}
