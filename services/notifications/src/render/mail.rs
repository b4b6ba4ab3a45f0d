//! E-mails: a text and the same as HTML, nothing loaded from elsewhere.

use callboard_kernel::{Language, Timestamp};
use uuid::Uuid;

use super::{Texts, fill};

/// What an e-mail says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// One line.
    pub subject: String,
    /// Plain text.
    pub text: String,
    /// HTML.
    pub html: String,
    /// For `List-Unsubscribe`; `None`: there is nothing to unsubscribe from.
    pub unsubscribe: Option<String>,
}

/// What an e-mail holds besides its line.
#[derive(Debug, Clone, Default)]
pub struct MailAbout {
    /// Where it leads; and when that link ends, where it lets in without login (N-6).
    pub open: Option<(String, Option<Timestamp>)>,
    /// Ends e-mails like this.
    pub unsubscribe: Option<String>,
    /// The id of what it is about, where nothing else in it names it.
    pub reference: Option<Uuid>,
    /// It comes whatever was chosen (S-3).
    pub at_once: bool,
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// A body: paragraphs, one of which may be a link.
enum Part<'a> {
    Text(&'a str),
    Small(&'a str),
    Button(&'a str, &'a str),
    Link(&'a str, &'a str),
}

fn bodies(language: Language, title: &str, parts: &[Part<'_>]) -> (String, String) {
    let mut text = String::new();
    let mut html = format!(
        "<!doctype html>\n<html lang=\"{}\"><head><meta charset=\"utf-8\"><title>{}</title></head>\n\
         <body style=\"font-family:sans-serif;max-width:36em;margin:1em auto;padding:0 1em;color:#222\">\n",
        language.as_str(),
        escape(title)
    );
    for part in parts {
        match part {
            Part::Text(line) => {
                text.push_str(line);
                html.push_str(&format!("<p>{}</p>\n", escape(line)));
            }
            Part::Small(line) => {
                text.push_str(line);
                html.push_str(&format!("<p style=\"font-size:85%;color:#666\">{}</p>\n", escape(line)));
            }
            Part::Button(label, url) => {
                text.push_str(&format!("{label}: {url}"));
                html.push_str(&format!(
                    "<p><a href=\"{}\" style=\"display:inline-block;padding:.6em 1em;background:#1a5fb4;color:#fff;\
                     text-decoration:none;border-radius:4px\">{}</a></p>\n",
                    escape(url),
                    escape(label)
                ));
            }
            Part::Link(label, url) => {
                text.push_str(&format!("{label}: {url}"));
                html.push_str(&format!(
                    "<p style=\"font-size:85%\"><a href=\"{}\" style=\"color:#666\">{}</a></p>\n",
                    escape(url),
                    escape(label)
                ));
            }
        }
        text.push_str("\n\n");
    }
    html.push_str("</body></html>\n");
    (text, html)
}

fn moment(time: Timestamp) -> String {
    time.format("%Y-%m-%d %H:%M").to_string()
}

impl Texts {
    /// The e-mail that tells a line.
    pub fn mail(&self, language: Language, line: &str, name: Option<&str>, about: &MailAbout) -> Mail {
        let words = &self.of(language).mail;
        let greeting = match name {
            Some(name) => fill(&words.greeting, &[("name", name)]),
            None => words.greeting_unnamed.clone(),
        };
        let sentence = format!("{line}.");
        let ends = about.open.as_ref().and_then(|(_, ends)| *ends);
        let access = ends.map(|ends| fill(&words.access, &[("expires", &moment(ends))]));
        let reference = about.reference.map(|id| fill(&words.reference, &[("id", &id.to_string())]));
        let why = match name {
            _ if about.at_once => &words.why_at_once,
            Some(_) => &words.why,
            None => &words.why_code,
        };
        let mut parts = vec![Part::Text(&greeting), Part::Text(&sentence)];
        parts.extend(reference.as_deref().map(Part::Text));
        if let Some((url, _)) = &about.open {
            parts.push(Part::Button(&words.open, url));
        }
        if let Some(access) = &access {
            parts.push(Part::Small(access));
        }
        parts.push(Part::Small(why));
        if let Some(url) = &about.unsubscribe {
            parts.push(Part::Link(&words.unsubscribe, url));
        }
        let (text, html) = bodies(language, line, &parts);
        Mail { subject: line.to_owned(), text, html, unsubscribe: about.unsubscribe.clone() }
    }

    /// The e-mail that asks an address to confirm itself.
    pub fn confirmation(&self, language: Language, url: &str, ends: Timestamp) -> Mail {
        let words = &self.of(language).mail;
        let until = fill(&words.confirm_ends, &[("expires", &moment(ends))]);
        let parts = [
            Part::Text(&words.greeting_unnamed),
            Part::Text(&words.confirm),
            Part::Button(&words.confirm_button, url),
            Part::Small(&until),
        ];
        let (text, html) = bodies(language, &words.confirm_subject, &parts);
        Mail { subject: words.confirm_subject.clone(), text, html, unsubscribe: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn n_6_an_e_mail_with_a_link_that_lets_in_says_when_it_ends() {
        let texts = Texts::read().expect("texts");
        let ends = Timestamp::UNIX_EPOCH;
        let links = MailAbout {
            open: Some(("https://x/a/t".into(), Some(ends))),
            unsubscribe: Some("https://x/u".into()),
            ..MailAbout::default()
        };
        let mail = texts.mail(Language::De, "Ticket 7 ist jetzt fertig", None, &links);
        for body in [&mail.text, &mail.html] {
            assert!(body.contains("https://x/a/t") && body.contains("1970-01-01 00:00"), "{body}");
            assert!(body.contains("https://x/u"), "{body}");
        }
        assert_eq!(mail.unsubscribe.as_deref(), Some("https://x/u"));
    }

    #[test]
    fn html_holds_no_html_of_names() {
        let texts = Texts::read().expect("texts");
        let mail = texts.mail(Language::En, "<b>x</b> wrote", Some("A & B"), &MailAbout::default());
        assert!(mail.html.contains("&lt;b&gt;") && mail.html.contains("A &amp; B"), "{}", mail.html);
        assert!(mail.text.contains("<b>x</b>"));
    }
}
