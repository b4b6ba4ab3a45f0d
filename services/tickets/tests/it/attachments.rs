//! Files of updates and answers: M-2, T-1, T-11 to T-13.

use std::path::PathBuf;

use callboard_kernel::ErrorKind;
use callboard_proto::common::v1 as common;
use callboard_proto::tickets::v1 as proto;
use callboard_service::error::{Report, report};
use callboard_testkit::{PATIENCE, eventually};
use futures::StreamExt;
use proto::{download_attachment_response, upload_attachment_request};
use uuid::Uuid;

use crate::flows::put_flow;
use crate::support::{Caller, Tenant, World, done, fields, id, refused, run};

const TEXT: &[u8] = "Druck 4,2 bar \u{2014} gemessen um 10 Uhr".as_bytes();

fn about(ticket: &str, name: &str) -> common::AttachmentUpload {
    common::AttachmentUpload {
        request_id: id().to_string(),
        subject_id: ticket.to_owned(),
        name: name.to_owned(),
        ..Default::default()
    }
}

async fn upload_as(
    caller: &Caller,
    upload: common::AttachmentUpload,
    bytes: &[u8],
) -> Result<common::Attachment, Report> {
    use upload_attachment_request::Part;
    let mut parts = vec![Part::Upload(upload)];
    parts.extend(bytes.chunks(1000).map(|chunk| Part::Chunk(chunk.to_vec())));
    let parts = parts.into_iter().map(|part| proto::UploadAttachmentRequest { part: Some(part) });
    let request = caller.request(futures::stream::iter(parts));
    done(caller.files().upload_attachment(request).await).map(|answer| answer.attachment.unwrap())
}

async fn upload(caller: &Caller, ticket: &str) -> common::Attachment {
    upload_as(caller, about(ticket, "measured.txt"), TEXT).await.unwrap()
}

async fn post_with(
    caller: &Caller,
    ticket: &str,
    visibility: proto::Visibility,
    files: &[&str],
) -> Result<proto::Update, Report> {
    let message = proto::PostUpdateRequest {
        request_id: id().to_string(),
        ticket_id: ticket.to_owned(),
        visibility: visibility.into(),
        attachment_ids: files.iter().map(|id| (*id).to_owned()).collect(),
        ..Default::default()
    };
    done(caller.tickets().post_update(caller.request(message)).await).map(|answer| answer.update.unwrap())
}

async fn get(caller: &Caller, file: &str) -> Result<common::Attachment, Report> {
    let message = proto::GetAttachmentRequest { attachment_id: file.to_owned() };
    done(caller.files().get_attachment(caller.request(message)).await)
        .map(|answer| answer.attachment.unwrap())
}

fn wanted(file: &str) -> proto::DownloadAttachmentRequest {
    proto::DownloadAttachmentRequest { attachment_id: file.to_owned(), ..Default::default() }
}

async fn read(
    answer: Result<tonic::Response<tonic::Streaming<proto::DownloadAttachmentResponse>>, tonic::Status>,
) -> Result<(common::AttachmentHead, Vec<u8>), Report> {
    use download_attachment_response::Part;
    let mut parts = done(answer)?;
    let (mut head, mut bytes) = (None, Vec::new());
    while let Some(part) = parts.next().await {
        match part.map_err(|status| report(&status))?.part.unwrap() {
            Part::Head(first) => head = Some(first),
            Part::Chunk(more) => bytes.extend(more),
        }
    }
    Ok((head.unwrap(), bytes))
}

async fn download(
    caller: &Caller,
    message: proto::DownloadAttachmentRequest,
) -> Result<(common::AttachmentHead, Vec<u8>), Report> {
    read(caller.files().download_attachment(caller.request(message)).await).await
}

/// Without a token.
async fn by_link(
    caller: &Caller,
    file: &str,
    link: &str,
) -> Result<(common::AttachmentHead, Vec<u8>), Report> {
    let message = proto::DownloadAttachmentRequest { link: link.to_owned(), ..wanted(file) };
    read(caller.files().download_attachment(message).await).await
}

