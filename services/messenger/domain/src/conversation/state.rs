//! What is known of a conversation, and what a message is.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use callboard_kernel::{
    Actor, CustomerId, DepartmentId, DeviceId, EmployeeId, Isolation, Principal, Subject, TemplateId,
    Timestamp, derive_uuid,
};
use uuid::Uuid;

use crate::conversation::ConversationEvent;
use crate::words;

/// So many of the latest client ids are remembered in memory (M-4). Older ones are found in the table before a command
/// is given; these cover what was sent since.
pub const RECENT_CLIENTS: usize = 32;
/// How many people's read markers are kept; beyond it the one that has read least is forgotten.
pub const MAX_MARKERS: usize = 1_000;
/// How many outsiders are named as having written; more may write and are not named.
pub const MAX_WRITERS: usize = 100;
/// How many messages that may still be edited can have been edited at a time, in one conversation.
pub const MAX_TOUCHED: usize = 500;

words! {
    /// What a message is.
    MessageKind as "message kind" {
        /// Written by somebody.
        Text = "TEXT",
        /// The join link of a video session (M-7).
        JoinLink = "JOIN_LINK",
    }
}

/// A device as the directory told last, as far as it decides who sees the conversations about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// The device's version these facts are of.
    pub version: i64,
    /// Whose it is.
    pub customer: Option<CustomerId>,
    /// For isolation.
    pub departments: Vec<DepartmentId>,
    /// It was removed. What was said about it stays, for employees.
    pub removed: bool,
}

/// What decides, besides ticket and caller, who sees a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sight {
    /// The organisation's isolation.
    pub isolation: Isolation,
    /// The ticket's device; `None`: the directory has not told of it, or it makes no difference to the caller.
    pub device: Option<Arc<Device>>,
}

/// The facts of a ticket that its conversation goes by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket {
    /// The version these facts are of; older facts never replace newer ones.
    pub version: i64,
    /// The device it is about.
    pub device: DeviceId,
    /// The device's template.
    pub template: TemplateId,
    /// The version of the device that `customer` and `departments` are of; 0: not told.
    pub device_version: i64,
    /// The device's customer when the ticket opened.
    pub customer: Option<CustomerId>,
    /// Internal: outsiders see nothing of it (T-13).
    pub internal: bool,
    /// CLOSED or CANCELLED: outsiders may not write (T-9).
    pub ended: bool,
    /// The device's departments when the ticket opened.
    pub departments: Vec<DepartmentId>,
}

impl Ticket {
    /// Whether the caller may see the ticket, hence read its conversation (table of actors, department isolation), judged
    /// by the device as it is now, unless what the ticket itself tells of it is newer: the two come on ways of their own.
    ///
    /// A customer user sees what is on the own company's devices, except what opened while the device was another
    /// company's: a device may be sold, its former owner's reports are not. The tickets context judges the same way.
    pub fn visible_to(&self, principal: &Principal, sight: &Sight) -> bool {
        let device = sight.device.as_deref().filter(|device| device.version >= self.device_version);
        match &principal.subject {
            Subject::System => true,
            Subject::Employee(employee) => {
                let departments = device.map_or(&self.departments, |device| &device.departments);
                sight.isolation.admits(&employee.departments, departments)
            }
            Subject::CodeUser(user) => !self.internal && user.device == self.device,
            Subject::CustomerUser(user) => {
                let owns = device.map_or(self.customer == Some(user.customer), |device| {
                    !device.removed && device.customer == Some(user.customer)
                });
                !self.internal && owns && self.customer.is_none_or(|customer| customer == user.customer)
            }
        }
    }
}

/// A message. Its text is as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its id.
    pub id: Uuid,
    /// Its place (M-5).
    pub sequence: i64,
    /// What it is.
    pub kind: MessageKind,
    /// Who said it.
    pub author: Actor,
    /// What the author's client named it (M-4).
    pub client_id: String,
    /// What it says; empty when withdrawn.
    pub text: String,
    /// What hangs on it.
    pub attachments: Vec<Uuid>,
    /// Where a join link leads.
    pub session: Option<Uuid>,
    /// When it was sent.
    pub sent_at: Timestamp,
    /// When it was edited last.
    pub edited_at: Option<Timestamp>,
    /// When it was withdrawn.
    pub withdrawn_at: Option<Timestamp>,
    /// 1 as sent, one more with every change.
    pub revision: i32,
}

impl Message {
    /// What makes a message of an author one (M-4).
    pub fn client_key(&self) -> Uuid {
        client_key(self.author, &self.client_id)
    }
}

/// What makes a message of an author one (M-4): the client's name for it, told apart by author.
pub fn client_key(author: Actor, client_id: &str) -> Uuid {
    derive_uuid(Uuid::nil(), &[author.to_string().as_bytes(), client_id.as_bytes()])
}

