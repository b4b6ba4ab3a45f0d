//! Recordings and screenshots (V-7, V-8).

use callboard_kernel::Principal;
use callboard_proto::common::v1 as common;
use callboard_proto::video::v1 as video;
use callboard_proto::video::v1::attachment_service_client::AttachmentServiceClient;
use callboard_stage::{done, fields, id, refused, request_id, signed};
use callboard_testkit::{PATIENCE, eventually};
use futures::TryStreamExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;
use uuid::Uuid;
use video::SessionFileKind::{Recording, Screenshot};
use video::signal_request::Signal as Said;
use video::signal_response::Signal as Heard;

use crate::calls::Browser;
use crate::house::{House, Told};

/// What begins as a WebM file does.
const WEBM: &[u8] = &{
    let head = *b"\x1a\x45\xdf\xa3\x9f\x42\x82\x84webm";
    let mut file = [0; 300];
    let mut at = 0;
    while at < head.len() {
        file[at] = head[at];
        at += 1;
    }
    file
};
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00\x1f\x15\xc4\x89";

/// Somebody in a call, with their token.
struct Caller {
    who: Principal,
    token: String,
    browser: Browser,
}

impl House {
    async fn caller(&self, who: Principal, session: &str) -> Caller {
        let joined = self.join(&who, session).await.expect("joined");
        let token = joined.credentials.expect("credentials").call_token;
        let browser = Browser::open(self.service(), session, &token).await.expect("an exchange");
        Caller { who, token, browser }
    }

    /// As the page of calls does.
    async fn hand_in(
        &self,
        token: &str,
        session: &str,
        kind: video::SessionFileKind,
        bytes: &[u8],
    ) -> Told<video::SessionFile> {
        use video::upload_call_file_request::Part;
        let about = common::AttachmentUpload {
            request_id: request_id(),
            subject_id: session.into(),
            name: "call".into(),
            ..common::AttachmentUpload::default()
        };
        let upload =
            video::CallFileUpload { call_token: token.into(), kind: kind.into(), upload: Some(about) };
        let parts = [Part::Upload(upload), Part::Chunk(bytes.to_vec())];
        let parts = parts.map(|part| video::UploadCallFileRequest { part: Some(part) });
        let answer = done(self.service().upload_call_file(futures::stream::iter(parts)).await)?;
        Ok(answer.file.expect("a file"))
    }

    /// As any app does.
    async fn upload(&self, who: &Principal, session: &str, bytes: &[u8]) -> Told<common::Attachment> {
        use video::upload_attachment_request::Part;
        let about = common::AttachmentUpload {
            request_id: request_id(),
            subject_id: session.into(),
            ..common::AttachmentUpload::default()
        };
        let parts = [Part::Upload(about), Part::Chunk(bytes.to_vec())];
        let parts = parts.map(|part| video::UploadAttachmentRequest { part: Some(part) });
        let request = signed(who, futures::stream::iter(parts));
        Ok(done(self.files().upload_attachment(request).await)?.attachment.expect("a file"))
    }

    fn files(&self) -> AttachmentServiceClient<tonic::transport::Channel> {
        AttachmentServiceClient::new(self.stage.channel())
    }

    async fn add(
        &self,
        who: &Principal,
        session: &str,
        kind: video::SessionFileKind,
        file: &str,
    ) -> Told<video::Session> {
        let request = video::AddSessionFileRequest {
            request_id: request_id(),
            session_id: session.into(),
            kind: kind.into(),
            attachment_id: file.into(),
        };
        Ok(done(self.service().add_session_file(signed(who, request)).await)?.session.expect("it"))
    }

    async fn remove(&self, who: &Principal, session: &str, file: &str) -> Told<video::Session> {
        let request = video::RemoveSessionFileRequest {
            request_id: request_id(),
            session_id: session.into(),
            attachment_id: file.into(),
        };
        Ok(done(self.service().remove_session_file(signed(who, request)).await)?.session.expect("it"))
    }

    async fn download(&self, who: &Principal, file: &str) -> Told<Vec<u8>> {
        let request = video::DownloadAttachmentRequest {
            attachment_id: file.into(),
            ..video::DownloadAttachmentRequest::default()
        };
        let parts: Vec<_> = done(self.files().download_attachment(signed(who, request)).await)?
            .try_collect()
            .await
            .expect("all of it");
        let bytes = parts.into_iter().filter_map(|part| match part.part {
            Some(video::download_attachment_response::Part::Chunk(bytes)) => Some(bytes),
            Some(video::download_attachment_response::Part::Head(_)) | None => None,
        });
        Ok(bytes.flatten().collect())
    }

    async fn states(&self) -> Vec<String> {
        sqlx::query_scalar("select state from video.attachment order by id")
            .fetch_all(self.stage.pool())
            .await
            .expect("states")
    }

