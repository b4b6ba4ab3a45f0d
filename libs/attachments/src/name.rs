//! Names of files: for people to read, never a path to anything.

/// Longest name, in bytes of UTF-8: what file systems take.
pub const MAX_NAME: usize = 255;

/// Characters that turn the order of others or show nothing: a name must read as it is.
const fn misleads(character: char) -> bool {
    matches!(character,
        '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{61c}')
}

/// The name without path, control characters and characters that mislead; cut to [`MAX_NAME`] bytes in front of its
/// extension. `attachment` where nothing is left.
pub fn clean(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let kept: String =
        last.chars().filter(|character| !character.is_control() && !misleads(*character)).collect();
    // Trailing dots and spaces vanish on some systems, leading dots hide.
    let kept = kept.trim().trim_end_matches(['.', ' ']).trim_start_matches('.');
    if kept.is_empty() {
        return "attachment".to_owned();
    }
    if kept.len() <= MAX_NAME {
        return kept.to_owned();
    }
    let extension = kept.rfind('.').map(|dot| &kept[dot..]).filter(|extension| extension.len() <= 16);
    let extension = extension.unwrap_or_default();
    let mut end = MAX_NAME - extension.len();
    while !kept.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{extension}", &kept[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_no_path_and_reads_as_it_is() {
        for (given, kept) in [
            ("Prüfbericht Pumpe.pdf", "Prüfbericht Pumpe.pdf"),
            ("../../etc/passwd", "passwd"),
            ("C:\\Users\\nora\\photo.jpg", "photo.jpg"),
            ("a\u{0}b\r\n.txt", "ab.txt"),
            ("invoice\u{202e}fdp.exe", "invoicefdp.exe"),
            ("..", "attachment"),
            (" .hidden ", "hidden"),
            ("", "attachment"),
            ("dots...", "dots"),
        ] {
            assert_eq!(clean(given), kept, "{given:?}");
        }
    }

    #[test]
    fn a_long_name_keeps_its_extension_and_its_characters_whole() {
        let name = clean(&format!("{}.pdf", "ü".repeat(400)));
        assert!(name.len() <= MAX_NAME && name.len() > MAX_NAME - 4, "{}", name.len());
        assert!(name.ends_with("ü.pdf"));
    }
}
