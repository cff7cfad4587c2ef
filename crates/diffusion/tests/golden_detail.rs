//! The geometry of inpainting and of the face detailer: regions, blurs, resizes, masks, filters and
//! pasting equal golden `detail`.
#![allow(clippy::unwrap_used, reason = "a test may fail")]
mod common;

use serde_json::Value;
use std::sync::Arc;
use wayword_diffusion::detail::masks::{self, Found, Merge, Order, TopBy};
use wayword_diffusion::generate::encode_picture;
use wayword_diffusion::img2img::{ImageSettings, MaskFill, MaskSettings, prepare};
use wayword_diffusion::pictures::{Fit, Pixels, Region, fit, gaussian};
use wayword_interface::Quiet;
use wayword_testing::{HostTensor, Report, Tensors, max_abs, topic};

/// A golden picture or mask, as far as it has rows.
fn pixels(tensor: &HostTensor) -> Pixels {
    let (height, width) = (tensor.shape[0], tensor.shape[1]);
    let channels = tensor.shape.get(2).copied().unwrap_or(1);
    Pixels { width, height, channels, data: tensor.bytes.clone() }
}

/// A mask that became gray RGB on its way.
fn grey(pixels: &Pixels) -> Pixels {
    pixels.channel(0)
}

/// The largest difference, and the share of levels that differ by more than 1.
fn compare(got: &Pixels, want: &Pixels) -> (f64, f64) {
    assert_eq!((got.size(), got.channels), (want.size(), want.channels));
    let differences: Vec<u8> =
        got.data.iter().zip(&want.data).map(|(a, b)| a.abs_diff(*b)).collect();
    let beyond = differences.iter().filter(|d| **d > 1).count() as f64;
    let most = differences.iter().max().copied().unwrap_or(0);
    (f64::from(most), beyond / differences.len().max(1) as f64)
}

/// Within 1, or within 2 on at most a hundredth.
fn resized(report: &mut Report, id: &str, what: &str, got: &Pixels, want: &Pixels) {
    let (most, beyond) = compare(got, want);
    report.within(id, what, most, 2.0);
    report.within(id, &format!("{what}, share beyond 1"), beyond, 0.01);
}

fn head(topic: &wayword_testing::Topic) -> Option<Value> {
    topic.json("cases.json", |v| v["cases"][0].get("crop_region_xywh").is_some())
}

fn tensors(topic: &wayword_testing::Topic) -> Option<Tensors> {
    common::tensor_files(topic, ".result_in").into_iter().next()
}

fn numbers(value: &Value) -> Vec<usize> {
    value.as_array().unwrap().iter().map(|v| v.as_u64().unwrap() as usize).collect()
}

fn region(corners: &[usize]) -> Region {
    let [left, top, right, bottom] = corners[..] else { panic!("{corners:?}") };
    Region { left, top, right, bottom }
}

#[test]
fn golden_detail_regions() {
    let Some(topic) = topic("detail") else { return };
    let Some(head) = head(&topic) else { return println!("ran 0, skipped 1: no file of cases") };
    let mut report = Report::new("golden_detail_regions");
    for case in head["regions"].as_array().into_iter().flatten() {
        let pair = |key: &str| match numbers(&case[key])[..] {
            [width, height] => (width, height),
            _ => panic!("{case}"),
        };
        let padding = case["padding"].as_u64().unwrap() as usize;
        let padded = region(&numbers(&case["mask_box"])).padded(padding, pair("image"));
        assert_eq!(padded, region(&numbers(&case["padded"])), "{case}");
        let grown = padded.grown(pair("processing"), pair("image"));
        assert_eq!(grown, region(&numbers(&case["expanded"])), "{case}");
        report.ran();
    }
    report.finish();
}

#[test]
fn golden_detail_blur_and_resize() {
    let Some(topic) = topic("detail") else { return };
    let Some(tensors) = tensors(&topic) else { return println!("ran 0, skipped 1: no tensors") };
    let mut report = Report::new("golden_detail_blur_and_resize");
    // What is blurred is one of the masks that are merged elsewhere.
    let input = tensors.get("blur.in").or_else(|| tensors.get("merge.b"));
    for name in tensors.names() {
        if let (Some(sigma), Some(input)) = (name.strip_prefix("blur."), input) {
            let Ok(sigma) = sigma.parse::<f64>() else { continue };
            let (most, _) = compare(&gaussian(&pixels(input), sigma), &pixels(tensors.at(name)));
            report.within(name, "blur", most, 1.0);
            report.ran();
        }
        let Some((mode, size)) =
            name.strip_prefix("resize.mode").and_then(|rest| rest.split_once('.'))
        else {
            continue;
        };
        let (width, height) = size.split_once('x').unwrap();
        let to = (width.parse().unwrap(), height.parse().unwrap());
        let got = fit(&pixels(tensors.at("resize.in")), to, how(mode.parse().unwrap()));
        resized(&mut report, name, "resize", &got, &pixels(tensors.at(name)));
        report.ran();
    }
    report.finish();
}

