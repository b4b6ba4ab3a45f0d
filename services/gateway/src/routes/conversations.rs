//! Conversations of tickets.

use axum::response::Response;
use callboard_proto::messenger::v1 as proto;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{ask, rpc};
use crate::answer::{Answer, Gone, show, show_inner};
use crate::call::{Call, Id, IdAndKey};
use crate::extract::{Json, Query};
use crate::live::conversation;
use crate::model::messenger::{
    Conversation, ConversationPage, EditedMessage, Message, MessagePage, MessageRevisionPage, NewMessage,
    ReadMarker, ReadUpTo, TypingNow,
};
use crate::openapi::{Resource, Route};
use crate::problem::Problem;

/// Which conversations.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Asked {
    /// Only those with something unread.
    unread_only: bool,
    /// Only those one is involved or has written in.
    mine: bool,
    /// 0 or not given: 25; more than 100 counts as 100.
    page_size: i32,
    /// The `nextPageToken` of the page before.
    page_token: String,
}

/// Which page.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct AskedPage {
    /// 0 or not given: 50; more than 200 counts as 200.
    page_size: i32,
    /// The `nextPageToken` of the page before.
    page_token: String,
}

/// From where a stream begins.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct AskedStream {
    /// Resume behind this position; the header `Last-Event-ID` wins.
    after_position: i64,
    /// How many of the latest messages come first. 0 or not given: 50; more than 200 counts as 200.
    history: i32,
}

fn sequence(key: &str) -> Result<i64, Problem> {
    key.parse().map_err(|_| Problem::field("sequence", "must be a number"))
}

async fn list(call: Call, Query(asked): Query<Asked>) -> Answer<ConversationPage> {
    let message = proto::ListConversationsRequest {
        unread_only: asked.unread_only,
        mine: asked.mine,
        page_size: asked.page_size,
        page_token: asked.page_token,
    };
    show(ask!(call, messenger.list_conversations(message)))
}

async fn get(call: Call, Id(conversation_id): Id) -> Answer<Conversation> {
    let message = proto::GetConversationRequest { conversation_id, messages: 0 };
    show_inner(ask!(call, messenger.get_conversation(message)).conversation)
}

async fn messages(
    call: Call,
    Id(conversation_id): Id,
    Query(asked): Query<AskedPage>,
) -> Answer<MessagePage> {
    let message = proto::ListMessagesRequest {
        conversation_id,
        page_size: asked.page_size,
        page_token: asked.page_token,
    };
    show(ask!(call, messenger.list_messages(message)))
}

async fn message(call: Call, IdAndKey(conversation_id, key): IdAndKey) -> Answer<Message> {
    let message = proto::GetMessageRequest { conversation_id, sequence: sequence(&key)? };
    show_inner(ask!(call, messenger.get_message(message)).message)
}

async fn revisions(
    call: Call,
    IdAndKey(conversation_id, key): IdAndKey,
    Query(asked): Query<AskedPage>,
) -> Answer<MessageRevisionPage> {
    let message = proto::ListMessageRevisionsRequest {
        conversation_id,
        sequence: sequence(&key)?,
        page_size: asked.page_size,
        page_token: asked.page_token,
    };
    show(ask!(call, messenger.list_message_revisions(message)))
}

async fn send(call: Call, Id(conversation_id): Id, Json(new): Json<NewMessage>) -> Answer<Message> {
    let message = proto::SendMessageRequest {
        request_id: call.request_uuid(),
        conversation_id,
        client_id: new.client_id.unwrap_or_default(),
        text: new.text.unwrap_or_default(),
        attachment_ids: new.attachment_ids,
    };
    show_inner(ask!(call, messenger.send_message(message)).message)
}

async fn edit(
    call: Call,
    IdAndKey(conversation_id, key): IdAndKey,
    Json(edited): Json<EditedMessage>,
) -> Answer<Message> {
    let message = proto::EditMessageRequest {
        request_id: call.request_uuid(),
        conversation_id,
        sequence: sequence(&key)?,
        text: edited.text,
        etag: call.etag(edited.etag),
    };
    show_inner(ask!(call, messenger.edit_message(message)).message)
}

async fn withdraw(call: Call, IdAndKey(conversation_id, key): IdAndKey) -> Answer<Message> {
    let message = proto::WithdrawMessageRequest {
        request_id: call.request_uuid(),
        conversation_id,
        sequence: sequence(&key)?,
        etag: call.etag(None),
    };
    show_inner(ask!(call, messenger.withdraw_message(message)).message)
}

