//! A running fleet service, the contexts it listens to, and people who call it.

use callboard_kernel::{Principal, Role};
use callboard_proto::Event;
use callboard_proto::directory::v1 as directory;
use callboard_proto::fleet::v1 as fleet;
use callboard_proto::fleet::v1::fleet_service_client::FleetServiceClient;
use callboard_proto::fleet::v1::group_service_client::GroupServiceClient;
use callboard_proto::tickets::v1 as tickets;
use callboard_stage::{Organisation, Stage, id, signed};
use callboard_testkit::{PATIENCE, eventually};
use tonic::Status;
use tonic::transport::Channel;
use uuid::Uuid;

pub struct House {
    pub stage: Stage,
    pub people: Organisation,
    pub organisation: Uuid,
    pub template: Uuid,
}

impl House {
    pub async fn new() -> Self {
        let stage = Stage::start(callboard_fleet::definition(), &["directory", "tickets"]).await;
        let people = Organisation::new();
        let house = Self { stage, people, organisation: people.id, template: id() };
        house.tell(house.template, 1, &people.template_changed(house.template)).await;
        eventually("the template is known", PATIENCE, || house.groups(house.boss(), house.template)).await;
        house
    }

    pub async fn tell<M: Event>(&self, key: Uuid, version: i64, message: &M) {
        self.stage.publish(self.organisation, key, version, message).await;
    }

    // People

    pub fn boss(&self) -> Principal {
        self.people.employee(Uuid::from_u128(0xB055), Role::Moderator, &[])
    }

    pub fn member(&self, id: Uuid) -> Principal {
        self.people.employee(id, Role::Member, &[])
    }

    pub fn fleet(&self) -> FleetServiceClient<Channel> {
        FleetServiceClient::new(self.stage.channel())
    }

    pub fn group_service(&self) -> GroupServiceClient<Channel> {
        GroupServiceClient::new(self.stage.channel())
    }

    // Directory

    pub async fn hire(&self, departments: &[Uuid], teams: &[Uuid]) -> Uuid {
        let employee = id();
        let facts = self.people.employee_facts(employee, departments, teams);
        self.tell(employee, 1, &directory::EmployeeCreated { employee: Some(facts) }).await;
        employee
    }

    pub async fn hire_many(&self, count: usize) -> Vec<Uuid> {
        let mut hired = Vec::with_capacity(count);
        for _ in 0..count {
            hired.push(self.hire(&[], &[]).await);
        }
        hired
    }

    /// Waits until fleet has heard of so many employees.
    pub async fn knows(&self, count: i64) {
        let pool = self.stage.pool();
        eventually("the employees are known", PATIENCE, || async {
            let known: i64 = sqlx::query_scalar("select count(*) from fleet.known_employee")
                .fetch_one(pool)
                .await
                .expect("a count");
            if known >= count { Ok(()) } else { Err(known) }
        })
        .await;
    }

    // Groups

    pub async fn groups(&self, who: Principal, template: Uuid) -> Result<Vec<fleet::Group>, Status> {
        let request = fleet::ListGroupsRequest { template_id: template.to_string() };
        Ok(self.group_service().list_groups(signed(&who, request)).await?.into_inner().groups)
    }

    pub async fn put_group(&self, group: fleet::Group) -> fleet::Group {
        let request = fleet::PutGroupRequest { request_id: id().to_string(), group: Some(group) };
        let answer = self.group_service().put_group(signed(&self.boss(), request)).await;
        answer.expect("put").into_inner().group.expect("a group")
    }

    pub fn group(&self, employees: &[Uuid]) -> fleet::Group {
        fleet::Group {
            id: id().to_string(),
            template_id: self.template.to_string(),
            name: "Technicians".into(),
            employee_ids: employees.iter().map(ToString::to_string).collect(),
            ..fleet::Group::default()
        }
    }

    // Tickets

    pub fn ticket(&self) -> tickets::TicketFacts {
        self.people.ticket_facts(self.template)
    }

    pub async fn tell_ticket<M: Event>(&self, ticket: &str, version: i64, message: &M) {
        self.tell(ticket.parse().expect("an id"), version, message).await;
    }

    /// Opens a ticket and waits for its first round.
    pub async fn open(&self, facts: &tickets::TicketFacts) -> fleet::Dispatch {
        self.tell_ticket(&facts.ticket_id, 1, &tickets::TicketOpened { ticket: Some(facts.clone()) }).await;
        eventually("the first round", PATIENCE, || async {
            let rounds = self.rounds(&facts.ticket_id).await;
            if rounds.is_empty() { Err("none") } else { Ok(()) }
        })
        .await;
        self.dispatch(&self.boss(), &facts.ticket_id).await.expect("a dispatch")
    }

    pub async fn rounds(&self, ticket: &str) -> Vec<fleet::Round> {
        let request = fleet::ListRoundsRequest { ticket_id: ticket.into(), ..Default::default() };
        match self.fleet().list_rounds(signed(&self.boss(), request)).await {
            Ok(answer) => answer.into_inner().rounds,
            Err(_) => Vec::new(),
        }
    }

    pub async fn dispatch(&self, who: &Principal, ticket: &str) -> Result<fleet::Dispatch, Status> {
        let request = fleet::GetDispatchRequest { ticket_id: ticket.into() };
        let answer = self.fleet().get_dispatch(signed(who, request)).await?;
        Ok(answer.into_inner().dispatch.expect("a dispatch"))
    }

    pub async fn accept(&self, who: &Principal, offer: &str) -> Result<fleet::Offer, Status> {
        let request = fleet::AcceptOfferRequest { request_id: id().to_string(), offer_id: offer.into() };
        let mut request = signed(who, request);
        // Crowds accept at once on machines that have more to do: what counts is the answer, not how soon it comes.
        request.set_timeout(std::time::Duration::from_secs(60));
        let answer = self.fleet().accept_offer(request).await?;
        Ok(answer.into_inner().offer.expect("an offer"))
    }

    pub async fn decline(&self, who: &Principal, offer: &str) -> Result<fleet::Offer, Status> {
        let request = fleet::DeclineOfferRequest {
            request_id: id().to_string(),
            offer_id: offer.into(),
            reason: "On leave".into(),
        };
        let answer = self.fleet().decline_offer(signed(who, request)).await?;
        Ok(answer.into_inner().offer.expect("an offer"))
    }

    /// Waits until fleet's lists of a ticket are as wanted.
    pub async fn until(&self, what: &str, ticket: &str, holds: impl Fn(&fleet::Dispatch) -> bool) {
        let boss = self.boss();
        eventually(what, PATIENCE, || async {
            let dispatch = self.dispatch(&boss, ticket).await.map_err(|status| status.to_string())?;
            if holds(&dispatch) { Ok(()) } else { Err(format!("{dispatch:?}")) }
        })
        .await;
    }

    /// What fleet has published of a ticket so far, by name, in order; once `wanted` is among it.
    pub async fn told(&self, ticket: &str, wanted: &str) -> Vec<String> {
        self.stage.told(ticket.parse().expect("an id"), wanted).await
    }
}

pub fn offer_of<'a>(dispatch: &'a fleet::Dispatch, employee: &Uuid) -> &'a fleet::Offer {
    let employee = employee.to_string();
    dispatch.requested.iter().find(|offer| offer.employee_id == employee).expect("an offer")
}
