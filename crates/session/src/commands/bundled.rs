//! The bundled image encoder: it knows the small drawn world of the demo's model and nothing else.
use image::RgbImage;
use image::imageops::{FilterType, flip_horizontal, resize};
use std::path::Path;
use wayword_train::Result;
use wayword_train::image_encoder::{ImageEncoder, OnnxImageEncoder, OnnxOptions};
use wayword_train::verdict::cosine;

const FILE: &[u8] = include_bytes!("../../../../demo/judge.onnx");

/// The side at which a picture's flat areas are looked at: that of the encoder's input.
const SIDE: u32 = 64;

/// How much the calmest quarter of a picture may differ from pixel to pixel ([`unevenness`]). The
/// demo's 180 images have 0, 120 drawn ones (of usual, empty and senseless prompts) 7 at most,
/// 62 photos 12 in the mean.
const MOST_UNEVEN: u32 = 8;

/// The least cosine between the vectors of a picture and of its mirror image, which hardly differ for
/// the demo's frontal heads: 0.88 at least for its images, 0.86 for drawn ones, 0.54 to 1 for photos.
/// Both limits together refuse no image of the demo and 43 of the 62 photos.
const LEAST_MIRRORED: f64 = 0.85;

/// Opens it.
///
/// # Errors
/// If it cannot be run, which a test would have noticed.
pub(super) fn open() -> Result<OnnxImageEncoder> {
    let options = OnnxOptions::default();
    OnnxImageEncoder::from_bytes(Path::new("judge.onnx"), FILE.to_vec(), &options)
}

/// Whether a picture, of which the encoder made `vector`, is of its world.
///
/// # Errors
/// If the encoder fails.
pub(super) fn knows(
    encoder: &OnnxImageEncoder,
    picture: &RgbImage,
    vector: &[f32],
) -> Result<bool> {
    if unevenness(picture) > MOST_UNEVEN {
        return Ok(false);
    }
    let mirrored = encoder.vector(&flip_horizontal(picture))?;
    Ok(cosine(vector, &mirrored) >= LEAST_MIRRORED)
}

/// The sum of the differences of a pixel to the next and the one below, over the three channels: the
/// lower quartile at the encoder's size. Photos have grain and gradients where drawn worlds are flat.
fn unevenness(picture: &RgbImage) -> u32 {
    let small = resize(picture, SIDE, SIDE, FilterType::Triangle);
    let differ = |a: &image::Rgb<u8>, b: &image::Rgb<u8>| -> u32 {
        a.0.iter().zip(b.0).map(|(a, b)| u32::from(a.abs_diff(b))).sum()
    };
    let mut differences = Vec::new();
    for (x, y) in (0..SIDE - 1).flat_map(|y| (0..SIDE - 1).map(move |x| (x, y))) {
        let pixel = small.get_pixel(x, y);
        differences.push(
            differ(pixel, small.get_pixel(x + 1, y)) + differ(pixel, small.get_pixel(x, y + 1)),
        );
    }
    differences.sort_unstable();
    differences[differences.len() / 4]
}
