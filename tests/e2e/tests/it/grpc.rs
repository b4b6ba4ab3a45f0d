//! The same life through gRPC: on the gateway's address, and straight against the services.

use std::collections::BTreeSet;

use callboard_e2e_tests::grpc::{channel, descriptors, served, with_token};
use callboard_e2e_tests::{Platform, Service, World, grpc};
use callboard_kernel::{IdGenerator, RandomIds};
use callboard_proto::directory::v1 as directory;
use callboard_proto::directory::v1::session_service_client::SessionServiceClient;
use callboard_proto::fleet::v1 as fleet;
use callboard_proto::fleet::v1::fleet_service_client::FleetServiceClient;
use callboard_proto::ratings::v1 as ratings;
use callboard_proto::ratings::v1::rating_service_client::RatingServiceClient;
use callboard_proto::tickets::v1 as tickets;
use callboard_proto::tickets::v1::ticket_service_client::TicketServiceClient;
use callboard_testkit::{PATIENCE, eventually_some};
use prost_reflect::DescriptorPool;
use serde_json::json;
use tonic::Code;
use tonic::transport::Channel;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use tonic_reflection::pb::v1::{ServerReflectionRequest, server_reflection_client::ServerReflectionClient};

/// Where each context is reached.
struct Doors {
    directory: Channel,
    tickets: Channel,
    fleet: Channel,
    ratings: Channel,
}

fn key() -> String {
    RandomIds.next().to_string()
}

fn answer(step: &str, value: tickets::answer::Value) -> tickets::Answer {
    tickets::Answer { step: step.to_owned(), value: Some(value) }
}

async fn life(world: &World, doors: Doors) {
    use tickets::answer::Value;
    let mut sessions = SessionServiceClient::new(doors.directory);
    let mut desk = TicketServiceClient::new(doors.tickets);
    let mut fleet = FleetServiceClient::new(doors.fleet);
    let mut ratings = RatingServiceClient::new(doors.ratings);

    let scan = directory::ScanCodeRequest { code: world.demo.coffee_code.clone(), ..Default::default() };
    let visitor =
        sessions.scan_code(scan).await.expect("in").into_inner().tokens.expect("tokens").access_token;
    let visitor = Some(visitor.as_str());
    let who =
        directory::IssueDevelopmentTokenRequest { email: world.demo.email("nora"), ..Default::default() };
    let nora = sessions.issue_development_token(who).await.expect("in").into_inner().tokens.expect("tokens");
    let nora = Some(nora.access_token.as_str());

    let mut new = tickets::CreateTicketRequest {
        request_id: key(),
        flow_id: world.demo.repair_flow.clone(),
        answers: vec![answer("what", Value::Text("No coffee".to_owned()))],
        open: true,
        ..Default::default()
    };
    let refused = desk.create_ticket(with_token(new.clone(), visitor)).await.expect_err("a step is missing");
    let details = tonic_types::StatusExt::get_error_details(&refused);
    let info = details.error_info().expect("ErrorInfo, always");
    assert_eq!(info.domain, "callboard.tickets", "{refused:?}");
    assert!(!info.reason.is_empty());
    new.request_id = key();
    new.answers.push(answer("part", Value::Choice("pump".to_owned())));
    let first = desk.create_ticket(with_token(new.clone(), visitor)).await.expect("a ticket").into_inner();
    let again = desk.create_ticket(with_token(new, visitor)).await.expect("the same").into_inner();
    assert_eq!(first, again, "AIP-155: sending it again answers what the first call answered");
    let ticket = first.ticket.expect("a ticket");
    assert_eq!(ticket.status(), tickets::TicketStatus::Open);
    let ticket_id = ticket.id;

    let offer_id = eventually_some("an offer", PATIENCE, || {
        let (mut fleet, ticket_id) = (fleet.clone(), ticket_id.clone());
        async move {
            let asked =
                fleet.get_dispatch(with_token(fleet::GetDispatchRequest { ticket_id }, nora)).await.ok()?;
            Some(asked.into_inner().dispatch?.own_offer_id).filter(|id| !id.is_empty())
        }
    })
    .await;
    let accept = fleet::AcceptOfferRequest { request_id: key(), offer_id };
    let offer = fleet.accept_offer(with_token(accept, nora)).await.expect("hers").into_inner().offer;
    assert_eq!(offer.expect("an offer").status(), fleet::OfferStatus::Accepted);
    is(&desk, &ticket_id, nora, tickets::TicketStatus::Assigned).await;

    let update = tickets::PostUpdateRequest {
        request_id: key(),
        ticket_id: ticket_id.clone(),
        text: "Pump replaced".to_owned(),
        visibility: tickets::Visibility::Public.into(),
        ..Default::default()
    };
    desk.post_update(with_token(update, nora)).await.expect("written");
    let done = tickets::SetTicketStatusRequest {
        request_id: key(),
        ticket_id: ticket_id.clone(),
        status: tickets::TicketStatus::Done.into(),
        ..Default::default()
    };
    desk.set_ticket_status(with_token(done, nora)).await.expect("done");
    let subject = ratings::GetRatingRequest {
        subject_kind: ratings::SubjectKind::Ticket.into(),
        subject_id: ticket_id.clone(),
    };
    eventually_some("the visitor to be asked", PATIENCE, || {
        let (mut ratings, subject) = (ratings.clone(), subject.clone());
        async move {
            let rating = ratings.get_rating(with_token(subject, visitor)).await.ok()?.into_inner().rating?;
            (rating.state() == ratings::RatingState::Requested && rating.may_submit).then_some(())
        }
    })
    .await;
    let rating = ratings::SubmitRatingRequest {
        request_id: key(),
        subject_kind: ratings::SubjectKind::Ticket.into(),
        subject_id: ticket_id.clone(),
        score: 5,
        comment: "Quick".to_owned(),
    };
    let employees_do_not_rate =
        ratings.submit_rating(with_token(rating.clone(), nora)).await.expect_err("R-1");
    assert_eq!(employees_do_not_rate.code(), Code::PermissionDenied);
    ratings.submit_rating(with_token(rating, visitor)).await.expect("rated");
    let closed = is(&desk, &ticket_id, visitor, tickets::TicketStatus::Closed).await;
    assert_eq!(closed.rating, 5);
}

