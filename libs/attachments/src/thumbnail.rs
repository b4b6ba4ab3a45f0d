//! Small pictures of pictures.

use std::io::Cursor;

use bytes::Bytes;
use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, ImageDecoder, ImageReader, Limits, Rgb, RgbImage};

/// Longer side of a thumbnail, in pixels.
pub const SIDE: u32 = 320;
/// Its media type.
pub const MEDIA_TYPE: &str = "image/jpeg";
/// A picture of more pixels on a side has no thumbnail.
const MAX_SIDE: u32 = 16_384;
/// What decoding may take: a picture of 40 megapixels. A small file may claim to be a large picture.
const MAX_MEMORY: u64 = 192 * 1024 * 1024;
const QUALITY: u8 = 80;

/// A JPEG of at most [`SIDE`] pixels a side, upright, transparency on white. Of an animation the first picture. Nothing
/// but pixels is taken over: where a photograph was taken stays with the original.
///
/// Takes time and memory: not on a thread of the runtime.
///
/// # Errors
/// Why there is none: not a picture after all, broken, or too large.
pub fn of(bytes: &Bytes) -> Result<Bytes, image::ImageError> {
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_MEMORY);
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format()?;
    reader.limits(limits);
    let mut decoder = reader.into_decoder()?;
    if decoder.total_bytes() > MAX_MEMORY {
        let kind = image::error::LimitErrorKind::InsufficientMemory;
        return Err(image::ImageError::Limits(image::error::LimitError::from_kind(kind)));
    }
    let orientation = decoder.orientation()?;
    let mut small = DynamicImage::from_decoder(decoder)?.thumbnail(SIDE, SIDE);
    small.apply_orientation(orientation);
    let small = small.into_rgba8();
    let mut flat = RgbImage::new(small.width(), small.height());
    for (to, from) in flat.pixels_mut().zip(small.pixels()) {
        let [red, green, blue, alpha] = from.0;
        let on_white = |colour: u8| {
            let (colour, alpha) = (u16::from(colour), u16::from(alpha));
            u8::try_from((colour * alpha + 255 * (255 - alpha)) / 255).unwrap_or(u8::MAX)
        };
        *to = Rgb([red, green, blue].map(on_white));
    }
    let mut out = Vec::new();
    flat.write_with_encoder(JpegEncoder::new_with_quality(&mut out, QUALITY))?;
    Ok(out.into())
}

#[cfg(test)]
mod tests {
    use image::{ImageFormat, Rgba, RgbaImage};

    use super::*;

    fn png(width: u32, height: u32, colour: [u8; 4]) -> Vec<u8> {
        let mut out = Cursor::new(Vec::new());
        RgbaImage::from_pixel(width, height, Rgba(colour)).write_to(&mut out, ImageFormat::Png).unwrap();
        out.into_inner()
    }

    #[test]
    fn a_thumbnail_is_small_and_transparency_is_white() {
        let small = of(&png(1000, 500, [255, 0, 0, 0]).into()).unwrap();
        let small = image::load_from_memory(&small).unwrap().into_rgb8();
        assert_eq!(small.dimensions(), (320, 160));
        assert!(small.get_pixel(5, 5).0.iter().all(|colour| *colour > 250));
    }

    #[test]
    fn a_small_file_that_claims_to_be_a_huge_picture_is_refused_before_it_is_decoded() {
        let mut bomb = png(1, 1, [0; 4]);
        // Width and height stand behind the first chunk's name; its checksum follows 13 bytes later.
        bomb[16..20].copy_from_slice(&16_000_u32.to_be_bytes());
        bomb[20..24].copy_from_slice(&16_000_u32.to_be_bytes());
        let mut checksum = u32::MAX;
        for byte in &bomb[12..29] {
            checksum ^= u32::from(*byte);
            for _ in 0..8 {
                checksum = if checksum & 1 == 1 { checksum >> 1 ^ 0xedb8_8320 } else { checksum >> 1 };
            }
        }
        bomb[29..33].copy_from_slice(&(!checksum).to_be_bytes());
        let error = of(&bomb.into()).unwrap_err();
        assert!(matches!(error, image::ImageError::Limits(_)), "{error:?}");
        assert!(of(&Bytes::from_static(b"\x89PNG\r\n\x1a\nnothing")).is_err());
    }
}