async fn link(caller: &Caller, file: &str) -> Result<String, Report> {
    let message = proto::CreateAttachmentLinkRequest { attachment_id: file.to_owned() };
    done(caller.files().create_attachment_link(caller.request(message)).await).map(|answer| answer.link)
}

/// The objects of an organisation.
fn objects(tenant: &Tenant) -> Vec<PathBuf> {
    let folder = tenant.world.folder.join("tickets").join(tenant.organisation.to_string());
    std::fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path()).collect()
}

async fn rows(tenant: &Tenant) -> i64 {
    sqlx::query_scalar("select count(*) from attachment where organisation_id = $1")
        .bind(tenant.organisation)
        .fetch_one(&tenant.world.pool)
        .await
        .unwrap()
}

async fn taken(tenant: &Tenant) -> i64 {
    sqlx::query_scalar(
        "select coalesce(sum(bytes), 0)::bigint from attachment_usage where organisation_id = $1",
    )
    .bind(tenant.organisation)
    .fetch_one(&tenant.world.pool)
    .await
    .unwrap()
}

async fn nothing_left(tenant: &Tenant) {
    eventually("rows, bytes and quota to be given back", PATIENCE, || async {
        let left = (rows(tenant).await, objects(tenant), taken(tenant).await);
        if left == (0, Vec::new(), 0) { Ok(()) } else { Err(left) }
    })
    .await;
}

async fn state(world: &World, file: &str) -> String {
    sqlx::query_scalar("select state from attachment where id = $1")
        .bind(file.parse::<Uuid>().unwrap())
        .fetch_one(&world.pool)
        .await
        .unwrap()
}

#[test]
fn t_12_an_update_has_files_and_whoever_sees_it_has_them_too() {
    run(|world| async move {
        let tenant = Tenant::new(world).await;
        let (visitor, member) = (tenant.code_user(), tenant.member());
        let ticket = visitor.create(tenant.plain("Leak", true)).await.unwrap();
        let file = upload(&visitor, &ticket.id).await;
        assert_eq!(file.media_type, "text/plain; charset=utf-8");
        assert_eq!((file.size, file.state()), (TEXT.len() as i64, common::AttachmentState::Pending));
        // Pending: the uploader's alone.
        assert!(get(&visitor, &file.id).await.is_ok());
        for other in [&tenant.code_user(), &member] {
            assert_eq!(refused(get(other, &file.id).await), "NOT_FOUND");
            assert_eq!(refused(download(other, wanted(&file.id)).await), "NOT_FOUND");
            assert_eq!(refused(link(other, &file.id).await), "NOT_FOUND");
        }
        let update = post_with(&visitor, &ticket.id, proto::Visibility::Public, &[&file.id]).await.unwrap();
        assert_eq!(update.attachments[0].state(), common::AttachmentState::Linked);
        assert_eq!(update.attachments[0].name, "measured.txt");
        let record = proto::GetServiceRecordRequest { ticket_id: ticket.id.clone(), ..Default::default() };
        let record = done(member.tickets().get_service_record(member.request(record)).await).unwrap();
        assert_eq!(record.updates[0].attachments, update.attachments);
        for reader in [&visitor, &member, &tenant.customer_user(tenant.customer)] {
            let (head, bytes) = download(reader, wanted(&file.id)).await.unwrap();
            assert_eq!((bytes.as_slice(), head.total), (TEXT, TEXT.len() as i64));
            assert_eq!(head.etag, format!("\"{}\"", file.sha256));
        }
        let range = Some(common::ByteRange { start: -3, length: 0 });
        let (head, bytes) =
            download(&member, proto::DownloadAttachmentRequest { range, ..wanted(&file.id) }).await.unwrap();
        assert_eq!((bytes.as_slice(), head.length), (&b"Uhr"[..], 3));
        let range = Some(common::ByteRange { start: 10_000, length: 1 });
        let behind = proto::DownloadAttachmentRequest { range, ..wanted(&file.id) };
        assert_eq!(refused(download(&member, behind).await), "RANGE_NOT_SATISFIABLE");
        let stranger = Tenant::new(world).await.moderator();
        for other in [&stranger, &tenant.code_user_at(id()), &tenant.customer_user(id())] {
            assert_eq!(refused(download(other, wanted(&file.id)).await), "NOT_FOUND");
        }
        // What is part of something goes with that, and belongs to nothing else.
        let delete =
            proto::DeleteAttachmentRequest { request_id: id().to_string(), attachment_id: file.id.clone() };
        let deleted = done(visitor.files().delete_attachment(visitor.request(delete)).await);
        assert_eq!(refused(deleted), "ATTACHMENT_IN_USE");
        let again = post_with(&visitor, &ticket.id, proto::Visibility::Public, &[&file.id]).await;
        assert_eq!(fields(again), ["attachment_ids[0]"]);
    });
}

