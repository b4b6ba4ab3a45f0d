//! ZIP containers: which document they are, by their directory.

use callboard_kernel::Refusal;

use super::{Media, ReadAt};

/// Largest directory that is looked at: a document of ten thousand parts.
const MAX_DIRECTORY: u64 = 1024 * 1024;
/// The end record with the longest comment.
const LONGEST_END: u64 = 22 + 65_535;
const ODT: &[u8] = b"application/vnd.oasis.opendocument.text";

fn u16_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?).into())
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?).into())
}

/// Offset and size of the directory, out of the file's last bytes, which begin at `from`.
fn directory(tail: &[u8], from: u64) -> Option<(u64, u64)> {
    let end = tail.windows(4).rposition(|window| window == b"PK\x05\x06")?;
    let (size, offset) = (u32_at(tail, end + 12)?, u32_at(tail, end + 16)?);
    // It lies in front of its end record; what says otherwise is no ZIP of one part.
    (size <= MAX_DIRECTORY && offset + size <= from + end as u64).then_some((offset, size))
}

/// The names in a directory; `None` where it is malformed.
fn names(directory: &[u8]) -> Option<Vec<&[u8]>> {
    let mut names = Vec::new();
    let mut at = 0;
    while at < directory.len() {
        if directory.get(at..at + 4)? != b"PK\x01\x02" {
            return None;
        }
        let name = usize::try_from(u16_at(directory, at + 28)?).ok()?;
        let extra = usize::try_from(u16_at(directory, at + 30)?).ok()?;
        let comment = usize::try_from(u16_at(directory, at + 32)?).ok()?;
        names.push(directory.get(at + 46..at + 46 + name)?);
        at += 46 + name + extra + comment;
    }
    Some(names)
}

/// An OpenDocument file begins with its type, uncompressed.
fn begins_with_type(head: &[u8], media_type: &[u8]) -> bool {
    let is = || {
        let stored = u16_at(head, 8)? == 0;
        let name = usize::try_from(u16_at(head, 26)?).ok()?;
        let extra = usize::try_from(u16_at(head, 28)?).ok()?;
        let content = head.get(30 + name + extra..)?;
        // What follows the type is the next entry, not a longer type (`…text-template`).
        let rest = content.strip_prefix(media_type)?;
        Some(stored && head.get(30..30 + name)? == b"mimetype" && rest.starts_with(b"PK"))
    };
    is().unwrap_or(false)
}

pub(super) async fn document(head: &[u8], size: u64, read: &ReadAt<'_>) -> Result<Option<Media>, Refusal> {
    let from = size.saturating_sub(LONGEST_END);
    let tail = read(from, size - from).await?;
    let Some((offset, length)) = directory(&tail, from) else { return Ok(None) };
    let bytes = if offset >= from {
        let start = usize::try_from(offset - from).unwrap_or(usize::MAX);
        let end = start.saturating_add(usize::try_from(length).unwrap_or(usize::MAX));
        tail.slice(start.min(tail.len())..end.min(tail.len()))
    } else {
        read(offset, length).await?
    };
    Ok(names(&bytes).and_then(|names| which(head, &names)))
}

fn which(head: &[u8], names: &[&[u8]]) -> Option<Media> {
    let has = |wanted: &[u8]| names.contains(&wanted);
    if begins_with_type(head, ODT) {
        // Basic macros make it another type of risk.
        let macros = names.iter().any(|name| name.starts_with(b"Basic/") || name.starts_with(b"Scripts/"));
        return (has(b"content.xml") && !macros).then_some(Media::Odt);
    }
    // Documents with macros are types of their own (DOCM, PPTM, XLSM), whatever they are called.
    let macros = names.iter().any(|name| name.to_ascii_lowercase().ends_with(b"vbaproject.bin"));
    if !has(b"[Content_Types].xml") || macros {
        return None;
    }
    let main = |prefix: &[u8]| names.iter().any(|name| name.starts_with(prefix) && name.ends_with(b".xml"));
    let kinds = [
        (main(b"word/document"), Media::Docx),
        (main(b"ppt/presentation"), Media::Pptx),
        (main(b"xl/workbook"), Media::Xlsx),
    ];
    let mut found = kinds.into_iter().filter(|(is, _)| *is).map(|(_, media)| media);
    match (found.next(), found.next()) {
        (Some(media), None) => Some(media),
        (Some(_), Some(_)) | (None, _) => None,
    }
}
