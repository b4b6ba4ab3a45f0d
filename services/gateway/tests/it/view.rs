//! The ticket details view.

use std::time::{Duration, Instant};

use callboard_kernel::Refusal;
use callboard_proto::{
    common::v1 as common, directory::v1 as directory, fleet::v1 as fleet, messenger::v1 as messenger,
    notifications::v1 as notifications, ratings::v1 as ratings, tasks::v1 as tasks, tickets::v1 as tickets,
    video::v1 as video,
};
use callboard_service::error::status;
use callboard_testkit::{PATIENCE, eventually_some};
use reqwest::Method;
use serde_json::{Value, json};

use crate::live::{Reader, publish};
use crate::world::{DEVICE, EMPLOYEE, OFFER, TICKET, World, member, nobody, read, visitor};

const SCREEN: &str = "callboard.tickets.v1.TicketService/GetTicketScreen";
const MARK_SEEN: &str = "callboard.fleet.v1.FleetService/MarkSeen";
const LIST_ENTRIES: &str = "callboard.notifications.v1.NotificationService/ListEntries";

fn text(en: &str, de: &str) -> common::LocalizedText {
    common::LocalizedText { by_language: [("en".into(), en.into()), ("de".into(), de.into())].into() }
}

fn fill(world: &World) {
    let directory = |method: &str| format!("callboard.directory.v1.DirectoryService/{method}");
    world.tickets.on(SCREEN, |_: tickets::GetTicketScreenRequest| {
        let ticket = tickets::Ticket {
            id: TICKET.to_string(),
            number: 7,
            device_id: DEVICE.to_string(),
            template_id: "t".into(),
            flow_id: "f".into(),
            status: tickets::TicketStatus::Assigned.into(),
            visibility: tickets::Visibility::Public.into(),
            priority: tickets::Priority::High.into(),
            ..Default::default()
        };
        let moves = tickets::GetTicketMovesResponse {
            statuses: vec![tickets::TicketStatus::InProgress.into()],
            may_cancel: true,
            ..Default::default()
        };
        let updates = |visibility: tickets::Visibility| tickets::ListUpdatesResponse {
            updates: vec![tickets::Update { visibility: visibility.into(), ..Default::default() }],
            next_page_token: String::new(),
        };
        let entry = tickets::TimelineEntry {
            sequence: 1,
            field: "status".into(),
            after: "OPEN".into(),
            automatic: true,
            ..Default::default()
        };
        Ok(tickets::GetTicketScreenResponse {
            ticket: Some(ticket),
            moves: Some(moves),
            flow: Some(tickets::Flow { label: Some(text("Leak", "Undicht")), ..Default::default() }),
            public_updates: Some(updates(tickets::Visibility::Public)),
            internal_updates: Some(updates(tickets::Visibility::Internal)),
            timeline: Some(tickets::ListTimelineResponse {
                entries: vec![entry],
                next_page_token: String::new(),
            }),
        })
    });
    world.fleet.on("callboard.fleet.v1.FleetService/GetDispatch", |_: fleet::GetDispatchRequest| {
        let offer = fleet::Offer {
            id: OFFER.to_string(),
            employee_id: EMPLOYEE.to_string(),
            status: fleet::OfferStatus::Unseen.into(),
            ..Default::default()
        };
        let dispatch = fleet::Dispatch {
            requested: vec![offer],
            available_employee_ids: vec!["nobody knows".into()],
            own_offer_id: OFFER.to_string(),
            ..Default::default()
        };
        Ok(fleet::GetDispatchResponse { dispatch: Some(dispatch) })
    });
    world.fleet.on(MARK_SEEN, |_: fleet::MarkSeenRequest| Ok(fleet::MarkSeenResponse::default()));
    world.ratings.on("callboard.ratings.v1.RatingService/GetRating", |_: ratings::GetRatingRequest| {
        Ok(ratings::GetRatingResponse {
            rating: Some(ratings::Rating { may_submit: true, ..Default::default() }),
        })
    });
    let conversation = "callboard.messenger.v1.MessengerService/GetConversation";
    world.messenger.on(conversation, |asked: messenger::GetConversationRequest| {
        let conversation =
            messenger::Conversation { id: TICKET.to_string(), unread_count: 1, ..Default::default() };
        let message = messenger::Message { text: "It hisses".into(), sequence: 1, ..Default::default() };
        let latest = messenger::ListMessagesResponse {
            messages: vec![message; usize::from(asked.messages > 0)],
            next_page_token: String::new(),
        };
        Ok(messenger::GetConversationResponse { conversation: Some(conversation), latest: Some(latest) })
    });
    world.tasks.on("callboard.tasks.v1.TaskService/ListTasks", |asked: tasks::ListTasksRequest| {
        let filter = asked.filter.unwrap_or_default();
        let task = tasks::Task {
            title: "Bring a seal".into(),
            ticket_id: filter.ticket_id,
            status: tasks::TaskStatus::InProgress.into(),
            ..Default::default()
        };
        Ok(tasks::ListTasksResponse { tasks: vec![task], next_page_token: String::new() })
    });
    world.video.on("callboard.video.v1.VideoService/ListSessions", |asked: video::ListSessionsRequest| {
        let session = video::Session {
            ticket_ids: vec![asked.filter.unwrap_or_default().ticket_id],
            status: video::SessionStatus::Confirmed.into(),
            ..Default::default()
        };
        Ok(video::ListSessionsResponse { sessions: vec![session], next_page_token: String::new() })
    });
    world.notifications.on(LIST_ENTRIES, |asked: notifications::ListEntriesRequest| {
        let entry = |event_type: notifications::EventType, unread| notifications::Entry {
            event_type: event_type.into(),
            subject_kind: notifications::SubjectKind::Ticket.into(),
            subject_id: asked.subject_id.clone(),
            text: "Ticket 7 is offered to you".into(),
            unread,
            ..Default::default()
        };
        let entries = vec![
            entry(notifications::EventType::Offer, true),
            entry(notifications::EventType::TicketOpened, false),
        ];
        Ok(notifications::ListEntriesResponse { entries, next_page_token: String::new() })
    });
    world.directory.on(&directory("GetDevice"), |_: directory::GetDeviceRequest| {
        Ok(directory::GetDeviceResponse {
            device: Some(directory::Device { name: "Pump".into(), ..Default::default() }),
        })
    });
    world.directory.on(&directory("GetTemplate"), |_: directory::GetTemplateRequest| {
        Ok(directory::GetTemplateResponse {
            template: Some(directory::Template { name: Some(text("Pump", "Pumpe")), ..Default::default() }),
        })
    });
    world.directory.on(&directory("ListEmployees"), |_: directory::ListEmployeesRequest| {
        let ada = directory::Employee { id: EMPLOYEE.to_string(), name: "Ada".into(), ..Default::default() };
        Ok(directory::ListEmployeesResponse { employees: vec![ada], next_page_token: String::new() })
    });
}

