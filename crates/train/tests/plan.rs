//! What a plan decides, says and refuses.
#![allow(clippy::unwrap_used, reason = "a failed test may panic")]
mod common;

use common::{base, demo, options};
use std::path::Path;
use wayword_interface::{Diagnostic, PlainNames};
use wayword_train::plan::TemplateChoice;
use wayword_train::request::Train;
use wayword_train::{Error, Init, TrainOptions, TrainPlan, config};

fn check(change: impl Fn(&mut TrainOptions)) -> Result<TrainPlan, Error> {
    let mut options = options(Path::new("out"));
    change(&mut options);
    TrainPlan::check(&options, &base().info)
}

#[test]
fn defaults_are_decided() {
    let plain = |o: &mut TrainOptions| {
        o.steps = None;
        o.save_every = 200;
    };
    let plan = check(plain).unwrap();
    assert_eq!((plan.steps, plan.batch, plan.resolution), (422, 1, (64, 64)));
    assert!((plan.lr - 6e-3).abs() < 3e-4, "{}", plan.lr);
    assert_eq!(plan.embeddings[0].init, Init::Words("woman".into()));
    assert_eq!((plan.embeddings[0].token.as_str(), plan.embeddings[0].vectors), ("zarva-ti", 1));
    let summary = plan.summary(None);
    assert_eq!((summary.pictures, summary.samples, summary.captions.len()), (15, 1500, 27));
    assert!(summary.captions.iter().all(|c| c.has_embedding && c.text.contains("zarva-ti")));
    assert_eq!(summary.files.first().unwrap(), "zarva-ti-step00000200.safetensors");
    assert_eq!(summary.files.last().unwrap(), "zarva-ti.safetensors");
    assert_eq!(summary.files.len(), 3);
    assert!(plan.warnings.is_empty(), "{:?}", plan.warnings);
    let json = serde_json::to_string(&plan).unwrap();
    assert_eq!(serde_json::from_str::<TrainPlan>(&json).unwrap(), plan);
    assert_ne!(check(|o| o.seed = None).unwrap().seed, check(|o| o.seed = None).unwrap().seed);
}

#[test]
fn the_rate_falls_unless_something_else_leads_it() {
    let scheduler = |change: &dyn Fn(&mut TrainOptions)| check(change).unwrap().scheduler;
    assert_eq!(scheduler(&|_| {}), "cosine");
    assert_eq!(scheduler(&|o| o.learning_rate = Some("5e-3:200, 5e-4:1000".into())), "constant");
    assert_eq!(scheduler(&|o| o.optimizer = "AdamWScheduleFree".into()), "constant");
    assert_eq!(scheduler(&|o| o.scheduler = Some("linear".into())), "linear");
}

#[test]
fn epochs_become_steps() {
    let plan = check(|o| {
        (o.steps, o.epochs, o.batch, o.accumulate) = (None, Some(2), 4, 3);
    })
    .unwrap();
    // 1500 samples are 375 batches; 125 updates an epoch.
    assert_eq!((plan.steps, plan.counts().epochs), (250, 2));
}

