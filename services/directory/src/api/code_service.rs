//! `CodeService`: codes on devices (D-3, D-4), for administrators.

use std::sync::Arc;

use callboard_auth::random_secret;
use callboard_directory_domain::Device;
use callboard_directory_domain::code::{Command, Event, Kept, State};
use callboard_kernel::{DeviceId, Principal, Refusal, Role, Subject, Version, derive_uuid};
use callboard_proto::directory::v1 as proto;
use callboard_proto::directory::v1::code_service_server::CodeService;
use callboard_service::Mutation;
use callboard_service::convert::to_proto_time;
use callboard_service::request::{
    decode_page_token, encode_page_token, page_query, page_size, parse_id, parse_optional_id, principal,
};
use secrecy::ExposeSecret;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::directory_service::{respond, seen_devices};
use super::exposed::{check_query, visible};
use super::fields::filter_ids;
use super::refusal;
use crate::directory::Directory;
use crate::pin::{Pins, is_pin};
use crate::store::lookups;
use crate::store::read::{self, ByTime, CodeRow, Filter};

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

fn answer(id: Uuid) -> impl Fn(&State, &[Event], Version) -> proto::Code + Send + Sync + 'static {
    move |state, _, version| state.kept().map(|code| message(id, code, version)).unwrap_or_default()
}

/// Fingerprints of requests are kept: one of a few digits could be worked out from it.
fn veiled(pin: &str) -> String {
    if pin.is_empty() { String::new() } else { "****".to_owned() }
}

impl CodeApi {
    /// Who is no administrator is told so before anything is looked at.
    async fn call<Q: prost::Message>(
        &self,
        rpc: &str,
        request: &Request<Q>,
        request_id: &str,
    ) -> Result<Mutation, Refusal> {
        administrators_only(&*principal(request)?)?;
        Ok(Mutation::new(request, rpc, request_id)?.telling(refusal::of_ask))
    }

    /// A command on one code.
    async fn change<Q: prost::Message>(
        &self,
        rpc: &str,
        request: &Request<Q>,
        (request_id, code_id, etag): (&str, &str, &str),
        command: Command,
    ) -> Result<proto::Code, Refusal> {
        let call = self.call(rpc, request, request_id).await?;
        let id: Uuid = parse_id("code_id", code_id)?;
        let call = call.about("code", id).expecting("etag", etag)?;
        let prepared = async { self.seen(&call.principal, id).await.map(|_| (id, command)) };
        call.carry_out(&self.directory.codes, prepared, answer(id)).await
    }

    /// A code that the caller may see: as its device (isolation), since whoever has the code is let in there. One that
    /// leads nowhere is any administrator's.
    async fn seen(&self, principal: &Principal, id: Uuid) -> Result<CodeRow, Refusal> {
        let found = read::code(&self.directory.pool, principal.organisation, id).await?;
        let code = found.ok_or_else(|| Refusal::missing("code", id))?;
        let Some(device) = code.1.value.device else { return Ok(code) };
        let (pool, device) = (&self.directory.pool, device.uuid());
        // A removed one hides nothing; the code leads nowhere in a moment.
        let hidden = read::get::<Device>(pool, principal.organisation, device).await?.is_some()
            && visible::<Device>(&self.directory, principal, device).await?.is_none();
        if hidden { Err(Refusal::missing("code", id)) } else { Ok(code) }
    }

