//! Web Push, to a push service over HTTP.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use callboard_kernel::Principal;
use callboard_proto::notifications::v1 as proto;
use callboard_proto::notifications::v1::{Channel, DeliveryState};
use callboard_stage::{done, fields, refused, request_id, signed};
use callboard_testkit::{PATIENCE, eventually};
use p256::elliptic_curve::sec1::ToEncodedPoint;
use p256::{PublicKey, SecretKey};
use parking_lot::Mutex;
use ring::{aead, hkdf};

use super::house::{House, serve};

/// A push service that takes no end.
const HANGS: u16 = 0;

#[derive(Clone)]
struct PushService {
    answer: Arc<AtomicU16>,
    pushed: Arc<Mutex<Vec<(HeaderMap, Bytes)>>>,
}

async fn take(State(service): State<PushService>, headers: HeaderMap, body: Bytes) -> StatusCode {
    service.pushed.lock().push((headers, body));
    if service.answer.load(Ordering::Relaxed) == HANGS {
        return std::future::pending().await;
    }
    StatusCode::from_u16(service.answer.load(Ordering::Relaxed)).expect("a status")
}

/// A browser: its keys.
struct Browser {
    secret: SecretKey,
    auth: [u8; 16],
}

impl Browser {
    fn new() -> Self {
        Self { secret: SecretKey::from_slice(&[7; 32]).expect("a key"), auth: [9; 16] }
    }

    fn public(&self) -> Vec<u8> {
        self.secret.public_key().to_encoded_point(false).as_bytes().to_vec()
    }

    /// As a browser does (RFC 8291), written apart from how it is encrypted.
    fn decrypt(&self, body: &[u8]) -> serde_json::Value {
        struct Length(usize);
        impl hkdf::KeyType for Length {
            fn len(&self) -> usize {
                self.0
            }
        }
        let expand = |prk: &hkdf::Prk, info: &[u8], length: usize| {
            let mut out = vec![0; length];
            prk.expand(&[info], Length(length)).expect("short").fill(&mut out).expect("filled");
            out
        };
        let (salt, rest) = body.split_at(16);
        let (key_id, record) = rest[5..].split_at(usize::from(rest[4]));
        let theirs = PublicKey::from_sec1_bytes(key_id).expect("a key");
        let shared = p256::ecdh::diffie_hellman(self.secret.to_nonzero_scalar(), theirs.as_affine());
        let info = [&b"WebPush: info\0"[..], &self.public(), key_id].concat();
        let prk = hkdf::Salt::new(hkdf::HKDF_SHA256, &self.auth).extract(shared.raw_secret_bytes());
        let prk = hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(&expand(&prk, &info, 32));
        let key = expand(&prk, b"Content-Encoding: aes128gcm\0", 16);
        let nonce = expand(&prk, b"Content-Encoding: nonce\0", 12).try_into().expect("12 bytes");
        let key = aead::LessSafeKey::new(aead::UnboundKey::new(&aead::AES_128_GCM, &key).expect("a key"));
        let mut record = record.to_vec();
        let plain = key
            .open_in_place(aead::Nonce::assume_unique_for_key(nonce), aead::Aad::empty(), &mut record)
            .expect("sealed for this browser");
        serde_json::from_slice(plain.strip_suffix(&[2]).expect("the last record")).expect("json")
    }
}

async fn push_service() -> (String, PushService) {
    let service = PushService { answer: Arc::new(AtomicU16::new(201)), pushed: Arc::default() };
    let router = Router::new().route("/{browser}", post(take)).with_state(service.clone());
    (serve(router).await, service)
}

async fn subscribe(
    house: &House,
    who: &Principal,
    endpoint: &str,
    browser: &Browser,
) -> proto::PushSubscription {
    let subscription = proto::PushSubscription {
        endpoint: endpoint.into(),
        p256dh: URL_SAFE_NO_PAD.encode(browser.public()),
        auth: URL_SAFE_NO_PAD.encode(browser.auth),
        label: "phone".into(),
        ..Default::default()
    };
    let request = proto::CreatePushSubscriptionRequest {
        request_id: request_id(),
        push_subscription: Some(subscription),
    };
    let answer = done(house.client().create_push_subscription(signed(who, request)).await);
    answer.expect("subscribed").push_subscription.expect("a browser")
}

async fn browsers(house: &House, who: &Principal) -> usize {
    let request = signed(who, proto::ListPushSubscriptionsRequest {});
    done(house.client().list_push_subscriptions(request).await).expect("a list").push_subscriptions.len()
}

