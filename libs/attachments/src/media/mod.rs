//! What a file is, judged by its content and never by its name (M-2).

mod ole;
mod text;
mod zip;

use bytes::Bytes;
use callboard_kernel::Refusal;
use futures::future::BoxFuture;

pub use text::TextCheck;

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
    /// Text, UTF-8.
    Txt,
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
            Self::Txt => "text/plain; charset=utf-8",
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

/// What a file is. `head` are its first bytes, [`HEAD`] or all; `is_text` what [`TextCheck`] found over all of it.
/// `None`: nothing that is taken.
///
/// Containers are looked into, since their first bytes say nothing: a ZIP is a document only if its directory has the
/// parts of one and no macros, an OLE file only if it has the stream of a workbook or a presentation.
///
/// # Errors
/// When the stored file cannot be read.
pub async fn judge(
    head: &[u8],
    size: u64,
    is_text: bool,
    read: &ReadAt<'_>,
) -> Result<Option<Media>, Refusal> {
    if let Some(media) = by_signature(head) {
        return Ok(Some(media));
    }
    if head.starts_with(b"PK\x03\x04") {
        return zip::document(head, size, read).await;
    }
    if head.starts_with(&ole::SIGNATURE) {
        return ole::document(head, size, read).await;
    }
    Ok(is_text.then_some(Media::Txt))
}

type Is = fn(&[u8]) -> bool;

/// Files whose first bytes say it all.
fn by_signature(head: &[u8]) -> Option<Media> {
    use infer::{audio, image, video};
    let rules: [(Is, Media); 19] = [
        (image::is_png, Media::Png),
        (image::is_jpeg, Media::Jpeg),
        (image::is_gif, Media::Gif),
        (infer::archive::is_pdf, Media::Pdf),
        (audio::is_ogg_opus, Media::Opus),
        (is_ogg_audio, Media::Ogg),
        (audio::is_flac, Media::Flac),
        (audio::is_wav, Media::Wav),
        (video::is_avi, Media::Avi),
        (audio::is_m4a, Media::M4a),
        (video::is_webm, Media::Webm),
        (video::is_mkv, Media::Mkv),
        (video::is_wmv, Media::Wmv),
        (video::is_mp4, Media::Mp4),
        (video::is_m4v, Media::Mp4),
        (is_quicktime, Media::Mov),
        (audio::is_aac, Media::Aac),
        (is_mpeg_audio, Media::Mp3),
        (audio::is_mp3, Media::Mp3),
    ];
    rules.into_iter().find(|(is, _)| is(head)).map(|(_, media)| media)
}

/// An Ogg stream that begins with an audio codec's header.
fn is_ogg_audio(head: &[u8]) -> bool {
    let codec = head.get(28..).unwrap_or_default();
    infer::audio::is_ogg(head)
        && (codec.starts_with(b"\x01vorbis")
            || codec.starts_with(b"\x7fFLAC")
            || codec.starts_with(b"Speex   "))
}

/// `ftyp qt`, or the atoms that older cameras begin with.
fn is_quicktime(head: &[u8]) -> bool {
    matches!(head.get(4..8), Some(b"moov" | b"mdat" | b"wide"))
        || matches!(head.get(4..12), Some(b"ftypqt  "))
}

/// A frame of MPEG audio, layer III, whether or not it is protected by a checksum.
fn is_mpeg_audio(head: &[u8]) -> bool {
    let Some([0xff, second, third, ..]) = head.get(..4) else { return false };
    // Version, then layer III (01); neither the bit rate nor the sample rate is the forbidden one.
    matches!(second & 0xfe, 0xfa | 0xf2 | 0xe2) && third >> 4 != 15 && (third >> 2) & 3 != 3
}

#[cfg(test)]
mod tests;
