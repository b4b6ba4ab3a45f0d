//! The gateway on the chassis.

use std::sync::Arc;

use callboard_service::{BackgroundTask, BoxError, BuildContext, Built, Definition, Lazily, Stage};
use futures::FutureExt;
use futures::future::BoxFuture;
use tonic::service::Routes;

use crate::config::Settings;
use crate::limits::Limits;
use crate::live::Hub;
use crate::signals::Sockets;
use crate::start::Visitors;
use crate::state::Gateway;
use crate::upstream::{SERVICES, Upstreams};
use crate::views::names::Names;

/// What needs no token over gRPC either; the older reflection serves clients that do not know the newer one.
const PUBLIC_RPCS: [&str; 14] = [
    "callboard.directory.v1.SessionService/LookUpCode",
    "callboard.directory.v1.SessionService/ScanCode",
    "callboard.directory.v1.SessionService/RefreshSession",
    "callboard.directory.v1.SessionService/EndSession",
    "callboard.directory.v1.SessionService/IssueDevelopmentToken",
    "callboard.tickets.v1.AttachmentService/DownloadAttachment",
    "callboard.messenger.v1.AttachmentService/DownloadAttachment",
    "callboard.tasks.v1.AttachmentService/DownloadAttachment",
    "callboard.video.v1.AttachmentService/DownloadAttachment",
    "callboard.video.v1.VideoService/UploadCallFile",
    "callboard.notifications.v1.AddressService/OpenLink",
    "callboard.notifications.v1.AddressService/Unsubscribe",
    "callboard.video.v1.VideoService/Signal",
    "grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
];

/// RPCs that pass through for as long as what they are sent. Their services limit how much that is.
pub const UNHURRIED_RPCS: [&str; 6] = [
    "callboard.tickets.v1.AttachmentService/UploadAttachment",
    "callboard.messenger.v1.AttachmentService/UploadAttachment",
    "callboard.tasks.v1.AttachmentService/UploadAttachment",
    "callboard.video.v1.AttachmentService/UploadAttachment",
    "callboard.video.v1.VideoService/UploadCallFile",
    "callboard.video.v1.VideoService/Signal",
];

/// The gateway, for its binary and for all contexts in one process.
pub fn definition() -> Definition {
    Definition {
        name: "gateway",
        default_config: include_str!("../config.default.toml"),
        check: |config| Settings::read(config).map(drop),
        migrations: None,
        uses_bus: true,
        build: |context| build(context).boxed(),
        operate: None,
    }
}

/// One route, for tests that must know all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteInfo {
    /// `GET`, `POST` …
    pub method: String,
    /// As callers write it: `/v1/tickets/{id}:submit`.
    pub path: &'static str,
    /// The RPC behind it; empty: several or none.
    pub rpc: &'static str,
    /// Whether it needs no token.
    pub open: bool,
}

/// Every REST route, in the order of the document.
pub fn routes() -> Vec<RouteInfo> {
    crate::routes::all()
        .into_iter()
        .flat_map(|resource| resource.routes)
        .map(|route| RouteInfo {
            method: route.method.to_string(),
            path: route.path,
            rpc: route.rpc,
            open: route.open,
        })
        .collect()
}

fn build(context: BuildContext) -> BoxFuture<'static, Result<Built, BoxError>> {
    async move {
        let settings = Settings::read(&context.config)?;
        let live = Arc::new(Hub::new(context.bus()?, &settings.live));
        let gateway = Arc::new(Gateway {
            upstreams: Upstreams::new(&settings.upstreams)?,
            limits: Limits::new(&settings.rate),
            sockets: Sockets::new(settings.calls.max_sockets),
            live: live.clone(),
            names: Names::default(),
            visitors: Visitors::default(),
            verifier: context.verifier.clone(),
            clock: context.clock.clone(),
            ids: context.ids.clone(),
            stopping: context.stop.requested.clone(),
            tracker: context.tracker.clone(),
            settings,
        });
        let mut routes = Routes::from(crate::app::router(&gateway));
        if context.config.grpc.reflection {
            // What older tools ask for.
            routes = routes.add_service(Lazily::new(|| {
                tonic_reflection::server::Builder::configure()
                    .register_encoded_file_descriptor_set(callboard_proto::FILE_DESCRIPTOR_SET)
                    .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
                    .build_v1alpha()
                    .ok()
            }));
        }
        let mut built = Built::new(routes, Vec::new());
        built.passed_names = SERVICES.to_vec();
        let upstreams = gateway.upstreams.clone();
        built.health = Some(Box::new(move |reporter| crate::health::follow(&upstreams, &reporter)));
        built.serves_http = true;
        built.public_rpcs = &PUBLIC_RPCS;
        built.unhurried_rpcs = &UNHURRIED_RPCS;
        let stop = context.stop.fetch.clone();
        built.tasks.push(BackgroundTask::new("live feed", Stage::Fetch, async move {
            stop.run_until_cancelled(live.run()).await;
            Ok(())
        }));
        let stop = context.stop.fetch.clone();
        built.tasks.push(BackgroundTask::new("rate limits", Stage::Fetch, async move {
            stop.run_until_cancelled(sweep(gateway)).await;
            Ok(())
        }));
        Ok(built)
    }
    .boxed()
}

/// Forgets full buckets, so that passing addresses do not stay in memory.
async fn sweep(gateway: Arc<Gateway>) {
    loop {
        tokio::time::sleep(std::time::Duration::from_secs(60)).await;
        gateway.limits.sweep();
    }
}
