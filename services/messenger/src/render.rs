//! From what was written to what is shown: a CommonMark subset as safe HTML (M-1).
//!
//! Bold, italic, links and line breaks; addresses are recognised; `[[url | text]]` is an assistant link. Everything
//! else is shown as it was written: headings, lists, code, images, and raw HTML above all. The text is parsed by
//! `pulldown-cmark` and what comes out is cleaned by `ammonia` once more, which knows no other tags than ours.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::LazyLock;

use linkify::LinkFinder;
use pulldown_cmark::{CowStr, Event, LinkType, Options, Parser, Tag, TagEnd, TextMergeWithOffset, html};

/// The most links of a message; what is beyond stays text.
const MAX_LINKS: usize = 100;
/// The longest address.
const MAX_URL: usize = 2_048;
/// Stands before every line while it is parsed, so that no line begins a block: punctuation, since what is beside a
/// star or an underscore decides what it means.
const GUARD: char = '\u{2016}';
/// Around the number of a link that was found before parsing. From the private use area; a text that has them loses
/// them.
const OPEN: char = '\u{E000}';
const CLOSE: char = '\u{E001}';

/// What a link is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkKind {
    /// A page.
    Web,
    /// An e-mail address or telephone number.
    Contact,
    /// To be shown as a button.
    Assistant,
}

/// A link in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// What it is for.
    pub kind: LinkKind,
    /// Where it leads: `http`, `https`, `mailto` or `tel`.
    pub url: String,
    /// What it says.
    pub text: String,
}

/// A text, rendered.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rendered {
    /// `p`, `strong`, `em`, `br` and `a` only.
    pub html: String,
    /// Its links, in the order of the `a`s.
    pub links: Vec<Link>,
}

static CLEANER: LazyLock<ammonia::Builder<'static>> = LazyLock::new(|| {
    let mut cleaner = ammonia::Builder::empty();
    cleaner
        .tags(HashSet::from(["p", "strong", "em", "br", "a"]))
        .tag_attributes(HashMap::from([("a", HashSet::from(["href"]))]))
        .url_schemes(HashSet::from(["http", "https", "mailto", "tel"]))
        .link_rel(Some("noopener noreferrer nofollow"));
    cleaner
});

/// What kind of address it is; `None`: none that is linked.
fn address(url: &str) -> Option<LinkKind> {
    if url.len() > MAX_URL || url.chars().any(|character| character.is_whitespace() || character.is_control())
    {
        return None;
    }
    let (scheme, rest) = url.split_once(':')?;
    match scheme.to_ascii_lowercase().as_str() {
        "http" | "https" if rest.len() > 2 && rest.starts_with("//") => Some(LinkKind::Web),
        "mailto" | "tel" if !rest.is_empty() => Some(LinkKind::Contact),
        _ => None,
    }
}

/// Where addresses are in a text, and where each leads: those with a scheme, those of e-mail, and between them what begins
/// with `www.`. Other names without a scheme, such as `manual.pdf`, stay text: too many things are called so that are no
/// pages.
fn recognised(text: &str) -> Vec<(Range<usize>, String)> {
    let mut without_scheme = LinkFinder::new();
    without_scheme.kinds(&[linkify::LinkKind::Url]).url_must_have_scheme(false);
    let between = |gap: Range<usize>| {
        let pages: Vec<_> = without_scheme
            .links(&text[gap.clone()])
            .filter(|found| is_page(found.as_str()))
            .map(|found| {
                (gap.start + found.start()..gap.start + found.end(), format!("https://{}", found.as_str()))
            })
            .collect();
        pages
    };
    let (mut recognised, mut from) = (Vec::new(), 0);
    for found in LinkFinder::new().links(text) {
        recognised.extend(between(from..found.start()));
        let url = match found.kind() {
            linkify::LinkKind::Email => format!("mailto:{}", found.as_str()),
            _ => found.as_str().to_owned(),
        };
        recognised.push((found.start()..found.end(), url));
        from = found.end();
    }
    recognised.extend(between(from..text.len()));
    recognised
}

/// `www.`, and a name with a dot behind it.
fn is_page(address: &str) -> bool {
    let Some((www, rest)) = address.split_at_checked(4) else { return false };
    let host = rest.split(['/', '?', '#', ':']).next().unwrap_or_default();
    www.eq_ignore_ascii_case("www.") && host.contains('.') && host.split('.').all(|label| !label.is_empty())
}

