//! Reading the fields of a request, all wrong ones at once.

use std::str::FromStr;

use callboard_directory_domain::{Email, MAX_REFERENCES, Name};
use callboard_kernel::{FieldViolation, Language, Refusal};
use prost_types::FieldMask;
use uuid::Uuid;

/// The fields of one record in a request: which of them count, and what is wrong with them.
#[derive(Debug)]
pub struct Fields {
    prefix: &'static str,
    wanted: Vec<&'static str>,
    violations: Vec<FieldViolation>,
}

impl Fields {
    /// These fields count; `prefix` is the record's field in the request.
    pub fn new(prefix: &'static str, wanted: Vec<&'static str>) -> Self {
        Self { prefix, wanted, violations: Vec::new() }
    }

    /// The fields of an update mask (AIP-134): each must be one of `known`; `*` is all of them.
    ///
    /// # Errors
    /// Names `update_mask` when it is missing, empty, or names what cannot be edited.
    pub fn of_mask(
        prefix: &'static str,
        mask: Option<&FieldMask>,
        known: &'static [&'static str],
    ) -> Result<Self, Refusal> {
        let paths = mask.map_or(&[][..], |mask| &mask.paths);
        if paths.is_empty() {
            return Err(Refusal::field("update_mask", "is required"));
        }
        if paths == ["*"] {
            return Ok(Self::new(prefix, known.to_vec()));
        }
        let mut wanted = Vec::new();
        for path in paths {
            match known.iter().find(|field| *field == path) {
                Some(field) if !wanted.contains(field) => wanted.push(*field),
                Some(_) => {}
                None => {
                    let rule = format!("may name {}", known.join(", "));
                    return Err(Refusal::field("update_mask", rule));
                }
            }
        }
        Ok(Self::new(prefix, wanted))
    }

    /// Whether a field counts.
    pub fn wants(&self, field: &str) -> bool {
        self.wanted.contains(&field)
    }

    /// Those that count.
    pub fn wanted(&self) -> &[&'static str] {
        &self.wanted
    }

    /// Something is wrong with a field.
    pub fn refuse(&mut self, field: &str, rule: impl Into<String>) {
        self.violations.push(FieldViolation::new(format!("{}.{field}", self.prefix), rule));
    }

    /// All that is wrong.
    ///
    /// # Errors
    /// When anything is.
    pub fn finish(&mut self) -> Result<(), Refusal> {
        let violations = std::mem::take(&mut self.violations);
        if violations.is_empty() { Ok(()) } else { Err(Refusal::fields(violations)) }
    }

    fn read<T: Default>(&mut self, field: &str, read: impl FnOnce() -> Result<T, &'static str>) -> T {
        if !self.wants(field) {
            return T::default();
        }
        read().unwrap_or_else(|rule| {
            self.refuse(field, rule);
            T::default()
        })
    }

    /// A name.
    pub fn name(&mut self, field: &str, text: &str) -> Name {
        self.read(field, || Name::parse(text))
    }

    /// An e-mail address.
    pub fn email(&mut self, field: &str, text: &str) -> Email {
        self.read(field, || Email::parse(text))
    }

    /// A language; empty: English.
    pub fn language(&mut self, field: &str, tag: &str) -> Language {
        self.read(field, || match tag {
            "" => Ok(Language::default()),
            tag => Language::from_str(tag).map_err(|_| "en or de"),
        })
    }

    /// A free text that may be empty.
    pub fn text(&mut self, field: &str, text: &str, most: usize) -> String {
        self.read(field, || {
            if text.chars().count() > most || text.chars().any(char::is_control) {
                return Err("at most 200 characters, no control characters");
            }
            Ok(text.trim().to_owned())
        })
    }

    /// An IANA time zone, or none.
    pub fn time_zone(&mut self, field: &str, name: &str) -> String {
        self.read(field, || match name {
            "" => Ok(String::new()),
            name => match name.parse::<chrono_tz::Tz>() {
                Ok(zone) => Ok(zone.name().to_owned()),
                Err(_) => Err("an IANA name such as Europe/Berlin"),
            },
        })
    }

    /// An id that must be there.
    pub fn id(&mut self, field: &str, text: &str) -> Uuid {
        self.read(field, || text.parse().map_err(|_| "must be a UUID"))
    }

    /// An id that may be missing.
    pub fn optional_id(&mut self, field: &str, text: &str) -> Option<Uuid> {
        self.read(field, || match text {
            "" => Ok(None),
            text => text.parse().map(Some).map_err(|_| "must be a UUID or empty"),
        })
    }

    /// A list of ids, each kept once.
    pub fn ids<T: From<Uuid>>(&mut self, field: &str, texts: &[String]) -> Vec<T> {
        if !self.wants(field) {
            return Vec::new();
        }
        if texts.len() > MAX_REFERENCES {
            self.refuse(field, "at most 200");
            return Vec::new();
        }
        let mut ids: Vec<Uuid> = Vec::with_capacity(texts.len());
        for (index, text) in texts.iter().enumerate() {
            match text.parse() {
                Ok(id) if !ids.contains(&id) => ids.push(id),
                Ok(_) => {}
                Err(_) => self.refuse(&format!("{field}[{index}]"), "must be a UUID"),
            }
        }
        ids.into_iter().map(T::from).collect()
    }
}

/// A list of ids to filter by.
///
/// # Errors
/// Names the entry that is no UUID, or the list when it is too long.
pub fn filter_ids(field: &str, texts: &[String]) -> Result<Vec<Uuid>, Refusal> {
    if texts.len() > MAX_REFERENCES {
        return Err(Refusal::field(field, "at most 200"));
    }
    let parse = |(index, text): (usize, &String)| {
        callboard_service::request::parse_id(&format!("{field}[{index}]"), text)
    };
    texts.iter().enumerate().map(parse).collect()
}
