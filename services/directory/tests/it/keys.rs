use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use callboard_auth::IssuerSettings;
use callboard_directory::signing_keys::{self, SigningKeys};
use callboard_directory::{KeyEncryption, MIGRATIONS, ReadError};
use callboard_kernel::{Clock, IdGenerator, Isolation, RandomIds};
use callboard_proto::directory::v1 as proto;
use callboard_proto::directory::v1::session_service_client::SessionServiceClient;
use callboard_service::database;
use callboard_testkit::{ManualClock, Servers};
use chrono::TimeDelta;
use secrecy::SecretString;
use serde_json::Value;

use crate::world::{Tenant, config, new_id, reason, start_with};

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

/// Ids of the keys that are published now; the one that signs comes first.
async fn published(keys: &SigningKeys, clock: &ManualClock) -> Result<Vec<String>, ReadError> {
    let settings = IssuerSettings { issuer: "https://id.test".into(), audience: "callboard".into() };
    let ids: Arc<dyn IdGenerator> = Arc::new(RandomIds);
    let jwks = keys.issuer(settings, None, Arc::new(clock.clone()), ids).await?.jwks();
    let ids = jwks["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned());
    Ok(ids.collect())
}

#[tokio::test]
async fn d_2_private_keys_are_encrypted_in_the_database_and_the_encrypting_key_can_be_exchanged() {
    let database = Servers::shared().await.fresh_database().await;
    let config = config(database.url());
    callboard_service::database::migrate(&config.database, "directory", &MIGRATIONS).await.unwrap();
    let pool = callboard_service::database::pool(&config.database, "directory").unwrap();
    let clock = ManualClock::default();
    let under =
        |keys: &str| SigningKeys::new(pool.clone(), KeyEncryption::parse(&SecretString::from(keys)).unwrap());
    let rows = async || {
        let sql = "select pkcs8_pem, sealed from signing_key order by active_at";
        sqlx::query_as::<_, (Option<String>, Option<Vec<u8>>)>(sql).fetch_all(&pool).await.unwrap()
    };
    let (old, new) = (format!("{}=", "A".repeat(43)), format!("{}8=", "B".repeat(42)));
    // Made in development, then encrypted; a second one is encrypted from the beginning.
    let plain = under("");
    let kids = published(&plain, &clock).await.unwrap();
    assert!(rows().await[0].0.as_ref().unwrap().contains("PRIVATE KEY"));
    assert_eq!(plain.protect().await.unwrap(), 0);
    let encrypted = under(&old);
    assert_eq!(published(&encrypted, &clock).await.unwrap(), kids, "read as it lies");
    assert_eq!((encrypted.protect().await.unwrap(), encrypted.protect().await.unwrap()), (1, 0));
    let second = encrypted.rotate(clock.now()).await.unwrap();
    let both = [kids[0].clone(), second];
    for (pem, sealed) in rows().await {
        assert!(pem.is_none());
        assert!(!sealed.unwrap().windows(7).any(|part| part == b"PRIVATE"));
    }
    assert_eq!(published(&encrypted, &clock).await.unwrap(), both);
    for wrong in ["", &new] {
        let refused = published(&under(wrong), &clock).await.unwrap_err().to_string();
        assert!(refused.contains("key_encryption_key") && !refused.contains(&new), "{refused}");
    }
    // Old and new, new and old, new alone.
    assert_eq!(under(&format!("{old},{new}")).protect().await.unwrap(), 0);
    assert_eq!(under(&format!("{new}\n{old}")).protect().await.unwrap(), 2);
    assert_eq!(published(&under(&new), &clock).await.unwrap(), both, "the same signing keys");
    assert!(published(&encrypted, &clock).await.is_err());
}

#[tokio::test]
async fn d_2_as_installed_nobody_gets_a_development_token_and_a_given_key_encrypts() {
    let key = format!("{}=", "A".repeat(43));
    let (world, _running, _database, _nats) =
        start_with(&[("directory.issuer.key_encryption_key", key.into())]).await;
    let pool = database::pool(&config(&world.database_url).database, "directory").unwrap();
    let unencrypted: i64 =
        sqlx::query_scalar("select count(*) from signing_key where pkcs8_pem is not null or sealed is null")
            .fetch_one(&pool)
            .await
            .unwrap();
    assert_eq!(unencrypted, 0);
    let channel = callboard_service::client::channel(&world.grpc).unwrap();
    let request = proto::IssueDevelopmentTokenRequest { email: "a@example.org".into(), ..Default::default() };
    let answer = SessionServiceClient::new(channel).issue_development_token(request).await;
    assert_eq!(reason(answer), "PERMISSION_DENIED", "before anybody is looked for");
}

#[tokio::test]
async fn d_2_a_new_key_is_published_before_it_signs_and_an_old_one_after() {
    let database = Servers::shared().await.fresh_database().await;
    let config = config(database.url());
    callboard_service::database::migrate(&config.database, "directory", &MIGRATIONS).await.unwrap();
    let pool = callboard_service::database::pool(&config.database, "directory").unwrap();
    let clock = ManualClock::default();
    let keys = SigningKeys::new(pool.clone(), None);
    let published = async || published(&keys, &clock).await.unwrap();
    let (first, again) = tokio::join!(published(), published());
    assert_eq!((first.len(), &again), (1, &first), "two replicas at once make one key");
    let old = first[0].clone();
    let new = keys.rotate(clock.now()).await.unwrap();
    assert_eq!(published().await, [old.clone(), new.clone()]);
    clock.advance((signing_keys::PUBLISHED_BEFORE + TimeDelta::seconds(1)).to_std().unwrap());
    assert_eq!(published().await, [new.clone(), old.clone()]);
    clock.advance(signing_keys::PUBLISHED_AFTER.to_std().unwrap());
    assert_eq!(published().await, std::slice::from_ref(&new));
    let next = keys.rotate(clock.now()).await.unwrap();
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
