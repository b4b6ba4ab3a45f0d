use super::*;

async fn judged(bytes: &[u8]) -> Option<Media> {
    let mut text = TextCheck::default();
    // In pieces, as they come.
    bytes.chunks(7).for_each(|piece| text.take(piece));
    let stored = Bytes::copy_from_slice(bytes);
    let read = move |from: u64, length: u64| -> BoxFuture<'static, Result<Bytes, Refusal>> {
        let from = usize::try_from(from).unwrap();
        let to = (from + usize::try_from(length).unwrap()).min(stored.len());
        let part = stored.slice(from..to);
        Box::pin(async move { Ok(part) })
    };
    judge(&bytes[..bytes.len().min(HEAD)], bytes.len() as u64, text.charset(), &read).await.unwrap()
}

/// A ZIP of empty entries, the first one stored with this content.
fn zip(first: (&str, &[u8]), names: &[&str]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut directory = Vec::new();
    let entries = std::iter::once(first).chain(names.iter().map(|name| (*name, &b""[..])));
    for (name, content) in entries {
        let offset = u32::try_from(file.len()).unwrap();
        let sizes = u32::try_from(content.len()).unwrap().to_le_bytes();
        let length = u16::try_from(name.len()).unwrap().to_le_bytes();
        file.extend(b"PK\x03\x04\x14\0\0\0\0\0\0\0\0\0\0\0\0\0");
        file.extend(sizes.iter().chain(&sizes).chain(&length).chain(&[0, 0]));
        file.extend(name.bytes().chain(content.iter().copied()));
        directory.extend(b"PK\x01\x02\x14\0\x14\0\0\0\0\0\0\0\0\0\0\0\0\0");
        directory.extend(sizes.iter().chain(&sizes).chain(&length));
        directory.extend([0; 12]);
        directory.extend(offset.to_le_bytes());
        directory.extend(name.bytes());
    }
    let (offset, size) = (u32::try_from(file.len()).unwrap(), u32::try_from(directory.len()).unwrap());
    file.extend(directory);
    file.extend(b"PK\x05\x06\0\0\0\0\0\0\0\0");
    file.extend(size.to_le_bytes().iter().chain(&offset.to_le_bytes()).chain(&[0, 0]));
    file
}

/// An OLE file with one directory sector behind the table, which holds a stream of this name.
fn ole(stream: &str) -> Vec<u8> {
    let mut file = vec![0_u8; 512 * 4];
    file[..8].copy_from_slice(&ole::SIGNATURE);
    file[30..32].copy_from_slice(&9_u16.to_le_bytes());
    file[48..52].copy_from_slice(&1_u32.to_le_bytes());
    file[76..80].copy_from_slice(&0_u32.to_le_bytes());
    // The directory is sector 1, then 2.
    file[512 + 4..512 + 8].copy_from_slice(&2_u32.to_le_bytes());
    file[512 + 8..512 + 12].copy_from_slice(&0xffff_fffe_u32.to_le_bytes());
    let entry = 512 * 3;
    for (index, unit) in stream.encode_utf16().enumerate() {
        file[entry + index * 2..entry + index * 2 + 2].copy_from_slice(&unit.to_le_bytes());
    }
    let length = u16::try_from(stream.len() * 2 + 2).unwrap();
    file[entry + 64..entry + 66].copy_from_slice(&length.to_le_bytes());
    file[entry + 66] = 2;
    file
}

