//! Shapes of the support desk.

use callboard_proto::partners::v1 as partners;
use callboard_proto::support::v1 as proto;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::mirror::{Mirror, mirror, words};
use super::{Actor, Time};

words! {
    /// What a ticket of the support desk arose from (S-1). The first four need an action, the others inform.
    SupportTicketType of proto::TicketType {
        ServiceRequest, CareCoordination, DomainApproval, PermissionRequest, AccountCreated, Purchase, SeatAdded
    }

    /// Where it stands. Nothing returns to NEW; SOLVED is for what needs an action, CLOSED for what informs or is SOLVED.
    SupportStatus of proto::TicketStatus { New, Open, Pending, Solved, Closed }

    /// How urgent it is.
    SupportPriority of proto::TicketPriority { Low, Normal, High }

    /// What was decided of a domain (S-4). Approved and cleared let the partner register with it.
    DomainDecision of proto::DomainDecision { Approved, Declined, Cleared }

    /// How a list is sorted; not given: newest first.
    SupportOrder of proto::TicketOrder {
        CreatedAscending, UpdatedDescending, Priority, Status, Title, Type, Account
    }

    /// What kind of service is asked for. The requester of care coordination may comment (S-2).
    ServiceKind of partners::ServiceKind { General, CareCoordination }
}

mirror! {
    /// A ticket of the support desk.
    SupportTicket of proto::Ticket {
        /// UUID.
        id: Option<String>,
        /// What it arose from.
        r#type: Option<SupportTicketType>,
        /// Where it stands.
        status: Option<SupportStatus>,
        /// How urgent it is.
        priority: Option<SupportPriority>,
        /// In a line.
        title: String,
        /// At length.
        text: Option<String>,
        /// The partner system's own name for the person concerned.
        person_id: Option<String>,
        /// The person concerned.
        person_name: Option<String>,
        /// Its address.
        person_email: Option<String>,
        /// The partner system's own name for the account concerned.
        account_id: Option<String>,
        /// The account concerned.
        account_name: Option<String>,
        /// The plan it is on.
        plan: Option<String>,
        /// Not set: nobody.
        assignee_id: Option<String>,
        /// Of a domain approval: the registrable name.
        domain: Option<String>,
        /// Not set: not decided.
        decision: Option<DomainDecision>,
        /// The system, where it was approved by itself.
        decided_by: Option<Actor>,
        /// When.
        decide_time: Option<Time>,
        /// How often it was asked for.
        request_count: i32,
        /// Who asks, where that is somebody with a login here.
        requester: Option<Actor>,
        /// 0 for those who may not read notes.
        note_count: i32,
        /// How many comments there are.
        comment_count: i32,
        /// When it arose.
        create_time: Option<Time>,
        /// When it changed last.
        update_time: Option<Time>,
        /// Strong entity tag, also in the header `ETag`.
        etag: Option<String>,
    }

    /// A page of tickets of the support desk.
    SupportTicketPage of proto::ListTicketsResponse {
        tickets: Vec<SupportTicket>,
        /// Not set: the end.
        next_page_token: Option<String>,
    }

    /// A note (staff only) or a comment (S-2).
    Remark of proto::Remark {
        /// 1, 2, 3 … in each ticket; notes and comments share the count.
        number: i32,
        /// Who wrote it.
        author: Option<Actor>,
        /// What.
        text: String,
        /// When.
        create_time: Option<Time>,
    }

    /// A page of notes, oldest first.
    NotePage of proto::ListNotesResponse {
        notes: Vec<Remark>,
        /// Not set: the end.
        next_page_token: Option<String>,
    }

    /// A page of comments, oldest first.
    CommentPage of proto::ListCommentsResponse {
        comments: Vec<Remark>,
        /// Not set: the end.
        next_page_token: Option<String>,
    }

    /// A domain that was decided about.
    DecidedDomain of proto::Domain {
        /// The registrable name.
        domain: String,
        /// The last decision.
        decision: Option<DomainDecision>,
        /// By whom.
        decided_by: Option<Actor>,
        /// When.
        decide_time: Option<Time>,
        /// Where it was decided last.
        ticket_id: Option<String>,
    }

    /// A page of domains, by name.
    DomainPage of proto::ListDomainsResponse {
        domains: Vec<DecidedDomain>,
        /// Not set: the end.
        next_page_token: Option<String>,
    }

    /// The person an event is about.
    Person of partners::Person {
        /// The system's own name for it.
        id: Option<String>,
        /// 1 to 200 characters.
        name: String,
        /// Optional.
        email: Option<String>,
    }

    /// The account an event is about.
    Account of partners::Account {
        /// The system's own name for it.
        id: String,
        /// 1 to 200 characters.
        name: String,
        /// Optional: the plan it is on.
        plan: Option<String>,
    }

    /// Whom an event is about.
    Concern of partners::Concern {
        /// The person.
        person: Option<Person>,
        /// The account.
        account: Option<Account>,
    }

    /// A service is asked for.
    ServiceRequested of partners::ServiceRequested {
        /// Whom it is about.
        concern: Option<Concern>,
        /// Which kind.
        kind: Option<ServiceKind>,
        /// 1 to 200 characters.
        title: String,
        /// At most 10,000 characters.
        text: Option<String>,
        /// Who asks, where that is somebody with a login here.
        requester: Option<Actor>,
    }

    /// A partner wants to register with a domain.
    DomainSubmitted of partners::DomainSubmitted {
        /// Whom it is about.
        concern: Option<Concern>,
        /// A domain, an address or a URL within it; the registrable name is kept.
        domain: String,
    }

    /// A permission is asked for.
    PermissionRequested of partners::PermissionRequested {
        /// Whom it is about.
        concern: Option<Concern>,
        /// Which one.
        permission: String,
        /// At most 10,000 characters.
        text: Option<String>,
    }

    /// An account was created.
    AccountCreated of partners::AccountCreated {
        /// Whom it is about.
        concern: Option<Concern>,
    }

    /// Something was bought.
    PurchaseMade of partners::PurchaseMade {
        /// Whom it is about.
        concern: Option<Concern>,
        /// What.
        product: String,
        /// 1 to 1,000,000.
        quantity: i32,
    }

    /// A seat was added.
    SeatAdded of partners::SeatAdded {
        /// Whom it is about.
        concern: Option<Concern>,
        /// How many the account has now.
        seats: i32,
    }
}

