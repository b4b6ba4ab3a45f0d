//! Who may see and write: the table of actors, over gRPC.

use callboard_kernel::{Principal, Role};
use callboard_proto::directory::v1 as directory;
use callboard_proto::messenger::v1 as proto;
use callboard_stage::{Organisation, done, fields, id, signed};
use callboard_testkit::{PATIENCE, eventually};
use tonic::Code;
use uuid::Uuid;

use crate::house::House;

async fn codes(house: &House, who: &Principal, ticket: &str) -> (Code, Code, Code) {
    let code =
        |outcome: Result<(), tonic::Status>| outcome.map_or_else(|status| status.code(), |()| Code::Ok);
    (
        code(house.conversation(who, ticket).await.map(drop)),
        code(house.send(who, ticket, "Hello").await.map(drop)),
        code(house.watch(who, ticket, 0).await.map(drop)),
    )
}

#[tokio::test]
async fn m_3_who_may_read_and_write() {
    use Code::{NotFound, Ok, PermissionDenied};
    let house = House::new().await;
    let mut ticket = house.ticket().await;
    let customer = id();
    ticket.facts.customer_id = customer.to_string();
    house.turn(&mut ticket, callboard_proto::tickets::v1::TicketStatus::Open, false).await;
    let involved = house.people.member();
    house.involve(&ticket, 1, &[&involved]).await;
    let elsewhere = Organisation::new();
    let table = [
        (house.people.code_user(ticket.device()), (Ok, Ok, Ok)),
        (house.people.code_user(id()), (NotFound, NotFound, NotFound)),
        (house.people.customer_user(customer), (Ok, Ok, Ok)),
        (house.people.customer_user(id()), (NotFound, NotFound, NotFound)),
        (house.people.member(), (Ok, PermissionDenied, Ok)),
        (involved, (Ok, Ok, Ok)),
        (house.people.moderator(), (Ok, Ok, Ok)),
        (house.people.administrator(), (Ok, Ok, Ok)),
        (elsewhere.administrator(), (NotFound, NotFound, NotFound)),
        (elsewhere.code_user(ticket.device()), (NotFound, NotFound, NotFound)),
    ];
    for (who, expected) in table {
        assert_eq!(codes(&house, &who, ticket.id()).await, expected, "{who:?}");
    }
    house.stage.stop().await;
}

#[tokio::test]
async fn department_isolation_hides_conversations() {
    let house = House::new().await;
    let mut ticket = house.ticket().await;
    let (north, south) = (id(), id());
    ticket.facts.department_ids = vec![north.to_string()];
    house.turn(&mut ticket, callboard_proto::tickets::v1::TicketStatus::Open, false).await;
    let (insider, outsider) = (
        house.people.employee(id(), Role::Moderator, &[north]),
        house.people.employee(id(), Role::Moderator, &[south]),
    );
    house.send(&insider, ticket.id(), "Hello").await.expect("sent");
    let organisation = directory::Organisation {
        id: house.people.id.to_string(),
        isolation: directory::Isolation::Basic.into(),
        ..Default::default()
    };
    let message = directory::OrganisationChanged { organisation: Some(organisation), ..Default::default() };
    house.stage.publish(house.people.id, house.people.id, 1, &message).await;
    eventually("isolation is known", PATIENCE, || async {
        let found = codes(&house, &outsider, ticket.id()).await;
        if found == (Code::NotFound, Code::NotFound, Code::NotFound) { Ok(()) } else { Err(found) }
    })
    .await;
    house.send(&insider, ticket.id(), "Hello").await.expect("sent");
    let list = |who: &Principal| signed(who, proto::ListConversationsRequest::default());
    let seen =
        |page: tonic::Response<proto::ListConversationsResponse>| page.into_inner().conversations.len();
    assert_eq!(seen(house.service().list_conversations(list(&insider)).await.expect("a page")), 1);
    assert_eq!(seen(house.service().list_conversations(list(&outsider)).await.expect("a page")), 0);
    house.stage.stop().await;
}

