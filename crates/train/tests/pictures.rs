//! How pictures come into a run: buckets, mirror images, masks, regularization, data set files.
#![allow(clippy::unwrap_used, reason = "a failed test may panic")]
mod common;

use common::{base, options, plan};
use std::borrow::Cow;
use std::path::{Path, PathBuf};
use wayword_interface::{Quiet, Stop};
use wayword_train::batches::{BatchPlan, Batches};
use wayword_train::latents::{self, LatentSource, LatentView};
use wayword_train::training_loop::{ResumeOptions, RunOptions};
use wayword_train::{Event, TrainOptions, TrainPlan, training_loop};

/// A picture whose left half is bright, so that a mirrored one differs.
fn picture(path: &Path, width: u32, height: u32) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let seed = path.file_stem().unwrap().len() as u32;
    let pixel = |x: u32, y: u32| {
        let level = if x < width / 2 { 220 } else { 30 };
        image::Rgb([level, (x * 7 + y * 3 + seed * 11) as u8, (y * 5) as u8])
    };
    image::RgbImage::from_fn(width, height, pixel).save(path).unwrap();
}

/// A folder with three pictures of 96 x 64, 64 x 96 and 70 x 70.
fn three(dir: &Path) -> PathBuf {
    let folder = dir.join("2_zarva woman");
    picture(&folder.join("a.png"), 96, 64);
    picture(&folder.join("bb.png"), 64, 96);
    picture(&folder.join("ccc.png"), 70, 70);
    folder
}

fn short(dir: &Path, change: impl Fn(&mut TrainOptions)) -> TrainPlan {
    let mut options = options(&dir.join("out"));
    options.images = vec![three(dir)];
    (options.steps, options.save_every) = (Some(3), 0);
    change(&mut options);
    plan(&options)
}

fn sources(plan: &TrainPlan) -> Vec<LatentSource> {
    let stop = Stop::default();
    latents::encode(base(), plan, &plan.run(), &Quiet, &stop).unwrap().unwrap()
}

fn bits(view: &LatentView) -> (Vec<u32>, Option<Vec<u32>>) {
    let bits = |values: &Vec<f32>| values.iter().map(|v| v.to_bits()).collect::<Vec<u32>>();
    (bits(&view.latent.mean), view.mask.as_ref().map(bits))
}

#[test]
fn buckets_bring_pictures_of_one_size_together() {
    let dir = tempfile::tempdir().unwrap();
    let plan = short(dir.path(), |o| (o.enable_bucket, o.batch) = (true, 2));
    let sizes: Vec<_> = plan.pictures.iter().map(|p| p.bucket).collect();
    assert_eq!(sizes, [(80, 48), (48, 80), (64, 64)]);
    assert_eq!(plan.counts().batches_per_epoch, 3);
    let sources = sources(&plan);
    let mut batches = Batches::new(base(), &plan, &sources).unwrap();
    for step in 0..3 {
        for batch in batches.of_step(step) {
            let made = batches.make(&batch).unwrap();
            let (w, h) = plan.pictures[batch.pictures[0]].bucket;
            assert!(batch.pictures.iter().all(|i| plan.pictures[*i].bucket == (w, h)));
            assert_eq!((made.grid.width, made.grid.height), (w / 8, h / 8));
            assert_eq!(made.noisy.len(), batch.pictures.len() * 4 * made.grid.tokens());
        }
    }
    let outcome =
        training_loop::train(base(), &plan, RunOptions::default(), &Quiet, &Stop::default())
            .unwrap();
    assert!(outcome.is_finished());
    let exact = short(dir.path(), |o| (o.enable_bucket, o.bucket_no_upscale) = (true, true));
    assert_eq!(exact.pictures[2].bucket, (64, 64));
}

#[test]
fn mirror_images_have_latents_of_their_own() {
    let dir = tempfile::tempdir().unwrap();
    let plan = short(dir.path(), |o| o.flip_aug = true);
    let sources = sources(&plan);
    for source in &sources {
        let LatentSource::Cached { plain, mirrored: Some(mirrored) } = source else { panic!() };
        assert_ne!(plain.latent, mirrored.latent);
        assert!(!plain.mirrored && mirrored.mirrored);
    }
    let mut batches = Batches::new(base(), &plan, &sources).unwrap();
    let numbered = batches.of_step(1);
    let once = batches.make(&numbered[0]).unwrap();
    assert_eq!(once, batches.make(&numbered[0]).unwrap(), "the same number, the same batch");
}

