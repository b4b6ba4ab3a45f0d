//! The caller's own drawer on the live stream (N-1, T-13).

use std::sync::Arc;
use std::time::Duration;

use callboard_bus::Bus;
use callboard_kernel::{Principal, Refusal, Role, Subject};
use callboard_proto::notifications::v1 as proto;
use callboard_proto::{tasks::v1 as tasks, tickets::v1 as tickets, video::v1 as video};
use callboard_service::error::status;
use callboard_testkit::{PATIENCE, eventually};
use parking_lot::Mutex;
use serde_json::json;
use tokio::time::timeout;
use uuid::Uuid;

use crate::fake::Fake;
use crate::live::{OTHER, Reader, facts, publish};
use crate::world::{
    DEVICE, EMPLOYEE, OFFER, ORGANISATION, SESSION, TICKET, World, employee, member, visitor,
};

const COUNT: &str = "callboard.notifications.v1.NotificationService/GetUnreadCount";
const LIST: &str = "callboard.notifications.v1.NotificationService/ListEntries";

/// A drawer that notifications keep.
#[derive(Debug, Clone, Default)]
struct Drawer(Arc<Mutex<Vec<proto::Entry>>>);

impl Drawer {
    fn of(fake: &Fake) -> Self {
        let drawer = Self::default();
        let counted = drawer.clone();
        fake.on(COUNT, move |_: proto::GetUnreadCountRequest| {
            let entries = counted.0.lock();
            let unread = entries.iter().filter(|entry| entry.unread).count();
            let position = entries.iter().map(|entry| entry.position).max().unwrap_or_default();
            Ok(proto::GetUnreadCountResponse { unread: i32::try_from(unread).unwrap(), position })
        });
        let listed = drawer.clone();
        fake.on(LIST, move |_: proto::ListEntriesRequest| {
            let mut entries = listed.0.lock().clone();
            entries.sort_by_key(|entry| -entry.position);
            Ok(proto::ListEntriesResponse { entries, next_page_token: String::new() })
        });
        drawer
    }

    /// Puts an entry in, in the place of an older one about the same.
    fn put(&self, subject: Uuid, position: i64, unread: bool) {
        self.put_about(proto::SubjectKind::Ticket, subject, position, unread);
    }

    fn put_about(&self, kind: proto::SubjectKind, subject: Uuid, position: i64, unread: bool) {
        let mut entries = self.0.lock();
        entries.retain(|entry| entry.subject_id != subject.to_string());
        entries.push(proto::Entry {
            // One stack for each subject.
            id: subject.to_string(),
            subject_kind: kind.into(),
            subject_id: subject.to_string(),
            text: format!("Number {position}"),
            unread,
            position,
            ..Default::default()
        });
    }
}

/// As notifications whisper it.
async fn whisper(world: &World, organisation: Uuid, people: &[String]) {
    let said = json!({"organisation": organisation, "people": people});
    Bus::Memory(world.bus.clone()).whisper("notifications.drawers", said.to_string().into()).await;
}

fn me() -> String {
    format!("employee:{EMPLOYEE}")
}

async fn says(reader: &mut Reader, event: &str) -> serde_json::Value {
    let block = reader.next().await.unwrap();
    assert_eq!((block.event.as_str(), block.id.as_str()), (event, ""), "{block:?}");
    block.data
}

fn unread(count: i32, position: i64) -> serde_json::Value {
    json!({"unread": count, "position": position})
}

