//! `wayword check`, `--strict` and memory: what is found, what is refused before anything is done.
use super::program::{Program, model, zarva};
use std::path::Path;

fn arguments<'a>(command: &'a str, pictures: &'a str, model: &'a str) -> Vec<&'a str> {
    vec![
        command,
        pictures,
        "--base",
        model,
        "--name",
        "zarva-ti",
        "--init",
        "woman",
        "--threads",
        "2",
    ]
}

#[test]
fn good_pictures_have_no_findings() {
    let program = Program::new();
    let (model, zarva) = (model(), zarva());
    let run = program.well(&[&arguments("check", &zarva, &model)[..], &["--strict"]].concat());
    for part in ["no problems found", "a photo of a zarva-ti", "estimate", "SHA-256"] {
        assert!(run.out.contains(part), "{part}: {}", run.out);
    }
    let json = program.well(
        &[&arguments("check", &zarva, &model)[..], &["--json", "--sample-every", "200"]].concat(),
    );
    let plan = json.out.lines().find(|line| line.contains("\"event\":\"plan\"")).unwrap();
    let plan: serde_json::Value = serde_json::from_str(plan).unwrap();
    let part = |key: &str| plan["estimate"][key].as_f64().unwrap();
    let parts = ["latents", "starts", "seconds", "measures", "previews", "pick"].map(part);
    assert!(parts.iter().all(|seconds| *seconds > 0.0), "{parts:?}");
    assert!((part("total") - parts.iter().sum::<f64>()).abs() < 1e-6);
    let left = std::fs::read_dir(program.here()).unwrap().count();
    assert_eq!(left, 0, "nothing is written");
}

#[test]
fn findings_are_warnings_or_refusals() {
    let program = Program::new();
    let (model, zarva) = (model(), zarva());
    let folder = program.path("pictures");
    std::fs::create_dir(&folder).unwrap();
    let mut pictures: Vec<_> = std::fs::read_dir(Path::new(&zarva))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "png"))
        .collect();
    pictures.sort();
    for (i, picture) in pictures.iter().take(4).enumerate() {
        std::fs::copy(picture, folder.join(format!("{i}.png"))).unwrap();
    }
    std::fs::copy(&pictures[0], folder.join("again.png")).unwrap();
    let picture = image::open(&pictures[1]).unwrap();
    picture.fliph().save(folder.join("mirrored.png")).unwrap();
    picture.crop_imm(0, 20, 64, 20).save(folder.join("wide.png")).unwrap();
    picture.blur(3.0).save(folder.join("soft.png")).unwrap();
    let run = program.well(&arguments("check", "pictures", &model));
    for part in [
        "7 images are few for a person",
        "this is enough: pass --preset object",
        "duplicate images: 0.png = again.png",
        "nearly the same: 1.png and mirrored.png",
        "1 image is blurred: soft.png",
        "cropping removes a large part of 1 of the images: wide.png (64x20)",
        "tiny for what is trained: wide.png (64x20)",
    ] {
        assert!(run.out.contains(part), "{part}: {}", run.out);
    }
    let hints = run.out.matches("\nhint: ").count();
    assert_eq!(hints, run.out.matches("\nwarning: ").count(), "{}", run.out);

    let train = arguments("train", "pictures", &model);
    let run = program.run(&[&train[..], &["--strict", "--steps", "2"]].concat());
    assert_eq!(run.code, Some(1));
    assert!(run.err.contains("1.png and mirrored.png"), "{}", run.err);
    assert!(!program.path("zarva-ti.run").exists());
}

#[test]
fn a_run_that_cannot_fit_is_refused_before_loading() {
    let program = Program::new();
    let (model, zarva) = (model(), zarva());
    let train = arguments("train", &zarva, &model);
    let run = program.run(&[&train[..], &["--batch", "4000000"]].concat());
    assert_eq!(run.code, Some(3));
    assert!(run.err.contains("with --low-memory, and"), "{}", run.err);
    assert!(!run.err.contains("loading"), "{}", run.err);
}

#[test]
fn low_memory_gives_the_same_word() {
    let program = Program::new();
    let (model, zarva) = (model(), zarva());
    let train = arguments("train", &zarva, &model);
    for (out, more) in [("a", &[][..]), ("b", &["--low-memory"])] {
        program.well(&[&train[..], &["--seed", "4", "--steps", "4", "--out", out], more].concat());
    }
    let bytes = |out: &str| {
        let path = program.path(out).join("zarva-ti.safetensors");
        let file = wayword_formats::SafeTensors::open(&path).unwrap();
        file.get("emb_params").unwrap().bytes().to_vec()
    };
    assert_eq!(bytes("a"), bytes("b"));
}