#[test]
fn changing_pictures_are_the_same_for_the_same_number() {
    let dir = tempfile::tempdir().unwrap();
    let plan = short(dir.path(), |o| {
        (o.random_crop, o.color_aug, o.flip_aug) = (true, true, true);
        o.seed = Some(3);
    });
    let sources = sources(&plan);
    assert!(sources.iter().all(|s| matches!(s, LatentSource::AugmentedSource(_))));
    let batches = Batches::new(base(), &plan, &sources).unwrap();
    let batch = |number| batches.make(&BatchPlan { number, pictures: vec![0] }).unwrap();
    assert_eq!(batch(4), batch(4));
    let all: Vec<_> = (0..6).map(|number| batch(number).noisy).collect();
    assert!(all.windows(2).all(|two| two[0] != two[1]));
    let whole =
        training_loop::train(base(), &plan, RunOptions::default(), &Quiet, &Stop::default())
            .unwrap();
    let bytes = std::fs::read(whole.path.unwrap()).unwrap();
    // Stopped and continued, the same file.
    let stop = Stop::default();
    let events = |event: Event| {
        if matches!(event, Event::Step(report) if report.step == 1) {
            stop.request();
        }
    };
    training_loop::train(
        base(),
        &plan,
        RunOptions { overwrite: true, ..RunOptions::default() },
        &events,
        &stop,
    )
    .unwrap();
    let rest = training_loop::resume(
        base(),
        &plan.run(),
        ResumeOptions::default(),
        &Quiet,
        &Stop::default(),
    )
    .unwrap();
    assert_eq!(std::fs::read(rest.path.unwrap()).unwrap(), bytes);
}

#[test]
fn masks_weigh_places() {
    let dir = tempfile::tempdir().unwrap();
    let masks = dir.path().join("masks");
    std::fs::create_dir(&masks).unwrap();
    for name in ["a", "bb", "ccc"] {
        // White where the picture is at the left.
        let half = image::GrayImage::from_fn(64, 64, |x, _| image::Luma([255 * u8::from(x < 32)]));
        half.save(masks.join(format!("{name}.png"))).unwrap();
    }
    let plan = short(dir.path(), |o| (o.masks, o.flip_aug) = (Some(masks.clone()), true));
    let found = sources(&plan);
    let LatentSource::Cached { plain, mirrored } = &found[2] else { panic!() };
    let mask = plain.mask.as_ref().unwrap();
    assert!(mask[0] == 1.0 && mask[7] == 0.0, "{mask:?}");
    let other = mirrored.as_ref().unwrap().mask.as_ref().unwrap();
    assert!(other[0] == 0.0 && other[7] == 1.0, "{other:?}");
    let batches = Batches::new(base(), &plan, &found).unwrap();
    let made = batches.make(&BatchPlan { number: 0, pictures: vec![2] }).unwrap();
    assert_eq!(made.weights.iter().filter(|w| **w == 0.0).count(), 32);
    // A mask that was changed is as bad as a picture that was.
    std::fs::copy(dir.path().join("2_zarva woman/a.png"), masks.join("a.png")).unwrap();
    let stop = Stop::default();
    let error = latents::encode(base(), &plan, &plan.run(), &Quiet, &stop).unwrap_err();
    assert!(error.to_string().contains("was changed"), "{error}");

    // Masks in a folder of the pictures' own name are those of that folder alone.
    let white = image::GrayImage::from_pixel(64, 64, image::Luma([255]));
    for name in ["a", "bb", "ccc"] {
        let file = masks.join("2_zarva woman").join(format!("{name}.png"));
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        white.save(file).unwrap();
    }
    let found = sources(&short(dir.path(), |o| o.masks = Some(masks.clone())));
    let LatentSource::Cached { plain, .. } = &found[2] else { panic!() };
    assert!(plain.mask.as_ref().is_none_or(|mask| mask == &[1.0; 64]));

    let alpha = dir.path().join("alpha");
    std::fs::create_dir(&alpha).unwrap();
    let rgba = |x: u32, y: u32| image::Rgba([x as u8, y as u8, 9, 255 * u8::from(y >= 32)]);
    image::RgbaImage::from_fn(64, 64, rgba).save(alpha.join("a.png")).unwrap();
    picture(&alpha.join("b.png"), 64, 64);
    let plan = short(dir.path(), |o| {
        (o.images, o.alpha_mask) = (vec![alpha.clone()], true);
        o.init = Some("woman".into());
    });
    let found = sources(&plan);
    let mask = |i: usize| match &found[i] {
        LatentSource::Cached { plain, .. } => plain.mask.clone().unwrap(),
        LatentSource::AugmentedSource(_) => panic!(),
    };
    assert!(mask(0)[0] == 0.0 && mask(0)[63] == 1.0 && mask(1) == [1.0; 64]);
}

#[test]
fn regularization_pictures_are_balanced_and_weighed() {
    let dir = tempfile::tempdir().unwrap();
    let regular = dir.path().join("reg/1_woman");
    picture(&regular.join("r.png"), 64, 64);
    picture(&regular.join("s.png"), 64, 64);
    std::fs::write(regular.join("r.txt"), "a zarva-ti sits").unwrap();
    let plan = short(dir.path(), |o| {
        o.reg_data_dir = vec![dir.path().join("reg")];
        o.prior_loss_weight = 0.25;
    });
    let repeats: Vec<u64> = plan.pictures.iter().map(|p| p.repeats).collect();
    assert_eq!(repeats, [2, 2, 2, 3, 3], "six samples of each kind");
    let found = sources(&plan);
    let batches = Batches::new(base(), &plan, &found).unwrap();
    let batch = |place| BatchPlan { number: 1, pictures: vec![place] };
    assert_eq!(batches.captions(&batch(3)), ["a zarva-ti sits"], "no template");
    assert_eq!(batches.captions(&batch(4)), ["woman"]);
    let weight = |place| batches.make(&batch(place)).unwrap().weights[0];
    assert_eq!(weight(3), weight(0) * 0.25);
    assert!(batches.evaluation_set().unwrap().len() == 8);
    // Without the word they are of no use here, which is said.
    std::fs::remove_file(regular.join("r.txt")).unwrap();
    let plan = short(dir.path(), |o| o.reg_data_dir = vec![dir.path().join("reg")]);
    assert!(
        plan.warnings.iter().any(|w| w.message().contains("teach it nothing")),
        "{:?}",
        plan.warnings
    );
}

