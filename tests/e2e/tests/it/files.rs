//! Files through the door: uploaded, linked, handed out to whoever may see the owner, gone with it (M-2, T-11 to T-13).

use callboard_e2e_tests::{Client, Platform, World};
use callboard_testkit::{PATIENCE, eventually};
use reqwest::Method;
use serde_json::json;

use crate::play::{id, open};

fn content(file: &str) -> String {
    format!("/v1/attachments/tickets/{file}/content")
}

async fn posted(caller: &Client, ticket: &str, name: &str, bytes: &[u8]) -> String {
    let path = format!("/v1/tickets/{ticket}/attachments?name={name}");
    let file = id(&caller.upload(&path, bytes).await.ok());
    let update = json!({"visibility": "PUBLIC", "attachmentIds": [file]});
    caller.post(&format!("/v1/tickets/{ticket}/updates"), update).await.ok();
    file
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_comes_in_goes_out_in_parts_and_is_never_run_by_a_browser() {
    let world = World::make(Platform::shared().await, "files.test").await;
    let (visitor, sofia) = (world.visitor().await, world.person("sofia").await);
    let ticket = open(&visitor, &world).await;
    // German letters in the name; a page, which is text and never more.
    let page = b"<script>alert(1)</script>";
    let file = posted(&visitor, &ticket, "Pr%C3%BCfung.html", page).await;
    let whole = sofia.stream(&content(&file), &[]).await;
    assert_eq!(whole.status(), 200);
    let header = |name: &str| whole.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(header("content-type"), "text/plain; charset=utf-8");
    assert_eq!(header("x-content-type-options"), "nosniff");
    assert_eq!(header("content-security-policy"), "default-src 'none'; sandbox");
    assert_eq!(
        header("content-disposition"),
        "attachment; filename=\"Pr_fung.html\"; filename*=UTF-8''Pr%C3%BCfung.html"
    );
    let etag = header("etag");
    assert_eq!(whole.bytes().await.unwrap().as_ref(), page);
    let part = sofia.stream(&content(&file), &[("range", "bytes=1-6"), ("if-range", &etag)]).await;
    assert_eq!(
        (part.status().as_u16(), part.headers()["content-range"].to_str().unwrap()),
        (206, "bytes 1-6/25")
    );
    assert_eq!(part.bytes().await.unwrap().as_ref(), b"script");
    let other = sofia.stream(&content(&file), &[("range", "bytes=1-6"), ("if-range", "\"x\"")]).await;
    assert_eq!((other.status().as_u16(), other.bytes().await.unwrap().len()), (200, 25));
    assert_eq!(sofia.stream(&content(&file), &[("range", "bytes=25-")]).await.status(), 416);
    assert_eq!(sofia.stream(&content(&file), &[("if-none-match", &etag)]).await.status(), 304);
    let record = sofia.get(&format!("/v1/tickets/{ticket}/serviceRecord")).await.ok();
    assert_eq!(record["updates"][0]["attachments"][0]["name"], "Prüfung.html");
    let program = visitor.upload(&format!("/v1/tickets/{ticket}/attachments?name=a.pdf"), b"MZ\x90\0").await;
    assert_eq!(program.problem(415), "ATTACHMENT_TYPE_NOT_ALLOWED");
}

#[tokio::test(flavor = "multi_thread")]
async fn t_11_and_t_13_hold_for_links_and_for_what_is_on_disk() {
    let platform = Platform::shared().await;
    let world = World::make(platform, "links.test").await;
    let (visitor, max) = (world.visitor().await, world.person("max").await);
    let ticket = open(&visitor, &world).await;
    let file = posted(&visitor, &ticket, "a.txt", b"4 bar").await;
    let link = async |caller: &Client| {
        let path = format!("/v1/attachments/tickets/{file}:createLink");
        let link = caller.call(Method::POST, &path, None).await.ok();
        link["path"].as_str().unwrap().to_owned()
    };
    let (outside, inside) = (link(&visitor).await, link(&max).await);
    let nobody = world.nobody();
    for link in [&outside, &inside] {
        assert_eq!(nobody.stream(link, &[]).await.bytes().await.unwrap().as_ref(), b"4 bar");
    }
    assert_eq!(nobody.get(&content(&file)).await.problem(401), "TOKEN_MISSING");
    assert_eq!(nobody.get(&format!("{}?link=a.b", content(&file))).await.problem(401), "LINK_INVALID");
    assert_eq!(world.oven_visitor().await.get(&content(&file)).await.problem(404), "NOT_FOUND");

    max.patch(&format!("/v1/tickets/{ticket}"), json!({"visibility": "INTERNAL"})).await.ok();
    assert_eq!(nobody.get(&outside).await.problem(404), "NOT_FOUND");
    assert_eq!(visitor.get(&content(&file)).await.problem(404), "NOT_FOUND");
    assert_eq!(nobody.stream(&inside, &[]).await.status(), 200);

    let folder = platform.files().join("tickets").join(&world.organisation);
    let objects = || std::fs::read_dir(&folder).into_iter().flatten().count();
    assert_eq!(objects(), 1, "else this test shows nothing");
    max.delete(&format!("/v1/tickets/{ticket}")).await.ok();
    assert_eq!(nobody.get(&inside).await.problem(404), "NOT_FOUND");
    eventually("the bytes to go", PATIENCE, || async {
        let left = objects();
        if left == 0 { Ok(()) } else { Err(left) }
    })
    .await;
}
