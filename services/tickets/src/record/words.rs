//! The words of a record, by language.

use callboard_kernel::{Actor, Language, Timestamp};
use callboard_tickets_domain::Status;

/// The words of one language.
#[derive(Debug)]
pub(super) struct Words {
    pub(super) title: &'static str,
    pub(super) file: &'static str,
    pub(super) ticket: &'static str,
    pub(super) status: &'static str,
    pub(super) opened: &'static str,
    pub(super) device: &'static str,
    pub(super) serial_number: &'static str,
    pub(super) attachment: &'static str,
    pub(super) nothing: &'static str,
    /// In the order of [`Status::ALL`]: as the domain's page has them.
    statuses: [&'static str; 7],
    /// Employee, code user, customer user, Callboard itself.
    authors: [&'static str; 4],
    time: &'static str,
    decimal: char,
}

static ENGLISH: Words = Words {
    title: "Digital service record",
    file: "service-record",
    ticket: "Ticket",
    status: "Status",
    opened: "Opened",
    device: "Device",
    serial_number: "Serial number",
    attachment: "Attachment",
    nothing: "No public updates.",
    statuses: ["Draft", "Open", "Assigned", "In progress", "Done", "Closed", "Cancelled"],
    authors: ["Employee", "Person at the device", "Customer", "Callboard"],
    time: "%-d %B %Y, %H:%M UTC",
    decimal: '.',
};

static GERMAN: Words = Words {
    title: "Digitales Serviceprotokoll",
    file: "serviceprotokoll",
    ticket: "Ticket",
    status: "Status",
    opened: "Eröffnet",
    device: "Gerät",
    serial_number: "Seriennummer",
    attachment: "Anhang",
    nothing: "Keine öffentlichen Einträge.",
    statuses: ["Entwurf", "Offen", "Zugewiesen", "In Bearbeitung", "Fertig", "Geschlossen", "Abgebrochen"],
    authors: ["Mitarbeiter/in", "Person am Gerät", "Kunde", "Callboard"],
    time: "%d.%m.%Y, %H:%M UTC",
    decimal: ',',
};

pub(super) const fn words(language: Language) -> &'static Words {
    match language {
        Language::En => &ENGLISH,
        Language::De => &GERMAN,
    }
}

impl Words {
    pub(super) const fn status(&self, status: Status) -> &'static str {
        let [draft, open, assigned, in_progress, done, closed, cancelled] = self.statuses;
        match status {
            Status::Draft => draft,
            Status::Open => open,
            Status::Assigned => assigned,
            Status::InProgress => in_progress,
            Status::Done => done,
            Status::Closed => closed,
            Status::Cancelled => cancelled,
        }
    }

    pub(super) const fn author(&self, author: Actor) -> &'static str {
        let [employee, code_user, customer_user, system] = self.authors;
        match author {
            Actor::Employee(_) => employee,
            Actor::CodeUser(_) => code_user,
            Actor::CustomerUser(_) => customer_user,
            Actor::System => system,
        }
    }

    pub(super) fn time(&self, time: Timestamp) -> String {
        time.format(self.time).to_string()
    }

    /// Bytes for a person.
    pub(super) fn size(&self, bytes: i64) -> String {
        const STEP: i64 = 1024;
        let (unit, name) = match bytes {
            ..STEP => return format!("{bytes} B"),
            STEP..1_048_576 => (STEP, "KiB"),
            _ => (STEP * STEP, "MiB"),
        };
        // One place, rounded down.
        let tenths = bytes.saturating_mul(10) / unit;
        format!("{}{}{} {name}", tenths / 10, self.decimal, tenths % 10)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_read_as_the_language_writes_them() {
        let (english, german) = (words(Language::En), words(Language::De));
        assert_eq!((english.size(1023), german.size(1536)), ("1023 B".into(), "1,5 KiB".into()));
        assert_eq!(english.size(52_428_800), "50.0 MiB");
        let time = chrono::DateTime::from_timestamp(1_795_334_400, 0).unwrap();
        assert_eq!(english.time(time), "22 November 2026, 08:00 UTC");
        assert_eq!(german.time(time), "22.11.2026, 08:00 UTC");
    }
}
