//! The page of calls (V-10): what it is allowed, whom it lets in, what it brings.

use callboard_proto::common::v1 as common;
use callboard_proto::video::v1 as video;
use reqwest::Method;
use uuid::Uuid;

use crate::world::{World, read};

const SESSION: Uuid = Uuid::from_u128(0x5E55);

#[tokio::test]
async fn the_page_loads_from_here_alone_runs_nothing_inline_and_speaks_the_readers_language() {
    let world = World::new().await;
    let path = format!("/call/{SESSION}");
    for (language, title) in [("de-AT,en;q=0.5", "Dem Anruf beitreten"), ("en", "Join the call")] {
        let request = world.anonymous(Method::GET, &path).header("accept-language", language);
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200);
        let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
        let policy = header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; script-src 'self';"), "{policy}");
        assert!(!policy.contains("unsafe") && policy.contains("frame-ancestors 'none'"), "{policy}");
        assert_eq!(header("referrer-policy"), "no-referrer");
        assert_eq!(header("x-content-type-options"), "nosniff");
        let html = answer.text().await.unwrap();
        assert!(html.contains(title) && html.contains(&format!("<html lang=\"{}\">", &language[..2])));
        assert!(!html.contains("http:") && !html.contains("https:"), "nothing from elsewhere");
        assert_eq!(html.matches("<script").count(), 1, "none inline");
    }
    for file in ["call.js", "credentials.js", "exchange.js", "files.js", "peer.js", "recorder.js", "page.css"]
    {
        let answer = world.anonymous(Method::GET, &format!("/call/assets/{file}")).send().await.unwrap();
        let kind = if file.ends_with(".js") { "text/javascript" } else { "text/css" };
        assert!(answer.headers()["content-type"].to_str().unwrap().starts_with(kind), "{file}");
    }
    let nothing = world.anonymous(Method::GET, "/call/assets/x.js").send().await.unwrap();
    assert_eq!(nothing.status(), 404);
    // Who scanned no code joins only with an app's credentials.
    let join = world.anonymous(Method::POST, &format!("{path}/join")).send().await.unwrap();
    assert_eq!(join.status(), 401);
}

#[tokio::test]
async fn v_8_a_file_of_a_call_goes_through_with_the_call_token_alone() {
    use video::upload_call_file_request::Part;
    let world = World::new().await;
    let rpc = "callboard.video.v1.VideoService/UploadCallFile";
    world.video.on(rpc, |first: video::UploadCallFileRequest| {
        let Some(Part::Upload(upload)) = first.part else { panic!("the upload comes first") };
        let file = video::SessionFile {
            kind: upload.kind,
            attachment_id: SESSION.to_string(),
            call_number: 1,
            attachment: Some(common::Attachment { media_type: "image/png".into(), ..Default::default() }),
        };
        Ok(video::UploadCallFileResponse { file: Some(file) })
    });
    let path = format!("/v1/videoSessions/{SESSION}/call/files?kind=SCREENSHOT&name=x.png");
    let request = || world.anonymous(Method::POST, &path).body("PNG");
    let (status, file) = read(request().header("x-call-token", "a.b").send().await.unwrap()).await;
    assert_eq!((status, &file["kind"], &file["callNumber"]), (201, &"SCREENSHOT".into(), &1.into()));
    assert_eq!(file["attachment"]["mediaType"], "image/png");
    let asked = world.video.asked::<video::UploadCallFileRequest>(rpc).remove(0);
    let Some(Part::Upload(upload)) = asked.0.part else { panic!("the upload comes first") };
    let about = upload.upload.clone().unwrap();
    assert_eq!((upload.call_token.as_str(), upload.kind()), ("a.b", video::SessionFileKind::Screenshot));
    assert_eq!((about.subject_id, about.name.as_str(), about.size), (SESSION.to_string(), "x.png", 3));
    assert!(!asked.1.contains_key("authorization"), "no other credential");
    let (status, _) = read(request().send().await.unwrap()).await;
    assert_eq!(status, 400);
}