#[tokio::test]
async fn m_2_allowed_files_are_known_by_content() {
    let types = ("[Content_Types].xml", &b"<Types/>"[..]);
    let odt = ("mimetype", &b"application/vnd.oasis.opendocument.text"[..]);
    let padded = |bytes: &[u8]| [bytes, &[0; 600]].concat();
    let ogg = |codec: &[u8]| [b"OggS", &[0; 24][..], codec, &[0; 100]].concat();
    let cases: Vec<(Vec<u8>, Media)> = vec![
        (padded(b"\x89PNG\r\n\x1a\n"), Media::Png),
        (padded(b"\xff\xd8\xff\xe0"), Media::Jpeg),
        (padded(b"GIF89a"), Media::Gif),
        (padded(b"%PDF-1.7\n"), Media::Pdf),
        (padded(b"\xff\xf1\x50\x80"), Media::Aac),
        (padded(b"\xff\xfb\x90\x64"), Media::Mp3),
        (padded(b"\xff\xfa\x90\x64"), Media::Mp3),
        (padded(b"ID3\x04"), Media::Mp3),
        (padded(b"fLaC"), Media::Flac),
        (padded(b"RIFF\0\0\0\0WAVEfmt "), Media::Wav),
        (padded(b"RIFF\0\0\0\0AVI LIST"), Media::Avi),
        (padded(b"\0\0\0\x20ftypM4A "), Media::M4a),
        (padded(b"\0\0\0\x20ftypisom"), Media::Mp4),
        (padded(b"\0\0\0\x14ftypqt  "), Media::Mov),
        (padded(b"\x1a\x45\xdf\xa3\x9f\x42\x82\x84webm"), Media::Webm),
        (padded(b"\x1a\x45\xdf\xa3\xa3\x42\x82\x88matroska"), Media::Mkv),
        (padded(b"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9"), Media::Wmv),
        (ogg(b"OpusHead"), Media::Opus),
        (ogg(b"\x01vorbis"), Media::Ogg),
        (zip(types, &["word/document.xml"]), Media::Docx),
        (zip(types, &["ppt/presentation.xml"]), Media::Pptx),
        (zip(types, &["xl/workbook.xml"]), Media::Xlsx),
        (zip(odt, &["content.xml"]), Media::Odt),
        (ole("Workbook"), Media::Xls),
        (ole("PowerPoint Document"), Media::Ppt),
        (padded(b"GIF87a"), Media::Gif),
        (padded(b"\xef\xbb\xbf\r\n%PDF-1.4\n"), Media::Pdf),
        (b"%PDF-1.4\n1 0 obj\n<<>>\nendobj\n".to_vec(), Media::Pdf),
        (padded(b"\0\0\0\x08wide\0\0\x01\0mdat"), Media::Mov),
        (padded(b"\0\0\x01\0moov\0\0\0\x6cmvhd"), Media::Mov),
        (padded(b"\0\0\0\x01mdat\0\0\0\0\0\0\x01\0"), Media::Mov),
        ("Größe: 5 µm\r\n\tgut".as_bytes().to_vec(), Media::Txt(Charset::Utf8)),
    ];
    for (bytes, media) in cases {
        assert_eq!(judged(&bytes).await, Some(media), "{media:?}");
    }
}

#[tokio::test]
async fn m_2_all_else_is_refused_whatever_it_calls_itself() {
    let padded = |bytes: &[u8]| [bytes, &[0; 600]].concat();
    let types = ("[Content_Types].xml", &b"<Types/>"[..]);
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("a program", b"MZ\x90\0\x03".to_vec()),
        ("an ELF program", b"\x7fELF\x02\x01\x01\0".to_vec()),
        ("a plain ZIP", zip(("a.txt", b"a"), &["b.txt"])),
        ("a JAR", zip(("META-INF/MANIFEST.MF", b"x"), &["A.class"])),
        ("a document with macros", zip(types, &["word/document.xml", "word/vbaProject.bin"])),
        ("two documents at once", zip(types, &["word/document.xml", "xl/workbook.xml"])),
        ("a spreadsheet of OpenDocument", {
            zip(("mimetype", b"application/vnd.oasis.opendocument.spreadsheet"), &["content.xml"])
        }),
        ("a template of OpenDocument", {
            zip(("mimetype", b"application/vnd.oasis.opendocument.text-template"), &["content.xml"])
        }),
        ("a ZIP cut short", zip(types, &["word/document.xml"])[..60].to_vec()),
        ("a Word document of 1997", ole("WordDocument")),
        ("an OLE file whose chain leads nowhere", {
            let mut file = ole("Workbook");
            file[48..52].copy_from_slice(&9000_u32.to_le_bytes());
            file
        }),
        ("an OLE file whose chain is a circle", {
            let mut file = ole("x");
            file[512 + 8..512 + 12].copy_from_slice(&1_u32.to_le_bytes());
            file
        }),
        ("WebP", b"RIFF\0\0\0\0WEBPVP8 ".to_vec()),
        ("HEIC", b"\0\0\0\x18ftypheic".to_vec()),
        ("a picture of three letters", padded(b"GIF")),
        ("a program that mentions PDF", padded(b"MZ\x90\0\x03\0%PDF-1.7\n")),
        ("a program with the letters of a film", padded(b"MZ\x90\0wide")),
        ("a program with the letters of another film", padded(b"MZ\x90\0ftypisom")),
        ("a film that is longer than the file", padded(b"\x7f\0\0\0moov")),
        ("a JAR that mentions PDF", { zip(("META-INF/MANIFEST.MF", b"%PDF-1.7"), &["A.class"]) }),
        ("a document with macros that mentions PDF", {
            zip(("[Content_Types].xml", b"%PDF-1.7"), &["word/document.xml", "word/vbaProject.bin"])
        }),
        ("text with an escape", b"\x1b[31mred".to_vec()),
        ("text with a NUL", b"a\0b".to_vec()),
        ("half a character at the end of what says it is UTF-8", b"\xef\xbb\xbfGr\xc3".to_vec()),
    ];
    for (what, bytes) in cases {
        assert_eq!(judged(&bytes).await, None, "{what}");
    }
}