/// How far somebody has read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Marker {
    /// Up to here.
    pub sequence: i64,
    /// Since when.
    pub at: Timestamp,
}

/// A message that was changed while it still may be: what is known of it beyond what a caller has read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Touched {
    /// Which.
    pub sequence: i64,
    /// Its revision now.
    pub revision: i32,
    /// Until when it may be changed.
    pub until: Timestamp,
}

/// What a [`Conversation`](crate::Conversation) knows. Bounded, however long it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConversationState {
    /// The ticket; `None`: not opened yet (M-3), or deleted.
    pub ticket: Option<Arc<Ticket>>,
    /// The ticket was deleted (T-11): nothing is kept but this.
    pub deleted: bool,
    /// When it was opened.
    pub opened_at: Option<Timestamp>,
    /// The highest sequence given (M-5).
    pub last_sequence: i64,
    /// When the last message was sent.
    pub last_message_at: Option<Timestamp>,
    /// The employees involved.
    pub involved: Vec<EmployeeId>,
    /// The version of fleet's that names them.
    pub involved_version: i64,
    /// Outsiders who have written.
    pub writers: Vec<Actor>,
    /// How far people have read.
    pub markers: HashMap<Actor, Marker>,
    /// The latest client ids and the sequences they got, oldest first.
    pub recent: VecDeque<(Uuid, i64)>,
    /// Messages that were changed lately.
    pub touched: Vec<Touched>,
}

impl ConversationState {
    /// The ticket, where this caller may see it.
    pub fn visible_to(&self, principal: &Principal, sight: &Sight) -> Option<&Arc<Ticket>> {
        self.ticket.as_ref().filter(|ticket| ticket.visible_to(principal, sight))
    }

    /// Whether this caller, who may see it, may write (table of actors, T-9).
    pub fn may_write(&self, principal: &Principal) -> bool {
        let Some(ticket) = &self.ticket else { return false };
        match &principal.subject {
            Subject::System => true,
            Subject::Employee(employee) => principal.is_moderator() || self.involved.contains(&employee.id),
            Subject::CodeUser(_) | Subject::CustomerUser(_) => !ticket.ended,
        }
    }

    /// Up to where somebody has read.
    pub fn read_by(&self, actor: Actor) -> i64 {
        self.markers.get(&actor).map_or(0, |marker| marker.sequence)
    }

    fn note_read(&mut self, reader: Actor, marker: Marker) {
        if reader != Actor::System {
            self.markers.insert(reader, marker);
        }
    }

    fn note_change(&mut self, message: &Message, until: Timestamp, at: Timestamp) {
        self.touched.retain(|touched| touched.until >= at && touched.sequence != message.sequence);
        self.touched.push(Touched { sequence: message.sequence, revision: message.revision, until });
    }

    pub(super) fn apply(&mut self, event: &ConversationEvent) {
        match event {
            ConversationEvent::Opened { ticket, at } => {
                self.ticket = Some(Arc::clone(ticket));
                self.opened_at = Some(*at);
            }
            ConversationEvent::Observed { ticket } => self.ticket = Some(Arc::clone(ticket)),
            ConversationEvent::Involved { employees, version } => {
                self.involved.clone_from(employees);
                self.involved_version = *version;
            }
            ConversationEvent::Deleted => *self = Self { deleted: true, ..Self::default() },
            ConversationEvent::Sent { message, forgets } => {
                self.last_sequence = message.sequence;
                self.last_message_at = Some(message.sent_at);
                self.recent.push_back((message.client_key(), message.sequence));
                while self.recent.len() > RECENT_CLIENTS {
                    self.recent.pop_front();
                }
                let author = message.author;
                let outside = matches!(author, Actor::CodeUser(_) | Actor::CustomerUser(_));
                if outside && self.writers.len() < MAX_WRITERS && !self.writers.contains(&author) {
                    self.writers.push(author);
                }
                if let Some(forgotten) = forgets {
                    self.markers.remove(forgotten);
                }
                self.note_read(author, Marker { sequence: message.sequence, at: message.sent_at });
            }
            ConversationEvent::Edited { after, until, .. } => {
                self.note_change(after, *until, after.edited_at.unwrap_or(after.sent_at));
            }
            ConversationEvent::Withdrawn { after, until, .. } => {
                self.note_change(after, *until, after.withdrawn_at.unwrap_or(after.sent_at));
            }
            ConversationEvent::Read { reader, marker, forgets, .. } => {
                if let Some(forgotten) = forgets {
                    self.markers.remove(forgotten);
                }
                self.note_read(*reader, *marker);
            }
        }
    }
}
