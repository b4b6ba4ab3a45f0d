//! What is written is what is read.

use callboard_notifications::definition;
use callboard_notifications::store::{GroupMapping, PreferencesMapping, WebhookMapping};
use callboard_notifications_domain::group::{GroupCommand, Members};
use callboard_notifications_domain::preferences::{PreferencesCommand, Rule, Rules};
use callboard_notifications_domain::webhook::{DisabledReason, Endpoint, SecretKey, WebhookCommand};
use callboard_notifications_domain::{Channel, EventType, Origin, Strategy};
use callboard_stage::{Organisation, comes_back, fresh_journal, id};

#[tokio::test]
async fn preferences_come_back_as_they_were_written() {
    let (journal, _database) = fresh_journal(definition()).await;
    let carla = Organisation::new().customer_user(id());
    let rule = Rule { channels: vec![Channel::Email, Channel::Push], strategy: Strategy::All };
    let rules = Rules::from([((EventType::Message, Origin::Others), rule)]);
    let set = |rules: &Rules, switched_off| PreferencesCommand::Set { rules: rules.clone(), switched_off };
    let life = vec![
        (carla.clone(), set(&rules, false)),
        (carla.clone(), set(&rules, true)),
        (carla, set(&Rules::new(), false)),
    ];
    comes_back(&journal.store(PreferencesMapping), life, |state| state).await;
}

#[tokio::test]
async fn groups_come_back_as_they_were_written() {
    let (journal, _database) = fresh_journal(definition()).await;
    let boss = Organisation::new().moderator();
    let members = |name: &str| Members {
        name: name.into(),
        employees: vec![id().into()],
        departments: vec![id().into(), id().into()],
        teams: vec![id().into()],
    };
    let life = vec![
        (boss.clone(), GroupCommand::Create(members("Office"))),
        (boss.clone(), GroupCommand::Update(members("Front"))),
        (boss, GroupCommand::Delete),
    ];
    comes_back(&journal.store(GroupMapping), life, |state| state).await;
}

#[tokio::test]
async fn webhooks_come_back_as_they_were_written() {
    let (journal, _database) = fresh_journal(definition()).await;
    let people = Organisation::new();
    let (admin, system) = (people.administrator(), people.system());
    let endpoint = |enabled| Endpoint {
        url: "https://hooks.example.com/x".into(),
        description: "Ours".into(),
        event_types: vec!["callboard.tickets.v1.*".into()],
        enabled,
    };
    let key = |byte| SecretKey(vec![byte; 32]);
    let url = endpoint(true).url;
    let life = vec![
        (admin.clone(), WebhookCommand::Create { endpoint: endpoint(true), key: key(1) }),
        (admin.clone(), WebhookCommand::Rotate { key: key(2), overlap: chrono::TimeDelta::hours(1) }),
        (system, WebhookCommand::SwitchOff { url, reason: DisabledReason::Gone }),
        (admin.clone(), WebhookCommand::Update(endpoint(true))),
        (admin.clone(), WebhookCommand::Update(endpoint(false))),
        (admin, WebhookCommand::Delete),
    ];
    comes_back(&journal.store(WebhookMapping), life, |state| state).await;
}
