//! N-6: e-mail to people without login.

use callboard_kernel::Principal;
use callboard_proto::notifications::v1 as proto;
use callboard_proto::notifications::v1::{Channel, DeliveryState};
use callboard_proto::tickets::v1 as tickets;
use callboard_service::error::Report;
use callboard_stage::{done, fields, refused, request_id, signed};

use super::house::{House, uuid};

pub(super) const EMAIL: &str = "vera@visitors.example";

pub(super) async fn add(house: &House, who: &Principal, email: &str) -> Result<proto::CodeAddress, Report> {
    let request = proto::AddAddressRequest { request_id: request_id(), email: email.into() };
    Ok(done(house.addresses().add_address(signed(who, request)).await)?.address.expect("an address"))
}

pub(super) async fn open(house: &House, token: &str) -> Result<proto::OpenLinkResponse, Report> {
    done(house.addresses().open_link(proto::OpenLinkRequest { token: token.into() }).await)
}

/// The token of the first link to let in.
pub(super) fn token(text: &str) -> String {
    let link = text.split("https://callboard.example/a/").nth(1).expect("a link");
    link.split_whitespace().next().expect("a token").to_owned()
}

#[tokio::test]
async fn n_6_an_address_confirms_itself_and_is_then_told_with_a_link_that_lets_in_for_a_while() {
    let house = House::new().await;
    let nora = house.known(house.people.member(), "en", "Nora").await;
    let mut ticket = house.ticket(&[&nora]).await;
    let visitor = house.visitor(ticket.device()).await;
    let made = add(&house, &visitor, EMAIL).await.expect("added");
    assert_eq!((made.masked.as_str(), made.confirmed), ("v…@visitors.example", false));
    let asked = house.mails(EMAIL, 1).await.remove(0);
    assert_eq!(asked.header("Subject").as_deref(), Some("Please confirm your e-mail address"));
    // The same again sends nothing more.
    assert_eq!(add(&house, &visitor, EMAIL).await.expect("there").id, made.id);

    // Not confirmed: not told.
    let (event, _) = house.say(&ticket, &nora).await;
    let settled = house.settled(event, &visitor).await;
    assert_eq!(settled[&Channel::Email], (DeliveryState::Failed, "NO_ADDRESS".into()));
    let confirm = token(&asked.part("text/plain").expect("a text"));
    let opened = open(&house, &confirm).await.expect("confirmed");
    assert_eq!((opened.confirmed, opened.code_token), (true, format!("text-of-{}", uuid(&visitor))));

    house.say(&ticket, &nora).await;
    let mail = house.mails(EMAIL, 2).await.remove(1);
    let text = mail.part("text/plain").expect("a text");
    assert!(text.contains("Our team wrote a message on Ticket 7."), "{text}");
    assert!(text.contains("It ends on "), "it says so: {text}");
    let access = token(&text);
    let opened = open(&house, &access).await.expect("it lets in");
    assert_eq!((opened.ticket_id.as_str(), opened.confirmed), (ticket.id(), false));
    assert_eq!(
        (opened.subject_kind(), opened.subject_id.as_str()),
        (proto::SubjectKind::Ticket, ticket.id())
    );
    assert!(opened.expire_time.is_some());
    assert_eq!(refused(open(&house, &format!("x{access}")).await), "NOT_FOUND");

    // T-13: an internal ticket is none of theirs.
    house.turn(&mut ticket, |facts| facts.visibility = tickets::Visibility::Internal.into()).await;
    let (hushed, _) = house.say(&ticket, &nora).await;
    house.decided(hushed).await;
    house.turn(&mut ticket, |facts| facts.visibility = tickets::Visibility::Public.into()).await;
    house.say(&ticket, &nora).await;
    // The update to PUBLIC itself is told, and the message after it.
    let mails = house.mails(EMAIL, 4).await;
    let link = mails[3].header("List-Unsubscribe").expect("a link");
    let forget = link.trim_matches(['<', '>']).rsplit('/').next().expect("a token").to_owned();
    done(house.addresses().unsubscribe(proto::UnsubscribeRequest { token: forget }).await)
        .expect("forgotten");
    let list = house.addresses().list_addresses(signed(&visitor, proto::ListAddressesRequest {})).await;
    assert_eq!(done(list).expect("a list").addresses, []);
    // D-4: off its device, no link lets in.
    house.pair(uuid(&visitor), 2, None).await;
    callboard_testkit::eventually("no link lets in", callboard_testkit::PATIENCE, || async {
        match open(&house, &access).await {
            Err(report) if report.reason == "NOT_FOUND" => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
}

#[tokio::test]
async fn n_5_of_a_code_s_addresses_the_one_that_was_not_taken_is_tried_again_and_the_other_is_not() {
    let house = House::new().await;
    let nora = house.known(house.people.member(), "en", "Nora").await;
    let ticket = house.ticket(&[&nora]).await;
    let visitor = house.visitor(ticket.device()).await;
    let other = "otto@visitors.example";
    for email in [EMAIL, other] {
        add(&house, &visitor, email).await.expect("added");
        let asked = house.mails(email, 1).await.remove(0).part("text/plain").expect("a text");
        open(&house, &token(&asked)).await.expect("confirmed");
    }
    house.mail.refuse_one(other, 451);
    let (event, _) = house.say(&ticket, &nora).await;
    house.put_off(event, &visitor).await;
    house.mails(EMAIL, 2).await;
    // A worker dies over it before anything left the house: what the first had is not forgotten.
    let died = sqlx::query(
        "update delivery set state = 'CLAIMED', lease = now() - interval '1 second'
         where event_id = $1 and channel = 'EMAIL' and state = 'DUE' and attempts = 1",
    )
    .bind(event)
    .execute(house.stage.pool())
    .await
    .expect("written");
    assert_eq!(died.rows_affected(), 1);
    house.mail.refuse(None);
    let settled = house.settled(event, &visitor).await;
    assert_eq!(settled[&Channel::Email], (DeliveryState::Delivered, String::new()));
    house.mails(other, 2).await;
    assert_eq!(house.mails(EMAIL, 2).await.len(), 2, "who has it is not written to again");
}

#[tokio::test]
async fn n_6_links_end() {
    let house = House::with(|stage| stage.with("notifications.access_link_lifetime", "1ms")).await;
    let nora = house.known(house.people.member(), "en", "Nora").await;
    let ticket = house.ticket(&[&nora]).await;
    let visitor = house.visitor(ticket.device()).await;
    add(&house, &visitor, EMAIL).await.expect("added");
    let asked = house.mails(EMAIL, 1).await.remove(0).part("text/plain").expect("a text");
    open(&house, &token(&asked)).await.expect("confirmed");
    house.say(&ticket, &nora).await;
    let text = house.mails(EMAIL, 2).await.remove(1).part("text/plain").expect("a text");
    assert_eq!(refused(open(&house, &token(&text)).await), "LINK_EXPIRED");
}

#[tokio::test]
async fn addresses_are_visitors_own_and_not_too_many() {
    let house = House::new().await;
    let ticket = house.ticket(&[]).await;
    let visitor = house.visitor(ticket.device()).await;
    let other = house.visitor(ticket.device()).await;
    for wrong in ["", "nobody", "a@b@c", &format!("{}@x.example", "a".repeat(300))] {
        assert_eq!(fields(add(&house, &visitor, wrong).await), ["email"], "{wrong}");
    }
    assert_eq!(refused(add(&house, &house.people.member(), EMAIL).await), "PERMISSION_DENIED");
    for number in 0..10 {
        add(&house, &visitor, &format!("v{number}@visitors.example")).await.expect("added");
    }
    assert_eq!(refused(add(&house, &visitor, EMAIL).await), "TOO_MANY_ADDRESSES");
    let mine = add(&house, &other, EMAIL).await.expect("another code");
    let remove = || proto::RemoveAddressRequest { request_id: request_id(), address_id: mine.id.clone() };
    let foreign = done(house.addresses().remove_address(signed(&visitor, remove())).await);
    assert_eq!(refused(foreign), "NOT_FOUND");
    done(house.addresses().remove_address(signed(&other, remove())).await).expect("removed");
    house.mail.refuse(Some(550));
    assert_eq!(
        fields(add(&house, &other, EMAIL).await),
        ["email"],
        "nothing is kept of what cannot be reached"
    );
    house.mail.refuse(None);
    add(&house, &other, EMAIL).await.expect("added");
}
