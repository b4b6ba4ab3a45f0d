//! What the hot path costs, counted between the service and its database.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use callboard_kernel::Role;
use callboard_proto::directory::v1 as directory;
use callboard_proto::tickets::v1 as proto;
use callboard_proto::tickets::v1::answer::Value;
use parking_lot::Mutex;
use sqlx::postgres::PgConnectOptions;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::TaskTracker;

use crate::flows::{answer, put_flow, repair};
use crate::support::*;

/// The statements that came through, in order: a listener of Postgres's protocol before the real server.
#[derive(Clone, Default)]
pub struct Statements {
    seen: Arc<Mutex<Vec<String>>>,
    connections: TaskTracker,
}

impl Statements {
    /// A listener before this address, and the address to use instead.
    pub async fn before(url: &str) -> (Self, String) {
        let options: PgConnectOptions = url.parse().unwrap();
        let server = format!("{}:{}", options.get_host(), options.get_port());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let own = listener.local_addr().unwrap().to_string();
        assert!(url.contains(&server), "an address with host and port");
        let url = url.replace(&server, &own);
        let statements = Self::default();
        let heard = statements.clone();
        statements.connections.spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let socket = TcpStream::connect(&server).await.unwrap();
                client.set_nodelay(true).unwrap();
                socket.set_nodelay(true).unwrap();
                let (from, mut to_client) = client.into_split();
                let (mut from_server, to) = socket.into_split();
                let seen = Arc::clone(&heard.seen);
                // Either side may go at any time.
                heard.connections.spawn(async move { listen(from, to, &seen).await.unwrap_or_default() });
                heard.connections.spawn(async move {
                    let _ = copy(&mut from_server, &mut to_client).await;
                });
            }
        });
        (statements, url)
    }

    /// What came since the last time.
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.seen.lock())
    }
}

/// Passes on what a client says, and notes each statement when it is carried out.
async fn listen(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    seen: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let mut prepared: HashMap<Vec<u8>, String> = HashMap::new();
    let mut portals: HashMap<Vec<u8>, String> = HashMap::new();
    let mut started = false;
    loop {
        // A connection begins with messages that have no type: a question for TLS, then the start itself.
        let kind = if started { from.read_u8().await? } else { 0 };
        let length = from.read_u32().await?;
        let mut body = vec![0; usize::try_from(length).unwrap() - 4];
        from.read_exact(&mut body).await?;
        let mut parts = body.split(|byte| *byte == 0);
        let mut part = || parts.next().unwrap_or_default();
        match kind {
            0 => started = body[..4] == [0, 3, 0, 0],
            b'Q' => seen.lock().push(String::from_utf8_lossy(part()).into_owned()),
            b'P' => {
                let name = part().to_vec();
                prepared.insert(name, String::from_utf8_lossy(part()).into_owned());
            }
            b'B' => {
                let portal = part().to_vec();
                portals.insert(portal, prepared.get(part()).cloned().unwrap_or_default());
            }
            b'E' => seen.lock().push(portals.get(part()).cloned().unwrap_or_default()),
            _ => {}
        }
        let kind = [kind];
        let message = [if kind == [0] { &[][..] } else { &kind }, &length.to_be_bytes(), &body].concat();
        to.write_all(&message).await?;
    }
}

/// What goes on beside the calls: outbox, timers, readiness. The commit names the outbox too.
fn is_background(statement: &str) -> bool {
    let of_others = ["outbox", "timer", "dead_letter", "relay-claim"];
    statement == "select 1"
        || (!statement.contains("_unit") && of_others.iter().any(|table| statement.contains(table)))
}

#[test]
fn creating_with_warm_caches_costs_a_number_and_a_commit() {
    alone(async {
        let (world, statements) = World::listened().await;
        let world: &'static World = Box::leak(Box::new(world));
        // Caches hold for two seconds: on a busy machine the measurement is made anew rather than with cold ones.
        loop {
            let tenant = Tenant::new(world).await;
            let department = id();
            let organisation = directory::Organisation {
                isolation: directory::Isolation::Strict.into(),
                ..Default::default()
            };
            let changed = directory::OrganisationChanged { organisation: Some(organisation), previous: None };
            world.publish(tenant.organisation, tenant.organisation, 1, &changed).await;
            tenant.known("organisation", tenant.organisation, 1).await;
            tenant.put_device(tenant.device, 2, None, &[department]).await;
            let flow = put_flow(&tenant, &repair(&tenant)).await;
            let member = tenant.employee_in(Role::Member, &[department]);
            let create = || proto::CreateTicketRequest {
                request_id: id().to_string(),
                device_id: tenant.device.to_string(),
                flow_id: flow.id.clone(),
                answers: vec![
                    answer("what", Value::Text("It leaks".into())),
                    answer("colour", Value::Choice("red".into())),
                ],
                open: true,
                ..Default::default()
            };
            let began = Instant::now();
            statements.take();
            member.create(create()).await.unwrap();
            let cold = statements.take();
            assert!(cold.iter().any(|statement| statement.contains(" from device ")), "{cold:#?}");
            for _ in 0..10 {
                member.create(create()).await.unwrap();
            }
            let warm = statements.take();
            if began.elapsed() > Duration::from_millis(1500) {
                continue;
            }
            let (numbers, rest): (Vec<String>, Vec<String>) =
                warm.into_iter().partition(|statement| statement.contains("number_counter"));
            let (commits, rest): (Vec<String>, Vec<String>) =
                rest.into_iter().partition(|statement| statement.contains("_unit"));
            let rest: Vec<String> = rest.into_iter().filter(|statement| !is_background(statement)).collect();
            assert_eq!((numbers.len(), commits.len()), (10, 10));
            assert_eq!(rest, Vec::<String>::new(), "nothing else is asked");
            break;
        }
    });
}
