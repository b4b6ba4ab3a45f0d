//! Links that start a flow (T-1), and the page behind them.

use callboard_kernel::{ErrorKind, Refusal};
use callboard_proto::common::v1::{Attachment, LocalizedText};
use callboard_proto::{
    directory::v1 as directory, notifications::v1 as notifications, tickets::v1 as tickets,
};
use callboard_service::error::status;
use reqwest::{Method, Response};
use uuid::Uuid;

use crate::world::{DEVICE, TICKET, World, read, visitor};

const CODE: &str = "AbCdEfGhIjKlMnOpQr";
const TEMPLATE: Uuid = Uuid::from_u128(80);
const FLOW: Uuid = Uuid::from_u128(81);
const SESSIONS: &str = "callboard.directory.v1.SessionService";
const TICKETS: &str = "callboard.tickets.v1.TicketService";
const FLOWS: &str = "callboard.tickets.v1.FlowService";

fn text(english: &str, german: &str) -> Option<LocalizedText> {
    let by_language = [("en", english), ("de", german)].map(|(key, text)| (key.to_owned(), text.to_owned()));
    Some(LocalizedText { by_language: by_language.into() })
}

fn flow() -> tickets::Flow {
    let step = |key: &str, kind: tickets::StepKind, required, label: &str| tickets::Step {
        key: key.into(),
        kind: kind.into(),
        required,
        label: text(label, &format!("{label} (de)")),
        ..Default::default()
    };
    tickets::Flow {
        id: FLOW.to_string(),
        template_id: TEMPLATE.to_string(),
        label: text("<script>alert(1)</script>", "Reparatur"),
        steps: vec![
            step("what", tickets::StepKind::Text, true, "What is wrong?"),
            step("photo", tickets::StepKind::Attachment, false, "A picture"),
            step("running", tickets::StepKind::YesNo, false, "Does it run?"),
        ],
        active: true,
        ..Default::default()
    }
}

fn tokens(access: &str, left: i64) -> Option<directory::Tokens> {
    let now = callboard_kernel::Clock::now(&callboard_kernel::SystemClock).timestamp();
    let at = |seconds| Some(prost_types::Timestamp { seconds: now + seconds, nanos: 0 });
    Some(directory::Tokens {
        access_token: access.into(),
        access_expire_time: at(left),
        refresh_token: "refresh-1".into(),
        refresh_expire_time: at(3600),
    })
}

/// A world with a code, with or without PIN, whose sessions' tokens last this long.
async fn world(pin: &'static str, access_left: i64) -> World {
    let world = World::new().await;
    world.directory.on(&format!("{SESSIONS}/LookUpCode"), move |_: directory::LookUpCodeRequest| {
        Ok(directory::LookUpCodeResponse {
            admits_code_users: true,
            needs_pin: !pin.is_empty(),
            ..Default::default()
        })
    });
    world.directory.on(&format!("{SESSIONS}/ScanCode"), move |scan: directory::ScanCodeRequest| {
        if scan.pin != pin {
            return Err(status(
                "directory",
                &Refusal::new(ErrorKind::PermissionDenied, "PIN_WRONG", "the PIN is wrong"),
            ));
        }
        Ok(directory::ScanCodeResponse {
            tokens: tokens("first", access_left),
            device_id: DEVICE.to_string(),
            template_id: TEMPLATE.to_string(),
            ..Default::default()
        })
    });
    world.directory.on(&format!("{SESSIONS}/RefreshSession"), |_: directory::RefreshSessionRequest| {
        Ok(directory::RefreshSessionResponse { tokens: tokens("second", 300) })
    });
    world.tickets.on(&format!("{FLOWS}/ListFlows"), |_: tickets::ListFlowsRequest| {
        Ok(tickets::ListFlowsResponse { flows: vec![flow()] })
    });
    world.tickets.on(&format!("{FLOWS}/GetFlow"), |_: tickets::GetFlowRequest| {
        Ok(tickets::GetFlowResponse { flow: Some(flow()) })
    });
    world.tickets.on(&format!("{TICKETS}/CreateTicket"), |_: tickets::CreateTicketRequest| {
        Ok(tickets::CreateTicketResponse { ticket: Some(draft(&[])) })
    });
    world.tickets.on(&format!("{TICKETS}/GetTicket"), |_: tickets::GetTicketRequest| {
        Ok(tickets::GetTicketResponse { ticket: Some(draft(&[("what", "\"><b>It hisses")])) })
    });
    world.tickets.on(&format!("{TICKETS}/AnswerStep"), |_: tickets::AnswerStepRequest| {
        Ok(tickets::AnswerStepResponse::default())
    });
    world.tickets.on(&format!("{TICKETS}/SubmitTicket"), |_: tickets::SubmitTicketRequest| {
        Ok(tickets::SubmitTicketResponse::default())
    });
    world
}

