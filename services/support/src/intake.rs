//! From a partner system's event to a ticket (S-1, S-4), whichever way it comes.

use callboard_kernel::{EventId, FieldViolation, OrganisationId, derive_uuid};
use callboard_proto::partners::v1 as partners;
use callboard_service::convert::from_proto_actor;
use callboard_support_domain::Kind;
use callboard_support_domain::ticket::{MAX_NAME, Matter, TicketCommand};
use uuid::Uuid;

use crate::Tickets;
use crate::domain_name::registrable;
use crate::store::Queries;

/// The most of anything that is counted.
const MAX_COUNT: i32 = 1_000_000;

/// What a partner system told.
#[derive(Debug, Clone)]
pub enum Told {
    /// A service is asked for.
    Service(partners::ServiceRequested),
    /// A domain was submitted.
    Domain(partners::DomainSubmitted),
    /// A permission is asked for.
    Permission(partners::PermissionRequested),
    /// An account was created.
    Account(partners::AccountCreated),
    /// Something was bought.
    Purchase(partners::PurchaseMade),
    /// A seat was added.
    Seat(partners::SeatAdded),
}

struct Reader {
    matter: Matter,
    violations: Vec<FieldViolation>,
}

impl Reader {
    fn new(kind: Kind, concern: Option<partners::Concern>) -> Self {
        let concern = concern.unwrap_or_default();
        let (person, account) = (concern.person.unwrap_or_default(), concern.account.unwrap_or_default());
        let matter = Matter {
            kind,
            title: String::new(),
            text: String::new(),
            person_id: person.id,
            person_name: person.name,
            person_email: person.email,
            account_id: account.id,
            account_name: account.name,
            plan: account.plan,
            domain: None,
            requester: None,
        };
        Self { matter, violations: Vec::new() }
    }

    fn wrong(&mut self, field: &str, rule: &str) {
        self.violations.push(FieldViolation::new(field, rule));
    }

    fn title(&mut self, field: &str, text: String) {
        let length = text.chars().count();
        if length == 0 || length > MAX_NAME || text.chars().any(char::is_control) {
            self.wrong(field, "1 to 200 characters, no control characters");
        }
        self.matter.title = text;
    }

    fn count(&mut self, field: &str, count: i32) {
        if !(1..=MAX_COUNT).contains(&count) {
            self.wrong(field, "1 to 1,000,000");
        }
    }

    fn finish(mut self) -> Result<Matter, Vec<FieldViolation>> {
        self.violations.extend(self.matter.violations());
        if self.violations.is_empty() { Ok(self.matter) } else { Err(self.violations) }
    }
}

impl Told {
    /// What the ticket is about. Titles are in no language: what the event names, else the account.
    ///
    /// # Errors
    /// The wrong fields.
    pub fn matter(self) -> Result<Matter, Vec<FieldViolation>> {
        match self {
            Self::Service(message) => {
                let kind = match message.kind() {
                    partners::ServiceKind::CareCoordination => Kind::CareCoordination,
                    partners::ServiceKind::General | partners::ServiceKind::Unspecified => {
                        Kind::ServiceRequest
                    }
                };
                let is_unspecified = message.kind() == partners::ServiceKind::Unspecified;
                let mut reader = Reader::new(kind, message.concern);
                if is_unspecified {
                    reader.wrong("kind", "is required");
                }
                reader.title("title", message.title);
                reader.matter.text = message.text;
                if let Some(requester) = message.requester {
                    reader.matter.requester = from_proto_actor(&requester);
                    if reader.matter.requester.is_none_or(|actor| actor.id().is_none()) {
                        reader.wrong("requester", "an employee or a customer user");
                    }
                }
                reader.finish()
            }
            Self::Domain(message) => {
                let mut reader = Reader::new(Kind::DomainApproval, message.concern);
                match registrable(&message.domain) {
                    Ok(domain) => {
                        reader.matter.title.clone_from(&domain);
                        reader.matter.domain = Some(domain);
                    }
                    Err(rule) => reader.wrong("domain", rule),
                }
                reader.finish()
            }
            Self::Permission(message) => {
                let mut reader = Reader::new(Kind::PermissionRequest, message.concern);
                reader.title("permission", message.permission);
                reader.matter.text = message.text;
                reader.finish()
            }
            Self::Account(message) => {
                let mut reader = Reader::new(Kind::AccountCreated, message.concern);
                reader.matter.title.clone_from(&reader.matter.account_name);
                reader.finish()
            }
            Self::Purchase(message) => {
                let mut reader = Reader::new(Kind::Purchase, message.concern);
                reader.count("quantity", message.quantity);
                reader.title("product", message.product);
                reader.matter.title = format!("{} × {}", message.quantity, reader.matter.title);
                reader.finish()
            }
            Self::Seat(message) => {
                let mut reader = Reader::new(Kind::SeatAdded, message.concern);
                reader.count("seats", message.seats);
                reader.matter.title = format!("{}: {}", reader.matter.account_name, message.seats);
                reader.finish()
            }
        }
    }
}

/// Finds the ticket that an event belongs to.
#[derive(Debug, Clone)]
pub struct Intake {
    /// The actors.
    pub tickets: Tickets,
    /// The tables.
    pub queries: Queries,
}

impl Intake {
    /// The ticket's id, and what to ask of it.
    ///
    /// A domain that is pending has exactly one ticket, because its id is derived from the domain and from how often the
    /// domain was decided about in tickets of their own: two that come at once meet in one actor (S-4). An event that came
    /// before goes where it went.
    ///
    /// # Errors
    /// When the tables cannot be read.
    pub async fn target(
        &self,
        organisation: OrganisationId,
        event: EventId,
        matter: Matter,
    ) -> Result<(Uuid, TicketCommand), sqlx::Error> {
        let receive = |matter, listed| TicketCommand::Receive { event, matter: Box::new(matter), listed };
        if let Some(ticket) = self.queries.ticket_of(organisation, event).await? {
            return Ok((ticket, receive(matter, false)));
        }
        let organisation_id = organisation.uuid();
        let Some(domain) = matter.domain.clone() else {
            return Ok((
                derive_uuid(event.uuid(), &[b"ticket", organisation_id.as_bytes()]),
                receive(matter, false),
            ));
        };
        let history = self.queries.history(organisation, &domain).await?;
        let parts: [&[u8]; 3] = [b"domain", domain.as_bytes(), &history.decided.to_be_bytes()];
        Ok((derive_uuid(organisation_id, &parts), receive(matter, history.listed)))
    }
}
