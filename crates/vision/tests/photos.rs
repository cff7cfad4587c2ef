//! Photos composed from a portrait in the public domain: several people, sideways, far away, nobody.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]
use proptest::prelude::*;
use std::path::Path;
use wayword_vision::{
    Area, Crop, Detector, Framing, Gray, Look, Pose, Quality, Rgb, Turn, aligned, cut, frame,
    head_and_shoulders,
};

fn portrait() -> Rgb {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/detail/photos/astronaut.png");
    let picture = image::open(path).unwrap().to_rgb8();
    Rgb { width: 512, height: 512, rgb: picture.into_raw() }
}

/// Gray noise, the same each time.
fn noise(width: usize, height: usize) -> Rgb {
    let mut state = 1u32;
    let mut level = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        96 + (state >> 26) as u8
    };
    let rgb = (0..width * height).flat_map(|_| [level(); 3]).collect();
    Rgb { width, height, rgb }
}

fn paste(onto: &mut Rgb, other: &Rgb, (left, top): (usize, usize)) {
    for y in 0..other.height {
        let to = ((top + y) * onto.width + left) * 3;
        onto.rgb[to..to + other.width * 3]
            .copy_from_slice(&other.rgb[y * other.width * 3..][..other.width * 3]);
    }
}

fn sized(picture: &Rgb, width: usize, height: usize) -> Rgb {
    let all = Crop { left: 0, top: 0, width: picture.width, height: picture.height };
    cut(picture.view(), all, (width, height))
}

/// Where the portrait's face lies, by OpenCV.
const FACE: Area = Area { left: 178.1, top: 65.0, width: 91.4, height: 111.4 };

fn at(by: f32, left: f32, top: f32) -> Area {
    let face = FACE.scaled(by);
    Area { left: face.left + left, top: face.top + top, ..face }
}

#[test]
fn a_portrait_of_any_size_is_found() {
    let detector = Detector::bundled().unwrap();
    for side in [180, 512, 1100, 3000] {
        let found = detector.find(sized(&portrait(), side, side).view()).unwrap();
        let [face] = found.faces[..] else { panic!("{side}: {found:?}") };
        let overlap = face.area.overlap(at(side as f32 / 512.0, 0.0, 0.0));
        assert!(overlap > 0.75, "{side}: {overlap} {face:?}");
        assert_eq!((found.turn, face.pose()), (Turn::None, Pose::Front));
        assert!(face.roll().abs() < 8.0);
    }
}

#[test]
fn several_people_and_far_ones_are_found() {
    let mut photo = noise(1800, 1200);
    paste(&mut photo, &portrait(), (100, 500));
    paste(&mut photo, &sized(&portrait(), 300, 300), (900, 700));
    let found = Detector::bundled().unwrap().find(photo.view()).unwrap();
    assert_eq!(found.faces.len(), 2, "{found:?}");
    for want in [at(1.0, 100.0, 500.0), at(300.0 / 512.0, 900.0, 700.0)] {
        assert!(found.faces.iter().any(|face| face.area.overlap(want) > 0.7), "{found:?}");
    }
}

#[test]
fn a_photo_on_its_side_is_turned() {
    for (turn, back) in
        [(Turn::Right, Turn::Left), (Turn::Left, Turn::Right), (Turn::Half, Turn::Half)]
    {
        let found = Detector::bundled().unwrap().find(turn.apply(&portrait()).view()).unwrap();
        assert_eq!(found.turn, back, "{turn:?}: {found:?}");
        assert!(found.faces[0].area.overlap(FACE) > 0.75, "{turn:?}: {found:?}");
    }
}

#[test]
fn nobody_is_found_in_noise() {
    let found = Detector::bundled().unwrap().find(noise(700, 500).view()).unwrap();
    assert!(found.faces.is_empty(), "{found:?}");
}

