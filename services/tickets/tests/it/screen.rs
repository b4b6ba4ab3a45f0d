//! The screen in one call says what the calls for its parts say.

use callboard_proto::tickets::v1 as proto;
use callboard_proto::tickets::v1::Visibility;
use callboard_proto::tickets::v1::answer::Value;
use callboard_service::error::Report;

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
