//! A running ratings service, the contexts it listens to, and people who call it.

use callboard_kernel::{Principal, Role};
use callboard_proto::Event;
use callboard_proto::ratings::v1 as ratings;
use callboard_proto::ratings::v1::rating_service_client::RatingServiceClient;
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
        let stage = Stage::start(callboard_ratings::definition(), &["directory", "tickets", "video"]).await;
        let people = Organisation::new();
        let house = Self { stage, people, organisation: people.id, template: id() };
        house.tell(house.template, 1, &people.template_changed(house.template)).await;
        let boss = house.boss();
        eventually("the template is known", PATIENCE, || house.switches(&boss)).await;
        house
    }

    pub async fn tell<M: Event>(&self, key: Uuid, version: i64, message: &M) {
        self.stage.publish(self.organisation, key, version, message).await;
    }

    pub fn boss(&self) -> Principal {
        self.people.employee(Uuid::from_u128(0xB055), Role::Moderator, &[])
    }

    pub fn service(&self) -> RatingServiceClient<Channel> {
        RatingServiceClient::new(self.stage.channel())
    }

    // Switches

    pub async fn switches(&self, who: &Principal) -> Result<ratings::Switches, Status> {
        let request = ratings::GetSwitchesRequest { template_id: self.template.to_string() };
        let answer = self.service().get_switches(signed(who, request)).await?;
        Ok(answer.into_inner().switches.expect("switches"))
    }

    pub async fn switch(&self, tickets: bool) -> ratings::Switches {
        let switches =
            ratings::Switches { template_id: self.template.to_string(), tickets, ..Default::default() };
        let request = ratings::SetSwitchesRequest { request_id: id().to_string(), switches: Some(switches) };
        let answer = self.service().set_switches(signed(&self.boss(), request)).await;
        answer.expect("switched").into_inner().switches.expect("switches")
    }

    // Tickets

    pub fn ticket(&self) -> tickets::TicketFacts {
        self.people.ticket_facts(self.template)
    }

    pub async fn tell_ticket<M: Event>(&self, ticket: &str, version: i64, message: &M) {
        self.tell(ticket.parse().expect("an id"), version, message).await;
    }

    /// The ticket becomes DONE for the first time and ratings have answered.
    pub async fn done(&self, facts: &tickets::TicketFacts) -> ratings::Rating {
        let facts = tickets::TicketFacts {
            status: tickets::TicketStatus::Done.into(),
            done_round: 1,
            ..facts.clone()
        };
        let message = tickets::TicketDone { ticket: Some(facts.clone()), ..Default::default() };
        self.tell_ticket(&facts.ticket_id, 2, &message).await;
        self.until("asked or waived", &facts.ticket_id, |rating| {
            rating.state() != ratings::RatingState::Unspecified
        })
        .await
    }

    pub async fn rating(&self, who: &Principal, ticket: &str) -> Result<ratings::Rating, Status> {
        let request = ratings::GetRatingRequest {
            subject_kind: ratings::SubjectKind::Ticket.into(),
            subject_id: ticket.into(),
        };
        let answer = self.service().get_rating(signed(who, request)).await?;
        Ok(answer.into_inner().rating.expect("a rating"))
    }

    /// Waits until a rating is as wanted.
    pub async fn until(
        &self,
        what: &str,
        ticket: &str,
        holds: impl Fn(&ratings::Rating) -> bool,
    ) -> ratings::Rating {
        let boss = self.boss();
        eventually(what, PATIENCE, || async {
            let rating = self.rating(&boss, ticket).await.map_err(|status| status.to_string())?;
            if holds(&rating) { Ok(rating) } else { Err(format!("{rating:?}")) }
        })
        .await
    }

    pub async fn rate(&self, who: &Principal, ticket: &str, score: i32) -> Result<ratings::Rating, Status> {
        let request = ratings::SubmitRatingRequest {
            request_id: id().to_string(),
            subject_kind: ratings::SubjectKind::Ticket.into(),
            subject_id: ticket.into(),
            score,
            comment: "Thank you".into(),
        };
        let answer = self.service().submit_rating(signed(who, request)).await?;
        Ok(answer.into_inner().rating.expect("a rating"))
    }

    /// The first `count` events that ratings have published of a ticket, by name, in order.
    pub async fn told(&self, ticket: &str, count: usize) -> Vec<String> {
        let key = ticket.parse().expect("an id");
        self.stage.until_told(key, "published events", |names| names.len() >= count).await
    }
}