#[tokio::test]
async fn n_2_a_push_reaches_its_browser_and_e_mail_is_not_needed_then() {
    let house = House::new().await;
    let (url, service) = push_service().await;
    let nora = house.known(house.people.member(), "en", "Nora").await;
    let ticket = house.ticket(&[]).await;
    let browser = Browser::new();
    let made = subscribe(&house, &nora, &format!("{url}/one"), &browser).await;
    assert_eq!((made.endpoint.as_str(), made.auth.as_str()), ("", ""), "secrets are only written");
    let event = house.offer(&ticket, 1, &[&nora]).await;
    let settled = house.settled(event, &nora).await;
    assert_eq!(settled[&Channel::Push], (DeliveryState::Delivered, String::new()));
    assert_eq!(settled[&Channel::Email].0, DeliveryState::Skipped);
    let (headers, body) = service.pushed.lock().remove(0);
    assert_eq!(headers["content-encoding"], "aes128gcm");
    assert_eq!(headers["ttl"], "86400");
    let key = done(house.client().get_push_key(signed(&nora, proto::GetPushKeyRequest {})).await);
    let key = key.expect("a key").key;
    assert!(headers["authorization"].to_str().expect("text").ends_with(&format!("k={key}")));
    let said = browser.decrypt(&body);
    assert_eq!(said["text"], "Ticket 7 is offered to you");
    assert_eq!(said["subjectId"], ticket.id());
    assert!(house.mail.mails().is_empty());
}

#[tokio::test]
async fn n_2_a_browser_that_is_gone_is_dropped_and_the_next_channel_has_its_turn() {
    let house = House::new().await;
    let (url, service) = push_service().await;
    let nora = house.known(house.people.member(), "en", "Nora").await;
    let ticket = house.ticket(&[]).await;
    subscribe(&house, &nora, &format!("{url}/one"), &Browser::new()).await;
    service.answer.store(410, Ordering::Relaxed);
    let event = house.offer(&ticket, 1, &[&nora]).await;
    let settled = house.settled(event, &nora).await;
    assert_eq!(settled[&Channel::Push], (DeliveryState::Failed, "GONE".into()));
    assert_eq!(settled[&Channel::Email].0, DeliveryState::Delivered);
    assert_eq!(browsers(&house, &nora).await, 0);
    // One that cannot now is not waited for where there is e-mail, and is kept.
    subscribe(&house, &nora, &format!("{url}/two"), &Browser::new()).await;
    service.answer.store(503, Ordering::Relaxed);
    let event = house.offer(&ticket, 2, &[&nora]).await;
    let settled = house.settled(event, &nora).await;
    assert_eq!(settled[&Channel::Push], (DeliveryState::Failed, "NOT_NOW".into()));
    assert_eq!(settled[&Channel::Email].0, DeliveryState::Delivered);
    assert_eq!(browsers(&house, &nora).await, 1);
}

#[tokio::test]
async fn a_browser_is_one_person_s_and_nobody_makes_us_call_our_own_house() {
    let house = House::with(|stage| stage.with("notifications.push.allow_private", false)).await;
    let nora = house.people.member();
    let emil = house.people.member();
    let browser = Browser::new();
    for wrong in ["http://push.example.com/a", "https://10.0.0.1/a", "https://localhost/a", "nonsense"] {
        let request = proto::CreatePushSubscriptionRequest {
            request_id: request_id(),
            push_subscription: Some(proto::PushSubscription { endpoint: wrong.into(), ..Default::default() }),
        };
        let answer = done(house.client().create_push_subscription(signed(&nora, request)).await);
        assert_eq!(
            fields(answer),
            ["push_subscription.endpoint", "push_subscription.p256dh", "push_subscription.auth"],
            "{wrong}"
        );
    }
    let endpoint = "https://push.example.com/one";
    let first = subscribe(&house, &nora, endpoint, &browser).await;
    let again = subscribe(&house, &nora, endpoint, &browser).await;
    assert_eq!(first.id, again.id);
    subscribe(&house, &emil, endpoint, &browser).await;
    assert_eq!((browsers(&house, &nora).await, browsers(&house, &emil).await), (0, 1));
    let delete = || proto::DeletePushSubscriptionRequest {
        request_id: request_id(),
        push_subscription_id: first.id.clone(),
    };
    let foreign = done(house.client().delete_push_subscription(signed(&nora, delete())).await);
    assert_eq!(refused(foreign), "NOT_FOUND");
    done(house.client().delete_push_subscription(signed(&emil, delete())).await).expect("removed");
}

