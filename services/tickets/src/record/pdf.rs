//! Text on pages, as PDF: paragraphs of one size and weight, broken into lines and pages. A4.
//!
//! Fonts are DejaVu Sans (Latin with all its accents, Greek, Cyrillic and more), of which only the glyphs in use go into
//! the document. Text can be searched and copied, and the document says its language.

use std::collections::BTreeMap;

use pdf_writer::types::{CidFontType, FontFlags, SystemInfo, UnicodeCmap};
use pdf_writer::{Content, Finish, Name, Pdf, Rect, Ref, Str, TextStr};
use subsetter::GlyphRemapper;
use ttf_parser::{Face, GlyphId};

const REGULAR: &[u8] = include_bytes!("../../fonts/DejaVuSans.ttf");
const BOLD: &[u8] = include_bytes!("../../fonts/DejaVuSans-Bold.ttf");

/// A4, in points.
const PAGE: (f32, f32) = (595.28, 841.89);
const MARGIN: f32 = 56.7;
/// Distance of lines, of the size.
const LEADING: f32 = 1.35;
const FOOT_SIZE: f32 = 8.0;

/// A piece of text.
#[derive(Debug, Clone, PartialEq)]
pub struct Paragraph {
    /// May have line breaks.
    pub text: String,
    /// In points.
    pub size: f32,
    /// Heavier.
    pub bold: bool,
    /// Grey, for what is said beside.
    pub faint: bool,
    /// Space above, in points.
    pub above: f32,
}

/// A document.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// Stands in the document's properties and at the foot of each page.
    pub title: String,
    /// BCP 47.
    pub language: &'static str,
    /// From top to bottom.
    pub paragraphs: Vec<Paragraph>,
}

/// Why there is no document.
#[derive(Debug, thiserror::Error)]
pub enum PdfError {
    /// The font in the binary is broken.
    #[error("font: {0}")]
    Font(String),
}

/// A font, and which of its glyphs are in use.
struct Font {
    data: &'static [u8],
    face: Face<'static>,
    used: GlyphRemapper,
    characters: BTreeMap<u16, char>,
    name: &'static str,
    resource: Name<'static>,
}

impl Font {
    fn new(data: &'static [u8], name: &'static str, resource: &'static [u8]) -> Result<Self, PdfError> {
        let face = Face::parse(data, 0).map_err(|error| PdfError::Font(error.to_string()))?;
        let used = GlyphRemapper::new();
        Ok(Self { data, face, used, characters: BTreeMap::new(), name, resource: Name(resource) })
    }

    fn glyph(&self, character: char) -> GlyphId {
        let found = self.face.glyph_index(character);
        // U+FFFD says that there was something; a gap would not.
        found.or_else(|| self.face.glyph_index('\u{fffd}')).unwrap_or_default()
    }

    /// In thousandths of the size.
    fn advance(&self, glyph: GlyphId) -> f32 {
        let units = f32::from(self.face.units_per_em());
        f32::from(self.face.glyph_hor_advance(glyph).unwrap_or(0)) * 1000.0 / units
    }

    fn width(&self, text: &str, size: f32) -> f32 {
        text.chars().map(|character| self.advance(self.glyph(character))).sum::<f32>() * size / 1000.0
    }

