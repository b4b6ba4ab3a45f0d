//! The messages of the kinds of records.

use std::collections::BTreeMap;

use callboard_directory_domain::{
    Customer, CustomerKind, CustomerUser, Department, Device, Employee, Facts, Kept, MAX_NAMES,
    MAX_REFERENCES, MetaTeam, Name, Names, Organisation, SupportRole, Team, Template,
};
use callboard_kernel::{Isolation, Language, Principal, Refusal, Role, Version};
use callboard_proto::common::v1::LocalizedText;
use callboard_proto::directory::v1 as proto;
use callboard_service::convert::{from_proto_role, to_proto_role, to_proto_time};
use futures::future::BoxFuture;
use uuid::Uuid;

use super::directory_service::seen_templates;
use super::exposed::{Exposed, Readers};
use super::fields::Fields;
use super::refusal;
use crate::directory::{Directory, Records};
use crate::store::read::Filter;
use crate::store::{ReadError, lookups};

fn texts<T: ToString>(ids: &[T]) -> Vec<String> {
    ids.iter().map(ToString::to_string).collect()
}

/// A name in several languages, as protobuf has it.
pub fn localized_text(names: &Names) -> LocalizedText {
    let pair =
        |(language, name): (&Language, &Name)| (language.as_str().to_owned(), name.as_str().to_owned());
    LocalizedText { by_language: names.0.iter().map(pair).collect() }
}

/// The kind of a customer, as protobuf has it.
pub const fn to_proto_customer_kind(kind: CustomerKind) -> proto::CustomerKind {
    match kind {
        CustomerKind::Private => proto::CustomerKind::Private,
        CustomerKind::Corporate => proto::CustomerKind::Corporate,
    }
}

/// An organisation without times and etag: as events carry it.
pub fn organisation_message(id: Uuid, organisation: &Organisation) -> proto::Organisation {
    let isolation = match organisation.isolation {
        Isolation::Off => proto::Isolation::Off,
        Isolation::Basic => proto::Isolation::Basic,
        Isolation::Strict => proto::Isolation::Strict,
    };
    proto::Organisation {
        id: id.to_string(),
        name: organisation.name.as_str().to_owned(),
        isolation: isolation.into(),
        language: organisation.language.as_str().to_owned(),
        time_zone: organisation.time_zone.clone(),
        ..proto::Organisation::default()
    }
}

/// A message of these fields, with id, times and etag.
macro_rules! message {
    ($kind:ident, $kept:ident, $version:ident, { $($field:ident: $value:expr),* $(,)? }) => {
        proto::$kind {
            id: $kept.id.to_string(),
            $($field: $value,)*
            create_time: Some(to_proto_time($kept.created_at)),
            update_time: Some(to_proto_time($kept.updated_at)),
            etag: $version.etag(),
        }
    };
}

/// What a field names must be there. Nothing tells what is of another organisation from what never was.
async fn named(
    directory: &Directory,
    principal: &Principal,
    kind: &'static str,
    field: &str,
    ids: &[Uuid],
    fields: &Fields,
) -> Result<(), Refusal> {
    if !fields.wants(field) {
        return Ok(());
    }
    // The tables are named as the kinds are.
    match lookups::missing(&directory.pool, kind, principal.organisation, ids).await?.first() {
        Some(missing) => Err(Refusal::missing(kind, missing)),
        None => Ok(()),
    }
}

fn uuids<T: Copy + Into<Uuid>>(ids: &[T]) -> Vec<Uuid> {
    ids.iter().map(|id| (*id).into()).collect()
}

async fn email_free(
    directory: &Directory,
    principal: &Principal,
    id: Uuid,
    email: &callboard_directory_domain::Email,
    fields: &Fields,
) -> Result<(), Refusal> {
    let taken = fields.wants("email")
        && lookups::email_taken(&directory.pool, principal.organisation, email.as_str(), id).await?;
    if taken { Err(refusal::email_taken()) } else { Ok(()) }
}

impl Exposed for Organisation {
    type Message = proto::Organisation;
    const READERS: Readers = Readers::Everyone;

    fn registry(directory: &Directory) -> &Records<Self> {
        &directory.organisations
    }

    fn address(message: &proto::Organisation) -> (&str, &str) {
        (&message.id, &message.etag)
    }

    fn parse(message: &proto::Organisation, fields: &mut Fields) -> Self {
        let isolation = match message.isolation() {
            proto::Isolation::Off => Isolation::Off,
            proto::Isolation::Basic => Isolation::Basic,
            proto::Isolation::Strict => Isolation::Strict,
            proto::Isolation::Unspecified => {
                if fields.wants("isolation") {
                    fields.refuse("isolation", "off, basic or strict");
                }
                Isolation::Off
            }
        };
        Self {
            name: fields.name("name", &message.name),
            isolation,
            language: fields.language("language", &message.language),
            time_zone: fields.time_zone("time_zone", &message.time_zone),
        }
    }

