//! `prepare` on photos composed from a portrait in the public domain and noise.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]
use image::imageops::{self, FilterType};
use image::{Rgb, RgbImage};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use wayword_session::{Environment, Failure, Outcome, PrepareReport, Request, Session};

fn portrait() -> RgbImage {
    let file = "crates/vision/tests/detail/photos/astronaut.png";
    image::open(wayword_testing::repository().join(file)).unwrap().to_rgb8()
}

fn sized(picture: &RgbImage, side: u32) -> RgbImage {
    imageops::resize(picture, side, side, FilterType::Lanczos3)
}

/// Noise with a picture at a place.
fn around(size: (u32, u32), picture: &RgbImage, at: (i64, i64)) -> RgbImage {
    let mut state = 7u32;
    let mut out = RgbImage::from_fn(size.0, size.1, |_, _| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        Rgb([100 + (state >> 27) as u8; 3])
    });
    imageops::replace(&mut out, picture, at.0, at.1);
    out
}

/// A folder of photos: tall, on its side, small, blurred, dark, several people, nobody.
fn photos(dir: &Path) -> PathBuf {
    let folder = dir.join("photos");
    std::fs::create_dir(&folder).unwrap();
    let save = |name: &str, picture: &RgbImage| picture.save(folder.join(name)).unwrap();
    let large = sized(&portrait(), 1200);
    let tall = around((1200, 2400), &large, (0, 100));
    save("tall.jpg", &tall);
    save("side.png", &imageops::rotate90(&around((1300, 1200), &large, (60, 0))));
    save("small.png", &sized(&portrait(), 160));
    save("copy.jpg", &sized(&around((1200, 2400), &large, (0, 100)), 700));
    let blurred = imageops::blur(&sized(&portrait(), 900), 8.0);
    save("blurred.png", &around((1000, 1000), &blurred, (50, 50)));
    let mut dark = around((1400, 1200), &large, (200, 0));
    dark.pixels_mut().for_each(|p| p.0 = p.0.map(|v| v / 12));
    save("dark.png", &dark);
    let mut two = around((2000, 1100), &sized(&portrait(), 900), (50, 100));
    imageops::replace(&mut two, &sized(&portrait(), 600), 1300, 350);
    save("two.png", &two);
    save("nobody.png", &around((800, 800), &RgbImage::new(1, 1), (0, 0)));
    std::fs::write(folder.join("broken.png"), b"no picture").unwrap();
    folder
}

fn prepare(folder: &Path, out: &Path, more: &Value) -> Result<PrepareReport, Failure> {
    let mut values = json!({ "command": "prepare", "photos": [folder], "out": out });
    values.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let request = Request::from_json(values.as_object().unwrap().clone()).unwrap();
    let outcome = Session::new(Environment::default()).submit(request).wait()?;
    let Outcome::Prepare(report) = &*outcome else { panic!("{outcome:?}") };
    Ok((**report).clone())
}

fn files(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut all: Vec<PathBuf> = std::fs::read_dir(dir)
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.is_file())
        .collect();
    all.sort();
    let name = |p: &PathBuf| p.file_name().unwrap().to_string_lossy().into_owned();
    all.iter().map(|p| (name(p), std::fs::read(p).unwrap())).collect()
}

#[test]
fn photos_become_training_images_with_reasons() {
    let dir = tempfile::tempdir().unwrap();
    let folder = photos(dir.path());
    let before = files(&folder);
    let out = dir.path().join("100_eva woman");
    let dry = prepare(&folder, &out, &json!({ "dry_run": true })).unwrap();
    assert!(!out.exists() && !dry.written);
    let report = prepare(&folder, &out, &json!({ "masks": true })).unwrap();
    assert_eq!(report.pictures, dry.pictures);
    assert_eq!(files(&folder), before, "photos are never changed");
    let named = |name: &str| report.pictures.iter().find(|p| p.name() == name).unwrap();
    for (name, word) in [
        ("small.png", "enlarged"),
        ("blurred.png", "blurred"),
        ("dark.png", "dark"),
        ("nobody.png", "no face"),
    ] {
        let picture = named(name);
        assert!(!picture.choice.keep, "{picture:?}");
        assert!(picture.reasons.iter().any(|r| r.contains(word)), "{name}: {:?}", picture.reasons);
    }
    assert!(report.unread[0].0.ends_with("broken.png"));
    for name in ["tall.jpg", "side.png", "two.png"] {
        let picture = named(name);
        assert!(picture.choice.keep, "{picture:?}");
        let (crop, face) = (picture.choice.crop.unwrap(), picture.face.unwrap());
        assert!(crop.fits(picture.choice.turn.size(picture.size)) && crop.holds(face.area));
        let image = image::open(out.join(&picture.file)).unwrap();
        assert_eq!((image.width(), image.height()), (512, 512));
        let mask = Path::new(&picture.file).with_extension("png");
        assert!(out.join("masks").join(mask).is_file());
    }
    // The larger of two people, alone.
    let crop = named("two.png").choice.crop.unwrap();
    assert!(crop.right() <= 1300 || named("two.png").faces == 1, "{crop:?}");
    assert!(out.join("sheet.html").is_file() && out.join("prepare/sheet.png").is_file());
    assert_eq!(report.balance.kept, 3);
}

