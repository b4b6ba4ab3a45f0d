//! Customers.

use std::collections::BTreeMap;

use callboard_directory_domain::{Customer, CustomerKind, Facts, Kept, MAX_REFERENCES};
use callboard_kernel::{Principal, Refusal, Version};
use callboard_proto::directory::v1 as proto;
use callboard_service::convert::to_proto_time;
use futures::future::BoxFuture;
use uuid::Uuid;

use super::{message, named};
use crate::api::exposed::{Exposed, Readers};
use crate::api::fields::Fields;
use crate::directory::{Directory, Records};
use crate::store::{ReadError, lookups};

/// The kind of a customer, as protobuf has it.
pub const fn to_proto_customer_kind(kind: CustomerKind) -> proto::CustomerKind {
    match kind {
        CustomerKind::Private => proto::CustomerKind::Private,
        CustomerKind::Corporate => proto::CustomerKind::Corporate,
    }
}
impl Exposed for Customer {
    type Message = proto::Customer;
    const READERS: Readers = Readers::Employees;

    fn registry(directory: &Directory) -> &Records<Self> {
        &directory.customers
    }

    fn address(message: &proto::Customer) -> (&str, &str) {
        (&message.id, &message.etag)
    }

    fn parse(message: &proto::Customer, fields: &mut Fields) -> Self {
        let kind = match message.kind() {
            proto::CustomerKind::Private => CustomerKind::Private,
            proto::CustomerKind::Corporate => CustomerKind::Corporate,
            proto::CustomerKind::Unspecified => {
                if fields.wants("kind") {
                    fields.refuse("kind", "private or corporate");
                }
                CustomerKind::Private
            }
        };
        let mut serving = BTreeMap::new();
        if fields.wants("serving_team_ids") {
            if message.serving_team_ids.len() > MAX_REFERENCES {
                fields.refuse("serving_team_ids", "at most 200");
            }
            for (meta, team) in &message.serving_team_ids {
                match (meta.parse::<Uuid>(), team.parse::<Uuid>()) {
                    (Ok(meta), Ok(team)) => drop(serving.insert(meta.into(), team.into())),
                    _ => fields.refuse("serving_team_ids", "maps UUIDs of meta teams to UUIDs of teams"),
                }
            }
        }
        Self { name: fields.name("name", &message.name), kind, serving }
    }

    fn message(kept: &Kept<Self>, version: Version) -> proto::Customer {
        let value = &kept.value;
        message!(Customer, kept, version, {
            name: value.name.as_str().to_owned(),
            kind: to_proto_customer_kind(value.kind).into(),
            serving_team_ids: value.serving.iter().map(|(meta, team)| (meta.to_string(), team.to_string())).collect(),
        })
    }

    fn references<'a>(
        directory: &'a Directory,
        principal: &'a Principal,
        _id: Uuid,
        value: &'a Self,
        fields: &'a mut Fields,
    ) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async move {
            let (metas, teams): (Vec<Uuid>, Vec<Uuid>) =
                value.serving.iter().map(|(meta, team)| (meta.uuid(), team.uuid())).unzip();
            named(directory, principal, "meta_team", "serving_team_ids", &metas, fields).await?;
            named(directory, principal, "team", "serving_team_ids", &teams, fields).await?;
            let pairs: Vec<(Uuid, Uuid)> =
                value.serving.iter().map(|(meta, team)| (meta.uuid(), team.uuid())).collect();
            for meta in lookups::not_in_meta_team(&directory.pool, principal.organisation, &pairs).await? {
                let field = format!("serving_team_ids[{meta}]");
                fields.refuse(&field, "must be one of the meta team's teams");
            }
            Ok(())
        })
    }

    fn facts<'a>(
        directory: &'a Directory,
        principal: &'a Principal,
        id: Uuid,
    ) -> BoxFuture<'a, Result<Facts, ReadError>> {
        Box::pin(async move {
            let used_by = lookups::customer_used_by(&directory.pool, principal.organisation, id).await?;
            let has_users = lookups::customer_has_users(&directory.pool, principal.organisation, id).await?;
            Ok(Facts { used_by, has_users, ..Facts::default() })
        })
    }
}