#[test]
fn t_12_only_the_uploader_gives_a_file_to_an_update() {
    run(|world| async move {
        let tenant = Tenant::new(world).await;
        let (visitor, moderator) = (tenant.code_user(), tenant.moderator());
        let ticket = visitor.create(tenant.plain("Leak", true)).await.unwrap();
        let other = visitor.create(tenant.plain("Another", true)).await.unwrap();
        let file = upload(&visitor, &ticket.id).await;
        let public = proto::Visibility::Public;
        assert_eq!(
            fields(post_with(&moderator, &ticket.id, public, &[&file.id]).await),
            ["attachment_ids[0]"]
        );
        // Uploaded for this ticket and no other.
        assert_eq!(fields(post_with(&visitor, &other.id, public, &[&file.id]).await), ["attachment_ids[0]"]);
        let unknown = id().to_string();
        let wrong = post_with(&visitor, &ticket.id, public, &[&file.id, &unknown, "x"]).await;
        assert_eq!(fields(wrong), ["attachment_ids[2]"]);
        assert_eq!(state(world, &file.id).await, "PENDING");
        // The commit itself refuses what has gone since it was looked at: nothing is half linked.
        let linked = sqlx::query("select own_attachments('update', $1, $2, $3, $4)")
            .bind(tenant.organisation)
            .bind(ticket.id.parse::<Uuid>().unwrap())
            .bind(id())
            .bind(serde_json::json!([file.id, unknown]))
            .execute(&world.pool)
            .await;
        assert!(linked.is_err());
        assert_eq!(state(world, &file.id).await, "PENDING");
        // A closed ticket locks people from outside out of uploading, too (T-9).
        moderator.set_status(&ticket.id, proto::TicketStatus::Closed).await.unwrap();
        let late = upload_as(&visitor, about(&ticket.id, "late.txt"), TEXT).await;
        assert_eq!(refused(late), "TICKET_LOCKED");
        assert_eq!(
            refused(upload_as(&tenant.member(), about(&ticket.id, "no.txt"), TEXT).await),
            "PERMISSION_DENIED"
        );
        let stranger = Tenant::new(world).await.moderator();
        assert_eq!(refused(upload_as(&stranger, about(&ticket.id, "no.txt"), TEXT).await), "NOT_FOUND");
    });
}