/// Renders a text.
pub fn render(text: &str) -> Rendered {
    if text.is_empty() {
        return Rendered::default();
    }
    let text: String = text
        .replace("\r\n", "\n")
        .chars()
        .map(|character| match character {
            '\r' => '\n',
            OPEN | CLOSE => char::REPLACEMENT_CHARACTER,
            other => other,
        })
        .collect();
    let mut found = Found::default();
    let marked = found.mark(&text);
    let source = guarded(&marked);
    let mut writer = Writer { found: &found, source: &source, out: Vec::new(), links: Vec::new() };
    writer.write();
    let Writer { out, links, .. } = writer;
    let mut written = String::with_capacity(source.len() * 2);
    html::push_html(&mut written, out.into_iter());
    Rendered { html: CLEANER.clean(&written).to_string().trim_end().to_owned(), links }
}

/// Every line behind the guard; blank ones part paragraphs.
fn guarded(text: &str) -> String {
    let mut source = String::with_capacity(text.len() + 16);
    for line in text.split('\n') {
        if !line.trim().is_empty() {
            source.push(GUARD);
            source.push_str(line.trim_end());
        }
        source.push('\n');
    }
    source
}

/// Links that are recognised before the text is parsed, so that no star or underscore in an address means anything.
#[derive(Default)]
struct Found {
    links: Vec<(Link, String)>,
}

impl Found {
    fn add(&mut self, link: Link, written: &str, marked: &mut String) {
        marked.push(OPEN);
        marked.push_str(&self.links.len().to_string());
        marked.push(CLOSE);
        self.links.push((link, written.to_owned()));
    }

    /// The text with numbers in place of its links.
    fn mark(&mut self, text: &str) -> String {
        let mut marked = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(start) = rest.find("[[") {
            let (before, from) = rest.split_at(start);
            let assistant = from[2..].find("]]").and_then(|end| {
                let (url, label) = from[2..2 + end].split_once('|')?;
                let (url, text) = (url.trim(), label.trim());
                let fits = address(url).is_some() && !text.is_empty() && !text.contains('\n');
                fits.then(|| (end + 4, url.to_owned(), text.to_owned()))
            });
            let Some((length, url, text)) = assistant.filter(|_| self.links.len() < MAX_LINKS) else {
                self.mark_addresses(before, &mut marked);
                marked.push_str("[[");
                rest = &from[2..];
                continue;
            };
            self.mark_addresses(before, &mut marked);
            self.add(Link { kind: LinkKind::Assistant, url, text }, &from[..length], &mut marked);
            rest = &from[length..];
        }
        self.mark_addresses(rest, &mut marked);
        marked
    }

    fn mark_addresses(&mut self, text: &str, marked: &mut String) {
        let mut written = 0;
        for (Range { mut start, mut end }, url) in recognised(text) {
            let found = &text[start..end];
            let Some(kind) = address(&url).filter(|_| self.links.len() < MAX_LINKS) else { continue };
            // `<https://example.com>` and `<mailto:…>` are links of CommonMark: the brackets go.
            let bracketed = text[..start].ends_with('<') || text[..start].ends_with("<mailto:");
            if bracketed && text[end..].starts_with('>') {
                start = text[..start].rfind('<').unwrap_or(start);
                end += 1;
            }
            if start < written {
                continue;
            }
            marked.push_str(&text[written..start]);
            self.add(Link { kind, url, text: found.to_owned() }, &text[start..end], marked);
            written = end;
        }
        marked.push_str(&text[written..]);
    }

    /// Splits a text at its marks: text, or the number of a link.
    fn pieces<'a>(&self, text: &'a str) -> Vec<Piece<'a>> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(start) = rest.find(OPEN) {
            let (before, from) = rest.split_at(start);
            pieces.push(Piece::Text(before));
            let inner = &from[OPEN.len_utf8()..];
            let Some(end) = inner.find(CLOSE) else { break };
            if let Ok(number) = inner[..end].parse::<usize>()
                && number < self.links.len()
            {
                pieces.push(Piece::Link(number));
            }
            rest = &inner[end + CLOSE.len_utf8()..];
        }
        pieces.push(Piece::Text(rest));
        pieces
    }

    /// A text with its links as they were written.
    fn plain(&self, text: &str) -> String {
        self.pieces(text)
            .into_iter()
            .map(|piece| match piece {
                Piece::Text(text) => text,
                Piece::Link(number) => self.links[number].1.as_str(),
            })
            .collect()
    }

    /// An address that was marked, or was not.
    fn url(&self, text: &str) -> String {
        self.pieces(text)
            .into_iter()
            .map(|piece| match piece {
                Piece::Text(text) => text,
                Piece::Link(number) => self.links[number].0.url.as_str(),
            })
            .collect()
    }
}

