//! Pages of messages: as much as clients take, whatever was written.

use callboard_proto::messenger::v1 as proto;
use callboard_service::page::ANSWER_BYTES;
use callboard_stage::signed;
use prost::Message as _;

use crate::house::House;

/// Most of what is written here is five times as long in HTML, or has each of its addresses four times.
#[tokio::test]
async fn m_5_however_long_its_messages_a_page_is_one_message_that_clients_take() {
    let house = House::new().await;
    let ticket = house.ticket().await;
    let visitor = house.people.code_user(ticket.device());
    let ampersands = "&".repeat(4_000);
    let addresses = format!("https://example.com/{} ", "a".repeat(60)).repeat(49);
    for number in 1..=200 {
        let text = if number % 10 == 0 { addresses.trim_end() } else { ampersands.as_str() };
        house.send(&visitor, ticket.id(), text).await.expect("sent");
    }
    let whole = proto::GetConversationRequest { conversation_id: ticket.id().to_owned(), messages: 200 };
    let shown = house.service().get_conversation(signed(&visitor, whole)).await.expect("it").into_inner();
    let sent = shown.encoded_len();
    assert!((1024 * 1024..=ANSWER_BYTES + 1024).contains(&sent), "{sent}");
    let mut page = shown.latest.expect("the latest");
    let mut sequences = Vec::new();
    loop {
        assert!(page.encoded_len() <= ANSWER_BYTES + 1024, "{}", page.encoded_len());
        sequences.extend(page.messages.iter().map(|message| message.sequence));
        if page.next_page_token.is_empty() {
            break;
        }
        let next = proto::ListMessagesRequest {
            conversation_id: ticket.id().to_owned(),
            page_size: 200,
            page_token: page.next_page_token,
        };
        page = house.service().list_messages(signed(&visitor, next)).await.expect("a page").into_inner();
    }
    assert_eq!(sequences, (1..=200).rev().collect::<Vec<_>>());
    house.stage.stop().await;
}
