//! The screen in one call says what the calls for its parts say.

use callboard_proto::tickets::v1 as proto;
use callboard_proto::tickets::v1::Visibility;
use callboard_proto::tickets::v1::answer::Value;
use callboard_service::error::Report;
use callboard_service::page::ANSWER_BYTES;
use prost::Message as _;

use crate::flows::{answer, put_flow, repair};
use crate::support::*;

async fn screen(
    caller: &Caller,
    ticket: &str,
    page_size: i32,
) -> Result<proto::GetTicketScreenResponse, Report> {
    let message = proto::GetTicketScreenRequest { ticket_id: ticket.into(), page_size };
    done(caller.tickets().get_ticket_screen(caller.request(message)).await)
}

async fn updates(
    caller: &Caller,
    ticket: &str,
    visibility: Visibility,
    page_size: i32,
    page_token: &str,
) -> Result<proto::ListUpdatesResponse, Report> {
    let message = proto::ListUpdatesRequest {
        ticket_id: ticket.into(),
        visibility: visibility.into(),
        page_size,
        page_token: page_token.into(),
    };
    done(caller.tickets().list_updates(caller.request(message)).await)
}

async fn timeline(
    caller: &Caller,
    ticket: &str,
    page_size: i32,
    page_token: &str,
) -> proto::ListTimelineResponse {
    let message =
        proto::ListTimelineRequest { ticket_id: ticket.into(), page_size, page_token: page_token.into() };
    done(caller.tickets().list_timeline(caller.request(message)).await).unwrap()
}

#[test]
fn the_screen_is_what_its_parts_are_for_everybody_who_sees_the_ticket() {
    run(|world| async move {
        let tenant = Tenant::new(world).await;
        let (moderator, visitor) = (tenant.moderator(), tenant.code_user());
        let flow = put_flow(&tenant, &repair(&tenant)).await;
        let answers = vec![
            answer("what", Value::Text("It leaks".into())),
            answer("colour", Value::Choice("red".into())),
        ];
        let made = proto::CreateTicketRequest {
            request_id: id().to_string(),
            flow_id: flow.id.clone(),
            answers,
            open: true,
            ..Default::default()
        };
        let ticket = visitor.create(made).await.unwrap().id;
        for text in ["one", "two", "three"] {
            moderator.post(&ticket, text, Visibility::Public).await.unwrap();
            moderator.post(&ticket, text, Visibility::Internal).await.unwrap();
        }
        for (caller, sees_internal) in [(&moderator, true), (&visitor, false)] {
            let shown = screen(caller, &ticket, 2).await.unwrap();
            assert_eq!(shown.ticket, Some(caller.get(&ticket).await.unwrap()));
            let moves = proto::GetTicketMovesRequest { ticket_id: ticket.clone() };
            let moves = done(caller.tickets().get_ticket_moves(caller.request(moves)).await).unwrap();
            assert_eq!(shown.moves, Some(moves));
            assert_eq!(shown.flow.as_ref(), Some(&flow));
            let public = shown.public_updates.expect("for everybody");
            let texts: Vec<&str> = public.updates.iter().map(|update| update.text.as_str()).collect();
            assert_eq!(texts, ["one", "two"]);
            let rest =
                updates(caller, &ticket, Visibility::Public, 2, &public.next_page_token).await.unwrap();
            assert_eq!((rest.updates[0].text.as_str(), rest.updates.len()), ("three", 1));
            assert_eq!(
                (shown.internal_updates.is_some(), shown.timeline.is_some()),
                (sees_internal, sees_internal)
            );
        }
        let whole = screen(&moderator, &ticket, 0).await.unwrap();
        for (shown, visibility) in
            [(whole.public_updates, Visibility::Public), (whole.internal_updates, Visibility::Internal)]
        {
            assert_eq!(shown, Some(updates(&moderator, &ticket, visibility, 0, "").await.unwrap()));
        }
        assert_eq!(whole.timeline, Some(timeline(&moderator, &ticket, 0, "").await));
        let short = screen(&moderator, &ticket, 2).await.unwrap().timeline.expect("employees see it");
        let rest = timeline(&moderator, &ticket, 200, &short.next_page_token).await;
        assert_eq!([short.entries, rest.entries].concat(), whole.timeline.unwrap().entries);

        moderator.set_visibility(&ticket, Visibility::Internal).await.unwrap();
        assert_eq!(refused(screen(&visitor, &ticket, 0).await), "NOT_FOUND");
        assert_eq!(fields(screen(&moderator, &ticket, -1).await), ["page_size"]);
        assert_eq!(fields(screen(&moderator, "7", 0).await), ["ticket_id"]);
    });
}

#[test]
fn however_long_its_lists_a_screen_is_one_message_that_clients_take() {
    run(|world| async move {
        let tenant = Tenant::new(world).await;
        let moderator = tenant.moderator();
        let ticket = tenant.open("Much is said of it").await.id;
        let text = "ü".repeat(10_000);
        for _ in 0..105 {
            moderator.post(&ticket, &text, Visibility::Public).await.unwrap();
            moderator.post(&ticket, &text, Visibility::Internal).await.unwrap();
        }
        for turn in 0..55 {
            let description = if turn % 2 == 0 { text.clone() } else { text.replace('ü', "ö") };
            let changed = proto::Ticket { id: ticket.clone(), description, ..Default::default() };
            moderator.update(changed, &["description"]).await.unwrap();
        }
        let shown = screen(&moderator, &ticket, 200).await.unwrap();
        let sent = shown.encoded_len();
        assert!((1024 * 1024..=ANSWER_BYTES + 1024).contains(&sent), "{sent}");
        // What did not fit is behind the tokens: nothing is missing, and nothing comes twice.
        for (part, visibility) in
            [(shown.public_updates, Visibility::Public), (shown.internal_updates, Visibility::Internal)]
        {
            let mut part = part.unwrap();
            assert!(part.updates.len() > 20, "a fair share of the screen: {}", part.updates.len());
            let mut all = Vec::new();
            loop {
                all.extend(part.updates.into_iter().map(|update| update.id));
                if part.next_page_token.is_empty() {
                    break;
                }
                part = updates(&moderator, &ticket, visibility, 200, &part.next_page_token).await.unwrap();
            }
            let count = all.len();
            all.sort_unstable();
            all.dedup();
            assert_eq!((count, all.len()), (105, 105));
        }
        let mut part = shown.timeline.unwrap();
        let mut sequences = Vec::new();
        loop {
            sequences.extend(part.entries.iter().map(|entry| entry.sequence));
            if part.next_page_token.is_empty() {
                break;
            }
            part = timeline(&moderator, &ticket, 200, &part.next_page_token).await;
        }
        let last = i64::try_from(sequences.len()).unwrap();
        assert_eq!(sequences, (1..=last).collect::<Vec<_>>());
        assert!(last > 55);
    });
}
