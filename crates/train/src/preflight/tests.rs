//! Findings on pictures that are made for it, and none on those that are good.
use super::*;
use crate::dataset::Pixels;
use crate::dataset::resize;
use crate::plan::PlannedPicture;

/// A drawing with edges and texture; `turn` makes others.
fn drawing(side: usize, turn: usize) -> Pixels {
    let mut pixels = Pixels::filled(side, side, 3, 40);
    for y in 0..side {
        for x in 0..side {
            let (u, v) = (x * 64 / side, y * 64 / side);
            let inside = (u + 7 * turn) % 23 < 9 || (v * (turn + 1)) % 31 < 7;
            let texture = (x * 7 + y * 13) % 5 * 6;
            let level = if inside { 200 } else { 60 } + texture;
            pixels.data[(y * side + x) * 3..][..3].fill(level as u8);
        }
    }
    pixels
}

fn blurred(pixels: &Pixels, reach: usize) -> Pixels {
    let mut out = pixels.clone();
    let (w, h) = pixels.size();
    for y in 0..h {
        for x in 0..w {
            let (mut sum, mut count) = (0, 0);
            for yy in y.saturating_sub(reach)..(y + reach + 1).min(h) {
                for xx in x.saturating_sub(reach)..(x + reach + 1).min(w) {
                    sum += usize::from(pixels.data[(yy * w + xx) * 3]);
                    count += 1;
                }
            }
            out.data[(y * w + x) * 3..][..3].fill((sum / count) as u8);
        }
    }
    out
}

fn inspection(pixels: &Pixels) -> Inspection {
    Inspection::of(pixels, &resize::resize(pixels, (128, 128), None), ((0, 0), (128, 128)))
}

fn picture(name: &str, size: (usize, usize), fit: BucketAssignment) -> PlannedPicture {
    let picture = PlannedPicture::of_test(name.as_ref(), size, fit);
    PlannedPicture { sha256: name.into(), ..picture }
}

#[test]
fn the_same_picture_is_known_again() {
    let original = drawing(128, 0);
    let mut mirrored = original.clone();
    for y in 0..128 {
        for x in 0..128 {
            let level = original.data[(y * 128 + 127 - x) * 3];
            mirrored.data[(y * 128 + x) * 3..][..3].fill(level);
        }
    }
    let smaller = resize::resize(&original, (97, 97), None);
    for again in [&smaller, &mirrored, &blurred(&original, 1)] {
        assert!(inspection(&original).is_near(&inspection(again)));
    }
    for turn in 1..5 {
        assert!(!inspection(&original).is_near(&inspection(&drawing(128, turn))), "{turn}");
    }
    let (a, b) = (
        picture("a", (128, 128), BucketAssignment { bucket: (128, 128), resized: (128, 128) }),
        picture("b", (97, 97), BucketAssignment { bucket: (128, 128), resized: (128, 128) }),
    );
    let inspections = [inspection(&original), inspection(&smaller)];
    let found = doubles::near(&[&a, &b], &inspections).unwrap();
    assert_eq!(found.message(), "images are nearly the same: a and b");
    assert!(found.hint().is_some());
    let same = PlannedPicture { sha256: "a".into(), ..b.clone() };
    assert!(doubles::near(&[&a, &same], &inspections).is_none(), "said once");
    assert_eq!(doubles::exact(&[&a, &same]).unwrap().message(), "duplicate images: a = b");
    assert!(doubles::exact(&[&a, &b]).is_none());
    let at_another_size = PlannedPicture { set: 1, bucket: (64, 64), ..a.clone() };
    assert!(doubles::exact(&[&a, &at_another_size]).is_none(), "one file in two data sets");
}

#[test]
fn blur_is_seen() {
    let fit = BucketAssignment { bucket: (128, 128), resized: (128, 128) };
    let pictures = [picture("sharp", (128, 128), fit), picture("soft", (128, 128), fit)];
    let inspections = [inspection(&drawing(128, 0)), inspection(&blurred(&drawing(128, 0), 3))];
    let found = inspection::blurred(&pictures.iter().collect::<Vec<_>>(), &inspections).unwrap();
    assert_eq!(found.message(), "1 image is blurred: soft");
    let plain = Pixels::filled(128, 128, 3, 90);
    assert!(inspection::blurred(&[&pictures[0]], &[inspection(&plain)]).is_none(), "of one color");
}

