//! The text of a picture: its prompt and settings as the web UI writes them.
use super::GroupConditioning;
use crate::hires::HiresSize;
use crate::img2img::{ImageSettings, MaskFill, is_blank};
use crate::pictures::Fit;
use crate::plan::DrawPlan;
use crate::sigmas::Schedule;
use crate::{Base, LoadedEmbedding, Result};
use std::path::Path;
use wayword_formats::hash::{short_model, short_network};
use wayword_formats::infotext::{DrawnSettings, python_float};
use wayword_prompt::{Emphasis, Quirks};
use wayword_tensor::random::NoiseKind;

/// The name under which pictures say who made them.
const VERSION: &str = concat!("wayword ", env!("CARGO_PKG_VERSION"));

/// The key under which a prediction that was asked for stands.
pub const PREDICTION: &str = "Prediction";

/// What stands behind the version where what A1111 does by accident was kept.
pub(crate) const WITH_QUIRKS: &str = " with A1111 quirks";

/// The key under which stands how a picture to begin with was brought to the size.
pub(crate) const RESIZE_MODE: &str = "Resize mode";

pub(super) fn write(
    base: &Base,
    plan: &DrawPlan,
    conditioning: &GroupConditioning,
    hires: Option<&GroupConditioning>,
    index: usize,
) -> Result<String> {
    let s = plan.settings();
    let info = s.sampler.info();
    let schedule = match s.schedule {
        Schedule::Automatic if info.schedule != Schedule::Uniform => info.schedule,
        chosen => chosen,
    };
    let name = |path: &Path| path.file_stem().map(|n| n.to_string_lossy().into_owned());
    let file = |path: &Path| path.file_name().map(|n| n.to_string_lossy().into_owned());
    let eta_is_zero = s.sampler_options.eta == Some(0.0);
    let mut extra = second_pass(plan, index);
    extra.extend(masking(plan));
    extra.extend(s.detail.iter().zip(0..).flat_map(|(detail, tab)| detail.to_pairs(index, tab)));
    if base.info.prediction_chosen {
        extra.push((PREDICTION.into(), base.info.prediction.name().into()));
    }
    if let Some(hashes) = lora_hashes(plan, conditioning, index) {
        extra.push(("Lora hashes".into(), hashes));
    }
    if let Some(hashes) = word_hashes(plan, conditioning, hires, index) {
        extra.push(("TI hashes".into(), hashes));
    }
    extra.extend(s.said.iter().cloned());
    // The web UI does not say it.
    let fitted = |image: &&ImageSettings| image.fit != Fit::Stretch && s.quirks == Quirks::Sane;
    if let Some(image) = s.image.as_ref().filter(fitted) {
        extra.push((RESIZE_MODE.into(), image.fit.name().into()));
    }
    if s.emphasis != Emphasis::Original {
        extra.push(("Emphasis".into(), s.emphasis.name().into()));
    }
    extra.extend(eta(plan));
    if s.old_timelines {
        extra.push(("Old prompt editing timelines".into(), "True".into()));
    }
    let denoise = s.image.as_ref().map(|image| image.denoise);
    let denoise = denoise.or(s.hires.as_ref().map(|hires| hires.denoise));
    let quirks = if s.quirks == Quirks::A1111 { WITH_QUIRKS } else { "" };
    let version = format!("{VERSION}{quirks}");
    let job = DrawnSettings {
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
        denoising: denoise.map(python_float),
        clip_skip: u32::try_from(s.clip_skip).unwrap_or(u32::MAX),
        ensd: (info.uses_ensd && !eta_is_zero).then_some(s.later_seed_delta),
        rng: Some(if s.noise == NoiseKind::Nv { "NV" } else { "CPU" }.into()),
        extra,
        version: Some(version),
        ..DrawnSettings::default()
    };
    Ok(job.infotext().to_string())
}

/// A text that JSON-like values stand in.
type Pairs = Vec<(String, String)>;

