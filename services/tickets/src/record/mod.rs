//! The digital service record as a document (T-12): a ticket and its public updates in order, in the reader's language.
//!
//! Who wrote an update is said by kind: names are not this context's to know.

mod pdf;
mod words;

use std::sync::Arc;

use callboard_kernel::{Actor, Language, Timestamp};
use callboard_proto::common::v1::Attachment;
use callboard_tickets_domain::Ticket;
use serde_json::{Value, json};

use crate::store::{Device, StoredUpdate};
pub use pdf::PdfError;
use pdf::{Document, Paragraph};
use words::{Words, words};

/// What a record is made of.
#[derive(Debug)]
pub struct Record {
    /// The ticket.
    pub ticket: Ticket,
    /// Its device; removed ones are known still.
    pub device: Option<Arc<Device>>,
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
                "device": {"name": self.device_name(), "serialNumber": self.serial_number()},
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
        // Until its name is known it is called by its id.
        let device = self.device_name().map_or_else(|| ticket.device.to_string(), str::to_owned);
        facts.push(format!("{}: {device}", words.device));
        if let Some(number) = self.serial_number() {
            facts.push(format!("{}: {number}", words.serial_number));
        }
        facts.join("\n")
    }

    fn device_name(&self) -> Option<&str> {
        self.device.as_deref().map(|device| device.name.as_str()).filter(|name| !name.is_empty())
    }

    fn serial_number(&self) -> Option<&str> {
        self.device.as_deref().map(|device| device.serial_number.as_str()).filter(|number| !number.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use callboard_tickets_domain::{Place, Priority, Status, Visibility};
    use uuid::Uuid;

    use super::*;

    fn record(device: Option<Device>) -> Record {
        let (id, now) = (Uuid::from_u128(7), "2026-01-05T09:00:00Z".parse().unwrap());
        let ticket = Ticket {
            id: id.into(),
            organisation: id.into(),
            number: Some(3),
            device: Uuid::from_u128(9).into(),
            place: Place { template: id.into(), customer: None, departments: Vec::new(), version: 1 },
            flow: None,
            draft_flow: None,
            group: None,
            notification_group: None,
            title: "Leak".into(),
            description: String::new(),
            status: Status::Open,
            visibility: Visibility::Public,
            priority: Priority::Normal,
            answers: Vec::new(),
            words: String::new(),
            involved: Vec::new(),
            rating: None,
            rating_round: 0,
            done_round: 0,
            creator: Actor::System,
            create_time: now,
            update_time: now,
            open_time: None,
            updates: 0,
            timeline: 0,
        };
        Record { ticket, device: device.map(Arc::new), updates: Vec::new(), language: Language::En }
    }

    fn device(name: &str, serial_number: &str) -> Option<Device> {
        let record = record(None);
        Some(Device {
            organisation: record.ticket.organisation,
            place: record.ticket.place,
            name: name.into(),
            serial_number: serial_number.into(),
            removed: false,
        })
    }

    #[test]
    fn t_12_the_record_says_which_machine_it_was() {
        let id = Uuid::from_u128(9);
        for (known, line, shown) in [
            (
                device("Coffee machine", "CM-1"),
                "Device: Coffee machine\nSerial number: CM-1".to_owned(),
                json!({"name": "Coffee machine", "serialNumber": "CM-1"}),
            ),
            (device("Lift", ""), "Device: Lift".to_owned(), json!({"name": "Lift", "serialNumber": null})),
            (device("", ""), format!("Device: {id}"), json!({"name": null, "serialNumber": null})),
            (None, format!("Device: {id}"), json!({"name": null, "serialNumber": null})),
        ] {
            let record = record(known);
            assert_eq!(record.facts(words(Language::En)), format!("Status: Open\n{line}"));
            assert_eq!(record.json()["ticket"]["device"], shown);
            assert_eq!(record.json()["ticket"]["deviceId"], id.to_string());
        }
        let mut german = record(device("Kaffeemaschine", "KM-1"));
        german.language = Language::De;
        let facts = german.facts(words(Language::De));
        assert!(facts.ends_with("Gerät: Kaffeemaschine\nSeriennummer: KM-1"), "{facts}");
    }
}