async fn is(
    desk: &TicketServiceClient<Channel>,
    ticket_id: &str,
    token: Option<&str>,
    status: tickets::TicketStatus,
) -> tickets::Ticket {
    eventually_some(&format!("the ticket to become {status:?}"), PATIENCE, || {
        let (mut desk, ticket_id) = (desk.clone(), ticket_id.to_owned());
        async move {
            let ticket = desk.get_ticket(with_token(tickets::GetTicketRequest { ticket_id }, token)).await;
            ticket.ok()?.into_inner().ticket.filter(|ticket| ticket.status() == status)
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_life_of_a_ticket_over_grpc_on_the_gateways_address() {
    let platform = Platform::shared().await;
    let world = World::make(platform, "grpc.test").await;
    let gateway = channel(&platform.gateway_url());
    let doors = Doors {
        directory: gateway.clone(),
        tickets: gateway.clone(),
        fleet: gateway.clone(),
        ratings: gateway,
    };
    life(&world, doors).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_life_of_a_ticket_straight_against_the_services() {
    let platform = Platform::shared().await;
    let world = World::make(platform, "straight.test").await;
    let of = |service| channel(&platform.grpc_url(service));
    let doors = Doors {
        directory: of(Service::Directory),
        tickets: of(Service::Tickets),
        fleet: of(Service::Fleet),
        ratings: of(Service::Ratings),
    };
    life(&world, doors).await;
}

/// One question to the reflection service.
async fn reflect(door: &Channel, question: MessageRequest) -> MessageResponse {
    let request = ServerReflectionRequest { host: String::new(), message_request: Some(question) };
    let stream = futures::stream::iter([request]);
    let mut client = ServerReflectionClient::new(door.clone());
    let mut answers = client.server_reflection_info(stream).await.expect("reflection").into_inner();
    let answer = answers.message().await.expect("an answer").expect("one answer");
    answer.message_response.expect("something in it")
}

/// Names of Callboard's services that a server says it has.
async fn listed(door: &Channel) -> BTreeSet<String> {
    let MessageResponse::ListServicesResponse(list) =
        reflect(door, MessageRequest::ListServices(String::new())).await
    else {
        panic!("no list of services")
    };
    list.service
        .into_iter()
        .map(|service| service.name)
        .filter(|name| name.starts_with("callboard."))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn any_reflection_client_lists_and_calls_everything_on_the_gateways_address() {
    let platform = Platform::shared().await;
    let world = World::make(platform, "reflection.test").await;
    let door = channel(&platform.gateway_url());
    let known: BTreeSet<String> =
        served(&descriptors()).map(|service| service.full_name().to_owned()).collect();
    assert_eq!(listed(&door).await, known);

    // As grpcurl does: the file of a symbol with all that it needs, then a call by what it says.
    let symbol = MessageRequest::FileContainingSymbol("callboard.tickets.v1.TicketService".to_owned());
    let MessageResponse::FileDescriptorResponse(files) = reflect(&door, symbol).await else {
        panic!("no descriptor")
    };
    let mut wanted = files.file_descriptor_proto;
    let mut gathered: Vec<prost_types::FileDescriptorProto> = Vec::new();
    while let Some(bytes) = wanted.pop() {
        let file: prost_types::FileDescriptorProto =
            prost::Message::decode(bytes.as_slice()).expect("a descriptor");
        for dependency in &file.dependency {
            if gathered.iter().any(|known| known.name() == dependency) {
                continue;
            }
            let ask = MessageRequest::FileByFilename(dependency.clone());
            if let MessageResponse::FileDescriptorResponse(files) = reflect(&door, ask).await {
                wanted.extend(files.file_descriptor_proto);
            }
        }
        if !gathered.iter().any(|known| known.name() == file.name()) {
            gathered.push(file);
        }
    }
    let mut pool = DescriptorPool::new();
    pool.add_file_descriptor_set(prost_types::FileDescriptorSet { file: gathered })
        .expect("complete descriptors");
    let method = grpc::method(&pool, "tickets.v1.TicketService/CreateTicket");
    let nora = world.person("nora").await;
    let request = json!({
        "requestId": key(), "deviceId": world.demo.coffee_machine, "title": "By descriptor", "open": true,
    });
    let made = grpc::call(&door, &method, &request, Some(nora.token())).await.expect("a ticket");
    let made = prost_reflect::DynamicMessage::decode(method.output(), made.as_slice()).expect("readable");
    let ticket = made.get_field_by_name("ticket").expect("a ticket").into_owned();
    let title =
        ticket.as_message().expect("a message").get_field_by_name("title").expect("a title").into_owned();
    assert_eq!(title.as_str(), Some("By descriptor"));
}

#[tokio::test(flavor = "multi_thread")]
async fn health_and_reflection_are_answered_for_each_service() {
    let platform = Platform::shared().await;
    let gateway = channel(&platform.gateway_url());
    for service in Service::ALL.into_iter().filter(|service| *service != Service::Gateway) {
        let own = channel(&platform.grpc_url(service));
        let names = listed(&own).await;
        assert!(!names.is_empty(), "{}", service.name());
        assert!(
            names.iter().all(|name| name.starts_with(&format!("callboard.{}.", service.name()))),
            "{names:?}"
        );
        for name in names {
            for door in [&own, &gateway] {
                let ask = HealthCheckRequest { service: name.clone() };
                let health = HealthClient::new(door.clone()).check(ask).await.expect("health").into_inner();
                assert_eq!(health.status(), ServingStatus::Serving, "{name}");
            }
        }
    }
    let whole = HealthClient::new(gateway).check(HealthCheckRequest::default()).await.expect("health");
    assert_eq!(whole.into_inner().status(), ServingStatus::Serving);
}
