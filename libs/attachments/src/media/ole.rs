//! OLE compound files: which document they are, by the streams in their directory.

use callboard_kernel::Refusal;

use super::{Media, ReadAt};

/// Their first bytes.
pub(super) const SIGNATURE: [u8; 8] = [0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1];
/// How many sectors of a directory are looked at.
const MAX_SECTORS: usize = 64;
/// Above this there are only marks, such as "end of chain".
const LAST_SECTOR: u32 = 0xffff_fffa;

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// The document of a directory's entries.
fn in_entries(sector: &[u8]) -> Option<Media> {
    sector.chunks_exact(128).find_map(|entry| {
        const STREAM: u8 = 2;
        let length = usize::from(u16_at(entry, 64)?);
        if entry.get(66) != Some(&STREAM) || !(2..=64).contains(&length) {
            return None;
        }
        let units = entry[..length - 2].chunks_exact(2).map(|unit| u16::from_le_bytes([unit[0], unit[1]]));
        match String::from_utf16(&units.collect::<Vec<_>>()).ok()?.as_str() {
            "Workbook" | "Book" => Some(Media::Xls),
            "PowerPoint Document" => Some(Media::Ppt),
            _ => None,
        }
    })
}

pub(super) async fn document(head: &[u8], size: u64, read: &ReadAt<'_>) -> Result<Option<Media>, Refusal> {
    let (Some(shift @ (9 | 12)), Some(first)) = (u16_at(head, 30), u32_at(head, 48)) else { return Ok(None) };
    let sector_size = 1_u64 << shift;
    let place = |sector: u32| (u64::from(sector) + 1) * sector_size;
    let mut sector = first;
    for _ in 0..MAX_SECTORS {
        if sector >= LAST_SECTOR || place(sector) + sector_size > size {
            break;
        }
        if let Some(media) = in_entries(&read(place(sector), sector_size).await?) {
            return Ok(Some(media));
        }
        // Where the chain goes on is in the table, whose first 109 sectors the header names.
        let per_sector = u32::try_from(sector_size / 4).unwrap_or(u32::MAX);
        let index = usize::try_from(sector / per_sector).unwrap_or(usize::MAX);
        let Some(table) = (index < 109).then(|| u32_at(head, 76 + index * 4)).flatten() else { break };
        if table >= LAST_SECTOR {
            break;
        }
        let at = place(table) + u64::from(sector % per_sector) * 4;
        if at + 4 > size {
            break;
        }
        let Some(next) = u32_at(&read(at, 4).await?, 0) else { break };
        sector = next;
    }
    Ok(None)
}