#[test]
fn latents_on_disk_are_found_again_and_never_stale() {
    let dir = tempfile::tempdir().unwrap();
    let cache = dir.path().join("cache");
    let plan = short(dir.path(), |o| (o.latent_cache, o.flip_aug) = (Some(cache.clone()), true));
    let names = || {
        let list = std::fs::read_dir(&cache).unwrap().map(|e| e.unwrap().path());
        list.collect::<std::collections::BTreeSet<_>>()
    };
    let all = |sources: &[LatentSource]| -> Vec<_> {
        let plain = |s: &LatentSource| bits(&s.plain(base()).map(Cow::into_owned).unwrap());
        sources.iter().map(plain).collect()
    };
    let first = all(&sources(&plan));
    let found = names();
    assert_eq!(found.len(), 6);
    assert_eq!(all(&sources(&plan)), first);
    assert_eq!(names(), found);
    // A damaged file is made anew.
    let cached = found.first().unwrap();
    std::fs::write(cached, b"damaged").unwrap();
    assert_eq!(all(&sources(&plan)), first);
    // Another size or content has other names.
    let wide = short(dir.path(), |o| {
        (o.latent_cache, o.resolution) = (Some(cache.clone()), Some((80, 64)));
    });
    assert_ne!(all(&sources(&wide)), first);
    assert_eq!(names().len(), 9);
    picture(&dir.path().join("2_zarva woman/a.png"), 90, 64);
    let changed = plan_again(&cache, dir.path());
    assert_ne!(all(&sources(&changed))[0], first[0]);
    assert_eq!(names().len(), 11);
}

fn plan_again(cache: &Path, dir: &Path) -> TrainPlan {
    let mut options = options(&dir.join("out"));
    options.images = vec![dir.join("2_zarva woman")];
    (options.latent_cache, options.flip_aug) = (Some(cache.into()), true);
    plan(&options)
}

#[test]
fn a_dataset_file_gives_sizes_batches_and_options() {
    let dir = tempfile::tempdir().unwrap();
    let folder = three(dir.path());
    let other = dir.path().join("other");
    picture(&other.join("x.png"), 64, 64);
    std::fs::write(other.join("x.txt"), "red, blue, green").unwrap();
    let file = dir.path().join("data.toml");
    let text = format!(
        "[general]\nshuffle_caption = false\n[[datasets]]\nbatch_size = 3\n[[datasets.subsets]]\n\
         image_dir = {folder:?}\nclass_tokens = \"zarva-ti woman\"\nnum_repeats = 4\n\
         [[datasets]]\nresolution = [80, 64]\n[[datasets.subsets]]\nimage_dir = {other:?}\n\
         caption_prefix = \"zarva-ti,\"\nshuffle_caption = true\nkeep_tokens = 1\n"
    );
    std::fs::write(&file, text).unwrap();
    let plan = short(dir.path(), |o| {
        (o.images, o.dataset_config) = (vec![], Some(file.clone()));
        o.template = "none".to_owned().into();
        o.init = Some("woman".into());
    });
    assert_eq!((plan.datasets[0].batch, plan.datasets[1].batch), (3, 1));
    assert_eq!(plan.pictures[3].bucket, (80, 64));
    // Twelve samples in threes, and one.
    assert_eq!(plan.counts().batches_per_epoch, 5);
    let captions: Vec<_> = plan.captions().into_iter().map(|c| (c.text, c.count)).collect();
    assert!(captions.contains(&("zarva-ti, red, blue, green".into(), 1)), "{captions:?}");
    assert!(captions.contains(&("zarva-ti woman".into(), 12)), "{captions:?}");
    let found = sources(&plan);
    let batches = Batches::new(base(), &plan, &found).unwrap();
    let drawn = |number| batches.captions(&BatchPlan { number, pictures: vec![3] })[0].clone();
    let all: std::collections::BTreeSet<_> = (0..20).map(drawn).collect();
    assert!(all.len() > 3 && all.iter().all(|c| c.starts_with("zarva-ti, ")), "{all:?}");
    assert!(
        training_loop::train(base(), &plan, RunOptions::default(), &Quiet, &Stop::default())
            .unwrap()
            .is_finished()
    );
    // No other pictures beside it.
    let mut both = options(&dir.path().join("out"));
    both.dataset_config = Some(file);
    let error = TrainPlan::check(&both, &base().info).unwrap_err();
    assert!(error.to_string().contains("train.dataset_config"), "{error}");
}
