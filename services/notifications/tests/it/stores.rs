//! What is written is what is read.

use callboard_notifications::definition;
use callboard_notifications::store::{GroupMapping, PreferencesMapping};
use callboard_notifications_domain::group::{GroupCommand, Members};
use callboard_notifications_domain::preferences::{PreferencesCommand, Rule, Rules};
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