enum Piece<'a> {
    Text(&'a str),
    Link(usize),
}

struct Writer<'a> {
    found: &'a Found,
    source: &'a str,
    out: Vec<Event<'a>>,
    links: Vec<Link>,
}

impl<'a> Writer<'a> {
    fn write(&mut self) {
        let parsed = Parser::new_ext(self.source, Options::empty()).into_offset_iter();
        // Inside something that is shown as it was written.
        let mut literal = 0_usize;
        // The open links: whether each is one.
        let mut open: Vec<bool> = Vec::new();
        let mut at_line = false;
        for (event, range) in TextMergeWithOffset::new(parsed) {
            if literal > 0 {
                match event {
                    Event::Start(_) => literal += 1,
                    Event::End(_) => literal -= 1,
                    _ => {}
                }
                continue;
            }
            let in_link = open.contains(&true);
            match event {
                Event::Start(Tag::Paragraph) => {
                    at_line = true;
                    self.out.push(Event::Start(Tag::Paragraph));
                }
                Event::Start(tag @ (Tag::Strong | Tag::Emphasis)) => self.out.push(Event::Start(tag)),
                Event::End(tag @ (TagEnd::Paragraph | TagEnd::Strong | TagEnd::Emphasis)) => {
                    self.out.push(Event::End(tag));
                }
                Event::Start(Tag::Link { dest_url, .. }) => {
                    let url = self.found.url(&dest_url);
                    let kind = address(&url).filter(|_| self.links.len() < MAX_LINKS && !in_link);
                    open.push(kind.is_some());
                    if let Some(kind) = kind {
                        self.start(kind, url);
                    }
                }
                Event::End(TagEnd::Link) => {
                    if open.pop() == Some(true) {
                        self.out.push(Event::End(TagEnd::Link));
                    }
                }
                Event::SoftBreak | Event::HardBreak => {
                    at_line = true;
                    self.out.push(Event::HardBreak);
                }
                Event::Text(text) => {
                    let text = if at_line { text.strip_prefix(GUARD).unwrap_or(&text) } else { &text };
                    at_line = false;
                    self.text(text, in_link);
                }
                Event::Start(_) => {
                    literal = 1;
                    self.as_written(range, in_link);
                }
                Event::End(_) => {}
                Event::Code(_)
                | Event::InlineHtml(_)
                | Event::Html(_)
                | Event::InlineMath(_)
                | Event::DisplayMath(_)
                | Event::FootnoteReference(_)
                | Event::Rule
                | Event::TaskListMarker(_) => {
                    at_line = false;
                    self.as_written(range, in_link);
                }
            }
        }
    }

    fn start(&mut self, kind: LinkKind, url: String) {
        self.out.push(Event::Start(Tag::Link {
            link_type: LinkType::Inline,
            dest_url: CowStr::from(url.clone()),
            title: CowStr::Borrowed(""),
            id: CowStr::Borrowed(""),
        }));
        self.links.push(Link { kind, url, text: String::new() });
    }

    fn say(&mut self, text: String, in_link: bool) {
        if in_link && let Some(link) = self.links.last_mut() {
            link.text.push_str(&text);
        }
        self.out.push(Event::Text(CowStr::from(text)));
    }

    fn text(&mut self, text: &str, in_link: bool) {
        for piece in self.found.pieces(text) {
            match piece {
                Piece::Text("") => {}
                Piece::Text(text) => self.say(text.to_owned(), in_link),
                Piece::Link(number) if in_link => self.say(self.found.links[number].0.text.clone(), true),
                Piece::Link(number) => {
                    let (link, written) = &self.found.links[number];
                    if self.links.len() >= MAX_LINKS {
                        self.say(written.clone(), false);
                        continue;
                    }
                    self.start(link.kind, link.url.clone());
                    self.say(link.text.clone(), true);
                    self.out.push(Event::End(TagEnd::Link));
                }
            }
        }
    }

    /// What is no part of the subset, as it was written.
    fn as_written(&mut self, range: Range<usize>, in_link: bool) {
        let written = self.source.get(range).unwrap_or_default();
        for (number, line) in written.split('\n').enumerate() {
            let line = if number > 0 {
                self.out.push(Event::HardBreak);
                line.strip_prefix(GUARD).unwrap_or(line)
            } else {
                line
            };
            let line = self.found.plain(line);
            self.say(line, in_link);
        }
    }
}

#[cfg(test)]
mod tests;