#[test]
fn a_blurred_face_is_less_sharp_and_a_copy_looks_the_same() {
    let sharp = portrait();
    let blurred = sized(&sized(&sharp, 64, 64), 512, 512);
    let (a, b) = (Quality::of(sharp.view(), FACE), Quality::of(blurred.view(), FACE));
    assert!(a.sharpness > 8.0 * b.sharpness, "{a:?} {b:?}");
    assert!((a.brightness - b.brightness).abs() < 8.0);
    let look = |p: &Rgb| Look::of(&Gray::of(&p.rgb, 3, p.width));
    assert!(look(&sharp).is_near(&look(&sized(&sharp, 300, 300))));
    assert!(!look(&sharp).is_near(&look(&noise(512, 512))));
}

#[test]
fn an_aligned_face_has_its_eyes_where_networks_expect_them() {
    let detector = Detector::bundled().unwrap();
    let photo = sized(&portrait(), 1024, 1024);
    let face = detector.find(photo.view()).unwrap().faces[0];
    let small = aligned(photo.view(), &face).unwrap();
    let mut around = noise(320, 320);
    paste(&mut around, &small, (104, 104));
    let again = detector.detect(around.view(), 0.5).unwrap();
    let [right, left, ..] = again[0].landmarks;
    assert!((right[0] - 104.0 - 38.3).hypot(right[1] - 104.0 - 51.7) < 5.0, "{again:?}");
    assert!((left[0] - 104.0 - 73.5).hypot(left[1] - 104.0 - 51.5) < 5.0, "{again:?}");
}

#[test]
fn the_mask_is_white_on_the_head_and_black_in_the_corners() {
    let face = Detector::bundled().unwrap().find(portrait().view()).unwrap().faces[0];
    let crop = Crop { left: 0, top: 0, width: 512, height: 512 };
    let mask = head_and_shoulders(&face, crop, (64, 64));
    let at = |x: f32, y: f32| mask[(y / 8.0) as usize * 64 + (x / 8.0) as usize];
    let (x, y) = face.area.middle();
    assert_eq!((at(x, y), at(x, y + 1.3 * face.area.height)), (255, 255));
    assert_eq!((mask[0], mask[63]), (0, 0));
    assert!(mask.iter().any(|v| (1..255).contains(v)));
}

fn areas() -> impl Strategy<Value = Area> {
    (0.0f32..1.0, 0.0f32..1.0, 0.02f32..0.9, 0.6f32..1.2)
        .prop_map(|(left, top, height, shape)| Area { left, top, width: height * shape, height })
}

proptest! {
    /// Crops lie inside photos and faces inside crops, in the shape that was wanted.
    #[test]
    fn crops_lie_inside_photos_and_faces_inside_crops(
        width in 40usize..4000,
        height in 40usize..4000,
        faces in proptest::collection::vec(areas(), 1..5),
        framing in 0usize..4,
        shape in 0usize..4,
    ) {
        let size = [(512, 512), (512, 768), (768, 512), (64, 64)][shape];
        let least = width.min(height) as f32;
        let faces: Vec<Area> = faces.iter().map(|a| Area {
            left: a.left * width as f32, top: a.top * height as f32,
            width: a.width * least, height: a.height * least,
        }).collect();
        let framing = Framing::ALL[framing];
        let framed = frame((width, height), faces[0], &faces[1..], framing, size);
        prop_assert_eq!(framed, frame((width, height), faces[0], &faces[1..], framing, size));
        if let Ok(framed) = framed {
            let crop = framed.crop;
            prop_assert!(crop.fits((width, height)));
            prop_assert!(crop.holds(faces[0].inside((width, height))));
            for other in &faces[1..] {
                let seen = other.inside((width, height));
                prop_assert!(crop.holds(seen) || seen.common(crop.area()).size() <= 0.0);
            }
            // The shape is right to a pixel.
            let wanted = crop.height as f64 * size.0 as f64 / size.1 as f64;
            prop_assert!((crop.width as f64 - wanted).abs() <= 1.0, "{:?} {:?}", crop, size);
        }
    }
}
