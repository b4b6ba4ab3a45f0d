//! Employees and customers' users: who logs in.

use callboard_directory_domain::{CustomerKind, CustomerUser, Email, Employee, Facts, Kept, SupportRole};
use callboard_kernel::{Principal, Refusal, Role, Version};
use callboard_proto::directory::v1 as proto;
use callboard_service::convert::{from_proto_role, to_proto_role, to_proto_time};
use futures::future::BoxFuture;
use uuid::Uuid;

use super::{message, named, texts, uuids};
use crate::api::exposed::{Exposed, Readers};
use crate::api::fields::Fields;
use crate::api::refusal;
use crate::directory::{Directory, Records};
use crate::store::{ReadError, lookups};

async fn email_free(
    directory: &Directory,
    principal: &Principal,
    id: Uuid,
    email: &Email,
    fields: &Fields,
) -> Result<(), Refusal> {
    let taken = fields.wants("email")
        && lookups::email_taken(&directory.pool, principal.organisation, email.as_str(), id).await?;
    if taken { Err(refusal::email_taken()) } else { Ok(()) }
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
