//! E-mail: as it is written, and how it is handed over.

use callboard_notifications::definition;
use callboard_proto::directory::v1::SupportRole;
use callboard_proto::notifications::v1 as proto;
use callboard_proto::notifications::v1::{Channel, DeliveryState, EventType};
use callboard_proto::support::v1 as support;
use callboard_service::convert::to_proto_actor;
use callboard_stage::{done, id, signed};
use callboard_testkit::{PATIENCE, eventually};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_util::task::TaskTracker;

use super::house::{House, uuid};

#[tokio::test]
async fn an_e_mail_is_text_and_html_and_its_link_ends_others_like_it() {
    let house = House::new().await;
    let nora = house.known(house.people.member(), "en", "Nora").await;
    let emil = house.known(house.people.member(), "en", "Emil").await;
    let ticket = house.ticket(&[&nora, &emil]).await;
    house.say(&ticket, &emil).await;
    let mail = house.mails("nora@people.example", 1).await.remove(0);
    assert_eq!(mail.header("Subject").as_deref(), Some("Emil wrote a message on Ticket 7"));
    assert_eq!(mail.header("Auto-Submitted").as_deref(), Some("auto-generated"));
    assert!(mail.header("Content-Type").is_some_and(|kind| kind.starts_with("multipart/alternative")));
    assert!(mail.part("text/html").is_some_and(|html| html.contains("<html lang=\"en\">")));
    // RFC 8058.
    assert_eq!(mail.header("List-Unsubscribe-Post").as_deref(), Some("List-Unsubscribe=One-Click"));
    let link = mail.header("List-Unsubscribe").expect("a link");
    let token = link.strip_prefix("<https://callboard.example/unsubscribe/").expect("our address");
    let request = proto::UnsubscribeRequest { token: token.trim_end_matches('>').to_owned() };
    for _ in 0..2 {
        let answer = done(house.addresses().unsubscribe(request.clone()).await).expect("unsubscribed");
        assert_eq!(answer.event_type(), EventType::Message);
    }
    let (event, _) = house.say(&ticket, &emil).await;
    let settled = house.settled(event, &nora).await;
    assert!(!settled.contains_key(&Channel::Email), "{settled:?}");
    assert_eq!(house.mail.mails().len(), 1);
    house.offer(&ticket, 1, &[&nora]).await;
    house.mails("nora@people.example", 2).await;
}

#[tokio::test]
async fn s_3_being_assigned_by_somebody_else_is_an_e_mail_at_once_whatever_was_chosen() {
    let house = House::new().await;
    let people = house.people;
    let agent = house.known_in(people.member(), "en", "Ada", &[], &[SupportRole::Care]).await;
    let other = house.known_in(people.member(), "en", "Ben", &[], &[SupportRole::Sales]).await;
    let boss = house.known(people.moderator(), "en", "Bea").await;
    // Nothing but the drawer for anything.
    let rules = proto::EventType::SupportAssigned;
    let preferences = proto::Preferences {
        rules: vec![proto::PreferenceRule {
            event_type: rules.into(),
            origin: proto::Origin::Others.into(),
            ..Default::default()
        }],
        ..Default::default()
    };
    let request =
        proto::UpdatePreferencesRequest { request_id: id().to_string(), preferences: Some(preferences) };
    done(house.client().update_preferences(signed(&agent, request)).await).expect("chosen");
    let ticket = id();
    let facts = support::TicketFacts {
        ticket_id: ticket.to_string(),
        organisation_id: people.id.to_string(),
        r#type: support::TicketType::ServiceRequest.into(),
        status: support::TicketStatus::New.into(),
        ..Default::default()
    };
    let opened = support::TicketOpened { ticket: Some(facts.clone()), ..Default::default() };
    house.stage.publish(people.id, ticket, 1, &opened).await;
    // S-5: those of the field hear of it while nobody is assigned.
    house.entry(&agent, EventType::SupportOpened, |_| true).await;
    let assigned = support::TicketAssigned {
        ticket: Some(support::TicketFacts { assignee_id: uuid(&agent).to_string(), ..facts }),
        assigned_by: Some(to_proto_actor(boss.actor())),
        mail_at_once: true,
        ..Default::default()
    };
    let event = house.stage.publish(people.id, ticket, 2, &assigned).await;
    let settled = house.settled(event, &agent).await;
    assert_eq!(settled[&Channel::Email], (DeliveryState::Delivered, String::new()));
    assert_eq!(settled.len(), 1);
    // The other one, of the new ticket, looks for a window first.
    let mails = house.mails("ada@people.example", 2).await;
    let subjects: Vec<_> = mails.iter().filter_map(|mail| mail.header("Subject")).collect();
    let wanted = "Bea assigned a request at the support desk to you (service request)";
    assert!(subjects.iter().any(|one| one == wanted), "{subjects:?}");
    let assigned = mails.iter().find(|mail| mail.header("Subject").as_deref() == Some(wanted)).expect("it");
    let text = assigned.part("text/plain").expect("a text");
    assert!(text.contains(&format!("https://callboard.example/desk/{ticket}")), "it leads there: {text}");
    assert!(text.contains(&format!("Its id: {ticket}")), "{text}");
    // Nothing can be switched off that comes whatever was chosen.
    assert_eq!(assigned.header("List-Unsubscribe"), None);
    assert!(
        !text.contains("/unsubscribe/") && !text.contains("because of your notification settings"),
        "{text}"
    );
    assert_eq!(house.entries(&other).await, []);
}

