//! The RPCs of `TaskService`.

use callboard_kernel::Refusal;
use callboard_proto::tasks::v1 as proto;
use callboard_proto::tasks::v1::task_service_server::TaskService;
use callboard_service::error::IntoStatus;
use callboard_tasks_domain::task::TaskCommand;
use tonic::{Request, Response, Status};

use super::TaskApi;

pub(super) fn reply<R>(outcome: Result<R, Refusal>) -> Result<Response<R>, Status> {
    outcome.map(Response::new).map_err(|refusal| refusal.into_status(crate::NAME))
}

/// An RPC that a method of the API answers, and how its outcome becomes the response.
macro_rules! rpcs {
    ({ $($rpc:ident($request:ident) -> $response:ident: $method:ident $(=> $field:ident)?;)+ }
     verbs { $($verb:ident($verb_request:ident) -> $verb_response:ident: $name:literal, $command:ident;)+ }) => {
        #[tonic::async_trait]
        impl TaskService for TaskApi {
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
                let at = (message.request_id.as_str(), message.task_id.as_str(), message.etag.as_str());
                let outcome = self.verb(&request, $name, at, TaskCommand::$command).await;
                reply(outcome.map(|task| proto::$verb_response { task: Some(task) }))
            })+

            async fn delete_task(
                &self,
                request: Request<proto::DeleteTaskRequest>,
            ) -> Result<Response<proto::DeleteTaskResponse>, Status> {
                let message = request.get_ref();
                let at = (message.request_id.as_str(), message.task_id.as_str(), message.etag.as_str());
                let outcome = self.verb(&request, "DeleteTask", at, TaskCommand::Delete).await;
                reply(outcome.map(|_| proto::DeleteTaskResponse {}))
            }
        }
    };
}

rpcs! {
    {
    list_definitions(ListDefinitionsRequest) -> ListDefinitionsResponse: definitions;
    put_definition(PutDefinitionRequest) -> PutDefinitionResponse: put_definition;
    delete_definition(DeleteDefinitionRequest) -> DeleteDefinitionResponse: delete_definition;
    list_device_events(ListDeviceEventsRequest) -> ListDeviceEventsResponse: device_events;
    get_device_event(GetDeviceEventRequest) -> GetDeviceEventResponse: device_event => device_event;
    put_device_event(PutDeviceEventRequest) -> PutDeviceEventResponse: put_device_event;
    delete_device_event(DeleteDeviceEventRequest) -> DeleteDeviceEventResponse: delete_device_event;
    create_task(CreateTaskRequest) -> CreateTaskResponse: create => task;
    get_task(GetTaskRequest) -> GetTaskResponse: get => task;
    list_tasks(ListTasksRequest) -> ListTasksResponse: list;
    update_task(UpdateTaskRequest) -> UpdateTaskResponse: update => task;
    tick_step(TickStepRequest) -> TickStepResponse: tick => task;
    assign_task(AssignTaskRequest) -> AssignTaskResponse: assign => task;
    }
    verbs {
    start_task(StartTaskRequest) -> StartTaskResponse: "StartTask", Start;
    close_task(CloseTaskRequest) -> CloseTaskResponse: "CloseTask", Close;
    reopen_task(ReopenTaskRequest) -> ReopenTaskResponse: "ReopenTask", Reopen;
    }
}