#[tokio::test]
async fn m_2_text_is_text_whatever_it_begins_with_or_mentions() {
    for text in [
        "GIF is a format of pictures.",
        "The wide pipe leaks.",
        "All moov",
        "ID3 tags are in music.",
        "M4A files are music, too.",
        "fLaC is how they begin.",
        "12:00 GET /manual.pdf\n12:01 %PDF-1.7 came\n",
        "%PDF is how they begin, with -1.7 behind.",
        "RIFF and so on",
        "PK and so on",
    ] {
        assert_eq!(judged(text.as_bytes()).await, Some(Media::Txt(Charset::Utf8)), "{text}");
    }
}

#[tokio::test]
async fn m_2_text_is_taken_in_the_charsets_of_windows_and_handed_out_as_such() {
    let text = "Größe – 20 °C, 😀\r\n";
    let units = || std::iter::once(0xfeff).chain(text.encode_utf16());
    let little: Vec<u8> = units().flat_map(u16::to_le_bytes).collect();
    let big: Vec<u8> = units().flat_map(u16::to_be_bytes).collect();
    let bom = "\u{feff}Größe".as_bytes().to_vec();
    let cases: Vec<(Vec<u8>, Charset, &str)> = vec![
        (little, Charset::Utf16Le, "text/plain; charset=utf-16le"),
        (big, Charset::Utf16Be, "text/plain; charset=utf-16be"),
        (bom, Charset::Utf8, "text/plain; charset=utf-8"),
        (
            b"Gr\xf6\xdfe \x96 20 \xb0C\r\n\tgut".to_vec(),
            Charset::Windows1252,
            "text/plain; charset=windows-1252",
        ),
        (b"Gr\xf6\xdfe".to_vec(), Charset::Windows1252, "text/plain; charset=windows-1252"),
        (b"20,5 \xb0C\r\n21,0 \xb0C\r\n".to_vec(), Charset::Windows1252, "text/plain; charset=windows-1252"),
    ];
    for (bytes, charset, media_type) in cases {
        let media = judged(&bytes).await;
        assert_eq!(media, Some(Media::Txt(charset)), "{bytes:x?}");
        assert_eq!(media.map(Media::media_type), Some(media_type));
    }
}

#[tokio::test]
async fn m_2_no_binary_passes_as_text() {
    let utf16 = |units: &[u16]| -> Vec<u8> {
        std::iter::once(&0xfeff).chain(units).flat_map(|unit| unit.to_le_bytes()).collect()
    };
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("UTF-16 with a control character", utf16(&[0x41, 0x1b])),
        ("UTF-16 with a NUL", utf16(&[0x41, 0])),
        ("UTF-16 with half a pair", utf16(&[0xd83d, 0x41])),
        ("UTF-16 with the other half", utf16(&[0x41, 0xde00])),
        ("UTF-16 that ends within a pair", utf16(&[0x41, 0xd83d])),
        ("UTF-16 that ends within a unit", [utf16(&[0x41]), vec![0x42]].concat()),
        ("UTF-32", b"\xff\xfe\0\0A\0\0\0".to_vec()),
        ("UTF-16 without its mark", b"A\0b\0".to_vec()),
        ("Windows-1252 with a NUL", b"Gr\xf6\xdfe\0".to_vec()),
        ("Windows-1252 with an escape", b"Gr\xf6\xdfe \x1b[31m".to_vec()),
        ("a byte that Windows-1252 has no character for", b"Gr\xf6\xdfe \x81".to_vec()),
        (
            "bytes without words",
            (0x80..=0xff).filter(|byte| !matches!(byte, 0x81 | 0x8d | 0x8f | 0x90 | 0x9d)).collect(),
        ),
        ("signs without letters", b"\xa7\xa7\xa7 12 34 56".to_vec()),
        ("mostly signs", b"{}[]()<>#+*~^$%&/=?!;: a \xa7".to_vec()),
        ("Cyrillic, which nothing tells from noise", b"\xcf\xf0\xe8\xe2\xe5\xf2 \xec\xe8\xf0".to_vec()),
    ];
    for (what, bytes) in cases {
        assert_eq!(judged(&bytes).await, None, "{what}");
    }
}
