//! Links of e-mails: one that lets in for a while (N-6), one that ends e-mails like it.

use axum::extract::Path;
use axum::response::Response;
use callboard_proto::notifications::v1 as proto;

use super::page::{go_to, keep, page, sorry};
use super::visitor::Visitor;
use super::words::words;
use crate::call::Guest;
use crate::html::Text;
use crate::problem::Problem;
use crate::routes::ask;

/// Where a link leads: to the ticket, to the page of the video session's call, else to what the device offers.
fn place(link: &proto::OpenLinkResponse) -> String {
    match link.subject_kind() {
        proto::SubjectKind::Ticket => format!("/t/{}", link.subject_id),
        proto::SubjectKind::VideoSession => format!("/call/{}", link.subject_id),
        // An earlier release of notifications names tickets alone.
        proto::SubjectKind::Unspecified if !link.ticket_id.is_empty() => format!("/t/{}", link.ticket_id),
        _ => format!("/c/{}", link.code_token),
    }
}

/// `GET /a/{token}`: to what the e-mail was about. Where the code has a PIN, that is asked for all the same.
pub async fn opened(guest: Guest, Path(token): Path<String>) -> Response {
    let link = async { Ok::<_, Problem>(ask!(guest, addresses.open_link(proto::OpenLinkRequest { token }))) };
    let link = match link.await {
        Ok(link) => link,
        Err(problem) => return sorry(guest.language, &problem),
    };
    match Visitor::enter(&guest, &link.code_token, "").await {
        Ok(visitor) => keep(go_to(&place(&link)), &guest.gateway, &visitor),
        Err(_) => go_to(&format!("/c/{}", link.code_token)),
    }
}

/// `GET /unsubscribe/{token}`: asks, since programs that look at e-mails open their links too.
pub async fn asked(guest: Guest, Path(_token): Path<String>) -> Response {
    let words = words(guest.language);
    let body = format!("<form method=\"post\"><button>{}</button></form>", Text(words.no_more_mail));
    page(guest.language, words.no_more_mail, &body)
}

/// `POST /unsubscribe/{token}`: pressed on the page, or by a mail program (RFC 8058).
pub async fn unsubscribed(guest: Guest, Path(token): Path<String>) -> Response {
    let done =
        async { Ok::<_, Problem>(ask!(guest, addresses.unsubscribe(proto::UnsubscribeRequest { token }))) };
    match done.await {
        Ok(_) => {
            let words = words(guest.language);
            page(guest.language, words.no_more_mail, &format!("<p>{}</p>", Text(words.no_more_mail_done)))
        }
        Err(problem) => sorry(guest.language, &problem),
    }
}
