//! Devices and their templates.

use std::collections::BTreeMap;

use callboard_directory_domain::{Device, Facts, Kept, MAX_NAMES, Name, Names, Template};
use callboard_kernel::{Language, Principal, Refusal, Version};
use callboard_proto::directory::v1 as proto;
use callboard_service::convert::to_proto_time;
use futures::future::BoxFuture;
use uuid::Uuid;

use super::{localized_text, message, named, texts, uuids};
use crate::api::directory_service::seen_templates;
use crate::api::exposed::{Exposed, Readers};
use crate::api::fields::Fields;
use crate::directory::{Directory, Records};
use crate::store::read::Filter;
use crate::store::{ReadError, lookups};

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
