//! How a shape of ours mirrors a message: field by field, both ways, written once.

use std::collections::BTreeMap;

/// A value that mirrors a protobuf value.
pub trait Mirror<P>: Sized {
    /// From what a service said.
    fn out(proto: P) -> Self;
    /// To what a service is told.
    fn back(self) -> P;
}

/// Whether a value is left out of the JSON.
pub trait Absent {
    /// True when there is nothing to show.
    fn absent(&self) -> bool {
        false
    }
}

impl<T> Absent for Option<T> {
    fn absent(&self) -> bool {
        self.is_none()
    }
}
impl<T> Absent for Vec<T> {}
impl<K, V> Absent for BTreeMap<K, V> {}

macro_rules! plain {
    ($($type:ty),*) => {$(
        impl Absent for $type {}
        impl Mirror<$type> for $type {
            fn out(proto: $type) -> Self {
                proto
            }
            fn back(self) -> $type {
                self
            }
        }
    )*};
}
plain!(String, bool, i32, i64, f64);

impl Mirror<BTreeMap<String, String>> for BTreeMap<String, String> {
    fn out(proto: BTreeMap<String, String>) -> Self {
        proto
    }
    fn back(self) -> BTreeMap<String, String> {
        self
    }
}

/// The empty text of protobuf is "not set".
impl Mirror<String> for Option<String> {
    fn out(proto: String) -> Self {
        (!proto.is_empty()).then_some(proto)
    }
    fn back(self) -> String {
        self.unwrap_or_default()
    }
}

macro_rules! zero_is_unset {
    ($($type:ty),*) => {$(
        impl Mirror<$type> for Option<$type> {
            fn out(proto: $type) -> Self {
                (proto != 0).then_some(proto)
            }
            fn back(self) -> $type {
                self.unwrap_or_default()
            }
        }
    )*};
}
zero_is_unset!(i32, i64);

impl<P, T: Mirror<P>> Mirror<Option<P>> for Option<T> {
    fn out(proto: Option<P>) -> Self {
        proto.map(T::out)
    }
    fn back(self) -> Option<P> {
        self.map(T::back)
    }
}

impl<P, T: Mirror<P>> Mirror<Vec<P>> for Vec<T> {
    fn out(proto: Vec<P>) -> Self {
        proto.into_iter().map(T::out).collect()
    }
    fn back(self) -> Vec<P> {
        self.into_iter().map(T::back).collect()
    }
}

/// Defines an enum of stable words and how it mirrors a protobuf enum: unspecified and unknown are "not set".
macro_rules! words {
    ($($(#[$doc:meta])* $name:ident of $proto:ty { $($(#[$variant_doc:meta])* $variant:ident),* $(,)? })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
        #[serde(rename_all = "SCREAMING_SNAKE_CASE")]
        pub enum $name {
            $($(#[$variant_doc])* $variant),*
        }

        impl crate::model::mirror::Mirror<i32> for Option<$name> {
            fn out(proto: i32) -> Self {
                match <$proto>::try_from(proto) {
                    $(Ok(<$proto>::$variant) => Some($name::$variant),)*
                    Ok(<$proto>::Unspecified) | Err(_) => None,
                }
            }
            fn back(self) -> i32 {
                match self {
                    $(Some($name::$variant) => <$proto>::$variant.into(),)*
                    None => <$proto>::Unspecified.into(),
                }
            }
        }

        impl $name {
            /// The numbers of several words.
            #[allow(dead_code, reason = "not every enum is filtered by")]
            pub fn numbers(words: Vec<Self>) -> Vec<i32> {
                words.into_iter().map(|word| crate::model::mirror::Mirror::back(Some(word))).collect()
            }
        }
    )*};
}
pub(crate) use words;

/// Defines lists of words: those that are not known are left out.
macro_rules! several {
    ($($(#[$doc:meta])* $name:ident of $word:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
        pub struct $name(pub Vec<$word>);

        impl crate::model::mirror::Absent for $name {}

        impl crate::model::mirror::Mirror<Vec<i32>> for $name {
            fn out(proto: Vec<i32>) -> Self {
                Self(proto.into_iter().filter_map(crate::model::mirror::Mirror::out).collect())
            }
            fn back(self) -> Vec<i32> {
                $word::numbers(self.0)
            }
        }
    )*};
}
pub(crate) use several;

/// What is shown of a field where it is written for people: not what lets somebody in.
pub fn shown<'a>(field: &str, value: &'a dyn std::fmt::Debug) -> &'a dyn std::fmt::Debug {
    let secret = ["pin", "token", "secret", "credential"].contains(&field)
        || (field.ends_with("_token") && !field.ends_with("page_token"));
    if secret { &"…" } else { value }
}

/// Defines a shape and how it mirrors a message. Fields bear the names of the message's; those after `+` are the
/// gateway's: filled in by the route, ignored on input.
macro_rules! mirror {
    ($($(#[$doc:meta])* $name:ident of $proto:ty { $($(#[$field_doc:meta])* $field:ident: $type:ty),* $(,)? }
        $(+ { $($(#[$own_doc:meta])* $own:ident: $own_type:ty),* $(,)? })?)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Default, PartialEq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
        #[serde(rename_all = "camelCase", deny_unknown_fields, default)]
        pub struct $name {
            $($(#[$field_doc])* #[serde(skip_serializing_if = "crate::model::mirror::Absent::absent")] pub $field: $type,)*
            $($($(#[$own_doc])* #[serde(skip_serializing_if = "crate::model::mirror::Absent::absent")] pub $own: $own_type,)*)?
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($name))
                    $(.field(stringify!($field), crate::model::mirror::shown(stringify!($field), &self.$field)))*
                    $($(.field(stringify!($own), crate::model::mirror::shown(stringify!($own), &self.$own)))*)?
                    .finish()
            }
        }

        impl crate::model::mirror::Mirror<$proto> for $name {
            fn out(proto: $proto) -> Self {
                Self {
                    $($field: crate::model::mirror::Mirror::out(proto.$field),)*
                    $($($own: Default::default(),)*)?
                }
            }
            #[allow(clippy::field_reassign_with_default, reason = "a message may have fields that REST says elsewhere")]
            fn back(self) -> $proto {
                let mut proto = <$proto>::default();
                $(proto.$field = crate::model::mirror::Mirror::back(self.$field);)*
                proto
            }
        }
    )*};
}
pub(crate) use mirror;

#[cfg(test)]
mod tests {
    use crate::model::directory::{NewCode, Pin, RefreshToken, Scan};

    #[test]
    fn what_lets_somebody_in_is_not_written_for_people() {
        let scan = Scan { pin: Some("1234".into()), language: Some("en".into()), ..Scan::default() };
        let shown = format!(
            "{scan:?} {:?} {:?} {:?}",
            RefreshToken { refresh_token: "1234".into() },
            Pin { pin: "1234".into() },
            NewCode { pin: Some("1234".into()), ..NewCode::default() }
        );
        assert!(shown.contains("\"en\"") && !shown.contains("1234"), "{shown}");
    }
}
