//! Five hundred people who accept one ticket at once.

use std::collections::HashMap;
use std::time::Duration;

use callboard_e2e_tests::Service;
use callboard_proto::fleet::v1 as fleet;
use callboard_proto::fleet::v1::fleet_service_client::FleetServiceClient;
use futures::future::join_all;
use tokio::time::{Instant, interval};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::Channel;

use super::{GrpcCreate, bearer, with};
use crate::Failure;
use crate::echo::channels;
use crate::house::{House, new_id};
use crate::report::Row;

/// How many there are.
const PEOPLE: usize = 500;

/// `rush`.
///
/// # Errors
/// What did not work.
pub async fn rows(house: &House) -> Result<Vec<Row>, Failure> {
    let admin = house.admin().await?;
    let (department, people) = house.department(&admin, "rush", PEOPLE).await?;
    let kind = house.kind(&admin, "rush", Some(&department), false).await?;
    let mut tokens = HashMap::new();
    for chunk in people.chunks(16) {
        let found = join_all(chunk.iter().map(|(name, _)| house.token(name))).await;
        for ((_, id), token) in chunk.iter().zip(found) {
            tokens.insert(id.clone(), bearer(&token?)?);
        }
    }
    let moderator = house.token("max").await?;
    let tickets = channels(&house.grpc(Service::Tickets), 1).await?;
    let fleet = channels(&house.grpc(Service::Fleet), 4).await?;
    let mut create = GrpcCreate::many(&tickets, 1, &moderator, &kind.device)?.remove(0);
    let mut times = Vec::new();
    let mut failed = 0;
    let mut why = String::new();
    for at_once in [false, true] {
        let ticket = create.make().await?.id;
        let offers = offers(&fleet[0], &bearer(&moderator)?, &ticket).await?;
        let mut calls = Vec::new();
        for (at, (employee, offer)) in offers.into_iter().enumerate() {
            let bearer = tokens.get(&employee).ok_or("an offer to a stranger")?.clone();
            let mut client = FleetServiceClient::new(fleet[at % fleet.len()].clone());
            // A first call of each, so that neither side alone verifies tokens.
            let message = fleet::GetOfferRequest { offer_id: offer.clone() };
            client.get_offer(with(&bearer, message)).await?;
            calls.push(async move {
                let message = fleet::AcceptOfferRequest { request_id: new_id(), offer_id: offer };
                client.accept_offer(with(&bearer, message)).await
            });
        }
        house.settle().await?;
        let began = Instant::now();
        let answers = if at_once {
            join_all(calls).await
        } else {
            let mut answers = Vec::new();
            for call in calls {
                answers.push(call.await);
            }
            answers
        };
        times.push(began.elapsed().as_secs_f64());
        for status in answers.into_iter().filter_map(Result::err) {
            failed += 1;
            why = status.message().to_owned();
        }
        house.settle().await?;
    }
    let workload =
        format!("{PEOPLE} AcceptOffer over gRPC on one ticket at once, all offered; on 4 connections");
    let mut row = Row::new("rush", workload, "accepts/s")
        .value(PEOPLE as f64 / times[1])
        .against("one after the other", PEOPLE as f64 / times[0]);
    (row.concurrency, row.samples) = (PEOPLE as u64, PEOPLE as u64);
    Ok(vec![row.failures(failed, &why)])
}

/// All offers of a ticket, once everybody has one: employee and offer.
async fn offers(
    channel: &Channel,
    bearer: &MetadataValue<Ascii>,
    ticket: &str,
) -> Result<Vec<(String, String)>, Failure> {
    let mut client = FleetServiceClient::new(channel.clone());
    let end = Instant::now() + Duration::from_secs(30);
    let mut look = interval(Duration::from_millis(50));
    loop {
        look.tick().await;
        let (mut found, mut page_token) = (Vec::new(), String::new());
        loop {
            let message = fleet::ListOffersRequest {
                ticket_id: ticket.to_owned(),
                statuses: Vec::new(),
                page_size: 200,
                page_token,
            };
            let page = client.list_offers(with(bearer, message)).await;
            let page = match page {
                Ok(page) => page.into_inner(),
                // Fleet has not heard of the ticket yet.
                Err(status) if status.code() == tonic::Code::NotFound => break,
                Err(status) => return Err(status.into()),
            };
            found.extend(page.offers.into_iter().map(|offer| (offer.employee_id, offer.id)));
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        if found.len() >= PEOPLE {
            return Ok(found);
        }
        if Instant::now() > end {
            return Err(format!("{} of {PEOPLE} offers came", found.len()).into());
        }
    }
}