/// What the directory tells of a ticket's device; returns when the messenger knows.
async fn device_is(
    house: &House,
    device: uuid::Uuid,
    version: i64,
    customer: Option<uuid::Uuid>,
    departments: &[uuid::Uuid],
) {
    let facts = Some(house.people.device_facts(device, id(), customer, departments));
    let message = directory::DeviceChanged { device: facts, ..Default::default() };
    house.stage.publish(house.people.id, device, version, &message).await;
    eventually("the device is known", PATIENCE, || async {
        let known: Option<i64> =
            sqlx::query_scalar("select version from messenger.known_device where id = $1")
                .bind(device)
                .fetch_optional(house.stage.pool())
                .await
                .expect("an answer");
        if known.is_some_and(|known| known >= version) { Ok(()) } else { Err(known) }
    })
    .await;
}

#[tokio::test]
async fn a_device_that_moves_or_is_sold_takes_its_conversations_along() {
    let house = House::new().await;
    let (north, south, seller, buyer) = (id(), id(), id(), id());
    let organisation = directory::Organisation {
        id: house.people.id.to_string(),
        isolation: directory::Isolation::Strict.into(),
        ..Default::default()
    };
    let message = directory::OrganisationChanged { organisation: Some(organisation), ..Default::default() };
    house.stage.publish(house.people.id, house.people.id, 1, &message).await;
    let mut ticket = house.ticket().await;
    ticket.facts.department_ids = vec![north.to_string()];
    ticket.facts.customer_id = seller.to_string();
    ticket.facts.device_version = 1;
    house.turn(&mut ticket, callboard_proto::tickets::v1::TicketStatus::Open, false).await;
    let of = |department| house.people.employee(id(), Role::Moderator, &[department]);
    let (northern, southern) = (of(north), of(south));
    let (before, after) = (house.people.customer_user(seller), house.people.customer_user(buyer));
    eventually("isolation is known", PATIENCE, || async {
        let found = codes(&house, &southern, ticket.id()).await;
        if found == (Code::NotFound, Code::NotFound, Code::NotFound) { Ok(()) } else { Err(found) }
    })
    .await;
    house.send(&northern, ticket.id(), "Hello").await.expect("sent");
    house.send(&before, ticket.id(), "Hello").await.expect("sent");

    device_is(&house, ticket.device(), 2, Some(buyer), &[south]).await;
    let gone = (Code::NotFound, Code::NotFound, Code::NotFound);
    for who in [&northern, &before, &after] {
        assert_eq!(codes(&house, who, ticket.id()).await, gone, "{who:?}");
    }
    house.send(&southern, ticket.id(), "Hello").await.expect("sent");
    for (who, expected) in [(&northern, 0), (&southern, 1), (&before, 0), (&after, 0)] {
        let list = signed(who, proto::ListConversationsRequest::default());
        let page = house.service().list_conversations(list).await.expect("a page").into_inner();
        assert_eq!(page.conversations.len(), expected, "{who:?}");
    }
    house.stage.stop().await;
}