    /// Waits until the files that are known are these.
    async fn until_states(&self, states: &[&str]) {
        eventually("states of files", PATIENCE, || async {
            let found = self.states().await;
            if found == states { Ok(()) } else { Err(found) }
        })
        .await;
    }
}

async fn called(house: &House) -> (String, Caller, Caller) {
    let session = house.create(&house.boss(), house.plan()).await.expect("made").id;
    let mut host = house.caller(house.boss(), &session).await;
    let mut guest = house.caller(house.guest(), &session).await;
    host.browser.until_peer(true).await;
    guest.browser.until_peer(true).await;
    (session, host, guest)
}

/// Both consent, and the host records.
async fn record(host: &mut Caller, guest: &mut Caller) {
    for caller in [&*host, &*guest] {
        caller.browser.say(Said::Consent(video::SignalConsent { given: true })).await;
    }
    let both = |heard: &Heard| match heard {
        Heard::State(state) if state.own_consent && state.peer_consent => Some(()),
        _ => None,
    };
    host.browser.until("both consent", both).await;
    host.browser.say(Said::Recording(video::SignalRecording { running: true })).await;
    let runs = |heard: &Heard| match heard {
        Heard::State(state) if state.recording => Some(()),
        _ => None,
    };
    guest.browser.until("a recording", runs).await;
}

#[tokio::test]
async fn v_8_the_service_judges_which_recordings_are_taken_and_everybody_in_the_session_has_them() {
    let house = House::new().await;
    let (session, mut host, mut guest) = called(&house).await;
    // Nobody was let record, whatever a page says.
    assert_eq!(refused(house.hand_in(&host.token, &session, Recording, WEBM).await), "NOT_RECORDED");
    host.browser.say(Said::Consent(video::SignalConsent { given: true })).await;
    assert_eq!(refused(house.hand_in(&host.token, &session, Recording, WEBM).await), "NOT_RECORDED");
    house.until_states(&[]).await;

    record(&mut host, &mut guest).await;
    assert_eq!(refused(house.hand_in(&guest.token, &session, Recording, WEBM).await), "NOT_RECORDED");
    // By its content.
    assert_eq!(fields(house.hand_in(&host.token, &session, Recording, PNG).await), ["kind"]);
    assert_eq!(fields(house.hand_in(&host.token, &session, Screenshot, WEBM).await), ["kind"]);
    let recording = house.hand_in(&host.token, &session, Recording, WEBM).await.expect("taken");
    assert_eq!(recording.attachment.as_ref().expect("known").media_type, "video/webm");
    let picture = house.hand_in(&guest.token, &session, Screenshot, PNG).await.expect("taken");
    house.stage.told(session.parse().expect("an id"), "video.session_file_added").await;
    house.until_states(&["LINKED", "LINKED"]).await;

    for who in [&host.who, &guest.who] {
        let found = house.get(who, &session).await.expect("seen").files;
        let kinds: Vec<_> = found.iter().map(|file| (file.kind(), file.call_number)).collect();
        assert_eq!(kinds, [(Recording, 1), (Screenshot, 1)]);
        assert_eq!(house.download(who, &recording.attachment_id).await.expect("it"), WEBM);
        assert_eq!(house.download(who, &picture.attachment_id).await.expect("it"), PNG);
    }
    let stranger = house.people.code_user(id());
    assert_eq!(refused(house.download(&stranger, &picture.attachment_id).await), "NOT_FOUND");

    // The call is over: what is on its way is still taken; another session's token is worth nothing here.
    house.end(&host.who, &session).await.expect("over");
    house.hand_in(&host.token, &session, Recording, WEBM).await.expect("the rest");
    house.hand_in(&guest.token, &session, Screenshot, PNG).await.expect("on its way");
    let other = house.create(&host.who, house.plan()).await.expect("made").id;
    let told = house.hand_in(&host.token, &other, Screenshot, PNG).await;
    assert_eq!(refused(told), "CALL_TOKEN_INVALID");
    assert_eq!(refused(house.hand_in("x.y", &session, Screenshot, PNG).await), "CALL_TOKEN_INVALID");
    house.stage.stop().await;
}

#[tokio::test]
async fn v_7_an_internal_session_hides_its_files_and_takes_none_from_outside() {
    let house = House::new().await;
    let (session, host, guest) = called(&house).await;
    let picture = house.hand_in(&guest.token, &session, Screenshot, PNG).await.expect("taken").attachment_id;
    house.download(&guest.who, &picture).await.expect("seen");
    house.hide(&host.who, &session).await.expect("hidden");
    assert_eq!(refused(house.download(&guest.who, &picture).await), "NOT_FOUND");
    assert_eq!(refused(house.hand_in(&guest.token, &session, Screenshot, PNG).await), "NOT_FOUND");
    assert_eq!(house.download(&host.who, &picture).await.expect("seen"), PNG);
    house.stage.stop().await;
}

