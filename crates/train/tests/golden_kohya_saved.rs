//! The word's files against those that kohya's sd-scripts wrote: names, retention, values, metadata.
#![allow(clippy::unwrap_used, reason = "a failed test may panic")]
use serde_json::Value;
use std::collections::BTreeMap;
use wayword_formats::{Dtype, SafeTensors, embedding};
use wayword_testing::{Report, topic};
use wayword_train::checkpoint::{SaveActions, SaveFormat, SavePrecision, SaveRules, Saver};
use wayword_train::dataset::steps::{self, Duration};

/// Options as sd-scripts' command line has them.
struct Options {
    map: BTreeMap<String, Vec<String>>,
    token: String,
}

impl Options {
    fn of(case: &Value) -> Self {
        let mut map: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut last = String::new();
        for word in case["options"].as_array().unwrap() {
            let word = word.as_str().unwrap();
            if let Some(name) = word.strip_prefix("--") {
                last = name.into();
                map.entry(last.clone()).or_default();
            } else {
                map.get_mut(&last).unwrap().push(word.into());
            }
        }
        // The run's token string is the name where none is given; the final file shows it.
        let files = case["files_left"].as_array().unwrap().iter().map(|f| f.as_str().unwrap());
        let last = files.filter(|f| !f.contains('/')).min_by_key(|f| f.len()).unwrap();
        let token = last.rsplit_once('.').unwrap().0.into();
        Self { map, token }
    }

    fn has(&self, name: &str) -> bool {
        self.map.contains_key(name)
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.map.get(name).map(|v| v[0].as_str())
    }

    fn number(&self, name: &str) -> usize {
        self.text(name).map_or(0, |t| t.parse().unwrap())
    }

    fn name(&self) -> &str {
        self.text("output_name").unwrap_or(&self.token)
    }

    fn format(&self) -> SaveFormat {
        match self.text("save_model_as") {
            Some("safetensors") => SaveFormat::Safetensors,
            Some("ckpt") => SaveFormat::Ckpt,
            _ => SaveFormat::Pt,
        }
    }

    fn precision(&self) -> SavePrecision {
        match self.text("save_precision") {
            Some("fp16") => SavePrecision::Fp16,
            Some("bf16") => SavePrecision::Bf16,
            _ => SavePrecision::Float,
        }
    }
}

#[test]
fn golden_kohya_saved_names_and_retention() {
    let Some(topic) = topic("kohya-saved") else { return };
    let mut report = Report::new("golden_kohya_saved_names_and_retention");
    let index = topic.json("index.json", |v| v["cases"].is_array()).expect("a list of cases");
    for case in index["cases"].as_array().unwrap() {
        let options = Options::of(case);
        let batch = options.number("train_batch_size").max(1) as u64;
        let accumulate = options.number("gradient_accumulation_steps").max(1) as u64;
        let images = case["num_train_images"].as_u64().unwrap();
        let duration = match options.number("max_train_epochs") {
            0 if options.has("max_train_steps") => {
                Duration::Steps(options.number("max_train_steps") as u64)
            }
            0 => Duration::Steps(1600),
            epochs => Duration::Epochs(epochs as u64),
        };
        let counts = steps::count([images], batch, accumulate, duration).unwrap();
        assert_eq!(counts.steps, case["updates"].as_u64().unwrap(), "{}", case["name"]);
        let every_epochs = match options.number("save_n_epoch_ratio") {
            0 => options.number("save_every_n_epochs"),
            ratio => steps::epochs_between_saves(counts.epochs, ratio as u64) as usize,
        };
        let rules = SaveRules {
            every_steps: options.number("save_every_n_steps"),
            every_epochs,
            keep_steps: options.number("save_last_n_steps"),
            keep_epochs: options.number("save_last_n_epochs"),
        };
        let mut left: Vec<String> = Vec::new();
        let mut apply = |actions: SaveActions| {
            left.extend(actions.write);
            left.retain(|file| Some(file) != actions.remove.as_ref());
        };
        let (name, updates) = (options.name(), counts.updates_per_epoch as usize);
        for step in 1..=counts.steps as usize {
            apply(rules.after_step(name, step));
            if step.is_multiple_of(updates) {
                apply(rules.after_epoch(name, step / updates, counts.epochs as usize));
            }
        }
        left.push(name.into());
        let mut left: Vec<String> =
            left.iter().map(|f| format!("{f}.{}", options.format().name())).collect();
        left.sort();
        // Folders of `--save_state` hold kohya's own state; ours lies in NAME.run.
        let listed = case["files_left"].as_array().unwrap().iter();
        let listed = listed.map(|f| f.as_str().unwrap().to_owned()).filter(|f| !f.contains('/'));
        let mut listed: Vec<String> = listed.collect();
        listed.sort();
        assert_eq!(left, listed, "{}", case["name"]);
        report.ran();
    }
    report.finish();
}