/// An event of a partner or account system: exactly one of them.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum PartnerEvent {
    /// A service is asked for.
    ServiceRequested(ServiceRequested),
    /// A partner wants to register with a domain.
    DomainSubmitted(DomainSubmitted),
    /// A permission is asked for.
    PermissionRequested(PermissionRequested),
    /// An account was created.
    AccountCreated(AccountCreated),
    /// Something was bought.
    PurchaseMade(PurchaseMade),
    /// A seat was added.
    SeatAdded(SeatAdded),
}

impl PartnerEvent {
    /// As the service takes it.
    pub fn back(self) -> proto::publish_event_request::Event {
        use proto::publish_event_request::Event;
        match self {
            Self::ServiceRequested(event) => Event::ServiceRequested(event.back()),
            Self::DomainSubmitted(event) => Event::DomainSubmitted(event.back()),
            Self::PermissionRequested(event) => Event::PermissionRequested(event.back()),
            Self::AccountCreated(event) => Event::AccountCreated(event.back()),
            Self::PurchaseMade(event) => Event::PurchaseMade(event.back()),
            Self::SeatAdded(event) => Event::SeatAdded(event.back()),
        }
    }
}

/// A status to set.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewSupportStatus {
    /// Which.
    pub status: SupportStatus,
}

/// A priority to set.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewSupportPriority {
    /// Which.
    pub priority: SupportPriority,
}

/// Whom to assign.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewAssignee {
    /// A support agent; not given: nobody.
    #[serde(default)]
    pub assignee_id: Option<String>,
}

/// What to decide of a domain.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewDecision {
    /// What.
    pub decision: DomainDecision,
}

/// A note or comment to write.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewRemark {
    /// 1 to 10,000 characters.
    pub text: String,
}
