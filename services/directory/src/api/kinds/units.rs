//! Departments, teams and meta teams.

use callboard_directory_domain::{Department, Facts, Kept, MetaTeam, Team};
use callboard_kernel::{Principal, Refusal, Version};
use callboard_proto::directory::v1 as proto;
use callboard_service::convert::to_proto_time;
use futures::future::BoxFuture;
use uuid::Uuid;

use super::{message, named, texts, uuids};
use crate::api::exposed::{Exposed, Readers};
use crate::api::fields::Fields;
use crate::directory::{Directory, Records};
use crate::store::{ReadError, lookups};

impl Exposed for Department {
    type Message = proto::Department;
    const READERS: Readers = Readers::Employees;

    fn registry(directory: &Directory) -> &Records<Self> {
        &directory.departments
    }

    fn address(message: &proto::Department) -> (&str, &str) {
        (&message.id, &message.etag)
    }

    fn parse(message: &proto::Department, fields: &mut Fields) -> Self {
        Self { name: fields.name("name", &message.name) }
    }

    fn message(kept: &Kept<Self>, version: Version) -> proto::Department {
        message!(Department, kept, version, { name: kept.value.name.as_str().to_owned() })
    }

    fn facts<'a>(
        directory: &'a Directory,
        principal: &'a Principal,
        id: Uuid,
    ) -> BoxFuture<'a, Result<Facts, ReadError>> {
        Box::pin(async move {
            let used_by = lookups::department_used_by(&directory.pool, principal.organisation, id).await?;
            Ok(Facts { used_by, ..Facts::default() })
        })
    }
}

impl Exposed for Team {
    type Message = proto::Team;
    const READERS: Readers = Readers::Employees;

    fn registry(directory: &Directory) -> &Records<Self> {
        &directory.teams
    }

    fn address(message: &proto::Team) -> (&str, &str) {
        (&message.id, &message.etag)
    }

    fn parse(message: &proto::Team, fields: &mut Fields) -> Self {
        Self { name: fields.name("name", &message.name) }
    }

    fn message(kept: &Kept<Self>, version: Version) -> proto::Team {
        message!(Team, kept, version, { name: kept.value.name.as_str().to_owned() })
    }
}

impl Exposed for MetaTeam {
    type Message = proto::MetaTeam;
    const READERS: Readers = Readers::Employees;

    fn registry(directory: &Directory) -> &Records<Self> {
        &directory.meta_teams
    }

    fn address(message: &proto::MetaTeam) -> (&str, &str) {
        (&message.id, &message.etag)
    }

    fn parse(message: &proto::MetaTeam, fields: &mut Fields) -> Self {
        Self { name: fields.name("name", &message.name), teams: fields.ids("team_ids", &message.team_ids) }
    }

    fn message(kept: &Kept<Self>, version: Version) -> proto::MetaTeam {
        message!(MetaTeam, kept, version, {
            name: kept.value.name.as_str().to_owned(),
            team_ids: texts(&kept.value.teams),
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
            named(directory, principal, "team", "team_ids", &uuids(&value.teams), fields).await
        })
    }
}