#[test]
fn t_13_links_and_downloads_of_people_from_outside_end_when_the_ticket_turns_internal() {
    run(|world| async move {
        let tenant = Tenant::new(world).await;
        let (visitor, moderator) = (tenant.code_user(), tenant.moderator());
        let ticket = visitor.create(tenant.plain("Leak", true)).await.unwrap();
        let file = upload(&visitor, &ticket.id).await.id;
        post_with(&visitor, &ticket.id, proto::Visibility::Public, &[&file]).await.unwrap();
        let hidden = upload(&moderator, &ticket.id).await.id;
        post_with(&moderator, &ticket.id, proto::Visibility::Internal, &[&hidden]).await.unwrap();
        // An internal update's files are internal on a public ticket, too.
        assert_eq!(refused(download(&visitor, wanted(&hidden)).await), "NOT_FOUND");
        assert_eq!(refused(link(&visitor, &hidden).await), "NOT_FOUND");
        let (outside, inside) =
            (link(&visitor, &file).await.unwrap(), link(&moderator, &file).await.unwrap());
        for link in [&outside, &inside] {
            assert_eq!(by_link(&visitor, &file, link).await.unwrap().1, TEXT);
        }
        assert_eq!(refused(by_link(&visitor, &hidden, &inside).await), "LINK_INVALID");
        assert_eq!(refused(by_link(&visitor, &file, "x.y").await), "LINK_INVALID");
        assert_eq!(refused(by_link(&visitor, &file, "").await), "TOKEN_MISSING");
        moderator.set_visibility(&ticket.id, proto::Visibility::Internal).await.unwrap();
        assert_eq!(refused(by_link(&visitor, &file, &outside).await), "NOT_FOUND");
        assert_eq!(refused(download(&visitor, wanted(&file)).await), "NOT_FOUND");
        assert_eq!(by_link(&visitor, &file, &inside).await.unwrap().1, TEXT);
        moderator.set_visibility(&ticket.id, proto::Visibility::Public).await.unwrap();
        assert_eq!(by_link(&visitor, &file, &outside).await.unwrap().1, TEXT);
    });
}

#[test]
fn t_11_a_deleted_ticket_takes_its_files_along_and_gives_their_room_back() {
    run(|world| async move {
        let tenant = Tenant::new(world).await;
        let (visitor, moderator) = (tenant.code_user(), tenant.moderator());
        let ticket = visitor.create(tenant.plain("Leak", true)).await.unwrap();
        let linked = upload(&visitor, &ticket.id).await.id;
        post_with(&visitor, &ticket.id, proto::Visibility::Public, &[&linked]).await.unwrap();
        let pending = upload(&moderator, &ticket.id).await.id;
        assert_eq!((objects(&tenant).len(), taken(&tenant).await), (2, 2 * TEXT.len() as i64));
        let given = link(&moderator, &linked).await.unwrap();
        moderator.delete(id(), &ticket.id).await.unwrap();
        for file in [&linked, &pending] {
            assert_eq!(refused(download(&moderator, wanted(file)).await), "NOT_FOUND");
        }
        assert_eq!(refused(by_link(&moderator, &linked, &given).await), "NOT_FOUND");
        nothing_left(&tenant).await;
    });
}

#[test]
fn t_1_an_attachment_step_is_answered_by_files_and_taken_back() {
    run(|world| async move {
        let tenant = Tenant::new(world).await;
        let step = proto::Step {
            key: "photo".into(),
            kind: proto::StepKind::Attachment.into(),
            required: true,
            label: Some(common::LocalizedText { by_language: [("en".into(), "Photo".into())].into() }),
            ..Default::default()
        };
        let flow = proto::Flow {
            id: id().to_string(),
            template_id: tenant.template.to_string(),
            label: Some(common::LocalizedText { by_language: [("en".into(), "Repair".into())].into() }),
            steps: vec![step],
            active: true,
            ..Default::default()
        };
        put_flow(&tenant, &flow).await;
        let visitor = tenant.code_user();
        let new = proto::CreateTicketRequest { flow_id: flow.id.clone(), ..tenant.plain("", false) };
        let draft = visitor.create(new.clone()).await.unwrap();
        let (first, second) = (upload(&visitor, &draft.id).await.id, upload(&visitor, &draft.id).await.id);
        let answer = async |files: &[&String]| {
            let values = files.iter().map(|id| (*id).clone()).collect();
            let value = proto::answer::Value::Attachments(proto::StringList { values });
            let message = proto::AnswerStepRequest {
                request_id: id().to_string(),
                ticket_id: draft.id.clone(),
                answer: Some(proto::Answer { step: "photo".into(), value: Some(value) }),
                etag: String::new(),
            };
            done(visitor.tickets().answer_step(visitor.request(message)).await)
        };
        answer(&[&first]).await.unwrap();
        assert_eq!(
            (state(world, &first).await, state(world, &second).await),
            ("LINKED".into(), "PENDING".into())
        );
        answer(&[&second]).await.unwrap();
        assert_eq!(
            (state(world, &first).await, state(world, &second).await),
            ("PENDING".into(), "LINKED".into())
        );
        assert_eq!(fields(answer(&[&id().to_string()]).await), ["answer.attachments[0]"]);
        // Nobody else sees a draft, nor its files.
        assert_eq!(refused(download(&tenant.code_user(), wanted(&second)).await), "NOT_FOUND");
        let submit = proto::SubmitTicketRequest {
            request_id: id().to_string(),
            ticket_id: draft.id.clone(),
            ..Default::default()
        };
        done(visitor.tickets().submit_ticket(visitor.request(submit)).await).unwrap();
        assert_eq!(download(&tenant.member(), wanted(&second)).await.unwrap().1, TEXT);
        // Uploaded before there is a ticket, and answered at once.
        let ahead = upload(&visitor, "").await.id;
        let values = vec![ahead.clone()];
        let value = Some(proto::answer::Value::Attachments(proto::StringList { values }));
        let at_once = proto::CreateTicketRequest {
            request_id: id().to_string(),
            answers: vec![proto::Answer { step: "photo".into(), value }],
            open: true,
            ..new
        };
        visitor.create(at_once).await.unwrap();
        assert_eq!(state(world, &ahead).await, "LINKED");
    });
}

