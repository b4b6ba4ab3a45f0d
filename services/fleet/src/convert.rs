//! Between the domain's words and the protos'.

use callboard_fleet_domain::dispatch::{Assignment, AssignmentSource, Offer, OfferStatus};
use callboard_fleet_domain::{Group, LeftOutReason, Ticket, TicketStatus, Visibility};
use callboard_kernel::{TemplateId, Version};
use callboard_proto::fleet::v1 as proto;
use callboard_proto::tickets::v1 as tickets;
use callboard_service::convert::{to_proto_actor, to_proto_time};
use chrono::TimeDelta;
use uuid::Uuid;

/// A count as protobuf has it.
pub fn int(count: u32) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

/// Ids as protobuf has them.
pub fn ids<I: Copy + Into<Uuid>>(ids: &[I]) -> Vec<String> {
    ids.iter().map(|id| (*id).into().to_string()).collect()
}

/// An id that may be missing: empty then.
pub fn optional_id(id: Option<impl Into<Uuid>>) -> String {
    id.map(|id| id.into().to_string()).unwrap_or_default()
}

/// Where an offer stands.
pub const fn offer_status(status: OfferStatus) -> proto::OfferStatus {
    match status {
        OfferStatus::Unseen => proto::OfferStatus::Unseen,
        OfferStatus::Seen => proto::OfferStatus::Seen,
        OfferStatus::Accepted => proto::OfferStatus::Accepted,
        OfferStatus::Declined => proto::OfferStatus::Declined,
        OfferStatus::Cancelled => proto::OfferStatus::Cancelled,
        OfferStatus::Expired => proto::OfferStatus::Expired,
        OfferStatus::Rescinded => proto::OfferStatus::Rescinded,
    }
}

/// Where an offer stands; `None` when unspecified.
pub const fn from_offer_status(status: proto::OfferStatus) -> Option<OfferStatus> {
    match status {
        proto::OfferStatus::Unspecified => None,
        proto::OfferStatus::Unseen => Some(OfferStatus::Unseen),
        proto::OfferStatus::Seen => Some(OfferStatus::Seen),
        proto::OfferStatus::Accepted => Some(OfferStatus::Accepted),
        proto::OfferStatus::Declined => Some(OfferStatus::Declined),
        proto::OfferStatus::Cancelled => Some(OfferStatus::Cancelled),
        proto::OfferStatus::Expired => Some(OfferStatus::Expired),
        proto::OfferStatus::Rescinded => Some(OfferStatus::Rescinded),
    }
}

/// Why somebody was left out.
pub const fn left_out_reason(reason: LeftOutReason) -> proto::LeftOutReason {
    match reason {
        LeftOutReason::NotVisible => proto::LeftOutReason::NotVisible,
        LeftOutReason::Involved => proto::LeftOutReason::Involved,
        LeftOutReason::Declined => proto::LeftOutReason::Declined,
        LeftOutReason::Offered => proto::LeftOutReason::Offered,
        LeftOutReason::NotInGroup => proto::LeftOutReason::NotInGroup,
        LeftOutReason::NoLocalTeam => proto::LeftOutReason::NoLocalTeam,
        LeftOutReason::Removed => proto::LeftOutReason::Removed,
        LeftOutReason::OtherLocalTeam => proto::LeftOutReason::OtherLocalTeam,
        LeftOutReason::Filled => proto::LeftOutReason::Filled,
    }
}

/// An offer. The reason of a decline is visible to colleagues (F-5), and only they read offers.
pub fn offer(ticket: Uuid, offer: &Offer, version: Version) -> proto::Offer {
    proto::Offer {
        id: offer.id.to_string(),
        ticket_id: ticket.to_string(),
        employee_id: offer.employee.to_string(),
        status: offer_status(offer.status).into(),
        round: int(offer.round),
        decline_reason: offer.decline_reason.clone().unwrap_or_default(),
        create_time: Some(to_proto_time(offer.created_at)),
        seen_time: offer.seen_at.map(to_proto_time),
        decide_time: offer.decided_at.map(to_proto_time),
        expire_time: offer.expires_at.map(to_proto_time),
        etag: version.etag(),
    }
}

/// An assignment.
pub fn assignment(assignment: &Assignment) -> proto::Assignment {
    let source = match assignment.source {
        AssignmentSource::Accepted => proto::AssignmentSource::Accepted,
        AssignmentSource::Assigned => proto::AssignmentSource::Assigned,
    };
    proto::Assignment {
        employee_id: assignment.employee.to_string(),
        source: source.into(),
        by: Some(to_proto_actor(assignment.by)),
        create_time: Some(to_proto_time(assignment.created_at)),
    }
}

/// A group of a template.
pub fn group(template: TemplateId, group: &Group, version: Version) -> proto::Group {
    proto::Group {
        id: group.id.to_string(),
        template_id: template.to_string(),
        name: group.name.clone(),
        employee_ids: ids(&group.employees),
        department_ids: ids(&group.departments),
        team_ids: ids(&group.teams),
        meta_team_ids: ids(&group.meta_teams),
        required_workers: int(group.required_workers),
        offer_lifetime: group.offer_lifetime.map(duration),
        escalate_after: group.escalate_after.map(duration),
        strategy: proto::Strategy::AllAtOnce.into(),
        etag: version.etag(),
    }
}

fn duration(period: TimeDelta) -> prost_types::Duration {
    prost_types::Duration { seconds: period.num_seconds(), nanos: period.subsec_nanos() }
}

/// What an event tells of a ticket. The error says what makes no sense.
pub fn ticket(facts: &tickets::TicketFacts, version: i64) -> Result<Ticket, String> {
    fn id<I: From<Uuid>>(field: &str, text: &str) -> Result<I, String> {
        text.parse::<Uuid>().map(I::from).map_err(|_| format!("{field} is no UUID"))
    }
    fn maybe<I: From<Uuid>>(field: &str, text: &str) -> Result<Option<I>, String> {
        if text.is_empty() { Ok(None) } else { id(field, text).map(Some) }
    }
    let status = match facts.status() {
        tickets::TicketStatus::Open => TicketStatus::Open,
        tickets::TicketStatus::Assigned => TicketStatus::Assigned,
        tickets::TicketStatus::InProgress => TicketStatus::InProgress,
        tickets::TicketStatus::Done => TicketStatus::Done,
        tickets::TicketStatus::Closed => TicketStatus::Closed,
        tickets::TicketStatus::Cancelled => TicketStatus::Cancelled,
        tickets::TicketStatus::Unspecified | tickets::TicketStatus::Draft => {
            return Err("status is none that fleet knows".to_owned());
        }
    };
    let visibility = match facts.visibility() {
        tickets::Visibility::Internal => Visibility::Internal,
        tickets::Visibility::Public => Visibility::Public,
        tickets::Visibility::Unspecified => return Err("visibility is missing".to_owned()),
    };
    Ok(Ticket {
        version,
        template: id("template_id", &facts.template_id)?,
        device: id("device_id", &facts.device_id)?,
        device_version: facts.device_version,
        customer: maybe("customer_id", &facts.customer_id)?,
        group: maybe("group_id", &facts.group_id)?,
        notification_group: maybe("notification_group_id", &facts.notification_group_id)?,
        status,
        visibility,
        departments: facts
            .department_ids
            .iter()
            .map(|department| id("department_ids", department))
            .collect::<Result<_, _>>()?,
    })
}