#[tokio::test]
async fn n_1_what_is_new_and_what_was_read_elsewhere_is_seen_on_the_one_stream() {
    let world = World::new().await;
    let drawer = Drawer::of(&world.notifications);
    drawer.put(TICKET, 5, true);
    let mut reader = Reader::open(&world, &member(&[]), None).await;
    reader.ready().await;
    // What was there before is listed, not streamed.
    assert_eq!(says(&mut reader, "unread").await, unread(1, 5));
    drawer.put(OTHER, 6, true);
    whisper(&world, ORGANISATION, &["code:x".into(), me()]).await;
    let news = says(&mut reader, "notification").await;
    assert_eq!((&news["text"], &news["unread"]), (&json!("Number 6"), &json!(true)));
    assert_eq!(says(&mut reader, "unread").await, unread(2, 6));
    // On another device.
    drawer.put(TICKET, 7, false);
    whisper(&world, ORGANISATION, &[me()]).await;
    let news = says(&mut reader, "notification").await;
    assert_eq!((&news["subjectId"], &news["unread"]), (&json!(TICKET), &json!(false)));
    assert_eq!(says(&mut reader, "unread").await, unread(1, 7));
    drawer.put(OTHER, 8, false);
    whisper(&world, ORGANISATION, &[me()]).await;
    says(&mut reader, "notification").await;
    assert_eq!(says(&mut reader, "unread").await, unread(0, 8));
    // Written at the same time as the last one and seen after it, though its position is an earlier one.
    drawer.put(DEVICE, 7, true);
    whisper(&world, ORGANISATION, &[me()]).await;
    assert_eq!(says(&mut reader, "notification").await["text"], json!("Number 7"));
    assert_eq!(says(&mut reader, "unread").await, unread(1, 8));
    drawer.put(DEVICE, 9, false);
    whisper(&world, ORGANISATION, &[me()]).await;
    says(&mut reader, "notification").await;
    assert_eq!(says(&mut reader, "unread").await, unread(0, 9));
    // Emptied there: as many are unread as before, and yet something is gone.
    drawer.0.lock().clear();
    whisper(&world, ORGANISATION, &[me()]).await;
    assert_eq!(says(&mut reader, "unread").await, unread(0, 0));
}

#[tokio::test]
async fn a_drawer_is_one_person_s_across_people_and_organisations() {
    let world = World::new().await;
    let drawer = Drawer::of(&world.notifications);
    let colleague = Principal {
        subject: Subject::Employee(callboard_kernel::Employee {
            id: OTHER.into(),
            role: Role::Administrator,
            departments: Vec::new(),
        }),
        ..employee(Role::Administrator, &[])
    };
    let elsewhere = Principal { organisation: OTHER.into(), ..member(&[]) };
    let mut readers = Vec::new();
    for who in [member(&[]), colleague, elsewhere] {
        let token = world.token(&who);
        let mut reader = Reader::open_with(&world, &token, None).await;
        reader.ready().await;
        assert_eq!(says(&mut reader, "unread").await, unread(0, 0));
        readers.push((reader, token));
    }
    let asked_by = |token: &str| {
        let bearer = format!("Bearer {token}");
        let asked = world.notifications.asked::<proto::GetUnreadCountRequest>(COUNT);
        asked.iter().filter(|(_, headers)| headers["authorization"] == bearer.as_str()).count()
    };
    drawer.put(TICKET, 1, true);
    whisper(&world, ORGANISATION, &[me()]).await;
    says(&mut readers[0].0, "notification").await;
    // The next one is heard after the first, and the others have read nothing for the first.
    whisper(&world, ORGANISATION, &[format!("employee:{OTHER}")]).await;
    says(&mut readers[1].0, "notification").await;
    let counts: Vec<usize> = readers.iter().map(|(_, token)| asked_by(token)).collect();
    assert_eq!(counts, [2, 2, 1], "each with the own token, when it is the own drawer");
}

#[tokio::test]
async fn t_13_what_the_feed_knows_to_be_hidden_is_not_shown_though_notifications_have_not_heard() {
    let world = World::new().await;
    let drawer = Drawer::of(&world.notifications);
    let who = visitor(DEVICE);
    let Subject::CodeUser(user) = &who.subject else { panic!("a visitor") };
    let theirs = format!("code:{}", user.code);
    let mut reader = Reader::open(&world, &who, None).await;
    reader.ready().await;
    assert_eq!(says(&mut reader, "unread").await, unread(0, 0));
    let hidden = tickets::TicketVisibilityChanged {
        ticket: Some(facts(1, tickets::Visibility::Internal)),
        previous_visibility: tickets::Visibility::Public.into(),
        ..Default::default()
    };
    publish(&world, &hidden).await;
    assert_eq!(reader.next().await.unwrap().data["name"], "ticket.hidden");
    drawer.put(TICKET, 1, true);
    drawer.put(OTHER, 2, true);
    whisper(&world, ORGANISATION, &[theirs]).await;
    assert_eq!(says(&mut reader, "notification").await["subjectId"], json!(OTHER));
    assert_eq!(says(&mut reader, "unread").await, unread(2, 2));
}