    fn message(kept: &Kept<Self>, version: Version) -> proto::Organisation {
        proto::Organisation {
            create_time: Some(to_proto_time(kept.created_at)),
            update_time: Some(to_proto_time(kept.updated_at)),
            etag: version.etag(),
            ..organisation_message(kept.id, &kept.value)
        }
    }
}

fn support_roles(message: &proto::Employee, fields: &mut Fields) -> Vec<SupportRole> {
    let mut roles = Vec::new();
    for role in message.support_roles() {
        match role {
            proto::SupportRole::Care => roles.push(SupportRole::Care),
            proto::SupportRole::Access => roles.push(SupportRole::Access),
            proto::SupportRole::Sales => roles.push(SupportRole::Sales),
            proto::SupportRole::Unspecified => {
                if fields.wants("support_roles") {
                    fields.refuse("support_roles", "care, access or sales");
                }
                return Vec::new();
            }
        }
    }
    roles.sort_unstable();
    roles.dedup();
    roles
}

/// A field of work, as protobuf has it.
pub const fn to_proto_support_role(role: SupportRole) -> proto::SupportRole {
    match role {
        SupportRole::Care => proto::SupportRole::Care,
        SupportRole::Access => proto::SupportRole::Access,
        SupportRole::Sales => proto::SupportRole::Sales,
    }
}

impl Exposed for Employee {
    type Message = proto::Employee;
    const READERS: Readers = Readers::Employees;

    fn registry(directory: &Directory) -> &Records<Self> {
        &directory.employees
    }

    fn address(message: &proto::Employee) -> (&str, &str) {
        (&message.id, &message.etag)
    }

    fn parse(message: &proto::Employee, fields: &mut Fields) -> Self {
        let role = from_proto_role(message.role()).unwrap_or_else(|| {
            if fields.wants("role") {
                fields.refuse("role", "member, moderator or administrator");
            }
            Role::Member
        });
        Self {
            name: fields.name("name", &message.name),
            email: fields.email("email", &message.email),
            role,
            language: fields.language("language", &message.language),
            departments: fields.ids("department_ids", &message.department_ids),
            teams: fields.ids("team_ids", &message.team_ids),
            support_roles: support_roles(message, fields),
            auth_epoch: 0,
        }
    }

    fn message(kept: &Kept<Self>, version: Version) -> proto::Employee {
        let value = &kept.value;
        message!(Employee, kept, version, {
            name: value.name.as_str().to_owned(),
            email: value.email.as_str().to_owned(),
            role: to_proto_role(value.role).into(),
            language: value.language.as_str().to_owned(),
            department_ids: texts(&value.departments),
            team_ids: texts(&value.teams),
            support_roles: value.support_roles.iter().map(|&role| to_proto_support_role(role).into()).collect(),
        })
    }

    fn references<'a>(
        directory: &'a Directory,
        principal: &'a Principal,
        id: Uuid,
        value: &'a Self,
        fields: &'a mut Fields,
    ) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async move {
            let departments = uuids(&value.departments);
            named(directory, principal, "department", "department_ids", &departments, fields).await?;
            named(directory, principal, "team", "team_ids", &uuids(&value.teams), fields).await?;
            email_free(directory, principal, id, &value.email, fields).await
        })
    }

    fn facts<'a>(
        directory: &'a Directory,
        principal: &'a Principal,
        id: Uuid,
    ) -> BoxFuture<'a, Result<Facts, ReadError>> {
        Box::pin(async move {
            let no_other_administrator =
                lookups::no_other_administrator(&directory.pool, principal.organisation, id).await?;
            Ok(Facts { no_other_administrator, ..Facts::default() })
        })
    }
}

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

