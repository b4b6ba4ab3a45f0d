//! A running support desk, the systems that tell it things, and people who call it.

use callboard_kernel::Principal;
use callboard_proto::directory::v1 as directory;
use callboard_proto::partners::v1 as partners;
use callboard_proto::support::v1 as support;
use callboard_proto::support::v1::publish_event_request::Event;
use callboard_proto::support::v1::support_service_client::SupportServiceClient;
use callboard_service::error::Report;
use callboard_stage::{Organisation, Stage, done, event, id, request_id, signed};
use callboard_testkit::{PATIENCE, eventually};
use tonic::transport::Channel;
use uuid::Uuid;

pub struct Desk {
    pub stage: Stage,
    pub people: Organisation,
    /// An agent.
    pub agent: Principal,
    /// Another.
    pub colleague: Principal,
    /// The system's employee.
    pub system: Principal,
}

pub fn employee(principal: &Principal) -> Uuid {
    principal.employee().expect("an employee").id.uuid()
}

pub fn concern(account: &str) -> Option<partners::Concern> {
    Some(partners::Concern {
        person: Some(partners::Person {
            id: "p-1".into(),
            name: "Pia Partner".into(),
            email: "pia@partner.example".into(),
        }),
        account: Some(partners::Account {
            id: account.into(),
            name: format!("{account} Ltd"),
            plan: "gold".into(),
        }),
    })
}

pub fn purchase(account: &str) -> Event {
    Event::PurchaseMade(partners::PurchaseMade {
        concern: concern(account),
        product: "Lamp".into(),
        quantity: 2,
    })
}

pub fn domain(text: &str) -> partners::DomainSubmitted {
    partners::DomainSubmitted { concern: concern("a-1"), domain: text.into() }
}

impl Desk {
    pub async fn new() -> Self {
        let stage = Stage::start(callboard_support::definition(), &["directory", "partners"]).await;
        let people = Organisation::new();
        let desk = Self {
            agent: people.member(),
            colleague: people.member(),
            system: people.administrator(),
            stage,
            people,
        };
        for agent in [&desk.agent, &desk.colleague] {
            desk.tell_employee(employee(agent), 1, true).await;
        }
        desk.until_known(&desk.agent).await;
        desk.until_known(&desk.colleague).await;
        desk
    }

    pub async fn tell_employee(&self, id: Uuid, version: i64, is_agent: bool) {
        let mut facts = self.people.employee_facts(id, &[], &[]);
        if is_agent {
            facts.support_roles.push(directory::SupportRole::Care.into());
        }
        let message = directory::EmployeeChanged { employee: Some(facts), previous: None };
        self.stage.publish(self.people.id, id, version, &message).await;
    }

    async fn until_known(&self, agent: &Principal) {
        eventually("the agent is known", PATIENCE, || async {
            self.list(agent, support::ListTicketsRequest::default()).await.map_err(|report| report.reason)
        })
        .await;
    }

    pub fn client(&self) -> SupportServiceClient<Channel> {
        SupportServiceClient::new(self.stage.channel())
    }

    pub async fn publish_as(
        &self,
        who: &Principal,
        event_id: Uuid,
        event: Event,
    ) -> Result<support::Ticket, Report> {
        let message = support::PublishEventRequest { request_id: event_id.to_string(), event: Some(event) };
        let answer = done(self.client().publish_event(signed(who, message)).await)?;
        Ok(answer.ticket.expect("a ticket"))
    }

    pub async fn publish(&self, event: Event) -> support::Ticket {
        self.publish_as(&self.system, id(), event).await.expect("published")
    }

    /// As a partner system does on NATS.
    pub async fn tell<M: callboard_proto::Event>(&self, event_id: Uuid, message: &M) {
        let mut event = event(self.people.id, id(), 0, message);
        event.id = event_id.into();
        self.stage.publish_event(event).await;
    }

    /// A care coordination with a requester.
    pub async fn care(&self) -> (support::Ticket, Principal) {
        let requester = self.people.customer_user(id());
        let message = partners::ServiceRequested {
            concern: concern("a-1"),
            kind: partners::ServiceKind::CareCoordination.into(),
            title: "Who takes over?".into(),
            text: "On Monday".into(),
            requester: Some(callboard_service::convert::to_proto_actor(requester.actor())),
        };
        (self.publish(Event::ServiceRequested(message)).await, requester)
    }

    pub async fn get(&self, who: &Principal, ticket: &str) -> Result<support::Ticket, Report> {
        let message = support::GetTicketRequest { ticket_id: ticket.into() };
        Ok(done(self.client().get_ticket(signed(who, message)).await)?.ticket.expect("a ticket"))
    }

    pub async fn list(
        &self,
        who: &Principal,
        message: support::ListTicketsRequest,
    ) -> Result<support::ListTicketsResponse, Report> {
        done(self.client().list_tickets(signed(who, message)).await)
    }

    pub async fn set_status(
        &self,
        who: &Principal,
        ticket: &str,
        status: support::TicketStatus,
    ) -> Result<support::Ticket, Report> {
        let message = support::SetTicketStatusRequest {
            request_id: request_id(),
            ticket_id: ticket.into(),
            status: status.into(),
            etag: String::new(),
        };
        Ok(done(self.client().set_ticket_status(signed(who, message)).await)?.ticket.expect("a ticket"))
    }

    pub async fn assign(
        &self,
        who: &Principal,
        ticket: &str,
        to: &Principal,
    ) -> Result<support::Ticket, Report> {
        let message = support::AssignTicketRequest {
            request_id: request_id(),
            ticket_id: ticket.into(),
            assignee_id: employee(to).to_string(),
            etag: String::new(),
        };
        Ok(done(self.client().assign_ticket(signed(who, message)).await)?.ticket.expect("a ticket"))
    }

    pub async fn decide(
        &self,
        who: &Principal,
        ticket: &str,
        decision: support::DomainDecision,
    ) -> Result<support::Ticket, Report> {
        let message = support::DecideDomainRequest {
            request_id: request_id(),
            ticket_id: ticket.into(),
            decision: decision.into(),
            etag: String::new(),
        };
        Ok(done(self.client().decide_domain(signed(who, message)).await)?.ticket.expect("a ticket"))
    }

    pub async fn comment(
        &self,
        who: &Principal,
        ticket: &str,
        text: &str,
    ) -> Result<support::Remark, Report> {
        let message = support::AddCommentRequest {
            request_id: request_id(),
            ticket_id: ticket.into(),
            text: text.into(),
        };
        Ok(done(self.client().add_comment(signed(who, message)).await)?.comment.expect("a comment"))
    }

    pub async fn note(&self, who: &Principal, ticket: &str, text: &str) -> Result<support::Remark, Report> {
        let message =
            support::AddNoteRequest { request_id: request_id(), ticket_id: ticket.into(), text: text.into() };
        Ok(done(self.client().add_note(signed(who, message)).await)?.note.expect("a note"))
    }
}
