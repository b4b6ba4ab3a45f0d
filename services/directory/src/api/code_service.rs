//! `CodeService`: codes on devices (D-3, D-4), for administrators.

use std::sync::Arc;

use bytes::Bytes;
use callboard_auth::random_secret;
use callboard_directory_domain::Device;
use callboard_directory_domain::code::{Code, Command, Kept, State};
use callboard_kernel::{DeviceId, Principal, Refusal, Role, Subject, Version, derive_uuid};
use callboard_proto::directory::v1 as proto;
use callboard_proto::directory::v1::code_service_server::CodeService;
use callboard_service::convert::to_proto_time;
use callboard_service::request::{
    decode_page_token, encode_page_token, fingerprint, page_size, parse_id, parse_optional_id, principal,
};
use prost::Message as _;
use secrecy::ExposeSecret;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::directory_service::respond;
use super::exposed::{check_query, expected, visible};
use super::fields::filter_ids;
use super::refusal;
use crate::directory::{Call, Directory};
use crate::pin::{Pins, is_pin};
use crate::store::lookups;
use crate::store::read::{self, ByTime, Filter};

/// Serves `CodeService`.
#[derive(Debug, Clone)]
pub struct CodeApi {
    /// The actors.
    pub directory: Arc<Directory>,
    /// Hashes PINs.
    pub pins: Arc<Pins>,
}

fn message(id: Uuid, code: &Kept, version: Version) -> proto::Code {
    proto::Code {
        id: id.to_string(),
        token: code.token.clone(),
        device_id: code.device.map(|id| id.to_string()).unwrap_or_default(),
        active: code.active,
        has_pin: code.pin.is_some(),
        create_time: Some(to_proto_time(code.created_at)),
        update_time: Some(to_proto_time(code.updated_at)),
        etag: version.etag(),
    }
}

fn administrators_only(principal: &Principal) -> Result<(), Refusal> {
    let system = matches!(principal.subject, Subject::System);
    if system || principal.has_role(Role::Administrator) {
        Ok(())
    } else {
        Err(Refusal::denied("for administrators"))
    }
}

/// Fingerprints of requests are kept: one of a few digits could be worked out from it.
fn veiled(pin: &str) -> String {
    if pin.is_empty() { String::new() } else { "****".to_owned() }
}

impl CodeApi {
    /// Asks a code and answers with it.
    async fn ask(
        &self,
        call: &Call,
        id: Uuid,
        command: Command,
        etag: &str,
        creates: bool,
    ) -> Result<proto::Code, Refusal> {
        let answer = move |state: &State, _: &[_], version| {
            state
                .kept()
                .map(|code| Bytes::from(message(id, code, version).encode_to_vec()))
                .unwrap_or_default()
        };
        let ask = call.ask::<Code>(command, expected(etag)?, creates, Box::new(answer));
        let map = if creates { refusal::of_create } else { refusal::of_ask };
        let answer = self.directory.codes.ask(id, ask).await.map_err(|error| map(error, "code"))?;
        proto::Code::decode(answer.bytes).map_err(|error| {
            Refusal::new(callboard_kernel::ErrorKind::Internal, "INTERNAL", format!("a kept answer: {error}"))
        })
    }

    /// A command on one code.
    async fn change<Q: prost::Message>(
        &self,
        rpc: &str,
        request: &Request<Q>,
        (request_id, code_id, etag): (&str, &str, &str),
        command: Command,
    ) -> Result<proto::Code, Refusal> {
        administrators_only(&*principal(request)?)?;
        let call = Call::of(request, rpc, request_id)?;
        let id = parse_id("code_id", code_id)?;
        self.ask(&call, id, command, etag, false).await
    }

    /// A device that the caller may see.
    async fn device(&self, principal: &Principal, field: &str, id: Uuid) -> Result<DeviceId, Refusal> {
        match visible::<Device>(&self.directory, principal, id).await? {
            Some(_) => Ok(id.into()),
            None => Err(Refusal::field(field, "names no device of the organisation")),
        }
    }

    async fn hash(&self, pin: &str) -> Result<Option<String>, Refusal> {
        match pin {
            "" => Ok(None),
            pin if is_pin(pin) => Ok(Some(self.pins.hash(pin.to_owned()).await?)),
            _ => Err(Refusal::field("pin", "4 to 12 digits, or empty")),
        }
    }