/// What the second pass does differently.
fn second_pass(plan: &DrawPlan, index: usize) -> Pairs {
    let s = plan.settings();
    let Some(hires) = &s.hires else { return Vec::new() };
    let mut out = Pairs::new();
    let mut say = |key: &str, value: String| out.push((key.into(), value));
    let sampler = hires.sampler.unwrap_or(s.sampler);
    if sampler != s.sampler {
        say("Hires sampler", sampler.info().name.into());
    }
    let (prompt, negative) = (&plan.hires_prompt(index).prompt, &plan.hires_negative(index).prompt);
    if *prompt != plan.prompt(index).prompt {
        say("Hires prompt", prompt.clone());
    }
    if *negative != plan.negative(index).prompt {
        say("Hires negative prompt", negative.clone());
    }
    let first = s.sampler.info().effective(s.schedule);
    let second = sampler.info().effective(hires.schedule.unwrap_or(s.schedule));
    // The web UI says a schedule that differs from the first pass's. Where a reader would take
    // another one for the second pass than was used, it is said as well.
    let nominal = if first == s.sampler.info().schedule { Schedule::Automatic } else { first };
    let differs = second != first && second != Schedule::Uniform;
    let misread = second != sampler.info().effective(nominal);
    if (differs || misread) && !sampler.info().on_timesteps() {
        say("Hires schedule type", second.label().into());
    }
    match hires.size {
        HiresSize::Scale(scale) => say("Hires upscale", python_float(scale)),
        HiresSize::Pixels(x, y) => say("Hires resize", format!("{x}x{y}")),
    }
    if let Some(steps) = hires.steps {
        say("Hires steps", steps.to_string());
    }
    say("Hires upscaler", hires.upscaler.name().into());
    out
}

/// How a mask was used.
fn masking(plan: &DrawPlan) -> Pairs {
    let mask = plan.settings().image.as_ref().and_then(|image| image.mask.as_ref());
    let Some(mask) = mask else { return Vec::new() };
    let mut out = Pairs::new();
    let mut say = |key: &str, value: String| out.push((key.into(), value));
    if mask.invert {
        say("Mask mode", "Inpaint not masked".into());
    }
    if mask.blur > 0.0 {
        // The web UI knows whole numbers only.
        let whole = mask.blur.fract() == 0.0;
        say("Mask blur", if whole { mask.blur.to_string() } else { python_float(mask.blur) });
    }
    if is_blank(mask) {
        return out;
    }
    if mask.only_masked {
        say("Inpaint area", "Only masked".into());
        say("Masked area padding", mask.padding.to_string());
    }
    if mask.fill != MaskFill::Original {
        say("Masked content", mask.fill.name().into());
    }
    out
}

/// The share of new noise, where the sampler takes one and it is not the usual.
fn eta(plan: &DrawPlan) -> Option<(String, String)> {
    let s = plan.settings();
    let eta = s.sampler_options.eta?;
    let (key, usual) = s.sampler.info().eta()?;
    (eta != usual).then(|| (key.into(), python_float(eta)))
}

/// The learned words that a picture's prompts used, with their files' hashes: those of the prompt
/// before those of the negative one. The web UI names those of the whole group.
fn word_hashes(
    plan: &DrawPlan,
    conditioning: &GroupConditioning,
    hires: Option<&GroupConditioning>,
    index: usize,
) -> Option<String> {
    let start = conditioning.pictures.start;
    let pictures = match plan.settings().quirks {
        Quirks::A1111 => 0..conditioning.pictures.len(),
        Quirks::Sane => index - start..index - start + 1,
    };
    // The web UI forgets those of the second pass.
    let hires = hires.filter(|_| plan.settings().quirks == Quirks::Sane);
    let hires = hires.map(|l| (l, plan.hires_words(start), plan.hires_networks(start)));
    let first = (conditioning, plan.words(start), plan.networks(start));
    let mut entries: Vec<String> = Vec::new();
    for (conditioning, words, networks) in std::iter::once(first).chain(hires) {
        // A word that a LoRA brought is known by that file's name.
        let brought = |word: &LoadedEmbedding| -> Option<String> {
            let by = networks
                .iter()
                .find(|n| n.loaded.lora.embeddings.iter().any(|(name, _)| *name == word.name))?;
            Some(by.name.chars().take(12).collect())
        };
        for side in [&conditioning.positive, &conditioning.negative] {
            for place in side[pictures.clone()].iter().flat_map(|text| &text.words) {
                let word = words.embedding(*place);
                let name = word.name.replace([':', ','], "");
                let hash = word.sha256().map(|hash| short_network(hash).to_owned());
                let entry = hash.or_else(|| brought(word)).map(|hash| format!("{name}: {hash}"));
                entries.extend(entry.filter(|e| !entries.contains(e)));
            }
        }
    }
    (!entries.is_empty()).then(|| entries.join(", "))
}

/// The LoRAs that a picture was drawn with, each once, with their files' hashes.
fn lora_hashes(plan: &DrawPlan, conditioning: &GroupConditioning, index: usize) -> Option<String> {
    let picture = match plan.settings().quirks {
        Quirks::A1111 => conditioning.pictures.start,
        Quirks::Sane => index,
    };
    let mut entries: Vec<String> = Vec::new();
    for network in plan.networks(picture).iter().chain(plan.hires_networks(picture)) {
        let name = network.name.replace([':', ','], "");
        let entry = network.loaded.short_hash().map(|hash| format!("{name}: {hash}"));
        entries.extend(entry.filter(|e| !entries.contains(e)));
    }
    (!entries.is_empty()).then(|| entries.join(", "))
}
