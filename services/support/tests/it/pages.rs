//! Pages of remarks: as much as clients take, whatever was written.

use callboard_proto::support::v1 as support;
use callboard_stage::{done, signed};

use crate::desk::Desk;

#[tokio::test]
async fn however_long_its_remarks_a_page_is_one_message_that_clients_take() {
    let desk = Desk::new().await;
    let (ticket, requester) = desk.care().await;
    let text = "☎".repeat(10_000);
    for _ in 0..150 {
        desk.comment(&requester, &ticket.id, &text).await.expect("written");
    }
    let (mut numbers, mut page_token) = (Vec::new(), String::new());
    loop {
        let message =
            support::ListCommentsRequest { ticket_id: ticket.id.clone(), page_size: 200, page_token };
        let page = done(desk.client().list_comments(signed(&requester, message)).await).expect("a page");
        // 30 kB each: 69 fit into 2 MiB.
        assert!(page.comments.len() < 70, "{}", page.comments.len());
        numbers.extend(page.comments.into_iter().map(|comment| comment.number));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(numbers, (1..=150).collect::<Vec<_>>());
    desk.stage.stop().await;
}
