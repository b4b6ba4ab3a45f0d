//! T-11: deleting is final, in every service.

use std::collections::BTreeMap;

use callboard_e2e_tests::{Client, Platform, World};
use callboard_kernel::{IdGenerator, RandomIds};
use callboard_testkit::{PATIENCE, eventually};
use reqwest::Method;
use serde_json::json;
use sqlx::{AssertSqlSafe, PgPool, Row};

use crate::play::{accept, asked, becomes, id, offer_of, repair, set_status};

/// Rows of every table of every schema that hold a text anywhere, bytes included.
async fn holding(database: &PgPool, text: &str) -> BTreeMap<String, i64> {
    let tables = sqlx::query(
        "select table_schema, table_name from information_schema.tables where table_type = 'BASE TABLE' \
         and table_schema not in ('pg_catalog', 'information_schema')",
    )
    .fetch_all(database)
    .await
    .expect("the tables");
    let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    let mut found = BTreeMap::new();
    for table in tables {
        let (schema, name): (String, String) = (table.get(0), table.get(1));
        let sql = format!(
            "select count(*) from \"{schema}\".\"{name}\" t where strpos(lower(t::text), $1) > 0 or strpos(t::text, $2) > 0"
        );
        let rows: i64 = sqlx::query_scalar(AssertSqlSafe(sql))
            .bind(text.to_lowercase())
            .bind(&hex)
            .fetch_one(database)
            .await
            .expect("a count");
        if rows > 0 {
            found.insert(format!("{schema}.{name}"), rows);
        }
    }
    found
}

/// Which context keeps each object of the organisation, in order: all of the store, not only where files are expected.
fn stored(platform: &Platform, world: &World) -> Vec<String> {
    let contexts = std::fs::read_dir(platform.files()).into_iter().flatten().flatten();
    let mut found: Vec<String> = contexts
        .flat_map(|context| {
            let name = context.file_name().to_string_lossy().into_owned();
            let objects = std::fs::read_dir(context.path().join(&world.organisation));
            objects.into_iter().flatten().map(move |_| name.clone())
        })
        .collect();
    found.sort_unstable();
    found
}

