//! Between the domain's words and the protos'.

use callboard_kernel::{Principal, TicketId, Version};
use callboard_proto::common::v1::LocalizedText;
use callboard_proto::video::v1 as proto;
use callboard_service::convert::{to_proto_actor, to_proto_time};
use callboard_video_domain::flow::{Asked, Choice, Flow};
use callboard_video_domain::session::{
    Call, FileKind, Moves, Provider, SessionContent, SessionFile, SessionState, Status,
};
use callboard_video_domain::{Side, Visibility};
use uuid::Uuid;

/// Ids as protobuf has them.
pub fn ids<I: Copy + Into<Uuid>>(ids: &[I]) -> Vec<String> {
    ids.iter().map(|id| (*id).into().to_string()).collect()
}

/// An id that may be missing: empty then.
pub fn optional_id(id: Option<impl Into<Uuid>>) -> String {
    id.map(|id| id.into().to_string()).unwrap_or_default()
}

/// Where a session stands.
pub const fn status(status: Status) -> proto::SessionStatus {
    match status {
        Status::Requested => proto::SessionStatus::Requested,
        Status::Confirmed => proto::SessionStatus::Confirmed,
        Status::InProgress => proto::SessionStatus::InProgress,
        Status::Done => proto::SessionStatus::Done,
        Status::Closed => proto::SessionStatus::Closed,
        Status::Cancelled => proto::SessionStatus::Cancelled,
    }
}

/// Where a session stands; `None` when unspecified.
pub const fn from_status(status: proto::SessionStatus) -> Option<Status> {
    match status {
        proto::SessionStatus::Unspecified => None,
        proto::SessionStatus::Requested => Some(Status::Requested),
        proto::SessionStatus::Confirmed => Some(Status::Confirmed),
        proto::SessionStatus::InProgress => Some(Status::InProgress),
        proto::SessionStatus::Done => Some(Status::Done),
        proto::SessionStatus::Closed => Some(Status::Closed),
        proto::SessionStatus::Cancelled => Some(Status::Cancelled),
    }
}

/// Who sees it.
pub const fn visibility(visibility: Visibility) -> proto::Visibility {
    match visibility {
        Visibility::Internal => proto::Visibility::Internal,
        Visibility::Public => proto::Visibility::Public,
    }
}

/// Who sees it; `None` when unspecified.
pub const fn from_visibility(visibility: proto::Visibility) -> Option<Visibility> {
    match visibility {
        proto::Visibility::Unspecified => None,
        proto::Visibility::Internal => Some(Visibility::Internal),
        proto::Visibility::Public => Some(Visibility::Public),
    }
}

/// A side of a call.
pub const fn side(side: Side) -> proto::Side {
    match side {
        Side::Guest => proto::Side::Guest,
        Side::Employee => proto::Side::Employee,
    }
}

/// What carries a call.
pub const fn provider(provider: Provider) -> proto::CallProvider {
    match provider {
        Provider::BuiltIn => proto::CallProvider::BuiltIn,
        Provider::Livekit => proto::CallProvider::Livekit,
    }
}

/// What carries a call; `None` when unspecified.
pub const fn from_provider(provider: proto::CallProvider) -> Option<Provider> {
    match provider {
        proto::CallProvider::Unspecified => None,
        proto::CallProvider::BuiltIn => Some(Provider::BuiltIn),
        proto::CallProvider::Livekit => Some(Provider::Livekit),
    }
}

/// With what eyes a session is looked at.
#[derive(Debug, Clone)]
pub struct Eyes {
    /// Whose.
    pub principal: std::sync::Arc<Principal>,
    /// Responsible or offered (V-2).
    pub offered: bool,
    /// From outside: the tickets that may be named.
    pub seen: Vec<TicketId>,
}

impl Eyes {
    fn sees(&self, ticket: TicketId) -> bool {
        !self.principal.is_outsider() || self.seen.contains(&ticket)
    }

    /// A session, as these eyes see it; empty where it is not there.
    pub fn on(&self, id: Uuid, state: &SessionState, version: Version) -> proto::Session {
        let session = state.session.as_deref();
        session.map(|session| self.on_content(id, session, version)).unwrap_or_default()
    }

