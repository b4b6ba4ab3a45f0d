//! The platform as separate processes on servers that wait for the disk, and who lives in it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream;
use callboard_backing::{Nats, Options as BackingOptions, Postgres, home};
use callboard_e2e_tests::{Platform, Service, World};
use callboard_kernel::{IdGenerator, RandomIds};
use callboard_standalone::rest::Client;
use futures::TryStreamExt;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use tokio::time::{Instant, interval};
use uuid::Uuid;

use crate::Failure;
use crate::options::Options;
use crate::pgbench::{PAIR_TABLES, Pgbench};
use crate::process::cpu_ms;
use crate::rest::text;

/// The mail domain of the main organisation.
const DOMAIN: &str = "bench.example";
/// How long reactions may take to end.
const PATIENCE: Duration = Duration::from_secs(120);

/// CPU so far, in milliseconds.
#[derive(Debug, Clone)]
pub struct Cpu {
    /// Of each service.
    pub services: Vec<(&'static str, f64)>,
    /// NATS.
    pub nats: f64,
    /// Postgres, its sessions and workers.
    pub postgres: f64,
}

impl Cpu {
    /// What was used since.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        let services = self.services.iter().zip(&before.services);
        Self {
            services: services.map(|((name, now), (_, then))| (*name, now - then)).collect(),
            nats: self.nats - before.nats,
            postgres: self.postgres - before.postgres,
        }
    }

    /// Services and NATS.
    pub fn ours(&self) -> f64 {
        self.services.iter().map(|(_, cpu)| cpu).sum::<f64>() + self.nats
    }

    /// For each thousand of something, as text.
    pub fn text(&self, count: u64) -> String {
        let each = 1000.0 / count.max(1) as f64;
        let mut parts: Vec<String> =
            self.services.iter().map(|(name, cpu)| format!("{name} {:.0}", cpu * each)).collect();
        parts.push(format!("nats {:.0}", self.nats * each));
        parts.push(format!("postgres {:.0}", self.postgres * each));
        format!("CPU ms per 1,000: {}", parts.join(", "))
    }
}

/// A template by a device of it.
#[derive(Debug, Clone)]
pub struct Kind {
    /// The device's id.
    pub device: String,
}

/// Everything a row needs.
pub struct House {
    /// The processes.
    pub platform: Platform,
    /// The database of all services.
    pub pool: PgPool,
    /// On a database of its own on the same server.
    pub pgbench: Pgbench,
    /// Of the database that `pgbench` uses.
    pub bench_url: String,
    /// The Postgres log, for the statement that a list is.
    pub postgres_log: std::path::PathBuf,
    /// Process ids of Postgres and NATS.
    pub servers: (u32, u32),
    /// Postgres' and NATS' versions and settings.
    pub told: Vec<(String, String)>,
    jetstream: jetstream::Context,
}

fn process_in(file: &Path) -> Result<u32, Failure> {
    let text = std::fs::read_to_string(file)?;
    Ok(text.lines().next().unwrap_or_default().trim().parse()?)
}

/// Options of servers that go with this process.
///
/// # Errors
/// There is no home.
pub fn servers() -> Result<BackingOptions, Failure> {
    Ok(BackingOptions { fast_unsafe: false, ..BackingOptions::for_tests(home()?) })
}

impl House {
    /// Starts it and makes the main organisation.
    ///
    /// # Errors
    /// What does not start.
    pub async fn start(options: &Options) -> Result<Self, Failure> {
        let mut postgres = Postgres::start(&servers()?).await?;
        if options.statements {
            let pool = PgPoolOptions::new().max_connections(1).connect(&postgres.url()).await?;
            sqlx::raw_sql("alter system set shared_preload_libraries = 'pg_stat_statements'")
                .execute(&pool)
                .await?;
            pool.close().await;
            postgres.restart().await?;
            let pool = PgPoolOptions::new().max_connections(1).connect(&postgres.url()).await?;
            sqlx::raw_sql("create extension pg_stat_statements schema public").execute(&pool).await?;
            pool.close().await;
        }
        let nats = Nats::start(&servers()?).await?;
        let folder = |log: &Path| log.parent().map(Path::to_owned).ok_or("a log without a folder");
        let postgres_log = postgres.log();
        let servers = (
            process_in(&folder(&postgres_log)?.join("data/postmaster.pid"))?,
            process_in(&folder(&nats.log())?.join("pid"))?,
        );
        let bench_url = postgres.create_database("bench").await?;
        let pgbench = Pgbench::new(postgres.bin_dir(), bench_url.clone())?;
        let bench_pool = PgPoolOptions::new().max_connections(1).connect(&bench_url).await?;
        sqlx::raw_sql(PAIR_TABLES).execute(&bench_pool).await?;
        bench_pool.close().await;

        let setting = |service, key: &str, value: &str| (service, key.to_owned(), value.to_owned());
        let settings = vec![
            setting(Service::Directory, "CALLBOARD__DIRECTORY__ISSUER__ACCESS_TOKEN_LIFETIME", "1h"),
            setting(Service::Gateway, "CALLBOARD__GATEWAY__LIVE__MAX_STREAMS_PER_PRINCIPAL", "100000"),
        ];
        let platform = Platform::prepare_on(postgres, nats, settings).up().await;
        let pool = PgPoolOptions::new().max_connections(4).connect(&platform.database_url()).await?;
        let client = async_nats::connect(platform.nats_url()).await?;
        let told = told(&pool, &client.server_info().version, options).await?;
        World::make(&platform, DOMAIN).await;
        let jetstream = jetstream::new(client);
        Ok(Self { platform, pool, pgbench, bench_url, postgres_log, servers, told, jetstream })
    }