#[test]
fn mistakes_are_refused_with_a_hint() {
    let refuse = |change: &dyn Fn(&mut TrainOptions), words: &[&str]| {
        let error = check(change).unwrap_err();
        let text = Diagnostic::from(error).render(&PlainNames).to_string();
        for word in words {
            assert!(text.contains(word), "expected `{word}` in: {text}");
        }
    };
    refuse(&|o| o.name = None, &["train.name"]);
    refuse(&|o| o.name = Some("a/b".into()), &["train.name", "a/b"]);
    refuse(&|o| o.images.clear(), &["IMAGES", "images"]);
    refuse(&|o| o.images = vec!["nowhere".into()], &["nowhere"]);
    let two = |o: &mut TrainOptions| {
        (o.in_json, o.images) = (Some("meta.json".into()), vec!["a".into(), "b".into()]);
    };
    refuse(&two, &["train.in_json", "one folder", "2 folders"]);
    refuse(&|o| o.batch = 0, &["train.batch", "at least 1"]);
    refuse(&|o| o.steps = Some(0), &["train.steps"]);
    refuse(&|o| o.epochs = Some(3), &["train.epochs", "both"]);
    refuse(&|o| o.resolution = Some((60, 64)), &["train.resolution", "60,64"]);
    refuse(&|o| o.learning_rate = Some("-1".into()), &["train.learning_rate", "-1"]);
    refuse(&|o| o.optimizer = "Adan9".into(), &["train.optimizer", "Adan9"]);
    refuse(&|o| o.scheduler = Some("cosin".into()), &["train.scheduler", "cosin"]);
    refuse(&|o| o.caption_dropout_every_n_epochs = 1, &["left empty", "train.caption_dropout"]);
    refuse(&|o| o.caption_dropout_rate = 1.0, &["left empty"]);
    refuse(&|o| o.clip_skip = Some(40), &["train.clip_skip", "1 to", "40"]);
    refuse(&|o| o.vectors = Some(76), &["train.vectors", "75"]);
    refuse(&|o| o.init = Some("none.safetensors".into()), &["none.safetensors"]);
    refuse(&|o| o.max_token_length = 100, &["train.max_token_length", "225"]);
    // The folder's caption is "zarva woman".
    refuse(&|o| o.template = TemplateChoice::None, &["zarva-ti", "zarva woman", "train.template"]);
    refuse(
        &|o| o.template = "nothing-here.txt".to_owned().into(),
        &["train.template", "nothing-here"],
    );
}

#[test]
fn captions_of_files_are_used_or_said_to_be_ignored() {
    let style = demo().join("concepts/100_velvetine style");
    let said = check(|o| o.images = vec![style.clone()]).unwrap().warnings;
    assert!(said.iter().any(|w| w.message().contains("15 caption files are ignored")), "{said:?}");
    let plan = check(|o| {
        o.images = vec![style.clone()];
        o.template = TemplateChoice::None;
        o.token = Some("velvetine".into());
    })
    .unwrap();
    assert!(plan.summary(None).captions.iter().all(|c| c.has_embedding));
}

#[test]
fn a_real_word_is_allowed_with_a_warning() {
    let plan = check(|o| o.name = Some("cat".into())).unwrap();
    assert!(
        plan.warnings.iter().any(|w| w.message().contains("`cat` is already a word")),
        "{:?}",
        plan.warnings
    );
}

#[test]
fn init_file_must_fit() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, width: usize, rows: usize| {
        let path = dir.path().join(name);
        let values = vec![0.01; width * rows];
        let none = std::collections::BTreeMap::new();
        let dtype = wayword_formats::Dtype::F32;
        wayword_formats::embedding::write_kohya(&path, &values, width, dtype, &none).unwrap();
        path.display().to_string()
    };
    let width = base().info.token_width;
    let two = write("two.safetensors", width, 2);
    let plan = check(|o| o.init = Some(two.clone())).unwrap();
    assert_eq!(plan.embeddings[0].vectors, 2);
    assert_eq!(plan.embeddings[0].start(base()).unwrap(), vec![0.01; 2 * width]);
    let error = check(|o| (o.init, o.vectors) = (Some(two.clone()), Some(3))).unwrap_err();
    assert!(error.hint().unwrap().contains("{train.vectors} 2"), "{error}");
    let wide = write("wide.pt", width + 1, 1);
    let error = check(|o| o.init = Some(wide.clone())).unwrap_err();
    assert!(error.to_string().contains("wide.pt"), "{error}");
}