#[tokio::test]
async fn files_are_brought_by_an_app_too_and_removed_for_good() {
    let house = House::new().await;
    let (session, mut host, mut guest) = called(&house).await;
    let member = house.people.employee(Uuid::from_u128(0x3E), callboard_kernel::Role::Member, &[]);
    assert_eq!(refused(house.upload(&member, &session, PNG).await), "NO_CALL", "is not in the call");
    assert_eq!(refused(house.upload(&host.who, &id().to_string(), PNG).await), "NOT_FOUND");
    assert_eq!(fields(house.upload(&host.who, "", PNG).await), ["upload.subject_id"]);
    record(&mut host, &mut guest).await;
    let picture = house.upload(&guest.who, &session, PNG).await.expect("uploaded").id;
    let told = house.add(&host.who, &session, Screenshot, &picture).await;
    assert_eq!(fields(told), ["attachment_id[0]"], "it is another's");
    let added = house.add(&guest.who, &session, Screenshot, &picture).await.expect("added");
    assert_eq!(added.files[0].attachment.as_ref().expect("known").media_type, "image/png");
    let recording = house.upload(&host.who, &session, WEBM).await.expect("uploaded").id;
    assert_eq!(refused(house.add(&guest.who, &session, Recording, &recording).await), "INVALID_FIELDS");
    house.add(&host.who, &session, Recording, &recording).await.expect("added");

    for who in [&guest.who, &member] {
        assert_eq!(refused(house.remove(who, &session, &picture).await), "PERMISSION_DENIED");
    }
    let left = house.remove(&host.who, &session, &picture).await.expect("removed").files;
    assert_eq!(left.len(), 1);
    assert_eq!(refused(house.download(&host.who, &picture).await), "NOT_FOUND");
    house.until_states(&["LINKED"]).await;
    house.stage.stop().await;
}

/// A scanner that answers what it is given to answer, when it is.
struct Scanner {
    address: String,
    asked: mpsc::UnboundedReceiver<()>,
    answers: mpsc::UnboundedSender<&'static str>,
}

impl Scanner {
    async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("its address").to_string();
        let (asks, asked) = mpsc::unbounded_channel();
        let (answers, mut given) = mpsc::unbounded_channel::<&str>();
        TaskTracker::new().spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                stream.read_exact(&mut [0; 10]).await.expect("the command");
                loop {
                    let length = stream.read_u32().await.expect("a length");
                    if length == 0 {
                        break;
                    }
                    stream.read_exact(&mut vec![0; length as usize]).await.expect("a part");
                }
                asks.send(()).expect("somebody waits");
                let Some(answer) = given.recv().await else { return };
                stream.write_all(answer.as_bytes()).await.expect("it is heard");
            }
        });
        Self { address, asked, answers }
    }

    async fn asked(&mut self) {
        tokio::time::timeout(PATIENCE, self.asked.recv()).await.expect("in time").expect("it runs");
    }
}

#[tokio::test]
async fn a_file_that_is_deleted_while_it_is_looked_after_is_gone_as_soon_as_that_ends() {
    let mut scanner = Scanner::new().await;
    let house = House::with(|stage| stage.with("video.attachments.clamd", &*scanner.address)).await;
    let (session, _host, guest) = called(&house).await;
    let file = house.upload(&guest.who, &session, PNG).await.expect("taken").id;
    // Nobody has what is not scanned yet, nor what is found harmful.
    scanner.asked().await;
    assert_eq!(refused(house.download(&guest.who, &file).await), "ATTACHMENT_NOT_SCANNED");
    scanner.answers.send("stream: Eicar-Signature FOUND\0").expect("it runs");
    eventually("a verdict", PATIENCE, || async {
        let told = refused(house.download(&guest.who, &file).await);
        if told == "ATTACHMENT_INFECTED" { Ok(()) } else { Err(told) }
    })
    .await;

    for answer in ["stream: OK\0", "it has no memory left ERROR\0"] {
        let file = house.upload(&guest.who, &session, PNG).await.expect("taken").id;
        scanner.asked().await;
        let delete = video::DeleteAttachmentRequest { request_id: request_id(), attachment_id: file.clone() };
        done(house.files().delete_attachment(signed(&guest.who, delete)).await).expect("deleted");
        assert_eq!(house.states().await.len(), 2, "it is being looked after");
        scanner.answers.send(answer).expect("it runs");
        house.until_states(&["PENDING"]).await;
    }
    house.stage.stop().await;
}
