//! From what went wrong to what the caller is told.

use callboard_actor::AskError;
use callboard_directory_domain::Refused;
use callboard_kernel::{ErrorKind, FieldViolation, Refusal};

/// The domain of all errors of this service.
pub const SERVICE: &str = "directory";

/// What a caller is told of a command that was not carried out. The database's guards (see `migrations`) speak the
/// domain's words here: they are hit only when somebody was faster than the look before the write.
pub fn of_ask(error: AskError) -> Refusal {
    match error {
        AskError::Internal(text) => of_guard(&text).unwrap_or_else(|| AskError::Internal(text).into()),
        other => other.into(),
    }
}

/// As [`of_ask`], for a command that makes something: what belongs to another organisation has taken the id.
pub fn of_create(error: AskError) -> Refusal {
    match error {
        AskError::NotFound => Refusal::from(&Refused::IdTaken),
        other => of_ask(other),
    }
}

fn of_guard(text: &str) -> Option<Refusal> {
    if text.contains("email_claim_unique") {
        return Some(email_taken());
    }
    let (_, said) = text.split_once("callboard:")?;
    let word =
        |text: &str| text.chars().take_while(|c| c.is_ascii_alphabetic() || *c == '_').collect::<String>();
    let by = |said: &str| match word(said).as_str() {
        "employees" => "employees",
        _ => "devices",
    };
    if said.starts_with("LAST_ADMINISTRATOR") {
        Some(Refusal::from(&Refused::LastAdministrator))
    } else if let Some(said) = said.strip_prefix("IN_USE:") {
        Some(Refusal::from(&Refused::InUse { by: by(said) }))
    } else {
        // Removed meanwhile: as if it had been seen to be gone before.
        said.strip_prefix("NO_SUCH:").map(|said| Refusal::not_found(&word(said)))
    }
}

/// An e-mail address names one person of an organisation.
pub fn email_taken() -> Refusal {
    const RULE: &str = "somebody of the organisation has this e-mail address";
    Refusal {
        kind: ErrorKind::AlreadyExists,
        reason: "EMAIL_TAKEN",
        message: RULE.to_owned(),
        violations: vec![FieldViolation::new("email", RULE)],
        resource: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guards_of_the_database_speak_the_words_of_the_domain() {
        for (text, reason) in [
            (
                "cannot be written: duplicate key value violates unique constraint \"email_claim_unique\"",
                "EMAIL_TAKEN",
            ),
            ("error returned from database: callboard:LAST_ADMINISTRATOR", "LAST_ADMINISTRATOR"),
            ("error returned from database: callboard:IN_USE:devices", "IN_USE"),
            ("error returned from database: callboard:NO_SUCH:template", "NOT_FOUND"),
            ("something else", "INTERNAL"),
        ] {
            assert_eq!(of_ask(AskError::Internal(text.to_owned())).reason, reason, "{text}");
        }
    }
}