    /// The administrator of the main organisation.
    ///
    /// # Errors
    /// The directory does not answer.
    pub async fn admin(&self) -> Result<Client, Failure> {
        self.person("ada").await
    }

    /// Somebody of the main organisation, by the first part of the address.
    ///
    /// # Errors
    /// There is nobody of this name.
    pub async fn person(&self, name: &str) -> Result<Client, Failure> {
        Ok(Client::new(self.platform.gateway_url()).as_person(&format!("{name}@{DOMAIN}")).await?)
    }

    /// A token of theirs.
    ///
    /// # Errors
    /// See [`House::person`].
    pub async fn token(&self, name: &str) -> Result<String, Failure> {
        Ok(self.person(name).await?.token().unwrap_or_default().to_owned())
    }

    /// The address of a service's gRPC server.
    pub fn grpc(&self, service: Service) -> String {
        self.platform.grpc_url(service)
    }

    /// CPU used so far.
    pub fn cpu(&self) -> Cpu {
        Cpu {
            services: Service::ALL
                .map(|service| (service.name(), cpu_ms(self.platform.process_id(service))))
                .to_vec(),
            nats: cpu_ms(self.servers.1),
            postgres: cpu_ms(self.servers.0),
        }
    }

    /// Begins to count statements anew.
    ///
    /// # Errors
    /// They are not counted.
    pub async fn count_statements(&self) -> Result<(), Failure> {
        sqlx::raw_sql("select public.pg_stat_statements_reset()").execute(&self.pool).await?;
        Ok(())
    }

    /// What each statement since cost, the dearest first.
    ///
    /// # Errors
    /// They are not counted.
    pub async fn statements(&self, count: u64) -> Result<String, Failure> {
        let rows: Vec<(i64, f64, i64, i64, i64, String)> = sqlx::query_as(
            "select calls, total_exec_time + total_plan_time, rows, shared_blks_dirtied, wal_bytes::int8,
             regexp_replace(left(query, 4000), '\\s+', ' ', 'g') from public.pg_stat_statements
             order by total_exec_time + total_plan_time desc limit 25",
        )
        .fetch_all(&self.pool)
        .await?;
        let mut text = format!("for {count} calls: statements, ms, rows, blocks dirtied, WAL bytes, text\n");
        for (calls, ms, rows, dirtied, wal, query) in rows {
            let short: String = query.chars().take(160).collect();
            text.push_str(&format!("{calls:>8} {ms:>10.1} {rows:>9} {dirtied:>8} {wal:>11}  {short}\n"));
        }
        Ok(text)
    }

    /// Waits until all events are out and everybody has reacted to them; how long that took.
    ///
    /// # Errors
    /// It never ends.
    pub async fn settle(&self) -> Result<Duration, Failure> {
        let began = Instant::now();
        let mut look = interval(Duration::from_millis(50));
        let mut quiet = 0;
        while quiet < 2 {
            look.tick().await;
            quiet = if self.unpublished().await? == 0 && self.unread().await? == 0 { quiet + 1 } else { 0 };
            if began.elapsed() > PATIENCE {
                return Err("the platform does not come to rest".into());
            }
        }
        Ok(began.elapsed())
    }

