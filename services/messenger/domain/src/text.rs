//! What may be written.

use callboard_kernel::FieldViolation;

/// The longest text of a message, in characters (M-1).
pub const MAX_TEXT: usize = 4_000;

/// Every rule that a text breaks. Stored as written, so nothing is mended here. `may_be_empty`: something else, such
/// as an attachment, is said instead.
pub fn check_text(text: &str, may_be_empty: bool) -> Vec<FieldViolation> {
    let mut violations = Vec::new();
    if text.chars().nth(MAX_TEXT).is_some() {
        violations.push(FieldViolation::new("text", "at most 4,000 characters"));
    }
    if text.chars().any(|character| character.is_control() && !matches!(character, '\n' | '\r' | '\t')) {
        violations.push(FieldViolation::new("text", "no control characters"));
    }
    if !may_be_empty && text.trim().is_empty() {
        violations.push(FieldViolation::new("text", "is required"));
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_there_short_enough_and_without_control_characters() {
        assert!(check_text("Guten Tag\n\tUlla", false).is_empty());
        assert!(check_text(&"ü".repeat(MAX_TEXT), false).is_empty());
        assert_eq!(check_text(&"ü".repeat(MAX_TEXT + 1), false).len(), 1);
        assert_eq!(check_text("a\u{0}b", false).len(), 1);
        assert_eq!(check_text("  \n ", false).len(), 1);
        assert!(check_text("", true).is_empty());
    }
}
