//! Ten people who get the offers of one rated template, and a code on its device.

use std::time::Duration;

use callboard_e2e_tests::Service;
use callboard_proto::fleet::v1 as fleet;
use callboard_proto::fleet::v1::fleet_service_client::FleetServiceClient;
use serde_json::json;
use tokio::time::{Instant, interval};

use super::{GrpcCreate, bearer, with};
use crate::Failure;
use crate::echo::channels;
use crate::house::{House, Kind, post};
use crate::measure::exactly;
use crate::rest::text;

/// How many people there are in it.
pub const MEMBERS: usize = 10;

/// The team.
#[derive(Debug, Clone)]
pub struct Team {
    /// Employee ids.
    pub members: Vec<String>,
    /// Their tokens, in the same order.
    pub tokens: Vec<String>,
    /// What they look after.
    pub kind: Kind,
    /// The code on the device.
    pub code: String,
}

/// Made when first needed.
#[derive(Debug, Default)]
pub struct Shared(Option<Team>);

impl Shared {
    /// The team.
    ///
    /// # Errors
    /// It cannot be made.
    pub async fn get(&mut self, house: &House) -> Result<Team, Failure> {
        if let Some(team) = &self.0 {
            return Ok(team.clone());
        }
        let admin = house.admin().await?;
        let (department, people) = house.department(&admin, "ten", MEMBERS).await?;
        let kind = house.kind(&admin, "machine", Some(&department), true).await?;
        let code = text(&post(&admin, "/v1/codes", json!({"deviceId": kind.device})).await?, "token")?;
        let mut tokens = Vec::new();
        for (name, _) in &people {
            tokens.push(house.token(name).await?);
        }
        let members = people.into_iter().map(|(_, id)| id).collect();
        Ok(self.0.insert(Team { members, tokens, kind, code }).clone())
    }
}

impl Team {
    /// Makes so many tickets and waits for the offers of the first member: ticket and offer.
    ///
    /// # Errors
    /// They do not come.
    pub async fn offered(&self, house: &House, tickets: usize) -> Result<Vec<(String, String)>, Failure> {
        let token = &self.tokens[0];
        let before = self.open_offers(house).await?;
        let channels_ = channels(&house.grpc(Service::Tickets), 1).await?;
        let made = exactly(GrpcCreate::many(&channels_, 8, token, &self.kind.device)?, tickets as u64).await;
        if made.failed > 0 {
            return Err(made.first_error.into());
        }
        let end = Instant::now() + Duration::from_secs(30);
        let mut look = interval(Duration::from_millis(100));
        loop {
            look.tick().await;
            let mut offers = self.open_offers(house).await?;
            offers.retain(|offer| !before.contains(offer));
            if offers.len() >= tickets {
                house.settle().await?;
                return Ok(offers);
            }
            if Instant::now() > end {
                return Err(format!("{} of {tickets} offers came", offers.len()).into());
            }
        }
    }

    async fn open_offers(&self, house: &House) -> Result<Vec<(String, String)>, Failure> {
        let channel = channels(&house.grpc(Service::Fleet), 1).await?.remove(0);
        let (mut client, bearer) = (FleetServiceClient::new(channel), bearer(&self.tokens[0])?);
        let (mut found, mut page_token) = (Vec::new(), String::new());
        loop {
            let message = fleet::ListOffersRequest {
                ticket_id: String::new(),
                statuses: vec![fleet::OfferStatus::Unseen.into(), fleet::OfferStatus::Seen.into()],
                page_size: 200,
                page_token,
            };
            let page = client.list_offers(with(&bearer, message)).await?.into_inner();
            found.extend(page.offers.into_iter().map(|offer| (offer.ticket_id, offer.id)));
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return Ok(found);
            }
        }
    }
}
