//! Between the domain's words and the protos'.

use callboard_kernel::{Principal, Version};
use callboard_proto::support::v1 as proto;
use callboard_service::convert::{to_proto_actor, to_proto_time};
use callboard_support_domain::ticket::TicketState;
use callboard_support_domain::{Decision, Kind, Priority, Status};
use uuid::Uuid;

/// Both ways between words; `None` from what is unspecified.
macro_rules! pairs {
    ($($to:ident, $from:ident: $domain:ident = $proto:ident { $($word:ident = $other:ident),+ $(,)? })+) => {$(
        pub const fn $to(word: $domain) -> proto::$proto {
            match word {
                $($domain::$word => proto::$proto::$other,)+
            }
        }

        pub const fn $from(word: proto::$proto) -> Option<$domain> {
            match word {
                $(proto::$proto::$other => Some($domain::$word),)+
                proto::$proto::Unspecified => None,
            }
        }
    )+};
}

pairs! {
    kind, from_kind: Kind = TicketType {
        ServiceRequest = ServiceRequest,
        CareCoordination = CareCoordination,
        DomainApproval = DomainApproval,
        PermissionRequest = PermissionRequest,
        AccountCreated = AccountCreated,
        Purchase = Purchase,
        SeatAdded = SeatAdded,
    }
    status, from_status: Status = TicketStatus {
        New = New, Open = Open, Pending = Pending, Solved = Solved, Closed = Closed,
    }
    priority, from_priority: Priority = TicketPriority { Low = Low, Normal = Normal, High = High }
    decision, from_decision: Decision = DomainDecision {
        Approved = Approved, Declined = Declined, Cleared = Cleared,
    }
}

/// A ticket as this caller sees it: a requester does not learn of notes (S-2).
pub fn ticket(
    id: Uuid,
    state: &TicketState,
    version: Version,
    principal: &Principal,
    is_agent: bool,
) -> proto::Ticket {
    let Some(matter) = state.matter.as_deref() else { return proto::Ticket::default() };
    // Who publishes events may read the answer; a requester reads no notes.
    let sees_notes = is_agent || !state.is_requester(principal);
    proto::Ticket {
        id: id.to_string(),
        r#type: kind(matter.kind).into(),
        status: status(state.status).into(),
        priority: priority(state.priority).into(),
        title: matter.title.clone(),
        text: matter.text.clone(),
        person_id: matter.person_id.clone(),
        person_name: matter.person_name.clone(),
        person_email: matter.person_email.clone(),
        account_id: matter.account_id.clone(),
        account_name: matter.account_name.clone(),
        plan: matter.plan.clone(),
        assignee_id: state.assignee.map(|id| id.to_string()).unwrap_or_default(),
        domain: matter.domain.clone().unwrap_or_default(),
        decision: state
            .decided
            .map_or(proto::DomainDecision::Unspecified, |one| decision(one.decision))
            .into(),
        decided_by: state.decided.map(|decided| to_proto_actor(decided.by)),
        decide_time: state.decided.map(|decided| to_proto_time(decided.at)),
        request_count: i32::try_from(state.requests.len()).unwrap_or(i32::MAX),
        requester: matter.requester.map(to_proto_actor),
        note_count: if sees_notes { state.notes } else { 0 },
        comment_count: state.comments,
        create_time: state.opened_at.map(to_proto_time),
        update_time: state.updated_at.map(to_proto_time),
        etag: version.etag(),
    }
}
