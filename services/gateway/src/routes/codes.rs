//! Codes on devices (D-3, D-4).

use callboard_proto::directory::v1 as proto;
use http::StatusCode;
use serde::Deserialize;
use utoipa::IntoParams;

use super::{ask, rpc};
use crate::answer::{Answer, Gone, show, show_created, show_inner};
use crate::call::{Call, Id};
use crate::extract::{Json, Query};
use crate::model::directory::{Code, CodePage, EndedSessions, NewCode, Pairing, Pin};
use crate::openapi::{Resource, Route};
use crate::start;

/// Which page of which.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Asked {
    /// 0 or not given: 50; more than 200 counts as 200.
    page_size: i32,
    /// The `nextPageToken` of the page before.
    page_token: String,
    /// Words that the name of the device contains; at most 200 characters.
    query: String,
    /// Of these devices.
    device_id: Vec<String>,
}

/// Tells what its QR image holds.
fn link(call: &Call, code: &mut Code) {
    code.url = code.token.as_deref().map(|token| start::code_url(&call.gateway, token));
}

/// Shows a code with its address.
fn linked(call: &Call, code: Option<proto::Code>) -> Answer<Code> {
    let shown: Answer<Code> = show_inner(code);
    Ok(shown?.with(|code| link(call, code)))
}

async fn create(call: Call, Json(new): Json<NewCode>) -> Answer<Code> {
    let code = proto::Code {
        id: new.id.unwrap_or_default(),
        device_id: new.device_id.unwrap_or_default(),
        active: new.active.unwrap_or(true),
        ..proto::Code::default()
    };
    let message = proto::CreateCodeRequest {
        request_id: call.request_uuid(),
        code: Some(code),
        pin: new.pin.unwrap_or_default(),
    };
    let shown: Answer<Code> = show_created(ask!(call, codes.create_code(message)).code, "/v1/codes");
    Ok(shown?.with(|code| link(&call, code)))
}

async fn get(call: Call, Id(id): Id) -> Answer<Code> {
    linked(&call, ask!(call, codes.get_code(proto::GetCodeRequest { id })).code)
}

async fn list(call: Call, Query(asked): Query<Asked>) -> Answer<CodePage> {
    let Asked { page_size, page_token, query, device_id: device_ids } = asked;
    let message = proto::ListCodesRequest { page_size, page_token, query, device_ids };
    let shown: Answer<CodePage> = show(ask!(call, codes.list_codes(message)));
    Ok(shown?.with(|page| page.codes.iter_mut().for_each(|code| link(&call, code))))
}

async fn delete(call: Call, Id(id): Id) -> Gone {
    let message = proto::DeleteCodeRequest { request_id: call.request_uuid(), id, etag: call.etag(None) };
    ask!(call, codes.delete_code(message));
    Ok(StatusCode::NO_CONTENT)
}

async fn pair(call: Call, Id(code_id): Id, Json(pairing): Json<Pairing>) -> Answer<Code> {
    let message = proto::PairCodeRequest {
        request_id: call.request_uuid(),
        code_id,
        etag: call.etag(None),
        device_id: pairing.device_id,
    };
    linked(&call, ask!(call, codes.pair_code(message)).code)
}

async fn unpair(call: Call, Id(code_id): Id) -> Answer<Code> {
    let message =
        proto::UnpairCodeRequest { request_id: call.request_uuid(), code_id, etag: call.etag(None) };
    linked(&call, ask!(call, codes.unpair_code(message)).code)
}

async fn activate(call: Call, Id(code_id): Id) -> Answer<Code> {
    let message =
        proto::ActivateCodeRequest { request_id: call.request_uuid(), code_id, etag: call.etag(None) };
    linked(&call, ask!(call, codes.activate_code(message)).code)
}

async fn deactivate(call: Call, Id(code_id): Id) -> Answer<Code> {
    let message =
        proto::DeactivateCodeRequest { request_id: call.request_uuid(), code_id, etag: call.etag(None) };
    linked(&call, ask!(call, codes.deactivate_code(message)).code)
}

async fn set_pin(call: Call, Id(code_id): Id, Json(Pin { pin }): Json<Pin>) -> Answer<Code> {
    let message =
        proto::SetCodePinRequest { request_id: call.request_uuid(), code_id, etag: call.etag(None), pin };
    linked(&call, ask!(call, codes.set_code_pin(message)).code)
}

async fn end_sessions(call: Call, Id(code_id): Id) -> Answer<EndedSessions> {
    let message = proto::EndCodeSessionsRequest { request_id: call.request_uuid(), code_id };
    show(ask!(call, codes.end_code_sessions(message)))
}

/// The routes.
pub fn resource() -> Resource {
    Resource {
        tag: "codes",
        about: "URL and QR image on a device. Administrators.",
        routes: vec![
            Route::get("/v1/codes", list)
                .rpc(rpc!("directory.v1.CodeService", "ListCodes"))
                .query::<Asked>()
                .answers::<CodePage>()
                .about("A page of codes, newest first."),
            Route::post("/v1/codes", create)
                .rpc(rpc!("directory.v1.CodeService", "CreateCode"))
                .body::<NewCode>()
                .creates::<Code>()
                .about("Makes a code."),
            Route::get("/v1/codes/{id}", get)
                .rpc(rpc!("directory.v1.CodeService", "GetCode"))
                .answers::<Code>()
                .about("One code."),
            Route::delete("/v1/codes/{id}", delete)
                .rpc(rpc!("directory.v1.CodeService", "DeleteCode"))
                .conditional()
                .about("Removes a code."),
            Route::post("/v1/codes/{id}:pair", pair)
                .rpc(rpc!("directory.v1.CodeService", "PairCode"))
                .body::<Pairing>()
                .answers::<Code>()
                .conditional()
                .about("Pairs a code to a device; pairing again moves it."),
            Route::post("/v1/codes/{id}:unpair", unpair)
                .rpc(rpc!("directory.v1.CodeService", "UnpairCode"))
                .answers::<Code>()
                .conditional()
                .about("Takes a code off its device; its sessions end (D-4)."),
            Route::post("/v1/codes/{id}:activate", activate)
                .rpc(rpc!("directory.v1.CodeService", "ActivateCode"))
                .answers::<Code>()
                .conditional()
                .about("Lets code users in again."),
            Route::post("/v1/codes/{id}:deactivate", deactivate)
                .rpc(rpc!("directory.v1.CodeService", "DeactivateCode"))
                .answers::<Code>()
                .conditional()
                .about("Lets only logged-in people in; sessions end (D-3)."),
            Route::post("/v1/codes/{id}:setPin", set_pin)
                .rpc(rpc!("directory.v1.CodeService", "SetCodePin"))
                .body::<Pin>()
                .answers::<Code>()
                .conditional()
                .about("Sets or, empty, removes the PIN."),
            Route::post("/v1/codes/{id}:endSessions", end_sessions)
                .rpc(rpc!("directory.v1.CodeService", "EndCodeSessions"))
                .answers::<EndedSessions>()
                .about("Logs all code users of a code out, everywhere within seconds (D-3)."),
        ],
    }
}
