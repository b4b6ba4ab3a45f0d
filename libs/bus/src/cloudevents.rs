//! CloudEvents 1.0 over NATS, binary mode: attributes as `ce-*` headers, the payload untouched.
//!
//! Header names are written in lower case and read whatever their case, since NATS keeps the case and the binding
//! calls them case-insensitive. Values are percent-encoded: everything outside U+0021–U+007E, the double quote and
//! the percent sign.

use std::borrow::Cow;
use std::fmt::Write as _;

use async_nats::{HeaderMap, HeaderName};
use bytes::Bytes;
use callboard_kernel::{Actor, EventId, Timestamp, Version, derive_uuid};
use chrono::{DateTime, SecondsFormat, Utc};
use uuid::Uuid;

use crate::Event;

/// The most that payload and headers of one event may have together, in bytes: what every CloudEvents intermediary
/// must forward. Larger things go by reference.
pub const MAX_EVENT_BYTES: usize = 64 * 1024;

/// Room kept for the headers that publishing adds (`Nats-Msg-Id`, `Nats-Expected-*`).
const PUBLISH_HEADER_BYTES: usize = 256;

const SPEC_VERSION: &str = "1.0";
const CONTENT_TYPE: &str = "application/protobuf";
const SOURCE_PREFIX: &str = "/callboard/";
const SCHEMA_PREFIX: &str = "urn:callboard:proto:";

/// A message that is no event of ours, as far as it could be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undecodable {
    /// What could be read; the rest is nil, or derived from where the message was found.
    pub event: Event,
    /// The first thing that is wrong.
    pub reason: String,
}

/// Says whether an event can be published at all: names that make a subject, and a size within
/// [`MAX_EVENT_BYTES`]. Ask before committing it: what is refused here would stop the outbox later.
///
/// # Errors
/// A text that names the attribute and the rule.
pub fn check(event: &Event) -> Result<(), String> {
    token("context", &event.context)?;
    let mut parts = event.name.split('.');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(aggregate), Some(happened), None) => {
            token("name", aggregate)?;
            token("name", happened)?;
        }
        _ => return Err(format!("name: {:?} is not of the form aggregate.event", event.name)),
    }
    if event.kind.is_empty()
        || !event.kind.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'_')
    {
        return Err(format!("type: {:?} is not a protobuf message name", event.kind));
    }
    let headers: usize = attributes(event).iter().map(|(name, value)| name.len() + value.len() + 4).sum();
    let size = headers + event.payload.len() + PUBLISH_HEADER_BYTES;
    if size > MAX_EVENT_BYTES {
        return Err(format!("size: {size} bytes with headers, at most {MAX_EVENT_BYTES}"));
    }
    Ok(())
}

fn token(what: &str, text: &str) -> Result<(), String> {
    let good = !text.is_empty()
        && text.len() <= 63
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    if good { Ok(()) } else { Err(format!("{what}: {text:?} is not 1 to 63 of a-z, 0-9 and _")) }
}

/// The headers of an event.
pub(crate) fn encode(event: &Event) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in attributes(event) {
        headers.insert(name, value.as_str());
    }
    headers
}