#[test]
fn sizes_and_crops_are_told() {
    let square = (512, 512);
    let fits = [
        picture("good.jpg", (1024, 768), BucketAssignment { bucket: square, resized: (683, 512) }),
        picture("wide.jpg", (2000, 500), BucketAssignment { bucket: square, resized: (2048, 512) }),
        picture("tall.jpg", (500, 1000), BucketAssignment { bucket: square, resized: (512, 1024) }),
        picture("tiny.png", (200, 200), BucketAssignment { bucket: square, resized: square }),
    ];
    let all: Vec<&PlannedPicture> = fits.iter().collect();
    let cut = sizes::cut(&all, false).unwrap().to_string();
    assert_eq!(
        cut,
        "cropping removes a large part of 2 of the images: wide.jpg (2000x500): 75 % left and right, \
         tall.jpg (500x1000): 50 % above and below"
    );
    let tiny = sizes::tiny(&all).unwrap().to_string();
    assert_eq!(tiny, "1 image is tiny for what is trained: tiny.png (200x200)");
    assert!(sizes::cut(&all[..1], true).is_none() && sizes::tiny(&all[..1]).is_none());
}

#[test]
fn pictures_of_one_color_or_with_holes_are_told() {
    let fit = BucketAssignment { bucket: (128, 128), resized: (128, 128) };
    let pictures = [picture("white", (128, 128), fit), picture("drawn", (128, 128), fit)];
    let all: Vec<&PlannedPicture> = pictures.iter().collect();
    let looks = [inspection(&Pixels::filled(128, 128, 3, 255)), inspection(&drawing(128, 0))];
    assert_eq!(
        inspection::empty(&all, &looks).unwrap().message(),
        "1 image is of one color: white"
    );
    assert!(inspection::empty(&all[1..], &looks[1..]).is_none());
    let mut film = drawing(128, 0);
    film.data[..128 * 8 * 3].fill(2);
    let one_side = inspection(&film);
    film.data[128 * 120 * 3..].fill(3);
    let looks = [inspection(&film), one_side];
    let told = inspection::barred(&all, &looks).unwrap().to_string();
    assert_eq!(told, "1 image is between black bars: white");
    let black = Pixels::filled(128, 128, 3, 0);
    assert!(inspection::barred(&all[..1], &[inspection(&black)]).is_none(), "all of one color");
    let mut alpha = Pixels::filled(100, 100, 1, 255);
    assert!(!holes::has_any(&alpha));
    alpha.data[..200].fill(0);
    assert!(holes::has_any(&alpha));
    let told = holes::told(&all, &[false, true]).unwrap().to_string();
    assert!(told.starts_with("1 image has transparent parts") && told.ends_with("drawn"), "{told}");
    assert!(holes::told(&all, &[false, false]).is_none());
}

#[test]
fn lists_are_short() {
    let names: Vec<String> = ["a", "b", "c", "d", "e"].map(String::from).into();
    assert_eq!(list(&names), "a, b, c and 2 more");
    assert_eq!(list(&names[..3]), "a, b, c");
}

#[test]
fn decoding_is_counted_for_the_largest_pictures_of_all_threads() {
    let fit = BucketAssignment { bucket: (64, 64), resized: (64, 64) };
    let sizes = [("a", (64, 64)), ("b", (4000, 3000)), ("c", (100, 100))];
    let pictures = sizes.map(|(name, size)| picture(name, size, fit));
    let (bytes, largest) = decoding(&pictures, 2).unwrap();
    assert_eq!((bytes, &*largest.name), (8 * (4000 * 3000 + 100 * 100), "b"));
    assert_eq!(decoding(&pictures, 1).unwrap().0, 8 * 4000 * 3000);
    assert!(decoding(&[], 1).is_none());
}