#[tokio::test]
async fn t_13_neither_is_a_task_or_a_session_that_was_turned_internal() {
    let world = World::new().await;
    let drawer = Drawer::of(&world.notifications);
    let who = visitor(DEVICE);
    let Subject::CodeUser(user) = &who.subject else { panic!("a visitor") };
    let theirs = format!("code:{}", user.code);
    let mut reader = Reader::open(&world, &who, None).await;
    reader.ready().await;
    assert_eq!(says(&mut reader, "unread").await, unread(0, 0));
    let gone = || status("video", &Refusal::not_found("session"));
    world.video.on("callboard.video.v1.VideoService/GetSession", move |_: video::GetSessionRequest| {
        Err::<video::GetSessionResponse, _>(gone())
    });
    let gone = || status("tasks", &Refusal::not_found("task"));
    world.tasks.on("callboard.tasks.v1.TaskService/GetTask", move |_: tasks::GetTaskRequest| {
        Err::<tasks::GetTaskResponse, _>(gone())
    });
    let session = |visibility: video::Visibility| video::SessionVisibilityChanged {
        session: Some(video::SessionFacts {
            session_id: SESSION.to_string(),
            organisation_id: ORGANISATION.to_string(),
            device_id: DEVICE.to_string(),
            visibility: visibility.into(),
            ..Default::default()
        }),
        ..Default::default()
    };
    publish(&world, &session(video::Visibility::Internal)).await;
    assert_eq!(reader.next().await.unwrap().data["name"], "video.session_hidden");
    let task = tasks::TaskFacts {
        task_id: OFFER.to_string(),
        organisation_id: ORGANISATION.to_string(),
        device_id: DEVICE.to_string(),
        visibility: tasks::Visibility::Internal.into(),
        ..Default::default()
    };
    publish(&world, &tasks::TaskVisibilityChanged { task: Some(task), ..Default::default() }).await;
    assert_eq!(reader.next().await.unwrap().data["name"], "task.hidden");
    drawer.put_about(proto::SubjectKind::VideoSession, SESSION, 1, true);
    drawer.put_about(proto::SubjectKind::Task, OFFER, 2, true);
    drawer.put(OTHER, 3, true);
    whisper(&world, ORGANISATION, std::slice::from_ref(&theirs)).await;
    assert_eq!(says(&mut reader, "notification").await["subjectId"], json!(OTHER));
    assert_eq!(says(&mut reader, "unread").await, unread(3, 3));
    // Seen outside again.
    world.video.on("callboard.video.v1.VideoService/GetSession", |_: video::GetSessionRequest| {
        Ok(video::GetSessionResponse::default())
    });
    publish(&world, &session(video::Visibility::Public)).await;
    assert_eq!(reader.next().await.unwrap().data["name"], "video.session_visibility_changed");
    drawer.put_about(proto::SubjectKind::VideoSession, SESSION, 4, true);
    whisper(&world, ORGANISATION, &[theirs]).await;
    assert_eq!(says(&mut reader, "notification").await["subjectId"], json!(SESSION));
}

#[tokio::test]
async fn without_notifications_the_rest_of_the_stream_goes_on_and_the_drawer_comes_back() {
    let world = World::with(|settings| settings.call_timeout = Duration::from_secs(1)).await;
    world.notifications.hang(COUNT);
    let mut reader = Reader::open(&world, &member(&[]), None).await;
    timeout(PATIENCE, reader.ready()).await.expect("it opens");
    let started =
        tickets::TicketStarted { ticket: Some(facts(7, tickets::Visibility::Public)), ..Default::default() };
    publish(&world, &started).await;
    assert_eq!(reader.titles(1).await, ["ticket.started 7"]);
    eventually("it was asked again", PATIENCE, || async {
        let asked = world.notifications.asked::<proto::GetUnreadCountRequest>(COUNT).len();
        if asked > 1 { Ok(()) } else { Err(asked) }
    })
    .await;
    Drawer::of(&world.notifications).put(TICKET, 3, true);
    // Nobody whispers: it comes back by itself, with what there is by then.
    assert_eq!(says(&mut reader, "unread").await, unread(1, 3));
}
