//! The digital service record as a document (T-12): a ticket and its public updates in order, in the reader's language.
//!
//! Who wrote an update is said by kind: names are not this context's to know.

mod pdf;
mod words;

use callboard_kernel::{Actor, Language, Timestamp};
use callboard_proto::common::v1::Attachment;
use callboard_tickets_domain::Ticket;
use serde_json::{Value, json};

use crate::store::StoredUpdate;
pub use pdf::PdfError;
use pdf::{Document, Paragraph};
use words::{Words, words};

/// What a record is made of.
#[derive(Debug)]
pub struct Record {
    /// The ticket.
    pub ticket: Ticket,
    /// Its public updates, oldest first, each with its files.
    pub updates: Vec<(StoredUpdate, Vec<Attachment>)>,
    /// The reader's.
    pub language: Language,
}

const fn kind(author: Actor) -> &'static str {
    match author {
        Actor::Employee(_) => "EMPLOYEE",
        Actor::CodeUser(_) => "CODE_USER",
        Actor::CustomerUser(_) => "CUSTOMER_USER",
        Actor::System => "SYSTEM",
    }
}

impl Record {
    /// A name for the file, without extension.
    pub fn file_name(&self) -> String {
        let number = self.ticket.number.map_or_else(|| "draft".to_owned(), |number| number.to_string());
        format!("{}-{number}", words(self.language).file)
    }

    /// As JSON: stable words, and beside them the reader's.
    pub fn json(&self) -> Value {
        let (words, ticket) = (words(self.language), &self.ticket);
        let time = |time: Timestamp| time.to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
        let updates = self.updates.iter().map(|(update, files)| {
            let files = files.iter().map(|file| {
                json!({
                    "id": file.id, "name": file.name, "mediaType": file.media_type, "size": file.size,
                    "sha256": file.sha256,
                })
            });
            json!({
                "id": update.id.to_string(),
                "time": time(update.create_time),
                "author": {"kind": kind(update.author), "label": words.author(update.author)},
                "text": update.text,
                "attachments": files.collect::<Vec<_>>(),
            })
        });
        json!({
            "title": words.title,
            "language": self.language.as_str(),
            "ticket": {
                "id": ticket.id.to_string(),
                "number": ticket.number,
                "title": ticket.title,
                "description": ticket.description,
                "status": {"word": ticket.status.as_str(), "label": words.status(ticket.status)},
                "deviceId": ticket.device.to_string(),
                "createTime": time(ticket.create_time),
                "openTime": ticket.open_time.map(time),
            },
            "updates": updates.collect::<Vec<_>>(),
        })
    }

    /// As PDF.
    ///
    /// # Errors
    /// See [`PdfError`].
    pub fn pdf(&self) -> Result<Vec<u8>, PdfError> {
        let (words, ticket) = (words(self.language), &self.ticket);
        let number = ticket.number.map(|number| format!(" {number}")).unwrap_or_default();
        let text = |text: String, size, bold, faint, above| Paragraph { text, size, bold, faint, above };
        let mut paragraphs = vec![
            text(words.title.to_owned(), 18.0, true, false, 0.0),
            text(format!("{}{number}: {}", words.ticket, ticket.title), 13.0, true, false, 10.0),
            text(self.facts(words), 9.0, false, true, 4.0),
        ];
        if !ticket.description.trim().is_empty() {
            paragraphs.push(text(ticket.description.clone(), 10.0, false, false, 8.0));
        }
        if self.updates.is_empty() {
            paragraphs.push(text(words.nothing.to_owned(), 10.0, false, true, 16.0));
        }
        for (update, files) in &self.updates {
            let head = format!("{} · {}", words.time(update.create_time), words.author(update.author));
            paragraphs.push(text(head, 9.0, true, false, 16.0));
            if !update.text.trim().is_empty() {
                paragraphs.push(text(update.text.clone(), 10.0, false, false, 3.0));
            }
            for file in files {
                let line = format!("{}: {} ({})", words.attachment, file.name, words.size(file.size));
                paragraphs.push(text(line, 9.0, false, true, 3.0));
            }
        }
        let title = format!("{} – {}{number}", words.title, words.ticket);
        pdf::render(&Document { title, language: self.language.as_str(), paragraphs })
    }

    fn facts(&self, words: &Words) -> String {
        let ticket = &self.ticket;
        let mut facts = vec![format!("{}: {}", words.status, words.status(ticket.status))];
        if let Some(opened) = ticket.open_time {
            facts.push(format!("{}: {}", words.opened, words.time(opened)));
        }
        facts.push(format!("{}: {}", words.device, ticket.device));
        facts.join("\n")
    }
}