#[test]
fn changes_made_by_hand_are_kept_and_the_rest_is_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("photos");
    std::fs::create_dir(&folder).unwrap();
    let large = sized(&portrait(), 1000);
    around((1000, 1600), &large, (0, 50)).save(folder.join("a.png")).unwrap();
    around((1500, 1000), &large, (400, 0)).save(folder.join("b.png")).unwrap();
    let out = dir.path().join("out");
    prepare(&folder, &out, &json!({})).unwrap();
    let first = files(&out);
    assert!(prepare(&folder, &out, &json!({})).unwrap_err().message().contains("not empty"));
    prepare(&folder, &out, &json!({ "overwrite": true })).unwrap();
    assert!(files(&out) == first, "the same photos give the same files");
    let path = out.join("prepare.json");
    let mut set: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    set["pictures"][0]["crop"] = json!([10, 20, 600, 600]);
    set["pictures"][1]["keep"] = json!(false);
    std::fs::write(&path, set.to_string()).unwrap();
    let report = prepare(&folder, &out, &json!({ "overwrite": true })).unwrap();
    assert_eq!((report.changes, report.balance.kept), (2, 1));
    let changed = files(&out);
    let bytes = |all: &[(String, Vec<u8>)], name: &str| {
        all.iter().find(|(n, _)| n == name).map(|(_, bytes)| bytes.clone())
    };
    assert_ne!(bytes(&changed, "a.png"), bytes(&first, "a.png"));
    assert_eq!(bytes(&changed, "b.png"), None, "what is left out by hand is removed");
    // And once more: the changes are still there.
    let again = prepare(&folder, &out, &json!({ "overwrite": true })).unwrap();
    assert_eq!(again.pictures, report.pictures);
}

#[test]
fn objects_are_cut_from_the_middle_and_photos_stay_where_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("photos");
    std::fs::create_dir(&folder).unwrap();
    around((1200, 800), &sized(&portrait(), 300), (0, 0)).save(folder.join("a.png")).unwrap();
    let options = json!({ "subject": "object", "resolution": "256,256", "format": "jpg" });
    let report = prepare(&folder, &dir.path().join("out"), &options).unwrap();
    let crop = report.pictures[0].choice.crop.unwrap();
    assert_eq!((crop.left, crop.top, crop.width, crop.height), (200, 0, 800, 800));
    assert!(dir.path().join("out/a.jpg").is_file());
    let error = prepare(&folder, &folder, &json!({ "overwrite": true })).unwrap_err();
    assert!(error.message().contains("own folder"), "{error:?}");
}

#[test]
fn a_large_photo_of_several_people_shows_the_main_one_alone() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("photos");
    std::fs::create_dir(&folder).unwrap();
    // One in the middle, one smaller, one on the side, one whose picture begins outside.
    let mut party = around((6000, 4000), &sized(&portrait(), 1800), (2200, 1500));
    imageops::replace(&mut party, &sized(&portrait(), 900), 300, 2600);
    imageops::replace(&mut party, &imageops::rotate270(&sized(&portrait(), 1000)), 4500, 400);
    imageops::replace(&mut party, &sized(&portrait(), 1200), -520, 200);
    party.save(folder.join("party.jpg")).unwrap();
    around((4000, 3000), &sized(&portrait(), 1600), (-440, 700))
        .save(folder.join("border.jpg"))
        .unwrap();
    let out = dir.path().join("out");
    let report = prepare(&folder, &out, &json!({})).unwrap();
    let of = |name: &str| report.pictures.iter().find(|p| p.name() == name).unwrap();
    let (party, border) = (of("party.jpg"), of("border.jpg"));
    for picture in [party, border] {
        let (crop, face) = (picture.choice.crop.unwrap(), picture.face.unwrap());
        assert!(
            picture.choice.keep && crop.fits(picture.size) && crop.holds(face.area),
            "{picture:?}"
        );
    }
    assert!(party.faces >= 3, "{party:?}");
    let crop = party.choice.crop.unwrap();
    assert!(crop.left > 1200 && crop.right() < 4500 && crop.top > 700, "no one else: {crop:?}");
    assert!(border.choice.crop.unwrap().left < 40, "{border:?}");
}