impl Exposed for CustomerUser {
    type Message = proto::CustomerUser;
    const READERS: Readers = Readers::Moderators;
    const FIXED: &'static [&'static str] = &["customer_id"];

    fn registry(directory: &Directory) -> &Records<Self> {
        &directory.customer_users
    }

    fn address(message: &proto::CustomerUser) -> (&str, &str) {
        (&message.id, &message.etag)
    }

    fn parse(message: &proto::CustomerUser, fields: &mut Fields) -> Self {
        Self {
            customer: fields.id("customer_id", &message.customer_id).into(),
            name: fields.name("name", &message.name),
            email: fields.email("email", &message.email),
            language: fields.language("language", &message.language),
            auth_epoch: 0,
        }
    }

    fn message(kept: &Kept<Self>, version: Version) -> proto::CustomerUser {
        let value = &kept.value;
        message!(CustomerUser, kept, version, {
            customer_id: value.customer.to_string(),
            name: value.name.as_str().to_owned(),
            email: value.email.as_str().to_owned(),
            language: value.language.as_str().to_owned(),
        })
    }

    fn references<'a>(
        directory: &'a Directory,
        principal: &'a Principal,
        id: Uuid,
        value: &'a Self,
        fields: &'a mut Fields,
    ) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async move {
            if fields.wants("customer_id") {
                let customer = value.customer.uuid();
                match lookups::customer_kind(&directory.pool, principal.organisation, customer).await? {
                    Some(CustomerKind::Corporate) => {}
                    Some(CustomerKind::Private) => {
                        fields.refuse("customer_id", "must name a corporate customer");
                    }
                    None => return Err(Refusal::missing("customer", customer)),
                }
            }
            email_free(directory, principal, id, &value.email, fields).await
        })
    }
}

impl Exposed for Device {
    type Message = proto::Device;
    const READERS: Readers = Readers::Everyone;
    const FIXED: &'static [&'static str] = &["template_id"];

    fn registry(directory: &Directory) -> &Records<Self> {
        &directory.devices
    }

    fn address(message: &proto::Device) -> (&str, &str) {
        (&message.id, &message.etag)
    }

    fn parse(message: &proto::Device, fields: &mut Fields) -> Self {
        Self {
            template: fields.id("template_id", &message.template_id).into(),
            name: fields.name("name", &message.name),
            serial_number: fields.text("serial_number", &message.serial_number, MAX_NAMES),
            customer: fields.optional_id("customer_id", &message.customer_id).map(Into::into),
            departments: fields.ids("department_ids", &message.department_ids),
            time_zone: fields.time_zone("time_zone", &message.time_zone),
        }
    }

    fn message(kept: &Kept<Self>, version: Version) -> proto::Device {
        let value = &kept.value;
        message!(Device, kept, version, {
            template_id: value.template.to_string(),
            name: value.name.as_str().to_owned(),
            serial_number: value.serial_number.clone(),
            customer_id: value.customer.map(|id| id.to_string()).unwrap_or_default(),
            department_ids: texts(&value.departments),
            time_zone: value.time_zone.clone(),
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
            named(directory, principal, "template", "template_id", &[value.template.uuid()], fields).await?;
            let customer: Vec<Uuid> = value.customer.into_iter().map(Into::into).collect();
            named(directory, principal, "customer", "customer_id", &customer, fields).await?;
            let departments = uuids(&value.departments);
            named(directory, principal, "department", "department_ids", &departments, fields).await
        })
    }
}

impl Exposed for Template {
    type Message = proto::Template;
    const READERS: Readers = Readers::Everyone;

    fn registry(directory: &Directory) -> &Records<Self> {
        &directory.templates
    }

    fn address(message: &proto::Template) -> (&str, &str) {
        (&message.id, &message.etag)
    }

    fn parse(message: &proto::Template, fields: &mut Fields) -> Self {
        let mut names = BTreeMap::new();
        if fields.wants("name") {
            let given = message.name.as_ref().map(|name| &name.by_language);
            for (tag, text) in given.into_iter().flatten() {
                match (tag.parse::<Language>(), Name::parse(text)) {
                    (Ok(language), Ok(name)) => drop(names.insert(language, name)),
                    (Err(_), _) => fields.refuse(&format!("name.by_language[{tag:?}]"), "en or de"),
                    (_, Err(rule)) => fields.refuse(&format!("name.by_language[{tag:?}]"), rule),
                }
            }
            if given.is_none_or(BTreeMap::is_empty) {
                fields.refuse("name", "is required in at least one language");
            }
        }
        Self { name: Names(names) }
    }

    fn seen(principal: &Principal) -> Option<Filter> {
        seen_templates(principal)
    }

    fn message(kept: &Kept<Self>, version: Version) -> proto::Template {
        message!(Template, kept, version, { name: Some(localized_text(&kept.value.name)) })
    }

    fn facts<'a>(
        directory: &'a Directory,
        principal: &'a Principal,
        id: Uuid,
    ) -> BoxFuture<'a, Result<Facts, ReadError>> {
        Box::pin(async move {
            let used_by = lookups::template_used_by(&directory.pool, principal.organisation, id).await?;
            Ok(Facts { used_by, ..Facts::default() })
        })
    }
}
