//! What others hear of conversations: by reference, never what was said.

use callboard_actor::Step;
use callboard_bus::Event;
use callboard_messenger_domain::Conversation;
use callboard_messenger_domain::conversation::{ConversationEvent, Message, Ticket};
use callboard_proto::messenger::v1 as proto;
use callboard_service::convert::to_proto_actor;
use callboard_service::outbound;

use crate::convert;

/// The events of a conversation's step. Before it is opened there is nothing to tell.
pub fn of_conversation(step: &Step<'_, Conversation>) -> Vec<Event> {
    let mut events = Vec::new();
    for event in step.events {
        let index = events.len();
        if matches!(event, ConversationEvent::Deleted) {
            if step.before.ticket.is_some() {
                let id = step.meta.aggregate_id.to_string();
                let message = proto::ConversationDeleted {
                    conversation_id: id.clone(),
                    ticket_id: id,
                    organisation_id: step.meta.principal.organisation.to_string(),
                };
                events.push(outbound(step.meta, index, &message));
            }
            continue;
        }
        let Some(ticket) = step.after.ticket.as_deref() else { continue };
        let conversation = Some(facts(step, ticket));
        events.push(match event {
            ConversationEvent::Deleted => continue,
            ConversationEvent::Opened { .. } => {
                outbound(step.meta, index, &proto::ConversationOpened { conversation })
            }
            ConversationEvent::Observed { ticket } => {
                let ended = step.before.ticket.as_ref().is_some_and(|before| before.ended);
                match (ended, ticket.ended) {
                    (false, true) => outbound(step.meta, index, &proto::ConversationLocked { conversation }),
                    (true, false) => {
                        outbound(step.meta, index, &proto::ConversationUnlocked { conversation })
                    }
                    _ => outbound(step.meta, index, &proto::ConversationChanged { conversation }),
                }
            }
            ConversationEvent::Involved { .. } => {
                outbound(step.meta, index, &proto::ConversationChanged { conversation })
            }
            ConversationEvent::Sent { message, .. } => {
                let message = Some(of_message(message));
                outbound(step.meta, index, &proto::MessageSent { conversation, message })
            }
            ConversationEvent::Edited { before, after, .. } => {
                let message = proto::MessageEdited {
                    conversation,
                    message: Some(of_message(after)),
                    previous_attachment_ids: ids(before),
                };
                outbound(step.meta, index, &message)
            }
            ConversationEvent::Withdrawn { before, after, .. } => {
                let attachment_ids = ids(before);
                let message = Some(proto::MessageFacts { attachment_ids, ..of_message(after) });
                outbound(step.meta, index, &proto::MessageWithdrawn { conversation, message })
            }
            ConversationEvent::Read { reader, marker, previous, .. } => {
                let message = proto::ConversationRead {
                    conversation,
                    reader: Some(to_proto_actor(*reader)),
                    sequence: marker.sequence,
                    previous_sequence: *previous,
                };
                outbound(step.meta, index, &message)
            }
        });
    }
    events
}

fn ids(message: &Message) -> Vec<String> {
    message.attachments.iter().map(ToString::to_string).collect()
}

fn of_message(message: &Message) -> proto::MessageFacts {
    proto::MessageFacts {
        message_id: message.id.to_string(),
        sequence: message.sequence,
        kind: convert::kind(message.kind).into(),
        author: Some(to_proto_actor(message.author)),
        revision: message.revision,
        attachment_ids: ids(message),
    }
}

fn facts(step: &Step<'_, Conversation>, ticket: &Ticket) -> proto::ConversationFacts {
    let id = step.meta.aggregate_id.to_string();
    proto::ConversationFacts {
        conversation_id: id.clone(),
        ticket_id: id,
        organisation_id: step.meta.principal.organisation.to_string(),
        device_id: ticket.device.to_string(),
        template_id: ticket.template.to_string(),
        customer_id: ticket.customer.map(|customer| customer.to_string()).unwrap_or_default(),
        department_ids: ticket.departments.iter().map(ToString::to_string).collect(),
        involved_employee_ids: step.after.involved.iter().map(ToString::to_string).collect(),
        internal: ticket.internal,
        lock: convert::lock(ticket).into(),
        last_sequence: step.after.last_sequence,
    }
}
