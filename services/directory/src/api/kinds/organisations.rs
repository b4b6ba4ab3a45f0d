//! Organisations.

use callboard_directory_domain::{Kept, Organisation};
use callboard_kernel::{Isolation, Version};
use callboard_proto::directory::v1 as proto;
use callboard_service::convert::to_proto_time;
use uuid::Uuid;

use crate::api::exposed::{Exposed, Readers};
use crate::api::fields::Fields;
use crate::directory::{Directory, Records};

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
