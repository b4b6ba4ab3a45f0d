//! An event with its attributes.

use bytes::Bytes;
use callboard_kernel::{Actor, EventId, OrganisationId, Timestamp, Version};
use uuid::Uuid;

/// An event as published: what happened, to what, when, why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// `ce-id` and `Nats-Msg-Id`.
    pub id: EventId,
    /// The producing context, `ce-source` = `/callboard/<context>`.
    pub context: String,
    /// Aggregate and what happened: `ticket.opened`.
    pub name: String,
    /// `ce-type`: `callboard.tickets.v1.TicketOpened`.
    pub kind: String,
    /// `ce-tenantid`.
    pub organisation: OrganisationId,
    /// `ce-subject` and `ce-partitionkey`: order is kept within it.
    pub aggregate_id: Uuid,
    /// `ce-aggregateversion`: the version after the command.
    pub aggregate_version: Version,
    /// `ce-time`.
    pub time: Timestamp,
    /// `ce-causationid`: the event that caused it.
    pub causation: Option<EventId>,
    /// `ce-correlationid`: ties a chain together.
    pub correlation: Option<Uuid>,
    /// `ce-traceparent`.
    pub traceparent: Option<String>,
    /// `ce-authtype` and `ce-authid`: who did it.
    pub actor: Actor,
    /// The encoded message.
    pub payload: Bytes,
}

/// What keeps order: an aggregate of an organisation. Not the aggregate alone: in a stream that others write (partners),
/// one tenant could name what is another's and hold its events up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// Whose it is.
    pub organisation: OrganisationId,
    /// `ce-subject`.
    pub aggregate: Uuid,
}

impl Event {
    /// Events of one key are handled one at a time and in order.
    pub const fn key(&self) -> Key {
        Key { organisation: self.organisation, aggregate: self.aggregate_id }
    }

    /// The subject on NATS.
    pub fn subject(&self) -> String {
        subject(&self.organisation.to_string(), &self.context, &self.name)
    }
}

/// `callboard.<organisation>.<context>.<aggregate>.<event>.v1`; pass `*` for any.
pub fn subject(organisation: &str, context: &str, name: &str) -> String {
    format!("callboard.{organisation}.{context}.{name}.v1")
}

/// The stream of a context: `CALLBOARD_TICKETS`.
pub fn stream_name(context: &str) -> String {
    format!("CALLBOARD_{}", context.to_ascii_uppercase())
}

/// Any event of a context: `callboard.*.<context>.>`.
pub fn all_of(context: &str) -> String {
    format!("callboard.*.{context}.>")
}

/// True when a subject matches a pattern with the wildcards `*` (one token) and `>` (one or more, at the end).
pub(crate) fn matches(pattern: &str, subject: &str) -> bool {
    let mut tokens = subject.split('.');
    for wanted in pattern.split('.') {
        match (wanted, tokens.next()) {
            (">", Some(_)) => return true,
            ("*", Some(_)) => {}
            (wanted, Some(found)) if wanted == found => {}
            _ => return false,
        }
    }
    tokens.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_match_as_on_nats() {
        let opened = subject("7a", "tickets", "ticket.opened");
        for pattern in [all_of("tickets"), subject("*", "tickets", "ticket.*"), opened.clone()] {
            assert!(matches(&pattern, &opened), "{pattern}");
        }
        for pattern in [all_of("fleet"), subject("*", "tickets", "ticket.closed"), "callboard.*".to_owned()] {
            assert!(!matches(&pattern, &opened), "{pattern}");
        }
        assert!(!matches("a.>", "a"));
    }
}