    /// A device that the caller may see.
    async fn device(&self, principal: &Principal, id: Uuid) -> Result<DeviceId, Refusal> {
        match visible::<Device>(&self.directory, principal, id).await? {
            Some(_) => Ok(id.into()),
            None => Err(Refusal::missing("device", id)),
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
        let asked = request.get_ref();
        let call = self.call("create_code", request, &asked.request_id).await?;
        let call = call.as_of(&proto::CreateCodeRequest { pin: veiled(&asked.pin), ..asked.clone() });
        let given = asked.code.clone().unwrap_or_default();
        let id = match given.id.as_str() {
            "" => derive_uuid(call.command_id.uuid(), &[b"code"]),
            id => parse_id("code.id", id)?,
        };
        let device = parse_optional_id::<Uuid>("code.device_id", &given.device_id)?;
        let call = call.about("code", id).creating().telling(refusal::of_create);
        let prepared = async {
            let device = match device {
                None => None,
                Some(device) => Some(self.device(&call.principal, device).await?),
            };
            let pin = self.hash(&asked.pin).await?;
            // 256 bits would make a needlessly dense QR image; 132 are beyond guessing.
            let token: String = random_secret().expose_secret().chars().take(22).collect();
            Ok((id, Command::Create { token, device, pin }))
        };
        call.carry_out(&self.directory.codes, prepared, answer(id)).await
    }

    async fn get(&self, request: &Request<proto::GetCodeRequest>) -> Result<proto::Code, Refusal> {
        let caller = principal(request)?;
        administrators_only(&caller)?;
        let id: Uuid = parse_id("id", &request.get_ref().id)?;
        let (id, code) = self.seen(&caller, id).await?;
        Ok(message(id, &code.value, code.version))
    }

    async fn list(
        &self,
        request: &Request<proto::ListCodesRequest>,
    ) -> Result<proto::ListCodesResponse, Refusal> {
        let (caller, asked) = (principal(request)?, request.get_ref());
        administrators_only(&caller)?;
        check_query(&asked.query)?;
        let devices = filter_ids("device_ids", &asked.device_ids)?;
        let mut filters: Vec<Filter> =
            if devices.is_empty() { Vec::new() } else { vec![Filter::AnyOf("device_id", devices)] };
        if let Some(seen) = seen_devices(&self.directory, &caller).await? {
            filters.push(Filter::OfDevices(Box::new(seen)));
        }
        let arguments = page_query(asked);
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
        let call = self.call("delete_code", request, &asked.request_id).await?;
        let id: Uuid = parse_id("id", &asked.id)?;
        let call = call.about("code", id).expecting("etag", &asked.etag)?;
        let prepared = async { self.seen(&call.principal, id).await.map(|_| (id, Command::Delete)) };
        call.carry_out(&self.directory.codes, prepared, answer(id)).await.map(drop)
    }

    async fn pair(&self, request: &Request<proto::PairCodeRequest>) -> Result<proto::Code, Refusal> {
        let asked = request.get_ref();
        let call = self.call("pair_code", request, &asked.request_id).await?;
        let device: Uuid = parse_id("device_id", &asked.device_id)?;
        let id: Uuid = parse_id("code_id", &asked.code_id)?;
        let call = call.about("code", id).expecting("etag", &asked.etag)?;
        let prepared = async {
            self.seen(&call.principal, id).await?;
            Ok((id, Command::Pair(self.device(&call.principal, device).await?)))
        };
        call.carry_out(&self.directory.codes, prepared, answer(id)).await
    }

    async fn end_sessions(
        &self,
        request: &Request<proto::EndCodeSessionsRequest>,
    ) -> Result<proto::EndCodeSessionsResponse, Refusal> {
        let asked = request.get_ref();
        let call = self.call("end_code_sessions", request, &asked.request_id).await?;
        let id: Uuid = parse_id("code_id", &asked.code_id)?;
        let call = call.about("code", id);
        let ended = match self.open_sessions(&call.principal, id).await {
            Ok(ended) => ended,
            Err(refusal) => return call.repeated(&self.directory.codes, refusal).await,
        };
        let response = proto::EndCodeSessionsResponse { ended: i32::try_from(ended).unwrap_or(i32::MAX) };
        call.ask(&self.directory.codes, id, Command::EndSessions, move |_, _, _| response).await
    }

    async fn open_sessions(&self, principal: &Principal, id: Uuid) -> Result<i64, Refusal> {
        let (pool, organisation) = (&self.directory.pool, principal.organisation);
        let (_, code) = self.seen(principal, id).await?;
        let (epoch, now) = (code.value.session_epoch, self.directory.clock.now());
        Ok(lookups::open_sessions(pool, organisation, id, epoch, now).await?)
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
            let asked = request.get_ref();
            let call = self.call("set_code_pin", &request, &asked.request_id).await?;
            let call = call.as_of(&proto::SetCodePinRequest { pin: veiled(&asked.pin), ..asked.clone() });
            let id: Uuid = parse_id("code_id", &asked.code_id)?;
            let call = call.about("code", id).expecting("etag", &asked.etag)?;
            let prepared = async {
                self.seen(&call.principal, id).await?;
                Ok((id, Command::SetPin(self.hash(&asked.pin).await?)))
            };
            call.carry_out(&self.directory.codes, prepared, answer(id)).await
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
