//! Between the domain's words and the protos'.

use callboard_kernel::{Principal, TemplateId, Version};
use callboard_proto::ratings::v1 as proto;
use callboard_proto::tickets::v1 as tickets;
use callboard_proto::video::v1 as video;
use callboard_ratings_domain::Switches;
use callboard_ratings_domain::request::{RequestState, Sight, Standing, Subject, SubjectKind, Visibility};
use callboard_service::convert::{to_proto_actor, to_proto_time};
use uuid::Uuid;

/// What is rated.
pub const fn kind(kind: SubjectKind) -> proto::SubjectKind {
    match kind {
        SubjectKind::Ticket => proto::SubjectKind::Ticket,
        SubjectKind::VideoSession => proto::SubjectKind::VideoSession,
    }
}

/// What a subject is called where it is not there.
pub const fn resource(kind: SubjectKind) -> &'static str {
    match kind {
        SubjectKind::Ticket => "ticket",
        SubjectKind::VideoSession => "session",
    }
}

const fn standing(standing: Standing) -> proto::RatingState {
    match standing {
        Standing::Unasked => proto::RatingState::Unspecified,
        Standing::Requested => proto::RatingState::Requested,
        Standing::Submitted => proto::RatingState::Submitted,
        Standing::Waived => proto::RatingState::Waived,
        Standing::Withdrawn => proto::RatingState::Withdrawn,
    }
}

/// A rating, as this caller sees it.
pub fn rating(
    id: Uuid,
    state: &RequestState,
    version: Version,
    principal: &Principal,
    sight: &Sight,
) -> proto::Rating {
    let given = state.given.as_ref();
    let kind =
        state.subject.as_ref().map_or(proto::SubjectKind::Unspecified, |subject| self::kind(subject.kind));
    proto::Rating {
        subject_kind: kind.into(),
        subject_id: id.to_string(),
        state: standing(state.standing).into(),
        score: given.map_or(0, |given| given.score),
        comment: given.map(|given| given.comment.clone()).unwrap_or_default(),
        author: given.map(|given| to_proto_actor(given.author)),
        submit_time: given.map(|given| to_proto_time(given.at)),
        request_time: state.requested_at.map(to_proto_time),
        may_submit: state.may_submit(principal, sight),
        etag: version.etag(),
    }
}

/// A template's switches.
pub fn switches(template: TemplateId, switches: Switches, version: Version) -> proto::Switches {
    proto::Switches {
        template_id: template.to_string(),
        tickets: switches.tickets,
        video_sessions: switches.video_sessions,
        etag: version.etag(),
    }
}

fn id<I: From<Uuid>>(field: &str, text: &str) -> Result<I, String> {
    text.parse::<Uuid>().map(I::from).map_err(|_| format!("{field} is no UUID"))
}

fn ids<I: From<Uuid>>(field: &str, texts: &[String]) -> Result<Vec<I>, String> {
    texts.iter().map(|text| id(field, text)).collect()
}

fn optional_id<I: From<Uuid>>(field: &str, text: &str) -> Result<Option<I>, String> {
    if text.is_empty() { Ok(None) } else { id(field, text).map(Some) }
}

/// What an event tells of a ticket. The error says what makes no sense.
pub fn ticket(facts: &tickets::TicketFacts, version: i64) -> Result<Subject, String> {
    let visibility = match facts.visibility() {
        tickets::Visibility::Internal => Visibility::Internal,
        tickets::Visibility::Public => Visibility::Public,
        tickets::Visibility::Unspecified => return Err("visibility is missing".to_owned()),
    };
    Ok(Subject {
        kind: SubjectKind::Ticket,
        version,
        device: id("device_id", &facts.device_id)?,
        device_version: facts.device_version,
        template: id("template_id", &facts.template_id)?,
        customer: optional_id("customer_id", &facts.customer_id)?,
        visibility,
        departments: ids("department_ids", &facts.department_ids)?,
        involved: ids("involved_employee_ids", &facts.involved_employee_ids)?,
        done_round: facts.done_round,
    })
}

/// What an event tells of a video session. The error says what makes no sense.
pub fn session(facts: &video::SessionFacts, version: i64) -> Result<Subject, String> {
    let visibility = match facts.visibility() {
        video::Visibility::Internal => Visibility::Internal,
        video::Visibility::Public => Visibility::Public,
        video::Visibility::Unspecified => return Err("visibility is missing".to_owned()),
    };
    Ok(Subject {
        kind: SubjectKind::VideoSession,
        version,
        device: id("device_id", &facts.device_id)?,
        // Not told, so the device counts as soon as it is known.
        device_version: 0,
        template: id("template_id", &facts.template_id)?,
        customer: optional_id("customer_id", &facts.customer_id)?,
        visibility,
        departments: ids("department_ids", &facts.department_ids)?,
        involved: optional_id("employee_id", &facts.employee_id)?.into_iter().collect(),
        done_round: facts.done_round,
    })
}