async fn mark_read(call: Call, Id(conversation_id): Id, Json(read): Json<ReadUpTo>) -> Answer<ReadMarker> {
    let message =
        proto::MarkReadRequest { request_id: call.request_uuid(), conversation_id, sequence: read.sequence };
    let answered = ask!(call, messenger.mark_read(message));
    // Nothing was read yet and there is nothing to read.
    show_inner(Some(answered.marker.unwrap_or_default()))
}

async fn set_typing(call: Call, Id(conversation_id): Id, Json(now): Json<TypingNow>) -> Gone {
    let message = proto::SetTypingRequest { conversation_id, typing: now.typing };
    ask!(call, messenger.set_typing(message));
    Ok(StatusCode::NO_CONTENT)
}

async fn live(
    call: Call,
    Id(conversation_id): Id,
    Query(asked): Query<AskedStream>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let message =
        proto::WatchRequest { conversation_id, after_position: asked.after_position, history: asked.history };
    conversation::open(call, message, &headers).await
}

/// The routes.
pub fn resource() -> Resource {
    Resource {
        tag: "conversations",
        about: "Conversations of tickets: one each, under the ticket's id.",
        routes: vec![
            Route::get("/v1/conversations", list)
                .rpc(rpc!("messenger.v1.MessengerService", "ListConversations"))
                .query::<Asked>()
                .answers::<ConversationPage>()
                .about("Conversations in which something was said, the latest first, with what is unread (M-6)."),
            Route::get("/v1/conversations/{id}", get)
                .rpc(rpc!("messenger.v1.MessengerService", "GetConversation"))
                .answers::<Conversation>()
                .about("A conversation the caller may see."),
            Route::get("/v1/tickets/{id}/conversation", get)
                .rpc(rpc!("messenger.v1.MessengerService", "GetConversation"))
                .named("getConversationOfTicket")
                .answers::<Conversation>()
                .about("The conversation of a ticket (M-1); none before the ticket is open."),
            Route::get("/v1/conversations/{id}/messages", messages)
                .rpc(rpc!("messenger.v1.MessengerService", "ListMessages"))
                .query::<AskedPage>()
                .answers::<MessagePage>()
                .about("Messages, the latest first."),
            Route::get("/v1/conversations/{id}/messages/{sequence}", message)
                .rpc(rpc!("messenger.v1.MessengerService", "GetMessage"))
                .answers::<Message>()
                .about("One message."),
            Route::get("/v1/conversations/{id}/messages/{sequence}/revisions", revisions)
                .rpc(rpc!("messenger.v1.MessengerService", "ListMessageRevisions"))
                .query::<AskedPage>()
                .answers::<MessageRevisionPage>()
                .about("What a message said before it was edited or withdrawn. Employees (M-6)."),
            Route::post("/v1/conversations/{id}:send", send)
                .rpc(rpc!("messenger.v1.MessengerService", "SendMessage"))
                .body::<NewMessage>()
                .answers::<Message>()
                .about("Says something (M-3). Sending twice under one `clientId` gives one message (M-4)."),
            Route::post("/v1/conversations/{id}/messages/{sequence}:edit", edit)
                .rpc(rpc!("messenger.v1.MessengerService", "EditMessage"))
                .body::<EditedMessage>()
                .answers::<Message>()
                .conditional()
                .about("Changes what one has said, within the configured time (M-6)."),
            Route::post("/v1/conversations/{id}/messages/{sequence}:withdraw", withdraw)
                .rpc(rpc!("messenger.v1.MessengerService", "WithdrawMessage"))
                .answers::<Message>()
                .conditional()
                .about("Takes back what one has said, within the configured time (M-6)."),
            Route::post("/v1/conversations/{id}:markRead", mark_read)
                .rpc(rpc!("messenger.v1.MessengerService", "MarkRead"))
                .body::<ReadUpTo>()
                .answers::<ReadMarker>()
                .about("Notes up to where the caller has read; never moves back (M-6)."),
            Route::post("/v1/conversations/{id}:setTyping", set_typing)
                .rpc(rpc!("messenger.v1.MessengerService", "SetTyping"))
                .body::<TypingNow>()
                .answers_nothing()
                .about("Tells those who watch that the caller types. Kept nowhere (M-6)."),
            Route::get("/v1/conversations/{id}/live", live)
                .rpc(rpc!("messenger.v1.MessengerService", "Watch"))
                .named("watchConversation")
                .query::<AskedStream>()
                .answers_as::<Message>("200", "text/event-stream")
                .about(
                    "Server-sent events: `conversation` first and when it changes, `message` for each that is new or \
                     has changed (by sequence), `readMarker`, `typing`, `presence`, `caughtUp` once all there was has \
                     come, and `end` with the reason. Resume with `Last-Event-ID`: nothing is missed, nothing comes \
                     twice (M-5). Ends when the conversation may not be seen any more (T-13).",
                ),
        ],
    }
}
