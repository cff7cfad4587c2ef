//! The text of a picture: its prompt and settings as the web UI writes them.
use super::Texts;
use crate::plan::DrawPlan;
use crate::sigmas::Schedule;
use crate::{Base, Result};
use std::path::Path;
use wayword_formats::hash::{short_model, short_network};
use wayword_formats::infotext::{Job, python_float};
use wayword_prompt::{Emphasis, Quirks};
use wayword_tensor::random::NoiseKind;

/// The name under which pictures say who made them.
const VERSION: &str = concat!("wayword ", env!("CARGO_PKG_VERSION"));

pub(super) fn write(base: &Base, plan: &DrawPlan, texts: &Texts, index: usize) -> Result<String> {
    let s = plan.settings();
    let info = s.sampler.info();
    let schedule = match s.schedule {
        Schedule::Automatic if info.schedule != Schedule::Uniform => info.schedule,
        chosen => chosen,
    };
    let name = |path: &Path| path.file_stem().map(|n| n.to_string_lossy().into_owned());
    let file = |path: &Path| path.file_name().map(|n| n.to_string_lossy().into_owned());
    let eta_is_zero = s.sampler_options.eta == Some(0.0);
    let mut extra = Vec::new();
    if let Some(hashes) = lora_hashes(plan, texts, index) {
        extra.push(("Lora hashes".into(), hashes));
    }
    if let Some(hashes) = word_hashes(plan, texts, index) {
        extra.push(("TI hashes".into(), hashes));
    }
    if s.emphasis != Emphasis::Original {
        extra.push(("Emphasis".into(), s.emphasis.name().into()));
    }
    let job = Job {
        prompt: plan.prompt(index).prompt.clone(),
        negative: plan.negative(index).prompt.clone(),
        steps: s.steps,
        sampler: info.name.into(),
        schedule: Some(schedule.label().into()),
        cfg: python_float(s.cfg),
        seed: plan.seed(index),
        size: (s.width, s.height),
        model_hash: base.sha256()?.map(|hash| short_model(&hash).to_owned()),
        model: name(&base.info.path),
        vae_hash: base.vae_sha256()?.map(|hash| short_model(&hash).to_owned()),
        vae: base.info.vae.as_deref().and_then(file),
        variation: plan
            .subseed(index)
            .zip(s.variation)
            .map(|(seed, (_, strength))| (seed, python_float(strength))),
        seed_resize: s.seed_resize,
        clip_skip: u32::try_from(s.clip_skip).unwrap_or(u32::MAX),
        ensd: (info.uses_ensd && !eta_is_zero).then_some(s.later_seed_delta),
        rng: Some(if s.noise == NoiseKind::Nv { "NV" } else { "CPU" }.into()),
        extra,
        version: Some(VERSION.into()),
        ..Job::default()
    };
    Ok(job.infotext().to_string())
}

/// The learned words that a picture's prompts used, with their files' hashes: those of the prompt
/// before those of the negative one. The web UI names those of the whole group.
fn word_hashes(plan: &DrawPlan, texts: &Texts, index: usize) -> Option<String> {
    let pictures = match plan.settings().quirks {
        Quirks::A1111 => 0..texts.pictures.len(),
        Quirks::Sane => index - texts.pictures.start..index - texts.pictures.start + 1,
    };
    let mut used: Vec<usize> = Vec::new();
    for side in [&texts.positive, &texts.negative] {
        for place in side[pictures.clone()].iter().flat_map(|text| &text.words) {
            if !used.contains(place) {
                used.push(*place);
            }
        }
    }
    let words = plan.words(texts.pictures.start);
    let entry = |place: &usize| {
        let word = words.word(*place);
        let name = word.name.replace([':', ','], "");
        Some(format!("{name}: {}", short_network(word.sha256()?)))
    };
    let entries: Vec<String> = used.iter().filter_map(entry).collect();
    (!entries.is_empty()).then(|| entries.join(", "))
}

/// The LoRAs that a picture was drawn with, each once, with their files' hashes.
fn lora_hashes(plan: &DrawPlan, texts: &Texts, index: usize) -> Option<String> {
    let picture = match plan.settings().quirks {
        Quirks::A1111 => texts.pictures.start,
        Quirks::Sane => index,
    };
    let mut entries: Vec<String> = Vec::new();
    for network in plan.networks(picture) {
        let name = network.name.replace([':', ','], "");
        let entry = network.loaded.short_hash().map(|hash| format!("{name}: {hash}"));
        entries.extend(entry.filter(|e| !entries.contains(e)));
    }
    (!entries.is_empty()).then(|| entries.join(", "))
}
