//! What people read, in their language (N-3). One file per language: `texts/`.

mod mail;

use std::collections::BTreeMap;

use callboard_kernel::{Actor, Language};
use callboard_notifications_domain::{EventType, Person, SubjectKind};
use callboard_service::BoxError;
use serde::Deserialize;
use serde_json::Value;

pub use mail::{Mail, MailAbout};

/// The texts of one language.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Words {
    lines: BTreeMap<String, String>,
    subject: SubjectWords,
    who: WhoWords,
    words: BTreeMap<String, String>,
    mail: MailWords,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct SubjectWords {
    numbered: String,
    plain: String,
    video: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "SCREAMING_SNAKE_CASE")]
struct WhoWords {
    employee: String,
    staff: String,
    code_user: String,
    customer_user: String,
    system: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct MailWords {
    greeting: String,
    greeting_unnamed: String,
    open: String,
    access: String,
    why: String,
    why_code: String,
    why_at_once: String,
    reference: String,
    unsubscribe: String,
    confirm_subject: String,
    confirm: String,
    confirm_button: String,
    confirm_ends: String,
}

/// What is told.
#[derive(Debug, Clone, Copy)]
pub struct Matter<'a> {
    /// Of which type.
    pub event_type: EventType,
    /// About what.
    pub subject_kind: SubjectKind,
    /// Short number; 0: none.
    pub number: i64,
    /// Who did it.
    pub actor: Actor,
    /// What that one is called, where it is known and may be told.
    pub name: Option<&'a str>,
    /// Who reads it.
    pub reader: Person,
    /// Words and numbers of the event.
    pub details: &'a Value,
}

/// The files of `texts/`: BCP 47 primary tag, and what is in it.
const FILES: &[(&str, &str)] = &include!(concat!(env!("OUT_DIR"), "/texts.rs"));

/// All texts, by language.
#[derive(Debug, Clone)]
pub struct Texts {
    /// Read where a language has no file.
    english: Words,
    others: BTreeMap<&'static str, Words>,
}

impl Texts {
    /// Reads the files that are built in.
    ///
    /// # Errors
    /// When one of them lacks something, or there is none of English.
    pub fn read() -> Result<Self, BoxError> {
        Self::of_files(FILES)
    }

