//! What a file is, judged by its content and never by its name (M-2).

mod ole;
mod text;
mod zip;

use bytes::Bytes;
use callboard_kernel::Refusal;
use futures::future::BoxFuture;

pub use text::{Charset, TextCheck};

/// How many of the first bytes [`judge`] needs.
pub const HEAD: usize = 4096;

/// A type of file that is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Media {
    /// ADTS audio.
    Aac,
    /// RIFF video.
    Avi,
    /// Word, OOXML.
    Docx,
    /// FLAC audio.
    Flac,
    /// GIF picture.
    Gif,
    /// JPEG picture.
    Jpeg,
    /// MPEG-4 audio.
    M4a,
    /// Matroska video.
    Mkv,
    /// MPEG audio.
    Mp3,
    /// MPEG-4 video.
    Mp4,
    /// OpenDocument text.
    Odt,
    /// Ogg audio other than Opus.
    Ogg,
    /// Opus audio.
    Opus,
    /// PDF.
    Pdf,
    /// PNG picture.
    Png,
    /// PowerPoint, OLE.
    Ppt,
    /// PowerPoint, OOXML.
    Pptx,
    /// QuickTime video.
    Mov,
    /// Text.
    Txt(Charset),
    /// RIFF audio.
    Wav,
    /// WebM video.
    Webm,
    /// Windows Media video.
    Wmv,
    /// Excel, OLE.
    Xls,
    /// Excel, OOXML.
    Xlsx,
}

/// What is taken, for people.
pub const ALLOWED: &str = "AAC AVI DOCX FLAC GIF JPEG M4A MKV MP3 MP4 ODT OGG OPUS PDF PNG PPT PPTX MOV TXT WAV WEBM \
                           WMV XLS XLSX";

impl Media {
    /// Its media type, as browsers know it.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Aac => "audio/aac",
            Self::Avi => "video/x-msvideo",
            Self::Docx => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
            Self::Flac => "audio/flac",
            Self::Gif => "image/gif",
            Self::Jpeg => "image/jpeg",
            Self::M4a => "audio/mp4",
            Self::Mkv => "video/x-matroska",
            Self::Mp3 => "audio/mpeg",
            Self::Mp4 => "video/mp4",
            Self::Odt => "application/vnd.oasis.opendocument.text",
            Self::Ogg => "audio/ogg",
            Self::Opus => "audio/ogg; codecs=opus",
            Self::Pdf => "application/pdf",
            Self::Png => "image/png",
            Self::Ppt => "application/vnd.ms-powerpoint",
            Self::Pptx => "application/vnd.openxmlformats-officedocument.presentationml.presentation",
            Self::Mov => "video/quicktime",
            // Browsers show text by what is said here; the byte order mark of UTF-16 says the same.
            Self::Txt(Charset::Utf8) => "text/plain; charset=utf-8",
            Self::Txt(Charset::Utf16Le) => "text/plain; charset=utf-16le",
            Self::Txt(Charset::Utf16Be) => "text/plain; charset=utf-16be",
            Self::Txt(Charset::Windows1252) => "text/plain; charset=windows-1252",
            Self::Wav => "audio/wav",
            Self::Webm => "video/webm",
            Self::Wmv => "video/x-ms-wmv",
            Self::Xls => "application/vnd.ms-excel",
            Self::Xlsx => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        }
    }

    /// Whether a thumbnail is made of it.
    pub const fn is_picture(self) -> bool {
        matches!(self, Self::Gif | Self::Jpeg | Self::Png)
    }
}

/// Reads a part of the stored file: from, how many at most.
pub type ReadAt<'a> = dyn Fn(u64, u64) -> BoxFuture<'a, Result<Bytes, Refusal>> + Send + Sync + 'a;

/// What a file is. `head` are its first bytes, [`HEAD`] or all; `text` what [`TextCheck`] found over all of it.
/// `None`: nothing that is taken.
///
/// What is text from end to end is text, however it begins, or a PDF: every other format has control characters.
///
/// Containers are looked into, since their first bytes say nothing: a ZIP is a document only if its directory has the
/// parts of one and no macros, an OLE file only if it has the stream of a workbook or a presentation.
///
/// # Errors
/// When the stored file cannot be read.
pub async fn judge(
    head: &[u8],
    size: u64,
    text: Option<Charset>,
    read: &ReadAt<'_>,
) -> Result<Option<Media>, Refusal> {
    if is_pdf(head) {
        return Ok(Some(Media::Pdf));
    }
    if let Some(charset) = text {
        return Ok(Some(Media::Txt(charset)));
    }
    if let Some(media) = by_signature(head, size) {
        return Ok(Some(media));
    }
    if head.starts_with(b"PK\x03\x04") {
        return zip::document(head, size, read).await;
    }
    if head.starts_with(&ole::SIGNATURE) {
        return ole::document(head, size, read).await;
    }
    Ok(None)
}

