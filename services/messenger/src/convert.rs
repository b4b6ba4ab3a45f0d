//! Between the domain's words and the protos'.

use callboard_kernel::{Actor, Principal, Timestamp, Version};
use callboard_messenger_domain::conversation::{ConversationState, Marker, Message, MessageKind, Ticket};
use callboard_proto::common::v1::Attachment;
use callboard_proto::messenger::v1 as proto;
use callboard_proto::tickets::v1 as tickets;
use callboard_service::convert::{to_proto_actor, to_proto_time};
use chrono::TimeDelta;
use uuid::Uuid;

use crate::render::{LinkKind, render};
use crate::store::StoredRevision;

/// What a message is.
pub const fn kind(kind: MessageKind) -> proto::MessageKind {
    match kind {
        MessageKind::Text => proto::MessageKind::Text,
        MessageKind::JoinLink => proto::MessageKind::JoinLink,
    }
}

/// Who is locked out (T-9).
pub const fn lock(ticket: &Ticket) -> proto::LockState {
    if ticket.ended { proto::LockState::Outsiders } else { proto::LockState::Open }
}

/// A read marker.
pub fn marker(reader: Actor, marker: Marker) -> proto::ReadMarker {
    proto::ReadMarker {
        reader: Some(to_proto_actor(reader)),
        sequence: marker.sequence,
        update_time: Some(to_proto_time(marker.at)),
    }
}

/// Whether a caller is told how far this person has read: outsiders of themselves and of employees.
pub fn shows_marker(principal: &Principal, reader: Actor) -> bool {
    !principal.is_outsider() || matches!(reader, Actor::Employee(_)) || reader == principal.actor()
}

/// A conversation, as this caller sees it.
pub fn conversation(
    id: Uuid,
    state: &ConversationState,
    version: Version,
    unread: i32,
    principal: &Principal,
) -> proto::Conversation {
    let ticket = state.ticket.as_deref();
    let told = |of: Vec<_>| if principal.is_outsider() { Vec::new() } else { of };
    let mut read_markers: Vec<_> = state
        .markers
        .iter()
        .filter(|(reader, _)| shows_marker(principal, **reader))
        .map(|(reader, of)| marker(*reader, *of))
        .collect();
    // In an order of its own, so that the same conversation looks the same.
    read_markers.sort_by(|one, other| {
        let key = |of: &proto::ReadMarker| of.reader.clone().map(|reader| (reader.kind, reader.id));
        key(one).cmp(&key(other))
    });
    let involved = state.involved.iter().map(ToString::to_string).collect();
    proto::Conversation {
        id: id.to_string(),
        ticket_id: id.to_string(),
        device_id: ticket.map(|ticket| ticket.device.to_string()).unwrap_or_default(),
        lock: ticket.map_or(proto::LockState::Unspecified, lock).into(),
        internal: ticket.is_some_and(|ticket| ticket.internal),
        last_sequence: state.last_sequence,
        position: version.0,
        involved_employee_ids: if principal.is_outsider() { Vec::new() } else { involved },
        writers: told(state.writers.iter().map(|writer| to_proto_actor(*writer)).collect()),
        read_markers,
        may_write: state.may_write(principal),
        own_read_sequence: state.read_by(principal.actor()),
        unread_count: unread,
        create_time: state.opened_at.map(to_proto_time),
        last_message_time: state.last_message_at.map(to_proto_time),
        etag: version.etag(),
    }
}

/// What a message's own entity tag says: its revision.
pub fn message_etag(message: &Message) -> String {
    format!("\"{}\"", message.revision)
}

/// A message, as its readers see it; what only its author is told comes by [`for_caller`].
pub fn message(conversation: Uuid, message: &Message, files: &[Attachment], position: i64) -> proto::Message {
    let rendered = render(&message.text);
    proto::Message {
        id: message.id.to_string(),
        conversation_id: conversation.to_string(),
        sequence: message.sequence,
        kind: kind(message.kind).into(),
        author: Some(to_proto_actor(message.author)),
        text: message.text.clone(),
        html: rendered.html,
        links: rendered
            .links
            .into_iter()
            .map(|link| {
                let kind = match link.kind {
                    LinkKind::Web => proto::LinkKind::Web,
                    LinkKind::Contact => proto::LinkKind::Contact,
                    LinkKind::Assistant => proto::LinkKind::Assistant,
                };
                proto::Link { kind: kind.into(), url: link.url, text: link.text }
            })
            .collect(),
        attachment_ids: message.attachments.iter().map(ToString::to_string).collect(),
        session_id: message.session.map(|session| session.to_string()).unwrap_or_default(),
        create_time: Some(to_proto_time(message.sent_at)),
        edit_time: message.edited_at.map(to_proto_time),
        withdraw_time: message.withdrawn_at.map(to_proto_time),
        revision: message.revision,
        position,
        may_edit: false,
        client_id: String::new(),
        etag: message_etag(message),
        attachments: files.to_vec(),
    }
}

/// What only its author is told of a message.
#[derive(Debug, Clone, Copy)]
pub struct Eyes<'a> {
    /// Who looks.
    pub principal: &'a Principal,
    /// Whether they may write in the conversation.
    pub may_write: bool,
    /// The time for editing (M-6).
    pub window: TimeDelta,
    /// Now.
    pub now: Timestamp,
}

impl Eyes<'_> {
    /// The message as this caller sees it.
    pub fn on(self, mut shown: proto::Message, message: &Message) -> proto::Message {
        if message.author == self.principal.actor() && message.kind == MessageKind::Text {
            shown.client_id.clone_from(&message.client_id);
            shown.may_edit =
                self.may_write && message.withdrawn_at.is_none() && self.now <= message.sent_at + self.window;
        }
        shown
    }
}

/// What a message said before.
pub fn revision(stored: StoredRevision, files: &[Attachment]) -> proto::MessageRevision {
    proto::MessageRevision {
        revision: stored.revision,
        text: stored.text,
        create_time: Some(to_proto_time(stored.since)),
        end_time: Some(to_proto_time(stored.until)),
        attachments: files.to_vec(),
    }
}

/// What an event tells of a ticket. The error says what makes no sense.
pub fn ticket(facts: &tickets::TicketFacts, version: i64) -> Result<Ticket, String> {
    fn id<I: From<Uuid>>(field: &str, text: &str) -> Result<I, String> {
        text.parse::<Uuid>().map(I::from).map_err(|_| format!("{field} is no UUID"))
    }
    let internal = match facts.visibility() {
        tickets::Visibility::Internal => true,
        tickets::Visibility::Public => false,
        tickets::Visibility::Unspecified => return Err("visibility is missing".to_owned()),
    };
    let customer =
        if facts.customer_id.is_empty() { None } else { Some(id("customer_id", &facts.customer_id)?) };
    let departments =
        facts.department_ids.iter().map(|text| id("department_ids", text)).collect::<Result<_, _>>()?;
    Ok(Ticket {
        version,
        device: id("device_id", &facts.device_id)?,
        device_version: facts.device_version,
        template: id("template_id", &facts.template_id)?,
        customer,
        internal,
        ended: matches!(facts.status(), tickets::TicketStatus::Closed | tickets::TicketStatus::Cancelled),
        departments,
    })
}