fn how(mode: u64) -> Fit {
    [Fit::Stretch, Fit::Crop, Fit::Fill][mode as usize]
}

#[test]
fn golden_detail_inpainting() {
    let Some(topic) = topic("detail") else { return };
    let (Some(head), Some(tensors)) = (head(&topic), tensors(&topic)) else {
        return println!("ran 0, skipped 1: no file of cases");
    };
    let base = common::tiny();
    let mut report = Report::new("golden_detail_inpainting");
    for case in head["cases"].as_array().unwrap() {
        let id = format!("c{}", case["id"]);
        let get = |name: &str| tensors.get(&format!("{id}.{name}"));
        let (Some(image), Some(mask)) = (get("image"), get("mask")) else {
            report.skip("no picture and mask");
            continue;
        };
        let size = numbers(&case["proc"]);
        let whole = case["whole"].as_bool().unwrap_or(false);
        let mask = MaskSettings {
            invert: case["invert"].as_bool().unwrap_or(false),
            blur: case["blur"].as_f64().unwrap_or(4.0),
            only_masked: !whole,
            padding: case["pad"].as_u64().unwrap_or(32) as u32,
            fill: match case["fill"].as_u64() {
                Some(0) => MaskFill::Fill,
                Some(2) => MaskFill::LatentNoise,
                Some(3) => MaskFill::LatentNothing,
                _ => MaskFill::Original,
            },
            ..MaskSettings::new(pixels(mask))
        };
        let settings = ImageSettings { mask: Some(mask), ..ImageSettings::new(pixels(image)) };
        let got = prepare(&settings, (size[0], size[1]));
        let masked = got.masked.as_ref().unwrap();
        let region = masked.overlay.region.map(|r| [r.left, r.top, r.width(), r.height()]);
        match &case["crop_region_xywh"] {
            Value::Null => assert_eq!(region, None, "{id}"),
            want => assert_eq!(region.unwrap().to_vec(), numbers(want), "{id}"),
        }
        if let Some(want) = get("init_image_u8") {
            resized(&mut report, &id, "picture to encode", &got.picture, &pixels(want));
        }
        if let Some(want) = get("latent_mask") {
            let near = near_half(get("resized0").unwrap(), (size[0] / 8, size[1] / 8));
            for (i, (a, b)) in masked.latent.iter().zip(want.f32()).enumerate() {
                assert!(*a == b || near[i], "{id}: latent mask at {i}: {a}, expected {b}");
            }
        }
        if let Some(want) = get("overlay_rgba") {
            let (alpha, _) = compare(&masked.overlay.layer.channel(3), &pixels(want).channel(3));
            // Twice the mask is twice its blur's difference.
            report.within(&id, "overlay's opacity", alpha, if whole { 2.0 } else { 1.0 });
        }
        if let (Some(drawn), Some(want)) = (get("result_in"), get("final")) {
            let (most, _) = compare(&masked.overlay.apply(&pixels(drawn)), &pixels(want));
            report.within(&id, "pasted", most, 2.0);
        }
        if let (Some(picture), Some(want)) = (get("init_image_u8"), get("init_latent_mean")) {
            let got = encode_picture(&base, &pixels(picture), &Quiet).unwrap();
            report.within(&id, "latents", max_abs(&got, &want.f32()), 5e-5);
        }
        report.ran();
    }
    report.finish();
}

/// What came after `key.` in names of tensors that are numbers.
fn numbered<'a>(tensors: &'a Tensors, key: &'a str) -> impl Iterator<Item = (i32, Pixels)> + 'a {
    tensors.names().filter_map(move |name| {
        let by = name.strip_prefix(key)?.parse().ok()?;
        Some((by, pixels(tensors.at(name))))
    })
}