type Is = fn(&[u8]) -> bool;

/// Files whose first bytes say it all. `infer` is asked where it looks at enough of them; where two or three bytes are
/// enough for it, or some anywhere, the rule is our own.
fn by_signature(head: &[u8], size: u64) -> Option<Media> {
    use infer::{audio, image, video};
    let rules: [(Is, Media); 14] = [
        (image::is_png, Media::Png),
        (image::is_jpeg, Media::Jpeg),
        (is_gif, Media::Gif),
        (audio::is_ogg_opus, Media::Opus),
        (is_ogg_audio, Media::Ogg),
        (audio::is_flac, Media::Flac),
        (audio::is_wav, Media::Wav),
        (video::is_avi, Media::Avi),
        (video::is_webm, Media::Webm),
        (video::is_mkv, Media::Mkv),
        (video::is_wmv, Media::Wmv),
        (is_adts, Media::Aac),
        (is_mpeg_audio, Media::Mp3),
        (is_id3, Media::Mp3),
    ];
    let found = rules.into_iter().find(|(is, _)| is(head)).map(|(_, media)| media);
    found.or_else(|| by_atoms(head, size))
}

/// A PDF: its header is the first that is in it, but for a byte order mark and blanks. Readers put up with a kilobyte of
/// anything before; a program, an archive or a log that mentions PDF could be in that.
fn is_pdf(head: &[u8]) -> bool {
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    matches!(head.strip_prefix(b"%PDF-"), Some([b'0'..=b'9', ..]))
}

fn is_gif(head: &[u8]) -> bool {
    head.starts_with(b"GIF87a") || head.starts_with(b"GIF89a")
}

/// Files of atoms, each with its size and its type, the first of which must fit into the file: four letters further back
/// are in many files.
fn by_atoms(head: &[u8], size: u64) -> Option<Media> {
    let atom = |at: usize| -> Option<(u64, [u8; 4])> {
        let length: [u8; 4] = head.get(at..at + 4)?.try_into().ok()?;
        Some((u32::from_be_bytes(length).into(), head.get(at + 4..at + 8)?.try_into().ok()?))
    };
    let (length, kind) = atom(0)?;
    let fits = (8..=size).contains(&length);
    match &kind {
        b"ftyp" if fits && length >= 16 => {
            use infer::{audio, video};
            let rules: [(Is, Media); 3] =
                [(audio::is_m4a, Media::M4a), (video::is_mp4, Media::Mp4), (video::is_m4v, Media::Mp4)];
            let is_quicktime = head.get(8..12) == Some(b"qt  ");
            let known = rules.into_iter().find(|(is, _)| is(head)).map(|(_, media)| media);
            known.or(is_quicktime.then_some(Media::Mov))
        }
        // What older cameras begin with. 1: the size stands behind the type; 0: to the end of the file.
        b"moov" if fits => Some(Media::Mov),
        b"mdat" if fits || length <= 1 => Some(Media::Mov),
        // Eight bytes to spare for the size of the next one.
        b"wide" if length == 8 => matches!(&atom(8)?.1, b"mdat" | b"moov").then_some(Media::Mov),
        _ => None,
    }
}

/// A frame of ADTS: MPEG-2 or -4, with or without a checksum, and a sample rate that there is.
fn is_adts(head: &[u8]) -> bool {
    matches!(head.get(..3), Some([0xff, 0xf0 | 0xf1 | 0xf8 | 0xf9, third]) if (third >> 2) & 15 < 13)
}

/// A tag before MPEG audio: ID3 version 2.2 to 2.4, its size in bytes of seven bits.
fn is_id3(head: &[u8]) -> bool {
    matches!(head.get(..10), Some([b'I', b'D', b'3', 2..=4, revision, _, size @ ..])
        if *revision != 0xff && size.iter().all(|byte| *byte < 0x80))
}

/// An Ogg stream that begins with an audio codec's header.
fn is_ogg_audio(head: &[u8]) -> bool {
    let codec = head.get(28..).unwrap_or_default();
    infer::audio::is_ogg(head)
        && (codec.starts_with(b"\x01vorbis")
            || codec.starts_with(b"\x7fFLAC")
            || codec.starts_with(b"Speex   "))
}

/// A frame of MPEG audio, layer III, whether or not it is protected by a checksum.
fn is_mpeg_audio(head: &[u8]) -> bool {
    let Some([0xff, second, third, ..]) = head.get(..4) else { return false };
    // Version, then layer III (01); neither the bit rate nor the sample rate is the forbidden one.
    matches!(second & 0xfe, 0xfa | 0xf2 | 0xe2) && third >> 4 != 15 && (third >> 2) & 3 != 3
}

#[cfg(test)]
mod tests;