fn attributes(event: &Event) -> Vec<(&'static str, String)> {
    let aggregate = event.aggregate_id.to_string();
    let auth_type = match event.actor {
        Actor::Employee(_) => "user",
        Actor::CodeUser(_) | Actor::CustomerUser(_) => "app_user",
        Actor::System => "system",
    };
    let mut list = vec![
        ("ce-specversion", SPEC_VERSION.to_owned()),
        ("ce-id", event.id.to_string()),
        ("ce-source", escape(&format!("{SOURCE_PREFIX}{}", event.context))),
        ("ce-type", escape(&event.kind)),
        ("ce-subject", aggregate.clone()),
        ("ce-time", event.time.to_rfc3339_opts(SecondsFormat::Micros, true)),
        ("ce-datacontenttype", CONTENT_TYPE.to_owned()),
        ("ce-dataschema", escape(&format!("{SCHEMA_PREFIX}{}", event.kind))),
        ("ce-tenantid", event.organisation.to_string()),
        ("ce-partitionkey", aggregate),
        ("ce-aggregateversion", event.aggregate_version.0.to_string()),
        // Padded so that comparing the texts compares the numbers, as the extension wants it.
        ("ce-sequence", format!("{:020}", event.aggregate_version.0)),
        ("ce-authtype", auth_type.to_owned()),
        ("ce-authid", escape(&event.actor.to_string())),
    ];
    if let Some(id) = event.correlation {
        list.push(("ce-correlationid", id.to_string()));
    }
    if let Some(id) = event.causation {
        list.push(("ce-causationid", id.to_string()));
    }
    if let Some(trace) = &event.traceparent {
        list.push(("ce-traceparent", escape(trace)));
    }
    list
}

/// An event in structured mode (`application/cloudevents+json`), for who is not on the bus: the same attributes, but of
/// the payload as JSON, which `data` is.
pub fn structured(event: &Event, data: serde_json::Value) -> serde_json::Value {
    let mut said = serde_json::Map::new();
    for (name, value) in attributes(event) {
        let value = match name {
            "ce-datacontenttype" => "application/json".to_owned(),
            // That of the protobuf message.
            "ce-dataschema" => continue,
            _ => value,
        };
        said.insert(name.trim_start_matches("ce-").to_owned(), value.into());
    }
    said.insert("data".to_owned(), data);
    said.into()
}

/// Reads an event back. `place` (stream and sequence) names a message that has no id of its own.
///
/// # Errors
/// [`Undecodable`], boxed because it is large and rare.
pub(crate) fn decode(
    subject: &str,
    headers: Option<&HeaderMap>,
    payload: Bytes,
    place: (&str, u64),
) -> Result<Event, Box<Undecodable>> {
    let attributes = Attributes(headers);
    let mut wrong: Option<String> = None;
    // What a publisher may say is ruled by subject, so the subject decides; attributes may only agree with it.
    let place_of = Place::read(subject).unwrap_or_else(|| {
        wrong.get_or_insert(format!("subject: {:?} is none of ours", shortened(subject)));
        Place::unknown()
    });
    let source = attributes.text("ce-source", &mut wrong);
    if source.strip_prefix(SOURCE_PREFIX) != Some(place_of.context.as_str()) {
        wrong.get_or_insert(format!(
            "ce-source: must be {SOURCE_PREFIX}{}, as the subject has it",
            place_of.context
        ));
    }
    if attributes.parse::<Uuid>("ce-tenantid", &mut wrong).is_some_and(|id| id != place_of.organisation) {
        wrong.get_or_insert("ce-tenantid: is not the organisation of the subject".to_owned());
    }
    if attributes.get("ce-datacontenttype").is_some_and(|kind| kind != CONTENT_TYPE) {
        wrong.get_or_insert(format!("ce-datacontenttype: only {CONTENT_TYPE} is known"));
    }
    if attributes.text("ce-specversion", &mut wrong) != SPEC_VERSION {
        wrong.get_or_insert(format!("ce-specversion: only {SPEC_VERSION} is known"));
    }
    let mut missing_id = None;
    let id: Uuid = attributes
        .parse("ce-id", &mut missing_id)
        .unwrap_or_else(|| derive_uuid(Uuid::NAMESPACE_URL, &[place.0.as_bytes(), &place.1.to_be_bytes()]));
    if let Some(problem) = missing_id {
        wrong.get_or_insert(problem);
    }
    let event = Event {
        id: EventId(id),
        context: place_of.context,
        name: place_of.name,
        kind: shortened(&attributes.text("ce-type", &mut wrong)),
        organisation: place_of.organisation.into(),
        aggregate_id: attributes.parse("ce-subject", &mut wrong).unwrap_or(Uuid::nil()),
        // Other systems, which may write to streams of their own, need not number what they tell.
        aggregate_version: Version(attributes.optional("ce-aggregateversion", &mut wrong).unwrap_or(0)),
        time: attributes
            .parse::<DateTime<chrono::FixedOffset>>("ce-time", &mut wrong)
            .map_or(Timestamp::UNIX_EPOCH, |time| time.with_timezone(&Utc)),
        causation: attributes.optional("ce-causationid", &mut wrong).map(EventId),
        correlation: attributes.optional("ce-correlationid", &mut wrong),
        // Of no use unless well-formed, and it goes on into our own events: a stranger's must not make them too large.
        traceparent: attributes
            .get("ce-traceparent")
            .filter(|text| is_traceparent(text))
            .map(Cow::into_owned),
        actor: attributes.optional("ce-authid", &mut wrong).unwrap_or(Actor::System),
        payload,
    };
    match wrong {
        None => Ok(event),
        Some(reason) => Err(Box::new(Undecodable { event, reason })),
    }
}

