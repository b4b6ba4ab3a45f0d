//! A calendar as RFC 5545 has it. The library escapes and folds; times are in UTC, so no program has to know our zones.

use callboard_kernel::Timestamp;
use callboard_proto::tasks::v1 as proto;
use callboard_service::convert::from_proto_time;
use icalendar::{
    Calendar, CalendarDateTime, Class, Component as _, Event, EventLike as _, Property, Todo, TodoStatus,
};

/// How often a program is asked to look again.
const REFRESH: &str = "PT1H";

fn utc(time: Timestamp) -> CalendarDateTime {
    CalendarDateTime::Utc(time)
}

/// The feed of these entries. An occurrence is a VEVENT without length; a task a VTODO, since it can be done, and while
/// it is not closed also a VEVENT, since many programs show nothing else.
pub fn render(name: &str, entries: &[proto::CalendarEntry], now: Timestamp) -> String {
    let mut calendar = Calendar::empty();
    calendar
        .append_property(Property::new("VERSION", "2.0"))
        .append_property(Property::new("PRODID", "-//Callboard//Tasks//EN"))
        .append_property(Property::new("CALSCALE", "GREGORIAN"))
        .append_property(Property::new("METHOD", "PUBLISH"))
        .append_property(Property::new("REFRESH-INTERVAL", REFRESH).add_parameter("VALUE", "DURATION").done())
        .append_property(Property::new("X-PUBLISHED-TTL", REFRESH));
    calendar.name(name);
    for entry in entries {
        let Some(time) = entry.time.as_ref().and_then(|time| from_proto_time("time", time).ok()) else {
            continue;
        };
        let id = if entry.task_id.is_empty() { &entry.device_event_id } else { &entry.task_id };
        let is_closed = entry.status() == proto::TaskStatus::Closed;
        if !is_closed {
            // One event has many occurrences, a task one time.
            let uid = if entry.task_id.is_empty() {
                format!("{id}-{}@callboard", time.timestamp())
            } else {
                format!("{id}-due@callboard")
            };
            let event = Event::with_uid(&uid)
                .summary(&entry.title)
                .timestamp(now)
                .starts(utc(time))
                .append_property(Property::new("TRANSP", "TRANSPARENT"))
                .class(Class::Private)
                .done();
            calendar.push(event);
        }
        if !entry.task_id.is_empty() {
            let status = match entry.status() {
                proto::TaskStatus::Unspecified | proto::TaskStatus::Open => TodoStatus::NeedsAction,
                proto::TaskStatus::InProgress => TodoStatus::InProcess,
                proto::TaskStatus::Closed => TodoStatus::Completed,
            };
            let todo = Todo::with_uid(&format!("{id}@callboard"))
                .summary(&entry.title)
                .timestamp(now)
                .due(utc(time))
                .status(status)
                .class(Class::Private)
                .done();
            calendar.push(todo);
        }
    }
    calendar.to_string()
}

#[cfg(test)]
mod tests {
    use callboard_service::convert::to_proto_time;

    use super::*;

    fn entry(title: &str, task: &str) -> proto::CalendarEntry {
        let time: Timestamp = "2026-03-29T06:00:00Z".parse().expect("a time");
        proto::CalendarEntry {
            time: Some(to_proto_time(time)),
            title: title.into(),
            device_event_id: "e".into(),
            task_id: task.into(),
            ..proto::CalendarEntry::default()
        }
    }

    #[test]
    fn k_5_texts_are_escaped_and_long_lines_folded_as_rfc_5545_says() {
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().expect("a time");
        let long = format!("Filter; Dichtung, \\Ventil\n{}", "prüfen ".repeat(30));
        let text = render("Wartung", &[entry(&long, ""), entry("Do it", "t")], now);
        assert!(text.starts_with("BEGIN:VCALENDAR\r\n") && text.ends_with("END:VCALENDAR\r\n"), "{text}");
        for line in text.split("\r\n") {
            assert!(line.len() <= 75, "{line}");
            assert!(!line.contains('\n'), "{line}");
        }
        let unfolded = text.replace("\r\n ", "");
        assert!(unfolded.contains(r"SUMMARY:Filter\; Dichtung\, \\Ventil\nprüfen"), "{unfolded}");
        assert!(unfolded.contains("DTSTART:20260329T060000Z"), "{unfolded}");
        assert_eq!(unfolded.matches("BEGIN:VEVENT").count(), 2);
        assert_eq!(unfolded.matches("BEGIN:VTODO").count(), 1);
        assert!(unfolded.contains("DUE:20260329T060000Z") && unfolded.contains("STATUS:NEEDS-ACTION"));
    }
}
