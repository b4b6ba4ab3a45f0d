//! Shapes of offers, assignments and groups.

use callboard_proto::fleet::v1 as proto;
use serde::Deserialize;
use utoipa::ToSchema;

use super::common::Seconds;
use super::mirror::{mirror, words};
use super::{Actor, Time};

words! {
    /// Where an offer stands (F-3).
    OfferStatus of proto::OfferStatus { Unseen, Seen, Accepted, Declined, Cancelled, Expired, Rescinded }

    /// How somebody became involved.
    AssignmentSource of proto::AssignmentSource {
        /// Accepted an offer.
        Accepted,
        /// Was assigned by a moderator or administrator (F-6).
        Assigned,
    }

    /// Why an employee got no offer (F-10).
    LeftOutReason of proto::LeftOutReason { NotVisible, Involved, Declined, Offered, NotInGroup, NoLocalTeam, Removed, OtherLocalTeam, Filled }

    /// Who of a group gets an offer, and when (F-9).
    Strategy of proto::Strategy { AllAtOnce, OneAfterAnother, LeastLoaded, Skills }
}

mirror! {
    /// An invitation to one employee to take one ticket.
    Offer of proto::Offer {
        /// UUID.
        id: String,
        /// UUID.
        ticket_id: String,
        /// UUID.
        employee_id: String,
        /// Where it stands.
        status: Option<OfferStatus>,
        /// Which round made it: 1, 2, 3 …
        round: i32,
        /// Only on DECLINED (F-5).
        decline_reason: Option<String>,
        /// When it was made.
        create_time: Option<Time>,
        /// First time seen; not set: never.
        seen_time: Option<Time>,
        /// When it was answered, cancelled, expired or rescinded.
        decide_time: Option<Time>,
        /// When it will expire.
        expire_time: Option<Time>,
        /// Strong entity tag of the ticket's dispatch, also in the header `ETag`.
        etag: Option<String>,
    }

    /// One employee working on one ticket.
    Assignment of proto::Assignment {
        /// UUID.
        employee_id: String,
        /// How.
        source: Option<AssignmentSource>,
        /// Who did it.
        by: Option<Actor>,
        /// Since when.
        create_time: Option<Time>,
    }

    /// One employee left out of a round, and why.
    LeftOut of proto::LeftOut { employee_id: String, reason: Option<LeftOutReason> }

    /// One round of offers: who was eligible, who was left out and why (F-10).
    Round of proto::Round {
        /// 1, 2, 3 …
        number: i32,
        /// Not set: requested by hand.
        group_id: Option<String>,
        /// UUIDs.
        eligible_employee_ids: Vec<String>,
        /// Who was not, and why.
        left_out: Vec<LeftOut>,
        /// When it went out.
        create_time: Option<Time>,
    }

    /// The three lists of a ticket (F-4).
    Dispatch of proto::Dispatch {
        /// UUID.
        ticket_id: String,
        /// Accepted or assigned.
        assigned: Vec<Assignment>,
        /// Offered, with seen mark and decision.
        requested: Vec<Offer>,
        /// Every other employee who may see the ticket. At most 1,000.
        available_employee_ids: Vec<String>,
        /// Not set: unlimited (F-7).
        required_workers: Option<i32>,
        /// Whether this caller may request, assign and cancel.
        may_manage: bool,
        /// The caller's own open offer.
        own_offer_id: Option<String>,
        /// Strong entity tag, also in the header `ETag`.
        etag: Option<String>,
    }

    /// A page of offers, newest first.
    OfferPage of proto::ListOffersResponse {
        offers: Vec<Offer>,
        /// Not set: the end.
        next_page_token: Option<String>,
    }

    /// A page of rounds, newest first.
    RoundPage of proto::ListRoundsResponse {
        rounds: Vec<Round>,
        /// Not set: the end.
        next_page_token: Option<String>,
    }

    /// "Why not her?" (F-10)
    Explanation of proto::ExplainEmployeeResponse {
        /// The newest offer; not set when there never was one.
        offer: Option<Offer>,
        /// Why the newest round left the employee out.
        reason: Option<LeftOutReason>,
        /// The reason in the caller's language.
        text: Option<String>,
    }

    /// Whom to offer a ticket to. Groups belong to a template, in order; the first is the default (F-1).
    Group of proto::Group {
        /// UUID.
        id: Option<String>,
        /// UUID.
        template_id: Option<String>,
        /// 1 to 200 characters.
        name: Option<String>,
        /// UUIDs.
        employee_ids: Vec<String>,
        /// UUIDs.
        department_ids: Vec<String>,
        /// UUIDs.
        team_ids: Vec<String>,
        /// UUIDs. Expanded to the local team that serves the device's customer (F-2).
        meta_team_ids: Vec<String>,
        /// How many may accept; not set: unlimited (F-7).
        required_workers: Option<i32>,
        /// Offers end after this many seconds; not set: never (F-9).
        offer_lifetime: Option<Seconds>,
        /// After this many seconds without an acceptance the next group is offered the ticket; not set: never (F-9).
        escalate_after: Option<Seconds>,
        /// Not set: all at once (F-9).
        strategy: Option<Strategy>,
        /// Strong entity tag of the template's set of groups, also in the header `ETag`.
        etag: Option<String>,
    }

    /// The groups of a template, in order.
    GroupList of proto::ListGroupsResponse { groups: Vec<Group> }
}

/// Why an offer is declined.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Decline {
    /// At most 500 characters.
    pub reason: Option<String>,
}

/// An employee to request, assign or cancel.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EmployeeChoice {
    /// UUID.
    pub employee_id: String,
}

/// An order of groups.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GroupOrder {
    /// All group ids of the template.
    pub group_ids: Vec<String>,
}

/// Groups to copy.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GroupCopy {
    /// The template they come from. UUID.
    pub from_template_id: String,
}