    /// A new code is active and has a text of its own, whatever the request says of those.
    async fn create(&self, request: &Request<proto::CreateCodeRequest>) -> Result<proto::Code, Refusal> {
        let (caller, asked) = (principal(request)?, request.get_ref());
        administrators_only(&caller)?;
        let mut call = Call::of(request, "create_code", &asked.request_id)?;
        call.fingerprint =
            fingerprint(&proto::CreateCodeRequest { pin: veiled(&asked.pin), ..asked.clone() });
        let given = asked.code.clone().unwrap_or_default();
        let id = match given.id.as_str() {
            "" => derive_uuid(call.command_id.uuid(), &[b"code"]),
            id => parse_id("code.id", id)?,
        };
        let device = match parse_optional_id::<Uuid>("code.device_id", &given.device_id)? {
            None => None,
            Some(id) if self.directory.is_repeat(&call).await? => Some(id.into()),
            Some(id) => Some(self.device(&caller, "code.device_id", id).await?),
        };
        let pin = self.hash(&asked.pin).await?;
        // 256 bits would make a needlessly dense QR image; 132 are beyond guessing.
        let token: String = random_secret().expose_secret().chars().take(22).collect();
        self.ask(&call, id, Command::Create { token, device, pin }, "", true).await
    }

    async fn get(&self, request: &Request<proto::GetCodeRequest>) -> Result<proto::Code, Refusal> {
        let caller = principal(request)?;
        administrators_only(&caller)?;
        let id = parse_id("id", &request.get_ref().id)?;
        let found = read::code(&self.directory.pool, caller.organisation, id).await?;
        found
            .map(|(id, code)| message(id, &code.value, code.version))
            .ok_or_else(|| Refusal::not_found("code"))
    }

    async fn list(
        &self,
        request: &Request<proto::ListCodesRequest>,
    ) -> Result<proto::ListCodesResponse, Refusal> {
        let (caller, asked) = (principal(request)?, request.get_ref());
        administrators_only(&caller)?;
        check_query(&asked.query)?;
        let devices = filter_ids("device_ids", &asked.device_ids)?;
        let filters: Vec<Filter> =
            if devices.is_empty() { Vec::new() } else { vec![Filter::AnyOf("device_id", devices)] };
        let arguments = fingerprint(&proto::ListCodesRequest {
            page_size: 0,
            page_token: String::new(),
            ..asked.clone()
        });
        let (now, size) = (self.directory.clock.now(), page_size(asked.page_size, 50, 200)?);
        let after: Option<ByTime> = decode_page_token(&asked.page_token, arguments, now)?;
        let limit = i64::from(size) + 1;
        let pool = &self.directory.pool;
        let mut found = read::codes(pool, caller.organisation, &asked.query, &filters, after, limit).await?;
        let more = found.len() > size as usize;
        found.truncate(size as usize);
        let next_page_token = match found.last() {
            Some((id, code)) if more => encode_page_token(&(code.value.created_at, *id), arguments, now),
            _ => String::new(),
        };
        let codes = found.iter().map(|(id, code)| message(*id, &code.value, code.version)).collect();
        Ok(proto::ListCodesResponse { codes, next_page_token })
    }

    async fn delete(&self, request: &Request<proto::DeleteCodeRequest>) -> Result<(), Refusal> {
        let asked = request.get_ref();
        administrators_only(&*principal(request)?)?;
        let call = Call::of(request, "delete_code", &asked.request_id)?;
        let id = parse_id("id", &asked.id)?;
        self.ask(&call, id, Command::Delete, &asked.etag, false).await.map(drop)
    }

    async fn pair(&self, request: &Request<proto::PairCodeRequest>) -> Result<proto::Code, Refusal> {
        let (caller, asked) = (principal(request)?, request.get_ref());
        administrators_only(&caller)?;
        let device: Uuid = parse_id("device_id", &asked.device_id)?;
        let call = Call::of(request, "pair_code", &asked.request_id)?;
        let id = parse_id("code_id", &asked.code_id)?;
        let device = if self.directory.is_repeat(&call).await? {
            device.into()
        } else {
            self.device(&caller, "device_id", device).await?
        };
        self.ask(&call, id, Command::Pair(device), &asked.etag, false).await
    }

