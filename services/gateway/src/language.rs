//! Which language to answer in, and the words of the status bar in it.

use callboard_kernel::Language;
use http::HeaderMap;
use http::header::ACCEPT_LANGUAGE;

use crate::model::tickets::{Priority, TicketStatus, Visibility};
use crate::model::video::VideoSessionStatus;

/// The language of an answer: what `Accept-Language` asks for, where it names one of ours; else the profile's; else
/// English. The header wins because it belongs to this one request and the profile to all.
pub fn negotiate(headers: &HeaderMap, profile: Option<Language>) -> Language {
    asked(headers).or(profile).unwrap_or_default()
}

/// The first of ours by preference (RFC 9110 §12.5.4). `*` and weight 0 choose nothing.
fn asked(headers: &HeaderMap) -> Option<Language> {
    let header = headers.get(ACCEPT_LANGUAGE)?.to_str().ok()?;
    let mut best: Option<(f32, Language)> = None;
    for range in header.split(',').take(20) {
        let mut parts = range.trim().split(';');
        let Some(Ok(language)) = parts.next().map(|tag| tag.trim().parse::<Language>()) else { continue };
        let weight = parts
            .find_map(|part| part.trim().strip_prefix("q="))
            .map_or(1.0, |weight| weight.parse::<f32>().unwrap_or(0.0));
        if weight > 0.0 && best.is_none_or(|(most, _)| weight > most) {
            best = Some((weight, language));
        }
    }
    best.map(|(_, language)| language)
}

/// The label of a status (domain.md, "Tickets").
pub const fn status_label(status: TicketStatus, language: Language) -> &'static str {
    let (english, german) = match status {
        TicketStatus::Draft => ("Draft", "Entwurf"),
        TicketStatus::Open => ("Open", "Offen"),
        TicketStatus::Assigned => ("Assigned", "Zugewiesen"),
        TicketStatus::InProgress => ("In progress", "In Bearbeitung"),
        TicketStatus::Done => ("Done", "Fertig"),
        TicketStatus::Closed => ("Closed", "Geschlossen"),
        TicketStatus::Cancelled => ("Cancelled", "Abgebrochen"),
    };
    pick(language, english, german)
}

/// The label of a video session's status (domain.md, "Video sessions").
pub const fn session_status_label(status: VideoSessionStatus, language: Language) -> &'static str {
    let (english, german) = match status {
        VideoSessionStatus::Requested => ("Requested", "Angefragt"),
        VideoSessionStatus::Confirmed => ("Confirmed", "Bestätigt"),
        VideoSessionStatus::InProgress => ("In progress", "Im Gespräch"),
        VideoSessionStatus::Done => ("Done", "Beendet"),
        VideoSessionStatus::Closed => ("Closed", "Geschlossen"),
        VideoSessionStatus::Cancelled => ("Cancelled", "Abgesagt"),
    };
    pick(language, english, german)
}

/// The label of a visibility.
pub const fn visibility_label(visibility: Visibility, language: Language) -> &'static str {
    match visibility {
        Visibility::Internal => pick(language, "Internal", "Intern"),
        Visibility::Public => pick(language, "Public", "Öffentlich"),
    }
}

/// The label of a priority.
pub const fn priority_label(priority: Priority, language: Language) -> &'static str {
    match priority {
        Priority::Low => pick(language, "Low", "Niedrig"),
        Priority::Normal => pick(language, "Normal", "Normal"),
        Priority::High => pick(language, "High", "Hoch"),
    }
}

const fn pick(language: Language, english: &'static str, german: &'static str) -> &'static str {
    match language {
        Language::En => english,
        Language::De => german,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(header: &str, profile: Option<Language>) -> Language {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT_LANGUAGE, header.parse().unwrap());
        negotiate(&headers, profile)
    }

    #[test]
    fn the_header_wins_then_the_profile_then_english() {
        assert_eq!(of("de-AT,en;q=0.5", None), Language::De);
        assert_eq!(of("fr, en;q=0.3, de;q=0.8", None), Language::De);
        assert_eq!(of("fr", Some(Language::De)), Language::De);
        assert_eq!(of("de;q=0", Some(Language::En)), Language::En);
        assert_eq!(of("en", Some(Language::De)), Language::En);
        assert_eq!(negotiate(&HeaderMap::new(), None), Language::En);
    }
}
