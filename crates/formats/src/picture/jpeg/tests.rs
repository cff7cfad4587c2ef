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
    let ours = decode(&file, Turning::default()).unwrap();
    let other = ::image::load_from_memory(&file).unwrap().to_rgb8();
    assert_eq!((ours.width, ours.height, ours.channels), (21, 13, 3));
    assert!(ours.data.iter().zip(other.as_raw()).all(|(a, b)| a.abs_diff(*b) <= 2));
}

#[test]
fn every_cut_is_an_error() {
    let file = sound();
    for end in 0..file.len() - 2 {
        assert!(decode(&file[..end], Turning::default()).is_err(), "{end} of {}", file.len());
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
            let _ = decode(&damaged, Turning::default());
        }
    }
}

/// The transform of eight rows and columns by its definition.
fn by_definition(block: &[i16; 64], table: &[u16; 64]) -> Vec<f64> {
    let angle =
        |x: usize, u: usize| ((2 * x + 1) as f64 * u as f64 * std::f64::consts::PI / 16.0).cos();
    let scale = |u: usize| if u == 0 { 0.5_f64.sqrt() } else { 1.0 };
    let level = |i: usize| {
        let (y, x) = (i / 8, i % 8);
        let part = |k: usize| {
            let (v, u) = (k / 8, k % 8);
            let value = f64::from(block[k]) * f64::from(table[k]);
            scale(u) * scale(v) * value * angle(x, u) * angle(y, v)
        };
        ((0..64).map(part).sum::<f64>() / 4.0 + 128.0).clamp(0.0, 255.0)
    };
    (0..64).map(level).collect()
}

#[test]
fn levels_are_those_of_the_transform() {
    let (mut seed, mut furthest) = (1u32, 0.0_f64);
    for round in 0..200 {
        let mut next = |most: u32| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 16) % most
        };
        let table: [u16; 64] = std::array::from_fn(|_| 1 + next(9) as u16);
        let reach = [2, 8, 40][round % 3];
        let mut block: [i16; 64] = std::array::from_fn(|_| next(2 * reach) as i16 - reach as i16);
        if round % 2 == 0 {
            // Mostly zeros, as in photos.
            block[1 + next(12) as usize..].fill(0);
        }
        let levels = transform::inverse(&block, &table);
        for (level, wanted) in levels.as_flattened().iter().zip(by_definition(&block, &table)) {
            furthest = furthest.max((f64::from(*level) - wanted).abs());
        }
    }
    assert!(furthest < 0.6, "{furthest}");
}
