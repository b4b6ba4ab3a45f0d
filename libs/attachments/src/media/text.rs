//! Whether bytes are text, as they come, and in which charset.
//!
//! Windows' own programs save text as "UTF-8", "Unicode" (UTF-16 with a byte order mark) or "ANSI", which in Western
//! Europe and America is Windows-1252. Anything else would be guessing, and is refused.

/// How text is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Charset {
    /// UTF-8, with or without a byte order mark.
    Utf8,
    /// UTF-16 with the byte order mark `FF FE`.
    Utf16Le,
    /// UTF-16 with the byte order mark `FE FF`.
    Utf16Be,
    /// Windows-1252, of which Latin-1 text is a part. A guess by elimination: nothing in the bytes says so.
    Windows1252,
}

/// Checks that bytes are text without control characters but line breaks, tabs and form feeds.
#[derive(Debug, Default)]
pub struct TextCheck {
    /// The first bytes, until there are enough to know whether they are a byte order mark.
    first: Vec<u8>,
    utf16: Option<Utf16>,
    utf8: Utf8,
    windows_1252: Windows1252,
}

impl TextCheck {
    /// More bytes.
    pub fn take(&mut self, bytes: &[u8]) {
        let mut bytes = bytes;
        if self.first.len() < 2 {
            let (first, rest) = bytes.split_at(bytes.len().min(2 - self.first.len()));
            self.first.extend_from_slice(first);
            if let [_, _] = self.first[..] {
                self.utf16 = match self.first[..] {
                    [0xff, 0xfe] => Some(Utf16::new(u16::from_le_bytes)),
                    [0xfe, 0xff] => Some(Utf16::new(u16::from_be_bytes)),
                    _ => None,
                };
            }
            if self.utf16.is_none() {
                self.utf8.take(first);
                self.windows_1252.take(first);
            }
            bytes = rest;
        }
        if let Some(utf16) = &mut self.utf16 {
            utf16.take(bytes);
        } else {
            self.utf8.take(bytes);
            self.windows_1252.take(bytes);
        }
    }

    /// What all of it is written in; `None`: it is no text.
    pub fn charset(&self) -> Option<Charset> {
        if let Some(utf16) = &self.utf16 {
            let charset = if self.first[0] == 0xff { Charset::Utf16Le } else { Charset::Utf16Be };
            return utf16.is_text().then_some(charset);
        }
        if self.utf8.is_text() {
            return Some(Charset::Utf8);
        }
        self.windows_1252.is_text().then_some(Charset::Windows1252)
    }
}

fn is_unfit(character: char) -> bool {
    character.is_control() && !matches!(character, '\n' | '\r' | '\t' | '\u{c}')
}

#[derive(Debug, Default)]
struct Utf8 {
    broken: bool,
    /// The beginning of a character whose rest has not come yet.
    rest: Vec<u8>,
}

impl Utf8 {
    fn take(&mut self, bytes: &[u8]) {
        if self.broken {
            return;
        }
        let joined;
        let bytes = if self.rest.is_empty() {
            bytes
        } else {
            joined = [std::mem::take(&mut self.rest).as_slice(), bytes].concat();
            &joined
        };
        let valid = match std::str::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) if error.error_len().is_none() => {
                let (valid, rest) = bytes.split_at(error.valid_up_to());
                self.rest = rest.to_vec();
                std::str::from_utf8(valid).unwrap_or_default()
            }
            Err(_) => {
                self.broken = true;
                return;
            }
        };
        self.broken = valid.chars().any(is_unfit);
    }

    const fn is_text(&self) -> bool {
        !self.broken && self.rest.is_empty()
    }
}

/// Behind the byte order mark.
#[derive(Debug)]
struct Utf16 {
    unit: fn([u8; 2]) -> u16,
    broken: bool,
    /// The first byte of a unit, and the first unit of a pair, whose second has not come yet.
    byte: Option<u8>,
    high: Option<u16>,
}

impl Utf16 {
    const fn new(unit: fn([u8; 2]) -> u16) -> Self {
        Self { unit, broken: false, byte: None, high: None }
    }

    fn take(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            if self.broken {
                return;
            }
            if let Some(first) = self.byte.take() {
                self.take_unit((self.unit)([first, byte]));
            } else {
                self.byte = Some(byte);
            }
        }
    }

    fn take_unit(&mut self, unit: u16) {
        let high = self.high.take();
        if high.is_none() && matches!(unit, 0xd800..=0xdbff) {
            self.high = Some(unit);
            return;
        }
        // U+FFFE and U+FFFF are no characters: bytes the other way round, or no text at all.
        let character = char::decode_utf16(high.into_iter().chain([unit])).next().and_then(Result::ok);
        self.broken =
            character.is_none_or(|character| is_unfit(character) || matches!(unit, 0xfffe | 0xffff));
    }

    const fn is_text(&self) -> bool {
        !self.broken && self.byte.is_none() && self.high.is_none()
    }
}

/// Any bytes at all could be Windows-1252, so it is taken only for what looks like the text of a Western language: no
/// control character, no byte without a meaning, at most two fifths beyond ASCII, and letters, digits and blanks for at
/// least half of it. Programs and data fail at their first NUL.
#[derive(Debug, Default)]
struct Windows1252 {
    broken: bool,
    all: usize,
    /// How many of the first bytes are those of UTF-8's byte order mark: with all three it is UTF-8, if broken.
    of_mark: usize,
    beyond_ascii: usize,
    in_words: usize,
    letters: usize,
}

impl Windows1252 {
    fn take(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            if self.broken {
                return;
            }
            self.of_mark +=
                usize::from(self.of_mark == self.all && [0xef, 0xbb, 0xbf].get(self.of_mark) == Some(&byte));
            self.all += 1;
            let is_letter = matches!(byte,
                b'a'..=b'z' | b'A'..=b'Z'
                // Š Œ Ž š œ ž Ÿ ƒ ª µ º, and À to ÿ but for × and ÷.
                | 0x83 | 0x8a | 0x8c | 0x8e | 0x9a | 0x9c | 0x9e | 0x9f | 0xaa | 0xb5 | 0xba
                | 0xc0..=0xd6 | 0xd8..=0xf6 | 0xf8..=0xff);
            self.letters += usize::from(is_letter);
            self.beyond_ascii += usize::from(byte >= 0x80);
            self.in_words += usize::from(
                is_letter || matches!(byte, b'0'..=b'9' | b' ' | b'\t' | b'\n' | b'\r' | 0x0c | 0xa0),
            );
            self.broken = match byte {
                b'\t' | b'\n' | b'\r' | 0x0c => false,
                0x00..=0x1f | 0x7f | 0x81 | 0x8d | 0x8f | 0x90 | 0x9d => true,
                _ => false,
            };
        }
    }

    const fn is_text(&self) -> bool {
        !self.broken
            && self.of_mark < 3
            && self.letters > 0
            && self.beyond_ascii * 5 <= self.all * 2
            && self.in_words * 2 >= self.all
    }
}
