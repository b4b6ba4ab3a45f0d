//! Texts with rules.

use std::collections::BTreeMap;

use callboard_kernel::Language;
use serde::{Deserialize, Serialize};

/// Longest name and serial number, in characters.
pub const MAX_NAMES: usize = 200;
/// Most ids in any list of a record.
pub const MAX_REFERENCES: usize = 200;
const MAX_EMAIL: usize = 254;

/// A name: 1 to 200 characters, no control characters, trimmed.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Name(String);

impl Name {
    /// Trims and checks.
    ///
    /// # Errors
    /// The rule that it breaks.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let text = text.trim();
        if text.is_empty() || text.chars().count() > MAX_NAMES {
            return Err("1 to 200 characters");
        }
        if text.chars().any(char::is_control) {
            return Err("no control characters");
        }
        Ok(Self(text.to_owned()))
    }

    /// As stored: not checked again.
    pub const fn stored(text: String) -> Self {
        Self(text)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// An e-mail address: at most 254 characters, one `@` with something before and a dotted name behind, lower case.
///
/// Whether it can be reached is for sending to find out; this check stops typing errors only.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Email(String);

impl std::fmt::Debug for Email {
    /// Keeps addresses out of logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Email(…)")
    }
}

impl Email {
    /// Trims, lowers and checks.
    ///
    /// # Errors
    /// The rule that it breaks.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        const RULE: &str = "an e-mail address of at most 254 characters";
        let text = text.trim().to_lowercase();
        let (local, domain) = text.rsplit_once('@').ok_or(RULE)?;
        let strange =
            |c: char| c.is_whitespace() || c.is_control() || matches!(c, '<' | '>' | ',' | ';' | '"' | '@');
        let labels_fine = domain.split('.').all(|label| !label.is_empty());
        if text.len() > MAX_EMAIL
            || local.is_empty()
            || local.chars().any(strange)
            || domain.chars().any(strange)
            || !domain.contains('.')
            || !labels_fine
        {
            return Err(RULE);
        }
        Ok(Self(text))
    }

    /// As stored: not checked again.
    pub const fn stored(text: String) -> Self {
        Self(text)
    }

    /// The address, in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A name in one or more of our languages.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Names(pub BTreeMap<Language, Name>);

impl Names {
    /// The name for lists: English, else any.
    pub fn first(&self) -> &str {
        self.0.get(&Language::En).or_else(|| self.0.values().next()).map_or("", Name::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_trimmed_and_limited() {
        assert_eq!(Name::parse("  Anna  ").unwrap().as_str(), "Anna");
        assert!(Name::parse("   ").is_err());
        assert!(Name::parse(&"x".repeat(201)).is_err());
        assert!(Name::parse(&"ß".repeat(200)).is_ok());
        assert!(Name::parse("a\nb").is_err());
    }

    #[test]
    fn an_email_is_lowered_and_checked() {
        assert_eq!(Email::parse(" Anna@Example.ORG ").unwrap().as_str(), "anna@example.org");
        for wrong in
            ["", "anna", "@example.org", "anna@", "anna@example", "an na@example.org", "a@b@c.org", "a@b..c"]
        {
            assert!(Email::parse(wrong).is_err(), "{wrong:?}");
        }
        assert!(!format!("{:?}", Email::parse("anna@example.org").unwrap()).contains("anna"));
    }
}