fn draft(answers: &[(&str, &str)]) -> tickets::Ticket {
    let answers = answers.iter().map(|(step, text)| tickets::Answer {
        step: (*step).into(),
        value: Some(tickets::answer::Value::Text((*text).into())),
    });
    tickets::Ticket {
        id: TICKET.to_string(),
        template_id: TEMPLATE.to_string(),
        flow_id: FLOW.to_string(),
        status: tickets::TicketStatus::Draft.into(),
        answers: answers.collect(),
        draft_flow: Some(flow()),
        ..Default::default()
    }
}

fn cookie(response: &Response) -> String {
    let cookie = response.headers()["set-cookie"].to_str().unwrap();
    assert!(cookie.contains("; HttpOnly; SameSite=Lax; Secure"), "{cookie}");
    cookie.split(';').next().unwrap().to_owned()
}

fn leads_to(response: &Response) -> &str {
    assert_eq!(response.status(), 303);
    response.headers()["location"].to_str().unwrap()
}

async fn get(world: &World, cookie: &str, path: &str) -> Response {
    world.anonymous(Method::GET, path).header("cookie", cookie).send().await.unwrap()
}

async fn post(world: &World, cookie: &str, path: &str, form: &[(&str, &str)]) -> Response {
    let body = form.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&");
    let request = world.anonymous(Method::POST, path).header("cookie", cookie);
    request.header("content-type", "application/x-www-form-urlencoded").body(body).send().await.unwrap()
}

