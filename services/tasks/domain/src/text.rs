//! What texts may hold.

use callboard_kernel::FieldViolation;

/// The longest title, in characters.
pub const MAX_TITLE: usize = 200;
/// The longest description, in characters.
pub const MAX_DESCRIPTION: usize = 4_000;
/// The longest text of a step, in characters.
pub const MAX_STEP: usize = 2_000;
/// The most steps.
pub const MAX_STEPS: usize = 100;

/// The most attachments of a step.
pub const MAX_STEP_ATTACHMENTS: usize = 10;
/// The most attachments of all steps together.
pub const MAX_ATTACHMENTS: usize = 100;

/// One line that must be there.
pub fn check_title(field: &str, text: &str, violations: &mut Vec<FieldViolation>) {
    if text.trim().is_empty() || text.chars().count() > MAX_TITLE || text.chars().any(char::is_control) {
        violations.push(FieldViolation::new(field, "1 to 200 characters in one line"));
    }
}

/// Lines that may be missing.
pub fn check_description(field: &str, text: &str, violations: &mut Vec<FieldViolation>) {
    check_lines(field, text, MAX_DESCRIPTION, "at most 4,000 characters, no control characters", violations);
}

/// The text of a step.
pub fn check_step(field: &str, text: &str, violations: &mut Vec<FieldViolation>) {
    let rule = "1 to 2,000 characters, no control characters";
    if text.trim().is_empty() {
        violations.push(FieldViolation::new(field, rule));
    } else {
        check_lines(field, text, MAX_STEP, rule, violations);
    }
}

fn check_lines(field: &str, text: &str, most: usize, rule: &str, violations: &mut Vec<FieldViolation>) {
    let is_odd = |character: char| character.is_control() && !matches!(character, '\n' | '\r' | '\t');
    if text.chars().count() > most || text.chars().any(is_odd) {
        violations.push(FieldViolation::new(field, rule));
    }
}
