//! The face detailer's pass: only masked parts change, each by its own prompt and seed, and the settings
//! say so.
#![allow(clippy::unwrap_used, reason = "a test may fail")]
mod common;

use std::sync::Arc;
use wayword_diffusion::detail::DetailSettings;
use wayword_diffusion::pictures::Pixels;
use wayword_diffusion::{Base, DrawPlan, DrawSettings, Picture, draw, repeat};
use wayword_formats::infotext::Infotext;
use wayword_interface::{Quiet, Stop};

const SIDE: usize = 96;

fn mask(columns: std::ops::Range<usize>) -> Arc<Pixels> {
    let mut out = Pixels::filled(SIDE, SIDE, 1, 0);
    for y in 40..60 {
        out.data[y * SIDE..][columns.clone()].fill(u8::MAX);
    }
    Arc::new(out)
}

fn drawn(base: &Base, detail: impl IntoIterator<Item = DetailSettings>) -> Picture {
    let (width, height) = (SIDE as u32, SIDE as u32);
    let plain = DrawSettings::new(base, "a cat");
    let detail = detail.into_iter().collect();
    let settings = DrawSettings { width, height, steps: 4, seed: 5, detail, ..plain };
    let plan = DrawPlan::new(base, settings).unwrap();
    draw(base, &plan, &Quiet, &Stop::default()).unwrap().remove(0)
}

/// Columns in which two pictures differ.
fn changed(a: &Picture, b: &Picture) -> Vec<usize> {
    let differs = |x: &usize| {
        (0..SIDE)
            .any(|y| (0..3).any(|c| a.rgb[(y * SIDE + x) * 3 + c] != b.rgb[(y * SIDE + x) * 3 + c]))
    };
    (0..SIDE).filter(differs).collect()
}

#[test]
fn only_masked_parts_change() {
    let base = common::tiny();
    let plain = drawn(&base, None);
    let one = DetailSettings { masks: vec![mask(10..30)], padding: 8, ..Default::default() };
    let first = drawn(&base, Some(one.clone()));
    let columns = changed(&plain, &first);
    // The blur of 4 pixels reaches ten pixels around the grown mask.
    assert!(columns.len() > 15 && columns.iter().all(|x| *x < 44), "{columns:?}");
    let skipped = DetailSettings {
        masks: vec![mask(10..30), mask(70..80)],
        prompts: vec!["[SKIP][SEP]a face".into()],
        ..one.clone()
    };
    let second = changed(&plain, &drawn(&base, Some(skipped)));
    assert!(!second.is_empty() && second.iter().all(|x| *x > 56), "{second:?}");
    let own = DetailSettings { prompts: vec!["[PROMPT], a hat".into()], ..one.clone() };
    assert!(!changed(&first, &drawn(&base, Some(own.clone()))).is_empty());
    // Two tabs: the second draws what the first left.
    let other = DetailSettings { masks: vec![mask(70..80)], ..own };
    let both = drawn(&base, [one, other.clone()]);
    let last = changed(&first, &both);
    assert!(!last.is_empty() && last.iter().all(|x| *x > 56), "{last:?}");
    assert!(both.infotext.contains("ADetailer prompt 2nd: \"[PROMPT], a hat\""));
    let mut settings = DrawSettings::plain("", (8, 8));
    let said = repeat::apply(&Infotext::parse(&both.infotext), &mut settings).unwrap();
    assert!(said.detail_masks && settings.detail.len() == 2, "{:?}", settings.detail);
    assert_eq!(settings.detail[1].prompts, other.prompts);
}

#[test]
fn nothing_is_found_in_what_a_tiny_model_draws_and_the_settings_come_back() {
    let base = common::tiny();
    let detail =
        DetailSettings { denoise: 0.3, prompts: vec!["a face, old".into()], ..Default::default() };
    let picture = drawn(&base, Some(detail.clone()));
    assert!(changed(&picture, &drawn(&base, None)).is_empty());
    assert!(picture.infotext.contains("ADetailer prompt: \"a face, old\""), "{}", picture.infotext);
    let mut settings = DrawSettings::plain("", (8, 8));
    let said = repeat::apply(&Infotext::parse(&picture.infotext), &mut settings).unwrap();
    assert_eq!((settings.detail, said.detail_masks), (vec![detail], false));
}

#[test]
fn foreign_detailers_are_told() {
    let text = |more: &str| {
        let text = format!("a\nSteps: 8, Sampler: Euler, Seed: 1, RNG: CPU, {more}");
        let mut settings = DrawSettings::plain("", (64, 64));
        let said = repeat::apply(&Infotext::parse(&text), &mut settings).unwrap();
        (settings.detail, said.warnings)
    };
    let (detail, warnings) = text(
        "ADetailer model: face_yolov8n.pt, ADetailer confidence: 0.4, ADetailer dilate erode: 4, \
         ADetailer mask blur: 4, ADetailer denoising strength: 0.4, ADetailer inpaint only masked: \
         True, ADetailer inpaint padding: 32, ADetailer version: 25.3.0",
    );
    assert_eq!((detail[0].confidence, detail.len(), warnings.len()), (0.4, 1, 1));
    let (detail, warnings) = text("ADetailer model: hand_yolov8n.pt, ADetailer confidence: 0.4");
    assert!(detail.is_empty() && warnings[0].message().contains("hand_yolov8n"), "{warnings:?}");
}

#[test]
fn masks_of_another_size_are_refused() {
    let base = common::tiny();
    let masks = vec![Arc::new(Pixels::filled(8, 8, 1, 255))];
    let detail = vec![DetailSettings { masks, ..Default::default() }];
    let settings = DrawSettings { width: 64, height: 64, detail, ..DrawSettings::new(&base, "a") };
    let error = DrawPlan::new(&base, settings).unwrap_err().to_string();
    assert!(error.contains("any.detail_mask") && error.contains("8x8"), "{error}");
}