    async fn end_sessions(
        &self,
        request: &Request<proto::EndCodeSessionsRequest>,
    ) -> Result<proto::EndCodeSessionsResponse, Refusal> {
        let (caller, asked) = (principal(request)?, request.get_ref());
        administrators_only(&caller)?;
        let call = Call::of(request, "end_code_sessions", &asked.request_id)?;
        let id = parse_id("code_id", &asked.code_id)?;
        let pool = &self.directory.pool;
        let (_, code) =
            read::code(pool, caller.organisation, id).await?.ok_or_else(|| Refusal::not_found("code"))?;
        let (epoch, now) = (code.value.session_epoch, self.directory.clock.now());
        let ended = lookups::open_sessions(pool, caller.organisation, id, epoch, now).await?;
        let response = proto::EndCodeSessionsResponse { ended: i32::try_from(ended).unwrap_or(i32::MAX) };
        let bytes = Bytes::from(response.encode_to_vec());
        let ask = call.ask::<Code>(Command::EndSessions, None, false, Box::new(move |_, _, _| bytes.clone()));
        let answer =
            self.directory.codes.ask(id, ask).await.map_err(|error| refusal::of_ask(error, "code"))?;
        proto::EndCodeSessionsResponse::decode(answer.bytes).map_err(|error| {
            Refusal::new(callboard_kernel::ErrorKind::Internal, "INTERNAL", format!("a kept answer: {error}"))
        })
    }
}

#[tonic::async_trait]
impl CodeService for CodeApi {
    async fn create_code(
        &self,
        request: Request<proto::CreateCodeRequest>,
    ) -> Result<Response<proto::CreateCodeResponse>, Status> {
        respond(self.create(&request).await.map(|code| proto::CreateCodeResponse { code: Some(code) }))
    }

    async fn get_code(
        &self,
        request: Request<proto::GetCodeRequest>,
    ) -> Result<Response<proto::GetCodeResponse>, Status> {
        respond(self.get(&request).await.map(|code| proto::GetCodeResponse { code: Some(code) }))
    }

    async fn list_codes(
        &self,
        request: Request<proto::ListCodesRequest>,
    ) -> Result<Response<proto::ListCodesResponse>, Status> {
        respond(self.list(&request).await)
    }

    async fn delete_code(
        &self,
        request: Request<proto::DeleteCodeRequest>,
    ) -> Result<Response<proto::DeleteCodeResponse>, Status> {
        respond(self.delete(&request).await.map(|()| proto::DeleteCodeResponse {}))
    }

    async fn pair_code(
        &self,
        request: Request<proto::PairCodeRequest>,
    ) -> Result<Response<proto::PairCodeResponse>, Status> {
        respond(self.pair(&request).await.map(|code| proto::PairCodeResponse { code: Some(code) }))
    }

    async fn unpair_code(
        &self,
        request: Request<proto::UnpairCodeRequest>,
    ) -> Result<Response<proto::UnpairCodeResponse>, Status> {
        let asked = request.get_ref();
        let names = (&*asked.request_id, &*asked.code_id, &*asked.etag);
        let code = self.change("unpair_code", &request, names, Command::Unpair).await;
        respond(code.map(|code| proto::UnpairCodeResponse { code: Some(code) }))
    }

    async fn activate_code(
        &self,
        request: Request<proto::ActivateCodeRequest>,
    ) -> Result<Response<proto::ActivateCodeResponse>, Status> {
        let asked = request.get_ref();
        let names = (&*asked.request_id, &*asked.code_id, &*asked.etag);
        let code = self.change("activate_code", &request, names, Command::Activate).await;
        respond(code.map(|code| proto::ActivateCodeResponse { code: Some(code) }))
    }

    async fn deactivate_code(
        &self,
        request: Request<proto::DeactivateCodeRequest>,
    ) -> Result<Response<proto::DeactivateCodeResponse>, Status> {
        let asked = request.get_ref();
        let names = (&*asked.request_id, &*asked.code_id, &*asked.etag);
        let code = self.change("deactivate_code", &request, names, Command::Deactivate).await;
        respond(code.map(|code| proto::DeactivateCodeResponse { code: Some(code) }))
    }

    async fn set_code_pin(
        &self,
        request: Request<proto::SetCodePinRequest>,
    ) -> Result<Response<proto::SetCodePinResponse>, Status> {
        let set = async {
            administrators_only(&*principal(&request)?)?;
            let asked = request.get_ref();
            let mut call = Call::of(&request, "set_code_pin", &asked.request_id)?;
            call.fingerprint =
                fingerprint(&proto::SetCodePinRequest { pin: veiled(&asked.pin), ..asked.clone() });
            let id = parse_id("code_id", &asked.code_id)?;
            let pin = self.hash(&asked.pin).await?;
            self.ask(&call, id, Command::SetPin(pin), &asked.etag, false).await
        };
        respond(set.await.map(|code| proto::SetCodePinResponse { code: Some(code) }))
    }

    async fn end_code_sessions(
        &self,
        request: Request<proto::EndCodeSessionsRequest>,
    ) -> Result<Response<proto::EndCodeSessionsResponse>, Status> {
        respond(self.end_sessions(&request).await)
    }
}
