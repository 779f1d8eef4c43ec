//! Photos as people bring them, made into photos as cards hold them: a JPEG of at most 3072 bytes.
//!
//! The same picture always gives the same bytes. What is decoded is bounded before it is decoded:
//! in bytes, in pixels and in memory.

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::imageops::FilterType;
use image::{
    DynamicImage, ExtendedColorType, ImageDecoder as _, ImageFormat, ImageReader, Limits, Rgb,
    RgbImage,
};

use crate::batch::Why;
use crate::data::Photo;

/// Most bytes of a picture that is scaled.
pub const MAX_FILE: usize = 16 * 1024 * 1024;
/// Most pixels of a side.
const MAX_SIDE: u32 = 12_000;
/// Most memory that decoding may take.
const MAX_MEMORY: u64 = 192 * 1024 * 1024;
/// Most pixels of a side of a photo that is on a card already.
const MAX_CARD_SIDE: u32 = 1024;
/// Heights that are tried, in pixels, and qualities at each, best first. A portrait of 150 lines at
/// quality 55 takes about 3 KB.
const HEIGHTS: [u32; 8] = [220, 190, 160, 135, 110, 90, 64, 32];
const QUALITIES: [u8; 4] = [80, 68, 56, 45];

/// Scales and encodes a JPEG or PNG until the card can hold it. One that fits is left as it is.
///
/// # Errors
/// [`Why::NotPicture`]; [`Why::HugePicture`] beyond the bounds.
pub fn fit(bytes: &[u8]) -> Result<Photo, Why> {
    if check(bytes).is_ok() {
        return Photo::new(bytes.to_vec()).map_err(|_| Why::NotPicture);
    }
    if bytes.len() > MAX_FILE {
        return Err(Why::HugePicture);
    }
    let picture = on_white(&decode(bytes, MAX_SIDE)?);
    for height in HEIGHTS {
        let scaled = scaled(&picture, height);
        for quality in QUALITIES {
            let jpeg = encode(&scaled, quality)?;
            if jpeg.len() <= Photo::MAX {
                return Photo::new(jpeg).map_err(|_| Why::NotPicture);
            }
        }
    }
    Err(Why::HugePicture)
}

/// Whether these bytes are a photo as a card holds it: a whole JPEG that can be decoded.
///
/// # Errors
/// As for [`fit`].
pub fn check(jpeg: &[u8]) -> Result<(), Why> {
    const END: [u8; 2] = [0xFF, 0xD9];
    if jpeg.len() > Photo::MAX {
        return Err(Why::HugePicture);
    }
    // The decoder makes up what is missing at the end.
    if image::guess_format(jpeg).ok() != Some(ImageFormat::Jpeg) || !jpeg.ends_with(&END) {
        return Err(Why::NotPicture);
    }
    decode(jpeg, MAX_CARD_SIDE).map(|_| ())
}

fn decode(bytes: &[u8], side: u32) -> Result<DynamicImage, Why> {
    let mut reader = ImageReader::new(Cursor::new(bytes));
    match image::guess_format(bytes) {
        Ok(format @ (ImageFormat::Jpeg | ImageFormat::Png)) => reader.set_format(format),
        _ => return Err(Why::NotPicture),
    }
    let mut limits = Limits::no_limits();
    limits.max_image_width = Some(side);
    limits.max_image_height = Some(side);
    limits.max_alloc = Some(MAX_MEMORY);
    reader.limits(limits);
    let wrong = |error| match error {
        image::ImageError::Limits(_) => Why::HugePicture,
        _ => Why::NotPicture,
    };
    let mut decoder = reader.into_decoder().map_err(wrong)?;
    // The decoder of JPEG bounds the sides only; all that follows needs the pixels in memory.
    if decoder.total_bytes() > MAX_MEMORY {
        return Err(Why::HugePicture);
    }
    let orientation = decoder.orientation().map_err(wrong)?;
    let mut picture = DynamicImage::from_decoder(decoder).map_err(wrong)?;
    picture.apply_orientation(orientation);
    Ok(picture)
}

/// What shines through is white.
fn on_white(picture: &DynamicImage) -> RgbImage {
    if !picture.color().has_alpha() {
        return picture.to_rgb8();
    }
    let picture = picture.to_rgba8();
    RgbImage::from_fn(picture.width(), picture.height(), |x, y| {
        let [r, g, b, alpha] = picture.get_pixel(x, y).0;
        Rgb([r, g, b].map(|part| {
            let (part, alpha) = (u32::from(part), u32::from(alpha));
            ((part * alpha + 255 * (255 - alpha) + 127) / 255) as u8
        }))
    })
}

