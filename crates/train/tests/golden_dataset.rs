//! Buckets, steps and pixels against kohya's data set (golden `dataset`).
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may panic and prints what ran"
)]
use serde_json::Value;
use wayword_testing::{Report, Topic, topic};
use wayword_train::dataset::steps::{Duration, balance, count, epochs_between_saves};
use wayword_train::dataset::{BucketAssignment, Buckets, Filter, crop, image, resize};

fn integer(v: &Value) -> usize {
    v.as_u64().unwrap_or_else(|| panic!("{v} is no number")) as usize
}

fn pair(v: &Value) -> (usize, usize) {
    (integer(&v[0]), integer(&v[1]))
}

#[test]
fn golden_dataset_buckets() {
    let Some(topic) = topic("dataset") else { return };
    let mut report = Report::new("golden_dataset_buckets");
    let Some(file) = topic.json("buckets.json", |v| v["modes"][0]["bucket_reso_steps"].is_u64())
    else {
        return println!("ran 0, skipped 1: no file of buckets");
    };
    for mode in file["modes"].as_array().unwrap() {
        let name = &mode["mode"];
        let resolution = pair(&mode["resolution"]);
        let step = integer(&mode["bucket_reso_steps"]);
        let buckets = if mode["bucket_no_upscale"] == true {
            Buckets::no_upscale(resolution, step)
        } else {
            let limits = (&mode["min_bucket_reso"], &mode["max_bucket_reso"]);
            Buckets::listed(resolution, integer(limits.0), integer(limits.1), step)
        }
        .unwrap();
        if let Some(list) = mode["predefined"].as_array() {
            let list: Vec<_> = list.iter().map(pair).collect();
            assert_eq!(buckets.list(), list, "{name}");
            report.ran();
        }
        for case in mode["cases"].as_array().unwrap() {
            let size = pair(case);
            let expected = case[2].is_u64().then(|| BucketAssignment {
                bucket: (integer(&case[2]), integer(&case[3])),
                resized: (integer(&case[4]), integer(&case[5])),
            });
            assert_eq!(buckets.fit(size), expected, "{name}: {case}");
            // A bucket without pixels, on which the peer fails later, is refused at once.
            let usable = expected.is_some_and(|fit| fit.bucket.0 > 0 && fit.bucket.1 > 0);
            assert_eq!(buckets.choose("picture", size).is_ok(), usable, "{name}: {case}");
            report.ran();
        }
    }
    report.finish();
}

#[test]
fn golden_dataset_steps() {
    let Some(topic) = topic("dataset") else { return };
    let mut report = Report::new("golden_dataset_steps");
    let Some(file) = topic.json("steps.json", |v| v["cases"][0]["updates_per_epoch"].is_u64())
    else {
        return println!("ran 0, skipped 1: no file of steps");
    };
    // "resolution 128,128 with bucket_no_upscale"
    let resolution = numbers_after(file["about"].as_str().unwrap(), "resolution ");
    let buckets = Buckets::no_upscale((resolution[0], resolution[1]), 64).unwrap();
    for case in file["cases"].as_array().unwrap() {
        let mut counts: std::collections::BTreeMap<String, u64> = Default::default();
        let mut add = |size: (usize, usize), repeats: u64| {
            let (w, h) = buckets.choose("picture", size).unwrap().bucket;
            *counts.entry(format!("{w}x{h}")).or_default() += repeats;
        };
        let images = |folders: &Value| -> Vec<((usize, usize), u64)> {
            let folders = folders.as_array().into_iter().flatten();
            let sizes = |f: &Value| {
                let repeats = f[0].as_u64().unwrap();
                f[1].as_array().unwrap().iter().map(|s| (pair(s), repeats)).collect::<Vec<_>>()
            };
            folders.flat_map(sizes).collect()
        };
        let train = images(&case["train_folders"]);
        let wanted: u64 = train.iter().map(|i| i.1).sum();
        assert_eq!(Some(wanted), case["num_train_images"].as_u64(), "{case}");
        train.iter().for_each(|(size, repeats)| add(*size, *repeats));

        let reg = images(&case["reg_folders"]);
        let reg_repeats: Vec<u64> = reg.iter().map(|i| i.1).collect();
        assert_eq!(
            Some(reg_repeats.iter().sum()),
            case["num_reg_images_printed"].as_u64(),
            "{case}"
        );
        let mut balanced = balance(wanted, &reg_repeats);
        reg.iter().zip(&balanced).for_each(|((size, _), repeats)| add(*size, *repeats));
        if let Some(expected) = case["repeats_of_registered_reg_images_sorted"].as_array() {
            balanced.retain(|r| *r > 0);
            balanced.sort_unstable_by(|a, b| b.cmp(a));
            let expected: Vec<u64> = expected.iter().map(|r| r.as_u64().unwrap()).collect();
            assert_eq!(balanced, expected, "{case}");
        }
        for (bucket, n) in case["bucket_counts"].as_object().unwrap() {
            assert_eq!(counts.get(bucket).copied(), n.as_u64(), "{bucket}: {case}");
        }

        let duration = match case["option_max_train_epochs"].as_u64() {
            Some(epochs) => Duration::Epochs(epochs),
            // kohya's default where neither is set
            None => Duration::Steps(case["option_max_train_steps"].as_u64().unwrap_or(1600)),
        };
        let option = |key: &str| case[key].as_u64().unwrap();
        let (batch, accumulate) =
            (option("train_batch_size"), option("gradient_accumulation_steps"));
        let found = count(counts.into_values(), batch, accumulate, duration).unwrap();
        assert_eq!(found.batches_per_epoch, option("batches_per_epoch"), "{case}");
        assert_eq!(found.updates_per_epoch, option("updates_per_epoch"), "{case}");
        assert_eq!(found.steps, option("max_train_steps"), "{case}");
        assert_eq!(found.epochs, option("num_epochs"), "{case}");
        if let Some(ratio) = case["option_save_n_epoch_ratio"].as_u64() {
            let every = epochs_between_saves(found.epochs, ratio);
            assert_eq!(Some(every), case["save_every_n_epochs"].as_u64(), "{case}");
        }
        report.ran();
    }
    report.finish();
}