#[test]
fn m_2_what_is_refused_leaves_nothing_behind() {
    run(|world| async move {
        let tenant = Tenant::new(world).await;
        let (visitor, ticket) = (tenant.code_user(), String::new());
        let upload = |upload, bytes: &'static [u8]| upload_as(&visitor, upload, bytes);
        let program = upload(about(&ticket, "harmless.pdf"), b"MZ\x90\0\x03").await;
        assert_eq!(refused(program), "ATTACHMENT_TYPE_NOT_ALLOWED");
        assert_eq!(refused(upload(about(&ticket, "empty.txt"), b"").await), "ATTACHMENT_EMPTY");
        let declared = |size, sha256: &str| common::AttachmentUpload {
            size,
            sha256: sha256.to_owned(),
            ..about(&ticket, "a.txt")
        };
        assert_eq!(refused(upload(declared(3, ""), b"four").await), "ATTACHMENT_DIFFERS");
        assert_eq!(refused(upload(declared(5, ""), b"four").await), "ATTACHMENT_DIFFERS");
        assert_eq!(refused(upload(declared(0, &"0".repeat(64)), b"four").await), "ATTACHMENT_DIFFERS");
        assert_eq!(refused(upload(declared(52_428_801, ""), b"four").await), "ATTACHMENT_TOO_LARGE");
        assert_eq!(fields(upload(declared(0, "zz"), b"four").await), ["upload.sha256"]);
        let nameless = common::AttachmentUpload { request_id: String::new(), ..about(&ticket, "a") };
        assert_eq!(fields(upload(nameless, b"a").await), ["request_id"]);
        nothing_left(&tenant).await;
    });
}

#[test]
fn m_2_a_large_file_comes_in_parts_and_goes_out_whole() {
    run(|world| async move {
        let tenant = Tenant::new(world).await;
        let visitor = tenant.code_user();
        // Larger than two parts of what is held in memory.
        let large: Vec<u8> = b"a line of some length that is repeated\n".repeat(300_000);
        let file = upload_as(&visitor, about("", "../large log.txt"), &large).await.unwrap();
        assert_eq!((file.size, file.name.as_str()), (large.len() as i64, "large log.txt"));
        let (_, bytes) = download(&visitor, wanted(&file.id)).await.unwrap();
        assert!(bytes == large, "{} bytes", bytes.len());
        let range = Some(common::ByteRange { start: 5_242_870, length: 20 });
        let part = proto::DownloadAttachmentRequest { range, ..wanted(&file.id) };
        assert_eq!(download(&visitor, part).await.unwrap().1, large[5_242_870..5_242_890]);
    });
}

