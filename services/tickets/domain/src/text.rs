//! Texts and their limits. Lengths are in characters (Unicode scalar values), not bytes.

use std::collections::BTreeMap;

use callboard_kernel::{FieldViolation, Language};
use serde::{Deserialize, Serialize};

/// Longest title.
pub const MAX_TITLE: usize = 200;
/// Longest description, long answer or update.
pub const MAX_LONG_TEXT: usize = 10_000;
/// Longest one-line answer.
pub const MAX_LINE: usize = 500;
/// Longest label of a flow, step or choice, per language.
pub const MAX_LABEL: usize = 200;
/// Longest help of a step, per language.
pub const MAX_HELP: usize = 2_000;
/// Most languages of one text.
pub const MAX_LANGUAGES: usize = 20;

/// True when a character may stand in a text of several lines. Postgres cannot store NUL, and the other controls
/// only disturb whoever reads.
fn is_allowed(character: char, lines: bool) -> bool {
    match character {
        '\n' | '\r' | '\t' => lines,
        _ => !character.is_control(),
    }
}

/// Checks a text of several lines.
///
/// # Errors
/// Names the field, when it is longer than `max` or holds control characters.
pub fn check_lines(field: &str, text: &str, max: usize) -> Result<(), FieldViolation> {
    check(field, text, max, true)
}

/// Checks a text of one line.
///
/// # Errors
/// Names the field, when it is longer than `max` or holds control characters or line breaks.
pub fn check_line(field: &str, text: &str, max: usize) -> Result<(), FieldViolation> {
    check(field, text, max, false)
}

/// Checks a text of one line that must say something.
///
/// # Errors
/// Names the field, when it is blank, longer than `max` or holds control characters or line breaks.
pub fn check_filled_line(field: &str, text: &str, max: usize) -> Result<(), FieldViolation> {
    if text.trim().is_empty() {
        return Err(FieldViolation::new(field, format!("1 to {max} characters")));
    }
    check(field, text, max, false)
}

fn check(field: &str, text: &str, max: usize, lines: bool) -> Result<(), FieldViolation> {
    // Bytes first: counting the characters of a huge text is work for nothing.
    if text.len() > max * 4 || text.chars().count() > max {
        return Err(FieldViolation::new(field, format!("at most {max} characters")));
    }
    if !text.chars().all(|character| is_allowed(character, lines)) {
        let rule = if lines { "no control characters" } else { "one line, no control characters" };
        return Err(FieldViolation::new(field, rule));
    }
    Ok(())
}

/// True for `[a-z0-9_-]{1,64}`: keys of steps and choices.
pub fn is_key(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-'))
}

/// True for `[A-Za-z0-9_-]{1,64}`: ids of attachments, UUIDs among them.
pub fn is_attachment_id(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

/// A text in several languages, by BCP 47 primary language.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LocalizedText(pub BTreeMap<String, String>);

impl LocalizedText {
    /// The text in this language, else in English, else in any; empty when there is none.
    pub fn get(&self, language: Language) -> &str {
        self.0
            .get(language.as_str())
            .or_else(|| self.0.get(Language::En.as_str()))
            .or_else(|| self.0.values().next())
            .map_or("", String::as_str)
    }

    /// Checks languages and lengths; `filled`: there must be at least one text.
    pub(crate) fn check(&self, field: &str, filled: bool, max: usize, violations: &mut Vec<FieldViolation>) {
        if filled && self.0.is_empty() {
            violations.push(FieldViolation::new(field, "a text in at least one language"));
        }
        if self.0.len() > MAX_LANGUAGES {
            violations.push(FieldViolation::new(field, format!("at most {MAX_LANGUAGES} languages")));
            return;
        }
        for (language, text) in &self.0 {
            if !matches!(language.len(), 2 | 3) || !language.bytes().all(|byte| byte.is_ascii_lowercase()) {
                violations
                    .push(FieldViolation::new(field, "languages are two or three small letters (BCP 47)"));
                return;
            }
            let path = format!("{field}.by_language[{language}]");
            if filled && text.trim().is_empty() {
                violations.push(FieldViolation::new(&path, format!("1 to {max} characters")));
            } else if let Err(violation) = check_lines(&path, text, max) {
                violations.push(violation);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_takes_the_own_language_else_english_else_any() {
        let text = |pairs: &[(&str, &str)]| {
            LocalizedText(pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect())
        };
        assert_eq!(text(&[("de", "Ja"), ("en", "Yes")]).get(Language::De), "Ja");
        assert_eq!(text(&[("fr", "Oui"), ("en", "Yes")]).get(Language::De), "Yes");
        assert_eq!(text(&[("fr", "Oui")]).get(Language::De), "Oui");
        assert_eq!(text(&[]).get(Language::De), "");
    }

    #[test]
    fn lengths_are_characters_and_controls_are_refused() {
        assert!(check_line("title", &"ü".repeat(200), MAX_TITLE).is_ok());
        assert!(check_line("title", &"ü".repeat(201), MAX_TITLE).is_err());
        assert!(check_line("title", "two\nlines", MAX_TITLE).is_err());
        assert!(check_lines("description", "two\nlines", MAX_LONG_TEXT).is_ok());
        assert!(check_lines("description", "nul\0", MAX_LONG_TEXT).is_err());
    }
}