async fn view(world: &World, language: &str) -> (u16, Value) {
    let path = format!("/v1/tickets/{TICKET}/view");
    let request = world.request(&member(&[]), Method::GET, &path).header("Accept-Language", language);
    read(request.send().await.unwrap()).await
}

#[tokio::test]
async fn an_employee_sees_the_whole_screen_and_f_3_the_offer_is_marked_seen() {
    let world = World::new().await;
    fill(&world);
    let (status, view) = view(&world, "de").await;
    assert_eq!(status, 200, "{view}");
    assert_eq!(view["unreachable"], json!([]));
    assert_eq!(view["statusBar"]["status"], json!({ "status": "ASSIGNED", "label": "Zugewiesen" }));
    let progress: Vec<&str> = view["statusBar"]["progress"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| step["reached"].as_str().unwrap())
        .collect();
    assert_eq!(progress, ["PAST", "CURRENT", "AHEAD", "AHEAD", "AHEAD"]);
    assert_eq!(view["statusBar"]["statusMoves"][0]["label"], "In Bearbeitung");
    assert_eq!(view["statusBar"]["visibilityLabel"], "Öffentlich");
    assert_eq!(view["statusBar"]["moves"]["mayCancel"], true);
    assert_eq!(view["general"]["category"], "Undicht");
    assert_eq!(view["general"]["templateName"], "Pumpe");
    assert_eq!(view["updates"]["updates"][0]["visibility"], "PUBLIC");
    assert_eq!(view["internalUpdates"]["updates"][0]["visibility"], "INTERNAL");
    assert_eq!(view["timeline"]["entries"][0]["after"], "OPEN");
    let requested = &view["fleet"]["requested"][0];
    assert_eq!((&requested["employee"]["name"], &requested["seen"]), (&json!("Ada"), &json!(false)));
    assert_eq!(view["fleet"]["available"][0], json!({ "id": "nobody knows" }));
    assert_eq!(view["rating"]["maySubmit"], true);
    let task = &view["tasks"]["tasks"][0];
    assert_eq!((&task["title"], &task["status"]), (&json!("Bring a seal"), &json!("IN_PROGRESS")));
    assert_eq!(task["ticketId"], TICKET.to_string());
    let session = &view["videoSessions"]["sessions"][0];
    assert_eq!(
        (&session["session"]["status"], &session["statusLabel"]),
        (&json!("CONFIRMED"), &json!("Bestätigt"))
    );
    assert_eq!(session["session"]["ticketIds"], json!([TICKET]));
    assert_eq!(view["conversation"]["conversation"]["unreadCount"], 1);
    assert_eq!(view["conversation"]["messages"]["messages"][0]["text"], "It hisses");
    let mine = &view["notifications"];
    assert_eq!((&mine["unread"], mine["entries"].as_array().map(Vec::len)), (&json!(1), Some(2)));
    assert_eq!(
        (&mine["entries"][0]["eventType"], &mine["entries"][0]["subjectId"]),
        (&json!("OFFER"), &json!(TICKET))
    );
    eventually_some("the offer is marked as seen", PATIENCE, || async {
        world.fleet.asked::<fleet::MarkSeenRequest>(MARK_SEEN).pop()
    })
    .await;
}

