//! Damaged files end in errors, never in a panic; sound ones match another decoder closely.
use super::*;

/// A small color JPEG by the `image` crate's encoder (no chroma subsampling).
fn sound() -> Vec<u8> {
    let picture = ::image::RgbImage::from_fn(21, 13, |x, y| {
        ::image::Rgb([(x * 12) as u8, (y * 19) as u8, ((x * y) % 256) as u8])
    });
    let mut out = Vec::new();
    ::image::codecs::jpeg::JpegEncoder::new_with_quality(&mut out, 95)
        .encode_image(&picture)
        .unwrap();
    out
}

#[test]
fn close_to_another_decoder() {
    let file = sound();
    let ours = decode(&file).unwrap();
    let other = ::image::load_from_memory(&file).unwrap().to_rgb8();
    assert_eq!((ours.width, ours.height, ours.channels), (21, 13, 3));
    assert!(ours.data.iter().zip(other.as_raw()).all(|(a, b)| a.abs_diff(*b) <= 2));
}

#[test]
fn every_cut_is_an_error() {
    let file = sound();
    for end in 0..file.len() - 2 {
        assert!(decode(&file[..end]).is_err(), "{end} of {}", file.len());
    }
}

#[test]
fn no_damage_panics() {
    let file = sound();
    let mut seed = 1u32;
    for at in 2..file.len() {
        for _ in 0..4 {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let mut damaged = file.clone();
            damaged[at] = (seed >> 24) as u8;
            // sizes in the header may make it large, but within the limit
            let _ = decode(&damaged);
        }
    }
}
