//! Answers and what each kind of step takes (T-1).

use callboard_kernel::{FieldViolation, Language};
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::text::{self, MAX_LINE, MAX_LONG_TEXT};
use crate::{MAX_ATTACHMENTS, MAX_CHOICES, Step, StepKind};

/// How to reach a person. Personal data: stays in this context.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Contact {
    /// At most 200 characters.
    pub name: String,
    /// At most 254 characters.
    pub email: String,
    /// At most 40 characters: digits, spaces, `+ - ( ) / .`.
    pub phone: String,
}

/// What was answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "value", rename_all = "snake_case")]
pub enum AnswerValue {
    /// To a text or long text step.
    Text(String),
    /// Key of the chosen choice.
    Choice(String),
    /// Keys of the chosen choices, each once.
    Choices(Vec<String>),
    /// Finite.
    Number(f64),
    /// A calendar date.
    Date(NaiveDate),
    /// Yes: true.
    YesNo(bool),
    /// Attachment ids, each once.
    Attachments(Vec<String>),
    /// How to reach the person.
    Contact(Contact),
}

/// The answer to one step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// The step's key.
    pub step: String,
    /// What was answered.
    pub value: AnswerValue,
}

impl AnswerValue {
    /// The name of the field in a request, for violations.
    const fn field(&self) -> &'static str {
        match self {
            Self::Text(_) => "text",
            Self::Choice(_) => "choice",
            Self::Choices(_) => "choices",
            Self::Number(_) => "number",
            Self::Date(_) => "date",
            Self::YesNo(_) => "yes",
            Self::Attachments(_) => "attachments",
            Self::Contact(_) => "contact",
        }
    }

    /// Checks the answer against its step; `path` names the answer in the request.
    ///
    /// # Errors
    /// The field and the rule it breaks.
    pub fn check(&self, step: &Step, path: &str) -> Result<(), FieldViolation> {
        let field = format!("{path}.{}", self.field());
        let wrong = |rule: &str| Err(FieldViolation::new(&field, rule));
        match (step.kind, self) {
            (StepKind::Text, Self::Text(line)) => text::check_filled_line(&field, line, MAX_LINE),
            (StepKind::LongText, Self::Text(lines)) if lines.trim().is_empty() => {
                wrong("1 to 10000 characters")
            }
            (StepKind::LongText, Self::Text(lines)) => text::check_lines(&field, lines, MAX_LONG_TEXT),
            (StepKind::SingleChoice, Self::Choice(key)) if step.choice(key).is_some() => Ok(()),
            (StepKind::SingleChoice, Self::Choice(_)) => wrong("one of the step's choices"),
            (StepKind::MultipleChoice, Self::Choices(keys)) => {
                if keys.is_empty() || keys.len() > MAX_CHOICES || has_twice(keys) {
                    return wrong("at least one of the step's choices, each at most once");
                }
                if keys.iter().any(|key| step.choice(key).is_none()) {
                    return wrong("only the step's choices");
                }
                Ok(())
            }
            (StepKind::Number, Self::Number(number)) if number.is_finite() => Ok(()),
            (StepKind::Number, Self::Number(_)) => wrong("a finite number"),
            (StepKind::Date, Self::Date(_)) | (StepKind::YesNo, Self::YesNo(_)) => Ok(()),
            (StepKind::Attachment, Self::Attachments(ids)) => check_attachments(&field, ids, 1),
            (StepKind::Contact, Self::Contact(contact)) => contact.check(&field),
            (kind, _) => wrong(&format!("the step {} takes {}", step.key, takes(kind))),
        }
    }

    /// The answer for a person, in a language: what becomes the title.
    pub fn title(&self, step: &Step, language: Language) -> Option<String> {
        let text = match self {
            Self::Text(text) => text.clone(),
            Self::Choice(key) => step.choice(key)?.label.get(language).to_owned(),
            Self::Number(number) => number.to_string(),
            Self::Date(date) => date.to_string(),
            Self::Choices(_) | Self::YesNo(_) | Self::Attachments(_) | Self::Contact(_) => return None,
        };
        // A long text has lines; a title has not.
        let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let line: String = line.chars().take(text::MAX_TITLE).collect();
        (!line.is_empty()).then_some(line)
    }

    /// The words by which the ticket is found, in every language of the step.
    pub(crate) fn words(&self, step: &Step, words: &mut Vec<String>) {
        let mut choice = |key: &String| {
            words.extend(step.choice(key).into_iter().flat_map(|choice| choice.label.0.values().cloned()));
        };
        match self {
            Self::Text(text) => words.push(text.clone()),
            Self::Choice(key) => choice(key),
            Self::Choices(keys) => keys.iter().for_each(choice),
            Self::Number(number) => words.push(number.to_string()),
            Self::Date(date) => words.push(date.to_string()),
            Self::YesNo(_) | Self::Attachments(_) => {}
            Self::Contact(contact) => {
                words.extend([contact.name.clone(), contact.email.clone(), contact.phone.clone()]);
            }
        }
    }
}

impl Contact {
    fn check(&self, field: &str) -> Result<(), FieldViolation> {
        if [&self.name, &self.email, &self.phone].iter().all(|part| part.trim().is_empty()) {
            return Err(FieldViolation::new(field, "a name, an e-mail address or a phone number"));
        }
        text::check_line(&format!("{field}.name"), &self.name, 200)?;
        let email = format!("{field}.email");
        text::check_line(&email, &self.email, 254)?;
        let looks_like_one = || {
            self.email.split_once('@').is_some_and(|(local, domain)| {
                !local.is_empty() && domain.len() > 2 && domain.contains('.') && !domain.contains('@')
            }) && !self.email.contains(char::is_whitespace)
        };
        if !self.email.is_empty() && !looks_like_one() {
            return Err(FieldViolation::new(email, "an e-mail address"));
        }
        let phone = format!("{field}.phone");
        text::check_line(&phone, &self.phone, 40)?;
        let dialled = |c: char| c.is_ascii_digit() || matches!(c, ' ' | '+' | '-' | '(' | ')' | '/' | '.');
        if !self.phone.chars().all(dialled) {
            return Err(FieldViolation::new(phone, "a phone number"));
        }
        Ok(())
    }
}

/// Checks a list of attachment ids.
///
/// # Errors
/// The field and the rule it breaks.
pub(crate) fn check_attachments(field: &str, ids: &[String], least: usize) -> Result<(), FieldViolation> {
    if ids.len() < least || ids.len() > MAX_ATTACHMENTS || has_twice(ids) {
        return Err(FieldViolation::new(
            field,
            format!("{least} to {MAX_ATTACHMENTS} attachment ids, each once"),
        ));
    }
    if !ids.iter().all(|id| text::is_attachment_id(id)) {
        return Err(FieldViolation::new(field, "attachment ids of 1 to 64 letters, digits, `_` or `-`"));
    }
    Ok(())
}

fn has_twice(keys: &[String]) -> bool {
    let mut seen = std::collections::HashSet::new();
    !keys.iter().all(|key| seen.insert(key))
}

const fn takes(kind: StepKind) -> &'static str {
    match kind {
        StepKind::Text | StepKind::LongText => "`text`",
        StepKind::SingleChoice => "`choice`",
        StepKind::MultipleChoice => "`choices`",
        StepKind::Number => "`number`",
        StepKind::Date => "`date`",
        StepKind::YesNo => "`yes`",
        StepKind::Attachment => "`attachments`",
        StepKind::Contact => "`contact`",
    }
}
