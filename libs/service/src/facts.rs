//! The facts of an encoded event as JSON, by the descriptors: fields that are set, in lowerCamelCase, enums as their
//! words without prefix, times as RFC 3339.

use std::sync::OnceLock;

use bytes::Bytes;
use callboard_kernel::Timestamp;
use prost_reflect::{
    DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MapKey, ReflectMessage, Value as Reflected,
};
use serde_json::{Map, Value};

fn pool() -> &'static DescriptorPool {
    static POOL: OnceLock<DescriptorPool> = OnceLock::new();
    POOL.get_or_init(|| DescriptorPool::decode(callboard_proto::FILE_DESCRIPTOR_SET).unwrap_or_default())
}

/// What a message of this type (`callboard.tickets.v1.TicketOpened`) says; `None` for one of an unknown type, or one
/// that cannot be decoded.
pub fn facts(kind: &str, payload: Bytes) -> Option<Value> {
    let descriptor = pool().get_message_by_name(kind)?;
    let message = DynamicMessage::decode(descriptor, payload).ok()?;
    Some(Value::Object(object(&message)))
}

/// `create_time` to `createTime`.
pub fn lower_camel(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut upper = false;
    for character in name.chars() {
        match character {
            '_' => upper = true,
            _ if upper => {
                out.extend(character.to_uppercase());
                upper = false;
            }
            _ => out.push(character),
        }
    }
    out
}

fn object(message: &DynamicMessage) -> Map<String, Value> {
    message.fields().map(|(field, value)| (lower_camel(field.name()), json(&field, value))).collect()
}

fn json(field: &FieldDescriptor, value: &Reflected) -> Value {
    match value {
        Reflected::Bool(value) => (*value).into(),
        Reflected::I32(value) => (*value).into(),
        Reflected::I64(value) => (*value).into(),
        Reflected::U32(value) => (*value).into(),
        Reflected::U64(value) => (*value).into(),
        Reflected::F32(value) => f64::from(*value).into(),
        Reflected::F64(value) => (*value).into(),
        Reflected::String(value) => value.as_str().into(),
        // No event has bytes; were there any, they would be no facts to be read.
        Reflected::Bytes(_) => Value::Null,
        Reflected::EnumNumber(number) => word(field, *number),
        Reflected::Message(message) => match message.descriptor().full_name() {
            "google.protobuf.Timestamp" => time(message),
            _ => Value::Object(object(message)),
        },
        Reflected::List(values) => values.iter().map(|value| json(field, value)).collect(),
        Reflected::Map(entries) => {
            let entries = entries.iter().map(|(key, value)| {
                let key = match key {
                    MapKey::String(key) => key.clone(),
                    other => format!("{other:?}"),
                };
                (key, json(field, value))
            });
            // The order of a hash map is nobody's business.
            Value::Object(entries.collect::<std::collections::BTreeMap<_, _>>().into_iter().collect())
        }
    }
}

/// `TICKET_STATUS_IN_PROGRESS` of `TicketStatus` is `IN_PROGRESS`, as in REST.
fn word(field: &FieldDescriptor, number: i32) -> Value {
    let Kind::Enum(descriptor) = field.kind() else { return number.into() };
    let Some(value) = descriptor.get_value(number) else { return number.into() };
    let mut prefix = String::new();
    for character in descriptor.name().chars() {
        if character.is_ascii_uppercase() && !prefix.is_empty() {
            prefix.push('_');
        }
        prefix.push(character.to_ascii_uppercase());
    }
    prefix.push('_');
    value.name().strip_prefix(&prefix).unwrap_or(value.name()).into()
}

fn time(message: &DynamicMessage) -> Value {
    let Ok(proto) = message.transcode_to::<prost_types::Timestamp>() else { return Value::Null };
    let nanos = u32::try_from(proto.nanos).unwrap_or_default();
    let time = Timestamp::from_timestamp(proto.seconds, nanos).unwrap_or_default();
    serde_json::to_value(time).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use callboard_proto::tickets::v1 as proto;
    use prost::Message as _;
    use serde_json::json;

    use super::*;

    #[test]
    fn facts_are_named_and_worded_as_in_rest() {
        let opened = proto::TicketOpened {
            ticket: Some(proto::TicketFacts {
                ticket_id: "7".into(),
                number: 12,
                status: proto::TicketStatus::InProgress.into(),
                involved_employee_ids: vec!["a".into()],
                create_time: Some(prost_types::Timestamp { seconds: 0, nanos: 0 }),
                ..Default::default()
            }),
        };
        let said = facts("callboard.tickets.v1.TicketOpened", opened.encode_to_vec().into()).expect("facts");
        assert_eq!(
            said,
            json!({"ticket": {"ticketId": "7", "number": 12, "status": "IN_PROGRESS",
                   "involvedEmployeeIds": ["a"], "createTime": "1970-01-01T00:00:00Z"}})
        );
        assert_eq!(facts("callboard.tickets.v1.Unheard", Bytes::new()), None);
    }
}