#[test]
fn aip_155_an_upload_sent_again_answers_the_first_file() {
    run(|world| async move {
        let tenant = Tenant::new(world).await;
        let visitor = tenant.code_user();
        let upload = about("", "a.txt");
        let first = upload_as(&visitor, upload.clone(), b"one").await.unwrap();
        let again = upload_as(&visitor, upload.clone(), b"one").await.unwrap();
        assert_eq!(first, again);
        let another = common::AttachmentUpload { name: "b.txt".into(), ..upload };
        assert_eq!(refused(upload_as(&visitor, another, b"one").await), "REQUEST_ID_REUSED");
        assert_eq!(rows(&tenant).await, 1);
    });
}

#[test]
fn quotas_hold_however_many_upload_at_once() {
    run(|world| async move {
        let tenant = Tenant::new(world).await;
        let quota: i64 = 10_737_418_240;
        sqlx::query("insert into attachment_usage (organisation_id, bytes) values ($1, $2)")
            .bind(tenant.organisation)
            .bind(quota - 1000)
            .execute(&world.pool)
            .await
            .unwrap();
        let callers: Vec<Caller> = (0..8).map(|_| tenant.member()).collect();
        let uploads = callers.iter().map(|caller| {
            let declared = common::AttachmentUpload { size: 400, ..about("", "a.txt") };
            upload_as(caller, declared, &[b'a'; 400])
        });
        let outcomes = futures::future::join_all(uploads).await;
        let refusals: Vec<String> =
            outcomes.into_iter().filter_map(Result::err).map(|report| report.reason).collect();
        assert_eq!(refusals, ["ATTACHMENT_QUOTA_EXCEEDED"; 6]);
        assert_eq!(taken(&tenant).await, quota - 200);
    });
}

#[test]
fn what_stays_pending_too_long_is_collected_and_an_upload_that_broke_off_too() {
    run(|world| async move {
        let tenant = Tenant::new(world).await;
        let visitor = tenant.code_user();
        upload(&visitor, "").await;
        let young = upload(&visitor, "").await.id;
        sqlx::query(
            "update attachment set change_time = change_time - interval '25 hours', \
             state = case when id = $2 then state else 'UPLOADING' end where organisation_id = $1 and id <> $2",
        )
        .bind(tenant.organisation)
        .bind(young.parse::<Uuid>().unwrap())
        .execute(&world.pool)
        .await
        .unwrap();
        eventually("the old one to go", PATIENCE, || async {
            let left = (rows(&tenant).await, objects(&tenant).len(), taken(&tenant).await);
            if left == (1, 1, TEXT.len() as i64) { Ok(()) } else { Err(left) }
        })
        .await;
        // Its uploader may do so at once.
        let delete = proto::DeleteAttachmentRequest { request_id: id().to_string(), attachment_id: young };
        done(visitor.files().delete_attachment(visitor.request(delete)).await).unwrap();
        nothing_left(&tenant).await;
    });
}

#[test]
fn pictures_have_thumbnails() {
    run(|world| async move {
        let tenant = Tenant::new(world).await;
        let visitor = tenant.code_user();
        let picture = upload_as(&visitor, about("", "dot.gif"), GIF).await.unwrap();
        assert_eq!(picture.media_type, "image/gif");
        eventually("the thumbnail", PATIENCE, || async {
            let file = get(&visitor, &picture.id).await.unwrap();
            if file.has_thumbnail { Ok(()) } else { Err(file) }
        })
        .await;
        let small = proto::DownloadAttachmentRequest { thumbnail: true, ..wanted(&picture.id) };
        let (head, bytes) = download(&visitor, small).await.unwrap();
        assert_eq!(head.media_type, "image/jpeg");
        assert!(bytes.starts_with(&[0xff, 0xd8]) && head.total == bytes.len() as i64);
        let text = upload(&visitor, "").await.id;
        let none = proto::DownloadAttachmentRequest { thumbnail: true, ..wanted(&text) };
        let refusal = download(&visitor, none).await.unwrap_err();
        assert_eq!(refusal.kind, ErrorKind::NotFound);
    });
}

/// One red pixel.
const GIF: &[u8] = b"GIF89a\x01\0\x01\0\x80\x01\0\xff\0\0\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;";