#[test]
fn golden_kohya_saved_values() {
    let Some(topic) = topic("kohya-saved") else { return };
    let mut report = Report::new("golden_kohya_saved_values");
    let index = topic.json("index.json", |v| v["cases"].is_array()).expect("a list of cases");
    let dir = tempfile::tempdir().unwrap();
    for case in index["cases"].as_array().unwrap() {
        let Some(file) = case["file"].as_str() else {
            report.skip("a listing only");
            continue;
        };
        let Some(theirs) = topic.file(file) else {
            report.skip("no file of kohya's");
            continue;
        };
        let options = Options::of(case);
        let rows: Vec<Vec<f32>> = serde_json::from_value(case["values_f32"].clone()).unwrap();
        let width = rows[0].len();
        let saver = Saver {
            out: dir.path().into(),
            format: options.format(),
            precision: options.precision(),
            metadata: metadata(case),
        };
        let ours = saver.write(options.name(), &rows.concat(), width).unwrap();
        assert_eq!(ours.file_name().unwrap().to_str(), case["saved_as"].as_str());
        let (ours_read, theirs_read) =
            (embedding::read(&ours).unwrap(), embedding::read(&theirs).unwrap());
        let dtype = match case["dtype"].as_str().unwrap() {
            "torch.float16" => Dtype::F16,
            "torch.bfloat16" => Dtype::BF16,
            _ => Dtype::F32,
        };
        for read in [&ours_read, &theirs_read] {
            assert_eq!(read.dtype, dtype, "{}", case["name"]);
            assert_eq!((read.count, read.width), (rows.len(), width), "{}", case["name"]);
            assert_eq!(read.key.as_deref(), case["keys"][0].as_str(), "{}", case["name"]);
        }
        assert_eq!(ours_read.vectors, theirs_read.vectors, "{}", case["name"]);
        if case["metadata"].is_object() {
            let theirs = SafeTensors::open(&theirs).unwrap();
            let ours = SafeTensors::open(&ours).unwrap();
            assert_eq!(ours.metadata(), theirs.metadata(), "{}", case["name"]);
        }
        report.ran();
    }
    report.finish();
}

/// The metadata as our writer makes them from the options that kohya had.
fn metadata(case: &Value) -> BTreeMap<String, String> {
    let options = Options::of(case);
    let theirs = &case["metadata"];
    let said = |key: &str| theirs[format!("modelspec.{key}")].as_str().map(str::to_owned);
    if !theirs.is_object() {
        return BTreeMap::new();
    }
    let given = |key: &str| options.text(&format!("metadata_{key}")).map(str::to_owned);
    let resolution = said("resolution").unwrap_or_default();
    let (w, h) = resolution.split_once('x').unwrap();
    let number = |key: &str| options.text(key).map(|t| t.parse().unwrap());
    // A thumbnail's file that became a URL is not at hand.
    let text = |key: &str| {
        given(key)
            .and_then(|text_given| if key == "thumbnail" { said(key) } else { Some(text_given) })
    };
    let texts = [
        "author",
        "description",
        "license",
        "tags",
        "usage_hint",
        "trigger_phrase",
        "thumbnail",
        "merged_from",
        "preprocessor",
        "is_negative_embedding",
    ];
    let spec = wayword_formats::modelspec::ModelSpec {
        title: given("title").unwrap_or_else(|| options.name().into()),
        resolution: (w.parse().unwrap(), h.parse().unwrap()),
        // What no option decides: the moment and the program.
        date: said("date").unwrap_or_default(),
        program: said("implementation_version").unwrap_or_default(),
        v_prediction: options.has("v_parameterization"),
        texts: texts.into_iter().filter_map(|key| Some((key.to_owned(), text(key)?))).collect(),
        timesteps: (number("min_timestep"), number("max_timestep")),
        clip_skip: number("clip_skip"),
    };
    spec.metadata()
}
