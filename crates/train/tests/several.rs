//! Several words in one run, what captions become, and which files are kept.
#![allow(clippy::unwrap_used, reason = "a failed test may panic")]
mod common;

use common::{base, demo, options, plan};
use std::collections::BTreeSet;
use std::path::Path;
use wayword_interface::{Quiet, Stop};
use wayword_train::batches::{BatchPlan, Batches};
use wayword_train::checkpoint::{SaveFormat, SavePrecision};
use wayword_train::plan::WordOptions;
use wayword_train::training_loop::{ResumeOptions, RunOptions};
use wayword_train::{Error, Event, TrainOptions, TrainPlan, latents, preflight, training_loop};

fn word(name: &str, init: &str, vectors: usize, lr: Option<f64>) -> WordOptions {
    let (init, vectors) = (Some(init.into()), Some(vectors));
    WordOptions { name: name.into(), token: None, init, vectors, lr }
}

fn two(out: &Path) -> TrainOptions {
    let mut options = options(out);
    options.name = None;
    options.words =
        vec![word("zarva-ti", "woman", 2, None), word("coat-ti", "coat", 1, Some(1e-9))];
    (options.steps, options.save_every) = (Some(4), 2);
    options
}

fn names(out: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(out).unwrap().map(|e| e.unwrap());
    let files = entries.filter(|e| e.path().is_file());
    files.map(|e| e.file_name().to_string_lossy().into_owned()).collect()
}

fn refused(change: impl Fn(&mut TrainOptions)) -> Error {
    let mut options = two(Path::new("out"));
    change(&mut options);
    TrainPlan::check(&options, &base().info).unwrap_err()
}

#[test]
fn a_folder_that_names_a_word_has_sentences_of_that_word() {
    let dir = tempfile::tempdir().unwrap();
    for (folder, level) in [("1_zarva-ti woman", 50), ("2_coat-ti", 200)] {
        let folder = dir.path().join("img").join(folder);
        std::fs::create_dir_all(&folder).unwrap();
        for name in ["a.png", "b.png"] {
            image::RgbImage::from_pixel(64, 64, image::Rgb([level; 3]))
                .save(folder.join(name))
                .unwrap();
        }
    }
    let mut options = two(&dir.path().join("out"));
    options.images = vec![dir.path().join("img")];
    let plan = plan(&options);
    assert!(plan.warnings.iter().all(|w| !w.message().contains("hold")), "{:?}", plan.warnings);
    let few = |word: &str| {
        let found = preflight::few(&plan, None);
        found.iter().any(|f| f.message().starts_with(&format!("`{word}`: 1 image is few")))
    };
    assert!(few("zarva-ti") && few("coat-ti"));
    let captions = plan.captions();
    let holds = |words: [bool; 2]| captions.iter().filter(|c| c.embeddings == words).count();
    assert_eq!((holds([true, false]), holds([false, true]), captions.len()), (27, 27, 54));
    let sources =
        latents::encode(base(), &plan, &plan.run(), &Quiet, &Stop::default()).unwrap().unwrap();
    let batches = Batches::new(base(), &plan, &sources).unwrap();
    for (place, picture) in plan.pictures.iter().enumerate() {
        let batch = BatchPlan { number: 3, pictures: vec![place] };
        let caption = &batches.captions(&batch)[0];
        let named = picture.caption.split(' ').next().unwrap();
        let other = if named == "coat-ti" { "zarva-ti" } else { "coat-ti" };
        assert!(caption.contains(named) && !caption.contains(other), "{caption}");
    }
}

