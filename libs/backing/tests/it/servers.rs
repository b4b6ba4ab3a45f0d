//! The servers themselves: data that stays, crashes, leftovers, refusals.

use std::fs;
use std::io::Write;
use std::net::{TcpListener, TcpStream};

use async_nats::jetstream;
use callboard_backing::{Backing, Error, Nats, Postgres, free_port};
use sqlx::{Connection, PgConnection};

use crate::{ephemeral, kept, place};

async fn execute(url: &str, sql: &'static str) {
    let mut connection = PgConnection::connect(url).await.expect("connects");
    sqlx::raw_sql(sql).execute(&mut connection).await.expect(sql);
}

async fn number(url: &str, sql: &'static str) -> i64 {
    let mut connection = PgConnection::connect(url).await.expect("connects");
    sqlx::query_scalar(sql).fetch_one(&mut connection).await.expect(sql)
}

fn listens(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}

#[tokio::test]
async fn a_second_start_continues_with_the_same_data_at_the_same_address() {
    let place = place();
    let mut addresses = Vec::new();
    for round in 0..2 {
        let backing = Backing::start(&kept(place.path())).await.expect("starts");
        let url = backing.postgres_url();
        let client = async_nats::connect(backing.nats_url()).await.expect("connects");
        let context = jetstream::new(client);
        if round == 0 {
            execute(&url, "CREATE TABLE t (n bigint); INSERT INTO t VALUES (42)").await;
            let config = jetstream::stream::Config {
                name: "S".into(),
                subjects: vec!["s".into()],
                ..Default::default()
            };
            context.create_stream(config).await.expect("a stream");
            context.publish("s", "1".into()).await.expect("sent").await.expect("acknowledged");
        } else {
            assert_eq!(number(&url, "SELECT n FROM t").await, 42);
            let messages = context.get_stream("S").await.expect("is there").cached_info().state.messages;
            assert_eq!(messages, 1);
        }
        addresses.push((url, backing.nats_url()));
        backing.stop().await.expect("stops");
    }
    assert_eq!(addresses[0], addresses[1]);
}

#[tokio::test]
async fn what_postgres_committed_survives_its_kill() {
    let mut postgres = Postgres::start(&ephemeral()).await.expect("starts");
    let url = postgres.url();
    execute(&url, "CREATE TABLE t (n bigint); INSERT INTO t VALUES (7)").await;
    postgres.kill().await.expect("is killed");
    assert!(!listens(postgres.port()));
    postgres.restart().await.expect("starts again");
    assert_eq!(postgres.url(), url);
    assert_eq!(number(&url, "SELECT n FROM t").await, 7);
    postgres.restart().await.expect("starts again from a running one");
    assert_eq!(number(&url, "SELECT n FROM t").await, 7);
    postgres.stop().await.expect("stops");
}

/// Somebody else's NATS that took the port of a killed one is not taken for the one that was to come back.
#[tokio::test]
async fn a_stranger_on_the_port_is_not_taken_for_the_restarted_server() {
    let mut nats = Nats::start(&ephemeral()).await.expect("starts");
    nats.kill().await.expect("is killed");
    let stranger = TcpListener::bind(("127.0.0.1", nats.port())).expect("the free port");
    std::thread::spawn(move || {
        for stream in stranger.incoming() {
            let greeting =
                r#"{"server_id":"A","server_name":"stranger","version":"2.15.1","jetstream":true}"#;
            let _ = stream.map(|mut stream| write!(stream, "INFO {greeting}\r\n"));
        }
    });
    let refused = nats.restart().await.expect_err("the port is another's");
    assert!(refused.to_string().contains("address already in use"), "{refused}");
}

#[tokio::test]
async fn what_nats_stored_survives_its_kill_and_clients_find_it_again() {
    let mut nats = Nats::start(&ephemeral()).await.expect("starts");
    let client = async_nats::connect(nats.url()).await.expect("connects");
    let context = jetstream::new(client);
    let config =
        jetstream::stream::Config { name: "S".into(), subjects: vec!["s".into()], ..Default::default() };
    context.create_stream(config).await.expect("a stream");
    context.publish("s", "1".into()).await.expect("sent").await.expect("acknowledged");
    nats.kill().await.expect("is killed");
    assert!(!listens(nats.port()));
    nats.restart().await.expect("starts again");
    crate::until("the same client sees the stream", async || {
        matches!(context.get_stream("S").await, Ok(stream) if stream.cached_info().state.messages == 1)
    })
    .await;
    nats.stop().await.expect("stops");
}

