//! What is written is what is read.

use std::sync::Arc;

use callboard_journal::{JournalOptions, MemJournal};
use callboard_kernel::{Clock, Principal, Subject, SystemClock};
use callboard_messenger::store::ConversationMapping;
use callboard_messenger_domain::conversation::{ConversationCommand, Message, MessageKind, Sight, Ticket};
use callboard_stage::{Organisation, comes_back, fresh_journal, id};
use chrono::TimeDelta;

/// A life with everything in it that is stored.
fn commands() -> Vec<(Principal, ConversationCommand)> {
    let people = Organisation::new();
    let system = people.system();
    let device = id();
    let user = people.code_user(device);
    let member = people.member();
    let Subject::Employee(employee) = &member.subject else { panic!("a member") };
    let observe = |version, ended| ConversationCommand::Observe {
        ticket: Arc::new(Ticket {
            version,
            device: device.into(),
            device_version: 4,
            template: id().into(),
            customer: Some(id().into()),
            internal: false,
            ended,
            departments: vec![],
        }),
    };
    let send = |client_id: &str| ConversationCommand::Send {
        sight: Sight::default(),
        client_id: client_id.into(),
        text: "Grüße".into(),
        attachments: vec![],
    };
    let message = Arc::new(Message {
        id: id(),
        sequence: 1,
        kind: MessageKind::Text,
        author: member.actor(),
        client_id: "1".into(),
        text: "Grüße".into(),
        attachments: vec![],
        session: None,
        sent_at: SystemClock.now(),
        edited_at: None,
        withdrawn_at: None,
        revision: 1,
    });
    let edited = Arc::new(Message { text: "Hallo".into(), revision: 2, ..Message::clone(&message) });
    let (sight, window) = (Sight::default(), TimeDelta::minutes(15));
    let edit = ConversationCommand::Edit {
        sight: sight.clone(),
        message,
        expected: None,
        text: "Hallo".into(),
        window,
    };
    let withdraw =
        ConversationCommand::Withdraw { sight: sight.clone(), message: edited, expected: None, window };
    let join = ConversationCommand::PostJoinLink { session: id(), text: "https://call.example".into() };
    vec![
        (system.clone(), ConversationCommand::Involve { employees: vec![employee.id], version: 3 }),
        (system.clone(), observe(1, false)),
        (member.clone(), send("1")),
        (user.clone(), send("1")),
        (member.clone(), edit),
        (member.clone(), withdraw),
        (system.clone(), join),
        (user, ConversationCommand::MarkRead { sight, sequence: 3 }),
        (system.clone(), observe(2, true)),
        (system, ConversationCommand::Delete),
    ]
}

#[tokio::test]
async fn a_conversation_comes_back_from_memory() {
    let journal = MemJournal::new(JournalOptions::new("messenger"));
    assert!(comes_back(&journal.store(ConversationMapping), commands(), |state| state).await.deleted);
}

#[tokio::test]
async fn a_conversation_comes_back_from_postgres_and_t_11_takes_its_rows() {
    let (journal, _database) = fresh_journal(callboard_messenger::definition()).await;
    assert!(comes_back(&journal.store(ConversationMapping), commands(), |state| state).await.deleted);
    for table in ["message", "message_revision", "reader"] {
        let sql = format!("select count(*) from {table}");
        let left: i64 =
            sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(journal.pool()).await.expect("a count");
        assert_eq!(left, 0, "{table}");
    }
}
