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
    judge(&bytes[..bytes.len().min(HEAD)], bytes.len() as u64, text.is_text(), &read).await.unwrap()
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
        ("Größe: 5 µm\r\n\tgut".as_bytes().to_vec(), Media::Txt),
    ];
    for (bytes, media) in cases {
        assert_eq!(judged(&bytes).await, Some(media), "{media:?}");
    }
}

#[tokio::test]
async fn m_2_all_else_is_refused_whatever_it_calls_itself() {
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
        ("Latin-1", b"Gr\xf6\xdfe".to_vec()),
        ("text with an escape", b"\x1b[31mred".to_vec()),
        ("text with a NUL", b"a\0b".to_vec()),
        ("half a character at the end", b"Gr\xc3".to_vec()),
    ];
    for (what, bytes) in cases {
        assert_eq!(judged(&bytes).await, None, "{what}");
    }
}
