//! The messages of the kinds of records: how each is read from a request, checked against the others, and shown.

mod customers;
mod devices;
mod organisations;
mod people;
mod units;

use callboard_directory_domain::{Name, Names};
use callboard_kernel::{Language, Principal, Refusal};
use callboard_proto::common::v1::LocalizedText;
use uuid::Uuid;

pub use customers::to_proto_customer_kind;
pub use organisations::organisation_message;
pub use people::to_proto_support_role;

use super::fields::Fields;
use crate::directory::Directory;
use crate::store::lookups;

fn texts<T: ToString>(ids: &[T]) -> Vec<String> {
    ids.iter().map(ToString::to_string).collect()
}

/// A name in several languages, as protobuf has it.
pub fn localized_text(names: &Names) -> LocalizedText {
    let pair =
        |(language, name): (&Language, &Name)| (language.as_str().to_owned(), name.as_str().to_owned());
    LocalizedText { by_language: names.0.iter().map(pair).collect() }
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
use message;

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