    /// The text as the document's own glyph numbers, two bytes each.
    fn encode(&mut self, text: &str) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(text.len() * 2);
        for character in text.chars() {
            let number = self.used.remap(self.glyph(character).0);
            self.characters.entry(number).or_insert(character);
            bytes.extend(number.to_be_bytes());
        }
        bytes
    }

    /// Breaks a text into lines of at most this width: between words, and within those that are longer than a line.
    fn lines(&self, text: &str, size: f32, most: f32) -> Vec<String> {
        let mut lines = Vec::new();
        for line in text.lines() {
            let mut current = String::new();
            let mut width = 0.0;
            for word in line.replace('\t', "    ").split_inclusive(' ') {
                // A space at the end of a line may hang over.
                let wide = self.width(word.trim_end(), size);
                if width + wide > most && !current.is_empty() {
                    lines.push(std::mem::take(&mut current));
                    width = 0.0;
                }
                if wide <= most {
                    current.push_str(word);
                    width += self.width(word, size);
                    continue;
                }
                for character in word.chars() {
                    let wide = self.advance(self.glyph(character)) * size / 1000.0;
                    if width + wide > most {
                        lines.push(std::mem::take(&mut current));
                        width = 0.0;
                    }
                    current.push(character);
                    width += wide;
                }
            }
            lines.push(current);
        }
        lines
    }

    /// Writes the font with the glyphs in use.
    fn write(&self, pdf: &mut Pdf, ids: [Ref; 5]) -> Result<(), PdfError> {
        let [type0, cid, descriptor, file, cmap] = ids;
        let base = format!("CALLBD+{}", self.name);
        let base = Name(base.as_bytes());
        let system = SystemInfo { registry: Str(b"Adobe"), ordering: Str(b"Identity"), supplement: 0 };
        let subset =
            subsetter::subset(self.data, 0, &self.used).map_err(|error| PdfError::Font(error.to_string()))?;
        pdf.type0_font(type0)
            .base_font(base)
            .encoding_predefined(Name(b"Identity-H"))
            .descendant_font(cid)
            .to_unicode(cmap);
        let mut font = pdf.cid_font(cid);
        font.subtype(CidFontType::Type2)
            .base_font(base)
            .system_info(system)
            .font_descriptor(descriptor)
            .default_width(0.0)
            .cid_to_gid_map_predefined(Name(b"Identity"));
        let widths = self.used.remapped_gids().map(|glyph| self.advance(GlyphId(glyph)));
        font.widths().consecutive(0, widths);
        font.finish();
        let scale = 1000.0 / f32::from(self.face.units_per_em());
        let bbox = self.face.global_bounding_box();
        let scaled = |units: i16| f32::from(units) * scale;
        pdf.font_descriptor(descriptor)
            .name(base)
            .flags(FontFlags::NON_SYMBOLIC)
            .bbox(Rect::new(scaled(bbox.x_min), scaled(bbox.y_min), scaled(bbox.x_max), scaled(bbox.y_max)))
            .italic_angle(0.0)
            .ascent(scaled(self.face.ascender()))
            .descent(scaled(self.face.descender()))
            .cap_height(scaled(self.face.capital_height().unwrap_or(self.face.ascender())))
            .stem_v(80.0)
            .font_file2(file);
        pdf.stream(file, &subset).pair(Name(b"Length1"), i32::try_from(subset.len()).unwrap_or(i32::MAX));
        let mut unicode = UnicodeCmap::<u16>::new(Name(b"Callboard"), system);
        for (glyph, character) in &self.characters {
            unicode.pair(*glyph, *character);
        }
        pdf.cmap(cmap, &unicode.finish());
        Ok(())
    }
}

/// Where a page is being filled.
struct Pages {
    done: Vec<Content>,
    current: Content,
    y: f32,
}

impl Pages {
    fn turn(&mut self) {
        self.done.push(std::mem::replace(&mut self.current, Content::new()));
        self.y = PAGE.1 - MARGIN;
    }
}

fn show(content: &mut Content, font: &mut Font, text: &str, (x, y): (f32, f32), size: f32, grey: f32) {
    let bytes = font.encode(text);
    content.begin_text().set_font(font.resource, size).set_fill_gray(grey);
    content.next_line(x, y).show(Str(&bytes)).end_text();
}

