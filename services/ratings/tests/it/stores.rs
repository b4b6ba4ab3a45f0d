//! What is written is what is read.

use std::sync::Arc;

use callboard_journal::{JournalOptions, MemJournal};
use callboard_kernel::{CodeUser, Language, Principal};
use callboard_ratings::store::RequestMapping;
use callboard_ratings_domain::request::{News, RequestCommand, Sight, Subject, SubjectKind, Visibility};
use callboard_stage::{comes_back, fresh_journal, id};
use uuid::Uuid;

/// A life with everything in it that is stored.
fn commands() -> Vec<(Principal, RequestCommand)> {
    let organisation = Uuid::from_u128(1).into();
    let system = Principal::system(organisation);
    let device = id();
    let user = CodeUser { session: id().into(), code: id().into(), device: device.into() };
    let user = Principal {
        organisation,
        subject: callboard_kernel::Subject::CodeUser(user),
        language: Language::En,
    };
    let observe = |version, done_round, news| RequestCommand::Observe {
        subject: Arc::new(Subject {
            kind: SubjectKind::Ticket,
            version,
            device: device.into(),
            device_version: 2,
            template: id().into(),
            customer: Some(id().into()),
            visibility: Visibility::Public,
            departments: vec![id().into()],
            involved: vec![id().into(), id().into()],
            done_round,
        }),
        news,
    };
    let submit = RequestCommand::Submit {
        sight: Sight::default(),
        kind: SubjectKind::Ticket,
        score: 4,
        comment: "Danke".into(),
    };
    vec![
        (system.clone(), observe(1, 0, News::Facts)),
        (system.clone(), observe(2, 1, News::Done { switched_on: true })),
        (user, submit),
        (system.clone(), observe(3, 1, News::Over)),
        (system.clone(), observe(4, 2, News::Done { switched_on: false })),
        (system, RequestCommand::Delete),
    ]
}

#[tokio::test]
async fn a_rating_comes_back_from_memory() {
    let journal = MemJournal::new(JournalOptions::new("ratings"));
    assert!(comes_back(&journal.store(RequestMapping), commands(), |state| state).await.deleted);
}

#[tokio::test]
async fn a_rating_comes_back_from_postgres() {
    let (journal, _database) = fresh_journal(callboard_ratings::definition()).await;
    assert!(comes_back(&journal.store(RequestMapping), commands(), |state| state).await.deleted);
}