#[test]
fn each_word_has_its_own_file_and_rate() {
    let dir = tempfile::tempdir().unwrap();
    let plan = plan(&two(dir.path()));
    assert_eq!((plan.name.as_str(), plan.vectors()), ("zarva-ti", 3));
    let captions = plan.captions();
    assert!(
        captions
            .iter()
            .all(|c| c.text.contains("zarva-ti coat-ti") && c.embeddings == [true, true])
    );
    let outcome =
        training_loop::train(base(), &plan, RunOptions::default(), &Quiet, &Stop::default())
            .unwrap();
    let want = ["zarva-ti", "coat-ti"].into_iter().flat_map(|word| {
        ["", "-step00000002", "-step00000004"].map(|end| format!("{word}{end}.safetensors"))
    });
    assert_eq!(names(dir.path()), want.collect());
    let listed: BTreeSet<String> = plan.summary(None).files.into_iter().collect();
    assert_eq!(names(dir.path()), listed);
    assert!(outcome.path.unwrap().ends_with("zarva-ti.safetensors"));
    let read = |name: &str| wayword_formats::embedding::read(&dir.path().join(name)).unwrap();
    let (zarva, coat) = (read("zarva-ti.safetensors"), read("coat-ti.safetensors"));
    assert_eq!((zarva.count, coat.count), (2, 1));
    assert_eq!(coat.metadata["modelspec.title"], "coat-ti");
    let moved = |word: usize, now: &[f32]| {
        let start = plan.embeddings[word].start(base()).unwrap();
        start.iter().zip(now).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
    };
    assert!(moved(0, &zarva.vectors) > 1e-3);
    assert!(moved(1, &coat.vectors) < 1e-7, "{}", moved(1, &coat.vectors));

    // Stopped and continued, the same bytes.
    let again = tempfile::tempdir().unwrap();
    let mut plan = plan.clone();
    plan.out = again.path().into();
    let stop = Stop::default();
    let events = |event: Event| {
        if matches!(event, Event::Step(report) if report.step == 3) {
            stop.request();
        }
    };
    training_loop::train(base(), &plan, RunOptions::default(), &events, &stop).unwrap();
    training_loop::resume(base(), &plan.run(), ResumeOptions::default(), &Quiet, &Stop::default())
        .unwrap();
    for name in names(dir.path()) {
        let bytes = |dir: &Path| std::fs::read(dir.join(&name)).unwrap();
        assert_eq!(bytes(dir.path()), bytes(again.path()), "{name}");
    }
    assert_eq!(names(again.path()), names(dir.path()));
}

#[test]
fn words_must_differ_and_stand_in_tables_alone() {
    let says = |error: Error, text: &str| assert!(error.to_string().contains(text), "{error}");
    says(refused(|o| o.words[1].name = "Zarva-TI".into()), "different names");
    says(refused(|o| o.words[1].init = None), "init in [[word]]");
    says(refused(|o| o.words[1].name = "a/b".into()), "a/b");
    says(refused(|o| o.words[1].lr = Some(0.0)), "lr in [[word]]");
    says(refused(|o| o.vectors = Some(2)), "train.vectors");
    let text = "[[word]]\nname = \"a-ti\"\ninit = \"cat\"\nlr = 1e-3\n[[word]]\nname = \"b-ti\"\n";
    let read: TrainOptions = toml::from_str(text).unwrap();
    assert_eq!((read.words.len(), read.words[0].lr), (2, Some(1e-3)));
}

#[test]
fn captions_are_changed_as_the_options_say() {
    let dir = tempfile::tempdir().unwrap();
    let style = demo().join("concepts/100_velvetine style");
    let captions = |change: &dyn Fn(&mut TrainOptions)| -> Vec<String> {
        let mut options = options(dir.path());
        options.images = vec![style.clone()];
        options.template = "none".to_owned().into();
        options.token = Some("velvetine".into());
        change(&mut options);
        let plan = plan(&options);
        let run = plan.run();
        let found = latents::encode(base(), &plan, &run, &Quiet, &Stop::default());
        let found = found.unwrap().unwrap();
        let batches = Batches::new(base(), &plan, &found).unwrap();
        let caption =
            |number| batches.captions(&BatchPlan { number, pictures: vec![0] })[0].clone();
        (0..40).map(caption).collect()
    };
    let plain = captions(&|_| {});
    assert!(plain.iter().all(|c| *c == plain[0]));
    let around = captions(&|o| {
        (o.caption_prefix, o.caption_suffix) = (Some("a b,".into()), Some(", end".into()));
    });
    assert_eq!(around[0], format!("a b, {} , end", plain[0]));
    let dropped = captions(&|o| o.caption_dropout_rate = 0.5);
    let empty = dropped.iter().filter(|c| c.is_empty()).count();
    assert!((8..32).contains(&empty), "{empty}");
    let template = dir.path().join("own.txt");
    std::fs::write(&template, "[filewords] by [name]\nby [name], [filewords]\n").unwrap();
    let templated = captions(&|o| {
        o.template = template.display().to_string().into();
        o.caption_dropout_rate = 0.2;
    });
    let first = format!("{} by velvetine", plain[0]);
    let second = format!("by velvetine, {}", plain[0]);
    let all: BTreeSet<&str> = templated.iter().map(String::as_str).collect();
    assert_eq!(all, BTreeSet::from(["", first.as_str(), second.as_str()]));
}