/// How a mode of `pixels.json` fits pictures, read from the words that describe it.
struct Mode {
    buckets: Buckets,
    resize: bool,
    filter: Option<Filter>,
}

fn numbers_after(text: &str, word: &str) -> Vec<usize> {
    let Some(at) = text.find(word) else { return Vec::new() };
    let rest = &text[at + word.len()..];
    let end = rest.find(|c: char| !c.is_ascii_digit() && c != ',').unwrap_or(rest.len());
    rest[..end].split(',').filter_map(|n| n.parse().ok()).collect()
}

fn mode(modes: &Value, name: &str) -> Option<Mode> {
    if let Some(text) = modes[name].as_str() {
        let resolution = numbers_after(text, "resolution ");
        let resolution = (*resolution.first()?, *resolution.last()?);
        let limit = |word: &str| numbers_after(text, word).first().copied();
        let step = limit("steps ").unwrap_or(64);
        let (buckets, resize) = if text.contains("no bucketing") {
            (Buckets::single(resolution.0, resolution.1), !text.contains("no resize"))
        } else if text.contains("bucket_no_upscale") {
            (Buckets::no_upscale(resolution, step).unwrap(), true)
        } else {
            (Buckets::listed(resolution, limit("min ")?, limit("max ")?, step).unwrap(), true)
        };
        return Some(Mode { buckets, resize, filter: None });
    }
    // `interp_X`: "as normal64 with resize_interpolation X"; the longest such prefix counts.
    let families = modes.as_object()?.iter().filter_map(|(key, text)| {
        let filter = name.strip_prefix(key.strip_suffix('X')?)?;
        Some((filter, text.as_str()?))
    });
    let (filter, text) = families.min_by_key(|(filter, _)| filter.len())?;
    let base = text.strip_prefix("as ")?.split(' ').next()?;
    Some(Mode { filter: Some(Filter::parse(filter)?), ..mode(modes, base)? })
}

#[test]
fn golden_dataset_pixels() {
    let Some(topic) = topic("dataset") else { return };
    let mut report = Report::new("golden_dataset_pixels");
    let file = topic.json("pixels.json", |v| v["cases"][0]["resized_wh"].is_array());
    let (Some(file), Some(tensors)) = (file, topic.tensors("pixels.safetensors")) else {
        return println!("ran 0, skipped 1: no file of pixels");
    };
    for case in file["cases"].as_array().unwrap() {
        let key = case["key"].as_str().unwrap();
        let (name, picture) = key.split_once('/').unwrap();
        let mode = mode(&file["modes"], name).unwrap_or_else(|| panic!("mode of {key}"));
        let Some(path) = picture_file(&topic, picture) else {
            report.skip("no file of the picture");
            continue;
        };
        // kohya never turns a picture
        let size = image::record(&path, false, 0).unwrap().0.size;
        let fit = mode.buckets.choose(key, size).unwrap();
        if !mode.resize {
            let fits = crop::check_unresized(key, size, fit.bucket, false);
            assert_eq!(fits.is_err(), case["error"].is_string(), "{key}: {case}");
        }
        if case["error"].is_string() {
            assert!(!mode.resize, "{key}: the peer fails where this program does not");
            report.ran();
            continue;
        }
        assert_eq!(size, pair(&case["image_wh"]), "{key}");
        assert_eq!(fit.bucket, pair(&case["bucket_wh"]), "{key}");
        assert_eq!(fit.resized, pair(&case["resized_wh"]), "{key}");
        let rgb = image::read(&path, false).unwrap().rgb;
        let resized = resize::resize(&rgb, fit.resized, mode.filter);
        let found = crop::crop(&resized, crop::middle(fit.resized, fit.bucket), fit.bucket);
        let Some(expected) = tensors.get(key) else {
            report.skip("no tensor of the pixels");
            continue;
        };
        assert_eq!(expected.shape, [found.height, found.width, found.channels], "{key}");
        let off = found.data.iter().zip(&expected.bytes).map(|(a, b)| a.abs_diff(*b));
        // golden/README.md: the decoders of lossy kinds differ
        let lossy = ["jpg", "jpeg", "webp"].iter().any(|e| picture.to_lowercase().ends_with(e));
        let (limit, kind) = if lossy { (3.0, "lossy levels") } else { (1.0, "levels") };
        report.within(key, kind, f64::from(off.max().unwrap()), limit);
        report.ran();
    }
    report.finish();
}

fn picture_file(topic: &Topic, name: &str) -> Option<std::path::PathBuf> {
    topic.file(&format!("images/{name}"))
}
