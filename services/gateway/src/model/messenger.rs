//! Shapes of conversations.

use callboard_proto::messenger::v1 as proto;
use serde::Deserialize;
use utoipa::ToSchema;

use super::attachments::Attachment;
use super::mirror::{mirror, words};
use super::{Actor, Time};

words! {
    /// Who may not write.
    LockState of proto::LockState {
        /// All participants may write.
        Open,
        /// The ticket is closed or cancelled: only employees may write (T-9).
        Outsiders,
    }

    /// What a message is.
    MessageKind of proto::MessageKind {
        /// Written by somebody.
        Text,
        /// The join link of a video session (M-7).
        JoinLink,
    }

    /// What a link is for.
    LinkKind of proto::LinkKind {
        /// A page.
        Web,
        /// An e-mail address or telephone number.
        Contact,
        /// An assistant link, to be shown as a button.
        Assistant,
    }
}

mirror! {
    /// The conversation of a ticket (M-1).
    Conversation of proto::Conversation {
        /// UUID; that of its ticket.
        id: Option<String>,
        /// UUID.
        ticket_id: String,
        /// UUID.
        device_id: Option<String>,
        /// Who may not write.
        lock: Option<LockState>,
        /// True while the ticket is internal (T-13).
        internal: bool,
        /// The highest sequence given; there are no gaps (M-5).
        last_sequence: i64,
        /// Grows with everything that happens; a stream is resumed behind it.
        position: i64,
        /// Employees involved. Employees only.
        involved_employee_ids: Vec<String>,
        /// Code users and customer users who have written. Employees only.
        writers: Vec<Actor>,
        /// How far people have read. Not in lists.
        read_markers: Vec<ReadMarker>,
        /// True when this caller may write now.
        may_write: bool,
        /// Up to where this caller has read.
        own_read_sequence: i64,
        /// Messages of others that this caller has not read; 1,000 stands for more (M-6).
        unread_count: i32,
        /// When it was opened.
        create_time: Option<Time>,
        /// When the last message was sent.
        last_message_time: Option<Time>,
        /// Strong entity tag, also in the header `ETag`.
        etag: Option<String>,
    }

    /// How far one person has read (M-6).
    ReadMarker of proto::ReadMarker {
        /// Who.
        reader: Option<Actor>,
        /// The highest sequence read.
        sequence: i64,
        /// Since when.
        update_time: Option<Time>,
    }

    /// A link in a text.
    Link of proto::Link {
        /// What it is for.
        kind: Option<LinkKind>,
        /// `http`, `https`, `mailto` or `tel`.
        url: String,
        /// What it says.
        text: String,
    }

    /// A message (M-1).
    Message of proto::Message {
        /// UUID.
        id: Option<String>,
        /// UUID.
        conversation_id: String,
        /// Its place in the conversation, without gaps (M-5).
        sequence: i64,
        /// What it is.
        kind: Option<MessageKind>,
        /// Who said it.
        author: Option<Actor>,
        /// As written; not set when withdrawn.
        text: Option<String>,
        /// The text as safe HTML: `p`, `strong`, `em`, `br` and `a` only.
        html: Option<String>,
        /// Links in the text, in order.
        links: Vec<Link>,
        /// UUIDs.
        attachment_ids: Vec<String>,
        /// The files themselves.
        attachments: Vec<Attachment>,
        /// The video session of a JOIN_LINK.
        session_id: Option<String>,
        /// When it was sent.
        create_time: Option<Time>,
        /// When it was edited last.
        edit_time: Option<Time>,
        /// When it was withdrawn.
        withdraw_time: Option<Time>,
        /// 1 as sent, one more with each change.
        revision: i32,
        /// The conversation's position when it last changed.
        position: i64,
        /// True when this caller may edit or withdraw it now (M-6).
        may_edit: bool,
        /// What its author's client named it; only told to the author.
        client_id: Option<String>,
        /// Strong entity tag, also in the header `ETag`.
        etag: Option<String>,
    }

    /// A page of conversations, the latest first.
    ConversationPage of proto::ListConversationsResponse {
        conversations: Vec<Conversation>,
        /// Not set: the end.
        next_page_token: Option<String>,
    }

    /// A page of messages, the latest first.
    MessagePage of proto::ListMessagesResponse {
        messages: Vec<Message>,
        /// Not set: the end.
        next_page_token: Option<String>,
    }

    /// What a message said before.
    MessageRevision of proto::MessageRevision {
        /// Which.
        revision: i32,
        /// What it said.
        text: String,
        /// Since when.
        create_time: Option<Time>,
        /// Until when.
        end_time: Option<Time>,
        /// What came with it.
        attachments: Vec<Attachment>,
    }

    /// A page of what a message said before, the oldest first.
    MessageRevisionPage of proto::ListMessageRevisionsResponse {
        revisions: Vec<MessageRevision>,
        /// Not set: the end.
        next_page_token: Option<String>,
    }

    /// Somebody types; `event: typing` of a conversation's stream.
    Typing of proto::Typing {
        /// Who.
        actor: Option<Actor>,
        /// False: stopped.
        typing: bool,
        /// Forget it then.
        expire_time: Option<Time>,
    }

    /// Somebody watches, or has gone; `event: presence` of a conversation's stream.
    Presence of proto::Presence {
        /// Who.
        actor: Option<Actor>,
        /// False: gone.
        present: bool,
    }
}

/// A message to send. Text or attachments must be there.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewMessage {
    /// At most 4,000 characters. CommonMark subset: bold, italic, links, line breaks; assistant links
    /// `[[url | text]]`.
    #[serde(default)]
    pub text: Option<String>,
    /// Names the message for its author, 1 to 64 visible ASCII characters: sending twice with the same one gives one
    /// message (M-4). Not given: the `Idempotency-Key`.
    #[serde(default)]
    pub client_id: Option<String>,
    /// UUIDs of attachments, at most 20.
    #[serde(default)]
    pub attachment_ids: Vec<String>,
}

/// What a message says from now on.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EditedMessage {
    /// At most 4,000 characters.
    pub text: String,
    /// The message's `etag` as last seen; `If-Match` wins.
    #[serde(default)]
    pub etag: Option<String>,
}

/// How far one has read.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReadUpTo {
    /// The highest sequence read.
    pub sequence: i64,
}

/// Whether one types.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TypingNow {
    /// Repeat it every few seconds while it lasts.
    pub typing: bool,
}
