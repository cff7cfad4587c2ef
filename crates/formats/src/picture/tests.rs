//! What phones, cameras and editors write, built here.
use super::{Picture, Reading, from_bytes, read, size};
use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, ImageEncoder, Rgb, RgbImage};
use moxcms::ColorProfile;

fn colors() -> RgbImage {
    let all = [[200, 40, 40], [40, 180, 60], [40, 60, 200], [230, 220, 120]];
    RgbImage::from_fn(16, 8, |x, y| Rgb(all[(x / 8 + 2 * (y / 4)) as usize]))
}

fn png(profile: Option<Vec<u8>>) -> Vec<u8> {
    let (mut out, picture) = (Vec::new(), colors());
    let mut encoder = image::codecs::png::PngEncoder::new(&mut out);
    if let Some(profile) = profile {
        encoder.set_icc_profile(profile).unwrap();
    }
    encoder.write_image(&picture, 16, 8, ExtendedColorType::Rgb8).unwrap();
    out
}

fn seen(bytes: &[u8]) -> Picture {
    from_bytes(bytes, Reading::SEEN).unwrap()
}

fn why(bytes: &[u8]) -> String {
    from_bytes(bytes, Reading::SEEN).unwrap_err().to_string()
}

#[test]
fn profiles_are_converted_to_srgb() {
    let p3 = ColorProfile::new_display_p3().encode().unwrap();
    let found = seen(&png(Some(p3.clone())));
    assert!(found.notes[0].contains("profile"), "{:?}", found.notes);
    // Display P3's (200, 40, 40) lies outside of sRGB; the values follow from the two standards' matrices and curve.
    let near = |at: usize, wanted: [u8; 3]| {
        let pixel = &found.rgb[3 * at..3 * at + 3];
        let far = pixel.iter().zip(wanted).any(|(a, b)| a.abs_diff(b) > 2);
        assert!(!far, "pixel {at}: {pixel:?}, not {wanted:?}");
    };
    near(0, [218, 0, 26]);
    near(8, [0, 183, 30]);
    let stored = from_bytes(&png(Some(p3)), Reading::STORED).unwrap();
    assert_eq!((stored.rgb, stored.notes.len()), (colors().into_raw(), 0));
    // A profile that is sRGB changes nothing, not even by a level.
    let srgb = ColorProfile::new_srgb().encode().unwrap();
    assert_eq!(seen(&png(Some(srgb))), seen(&png(None)));
    let broken = seen(&png(Some(b"no profile".to_vec())));
    assert_eq!(broken.rgb, colors().into_raw());
    assert!(broken.notes[0].contains("damaged"), "{:?}", broken.notes);
}

#[test]
fn sixteen_bits_gray_and_palettes_with_transparency() {
    let mut out = Vec::new();
    let deep: Vec<u8> =
        [0xffff_u16, 0x8000, 0, 0x0101].iter().flat_map(|v| v.to_be_bytes()).collect();
    let mut encoder = png::Encoder::new(&mut out, 2, 1);
    encoder.set_color(png::ColorType::GrayscaleAlpha);
    encoder.set_depth(png::BitDepth::Sixteen);
    encoder.write_header().unwrap().write_image_data(&deep).unwrap();
    let found = seen(&out);
    assert_eq!((found.rgb, found.alpha), (vec![255, 255, 255, 0, 0, 0], Some(vec![128, 1])));
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, 4, 1);
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_depth(png::BitDepth::Two);
    encoder.set_palette(vec![9, 8, 7, 100, 200, 50, 1, 2, 3]);
    encoder.set_trns(vec![255, 0]);
    encoder.write_header().unwrap().write_image_data(&[0b00_01_10_00]).unwrap();
    let found = seen(&out);
    assert_eq!(found.rgb, [9, 8, 7, 100, 200, 50, 1, 2, 3, 9, 8, 7]);
    assert_eq!(found.alpha, Some(vec![255, 0, 255, 255]));
    assert_eq!(found.on_white(), [9, 8, 7, 255, 255, 255, 1, 2, 3, 9, 8, 7]);
}

/// A JPEG with an EXIF orientation.
fn oriented(jpeg: &[u8], orientation: u8) -> Vec<u8> {
    let mut exif = *b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
    exif[24] = orientation;
    let mut file = jpeg[..2].to_vec();
    file.extend([0xff, 0xe1, 0, exif.len() as u8 + 2]);
    file.extend(exif);
    file.extend(&jpeg[2..]);
    file
}

