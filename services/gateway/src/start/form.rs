//! Steps as fields of a form, and what comes back as answers.

use std::fmt::Write as _;

use callboard_kernel::Language;
use callboard_proto::common::v1 as common;
use callboard_proto::tickets::v1 as proto;
use callboard_proto::tickets::v1::answer::Value;
use proto::StepKind;

use super::words::{Words, words};
use crate::html::Text;
use crate::model::Localized;
use crate::model::mirror::Mirror;

/// A text in a language, else in English, else in any.
pub fn localized(text: Option<&common::LocalizedText>, language: Language) -> String {
    let text = text.cloned().map(Localized::out).unwrap_or_default();
    text.text(language).unwrap_or_default().to_owned()
}

/// What a form sent: names and values, names more than once.
#[derive(Debug, Clone, Default)]
pub struct Pairs(Vec<(String, String)>);

impl Pairs {
    /// Reads a body; what cannot be read is as if nothing was filled in.
    pub fn read(body: &[u8]) -> Self {
        Self(serde_html_form::from_bytes(body).unwrap_or_default())
    }

    /// One more.
    pub fn push(&mut self, name: String, value: String) {
        self.0.push((name, value));
    }

    /// The first value of a name.
    pub fn first(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    fn text(&self, name: &str) -> Option<String> {
        self.first(name).map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
    }

    fn all(&self, name: &str) -> Vec<String> {
        self.0.iter().filter(|(key, _)| key == name).map(|(_, value)| value.clone()).collect()
    }
}

/// Whether a page can ask for it: all but what a newer service asks.
pub fn can_be_asked(step: &proto::Step) -> bool {
    step.kind() != StepKind::Unspecified
}

/// How the form of a step is sent.
pub fn encoding(step: &proto::Step) -> &'static str {
    if step.kind() == StepKind::Attachment { " enctype=\"multipart/form-data\"" } else { "" }
}

