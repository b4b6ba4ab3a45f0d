//! Conversations and messages, read and watched.

use std::sync::Arc;

use callboard_kernel::{ErrorKind, Principal, Refusal};
use callboard_messenger_domain::conversation::ConversationState;
use callboard_proto::messenger::v1 as proto;
use callboard_service::database::refusal;
use callboard_service::page::{Room, page};
use callboard_service::request::{
    self, decode_page_token, encode_page_token, page_query, page_size, parse_id,
};
use futures::StreamExt;
use futures::stream::BoxStream;
use tonic::{Request, Status};
use uuid::Uuid;

use super::MessengerApi;
use crate::convert::{self, Eyes};
use crate::live::{Watching, watch};
use crate::store::{ListCursor, StoredMessage, Viewer, Wanted};

/// Messages of a page where nothing is asked for.
const MESSAGES: u32 = 50;
/// The most of a page.
const MOST_MESSAGES: u32 = 200;

impl MessengerApi {
    fn eyes<'a>(&self, principal: &'a Principal, state: &ConversationState) -> Eyes<'a> {
        let may_write = state.may_write(principal);
        Eyes { principal, may_write, window: self.window, now: self.clock.now() }
    }

    fn to_proto(
        &self,
        principal: &Principal,
        id: Uuid,
        state: &ConversationState,
        stored: &StoredMessage,
    ) -> proto::Message {
        let shown = convert::message(id, &stored.message, &stored.files, stored.position);
        self.eyes(principal, state).on(shown, &stored.message)
    }

    pub(super) async fn conversation(
        &self,
        request: &Request<proto::GetConversationRequest>,
    ) -> Result<proto::GetConversationResponse, Refusal> {
        let principal = request::principal(request)?;
        let message = request.get_ref();
        let id: Uuid = parse_id("conversation_id", &message.conversation_id)?;
        let wanted = u32::try_from(message.messages)
            .map_err(|_| Refusal::field("messages", "must not be negative"))?
            .min(MOST_MESSAGES);
        let found = self.queries.whole(principal.organisation, id).await.map_err(refusal)?;
        let (found, _) = self.if_visible(&principal, id, found).await?;
        let read = found.state.read_by(principal.actor());
        let unread = async {
            let counted = self.queries.unread(principal.organisation, id, principal.actor(), read);
            counted.await.map_err(refusal)
        };
        let shown = |unread| convert::conversation(id, &found.state, found.version, unread, &principal);
        let latest = async {
            if wanted == 0 {
                return Ok(None);
            }
            let conversation_id = message.conversation_id.clone();
            let query = page_query(&proto::ListMessagesRequest { conversation_id, ..Default::default() });
            let room = Room::default().beside(&shown(i32::MAX));
            self.page(&principal, id, &found.state, (i64::MAX, wanted, query), room).await.map(Some)
        };
        let (unread, latest) = tokio::try_join!(unread, latest)?;
        Ok(proto::GetConversationResponse { conversation: Some(shown(unread)), latest })
    }

    /// Messages before a sequence, the latest first; the token of what is before them is bound to `query`.
    async fn page(
        &self,
        principal: &Principal,
        id: Uuid,
        state: &ConversationState,
        (before, size, query): (i64, u32, i64),
        mut room: Room,
    ) -> Result<proto::ListMessagesResponse, Refusal> {
        let found = self
            .queries
            .messages_before(principal.organisation, id, before, i64::from(size) + 1)
            .await
            .map_err(refusal)?;
        // As they are sent: a text of 4,000 characters is several times as much once its links are links.
        let shown = found.iter().map(|one| (one.message.sequence, self.to_proto(principal, id, state, one)));
        let (messages, last) = room.page(shown, size);
        let next_page_token =
            last.map(|last| encode_page_token(&last, query, self.clock.now())).unwrap_or_default();
        Ok(proto::ListMessagesResponse { messages, next_page_token })
    }

    pub(super) async fn list(
        &self,
        request: &Request<proto::ListConversationsRequest>,
    ) -> Result<proto::ListConversationsResponse, Refusal> {
        let principal = request::principal(request)?;
        let message = request.get_ref();
        let size = page_size(message.page_size, 25, 100)?;
        let query = page_query(message);
        let now = self.clock.now();
        let after: Option<ListCursor> = decode_page_token(&message.page_token, query, now)?;
        let viewer =
            Viewer { principal: Principal::clone(&principal), isolation: self.isolation(&principal).await? };
        let wanted = Wanted { unread_only: message.unread_only, mine: message.mine };
        let found = self.queries.list(&viewer, wanted, after, i64::from(size) + 1).await.map_err(refusal)?;
        let shown = found.iter().map(|one| {
            let stored = &one.stored;
            let shown =
                convert::conversation(stored.id, &stored.state, stored.version, one.unread, &principal);
            (stored, shown)
        });
        let (conversations, last) = page(shown, size);
        let next = last.and_then(|last| Some((last.id, last.state.last_message_at?)));
        let next_page_token =
            next.map(|(id, at)| encode_page_token(&ListCursor { at, id }, query, now)).unwrap_or_default();
        Ok(proto::ListConversationsResponse { conversations, next_page_token })
    }

    pub(super) async fn messages(
        &self,
        request: &Request<proto::ListMessagesRequest>,
    ) -> Result<proto::ListMessagesResponse, Refusal> {
        let principal = request::principal(request)?;
        let message = request.get_ref();
        let id: Uuid = parse_id("conversation_id", &message.conversation_id)?;
        let size = page_size(message.page_size, MESSAGES, MOST_MESSAGES)?;
        let query = page_query(message);
        let before: Option<i64> = decode_page_token(&message.page_token, query, self.clock.now())?;
        let (seen, _) = self.visible(&principal, id).await?;
        let before = before.unwrap_or(i64::MAX);
        self.page(&principal, id, &seen.state, (before, size, query), Room::default()).await
    }

    pub(super) async fn message(
        &self,
        request: &Request<proto::GetMessageRequest>,
    ) -> Result<proto::Message, Refusal> {
        let principal = request::principal(request)?;
        let message = request.get_ref();
        let id: Uuid = parse_id("conversation_id", &message.conversation_id)?;
        let (seen, _) = self.visible(&principal, id).await?;
        let found =
            self.queries.message(principal.organisation, id, message.sequence).await.map_err(refusal)?;
        let found = found.ok_or_else(|| Refusal::missing("message", message.sequence))?;
        Ok(self.to_proto(&principal, id, &seen.state, &found))
    }

    pub(super) async fn revisions(
        &self,
        request: &Request<proto::ListMessageRevisionsRequest>,
    ) -> Result<proto::ListMessageRevisionsResponse, Refusal> {
        let principal = request::principal(request)?;
        let message = request.get_ref();
        let id: Uuid = parse_id("conversation_id", &message.conversation_id)?;
        let size = page_size(message.page_size, 50, 200)?;
        let query = page_query(message);
        let now = self.clock.now();
        let after: Option<i32> = decode_page_token(&message.page_token, query, now)?;
        self.visible(&principal, id).await?;
        if principal.employee().is_none() {
            return Err(Refusal::denied("what a message said before is for employees (M-6)"));
        }
        let found =
            self.queries.message(principal.organisation, id, message.sequence).await.map_err(refusal)?;
        let of = found.ok_or_else(|| Refusal::missing("message", message.sequence))?.message.id;
        let found = self
            .queries
            .revisions(
                principal.organisation,
                id,
                message.sequence,
                after.unwrap_or_default(),
                i64::from(size) + 1,
            )
            .await
            .map_err(refusal)?;
        let files = self.queries.files_of(of).await.map_err(refusal)?;
        let shown = found.into_iter().map(|one| (one.revision, convert::revision(one, &files)));
        let (revisions, last) = page(shown, size);
        let next_page_token = last.map(|last| encode_page_token(&last, query, now)).unwrap_or_default();
        Ok(proto::ListMessageRevisionsResponse { revisions, next_page_token })
    }

    pub(super) async fn open_watch(
        &self,
        request: &Request<proto::WatchRequest>,
    ) -> Result<BoxStream<'static, Result<proto::WatchResponse, Status>>, Refusal> {
        let principal = request::principal(request)?;
        let message = request.get_ref();
        let id: Uuid = parse_id("conversation_id", &message.conversation_id)?;
        let history = match message.history {
            0 => 50,
            asked if asked < 0 => return Err(Refusal::field("history", "must not be negative")),
            asked => i64::from(asked.min(200)),
        };
        let (seen, _) = self.visible(&principal, id).await?;
        if !(0..=seen.version.0).contains(&message.after_position) {
            return Err(Refusal::field("after_position", "is no position of this conversation"));
        }
        let seat = self.hub.join(principal.organisation, id, principal.actor()).await.map_err(refusal)?;
        let seat = seat.ok_or_else(|| {
            Refusal::new(ErrorKind::ResourceExhausted, "TOO_MANY_STREAMS", "too many open streams")
        })?;
        let header = request.metadata().get("authorization").and_then(|value| value.to_str().ok());
        let token =
            header.and_then(|header| header.split_once(' ')).map(|(_, token)| token.trim().to_owned());
        let watching = Watching {
            seat,
            principal: Arc::clone(&principal),
            token,
            verifier: Arc::clone(&self.verifier),
            queries: self.queries.clone(),
            copies: self.copies.clone(),
            clock: Arc::clone(&self.clock),
            window: self.window,
            stop: self.hub.stop().clone(),
            after: message.after_position,
            history,
        };
        Ok(watch(watching).map(|next| next.map_err(super::service::status)).boxed())
    }
}
