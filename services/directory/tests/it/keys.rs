use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use callboard_auth::IssuerSettings;
use callboard_directory::{MIGRATIONS, signing_keys};
use callboard_kernel::{Clock, IdGenerator, Isolation, RandomIds};
use callboard_testkit::{ManualClock, Servers};
use chrono::TimeDelta;
use serde_json::Value;

use crate::world::{Tenant, config, new_id};

async fn document(tenant: &Tenant, path: &str) -> Value {
    let response = reqwest::get(format!("{}/.well-known/{path}", tenant.world.admin)).await.unwrap();
    assert!(response.status().is_success());
    response.json().await.unwrap()
}

#[tokio::test]
async fn d_2_the_issuer_publishes_its_keys_and_itself() {
    let tenant = Tenant::new(Isolation::Off).await;
    let configuration = document(&tenant, "openid-configuration").await;
    assert_eq!(configuration["issuer"], tenant.world.admin.as_str());
    assert_eq!(configuration["jwks_uri"], format!("{}/.well-known/jwks.json", tenant.world.admin));
    let keys = document(&tenant, "jwks.json").await;
    let keys = keys["keys"].as_array().unwrap();
    assert_eq!(keys.len(), 1);
    assert_eq!((&keys[0]["kty"], &keys[0]["alg"]), (&"OKP".into(), &"EdDSA".into()));
    assert!(keys[0].get("d").is_none(), "public half only");
}

#[tokio::test]
async fn d_2_a_new_key_is_published_before_it_signs_and_an_old_one_after() {
    let database = Servers::shared().await.fresh_database().await;
    let config = config(database.url());
    callboard_service::database::migrate(&config.database, "directory", &MIGRATIONS).await.unwrap();
    let pool = callboard_service::database::pool(&config.database, "directory").unwrap();
    let clock = ManualClock::default();
    let ids: Arc<dyn IdGenerator> = Arc::new(RandomIds);
    let published = async || {
        let settings = IssuerSettings { issuer: "https://id.test".into(), audience: "callboard".into() };
        let issuer =
            signing_keys::issuer(&pool, settings, None, Arc::new(clock.clone()), ids.clone()).await.unwrap();
        let keys = issuer.jwks();
        // The one that signs comes first.
        let ids = keys["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned());
        ids.collect::<Vec<_>>()
    };
    let (first, again) = tokio::join!(published(), published());
    assert_eq!((first.len(), &again), (1, &first), "two replicas at once make one key");
    let old = first[0].clone();
    let new = signing_keys::rotate(&pool, clock.now()).await.unwrap();
    assert_eq!(published().await, [old.clone(), new.clone()]);
    clock.advance((signing_keys::PUBLISHED_BEFORE + TimeDelta::seconds(1)).to_std().unwrap());
    assert_eq!(published().await, [new.clone(), old.clone()]);
    clock.advance(signing_keys::PUBLISHED_AFTER.to_std().unwrap());
    assert_eq!(published().await, std::slice::from_ref(&new));
    let next = signing_keys::rotate(&pool, clock.now()).await.unwrap();
    clock.advance(Duration::from_secs(24 * 3600));
    assert_eq!(published().await, [next]);
    let kept: Vec<String> = sqlx::query_scalar("select id from signing_key").fetch_all(&pool).await.unwrap();
    assert!(!kept.contains(&old) && kept.contains(&new));
}

#[tokio::test]
async fn the_command_line_makes_organisations_and_keys() {
    let database = Servers::shared().await.fresh_database().await;
    let run = async |arguments: &[&str]| {
        let (url, arguments) = (database.url().to_owned(), arguments.iter().map(|&text| text.to_owned()));
        let arguments: Vec<String> = arguments.collect();
        let output = tokio::task::spawn_blocking(move || {
            std::process::Command::new(env!("CARGO_BIN_EXE_callboard-directory"))
                .args(arguments)
                .env("CALLBOARD__DATABASE__URL", url)
                .stdin(Stdio::null())
                .output()
                .unwrap()
        });
        let output = output.await.unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        (output.status.success(), String::from_utf8(output.stdout).unwrap(), error)
    };
    let (migrated, _, error) = run(&["migrate"]).await;
    assert!(migrated, "{error}");
    let id = new_id().to_string();
    let create = [
        "create-organisation",
        "--name",
        "Nord",
        "--admin-email",
        "a@nord.example",
        "--language",
        "de",
        "--id",
        &id,
    ];
    let (made, first, error) = run(&create).await;
    assert!(made && first.starts_with(&format!("organisation {id}\nadministrator ")), "{first}{error}");
    assert_eq!(run(&create).await.1, first, "again changes nothing");
    let wrong = ["create-organisation", "--name", "Nord", "--admin-email", "nobody"];
    let (made, _, error) = run(&wrong).await;
    assert!(!made && error.contains("admin_email"), "{error}");
    let (rotated, key, error) = run(&["rotate-keys"]).await;
    assert!(rotated && key.trim().len() == 43, "{error}");
}