#[tokio::test]
async fn an_outsider_gets_neither_fleet_nor_timeline_nor_internal_updates() {
    let world = World::new().await;
    fill(&world);
    // What their owner leaves out for those outside.
    world.tickets.on(SCREEN, |_: tickets::GetTicketScreenRequest| {
        let ticket = tickets::Ticket { id: TICKET.to_string(), ..Default::default() };
        Ok(tickets::GetTicketScreenResponse { ticket: Some(ticket), ..Default::default() })
    });
    let path = format!("/v1/tickets/{TICKET}/view");
    let (status, view) =
        read(world.request(&visitor(DEVICE), Method::GET, &path).send().await.unwrap()).await;
    assert_eq!(status, 200);
    let parts: Vec<&String> = view.as_object().unwrap().keys().collect();
    for hidden in ["fleet", "timeline", "internalUpdates"] {
        assert!(!parts.iter().any(|part| *part == hidden), "{parts:?}");
    }
    // The drawer of the code, read with the visitor's own token.
    assert_eq!(view["notifications"]["unread"], 1);
    let asked = world.notifications.asked::<notifications::ListEntriesRequest>(LIST_ENTRIES);
    assert_eq!(asked.len(), 1);
    assert!(asked[0].1["authorization"].to_str().unwrap().starts_with("Bearer ey"));
    assert!(
        world
            .fleet
            .asked::<fleet::GetDispatchRequest>("callboard.fleet.v1.FleetService/GetDispatch")
            .is_empty()
    );
}

#[tokio::test]
async fn what_cannot_be_reached_in_time_is_named_and_the_rest_is_there() {
    let world = World::with(|settings| {
        settings.view_budget = Duration::from_millis(700);
        settings.upstreams.insert("ratings".to_owned(), nobody());
    })
    .await;
    fill(&world);
    world.fleet.hang("callboard.fleet.v1.FleetService/GetDispatch");
    world.tasks.hang("callboard.tasks.v1.TaskService/ListTasks");
    let started = Instant::now();
    let (status, view) = view(&world, "en").await;
    let took = started.elapsed();
    assert_eq!((status, &view["unreachable"]), (200, &json!(["fleet", "ratings", "tasks"])));
    assert_eq!(view["general"]["ticket"]["number"], 7);
    assert!(view.get("fleet").is_none() && view.get("rating").is_none());
    assert!(took < Duration::from_secs(3), "{took:?}");
}

#[tokio::test]
async fn without_the_messenger_its_tab_is_missing_and_named() {
    let world = World::with(|settings| {
        settings.upstreams.insert("messenger".to_owned(), nobody());
    })
    .await;
    fill(&world);
    let (status, view) = view(&world, "en").await;
    assert_eq!((status, &view["unreachable"]), (200, &json!(["messenger"])));
    assert!(view.get("conversation").is_none());
    assert_eq!(view["general"]["ticket"]["number"], 7);
}