/// At most `height` lines, the sides in proportion; never larger than it was.
fn scaled(picture: &RgbImage, height: u32) -> RgbImage {
    let (width, tall) = picture.dimensions();
    // A panorama must not stay wide: the longer side counts.
    let longer = width.max(tall);
    if longer <= height {
        return picture.clone();
    }
    let side =
        |side: u32| ((u64::from(side) * u64::from(height) / u64::from(longer)) as u32).max(1);
    image::imageops::resize(picture, side(width), side(tall), FilterType::Triangle)
}

fn encode(picture: &RgbImage, quality: u8) -> Result<Vec<u8>, Why> {
    let mut jpeg = Vec::with_capacity(8 * 1024);
    JpegEncoder::new_with_quality(&mut jpeg, quality)
        .encode(picture, picture.width(), picture.height(), ExtendedColorType::Rgb8)
        .map_err(|_| Why::NotPicture)?;
    Ok(jpeg)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A picture that does not compress well.
    fn noise(width: u32, height: u32) -> DynamicImage {
        let mut state = 0x1234_5678_u32;
        DynamicImage::ImageRgb8(RgbImage::from_fn(width, height, |_, _| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let [r, g, b, _] = state.to_be_bytes();
            Rgb([r, g, b])
        }))
    }

    fn written(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        picture.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    #[test]
    fn every_picture_becomes_one_that_the_card_can_hold() {
        let cases = [
            ("noise, JPEG", written(&noise(600, 800), ImageFormat::Jpeg)),
            ("noise, PNG", written(&noise(600, 800), ImageFormat::Png)),
            ("a line", written(&noise(3000, 2), ImageFormat::Png)),
            ("one pixel", written(&noise(1, 1), ImageFormat::Png)),
        ];
        for (name, bytes) in cases {
            let photo = fit(&bytes).unwrap_or_else(|why| panic!("{name}: {why}"));
            assert!(photo.jpeg().len() <= Photo::MAX, "{name}");
            assert_eq!(check(photo.jpeg()), Ok(()), "{name}");
            assert_eq!(fit(&bytes).unwrap(), photo, "{name}: not the same twice");
            assert_eq!(fit(photo.jpeg()).unwrap(), photo, "{name}: what fits is kept");
        }
    }

    #[test]
    fn what_is_no_picture_is_refused() {
        let jpeg = fit(&written(&noise(100, 100), ImageFormat::Jpeg)).unwrap().jpeg().to_vec();
        let huge = {
            // A PNG's head that promises 60,000 × 60,000 pixels.
            let mut png = written(&noise(1, 1), ImageFormat::Png);
            png[16..24].copy_from_slice(&[0, 0, 0xEA, 0x60, 0, 0, 0xEA, 0x60]);
            // The check sum of the head (CRC-32 of ISO 3309) has to fit, or that is what is found.
            let crc = png[12..29].iter().fold(u32::MAX, |crc, byte| {
                (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
                    (crc >> 1) ^ if crc & 1 == 1 { 0xEDB8_8320 } else { 0 }
                })
            });
            png[29..33].copy_from_slice(&(!crc).to_be_bytes());
            png
        };
        let cases: [(&str, &[u8], Why); 6] = [
            ("nothing", b"", Why::NotPicture),
            ("a text", b"photo of somebody", Why::NotPicture),
            ("the start of a JPEG", &jpeg[..3], Why::NotPicture),
            ("a GIF", b"GIF89a\x01\0\x01\0\0\0\0;", Why::NotPicture),
            ("a promise of pixels", &huge, Why::HugePicture),
            ("too many bytes", &vec![0; MAX_FILE + 1], Why::HugePicture),
        ];
        for (name, bytes, why) in cases {
            assert_eq!(fit(bytes).err(), Some(why), "{name}");
        }
        assert_eq!(check(&jpeg[..jpeg.len() - 2]), Err(Why::NotPicture), "an end is missing");
    }

    #[test]
    fn what_shines_through_is_white() {
        let clear = DynamicImage::ImageRgba8(image::RgbaImage::new(8, 8));
        let photo = fit(&written(&clear, ImageFormat::Png)).unwrap();
        let seen = decode(photo.jpeg(), 8).unwrap().to_rgb8();
        assert!(seen.pixels().all(|pixel| pixel.0.iter().all(|part| *part > 250)));
    }
}