/// JPEGs are turned while they are decoded; the `image` crate turns them afterwards.
#[test]
fn every_orientation_is_that_of_another_program() {
    for size in [(37, 45), (3, 70), (40, 1)] {
        let picture = RgbImage::from_fn(size.0, size.1, |x, y| {
            Rgb([(x * 6) as u8, (y * 5) as u8, (x * y) as u8])
        });
        let gray = image::imageops::grayscale(&picture);
        let (mut color, mut plain) = (Vec::new(), Vec::new());
        JpegEncoder::new(&mut color).encode_image(&picture).unwrap();
        JpegEncoder::new(&mut plain).encode_image(&gray).unwrap();
        for jpeg in [&color, &plain] {
            let stored = from_bytes(jpeg, Reading::STORED).unwrap();
            let stored = RgbImage::from_raw(size.0, size.1, stored.rgb).unwrap();
            for number in 1..=8 {
                let mut turned = image::DynamicImage::ImageRgb8(stored.clone());
                turned.apply_orientation(image::metadata::Orientation::from_exif(number).unwrap());
                let found = seen(&oriented(jpeg, number));
                assert_eq!(
                    (found.width, found.height),
                    (turned.width() as usize, turned.height() as usize)
                );
                assert!(found.rgb == turned.into_rgb8().into_raw(), "{size:?}, {number}");
            }
        }
    }
}

#[test]
fn orientation_turns_unless_switched_off() {
    // Orientation 6 (turn right): what phones write.
    let picture = RgbImage::from_fn(16, 8, |x, _| Rgb([x as u8 * 16, 0, 0]));
    let mut jpeg = Vec::new();
    JpegEncoder::new(&mut jpeg).encode_image(&picture).unwrap();
    let file = oriented(&jpeg, 6);
    let dir = tempfile::tempdir().unwrap();
    // A JPEG, whatever it is called.
    let path = dir.path().join("phone.png");
    std::fs::write(&path, file).unwrap();
    assert_eq!(size(&path, Reading::STORED).unwrap(), (16, 8));
    assert_eq!(size(&path, Reading::SEEN).unwrap(), (8, 16));
    let turned = read(&path, Reading::SEEN).unwrap();
    assert_eq!((turned.width, turned.height), (8, 16));
    assert!(turned.rgb[0] < 30 && turned.rgb[turned.rgb.len() - 3] > 200);
}

/// A PNG's header says 40000 x 20000; its pixels would take 2.4 GB.
#[test]
fn bombs_are_refused_by_their_header() {
    let mut bomb = png(None);
    bomb[16..20].copy_from_slice(&40_000_u32.to_be_bytes());
    bomb[20..24].copy_from_slice(&20_000_u32.to_be_bytes());
    let mut sum = flate2::Crc::new();
    sum.update(&bomb[12..29]);
    let sum = sum.sum();
    bomb[29..33].copy_from_slice(&sum.to_be_bytes());
    assert!(why(&bomb).contains("40000 x 20000"), "{}", why(&bomb));
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("b.png");
    std::fs::write(&path, bomb).unwrap();
    for error in [size(&path, Reading::SEEN).unwrap_err(), read(&path, Reading::SEEN).unwrap_err()]
    {
        assert!(error.to_string().contains("b.png"), "{error}");
        assert!(error.hint().unwrap().contains("smaller"), "{error}");
    }
}

#[test]
fn kinds_that_are_not_read_are_named() {
    for (start, name) in [
        (&b"\0\0\0\x20ftypavif\0\0\0\0"[..], "AVIF"),
        (b"\0\0\0\x20ftypheic\0\0\0\0", "HEIC"),
        (b"\xff\x0a\0\0\0\0\0\0\0\0\0\0", "JPEG XL"),
        (b"GIF89a\0\0\0\0\0\0\0\0", "GIF"),
        (b"II*\0\0\0\0\0\0\0\0\0\0", "TIFF"),
        (b"<!DOCTYPE html><html></html>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1", "git-lfs"),
        (b"hello, this is only text", "not a supported image"),
        (b"", "not a supported image"),
    ] {
        assert!(why(start).contains(name), "{name}: {}", why(start));
    }
    let half = &png(None)[..60];
    assert!(why(half).contains("cannot be read"), "{}", why(half));
}

#[test]
fn the_first_frame_of_an_animation_is_used_and_said() {
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, 1, 1);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_animated(3, 0).unwrap();
    let mut writer = encoder.write_header().unwrap();
    for frame in [[1, 2, 3], [4, 5, 6], [7, 8, 9]] {
        writer.write_image_data(&frame).unwrap();
    }
    writer.finish().unwrap();
    let found = seen(&out);
    assert_eq!(found.rgb, [1, 2, 3]);
    assert!(found.notes[0].contains("3 frames"), "{:?}", found.notes);
}