    fn of_files(files: &[(&'static str, &str)]) -> Result<Self, BoxError> {
        let mut all = BTreeMap::new();
        for (tag, text) in files {
            let words: Words =
                serde_json::from_str(text).map_err(|error| format!("texts of {tag}: {error}"))?;
            for event_type in EventType::ALL {
                if !words.lines.contains_key(event_type.as_str()) {
                    return Err(format!("{tag} has no line of {event_type:?}").into());
                }
            }
            all.insert(*tag, words);
        }
        let english = all.remove(Language::En.as_str()).ok_or("there are no texts of English")?;
        Ok(Self { english, others: all })
    }

    fn of(&self, language: Language) -> &Words {
        self.others.get(language.as_str()).unwrap_or(&self.english)
    }

    /// One line that says what happened.
    pub fn line(&self, language: Language, matter: &Matter<'_>) -> String {
        let words = self.of(language);
        let subject = match matter.subject_kind {
            SubjectKind::Ticket if matter.number > 0 => {
                words.subject.numbered.replace("{number}", &matter.number.to_string())
            }
            SubjectKind::VideoSession => words.subject.video.clone(),
            SubjectKind::Ticket
            | SubjectKind::Task
            | SubjectKind::DeviceEvent
            | SubjectKind::Webhook
            | SubjectKind::SupportTicket => words.subject.plain.clone(),
        };
        // Staff are told of by name among themselves; outside they are one team.
        let who = match (matter.actor, matter.name) {
            (Actor::Employee(_), _) if matter.reader.is_outsider() => words.who.staff.clone(),
            (_, Some(name)) => name.to_owned(),
            (Actor::Employee(_), None) => words.who.employee.clone(),
            (Actor::CodeUser(_), None) => words.who.code_user.clone(),
            (Actor::CustomerUser(_), None) => words.who.customer_user.clone(),
            (Actor::System, None) => words.who.system.clone(),
        };
        let word = |key: &str| {
            let value = matter.details.get(key);
            match value {
                Some(Value::String(word)) => words.words.get(word).unwrap_or(word).clone(),
                Some(other) => other.to_string(),
                None => String::new(),
            }
        };
        // Entries of older releases do not say what kind of thing it is.
        let kind = word("type");
        let about = if kind.is_empty() { kind } else { format!(" ({kind})") };
        let line = words.lines.get(matter.event_type.as_str()).map_or("", String::as_str);
        fill(
            line,
            &[
                ("subject", &subject),
                ("about", &about),
                ("who", &who),
                ("status", &word("status")),
                ("score", &word("score")),
                ("decision", &word("decision")),
                ("reason", &word("reason")),
            ],
        )
    }
}

/// Fills in what stands in braces, once: what is filled in is not looked at again, whatever a name holds.
fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut text = String::with_capacity(template.len() + 32);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        text.push_str(before);
        let Some((name, behind)) = after.split_once('}') else {
            text.push('{');
            rest = after;
            break;
        };
        if let Some((_, value)) = values.iter().find(|(known, _)| *known == name) {
            text.push_str(value);
        }
        rest = behind;
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::*;

    fn matter<'a>(event_type: EventType, details: &'a Value, name: Option<&'a str>) -> Matter<'a> {
        Matter {
            event_type,
            subject_kind: SubjectKind::Ticket,
            number: 7,
            actor: Actor::Employee(Uuid::from_u128(1).into()),
            name,
            reader: Person::Employee(Uuid::from_u128(2).into()),
            details,
        }
    }

    #[test]
    fn n_3_every_line_is_there_in_every_language_and_holds_no_braces() {
        let texts = Texts::read().expect("texts");
        let details = json!({"status": "DONE", "score": 5, "decision": "APPROVED", "reason": "GONE"});
        for event_type in EventType::ALL {
            let lines = [Language::En, Language::De]
                .map(|language| texts.line(language, &matter(*event_type, &details, None)));
            assert_ne!(lines[0], lines[1], "{event_type:?}");
            for line in lines {
                assert!(!line.is_empty() && !line.contains(['{', '}']), "{line}");
            }
        }
        let status = matter(EventType::TicketStatus, &details, None);
        assert_eq!(texts.line(Language::En, &status), "Ticket 7 is now done");
        assert_eq!(texts.line(Language::De, &status), "Ticket 7 ist jetzt fertig");
    }

    #[test]
    fn n_3_every_file_of_the_folder_is_a_language_and_a_language_without_one_reads_english() {
        let folder = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/texts")).expect("a folder");
        let mut there: Vec<String> =
            folder.map(|file| file.expect("a file").file_name().to_string_lossy().into_owned()).collect();
        there.sort();
        let read: Vec<String> = FILES.iter().map(|(tag, _)| format!("{tag}.json")).collect();
        assert_eq!(read, there);
        let texts = Texts::of_files(&[("en", include_str!("../../texts/en.json"))]).expect("texts");
        let none = json!({});
        let line = texts.line(Language::De, &matter(EventType::Offer, &none, None));
        assert_eq!(line, "Ticket 7 is offered to you");
        assert!(Texts::of_files(&[("de", include_str!("../../texts/de.json"))]).is_err());
    }

    #[test]
    fn a_name_is_filled_in_as_it_is_and_outsiders_read_none_of_staff() {
        let texts = Texts::read().expect("texts");
        let none = json!({});
        let mut matter = matter(EventType::Message, &none, Some("{subject}"));
        assert_eq!(texts.line(Language::En, &matter), "{subject} wrote a message on Ticket 7");
        matter.reader = Person::Code(Uuid::from_u128(3).into());
        assert_eq!(texts.line(Language::En, &matter), "Our team wrote a message on Ticket 7");
    }
}