/// The event's id, if the headers hold one.
pub(crate) fn event_id(headers: Option<&HeaderMap>) -> Option<EventId> {
    Attributes(headers).get("ce-id")?.parse().ok()
}

/// What a subject says of its event.
struct Place {
    organisation: Uuid,
    context: String,
    name: String,
}

impl Place {
    fn read(subject: &str) -> Option<Self> {
        let parts: Vec<&str> = subject.split('.').collect();
        match parts.as_slice() {
            ["callboard", organisation, context, aggregate, happened, "v1"] => Some(Self {
                organisation: organisation.parse().ok()?,
                context: without_zero((*context).into()).into_owned(),
                name: without_zero(format!("{aggregate}.{happened}").into()).into_owned(),
            }),
            _ => None,
        }
    }

    fn unknown() -> Self {
        Self { organisation: Uuid::nil(), context: String::new(), name: "unknown.unknown".to_owned() }
    }
}

/// A stranger's text, in a length that a log line bears.
fn shortened(text: &str) -> String {
    const MOST: usize = 200;
    text.chars().take(MOST).collect()
}

/// `version-trace-parent-flags` in hexadecimal digits; what later versions add is let pass up to a limit.
fn is_traceparent(text: &str) -> bool {
    let form = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    (55..=128).contains(&text.len()) && form(text)
}

/// Header values, by name in whatever case. A dozen names at most are asked for of as many, for each event that any
/// context reads: looked through as they are.
struct Attributes<'a>(Option<&'a HeaderMap>);

impl<'a> Attributes<'a> {
    fn get(&self, name: &str) -> Option<Cow<'a, str>> {
        let named = |found: &&HeaderName| AsRef::<str>::as_ref(*found).eq_ignore_ascii_case(name);
        let (_, values) = self.0?.iter().find(|(found, _)| named(found))?;
        Some(without_zero(unescape(values.last()?.as_str())))
    }

    fn text(&self, name: &str, wrong: &mut Option<String>) -> Cow<'a, str> {
        self.get(name).unwrap_or_else(|| {
            wrong.get_or_insert(format!("{name}: missing"));
            Cow::Borrowed("")
        })
    }

    fn parse<T: std::str::FromStr>(&self, name: &str, wrong: &mut Option<String>) -> Option<T> {
        let text = self.get(name);
        if text.is_none() {
            wrong.get_or_insert(format!("{name}: missing"));
        }
        parsed(text, name, wrong)
    }

    fn optional<T: std::str::FromStr>(&self, name: &str, wrong: &mut Option<String>) -> Option<T> {
        parsed(self.get(name), name, wrong)
    }
}