/// The document as PDF.
///
/// # Errors
/// See [`PdfError`].
pub fn render(document: &Document) -> Result<Vec<u8>, PdfError> {
    let mut regular = Font::new(REGULAR, "DejaVuSans", b"F0")?;
    let mut bold = Font::new(BOLD, "DejaVuSans-Bold", b"F1")?;
    let mut pages = Pages { done: Vec::new(), current: Content::new(), y: PAGE.1 - MARGIN };
    for paragraph in &document.paragraphs {
        let font = if paragraph.bold { &mut bold } else { &mut regular };
        pages.y -= paragraph.above;
        for line in font.lines(&paragraph.text, paragraph.size, PAGE.0 - 2.0 * MARGIN) {
            if pages.y - paragraph.size * LEADING < MARGIN {
                pages.turn();
            }
            pages.y -= paragraph.size * LEADING;
            let grey = if paragraph.faint { 0.4 } else { 0.0 };
            let at = (MARGIN, pages.y);
            show(&mut pages.current, font, line.trim_end(), at, paragraph.size, grey);
        }
    }
    pages.turn();
    let mut contents = pages.done;
    let count = contents.len();
    let most = PAGE.0 - 2.0 * MARGIN - 60.0;
    let title = regular.lines(&document.title, FOOT_SIZE, most).into_iter().next().unwrap_or_default();
    for (index, content) in contents.iter_mut().enumerate() {
        let number = format!("{} / {count}", index + 1);
        let right = PAGE.0 - MARGIN - regular.width(&number, FOOT_SIZE);
        show(content, &mut regular, &title, (MARGIN, MARGIN / 2.0), FOOT_SIZE, 0.4);
        show(content, &mut regular, &number, (right, MARGIN / 2.0), FOOT_SIZE, 0.4);
    }
    write(document, contents, [&regular, &bold])
}

fn write(document: &Document, contents: Vec<Content>, fonts: [&Font; 2]) -> Result<Vec<u8>, PdfError> {
    let mut next = 0;
    let mut id = || {
        next += 1;
        Ref::new(next)
    };
    let mut pdf = Pdf::new();
    let (catalogue, tree, info) = (id(), id(), id());
    let ids = fonts.map(|_| [id(), id(), id(), id(), id()]);
    let pages: Vec<(Ref, Ref)> = contents.iter().map(|_| (id(), id())).collect();
    pdf.catalog(catalogue).pages(tree).lang(TextStr(document.language));
    pdf.document_info(info).title(TextStr(&document.title)).producer(TextStr("Callboard"));
    pdf.pages(tree)
        .kids(pages.iter().map(|(page, _)| *page))
        .count(i32::try_from(pages.len()).unwrap_or(i32::MAX));
    for ((page_id, content_id), content) in pages.into_iter().zip(contents) {
        let mut page = pdf.page(page_id);
        page.media_box(Rect::new(0.0, 0.0, PAGE.0, PAGE.1)).parent(tree).contents(content_id);
        let mut resources = page.resources();
        let mut named = resources.fonts();
        for (font, ids) in fonts.iter().zip(&ids) {
            named.pair(font.resource, ids[0]);
        }
        named.finish();
        resources.finish();
        page.finish();
        pdf.stream(content_id, &content.finish());
    }
    for (font, ids) in fonts.into_iter().zip(ids) {
        font.write(&mut pdf, ids)?;
    }
    Ok(pdf.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paragraph(text: &str) -> Paragraph {
        Paragraph { text: text.to_owned(), size: 10.0, bold: false, faint: false, above: 4.0 }
    }

    #[test]
    fn lines_are_no_wider_than_the_page_and_lose_nothing() {
        let font = Font::new(REGULAR, "DejaVuSans", b"F0").unwrap();
        let text = format!("Die Größe des Lecks {} ist unbekannt.\n\nZweiter Absatz", "x".repeat(300));
        let lines = font.lines(&text, 10.0, 200.0);
        assert!(lines.iter().all(|line| font.width(line.trim_end(), 10.0) <= 200.0));
        let letters = |text: &str| text.chars().filter(|letter| !letter.is_whitespace()).collect::<String>();
        assert_eq!(letters(&lines.concat()), letters(&text));
    }

    #[test]
    fn german_letters_have_glyphs_and_long_texts_more_pages() {
        let font = Font::new(REGULAR, "DejaVuSans", b"F0").unwrap();
        let missing = font.glyph('\u{fffd}');
        for letter in "äöüÄÖÜß€–„“µ°".chars() {
            assert_ne!(font.glyph(letter), missing, "{letter}");
        }
        let pages = |count: usize| {
            let paragraphs = vec![paragraph("Druck geprüft"); count];
            let document = Document { title: "T".into(), language: "de", paragraphs };
            let pdf = render(&document).unwrap();
            assert!(pdf.starts_with(b"%PDF-") && pdf.ends_with(b"%%EOF"));
            pdf.windows(11).filter(|window| window == b"/Type /Page").count() - 1
        };
        assert_eq!((pages(1), pages(100)), (1, 3));
    }
}