fn tls() -> (String, TlsAcceptor) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let provider = std::sync::Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .expect("a configuration");
    (made.cert.pem(), TlsAcceptor::from(std::sync::Arc::new(config)))
}

#[tokio::test]
async fn e_mail_goes_over_tls_to_a_server_whose_certificate_is_trusted() {
    let (pem, acceptor) = tls();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, pem).expect("written");
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let house = House::with(|stage| {
        stage
            .with("notifications.email.url", format!("smtps://localhost:{port}"))
            .with("notifications.email.ca_file", file.display().to_string())
    })
    .await;
    let session = house.mail.session();
    TaskTracker::new().spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if let Ok(stream) = acceptor.accept(stream).await {
                let _ = session.serve(stream).await;
            }
        }
    });
    let nora = house.known(house.people.member(), "en", "Nora").await;
    let ticket = house.ticket(&[]).await;
    let event = house.offer(&ticket, 1, &[&nora]).await;
    assert_eq!(house.settled(event, &nora).await[&Channel::Email].0, DeliveryState::Delivered);
    house.mails("nora@people.example", 1).await;
}

#[tokio::test]
async fn nothing_leaves_in_the_clear_where_tls_is_required() {
    let house = House::with(|stage| stage.with("notifications.email.starttls", "required")).await;
    let nora = house.known(house.people.member(), "en", "Nora").await;
    let ticket = house.ticket(&[]).await;
    let event = house.offer(&ticket, 1, &[&nora]).await;
    eventually("it cannot be handed over", PATIENCE, || async {
        let log = house.log(event).await;
        let is_it = |one: &&proto::Delivery| one.reason == "UNREACHABLE" && one.state() == DeliveryState::Due;
        log.iter().find(is_it).map(|_| ()).ok_or_else(|| log.clone())
    })
    .await;
    assert!(house.mail.mails().is_empty());
}

#[test]
fn settings_that_are_wrong_are_named() {
    use callboard_service::config::{Config, Sources};
    let sources = Sources {
        service: "notifications",
        defaults: definition().default_config,
        overrides: vec![
            ("notifications.email.url".into(), "http://mail".into()),
            ("notifications.email.from".into(), "nobody".into()),
            ("notifications.log_kept".into(), "1d".into()),
        ],
        ..Sources::default()
    };
    let config = Config::load(&sources).expect("a tree");
    let problems = (definition().check)(&config).expect_err("problems").0;
    assert_eq!(problems.len(), 3, "{problems:?}");
}
