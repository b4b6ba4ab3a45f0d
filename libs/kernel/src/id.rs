//! Typed UUIDs and where new ones come from.

use std::fmt::Debug;
use uuid::{Builder, Uuid};

use crate::{Clock, SystemClock};

/// Where new ids come from. Injected, so that tests decide them.
pub trait IdGenerator: Send + Sync + Debug {
    /// A new UUIDv7.
    fn next(&self) -> Uuid;
}

/// Ids for production: UUIDv7 of the system's clock and random bits.
#[derive(Debug, Default, Clone, Copy)]
pub struct RandomIds;

impl IdGenerator for RandomIds {
    fn next(&self) -> Uuid {
        let millis = u64::try_from(SystemClock.now().timestamp_millis()).unwrap_or_default();
        Builder::from_unix_timestamp_millis(millis, &rand::random()).into_uuid()
    }
}

/// A UUIDv5 of parts that together name one thing, such as consumer, event and target.
///
/// The parts are length-prefixed, so `["ab", "c"]` and `["a", "bc"]` differ.
pub fn derive_uuid(namespace: Uuid, parts: &[&[u8]]) -> Uuid {
    let mut name = Vec::with_capacity(parts.iter().map(|part| part.len() + 4).sum());
    for part in parts {
        name.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
        name.extend_from_slice(part);
    }
    Uuid::new_v5(&namespace, &name)
}

/// Defines a typed UUID. Contexts use it for ids of their own: `callboard_kernel::define_id! { /// … OfferId }`.
#[macro_export]
macro_rules! define_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub uuid::Uuid);

        impl $name {
            /// The UUID inside.
            pub const fn uuid(self) -> uuid::Uuid {
                self.0
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(&self.0, f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }

        impl From<uuid::Uuid> for $name {
            fn from(id: uuid::Uuid) -> Self {
                Self(id)
            }
        }

        impl From<$name> for uuid::Uuid {
            fn from(id: $name) -> Self {
                id.0
            }
        }
    };
}
pub(crate) use define_id;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derived_ids_do_not_confuse_where_a_part_ends() {
        let namespace = Uuid::nil();
        assert_ne!(derive_uuid(namespace, &[b"ab", b"c"]), derive_uuid(namespace, &[b"a", b"bc"]));
        assert_eq!(derive_uuid(namespace, &[b"ab", b"c"]), derive_uuid(namespace, &[b"ab", b"c"]));
    }

    #[test]
    fn random_ids_are_version_7() {
        assert_eq!(RandomIds.next().get_version_num(), 7);
    }
}