#[test]
fn a_list_of_rates_is_as_long_as_it_says() {
    let list = Some("5e-3:20, 5e-4:3000".to_owned());
    let plan = check(|o| (o.learning_rate, o.steps) = (list.clone(), None)).unwrap();
    assert_eq!((plan.steps, plan.summary(None).scheduler), (3000, list.clone().unwrap()));
    assert_eq!(check(|o| o.learning_rate = list.clone()).unwrap().steps, 12);
    // Over what other layers say of length and course.
    let layer = |text: &str| config::parse(text, "t").unwrap();
    let preset = "steps = 1000\nscheduler = \"cosine\"\nwarmup = 5\nbatch = 2";
    let layers = |lr: &str| config::merge([layer(preset), layer(lr)]);
    let options_with = |lr: &str| layers(lr).read::<Train>().unwrap().options;
    let train = options_with("lr = \"5e-3:20, 5e-4:3000\"");
    assert_eq!((train.steps, train.scheduler, train.batch), (None, None, 2));
    assert_eq!(options_with("lr = \"5e-3:20, 5e-4\"").steps, Some(1000));
    assert_eq!(options_with("lr = \"5e-3\"").scheduler.as_deref(), Some("cosine"));
}

#[test]
fn options_without_effect_are_named() {
    let texts = |change: &dyn Fn(&mut TrainOptions)| -> String {
        let warnings = check(change).unwrap().warnings;
        let names = |path: &str| Some(format!("{{{path}}}"));
        warnings.iter().map(|w| format!("{}\n", w.render(&names).message)).collect()
    };
    let captions = texts(&|o| (o.shuffle_caption, o.keep_tokens) = (true, 1));
    assert!(captions.contains("{train.shuffle_caption}, {train.keep_tokens};"), "{captions}");
    let alone = texts(&|o| (o.bucket_no_upscale, o.keep_last_epochs) = (true, 2));
    for (option, other) in
        [("bucket_no_upscale", "enable_bucket"), ("keep_last_epochs", "save_every_epochs")]
    {
        let text = format!("{{train.{option}}}: it changes nothing without {{train.{other}}}");
        assert!(alone.contains(&text), "{alone}");
    }
    assert!(texts(&|o| o.warmup = "12".into()).contains("{train.warmup}: 12 steps of warm-up"));
}

#[test]
fn files_of_epochs_by_their_number() {
    let plan = check(|o| (o.steps, o.epochs, o.save_n_epoch_ratio) = (None, Some(8), Some(3)));
    assert_eq!(plan.unwrap().save.every_epochs, 2);
}

#[test]
fn subsets_without_repeats_are_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let images = demo().join("concepts/100_zarva woman");
    let file = |repeats: [u32; 2]| {
        let subset = |n: &u32| {
            format!("[[datasets.subsets]]\nimage_dir = '{}'\nnum_repeats = {n}\n", images.display())
        };
        let path = dir.path().join("d.toml");
        let subsets: String = repeats.iter().map(subset).collect();
        std::fs::write(&path, format!("[[datasets]]\n{subsets}")).unwrap();
        let init = Some("woman".to_owned());
        check(|o| {
            (o.images, o.dataset_config) = (Vec::new(), Some(path.clone()));
            o.init.clone_from(&init);
        })
    };
    let plan = file([2, 3]).unwrap();
    assert_eq!(
        plan.counts().batches_per_epoch,
        30,
        "the second is left out, as in kohya's trainer"
    );
    assert!(plan.warnings.iter().any(|w| w.message().contains("twice in a data set")));
    let plan = file([0, 2]).unwrap();
    assert_eq!(plan.counts().batches_per_epoch, 30);
    assert!(plan.warnings.iter().any(|w| w.message().contains("num_repeats is 0")));
    assert!(file([0, 0]).unwrap_err().to_string().contains("repeats are 0"));
}