#[test]
fn golden_detail_masks() {
    let Some(topic) = topic("detail") else { return };
    let (Some(head), Some(tensors)) = (head(&topic), tensors(&topic)) else {
        return println!("ran 0, skipped 1: no file of cases");
    };
    let mut report = Report::new("golden_detail_masks");
    for case in head["cases"].as_array().unwrap() {
        let id = format!("c{}", case["id"]);
        let get = |name: &str| tensors.get(&format!("{id}.{name}")).map(pixels);
        let (Some(of_box), Some(want)) = (get("box_mask"), get("mask")) else {
            report.skip("no masks");
            continue;
        };
        let corners: Vec<f32> =
            case["box"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap() as f32).collect();
        let got = masks::of_box(corners.try_into().unwrap(), of_box.size());
        assert_eq!(got, of_box, "{id}: box");
        let number = |key: &str, usual| case[key].as_i64().unwrap_or(usual) as i32;
        let moved = masks::moved(&got, number("x_offset", 0), number("y_offset", 0));
        assert_eq!(masks::grown(&moved, number("dilate", 4)), want, "{id}: mask");
        report.ran();
    }
    if let Some(input) = tensors.get("morph.in") {
        for (by, want) in numbered(&tensors, "morph.") {
            assert_eq!(masks::grown(&pixels(input), by), want, "morph {by}");
            report.ran();
        }
    }
    if let (Some(a), Some(b)) = (tensors.get("merge.a"), tensors.get("merge.b")) {
        let both = || vec![pixels(a), pixels(b)];
        for (how, name) in [(Merge::Merge, "merged"), (Merge::MergeAndInvert, "merged_inverted")] {
            let want = pixels(tensors.at(&format!("merge.{name}")));
            assert_eq!(how.apply(both()), [want], "{name}");
            report.ran();
        }
    }
    report.finish();
}

#[test]
fn golden_detail_filters() {
    let Some(topic) = topic("detail") else { return };
    let Some(head) = head(&topic) else { return println!("ran 0, skipped 1: no file of cases") };
    let mut report = Report::new("golden_detail_filters");
    for case in head["filters"].as_array().into_iter().flatten() {
        let size = numbers(&case["image"]);
        let size = (size[0], size[1]);
        let values = |v: &Value| -> Vec<f32> {
            v.as_array().unwrap().iter().map(|v| v.as_f64().unwrap() as f32).collect()
        };
        let scores = values(&case["confidences"]);
        let found: Vec<Found> = case["boxes"]
            .as_array()
            .unwrap()
            .iter()
            .zip(scores)
            .map(|(corners, score)| Found { corners: values(corners).try_into().unwrap(), score })
            .collect();
        let places = |these: Vec<Found>| -> Vec<usize> {
            these.iter().map(|one| found.iter().position(|f| f == one).unwrap()).collect()
        };
        for (key, want) in case.as_object().unwrap() {
            let by = |order| masks::sorted(&found, order, size);
            let count = |text: &str| text.parse::<usize>().unwrap();
            let got = if let Some(bounds) = key.strip_prefix("ratio_") {
                let (least, most) = bounds.split_once('_').unwrap();
                let bounds = (least.parse().unwrap(), most.parse().unwrap());
                masks::in_ratio(&found, bounds, size)
            } else if let Some(n) = key.strip_prefix("largest") {
                masks::top(&found, TopBy::Area, count(n))
            } else if let Some(n) = key.strip_prefix("confident") {
                masks::top(&found, TopBy::Confidence, count(n))
            } else {
                match key.as_str() {
                    "k0" => masks::top(&found, TopBy::Area, 0),
                    "left_to_right" => by(Order::LeftToRight),
                    "center_to_edge" => by(Order::CenterToEdge),
                    "area" => by(Order::Area),
                    _ => continue,
                }
            };
            assert_eq!(places(got), numbers(want), "{key}: {case}");
        }
        report.ran();
    }
    report.finish();
}

/// Where the mask at the latents' size is so near to a half that a level decides.
fn near_half(mask: &HostTensor, size: (usize, usize)) -> Vec<bool> {
    use wayword_diffusion::pictures::{Resample, resample};
    let small = resample(&grey(&pixels(mask)), size, Resample::Bicubic);
    small.data.iter().map(|v| (f64::from(*v) / 255.0 - 0.5).abs() <= 1.0 / 255.0).collect()
}

/// The settings are shared between a plan's copies.
#[test]
fn settings_are_cheap_to_copy() {
    let settings = ImageSettings::new(Pixels::filled(8, 8, 3, 1));
    assert!(Arc::ptr_eq(&settings.picture, &settings.clone().picture));
}