#[tokio::test]
async fn lists_show_what_one_may_see_page_by_page() {
    let house = House::new().await;
    let mut tickets = Vec::new();
    let boss = house.people.moderator();
    for _ in 0..5 {
        let ticket = house.ticket().await;
        house.send(&boss, ticket.id(), "Hello").await.expect("sent");
        tickets.push(ticket);
    }
    let silent = house.ticket().await;
    let mut found: Vec<String> = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = proto::ListConversationsRequest { page_size: 2, page_token, ..Default::default() };
        let page = house.service().list_conversations(signed(&boss, request)).await.expect("a page");
        let page = page.into_inner();
        found.extend(page.conversations.into_iter().map(|one| one.id));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    let latest_first: Vec<String> = tickets.iter().rev().map(|ticket| ticket.id().to_owned()).collect();
    assert_eq!(found, latest_first);
    assert!(!found.iter().any(|id| id == silent.id()), "nothing was said there");
    // "mine": where one has written or is involved.
    let other = house.people.member();
    let mine =
        |who: &Principal| signed(who, proto::ListConversationsRequest { mine: true, ..Default::default() });
    let count = house.service().list_conversations(mine(&other)).await.expect("a page").into_inner();
    assert_eq!(count.conversations.len(), 0);
    house.involve(&tickets[0], 1, &[&other]).await;
    let count = house.service().list_conversations(mine(&other)).await.expect("a page").into_inner();
    assert_eq!(count.conversations.len(), 1);
    let count = house.service().list_conversations(mine(&boss)).await.expect("a page").into_inner();
    assert_eq!(count.conversations.len(), 5);
    // A visitor sees the own device's.
    let visitor = house.people.code_user(tickets[2].device());
    let request = signed(&visitor, proto::ListConversationsRequest::default());
    let page = house.service().list_conversations(request).await.expect("a page").into_inner();
    assert_eq!(page.conversations.iter().map(|one| one.id.clone()).collect::<Vec<_>>(), [tickets[2].id()]);
    assert!(page.conversations[0].involved_employee_ids.is_empty());
    house.stage.stop().await;
}

#[tokio::test]
async fn the_latest_messages_come_along_where_they_are_asked_for() {
    let house = House::new().await;
    let boss = house.people.moderator();
    let ticket = house.ticket().await;
    for text in ["one", "two", "three"] {
        house.send(&boss, ticket.id(), text).await.expect("sent");
    }
    let get = |messages| {
        let request = proto::GetConversationRequest { conversation_id: ticket.id().into(), messages };
        let (mut service, request) = (house.service(), signed(&boss, request));
        async move { done(service.get_conversation(request).await) }
    };
    let list = |page_size, page_token| {
        let request =
            proto::ListMessagesRequest { conversation_id: ticket.id().into(), page_size, page_token };
        let (mut service, request) = (house.service(), signed(&boss, request));
        async move { done(service.list_messages(request).await).expect("a page") }
    };
    assert_eq!(get(0).await.expect("a conversation").latest, None);
    assert_eq!(get(500).await.expect("all").latest, Some(list(0, String::new()).await));
    let latest = get(2).await.expect("some").latest.expect("asked for");
    let texts = |page: &proto::ListMessagesResponse| {
        page.messages.iter().map(|message| message.text.clone()).collect::<Vec<_>>()
    };
    assert_eq!(texts(&latest), ["three", "two"]);
    assert_eq!(texts(&list(2, latest.next_page_token).await), ["one"]);
    assert_eq!(fields(get(-1).await), ["messages"]);
    house.stage.stop().await;
}

#[tokio::test]
async fn wrong_fields_are_named() {
    let house = House::new().await;
    let ticket = house.ticket().await;
    let boss = house.people.moderator();
    let ghost = Uuid::nil().to_string();
    assert_eq!(house.send(&boss, &ghost, "x").await.expect_err("none").code(), Code::NotFound);
    assert_eq!(house.send(&boss, "7", "x").await.expect_err("no id").code(), Code::InvalidArgument);
    assert_eq!(house.send(&boss, ticket.id(), " ").await.expect_err("empty").code(), Code::InvalidArgument);
    let missing = house.edit(&boss, ticket.id(), 7, "x", "").await.expect_err("no message");
    assert_eq!(missing.code(), Code::NotFound);
    let ahead = house.watch(&boss, ticket.id(), 1_000).await.expect_err("ahead");
    assert_eq!(ahead.code(), Code::InvalidArgument);
    let request = proto::SendMessageRequest {
        request_id: callboard_stage::request_id(),
        conversation_id: ticket.id().to_owned(),
        attachment_ids: vec![ghost],
        ..Default::default()
    };
    let ghost = house.service().send_message(signed(&boss, request)).await.expect_err("no such file");
    assert_eq!(ghost.code(), Code::InvalidArgument);
    house.stage.stop().await;
}