#[tokio::test]
async fn without_notifications_one_s_own_are_missing_and_named() {
    let world = World::with(|settings| settings.view_budget = Duration::from_millis(700)).await;
    fill(&world);
    world.notifications.hang(LIST_ENTRIES);
    let started = Instant::now();
    let (status, view) = view(&world, "en").await;
    let took = started.elapsed();
    assert_eq!((status, &view["unreachable"]), (200, &json!(["notifications"])));
    assert!(view.get("notifications").is_none());
    assert_eq!(view["videoSessions"]["sessions"][0]["session"]["status"], "CONFIRMED");
    assert!(took < Duration::from_secs(3), "{took:?}");
}

#[tokio::test]
async fn without_the_video_service_its_tab_is_missing_and_named() {
    let world = World::with(|settings| {
        settings.upstreams.insert("video".to_owned(), nobody());
    })
    .await;
    fill(&world);
    let (status, view) = view(&world, "en").await;
    assert_eq!((status, &view["unreachable"]), (200, &json!(["video"])));
    assert!(view.get("videoSessions").is_none());
    assert_eq!(view["conversation"]["conversation"]["unreadCount"], 1);
}

#[tokio::test]
async fn without_the_tickets_service_the_rest_is_still_shown() {
    let world = World::with(|settings| {
        settings.upstreams.insert("tickets".to_owned(), nobody());
    })
    .await;
    fill(&world);
    let (status, view) = view(&world, "en").await;
    assert_eq!((status, &view["unreachable"]), (200, &json!(["tickets"])));
    assert_eq!(view["fleet"]["requested"][0]["offerId"], OFFER.to_string());
    assert!(view.get("statusBar").is_none());
}

#[tokio::test]
async fn who_may_not_see_the_ticket_gets_404_whatever_the_others_say() {
    let world = World::new().await;
    fill(&world);
    world.tickets.on(SCREEN, |_: tickets::GetTicketScreenRequest| {
        Err::<tickets::GetTicketScreenResponse, _>(status("tickets", &Refusal::not_found("ticket")))
    });
    let (status, problem) = view(&world, "en").await;
    assert_eq!((status, problem["reason"].as_str()), (404, Some("NOT_FOUND")));
}

#[tokio::test]
async fn what_the_directory_said_is_kept_for_its_caller_until_it_tells_of_a_change() {
    const GET: &str = "callboard.directory.v1.DirectoryService/GetDevice";
    let world = World::new().await;
    fill(&world);
    let asked = || world.directory.asked::<directory::GetDeviceRequest>(GET).len();
    for _ in 0..2 {
        assert_eq!(view(&world, "en").await.1["general"]["deviceName"], "Pump");
    }
    assert_eq!(asked(), 1);
    let path = format!("/v1/tickets/{TICKET}/view");
    let other = world.request(&visitor(DEVICE), Method::GET, &path).send().await.unwrap();
    assert_eq!((other.status().as_u16(), asked()), (200, 2), "nobody reads by another's right");
    world.directory.on(GET, |_: directory::GetDeviceRequest| {
        Ok(directory::GetDeviceResponse {
            device: Some(directory::Device { name: "New pump".into(), ..Default::default() }),
        })
    });
    // Once a stream says it, the feed has heard it. Waiting for the name itself would be met by the end of what is kept.
    let mut reader = Reader::open(&world, &member(&[]), None).await;
    reader.ready().await;
    publish(&world, &directory::DeviceChanged::default()).await;
    assert_eq!(reader.next().await.unwrap().data["name"], "device.changed");
    assert_eq!(view(&world, "en").await.1["general"]["deviceName"], "New pump");
}

#[tokio::test]
async fn what_the_directory_could_not_say_is_asked_for_again() {
    const GET: &str = "callboard.directory.v1.DirectoryService/GetDevice";
    let world = World::with(|settings| settings.view_budget = Duration::from_millis(700)).await;
    fill(&world);
    world.directory.hang(GET);
    let (status, first) = view(&world, "en").await;
    assert_eq!((status, &first["unreachable"]), (200, &json!(["directory"])));
    world.directory.on(GET, |_: directory::GetDeviceRequest| {
        Ok(directory::GetDeviceResponse {
            device: Some(directory::Device { name: "Pump".into(), ..Default::default() }),
        })
    });
    let (_, second) = view(&world, "en").await;
    assert_eq!((&second["unreachable"], &second["general"]["deviceName"]), (&json!([]), &json!("Pump")));
}
