//! The directory, as far as notifications ask it.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use callboard_proto::directory::v1 as proto;
use futures::future::BoxFuture;
use parking_lot::Mutex;
use tonic::body::Body;
use tonic::server::{Grpc, UnaryService};
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;

/// People by id: name and e-mail address; codes by id: their text.
#[derive(Debug, Clone, Default)]
pub struct Directory {
    pub people: Arc<Mutex<HashMap<String, (String, String)>>>,
    pub codes: Arc<Mutex<HashMap<String, String>>>,
}

/// Only the service itself asks, with a token of its own.
fn admit<T>(request: &Request<T>) -> Result<(), Status> {
    let refused = || Status::unauthenticated("no service");
    let value = request.metadata().get("authorization").and_then(|value| value.to_str().ok());
    let token = value.and_then(|value| value.strip_prefix("Bearer ")).ok_or_else(refused)?;
    let claims = token.split('.').nth(1).and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
    let claims: serde_json::Value =
        serde_json::from_slice(&claims.ok_or_else(refused)?).map_err(|_| refused())?;
    if claims["callboard_kind"] == "service" { Ok(()) } else { Err(refused()) }
}

macro_rules! answers {
    ($name:ident: $request:ident -> $response:ident = |$directory:ident, $id:ident| $answer:expr) => {
        async fn $name(
            State(directory): State<Directory>,
            request: http::Request<axum::body::Body>,
        ) -> http::Response<Body> {
            struct Get(Directory);
            impl UnaryService<proto::$request> for Get {
                type Response = proto::$response;
                type Future = BoxFuture<'static, Result<Response<Self::Response>, Status>>;
                fn call(&mut self, request: Request<proto::$request>) -> Self::Future {
                    let $directory = self.0.clone();
                    Box::pin(async move {
                        admit(&request)?;
                        let $id = request.into_inner().id;
                        $answer.map(Response::new).ok_or_else(|| Status::not_found("nobody"))
                    })
                }
            }
            Grpc::new(ProstCodec::<proto::$response, proto::$request>::default())
                .unary(Get(directory), request)
                .await
        }
    };
}

answers!(employee: GetEmployeeRequest -> GetEmployeeResponse = |directory, id| {
    directory.people.lock().get(&id).cloned().map(|(name, email)| proto::GetEmployeeResponse {
        employee: Some(proto::Employee { id, name, email, ..Default::default() }),
    })
});

answers!(customer_user: GetCustomerUserRequest -> GetCustomerUserResponse = |directory, id| {
    directory.people.lock().get(&id).cloned().map(|(name, email)| proto::GetCustomerUserResponse {
        customer_user: Some(proto::CustomerUser { id, name, email, ..Default::default() }),
    })
});

answers!(code: GetCodeRequest -> GetCodeResponse = |directory, id| {
    directory.codes.lock().get(&id).cloned().map(|token| proto::GetCodeResponse {
        code: Some(proto::Code { id, token, active: true, device_id: "a device".into(), ..Default::default() }),
    })
});

impl Directory {
    /// Serves for as long as the test's runtime; answers where.
    pub async fn serve(&self) -> String {
        let router = Router::new()
            .route("/callboard.directory.v1.DirectoryService/GetEmployee", post(employee))
            .route("/callboard.directory.v1.DirectoryService/GetCustomerUser", post(customer_user))
            .route("/callboard.directory.v1.CodeService/GetCode", post(code))
            .with_state(self.clone());
        super::house::serve(router).await
    }
}