#[tokio::test]
async fn t_1_a_scanned_code_leads_to_the_flows_and_a_flow_to_a_submitted_ticket() {
    let world = world("", 300).await;
    let scanned = get(&world, "", &format!("/c/{CODE}")).await;
    assert_eq!(scanned.status(), 200);
    let csp = scanned.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(csp.contains("default-src 'none'") && !csp.contains("unsafe"), "{csp}");
    let kept = cookie(&scanned);
    let html = scanned.text().await.unwrap();
    let start = format!("/start/{TEMPLATE}/{FLOW}");
    assert!(html.contains(&format!("href=\"{start}\"")), "{html}");
    assert!(html.contains("&lt;script&gt;") && !html.contains("<script"), "{html}");

    let first = get(&world, &kept, &start).await.text().await.unwrap();
    assert!(first.contains("What is wrong?") && first.contains("Step 1 of 3"), "{first}");
    let request = first.split("name=\"request\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let begun = post(&world, &kept, &start, &[("a", "It+hisses"), ("request", request)]).await;
    assert_eq!(leads_to(&begun), format!("/t/{TICKET}?step=photo"));
    let made = world.tickets.asked::<tickets::CreateTicketRequest>(&format!("{TICKETS}/CreateTicket"));
    assert_eq!((made[0].0.request_id.as_str(), made[0].0.answers.len()), (request, 1));
    assert_eq!(made[0].1["authorization"], "Bearer first");

    let skipped = post(&world, &kept, &format!("/t/{TICKET}"), &[("step", "running")]).await;
    assert_eq!(leads_to(&skipped), format!("/t/{TICKET}"));
    let over = get(&world, &kept, &format!("/t/{TICKET}")).await.text().await.unwrap();
    assert!(over.contains("&quot;&gt;&lt;b&gt;It hisses") && over.contains("/submit"), "{over}");
    let sent = post(&world, &kept, &format!("/t/{TICKET}/submit"), &[]).await;
    assert_eq!(leads_to(&sent), format!("/t/{TICKET}"));
    assert_eq!(
        world.tickets.asked::<tickets::SubmitTicketRequest>(&format!("{TICKETS}/SubmitTicket")).len(),
        1
    );
}

/// A form with files, as browsers send them.
async fn send_files(
    world: &World,
    cookie: &str,
    fields: &[(&'static str, &'static str)],
    files: &[(&str, &[u8])],
) -> Response {
    let mut body = Vec::new();
    let mut part = |head: String, content: &[u8]| {
        body.extend_from_slice(
            format!("--line\r\nContent-Disposition: form-data; {head}\r\n\r\n").as_bytes(),
        );
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n");
    };
    for (name, value) in fields {
        part(format!("name=\"{name}\""), value.as_bytes());
    }
    for (name, content) in files {
        part(format!("name=\"a\"; filename=\"{name}\""), content);
    }
    body.extend_from_slice(b"--line--\r\n");
    let request = world.anonymous(Method::POST, &format!("/t/{TICKET}")).header("cookie", cookie);
    request.header("content-type", "multipart/form-data; boundary=line").body(body).send().await.unwrap()
}

const UPLOAD: &str = "callboard.tickets.v1.AttachmentService/UploadAttachment";

/// A service of files that takes pictures.
fn takes_pictures(world: &World) {
    world.tickets.on(UPLOAD, |first: tickets::UploadAttachmentRequest| {
        let Some(tickets::upload_attachment_request::Part::Upload(start)) = first.part else {
            panic!("the file's description comes first: {first:?}");
        };
        if !start.name.ends_with(".jpg") {
            let refusal =
                Refusal::new(ErrorKind::FailedPrecondition, "ATTACHMENT_TYPE_NOT_ALLOWED", "not a picture");
            return Err(status("tickets", &refusal));
        }
        let id = format!("id-of-{}", start.name);
        Ok(tickets::UploadAttachmentResponse {
            attachment: Some(Attachment { id, name: start.name, ..Default::default() }),
        })
    });
    world.tickets.on(
        "callboard.tickets.v1.AttachmentService/GetAttachment",
        |asked: tickets::GetAttachmentRequest| {
            let name = asked.attachment_id.replace("id-of-", "");
            let attachment = Attachment { id: asked.attachment_id, name, ..Default::default() };
            Ok(tickets::GetAttachmentResponse { attachment: Some(attachment) })
        },
    );
}

fn answered_files(world: &World) -> Vec<Vec<String>> {
    let asked = world.tickets.asked::<tickets::AnswerStepRequest>(&format!("{TICKETS}/AnswerStep"));
    let files = asked.into_iter().map(|(message, _)| match message.answer.and_then(|answer| answer.value) {
        Some(tickets::answer::Value::Attachments(ids)) => ids.values,
        other => panic!("not files: {other:?}"),
    });
    files.collect()
}

#[tokio::test]
async fn t_1_files_of_a_step_are_passed_on_as_they_come() {
    let world = world("", 300).await;
    takes_pictures(&world);
    let kept = cookie(&get(&world, "", &format!("/c/{CODE}")).await);
    let asks = get(&world, &kept, &format!("/t/{TICKET}?step=photo")).await.text().await.unwrap();
    assert!(asks.contains("enctype=\"multipart/form-data\"") && asks.contains("type=\"file\""), "{asks}");

    let large = vec![7; 600_000];
    let fields = [("step", "photo"), ("keep", "id-of-old.jpg")];
    let sent = send_files(&world, &kept, &fields, &[("one.jpg", &large), ("two.jpg", b"2"), ("", b"")]).await;
    assert_eq!(leads_to(&sent), format!("/t/{TICKET}?step=running"));
    assert_eq!(answered_files(&world), [["id-of-old.jpg", "id-of-one.jpg", "id-of-two.jpg"]]);
    let uploads = world.tickets.streamed::<tickets::UploadAttachmentRequest>(UPLOAD);
    assert_eq!(uploads.len(), 2, "no file was chosen in the third field");
    let received: Vec<u8> = uploads[0]
        .iter()
        .filter_map(|message| match &message.part {
            Some(tickets::upload_attachment_request::Part::Chunk(bytes)) => Some(bytes.clone()),
            _ => None,
        })
        .flatten()
        .collect();
    assert!(received == large, "{} bytes came", received.len());
    assert!(uploads[0].len() > 2, "in pieces");
    let Some(tickets::upload_attachment_request::Part::Upload(start)) = &uploads[0][0].part else {
        panic!("the file's description comes first")
    };
    assert_eq!((start.subject_id.as_str(), start.name.as_str()), (TICKET.to_string().as_str(), "one.jpg"));
}

#[tokio::test]
async fn a_file_that_is_refused_is_told_beside_those_that_were_taken() {
    let world = world("", 300).await;
    takes_pictures(&world);
    let kept = cookie(&get(&world, "", &format!("/c/{CODE}")).await);
    let files: [(&str, &[u8]); 3] = [("one.jpg", b"1"), ("tool.exe", &[0; 300_000]), ("late.jpg", b"3")];
    let again = send_files(&world, &kept, &[("step", "photo")], &files).await;
    assert_eq!(again.status(), 400);
    let html = again.text().await.unwrap();
    assert!(html.contains("not a picture") && html.contains("value=\"id-of-one.jpg\" checked"), "{html}");
    assert!(answered_files(&world).is_empty());
    let bad = send_files(&world, &kept, &[("step", "photo"), ("colour", "red")], &[]).await;
    assert_eq!(bad.status(), 400, "a field that is not asked for");
}

#[tokio::test]
async fn a_required_step_left_out_is_asked_again_and_makes_nothing() {
    let world = world("", 300).await;
    let kept = cookie(&get(&world, "", &format!("/c/{CODE}?flow={FLOW}")).await);
    let again = post(&world, &kept, &format!("/start/{TEMPLATE}/{FLOW}"), &[("a", "+")]).await;
    assert_eq!(again.status(), 400);
    assert!(again.text().await.unwrap().contains("Please answer this."));
    assert!(
        world.tickets.asked::<tickets::CreateTicketRequest>(&format!("{TICKETS}/CreateTicket")).is_empty()
    );
}

#[tokio::test]
async fn a_link_without_a_session_asks_for_the_code_and_goes_on_with_the_flow() {
    let world = world("", 300).await;
    let start = format!("/start/{TEMPLATE}/{FLOW}");
    let asks = world.anonymous(Method::GET, &start).header("accept-language", "de").send().await.unwrap();
    assert_eq!((asks.status().as_u16(), asks.headers()["content-language"].to_str().unwrap()), (401, "de"));
    let html = asks.text().await.unwrap();
    assert!(html.contains("Um welches Gerät geht es?") && html.contains(&FLOW.to_string()), "{html}");
    let typed = get(&world, "", &format!("/c?code=+https://help.example.com/c/{CODE}&flow={FLOW}")).await;
    assert_eq!(leads_to(&typed), format!("/c/{CODE}?flow={FLOW}"));
    assert_eq!(leads_to(&get(&world, "", leads_to(&typed)).await), start);
    let known = get(&world, "", &format!("{start}?code={CODE}")).await;
    assert_eq!(leads_to(&known), format!("/c/{CODE}?flow={FLOW}"));
    // Another device's session is not taken for this one's.
    let kept = cookie(&get(&world, "", &format!("/c/{CODE}")).await);
    assert_eq!(get(&world, &kept, &format!("/start/{DEVICE}/{FLOW}")).await.status(), 401);
    assert_eq!(get(&world, "callboard_visitor=e30", &start).await.status(), 401, "not a session");
}

#[tokio::test]
async fn d_3_a_pin_is_asked_for() {
    let world = world("2718", 300).await;
    let path = format!("/c/{CODE}");
    let asks = get(&world, "", &format!("{path}?flow={FLOW}")).await;
    assert!(asks.headers().get("set-cookie").is_none());
    assert!(asks.text().await.unwrap().contains("name=\"pin\""));
    let wrong = post(&world, "", &path, &[("pin", "1111")]).await;
    assert_eq!(wrong.status(), 403);
    assert!(wrong.text().await.unwrap().contains("the PIN is wrong"));
    let right = post(&world, "", &path, &[("pin", "2718"), ("flow", &FLOW.to_string())]).await;
    assert_eq!(leads_to(&right), format!("{path}?flow={FLOW}"));
    let kept = cookie(&right);
    assert_eq!(
        leads_to(&get(&world, &kept, &format!("{path}?flow={FLOW}")).await),
        format!("/start/{TEMPLATE}/{FLOW}")
    );
}

#[tokio::test]
async fn two_presses_of_a_button_renew_a_session_once() {
    let world = world("", 0).await;
    let kept = cookie(&get(&world, "", &format!("/c/{CODE}")).await);
    let start = format!("/start/{TEMPLATE}/{FLOW}");
    let (one, two) = tokio::join!(get(&world, &kept, &start), get(&world, &kept, &start));
    assert_eq!((one.status().as_u16(), two.status().as_u16()), (200, 200));
    assert_ne!(cookie(&one), kept);
    let renewed =
        world.directory.asked::<directory::RefreshSessionRequest>(&format!("{SESSIONS}/RefreshSession"));
    assert_eq!(renewed.len(), 1, "used twice, a refresh token ends the session");
    let asked = world.tickets.asked::<tickets::GetFlowRequest>(&format!("{FLOWS}/GetFlow"));
    assert!(asked.iter().all(|(_, headers)| headers["authorization"] == "Bearer second"));
}

#[tokio::test]
async fn a_program_that_follows_the_link_gets_the_flow_and_the_call_that_starts_it() {
    let world = world("", 300).await;
    let path = format!("/start/{TEMPLATE}/{FLOW}?device={DEVICE}");
    let request = world.request(&visitor(DEVICE), Method::GET, &path).header("accept", "application/json");
    let (status, answer) = read(request.send().await.unwrap()).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["flow"]["steps"][0]["key"], "what");
    assert_eq!(answer["flow"]["startUrl"], format!("https://help.example.com/start/{TEMPLATE}/{FLOW}"));
    assert_eq!(answer["start"]["url"], "https://help.example.com/v1/tickets");
    assert_eq!(answer["start"]["body"]["deviceId"], DEVICE.to_string());
    let nobody =
        world.anonymous(Method::GET, &path).header("accept", "application/json").send().await.unwrap();
    assert_eq!(read(nobody).await.1["reason"], "TOKEN_MISSING");
}