    /// A session that is there, as these eyes see it.
    pub fn on_content(&self, id: Uuid, session: &SessionContent, version: Version) -> proto::Session {
        let tickets: Vec<TicketId> =
            session.tickets.iter().copied().filter(|ticket| self.sees(*ticket)).collect();
        proto::Session {
            id: id.to_string(),
            device_id: session.device.to_string(),
            template_id: session.place.template.to_string(),
            customer_id: optional_id(session.place.customer),
            status: status(session.status).into(),
            visibility: visibility(session.visibility).into(),
            employee_id: optional_id(session.employee),
            requester: session.requester.map(to_proto_actor),
            requester_name: session.requester_name.clone(),
            reason: session.reason.clone(),
            ticket_ids: ids(&tickets),
            conversation_ticket_id: optional_id(session.conversation.filter(|ticket| self.sees(*ticket))),
            guest_consents: session.consents(Side::Guest),
            employee_consents: session.consents(Side::Employee),
            recording: session.recording,
            call: session.call.as_ref().map(call),
            call_count: session.calls,
            end_time: session.ended_at.map(to_proto_time),
            rating: session.rating.unwrap_or(0),
            creator: Some(to_proto_actor(session.creator)),
            create_time: Some(to_proto_time(session.created_at)),
            update_time: Some(to_proto_time(session.updated_at)),
            moves: Some(moves(session.moves(&self.principal, self.offered))),
            etag: version.etag(),
            files: session.kept.files.iter().map(file).collect(),
        }
    }
}

/// What a file of a session is.
pub const fn file_kind(kind: FileKind) -> proto::SessionFileKind {
    match kind {
        FileKind::Recording => proto::SessionFileKind::Recording,
        FileKind::Screenshot => proto::SessionFileKind::Screenshot,
    }
}

/// What a file of a session is; `None` when unspecified.
pub const fn from_file_kind(kind: proto::SessionFileKind) -> Option<FileKind> {
    match kind {
        proto::SessionFileKind::Unspecified => None,
        proto::SessionFileKind::Recording => Some(FileKind::Recording),
        proto::SessionFileKind::Screenshot => Some(FileKind::Screenshot),
    }
}

/// A file of a session; what is known of its content is added where it is shown.
pub fn file(file: &SessionFile) -> proto::SessionFile {
    proto::SessionFile {
        kind: file_kind(file.kind).into(),
        attachment_id: file.id.to_string(),
        call_number: file.call,
        attachment: None,
    }
}

fn call(call: &Call) -> proto::Call {
    proto::Call {
        number: call.number,
        start_time: Some(to_proto_time(call.started_at)),
        started_by: side(call.started_by()).into(),
        guest_present: call.is_present(Side::Guest),
        employee_present: call.is_present(Side::Employee),
        provider: provider(call.provider).into(),
    }
}

const fn moves(moves: Moves) -> proto::SessionMoves {
    proto::SessionMoves {
        confirm: moves.confirm,
        withdraw: moves.withdraw,
        cancel: moves.cancel,
        reopen: moves.reopen,
        join: moves.join,
        end: moves.end,
        set_visibility: moves.set_visibility,
        link: moves.link,
        consent: moves.consent,
        record: moves.record,
    }
}

const fn asked(asked: Asked) -> proto::FlowField {
    match asked {
        Asked::Not => proto::FlowField::Unspecified,
        Asked::Optional => proto::FlowField::Optional,
        Asked::Required => proto::FlowField::Required,
    }
}

/// How a field is asked.
pub const fn from_asked(asked: proto::FlowField) -> Asked {
    match asked {
        proto::FlowField::Unspecified => Asked::Not,
        proto::FlowField::Optional => Asked::Optional,
        proto::FlowField::Required => Asked::Required,
    }
}

/// A session flow; who is responsible is told to employees alone.
pub fn flow(template: Uuid, flow: &Flow, version: Version, is_outsider: bool) -> proto::SessionFlow {
    let told = |ids: Vec<String>| if is_outsider { Vec::new() } else { ids };
    proto::SessionFlow {
        template_id: template.to_string(),
        requests_allowed: flow.requests_allowed,
        requester_name: asked(flow.name).into(),
        reason: asked(flow.reason).into(),
        reasons: flow
            .reasons
            .iter()
            .map(|Choice(by_language)| LocalizedText { by_language: by_language.clone() })
            .collect(),
        asks_consent: flow.asks_consent,
        responsible_employee_ids: told(ids(&flow.employees)),
        responsible_department_ids: told(ids(&flow.departments)),
        etag: version.etag(),
    }
}