#[tokio::test]
async fn ephemeral_folders_go_with_their_servers_stopped_dropped_or_killed() {
    let nats = Nats::start(&ephemeral()).await.expect("starts");
    let folder = nats.store_dir().parent().expect("has a parent").to_owned();
    assert!(folder.is_dir());
    nats.stop().await.expect("stops");
    assert!(!folder.exists());

    let nats = Nats::start(&ephemeral()).await.expect("starts");
    let (folder, port) = (nats.store_dir().parent().expect("has a parent").to_owned(), nats.port());
    drop(nats);
    crate::until("the dropped server has gone", async || !folder.exists() && !listens(port)).await;

    let mut nats = Nats::start(&ephemeral()).await.expect("starts");
    let folder = nats.store_dir().parent().expect("has a parent").to_owned();
    nats.kill().await.expect("is killed");
    assert!(folder.is_dir(), "it might be started again");
    drop(nats);
    assert!(!folder.exists());
}

#[tokio::test]
async fn a_folder_in_use_is_refused_with_the_holder_named() {
    let place = place();
    let first = Nats::start(&kept(place.path())).await.expect("starts");
    let error = Nats::start(&kept(place.path())).await.expect_err("is in use");
    assert!(
        matches!(&error, Error::InUse { holder, .. } if *holder == std::process::id().to_string()),
        "{error}"
    );
    first.stop().await.expect("stops");
}

#[tokio::test]
async fn a_pid_file_that_names_another_process_does_not_keep_postgres_from_starting() {
    let place = place();
    let mut postgres = Postgres::start(&kept(place.path())).await.expect("starts");
    postgres.kill().await.expect("is killed");
    drop(postgres);
    // What the killed one left behind names a process id that has been given to somebody else since: this test.
    let pid_file = place.path().join("postgres/data/postmaster.pid");
    let left = fs::read_to_string(&pid_file).expect("a killed server leaves its file");
    let rest = left.split_once('\n').expect("several lines").1;
    fs::write(&pid_file, format!("{}\n{rest}", std::process::id())).expect("written");
    let postgres = Postgres::start(&kept(place.path())).await.expect("starts all the same");
    postgres.stop().await.expect("stops");
}

#[tokio::test]
async fn data_of_a_postgres_that_nothing_here_can_open_is_refused_and_left_alone() {
    let place = place();
    let data = place.path().join("postgres/data");
    fs::create_dir_all(&data).expect("folder");
    fs::write(data.join("PG_VERSION"), "9\n").expect("written");
    let error = Postgres::start(&kept(place.path())).await.expect_err("is refused");
    assert!(matches!(error, Error::OtherMajor { data: 9, .. }), "{error}");
    assert_eq!(fs::read_to_string(data.join("PG_VERSION")).expect("is there"), "9\n");
}

#[tokio::test]
async fn postgres_asks_for_the_password_and_takes_two_hundred_connections() {
    let postgres = Postgres::start(&ephemeral()).await.expect("starts");
    let wrong = postgres.url().replacen(":", ":x", 2).replacen(":x//", "://", 1);
    assert_ne!(wrong, postgres.url());
    PgConnection::connect(&wrong).await.expect_err("the password is wrong");
    let setting = "SELECT setting::bigint FROM pg_settings WHERE name = 'max_connections'";
    assert!(number(&postgres.url(), setting).await >= 200);
    postgres.stop().await.expect("stops");
}

#[tokio::test]
async fn databases_are_created_once_by_plain_names() {
    let postgres = Postgres::start(&ephemeral()).await.expect("starts");
    let (one, two) = tokio::join!(postgres.create_database("tickets"), postgres.create_database("tickets"));
    let url = one.expect("created");
    assert_eq!(two.expect("there already"), url);
    // Letters of all languages are folded, or German words would not be found.
    assert_eq!(
        number(&url, "SELECT (to_tsvector('simple', 'ÄRGER') @@ to_tsquery('simple', 'ärger'))::int::int8")
            .await,
        1
    );
    let long = "a".repeat(64);
    for name in ["", "1st", "Upper", "with-dash", "quote\"", long.as_str()] {
        let error = postgres.create_database(name).await.expect_err(name);
        assert!(matches!(error, Error::DatabaseName(_)), "{error}");
    }
    postgres.stop().await.expect("stops");
}

#[test]
fn ports_are_given_once_and_are_never_the_standard_ones() {
    let ports: std::collections::HashSet<u16> = (0..200).map(|_| free_port().expect("a port")).collect();
    assert_eq!(ports.len(), 200);
    assert!(ports.iter().all(|port| (20_000..32_000).contains(port)), "{ports:?}");
}