fn parsed<T: std::str::FromStr>(
    text: Option<Cow<'_, str>>,
    name: &str,
    wrong: &mut Option<String>,
) -> Option<T> {
    let parsed = text?.parse().ok();
    if parsed.is_none() {
        wrong.get_or_insert(format!("{name}: cannot be read"));
    }
    parsed
}

/// What cannot be processed is kept among the dead letters, and Postgres takes no zero character.
fn without_zero(text: Cow<'_, str>) -> Cow<'_, str> {
    if text.contains('\0') { text.replace('\0', "\u{fffd}").into() } else { text }
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut buffer = [0; 4];
    for c in text.chars() {
        if matches!(c, '\u{21}'..='\u{7e}') && c != '"' && c != '%' {
            out.push(c);
        } else {
            for byte in c.encode_utf8(&mut buffer).bytes() {
                // Writing to a String cannot fail.
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

fn unescape(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return text.into();
    }
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let decoded = (bytes[at] == b'%')
            .then(|| text.get(at + 1..at + 3))
            .flatten()
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        if let Some(byte) = decoded {
            out.push(byte);
            at += 3;
        } else {
            out.push(bytes[at]);
            at += 1;
        }
    }
    String::from_utf8_lossy(&out).into_owned().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subject;

    fn sample() -> Event {
        Event {
            id: EventId(Uuid::from_u128(1)),
            context: "tickets".into(),
            name: "ticket.opened".into(),
            kind: "callboard.tickets.v1.TicketOpened".into(),
            organisation: Uuid::from_u128(2).into(),
            aggregate_id: Uuid::from_u128(3),
            aggregate_version: Version(42),
            time: DateTime::from_timestamp_micros(1_700_000_000_123_456).unwrap(),
            causation: Some(EventId(Uuid::from_u128(4))),
            correlation: Some(Uuid::from_u128(5)),
            traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into()),
            actor: Actor::Employee(Uuid::from_u128(6).into()),
            payload: Bytes::from_static(b"\x08\x01"),
        }
    }

    #[test]
    fn an_event_survives_its_headers_in_any_case() {
        let event = sample();
        let headers = encode(&event);
        assert!(headers.iter().all(|(name, _)| {
            let name: &str = name.as_ref();
            name == name.to_ascii_lowercase()
        }));
        let mut upper = HeaderMap::new();
        for (name, values) in headers.iter() {
            let name: &str = name.as_ref();
            upper.insert(name.to_ascii_uppercase(), values[0].as_str());
        }
        for headers in [headers, upper] {
            let read = decode(&event.subject(), Some(&headers), event.payload.clone(), ("S", 1));
            assert_eq!(read, Ok(event.clone()));
        }
    }

    #[test]
    fn values_are_percent_encoded_as_the_binding_says() {
        assert_eq!(escape("Euro € \"100%\""), "Euro%20%E2%82%AC%20%22100%25%22");
        assert_eq!(unescape("Euro%20%E2%82%AC%20%22100%25%22"), "Euro € \"100%\"");
        assert_eq!(unescape("100%"), "100%");
        assert_eq!(unescape("%€"), "%€");
    }

    #[test]
    fn a_sequence_compares_as_text() {
        let headers = encode(&sample());
        assert_eq!(headers.get("ce-sequence").unwrap().as_str(), "00000000000000000042");
    }

    #[test]
    fn what_cannot_be_read_keeps_its_key_and_says_what_is_wrong() {
        let event = sample();
        let mut headers = encode(&event);
        headers.insert("ce-time", "yesterday");
        let error = decode(&event.subject(), Some(&headers), Bytes::new(), ("S", 1)).unwrap_err();
        assert_eq!(error.event.aggregate_id, event.aggregate_id);
        assert_eq!(error.event.id, event.id);
        assert_eq!(error.reason, "ce-time: cannot be read");
        let foreign = decode("elsewhere", None, Bytes::new(), ("S", 7)).unwrap_err();
        let again = decode("elsewhere", None, Bytes::new(), ("S", 7)).unwrap_err();
        assert_eq!(foreign.event.id, again.event.id);
    }

    #[test]
    fn a_strangers_header_brings_neither_zero_characters_nor_an_endless_trace() {
        let event = sample();
        let mut headers = encode(&event);
        headers.insert("ce-type", "a%00b");
        headers.insert("ce-traceparent", "0".repeat(60_000).as_str());
        let read = decode(&event.subject(), Some(&headers), Bytes::new(), ("S", 1)).unwrap();
        assert_eq!((read.kind.as_str(), read.traceparent), ("a\u{fffd}b", None));
    }

    #[test]
    fn an_event_that_the_bus_would_refuse_is_refused_before_the_commit() {
        assert_eq!(check(&sample()), Ok(()));
        let large = Event { payload: Bytes::from(vec![0; MAX_EVENT_BYTES]), ..sample() };
        assert!(check(&large).unwrap_err().starts_with("size: "));
        for name in ["ticket", "ticket.opened.twice", "ticket.Opened", "ticket.*", "ticket.", ""] {
            assert!(check(&Event { name: name.into(), ..sample() }).is_err(), "{name}");
        }
        assert!(check(&Event { context: "a b".into(), ..sample() }).is_err());
    }

    #[test]
    fn a_subject_gives_the_name_back() {
        let organisation = Uuid::from_u128(7);
        let text = subject(&organisation.to_string(), "tickets", "ticket.opened");
        let place = Place::read(&text).unwrap();
        assert_eq!(
            (place.organisation, place.context.as_str(), place.name.as_str()),
            (organisation, "tickets", "ticket.opened")
        );
        assert!(Place::read(&format!("callboard.{organisation}.tickets.ticket.v1")).is_none());
        assert!(Place::read(&subject("7a", "tickets", "ticket.opened")).is_none(), "no organisation");
    }

    #[test]
    fn attributes_may_not_say_otherwise_than_the_subject() {
        let event = sample();
        let of_another = subject(&Uuid::from_u128(9).to_string(), "tickets", "ticket.opened");
        let error = decode(&of_another, Some(&encode(&event)), Bytes::new(), ("S", 1)).unwrap_err();
        assert_eq!(error.reason, "ce-tenantid: is not the organisation of the subject");
        assert_eq!(error.event.organisation, Uuid::from_u128(9).into(), "whose account published it");
        let of_another = subject(&event.organisation.to_string(), "fleet", "ticket.opened");
        let error = decode(&of_another, Some(&encode(&event)), Bytes::new(), ("S", 1)).unwrap_err();
        assert_eq!(error.reason, "ce-source: must be /callboard/fleet, as the subject has it");
        assert_eq!(error.event.context, "fleet");
        let mut json = encode(&event);
        json.insert("ce-datacontenttype", "application/json");
        let error = decode(&event.subject(), Some(&json), Bytes::new(), ("S", 1)).unwrap_err();
        assert_eq!(error.reason, "ce-datacontenttype: only application/protobuf is known");
    }

    #[test]
    fn another_system_needs_the_attributes_that_are_asked_of_it_and_no_more() {
        let event = sample();
        let all = encode(&event);
        let needed =
            ["ce-specversion", "ce-id", "ce-source", "ce-type", "ce-tenantid", "ce-subject", "ce-time"];
        let few = |left_out: &str| {
            let mut few = HeaderMap::new();
            for name in needed.iter().filter(|name| **name != left_out) {
                few.insert(*name, all.get(*name).unwrap().as_str());
            }
            decode(&event.subject(), Some(&few), Bytes::new(), ("S", 1))
        };
        let read = few("").unwrap();
        assert_eq!((read.actor, read.aggregate_version), (Actor::System, Version(0)));
        for name in needed {
            let error = few(name).unwrap_err();
            assert!(error.reason.starts_with(name), "{name}: {}", error.reason);
        }
    }
}
