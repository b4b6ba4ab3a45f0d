//! The RPCs, one by one.

use callboard_kernel::Refusal;
use callboard_proto::messenger::v1 as proto;
use callboard_proto::messenger::v1::messenger_service_server::MessengerService;
use callboard_service::error::IntoStatus;
use futures::stream::BoxStream;
use tonic::{Request, Response, Status};

use super::MessengerApi;

pub(super) fn status(refusal: Refusal) -> Status {
    refusal.into_status(crate::NAME)
}

fn reply<R>(outcome: Result<R, Refusal>) -> Result<Response<R>, Status> {
    outcome.map(Response::new).map_err(status)
}

#[tonic::async_trait]
impl MessengerService for MessengerApi {
    type WatchStream = BoxStream<'static, Result<proto::WatchResponse, Status>>;

    async fn get_conversation(
        &self,
        request: Request<proto::GetConversationRequest>,
    ) -> Result<Response<proto::GetConversationResponse>, Status> {
        reply(self.conversation(&request).await)
    }

    async fn list_conversations(
        &self,
        request: Request<proto::ListConversationsRequest>,
    ) -> Result<Response<proto::ListConversationsResponse>, Status> {
        reply(self.list(&request).await)
    }

    async fn list_messages(
        &self,
        request: Request<proto::ListMessagesRequest>,
    ) -> Result<Response<proto::ListMessagesResponse>, Status> {
        reply(self.messages(&request).await)
    }

    async fn get_message(
        &self,
        request: Request<proto::GetMessageRequest>,
    ) -> Result<Response<proto::GetMessageResponse>, Status> {
        reply(self.message(&request).await.map(|found| proto::GetMessageResponse { message: Some(found) }))
    }

    async fn send_message(
        &self,
        request: Request<proto::SendMessageRequest>,
    ) -> Result<Response<proto::SendMessageResponse>, Status> {
        reply(self.send(&request).await)
    }

    async fn edit_message(
        &self,
        request: Request<proto::EditMessageRequest>,
    ) -> Result<Response<proto::EditMessageResponse>, Status> {
        reply(self.edit(&request).await)
    }

    async fn withdraw_message(
        &self,
        request: Request<proto::WithdrawMessageRequest>,
    ) -> Result<Response<proto::WithdrawMessageResponse>, Status> {
        reply(self.withdraw(&request).await)
    }

    async fn list_message_revisions(
        &self,
        request: Request<proto::ListMessageRevisionsRequest>,
    ) -> Result<Response<proto::ListMessageRevisionsResponse>, Status> {
        reply(self.revisions(&request).await)
    }

    async fn mark_read(
        &self,
        request: Request<proto::MarkReadRequest>,
    ) -> Result<Response<proto::MarkReadResponse>, Status> {
        reply(self.mark_read(&request).await)
    }

    async fn set_typing(
        &self,
        request: Request<proto::SetTypingRequest>,
    ) -> Result<Response<proto::SetTypingResponse>, Status> {
        reply(self.set_typing(&request).await)
    }

    async fn watch(
        &self,
        request: Request<proto::WatchRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        reply(self.open_watch(&request).await)
    }
}
