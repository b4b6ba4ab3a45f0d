//! The RPCs of `VideoService`.

use callboard_kernel::Refusal;
use callboard_proto::video::v1 as proto;
use callboard_proto::video::v1::video_service_server::VideoService;
use callboard_service::error::IntoStatus;
use callboard_video_domain::session::Act;
use futures::StreamExt;
use futures::stream::BoxStream;
use tonic::{Request, Response, Status, Streaming};

use super::VideoApi;

fn reply<R>(outcome: Result<R, Refusal>) -> Result<Response<R>, Status> {
    outcome.map(Response::new).map_err(|refusal| refusal.into_status(crate::NAME))
}

/// An RPC that a method of the API answers, and how its outcome becomes the response.
macro_rules! rpcs {
    ({ $($rpc:ident($request:ident) -> $response:ident: $method:ident $(=> $field:ident)?;)+ }
     verbs { $($verb:ident($verb_request:ident) -> $verb_response:ident: $name:literal, $act:ident;)+ }) => {
        #[tonic::async_trait]
        impl VideoService for VideoApi {
            type SignalStream = BoxStream<'static, Result<proto::SignalResponse, Status>>;

            $(async fn $rpc(
                &self,
                request: Request<proto::$request>,
            ) -> Result<Response<proto::$response>, Status> {
                let outcome = Box::pin(self.$method(&request)).await;
                $(let outcome = outcome.map(|it| proto::$response { $field: Some(it) });)?
                reply(outcome)
            })+

            $(async fn $verb(
                &self,
                request: Request<proto::$verb_request>,
            ) -> Result<Response<proto::$verb_response>, Status> {
                let message = request.get_ref();
                let at = (message.request_id.as_str(), message.session_id.as_str(), message.etag.as_str());
                let outcome = self.verb(&request, $name, at, Act::$act).await;
                reply(outcome.map(|session| proto::$verb_response { session: Some(session) }))
            })+

            async fn upload_call_file(
                &self,
                request: Request<Streaming<proto::UploadCallFileRequest>>,
            ) -> Result<Response<proto::UploadCallFileResponse>, Status> {
                let file = Box::pin(self.upload_in_call(request.into_inner())).await;
                reply(file.map(|file| proto::UploadCallFileResponse { file: Some(file) }))
            }

            async fn signal(
                &self,
                request: Request<Streaming<proto::SignalRequest>>,
            ) -> Result<Response<Self::SignalStream>, Status> {
                let said = request.into_inner().map(|item| item.ok()).boxed();
                let heard = self.calls.open(said).await;
                reply(heard.map(|heard| {
                    heard.map(|item| item.map_err(|refusal| refusal.into_status(crate::NAME))).boxed()
                }))
            }
        }
    };
}

rpcs! {
    {
    request_session(RequestSessionRequest) -> RequestSessionResponse: request => session;
    create_session(CreateSessionRequest) -> CreateSessionResponse: create => session;
    get_session(GetSessionRequest) -> GetSessionResponse: get => session;
    list_sessions(ListSessionsRequest) -> ListSessionsResponse: list;
    set_session_visibility(SetSessionVisibilityRequest) -> SetSessionVisibilityResponse: set_visibility => session;
    link_ticket(LinkTicketRequest) -> LinkTicketResponse: link => session;
    unlink_ticket(UnlinkTicketRequest) -> UnlinkTicketResponse: unlink => session;
    set_consent(SetConsentRequest) -> SetConsentResponse: consent => session;
    set_recording(SetRecordingRequest) -> SetRecordingResponse: record => session;
    add_session_file(AddSessionFileRequest) -> AddSessionFileResponse: add_file => session;
    remove_session_file(RemoveSessionFileRequest) -> RemoveSessionFileResponse: remove_file => session;
    join_session(JoinSessionRequest) -> JoinSessionResponse: join;
    end_call(EndCallRequest) -> EndCallResponse: end => session;
    receive_provider_webhook(ReceiveProviderWebhookRequest) -> ReceiveProviderWebhookResponse: webhook;
    get_session_flow(GetSessionFlowRequest) -> GetSessionFlowResponse: flow => session_flow;
    put_session_flow(PutSessionFlowRequest) -> PutSessionFlowResponse: put_flow => session_flow;
    }
    verbs {
    confirm_session(ConfirmSessionRequest) -> ConfirmSessionResponse: "ConfirmSession", Confirm;
    withdraw_session(WithdrawSessionRequest) -> WithdrawSessionResponse: "WithdrawSession", Withdraw;
    cancel_session(CancelSessionRequest) -> CancelSessionResponse: "CancelSession", Cancel;
    reopen_session(ReopenSessionRequest) -> ReopenSessionResponse: "ReopenSession", Reopen;
    }
}