#[tokio::test]
async fn n_5_a_push_service_that_hangs_holds_up_no_other_even_at_the_first_push() {
    let house = House::with(|stage| {
        stage.with("notifications.push.timeout", "60s").with("notifications.push.concurrency", 10)
    })
    .await;
    let (hanging_url, hanging) = push_service().await;
    hanging.answer.store(HANGS, Ordering::Relaxed);
    let (url, service) = push_service().await;
    // Another name of the same machine.
    let url = url.replace("127.0.0.1", "localhost");
    let ticket = house.ticket(&[]).await;
    let mut many = Vec::new();
    for number in 0..20 {
        let one = house.known(house.people.member(), "en", "Many").await;
        subscribe(&house, &one, &format!("{hanging_url}/{number}"), &Browser::new()).await;
        many.push(one);
    }
    let all: Vec<&Principal> = many.iter().collect();
    house.offer(&ticket, 1, &all).await;
    let under_way = || async {
        let count = hanging.pushed.lock().len();
        if count >= 8 { Ok(()) } else { Err(count) }
    };
    eventually("pushes that hang", PATIENCE, under_way).await;
    let nora = house.known(house.people.member(), "en", "Nora").await;
    subscribe(&house, &nora, &format!("{url}/nora"), &Browser::new()).await;
    let everybody: Vec<&Principal> = all.iter().copied().chain([&nora]).collect();
    let event = house.offer(&ticket, 2, &everybody).await;
    let settled = house.settled(event, &nora).await;
    assert_eq!(settled[&Channel::Push], (DeliveryState::Delivered, String::new()));
    assert_eq!(service.pushed.lock().len(), 1);
    assert_eq!(hanging.pushed.lock().len(), 8, "no more at once");
}

#[tokio::test]
async fn n_5_a_browser_whose_push_service_rests_does_not_keep_another_of_the_same_person_from_hearing() {
    let house = House::new().await;
    let (broken_url, broken) = push_service().await;
    broken.answer.store(503, Ordering::Relaxed);
    let (url, service) = push_service().await;
    let nora = house.known(house.people.member(), "en", "Nora").await;
    let ticket = house.ticket(&[]).await;
    subscribe(&house, &nora, &format!("{}/desk", url.replace("127.0.0.1", "localhost")), &Browser::new())
        .await;
    subscribe(&house, &nora, &format!("{broken_url}/phone"), &Browser::new()).await;
    let event = house.offer(&ticket, 1, &[&nora]).await;
    assert_eq!(house.settled(event, &nora).await[&Channel::Push].0, DeliveryState::Delivered);
    assert_eq!(broken.pushed.lock().len(), 1);
    // It rests now: the other alone is called.
    let event = house.offer(&ticket, 2, &[&nora]).await;
    assert_eq!(house.settled(event, &nora).await[&Channel::Push].0, DeliveryState::Delivered);
    assert_eq!((service.pushed.lock().len(), broken.pushed.lock().len()), (2, 1));
}

#[tokio::test]
async fn n_5_of_a_code_s_browsers_the_one_that_was_not_reached_is_tried_again_and_the_other_is_not() {
    let house = House::new().await;
    let (broken_url, broken) = push_service().await;
    broken.answer.store(503, Ordering::Relaxed);
    let (url, service) = push_service().await;
    let nora = house.known(house.people.member(), "en", "Nora").await;
    let ticket = house.ticket(&[&nora]).await;
    let visitor = house.visitor(ticket.device()).await;
    let url = url.replace("127.0.0.1", "localhost");
    subscribe(&house, &visitor, &format!("{url}/desk"), &Browser::new()).await;
    subscribe(&house, &visitor, &format!("{broken_url}/phone"), &Browser::new()).await;
    let (event, _) = house.say(&ticket, &nora).await;
    eventually("one of them has it", PATIENCE, || async {
        let log = house.log(event).await;
        let is_it = |one: &&proto::Delivery| one.channel() == Channel::Push && one.reason == "NOT_NOW";
        let found = log.iter().find(is_it).ok_or_else(|| format!("{log:?}"))?;
        if found.state() == DeliveryState::Due { Ok(()) } else { Err(format!("{found:?}")) }
    })
    .await;
    broken.answer.store(201, Ordering::Relaxed);
    assert_eq!(house.settled(event, &visitor).await[&Channel::Push].0, DeliveryState::Delivered);
    assert_eq!((service.pushed.lock().len(), broken.pushed.lock().len()), (1, 2));
}