/// The flow "repair" asks for a photo as well.
async fn photographed(world: &World, moderator: &Client) {
    let path = format!("/v1/templates/{}/flows/{}", world.demo.coffee, world.demo.repair_flow);
    let mut flow = moderator.get(&path).await.ok();
    let photo = json!({"key": "photo", "label": {"en": "A photo"}, "kind": "ATTACHMENT", "required": false});
    flow["steps"].as_array_mut().expect("steps").push(photo);
    moderator.put(&path, flow).await.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn t_11_a_deleted_ticket_leaves_only_tombstones_in_every_schema() {
    let platform = Platform::shared().await;
    let world = World::make(platform, "erasure.test").await;
    let (visitor, nora, nick, max) = (
        world.visitor().await,
        world.person("nora").await,
        world.person("nick").await,
        world.person("max").await,
    );
    // Words that are nowhere else.
    let words = [
        "quokka-title",
        "quokka-update",
        "quokka-note",
        "quokka-reason",
        "quokka-comment",
        "quokka-message",
        "quokka-file",
        "quokka-answer-file",
        "quokka-update-file",
    ];
    photographed(&world, &max).await;
    let answered =
        visitor.upload(&format!("/v1/attachments/tickets?name={}.txt", words[7]), b"5 bar").await.ok();
    let (key, mut new) = (RandomIds.next().to_string(), repair(&world, words[0]));
    let answer = json!({"step": "photo", "attachments": [answered["id"]]});
    new["answers"].as_array_mut().expect("answers").push(answer);
    let made = visitor.call_as(Method::POST, "/v1/tickets", Some(new.clone()), &key).await.ok();
    let ticket = id(&made);
    assert_eq!(visitor.call_as(Method::POST, "/v1/tickets", Some(new.clone()), &key).await.ok(), made);
    let offer = offer_of(&nick, &ticket).await;
    nick.post(&format!("/v1/offers/{offer}:decline"), json!({"reason": words[3]})).await.ok();
    accept(&nora, &ticket).await;
    let shown = format!("/v1/tickets/{ticket}/attachments?name={}.txt", words[8]);
    let shown = nora.upload(&shown, b"6 bar").await.ok();
    for (text, visibility, files) in
        [(words[1], "PUBLIC", json!([shown["id"]])), (words[2], "INTERNAL", json!([]))]
    {
        let update = json!({"text": text, "visibility": visibility, "attachmentIds": files});
        nora.post(&format!("/v1/tickets/{ticket}/updates"), update).await.ok();
    }
    let conversation = format!("/v1/conversations/{ticket}");
    eventually("the messenger to know her", PATIENCE, || async {
        let answer = nora.get(&conversation).await;
        if answer.body["mayWrite"] == true { Ok(()) } else { Err(answer.body.to_string()) }
    })
    .await;
    let upload = format!("{conversation}/attachments?name={}.txt", words[6]);
    let file = id(&nora.upload(&upload, b"4 bar").await.ok());
    let message = json!({"text": words[5], "attachmentIds": [file]});
    nora.post(&format!("{conversation}:send"), message).await.ok();
    let task = json!({"deviceId": world.demo.coffee_machine, "title": "Linked", "ticketId": ticket});
    let task = id(&eventually("tasks to know the ticket", PATIENCE, || async {
        let made = nora.post("/v1/tasks", task.clone()).await;
        if made.status.is_success() { Ok(made.body) } else { Err(made.body.to_string()) }
    })
    .await);
    let session = json!({"deviceId": world.demo.coffee_machine, "conversationTicketId": ticket});
    let session = eventually("video to know the ticket and her", PATIENCE, || async {
        let made = nora.post("/v1/videoSessions", session.clone()).await;
        if made.status.is_success() { Ok(made.body) } else { Err(made.body.to_string()) }
    })
    .await;
    assert_eq!(session["ticketIds"], json!([ticket]));
    let session = format!("/v1/videoSessions/{}", id(&session));
    set_status(&nora, &ticket, "DONE").await;
    asked(&visitor, &ticket).await;
    visitor
        .post(&format!("/v1/tickets/{ticket}/rating:submit"), json!({"score": 2, "comment": words[4]}))
        .await
        .ok();
    becomes(&nora, &ticket, "CLOSED").await;
    let drawer = format!("/v1/notifications?subjectId={ticket}");
    eventually("nora to be told", PATIENCE, || async {
        let told = nora.get(&drawer).await.ok();
        if told["entries"] == json!([]) { Err(told) } else { Ok(()) }
    })
    .await;
    assert_eq!(
        stored(platform, &world),
        ["messenger", "tickets", "tickets"],
        "three files, else this shows nothing"
    );
    let database = PgPool::connect(&platform.database_url()).await.expect("the database");
    for word in words {
        assert!(
            !holding(&database, word).await.is_empty(),
            "{word} is somewhere, else this test shows nothing"
        );
    }

    max.delete(&format!("/v1/tickets/{ticket}")).await.ok();
    for part in ["", "/updates", "/timeline", "/serviceRecord", "/moves", "/view"] {
        max.get(&format!("/v1/tickets/{ticket}{part}")).await.problem(404);
    }
    eventually("fleet, ratings, messenger, tasks, video and notifications to purge", PATIENCE, || async {
        let told = nora.get(&drawer).await.ok();
        if told["entries"] != json!([]) {
            return Err(told.to_string());
        }
        if nora.get(&format!("/v1/tasks/{task}")).await.ok().to_string().contains(&ticket) {
            return Err("the task is linked".to_owned());
        }
        // The session stays (V-9); nothing of it tells of the ticket.
        if nora.get(&session).await.ok().to_string().contains(&ticket) {
            return Err("the session is linked".to_owned());
        }
        for part in ["/dispatch", "/dispatch/rounds", "/rating", "/conversation"] {
            let answer = max.get(&format!("/v1/tickets/{ticket}{part}")).await;
            if answer.status.as_u16() != 404 {
                return Err(format!("{part}: {}", answer.status));
            }
        }
        Ok(())
    })
    .await;
    max.get(&format!("/v1/offers/{offer}")).await.problem(404);
    max.get(&format!("/v1/attachments/messenger/{file}")).await.problem(404);
    for file in [&answered, &shown] {
        max.get(&format!("/v1/attachments/tickets/{}", id(file))).await.problem(404);
    }
    eventually("the bytes of all files to go, whoever keeps them", PATIENCE, || async {
        let left = stored(platform, &world);
        if left.is_empty() { Ok(()) } else { Err(left) }
    })
    .await;
    let listed = max.get("/v1/ratings").await.ok();
    assert!(!listed.to_string().contains(&ticket), "{listed}");
    assert!(!max.get("/v1/tickets?text=quokka").await.ok().to_string().contains(&ticket));

    for word in words {
        let left = holding(&database, word).await;
        assert!(left.is_empty(), "{word} is still in {left:?}");
    }
    // What was said, by the ids it is known by: events (retained for their time, without free text), receipts (so
    // that a late repeat is known as one), and one bare row per context so that late news find it gone.
    let left = holding(&database, &ticket).await;
    let unexpected: Vec<&String> = left
        .keys()
        .filter(|table| {
            let name = table.split_once('.').map_or("", |(_, name)| name);
            !matches!(
                name,
                "outbox"
                    | "command_receipt"
                    | "ticket"
                    | "dispatch"
                    | "rating_request"
                    | "conversation"
                    | "known_ticket"
                    | "known_subject"
            )
        })
        .collect();
    assert!(unexpected.is_empty(), "{left:?}");
    for (table, rows) in &left {
        if !table.ends_with(".outbox") && !table.ends_with(".command_receipt") {
            assert_eq!(*rows, 1, "one bare row in {table}");
        }
    }
    // A late repeat brings nothing back.
    visitor.call_as(Method::POST, "/v1/tickets", Some(new), &key).await.problem(404);
    // Deleting again, or writing to it, finds nothing.
    max.delete(&format!("/v1/tickets/{ticket}")).await.problem(404);
    nora.post(&format!("/v1/tickets/{ticket}/updates"), json!({"text": "Hello?"})).await.problem(404);
}