#[test]
fn files_are_kept_in_kohyas_way() {
    let dir = tempfile::tempdir().unwrap();
    let mut options = options(dir.path());
    (options.steps, options.save_every, options.keep_last_steps) = (Some(6), 1, 2);
    (options.save_format, options.save_precision) = (SaveFormat::Pt, SavePrecision::Fp16);
    let plan = plan(&options);
    training_loop::train(base(), &plan, RunOptions::default(), &Quiet, &Stop::default()).unwrap();
    let listed: BTreeSet<String> = plan.summary(None).files.into_iter().collect();
    assert_eq!(names(dir.path()), listed);
    assert!(listed.contains("zarva-ti.pt") && listed.len() == 4, "{listed:?}");

    let dir = tempfile::tempdir().unwrap();
    let mut options = common::options(dir.path());
    let concept = dir.path().join("1_zarva woman");
    std::fs::create_dir(&concept).unwrap();
    image::RgbImage::new(64, 64).save(concept.join("a.png")).unwrap();
    (options.images, options.steps, options.epochs) = (vec![concept], None, Some(5));
    (options.save_every, options.save_every_epochs, options.keep_last_epochs) = (0, 1, 2);
    options.metadata_author = Some("somebody".into());
    (options.clip_skip, options.max_timestep) = (Some(1), Some(1000));
    let plan = common::plan(&options);
    let outcome =
        training_loop::train(base(), &plan, RunOptions::default(), &Quiet, &Stop::default())
            .unwrap();
    let want =
        ["zarva-ti.safetensors", "zarva-ti-000003.safetensors", "zarva-ti-000004.safetensors"];
    assert_eq!(names(dir.path()), want.map(String::from).into());
    let file = wayword_formats::embedding::read(&outcome.path.unwrap()).unwrap();
    assert_eq!(file.metadata["modelspec.author"], "somebody");
    // As kohya's trainer writes what its GUI sends, though both are the defaults.
    assert_eq!(file.metadata["modelspec.timestep_range"], "0,1000");
    assert_eq!(file.metadata["modelspec.encoder_layer"], "1");
}

#[test]
fn every_option_of_loss_and_noise_trains() {
    let dir = tempfile::tempdir().unwrap();
    let kinds: [&dyn Fn(&mut TrainOptions); 6] = [
        &|o| (o.loss, o.min_snr_gamma) = ("huber".into(), Some(5.0)),
        &|o| (o.noise_offset, o.adaptive_noise_scale) = (0.05, Some(0.01)),
        &|o| (o.multires_noise_iterations, o.ip_noise_gamma) = (6, 0.1),
        &|o| (o.max_token_length, o.clip_skip) = (150, Some(2)),
        &|o| {
            (o.min_timestep, o.max_timestep, o.debiased_estimation_loss) =
                (Some(100), Some(900), true)
        },
        &|o| {
            (o.scheduler, o.lr_scheduler_num_cycles) =
                (Some("cosine_with_restarts".into()), Some(2.0));
            (o.kohya_numbers, o.mixed_precision) =
                (true, wayword_train::plan::MixedPrecision::Bf16);
        },
    ];
    let mut seen = BTreeSet::new();
    for (i, change) in kinds.iter().enumerate() {
        let mut options = options(&dir.path().join(i.to_string()));
        (options.steps, options.save_every) = (Some(2), 0);
        change(&mut options);
        let outcome = training_loop::train(
            base(),
            &plan(&options),
            RunOptions::default(),
            &Quiet,
            &Stop::default(),
        )
        .unwrap();
        let rows = wayword_formats::embedding::read(&outcome.path.unwrap()).unwrap().vectors;
        seen.insert(rows.iter().map(|v| v.to_bits()).collect::<Vec<u32>>());
    }
    assert_eq!(seen.len(), kinds.len(), "every option changes what is learned");
}
