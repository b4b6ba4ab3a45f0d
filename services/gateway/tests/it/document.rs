//! The document and the pages.

use std::collections::{BTreeSet, HashMap};

use prost::Message;
use prost_types::FileDescriptorSet;
use reqwest::Method;
use serde_json::Value;

use callboard_gateway::upstream::SERVICES;

use crate::world::World;

/// RPCs that no person calls: asked by the gateway itself.
const WITHOUT_A_ROUTE: [&str; 1] = ["callboard.tickets.v1.TicketService/CheckVisibility"];

#[test]
fn every_rpc_has_a_route() {
    let routes: BTreeSet<&str> = callboard_gateway::routes().iter().map(|route| route.rpc).collect();
    let files = FileDescriptorSet::decode(callboard_proto::FILE_DESCRIPTOR_SET).unwrap();
    let mut rpcs = 0;
    for file in &files.file {
        for service in &file.service {
            for method in &service.method {
                let rpc = format!("{}.{}/{}", file.package(), service.name(), method.name());
                // Of a context that is not behind the gateway yet.
                if !SERVICES.iter().any(|passed| rpc.starts_with(&format!("{passed}/"))) {
                    continue;
                }
                assert!(
                    routes.contains(rpc.as_str()) || WITHOUT_A_ROUTE.contains(&rpc.as_str()),
                    "{rpc} has no route"
                );
                rpcs += 1;
            }
        }
    }
    assert!(rpcs > 80);
}

#[test]
fn every_route_is_described_once_and_every_reference_leads_somewhere() {
    let document: Value = serde_json::from_str(callboard_gateway::openapi_json()).unwrap();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let mut ids: HashMap<String, String> = HashMap::new();
    for route in callboard_gateway::routes() {
        let operation = &document["paths"][route.path][route.method.to_lowercase()];
        let place = format!("{} {}", route.method, route.path);
        assert!(operation["summary"].as_str().is_some_and(|summary| !summary.is_empty()), "{place}");
        assert_eq!(operation.get("security").is_none(), route.open, "{place}");
        assert!(operation["responses"]["default"].is_object(), "{place}");
        let id = operation["operationId"].as_str().unwrap_or_default().to_owned();
        assert!(!id.is_empty(), "{place}");
        if let Some(other) = ids.insert(id.clone(), place.clone()) {
            panic!("{id} names {place} and {other}");
        }
    }
    let text = callboard_gateway::openapi_json();
    let prefix = "#/components/schemas/";
    for (index, _) in text.match_indices(prefix) {
        let name = text[index + prefix.len()..].split('"').next().unwrap();
        assert!(document["components"]["schemas"][name].is_object(), "{name} is not described");
    }
}

#[tokio::test]
async fn the_pages_are_served_and_load_nothing_from_elsewhere() {
    let world = World::new().await;
    for (path, word) in [
        ("/docs", "/v1/offers/{id}:accept"),
        ("/docs/errors", "id=\"OFFER_FILLED\""),
        ("/openapi.json", "3.1"),
    ] {
        let response = world.anonymous(Method::GET, path).send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        let text = response.text().await.unwrap();
        assert!(text.contains(word), "{path}");
        for foreign in ["<script", "src=\"http", "href=\"http"] {
            assert!(!text.contains(foreign), "{path} has {foreign}");
        }
    }
    assert_eq!(world.anonymous(Method::GET, "/").send().await.unwrap().headers()["location"], "/docs");
}
