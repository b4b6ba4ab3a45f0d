//! N-2, N-4: what people choose.

use callboard_kernel::Principal;
use callboard_proto::notifications::v1 as proto;
use callboard_proto::notifications::v1::{Channel, DeliveryState, EventType, Origin, Strategy};
use callboard_service::error::Report;
use callboard_stage::{done, fields, refused, request_id, signed};

use super::house::House;

async fn get(house: &House, who: &Principal) -> Result<proto::Preferences, Report> {
    let answer = house.client().get_preferences(signed(who, proto::GetPreferencesRequest {})).await;
    Ok(done(answer)?.preferences.expect("preferences"))
}

async fn set(
    house: &House,
    who: &Principal,
    preferences: proto::Preferences,
) -> Result<proto::Preferences, Report> {
    let request =
        proto::UpdatePreferencesRequest { request_id: request_id(), preferences: Some(preferences) };
    let answer = house.client().update_preferences(signed(who, request)).await;
    Ok(done(answer)?.preferences.expect("preferences"))
}

fn rule(
    event_type: EventType,
    origin: Origin,
    channels: &[Channel],
    strategy: Strategy,
) -> proto::PreferenceRule {
    proto::PreferenceRule {
        event_type: event_type.into(),
        origin: origin.into(),
        channels: channels.iter().map(|channel| (*channel).into()).collect(),
        strategy: strategy.into(),
        is_default: false,
    }
}

#[tokio::test]
async fn n_2_the_rule_of_type_and_origin_decides_what_is_sent() {
    let house = House::new().await;
    let nora = house.known(house.people.member(), "en", "Nora").await;
    let emil = house.known(house.people.member(), "en", "Emil").await;
    let ticket = house.ticket(&[&nora, &emil]).await;
    let fresh = get(&house, &nora).await.expect("defaults");
    assert_eq!(fresh.rules.len(), 56);
    assert!(fresh.rules.iter().all(|rule| rule.is_default));
    let rules = vec![
        rule(EventType::Message, Origin::Others, &[Channel::Email, Channel::Browser], Strategy::All),
        rule(EventType::Message, Origin::Me, &[Channel::Email], Strategy::All),
    ];
    let chosen = proto::Preferences { rules, etag: fresh.etag.clone(), ..Default::default() };
    let kept = set(&house, &nora, chosen.clone()).await.expect("chosen");
    assert_eq!(kept.rules.iter().filter(|rule| !rule.is_default).count(), 2);
    assert_eq!(get(&house, &nora).await.expect("kept"), kept);
    assert_eq!(refused(set(&house, &nora, chosen).await), "ETAG_MISMATCH");

    let (event, _) = house.say(&ticket, &emil).await;
    let settled = house.settled(event, &nora).await;
    assert_eq!(settled[&Channel::Email].0, DeliveryState::Delivered);
    assert_eq!(settled[&Channel::Browser].0, DeliveryState::Failed);
    assert_eq!(settled.len(), 2);
    let (own, _) = house.say(&ticket, &nora).await;
    assert_eq!(house.settled(own, &nora).await[&Channel::Email].0, DeliveryState::Delivered);
}

/// Nothing is queued to find out what is known: the log has it from the commit that told it.
#[tokio::test]
async fn n_2_what_leads_nowhere_is_settled_with_the_telling() {
    let house = House::with(|stage| stage.with("notifications.email.url", "")).await;
    let nora = house.known(house.people.member(), "en", "Nora").await;
    let emil = house.known(house.people.member(), "en", "Emil").await;
    let ticket = house.ticket(&[&nora, &emil]).await;
    let fresh = get(&house, &nora).await.expect("defaults");
    let rules = vec![rule(EventType::Message, Origin::Others, &[Channel::Email], Strategy::All)];
    set(&house, &nora, proto::Preferences { rules, ..fresh }).await.expect("chosen");
    let (event, _) = house.say(&ticket, &emil).await;
    let settled = house.settled(event, &nora).await;
    assert_eq!(settled[&Channel::Email], (DeliveryState::Failed, "NO_EMAIL".to_owned()));
    let queued: bool =
        sqlx::query_scalar("select updated_at <> created_at from delivery where event_id = $1")
            .bind(event)
            .fetch_one(house.stage.pool())
            .await
            .expect("the one delivery");
    assert!(!queued);
}

#[tokio::test]
async fn n_2_every_wrong_rule_is_named() {
    let house = House::new().await;
    let nora = house.people.member();
    let rules = vec![
        rule(EventType::Unspecified, Origin::Me, &[], Strategy::All),
        rule(EventType::Offer, Origin::Me, &[Channel::Push, Channel::Push], Strategy::All),
        rule(EventType::Offer, Origin::Others, &[Channel::Push, Channel::Email], Strategy::Unspecified),
        rule(EventType::Offer, Origin::Others, &[], Strategy::All),
    ];
    let wrong = set(&house, &nora, proto::Preferences { rules, ..Default::default() }).await;
    assert_eq!(
        fields(wrong),
        [
            "preferences.rules[0].event_type",
            "preferences.rules[1].channels",
            "preferences.rules[2].strategy",
            "preferences.rules[3].event_type"
        ]
    );
}

#[tokio::test]
async fn n_4_a_customer_user_who_switches_off_hears_nothing() {
    let house = House::new().await;
    let nora = house.known(house.people.member(), "en", "Nora").await;
    let ticket = house.ticket(&[&nora]).await;
    let carla = house.known_customer(ticket.customer(), "Carla").await;
    let clara = house.known_customer(ticket.customer(), "Clara").await;
    let off = proto::Preferences { switched_off: true, ..Default::default() };
    assert!(set(&house, &carla, off.clone()).await.expect("off").switched_off);
    assert_eq!(fields(set(&house, &nora, off).await), ["preferences.switched_off"]);
    house.say(&ticket, &nora).await;
    house.entry(&clara, EventType::Message, |_| true).await;
    // The ticket itself may have been told before.
    let heard = house.entries(&carla).await;
    assert!(heard.iter().all(|entry| entry.event_type() != EventType::Message), "{heard:?}");
}
