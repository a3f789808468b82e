//! Small previews of images: decoded, scaled down and encoded again, so that nothing of the file
//! but its picture is left, no place and no camera.
//!
//! Files come from users. A decoder runs on a lane of its own at a low priority, one at a time,
//! with bounds on the pixels and the memory of an image. A file that no decoder takes has no
//! preview, and a decoder that panics is one that did not take it.

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::Bytes;
use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits, RgbImage, Rgba};
use troupe_core::{UserId, limits};
use troupe_runtime::{Lane, Platform};

use crate::message::Refusal;
use crate::turns::Turns;

/// All previews cost the same: users take turns image by image.
const PICTURE: u64 = 16;
/// The longer side of a preview, in pixels.
const SIDE: u32 = 320;
/// Of JPEG, the best first: the first that fits into the bytes of a preview is taken.
const QUALITIES: [u8; 3] = [75, 50, 20];

pub struct Pictures(Arc<Turns<UserId>>);

impl Pictures {
    pub fn new(platform: &Platform) -> Pictures {
        let (waiting, each) = (limits::PREVIEWS_WAITING, limits::PREVIEWS_WAITING_OF_USER);
        Pictures(Turns::new(platform.executor.clone(), vec![Lane::Picture], waiting, each))
    }

    /// A JPEG of the image; empty: there is none.
    pub async fn preview(&self, user: UserId, media_type: &str, file: Vec<u8>) -> Result<Bytes, Refusal> {
        let Some(format) = format_of(media_type) else { return Ok(Bytes::new()) };
        let work = move || {
            // The decoder owns all that it changes.
            let made = catch_unwind(AssertUnwindSafe(|| preview(format, &file)));
            made.ok().flatten().unwrap_or_default()
        };
        self.0.run(user, PICTURE, work).await.map(Bytes::from).ok_or(Refusal::OVERLOADED)
    }
}

/// The formats that are decoded, by the type of their first bytes.
pub fn format_of(media_type: &str) -> Option<ImageFormat> {
    match media_type {
        "image/jpeg" => Some(ImageFormat::Jpeg),
        "image/png" => Some(ImageFormat::Png),
        "image/gif" => Some(ImageFormat::Gif),
        "image/webp" => Some(ImageFormat::WebP),
        _ => None,
    }
}

fn preview(format: ImageFormat, file: &[u8]) -> Option<Vec<u8>> {
    let mut bounds = Limits::default();
    bounds.max_image_width = Some(limits::PREVIEW_SOURCE_PIXELS);
    bounds.max_image_height = Some(limits::PREVIEW_SOURCE_PIXELS);
    bounds.max_alloc = Some(limits::PREVIEW_MEMORY);
    let mut reader = ImageReader::with_format(Cursor::new(file), format);
    reader.limits(bounds);
    let mut decoder = reader.into_decoder().ok()?;
    // A decoder may have its own idea of a bound.
    let (width, height) = decoder.dimensions();
    if decoder.total_bytes() > limits::PREVIEW_MEMORY || width.min(height) == 0 {
        return None;
    }
    let turned = decoder.orientation().ok();
    let image = DynamicImage::from_decoder(decoder).ok()?;
    let mut small = if width.max(height) > SIDE { image.thumbnail(SIDE, SIDE) } else { image };
    turned.into_iter().for_each(|turned| small.apply_orientation(turned));
    let opaque = on_white(&small);
    QUALITIES.into_iter().find_map(|quality| {
        let mut jpeg = Vec::new();
        JpegEncoder::new_with_quality(&mut jpeg, quality).encode_image(&opaque).ok()?;
        (jpeg.len() <= limits::PREVIEW_BYTES).then_some(jpeg)
    })
}

/// JPEG has no transparency.
fn on_white(image: &DynamicImage) -> RgbImage {
    let rgba = image.to_rgba8();
    RgbImage::from_fn(rgba.width(), rgba.height(), |x, y| {
        let Rgba([red, green, blue, alpha]) = *rgba.get_pixel(x, y);
        let over = |part: u8| (u16::from(part) * u16::from(alpha) + 255 * (255 - u16::from(alpha))) / 255;
        image::Rgb([over(red), over(green), over(blue)].map(|part| part as u8))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn png(width: u32, height: u32) -> Vec<u8> {
        let image = image::RgbaImage::from_fn(width, height, |x, y| Rgba([x as u8, y as u8, 9, (x + y) as u8]));
        let mut file = Cursor::new(Vec::new());
        DynamicImage::from(image).write_to(&mut file, ImageFormat::Png).expect("an image");
        file.into_inner()
    }

    fn size_of(jpeg: &[u8]) -> (u32, u32) {
        assert!(jpeg.starts_with(b"\xff\xd8\xff") && jpeg.len() <= limits::PREVIEW_BYTES);
        let reader = ImageReader::with_format(Cursor::new(jpeg), ImageFormat::Jpeg);
        reader.into_dimensions().expect("a JPEG")
    }

    #[test]
    fn a_preview_is_small_and_keeps_the_form() {
        assert_eq!(size_of(&preview(ImageFormat::Png, &png(1_000, 500)).expect("a preview")), (320, 160));
        assert_eq!(size_of(&preview(ImageFormat::Png, &png(3, 7)).expect("a preview")), (3, 7));
    }

    /// A JPEG whose APP1 segment says where it was taken, and that it stands on its side.
    #[test]
    fn a_preview_has_no_metadata_and_stands_upright() {
        let small = DynamicImage::new_rgb8(40, 20);
        let mut plain = Vec::new();
        JpegEncoder::new(&mut plain).encode_image(&small).expect("an image");
        let exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0GPS 52.5 13.4";
        let mut file = plain[..2].to_vec();
        file.extend([0xff, 0xe1]);
        file.extend((exif.len() as u16 + 2).to_be_bytes());
        file.extend(exif);
        file.extend(&plain[2..]);
        let made = preview(ImageFormat::Jpeg, &file).expect("a preview");
        assert_eq!(size_of(&made), (20, 40));
        let has = |part: &[u8]| made.windows(part.len()).any(|window| window == part);
        assert!(!has(b"Exif") && !has(b"GPS"));
    }

    #[test]
    fn what_no_decoder_takes_has_none() {
        let whole = png(64, 64);
        for format in [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::Gif, ImageFormat::WebP] {
            assert_eq!(preview(format, b""), None);
            assert_eq!(preview(format, &whole[..40]), None, "cut off");
        }
        // It says that it has more pixels than a decoder may hold.
        let mut bomb = whole;
        bomb[16..24].copy_from_slice(&[0, 1, 0, 0, 0, 1, 0, 0]);
        assert_eq!(preview(ImageFormat::Png, &bomb), None);
    }
}
