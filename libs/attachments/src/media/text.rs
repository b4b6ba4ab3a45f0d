//! Whether bytes are text, as they come.

/// Checks that bytes are UTF-8 without control characters but line breaks, tabs and form feeds.
#[derive(Debug, Default)]
pub struct TextCheck {
    broken: bool,
    /// The beginning of a character whose rest has not come yet.
    rest: Vec<u8>,
}

impl TextCheck {
    /// More bytes.
    pub fn take(&mut self, bytes: &[u8]) {
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
        self.broken = valid
            .chars()
            .any(|character| character.is_control() && !matches!(character, '\n' | '\r' | '\t' | '\u{c}'));
    }

    /// Whether all of it was text.
    pub const fn is_text(&self) -> bool {
        !self.broken && self.rest.is_empty()
    }
}