    /// How many drawers hold something of a ticket.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn notified(&self, ticket: Uuid) -> Result<i64, Failure> {
        let sql = "select count(distinct person) from notifications.entry where subject_id = $1";
        Ok(sqlx::query_scalar(sql).bind(ticket).fetch_one(&self.pool).await?)
    }

    async fn unpublished(&self) -> Result<i64, Failure> {
        let all: Vec<String> = Service::contexts()
            .map(Service::name)
            .map(|context| format!("(select count(*) from {context}.outbox where stream_seq is null)"))
            .collect();
        let sql = format!("select {}", all.join(" + "));
        Ok(sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(&self.pool).await?)
    }

    /// Events that a consumer has not acknowledged yet.
    async fn unread(&self) -> Result<u64, Failure> {
        let mut left = 0;
        let streams: Vec<_> = self.jetstream.streams().try_collect().await?;
        for stream in streams.into_iter().filter(|stream| stream.config.name != crate::rows::accept::CHAIN) {
            let stream = self.jetstream.get_stream(stream.config.name).await?;
            let consumers: Vec<_> = stream.consumers().try_collect().await?;
            // Those without a name are readers of live streams.
            let lasting = consumers.iter().filter(|consumer| consumer.config.durable_name.is_some());
            left += lasting.map(|one| one.num_pending + one.num_ack_pending as u64).sum::<u64>();
        }
        Ok(left)
    }

    /// A client of the same NATS server's JetStream.
    pub fn jetstream(&self) -> &jetstream::Context {
        &self.jetstream
    }

    /// A template without flows, and a device of it. With a group of a department and ratings, where wanted.
    ///
    /// # Errors
    /// What the gateway refuses.
    pub async fn kind(
        &self,
        admin: &Client,
        name: &str,
        department: Option<&str>,
        rated: bool,
    ) -> Result<Kind, Failure> {
        let template = post(admin, "/v1/templates", json!({"name": {"en": name, "de": name}})).await?;
        let template = text(&template, "id")?;
        if let Some(department) = department {
            let group = json!({"name": name, "departmentIds": [department]});
            put(admin, &format!("/v1/templates/{template}/groups/{}", RandomIds.next()), group).await?;
        }
        if rated {
            let switches = json!({"tickets": true, "videoSessions": false});
            put(admin, &format!("/v1/templates/{template}/ratingSwitches"), switches).await?;
        }
        let device = json!({"name": name, "serialNumber": name, "templateId": template, "departmentIds": []});
        let device = text(&post(admin, "/v1/devices", device).await?, "id")?;
        self.settle().await?;
        Ok(Kind { device })
    }

    /// A department of so many members; their names and ids.
    ///
    /// # Errors
    /// What the gateway refuses.
    pub async fn department(
        &self,
        admin: &Client,
        name: &str,
        members: usize,
    ) -> Result<(String, Vec<(String, String)>), Failure> {
        self.department_of(admin, name, members, "MEMBER").await
    }

    /// A department of so many people of a role; their names and ids.
    ///
    /// # Errors
    /// What the gateway refuses.
    pub async fn department_of(
        &self,
        admin: &Client,
        name: &str,
        members: usize,
        role: &str,
    ) -> Result<(String, Vec<(String, String)>), Failure> {
        let department = text(&post(admin, "/v1/departments", json!({"name": name})).await?, "id")?;
        let admin = Arc::new(admin.clone());
        let mut people = Vec::new();
        for chunk in (0..members).collect::<Vec<_>>().chunks(16) {
            let made = chunk.iter().map(|at| {
                let person = format!("{name}{at}");
                let body = json!({
                    "name": person, "email": format!("{person}@{DOMAIN}"), "role": role, "language": "en",
                    "departmentIds": [department], "teamIds": [],
                });
                let admin = Arc::clone(&admin);
                async move {
                    let made = post(&admin, "/v1/employees", body).await?;
                    Ok::<_, Failure>((person, text(&made, "id")?))
                }
            });
            people.extend(futures::future::try_join_all(made).await?);
        }
        self.settle().await?;
        Ok((department, people))
    }
}

/// Makes something through the gateway.
///
/// # Errors
/// What it refuses.
pub async fn post(client: &Client, path: &str, body: Value) -> Result<Value, Failure> {
    Ok(client.send(Method::POST, path, Some(body), Some(RandomIds.next())).await?)
}

/// Puts something as soon as its context knows what it belongs to.
async fn put(client: &Client, path: &str, body: Value) -> Result<Value, Failure> {
    Ok(client.send_when_known(Method::PUT, path, Some(body), Some(RandomIds.next())).await?)
}

async fn told(pool: &PgPool, nats: &str, options: &Options) -> Result<Vec<(String, String)>, Failure> {
    let mut told = vec![("cores".to_owned(), crate::process::cores().to_string())];
    for setting in ["server_version", "fsync", "synchronous_commit", "shared_buffers"] {
        let value: String =
            sqlx::query_scalar("select current_setting($1)").bind(setting).fetch_one(pool).await?;
        told.push((format!("postgres {setting}"), value));
    }
    told.push(("nats".to_owned(), nats.to_owned()));
    told.push(("nats sync_interval".to_owned(), "1s".to_owned()));
    told.push(("seconds, rounds".to_owned(), format!("{:?}, {}", options.span, options.rounds)));
    Ok(told)
}

/// An id as gRPC wants it.
pub fn new_id() -> String {
    let id: Uuid = RandomIds.next();
    id.to_string()
}