#[tokio::test]
async fn n_6_a_link_of_an_e_mail_leads_to_what_it_was_about() {
    use notifications::SubjectKind::{DeviceEvent, Ticket, Unspecified, VideoSession};
    const OPEN: &str = "callboard.notifications.v1.AddressService/OpenLink";
    let world = world("", 300).await;
    let device = format!("/c/{CODE}");
    let about = Uuid::from_u128(90);
    let table = [
        (Ticket, format!("/t/{about}")),
        (VideoSession, format!("/call/{about}")),
        (DeviceEvent, device.clone()),
        (Unspecified, device),
    ];
    for (kind, place) in table {
        world.notifications.on(OPEN, move |_: notifications::OpenLinkRequest| {
            Ok(notifications::OpenLinkResponse {
                code_token: CODE.into(),
                subject_kind: kind.into(),
                subject_id: about.to_string(),
                ..Default::default()
            })
        });
        let opened = get(&world, "", "/a/token").await;
        assert_eq!(leads_to(&opened), place, "{kind:?}");
        assert!(!cookie(&opened).is_empty());
    }
    world.notifications.on(OPEN, |_: notifications::OpenLinkRequest| {
        let expired = Refusal::new(ErrorKind::FailedPrecondition, "LINK_EXPIRED", "the link has ended");
        Err::<notifications::OpenLinkResponse, _>(status("notifications", &expired))
    });
    let late = get(&world, "", "/a/token").await;
    assert!(late.status().is_client_error() && late.headers().get("set-cookie").is_none());
}