/// The fields of a step, filled in with the answer there is; `files` are those of it.
pub fn fields(
    step: &proto::Step,
    given: Option<&Value>,
    files: &[common::Attachment],
    language: Language,
) -> String {
    let words = words(language);
    let required = if step.required { " required" } else { "" };
    let help = localized(step.help.as_ref(), language);
    let (described, help) = match help.as_str() {
        "" => (String::new(), String::new()),
        help => (
            " aria-describedby=\"help\"".to_owned(),
            format!("<p class=\"help\" id=\"help\">{}</p>", Text(help)),
        ),
    };
    let label = localized(step.label.as_ref(), language);
    let label = if step.required {
        Text(label).to_string()
    } else {
        format!("{} <span class=\"help\">({})</span>", Text(label), Text(words.optional))
    };
    let input = |attributes: &str, value: String| {
        format!(
            "<label for=\"a\">{label}</label>{help}<input id=\"a\" name=\"a\" {attributes} value=\"{}\"{required}{described}>",
            Text(value)
        )
    };
    let text = match given {
        Some(Value::Text(text) | Value::Date(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        _ => String::new(),
    };
    match step.kind() {
        StepKind::Text => input("type=\"text\" maxlength=\"500\"", text),
        StepKind::Number => input("type=\"number\" step=\"any\"", text),
        StepKind::Date => input("type=\"date\"", text),
        StepKind::LongText => format!(
            "<label for=\"a\">{label}</label>{help}<textarea id=\"a\" name=\"a\" rows=\"6\" maxlength=\"10000\"{required}{described}>{}</textarea>",
            Text(text)
        ),
        StepKind::SingleChoice | StepKind::MultipleChoice | StepKind::YesNo => {
            let mut out = format!("<fieldset{described}><legend>{label}</legend>{help}");
            let kind = if step.kind() == StepKind::MultipleChoice { "checkbox" } else { "radio" };
            // A browser cannot be told "at least one of these boxes"; that is looked at when it comes.
            let required = if kind == "radio" { required } else { "" };
            for (key, label) in options(step, words, language) {
                let checked = if chosen(given).contains(&key.as_str()) { " checked" } else { "" };
                let _ = write!(
                    out,
                    "<label class=\"option\"><input type=\"{kind}\" name=\"a\" value=\"{}\"{checked}{required}>{}</label>",
                    Text(key),
                    Text(label)
                );
            }
            out + "</fieldset>"
        }
        StepKind::Contact => {
            let given = match given {
                Some(Value::Contact(contact)) => contact.clone(),
                _ => proto::Contact::default(),
            };
            let mut out = format!("<fieldset{described}><legend>{label}</legend>{help}");
            for (name, kind, label, value) in [
                ("name", "text", words.name, given.name),
                ("email", "email", words.email, given.email),
                ("phone", "tel", words.phone, given.phone),
            ] {
                let autocomplete = if name == "phone" { "tel" } else { name };
                let _ = write!(
                    out,
                    "<label>{}<input name=\"{name}\" type=\"{kind}\" maxlength=\"254\" autocomplete=\"{autocomplete}\" value=\"{}\"></label>",
                    Text(label),
                    Text(value)
                );
            }
            out + "</fieldset>"
        }
        StepKind::Attachment => {
            let mut out = format!("<fieldset{described}><legend>{label}</legend>{help}");
            for file in files {
                let _ = write!(
                    out,
                    "<label class=\"option\"><input type=\"checkbox\" name=\"keep\" value=\"{}\" checked>{}</label>",
                    Text(&file.id),
                    Text(&file.name)
                );
            }
            // With files there, whether one is left is looked at when it comes.
            let required = if files.is_empty() { required } else { "" };
            let _ = write!(
                out,
                "<input type=\"file\" name=\"a\" multiple aria-label=\"{}\"{required}>",
                Text(words.choose_files)
            );
            out + "</fieldset>"
        }
        StepKind::Unspecified => String::new(),
    }
}

fn options(step: &proto::Step, words: &Words, language: Language) -> Vec<(String, String)> {
    if step.kind() == StepKind::YesNo {
        return vec![("yes".to_owned(), words.yes.to_owned()), ("no".to_owned(), words.no.to_owned())];
    }
    step.choices
        .iter()
        .map(|choice| (choice.key.clone(), localized(choice.label.as_ref(), language)))
        .collect()
}

fn chosen(given: Option<&Value>) -> Vec<&str> {
    match given {
        Some(Value::Choice(key)) => vec![key.as_str()],
        Some(Value::Choices(keys)) => keys.values.iter().map(String::as_str).collect(),
        Some(Value::Yes(true)) => vec!["yes"],
        Some(Value::Yes(false)) => vec!["no"],
        _ => Vec::new(),
    }
}

/// The answer that a form holds; `None`: nothing was filled in. A number that is none is passed on as text: whether an
/// answer fits is the service's to judge.
pub fn answer(step: &proto::Step, pairs: &Pairs) -> proto::Answer {
    let value = match step.kind() {
        StepKind::Text | StepKind::LongText => pairs.text("a").map(Value::Text),
        StepKind::Number => pairs.text("a").map(|text| match text.replace(',', ".").parse::<f64>() {
            Ok(number) => Value::Number(number),
            Err(_) => Value::Text(text),
        }),
        StepKind::Date => pairs.text("a").map(Value::Date),
        StepKind::YesNo => pairs.text("a").map(|text| Value::Yes(text == "yes")),
        StepKind::SingleChoice => pairs.text("a").map(Value::Choice),
        StepKind::MultipleChoice => {
            let values = pairs.all("a");
            (!values.is_empty()).then_some(Value::Choices(proto::StringList { values }))
        }
        StepKind::Contact => {
            let part = |name| pairs.text(name).unwrap_or_default();
            let contact = proto::Contact { name: part("name"), email: part("email"), phone: part("phone") };
            (contact != proto::Contact::default()).then_some(Value::Contact(contact))
        }
        StepKind::Attachment => {
            let values = [pairs.all("keep"), pairs.all("a")].concat();
            (!values.is_empty()).then_some(Value::Attachments(proto::StringList { values }))
        }
        StepKind::Unspecified => None,
    };
    proto::Answer { step: step.key.clone(), value }
}

/// An answer as its author reads it; `files` are those of it.
pub fn shown(step: &proto::Step, value: &Value, files: &[common::Attachment], language: Language) -> String {
    let words = words(language);
    match value {
        Value::Text(text) | Value::Date(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Choice(_) | Value::Choices(_) | Value::Yes(_) => {
            let chosen = chosen(Some(value));
            let labels = options(step, words, language).into_iter();
            labels
                .filter(|(key, _)| chosen.contains(&key.as_str()))
                .map(|(_, label)| label)
                .collect::<Vec<_>>()
                .join(", ")
        }
        Value::Contact(contact) => [&contact.name, &contact.email, &contact.phone]
            .into_iter()
            .filter(|part| !part.is_empty())
            .cloned()
            .collect::<Vec<_>>()
            .join(", "),
        Value::Attachments(_) => files.iter().map(|file| file.name.as_str()).collect::<Vec<_>>().join(", "),
    }
}