#[test]
fn optimizers_that_average_follow_no_schedule() {
    let plan = check(|o| {
        o.optimizer = "AdamWScheduleFree".into();
        (o.scheduler, o.warmup, o.learning_rate) =
            (Some("cosine".into()), "3".into(), Some("1e-3".into()));
    })
    .unwrap();
    let schedule = plan.schedule().unwrap();
    assert!((0..12).all(|k| schedule.rate(k) == 1e-3));
    let said =
        |plan: &TrainPlan, part: &str| plan.warnings.iter().any(|w| w.message().contains(part));
    assert!(said(&plan, "without cosine and the warm-up of 3 steps"), "{:?}", plan.warnings);
    let plan = check(|o| (o.optimizer, o.learning_rate) = ("Prodigy".into(), Some("1e-3".into())))
        .unwrap();
    assert!(said(&plan, "will hardly move"), "{:?}", plan.warnings);
    let plan = check(|o| o.optimizer = "Adafactor".into()).unwrap();
    assert_eq!(plan.summary(None).scheduler, "adafactor");
}

/// Kohya puts a prefix before the first line and a suffix behind the last.
#[test]
fn each_line_of_captions_is_shown_as_it_is_drawn() {
    let dir = tempfile::tempdir().unwrap();
    image::RgbImage::new(64, 64).save(dir.path().join("a.png")).unwrap();
    std::fs::write(dir.path().join("a.txt"), "one\ntwo\n").unwrap();
    let plan = check(|o| {
        (o.images, o.template) = (vec![dir.path().into()], TemplateChoice::None);
        (o.init, o.enable_wildcard) = (Some("woman".into()), true);
        o.caption_prefix = Some("zarva-ti".into());
    })
    .unwrap();
    let texts: Vec<String> = plan.captions().into_iter().map(|c| c.text).collect();
    assert_eq!(texts, ["two", "zarva-ti one"]);
    assert!(plan.warnings.iter().any(|w| w.message().contains("1 of 2 captions")));
}

#[test]
fn a_plan_ends_where_a_stop_was_requested() {
    let stop = wayword_interface::Stop::default();
    let options = options(Path::new("out"));
    let plan = TrainPlan::check_unless_stopped(&options, &base().info, &stop).unwrap();
    wayword_train::preflight::inspect(&plan, &stop).unwrap();
    stop.request();
    let stopped = |error: &Error| matches!(error, Error::Draw(wayword_diffusion::Error::Stopped));
    let refused = TrainPlan::check_unless_stopped(&options, &base().info, &stop);
    assert!(stopped(&refused.unwrap_err()));
    assert!(stopped(&wayword_train::preflight::inspect(&plan, &stop).unwrap_err()));
}

#[test]
fn slips_in_rates_names_and_folders_are_told() {
    let rate = |rate: &str| check(|o| o.learning_rate = Some(rate.into())).unwrap().unusual_rate();
    assert!(rate("6e-3").is_none() && rate("1e-3").is_none());
    assert!(rate("1").unwrap().message().contains("times larger"));
    assert!(rate("1e-5").unwrap().hint().unwrap().contains("{train.learning_rate}"));
    let prodigy = check(|o| (o.learning_rate, o.optimizer) = (Some("1".into()), "Prodigy".into()));
    assert!(prodigy.unwrap().unusual_rate().is_none());
    let error = check(|o| o.name = Some("zarva-ti.safetensors".into())).unwrap_err().to_string();
    assert!(error.contains("without an ending"), "{error}");
    let warned = |plan: &TrainPlan, text: &str| {
        plan.warnings.iter().any(|warning| warning.message().contains(text))
    };
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("my photos")).unwrap();
    let parts = check(|o| o.images = vec![dir.path().join("my"), "photos".into()]).unwrap_err();
    assert!(parts.hint().unwrap().contains("in quotes"), "{parts}");
    let marked = check(|o| o.name = Some("zog!".into())).unwrap();
    assert!(warned(&marked, "ends with a mark"), "{:?}", marked.warnings);
    let two = check(|o| {
        o.images =
            vec![demo().join("concepts/100_zarva woman"), demo().join("concepts/100_brovik man")]
    });
    assert!(warned(&two.unwrap(), "different subjects"));
    assert!(!warned(&check(|_| ()).unwrap(), "different subjects"));
}
