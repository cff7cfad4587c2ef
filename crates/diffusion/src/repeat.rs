//! A picture's own text back to the settings that it was drawn with.
//!
//! What the text says and this program does not do is told, and so is everything that may make the
//! repeated picture another one: another base, words or LoRAs that are missing or have changed.
mod loras;

pub use loras::rename_loras;

use crate::detail::{Applied, DetailSettings, GIVEN_MASK, tab_ending};
use crate::generate::{PREDICTION, RESIZE_MODE, WITH_QUIRKS};
use crate::hires::{HiresSettings, HiresSize, Upscaler};
use crate::img2img::{MaskFill, MaskSettings};
use crate::pictures::{Fit, Pixels};
use crate::sigmas::{Schedule, resolve};
use crate::{Base, DrawPlan, DrawSettings, Error, Result};
use std::collections::BTreeMap;
use wayword_formats::hash::{short_model, short_network};
use wayword_formats::infotext::Infotext;
use wayword_interface::{Diagnostic, Warning};
use wayword_prompt::{Emphasis, Quirks};
use wayword_tensor::random::NoiseKind;

/// What a text said.
#[derive(Debug, Clone, PartialEq)]
pub struct Repeat {
    /// How much was changed, where the picture was drawn from another one, which the text does not
    /// hold.
    pub denoise: Option<f64>,
    /// How the picture to begin with was brought to the size.
    pub fit: Option<Fit>,
    /// How the mask was used, if there was one; the mask itself, which the text does not hold, is
    /// one of no pixels.
    pub mask: Option<MaskSettings>,
    /// Faces were drawn again with masks, which the text does not hold.
    pub detail_masks: bool,
    /// What cannot be repeated.
    pub warnings: Vec<Warning>,
}

/// The key under which stands the run whose embedding was drawn after one of its steps.
pub const RUN: &str = "Run";
/// The key of these steps.
pub const RUN_STEP: &str = "Run step";
/// The key of what the length of their vectors was multiplied by, where that is not 1.
pub const RUN_STRENGTH: &str = "Run strength";
/// The key of the vectors' hash.
pub const RUN_HASH: &str = "Run hash";

/// Keys that say nothing about the pixels, or that are read below or elsewhere together with others.
const SILENT: [&str; 18] = [
    PREDICTION,
    RUN,
    RUN_STEP,
    RUN_STRENGTH,
    RUN_HASH,
    "Version",
    "User",
    "Model",
    "Model hash",
    "VAE",
    "VAE hash",
    "Lora hashes",
    "TI hashes",
    "Init image hash",
    "Template",
    "Negative Template",
    "Wildcard prompt",
    "Variation seed strength",
];

/// Applies a picture's text to settings.
///
/// # Errors
/// If a value cannot be read or a sampler, schedule or upscaler is unknown; names the key.
pub fn apply(text: &Infotext, settings: &mut DrawSettings) -> Result<Repeat> {
    settings.prompts = vec![text.prompt.clone()];
    settings.negatives = vec![text.negative.clone()];
    let mut out =
        Repeat { denoise: None, fit: None, mask: None, detail_masks: false, warnings: Vec::new() };
    let name = |key: &str| text.get(key);
    let (info, schedule) =
        resolve(name("Sampler").unwrap_or("Euler"), name("Schedule type"), false)
            .map_err(|e| wrong("Sampler", e.to_string()))?;
    (settings.sampler, settings.schedule) = (info.kind, schedule);
    // A text without a source comes from a graphics card, whose numbers are those of NV.
    // stable-diffusion.cpp writes it in lower case, and `cuda` for NV.
    let source = name("RNG").map(str::to_uppercase);
    settings.noise = match source.as_deref() {
        Some("CPU") => NoiseKind::Cpu,
        _ => NoiseKind::Nv,
    };
    if !matches!(source.as_deref(), Some("CPU" | "NV" | "CUDA")) {
        let text = "it was drawn with GPU noise, which is emulated";
        let hint = Some("the noise of large images may differ, as it depends on the GPU".into());
        out.warnings.push(Warning::new(text).with_hint_if(hint));
    }
    if name("Version").is_some_and(|v| v.starts_with("wayword") && v.ends_with(WITH_QUIRKS)) {
        settings.quirks = Quirks::A1111;
    }
    if let Some((version, number)) = name("Version").and_then(|v| Some((v, web_ui(v)?))) {
        settings.old_timelines = number < [1, 6, 0, 0];
        if number < [1, 7, 0, 225] {
            let text =
                format!("A1111's {version} rounded noise levels to 16 bits, so the image differs");
            out.warnings.push(Warning::new(text));
        }
    }
    let hires = text.pairs.iter().any(|(key, _)| key == "Hires upscale" || key == "Hires resize");
    if hires {
        settings.hires = Some(HiresSettings::new(2.0));
    }
    for (key, value) in &text.pairs {
        if let Some(wanted) = key.strip_prefix("Hires ") {
            match &mut settings.hires {
                Some(hires) => second_pass(hires, wanted, key, value, &mut out.warnings)?,
                None => out.warnings.push(cannot(key, value)),
            }
        } else if !DetailSettings::is_key(key) {
            one(settings, &mut out, key, value)?;
        }
    }
    settings.detail = detail(text, &mut out);
    if let Some(strength) = name("Variation seed strength") {
        let seed = name("Variation seed").map_or(Ok(0), |v| number("Variation seed", v))?;
        settings.variation = Some((seed, number("Variation seed strength", strength)?));
    }
    if let Some(hires) = &mut settings.hires {
        hires.denoise = out.denoise.take().unwrap_or(hires.denoise);
    }
    Ok(out)
}

fn one(settings: &mut DrawSettings, out: &mut Repeat, key: &str, value: &str) -> Result<()> {
    match key {
        "Steps" => settings.steps = number(key, value)?,
        "CFG scale" => settings.cfg = number(key, value)?,
        "Seed" => settings.seed = number(key, value)?,
        "Size" => (settings.width, settings.height) = size(key, value)?,
        "Seed resize from" => settings.seed_resize = Some(size(key, value)?),
        "Clip skip" => settings.clip_skip = number(key, value)?,
        "Old prompt editing timelines" => {
            settings.old_timelines = value.eq_ignore_ascii_case("true")
        }
        "ENSD" => settings.later_seed_delta = number(key, value)?,
        "Eta" | "Eta DDIM" => settings.sampler_options.eta = Some(number(key, value)?),
        "Denoising strength" => out.denoise = Some(number(key, value)?),
        "Emphasis" => {
            let named = Emphasis::named(value);
            settings.emphasis = named.ok_or_else(|| wrong(key, format!("unknown: {value}")))?;
        }
        RESIZE_MODE => {
            let fit = Fit::named(value);
            out.fit = Some(fit.ok_or_else(|| wrong(key, format!("unknown: {value}")))?);
        }
        "Mask blur" => mask(out).blur = number(key, value)?,
        "Mask mode" => mask(out).invert = value.eq_ignore_ascii_case("Inpaint not masked"),
        "Inpaint area" => mask(out).only_masked = value.eq_ignore_ascii_case("Only masked"),
        "Masked area padding" => mask(out).padding = number(key, value)?,
        "Masked content" => {
            let fill = MaskFill::from_name(value);
            mask(out).fill = fill.ok_or_else(|| wrong(key, format!("unknown: {value}")))?;
        }
        "Sampler" | "Schedule type" | "RNG" | "Variation seed" => {}
        known if SILENT.contains(&known) => {}
        other => out.warnings.push(cannot(other, value)),
    }
    Ok(())
}

fn second_pass(
    hires: &mut HiresSettings,
    wanted: &str,
    key: &str,
    value: &str,
    warnings: &mut Vec<Warning>,
) -> Result<()> {
    match wanted {
        "upscale" => hires.size = HiresSize::Scale(number(key, value)?),
        "resize" => {
            let (w, h) = size(key, value)?;
            hires.size = HiresSize::Pixels(w, h);
        }
        "steps" => hires.steps = Some(number(key, value)?).filter(|n| *n > 0),
        "upscaler" => {
            let known = Upscaler::from_name(value);
            hires.upscaler = known.ok_or_else(|| {
                let way = "choose another one: {draw.hires_upscaler} Lanczos";
                wrong(key, format!("the upscaler {value} is not supported; {way}"))
            })?;
        }
        "sampler" => {
            let found = resolve(value, None, false).map_err(|e| wrong(key, e.to_string()))?;
            hires.sampler = Some(found.0.kind);
        }
        "schedule type" => {
            let found = Schedule::from_name(value);
            hires.schedule = Some(found.ok_or_else(|| wrong(key, format!("unknown: {value}")))?);
        }
        "prompt" => hires.prompts = vec![value.to_owned()],
        "negative prompt" => hires.negatives = vec![value.to_owned()],
        _ => warnings.push(cannot(key, value)),
    }
    Ok(())
}

/// Faces that were drawn again, without what cannot be repeated.
fn detail(text: &Infotext, out: &mut Repeat) -> Vec<DetailSettings> {
    let mut tabs: BTreeMap<usize, Option<DetailSettings>> = BTreeMap::new();
    for (key, value) in text.pairs.iter().filter(|(key, _)| DetailSettings::is_key(key)) {
        let (name, tab) = DetailSettings::tab(key);
        let place = tabs.entry(tab).or_insert_with(|| Some(DetailSettings::default()));
        let Some(detail) = place else { continue };
        match detail.set(name, value) {
            Ok(Applied::Done) => {
                out.detail_masks |= name == "ADetailer model" && value == GIVEN_MASK;
            }
            Ok(Applied::Otherwise(warning)) => out.warnings.push(warning),
            Ok(Applied::Off) => *place = None,
            Err(error) => {
                let text = format!("faces are not redrawn: {error}");
                out.warnings.push(Warning::new(text));
                *place = None;
            }
        }
    }
    // The version stands there without a tab too.
    let model = |tab: usize| format!("ADetailer model{}", tab_ending(tab));
    tabs.retain(|tab, _| text.get(&model(*tab)).is_some());
    tabs.into_values().flatten().collect()
}

/// The web UI's version: three numbers, and the changes since.
fn web_ui(version: &str) -> Option<[u32; 4]> {
    let mut numbers = version.strip_prefix('v')?.split(['.', '-']).map(str::parse);
    let mut next = || numbers.next().and_then(|n| n.ok());
    Some([next()?, next()?, next()?, next().unwrap_or(0)])
}

fn mask(out: &mut Repeat) -> &mut MaskSettings {
    out.mask.get_or_insert_with(|| MaskSettings {
        blur: 0.0,
        ..MaskSettings::new(Pixels::filled(0, 0, 1, 0))
    })
}

fn cannot(key: &str, value: &str) -> Warning {
    Warning::new(format!("`{key}: {value}` cannot be reproduced and is ignored"))
}

fn wrong(key: &str, reason: String) -> Error {
    Diagnostic::new(format!("its setting `{key}`: {reason}")).with_field("draw.from").into()
}

fn number<T: std::str::FromStr>(key: &str, value: &str) -> Result<T> {
    value.trim().parse().map_err(|_| wrong(key, format!("{value} is not a valid number")))
}

fn size(key: &str, value: &str) -> Result<(u32, u32)> {
    let sides = value.split_once('x').and_then(|(w, h)| Some((w.parse().ok()?, h.parse().ok()?)));
    sides.ok_or_else(|| wrong(key, format!("{value} is not a size")))
}

/// What a text says about files and the plan finds otherwise: another base or VAE, words and LoRAs
/// that are missing or have changed.
///
/// # Errors
/// If a file's hash cannot be computed.
pub fn compare(text: &Infotext, base: &Base, plan: &DrawPlan) -> Result<Vec<Warning>> {
    let mut out = Vec::new();
    let called = text.get("Model").unwrap_or("a model without a name");
    let own = base.sha256()?;
    if let (Some(said), Some(own)) = (text.get("Model hash"), &own)
        && said != short_model(own)
    {
        let own = short_model(own);
        out.push(
            Warning::new(format!("it was drawn with {called} [{said}], but this base is [{own}]"))
                .with_hint("pass that checkpoint with {any.base}"),
        );
    }
    let vae = base.vae_sha256()?;
    if let (Some(own), None, Some(_)) = (&vae, text.get("VAE hash"), text.get("Model hash")) {
        let own = short_model(own);
        out.push(Warning::new(format!("it was drawn with the checkpoint's own VAE, not [{own}]")));
    }
    if let Some(said) = text.get("VAE hash")
        && vae.as_deref().map(short_model) != Some(said)
    {
        let called = text.get("VAE").unwrap_or("a VAE");
        out.push(
            Warning::new(format!("it was drawn with the VAE {called} [{said}]"))
                .with_hint("pass it with {any.vae}"),
        );
    }
    let mut words = BTreeMap::new();
    for (words_of, networks) in
        [(plan.words(0), plan.networks(0)), (plan.hires_words(0), plan.hires_networks(0))]
    {
        for word in words_of.loaded() {
            let name = word.name.replace([':', ','], "");
            let by = networks
                .iter()
                .find(|n| n.loaded.lora.embeddings.iter().any(|(name, _)| *name == word.name));
            let brought = by.map(|n| n.name.chars().take(12).collect::<String>());
            words.insert(name, (word.sha256().map(|h| short_network(h).to_owned())).or(brought));
        }
    }
    files(text, "TI hashes", "the word", "{any.embeddings}", &words, &mut out);
    let networks = plan.networks(0).iter().chain(plan.hires_networks(0));
    let networks = networks
        .map(|n| (n.name.replace([':', ','], ""), n.loaded.short_hash().map(str::to_owned)));
    files(text, "Lora hashes", "the LoRA", "{any.loras}", &networks.collect(), &mut out);
    Ok(out)
}

/// The names and hashes of a list such as `a: 0123456789ab, b: …`.
fn files_of<'a>(text: &'a Infotext, key: &str) -> impl Iterator<Item = (&'a str, &'a str)> {
    let entries = text.get(key).into_iter().flat_map(|list| list.split(','));
    entries.filter_map(|entry| entry.split_once(':')).map(|(name, said)| (name.trim(), said.trim()))
}

fn files(
    text: &Infotext,
    key: &str,
    what: &str,
    option: &str,
    own: &BTreeMap<String, Option<String>>,
    out: &mut Vec<Warning>,
) {
    for (name, said) in files_of(text, key) {
        // A LoRA may have another name here.
        if key == "Lora hashes" && own.values().flatten().any(|own| own == said) {
            continue;
        }
        let (text, hint) = match own.get(name) {
            None => (
                format!("it was drawn with {what} `{name}` [{said}], which was not found"),
                format!("pass its folder with {option} DIR"),
            ),
            Some(Some(own)) if own != said => (
                format!("it was drawn with {what} `{name}` [{said}], but the one found is [{own}]"),
                "the file has changed since then, or another file has the same name".into(),
            ),
            _ => continue,
        };
        out.push(Warning::new(text).with_hint(hint));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sigmas::SamplerKind;

    #[test]
    fn every_setting_comes_back() {
        let text = "a [cat|dog]\nNegative prompt: bad\nSteps: 9, Sampler: DPM++ 2M SDE, Schedule \
                    type: Karras, CFG scale: 5.5, Seed: 77, Size: 64x96, Variation seed: 3, \
                    Variation seed strength: 0.25, Denoising strength: 0.4, Clip skip: 2, ENSD: \
                    31337, RNG: NV, Hires prompt: \"a, b\", Hires upscale: 1.5, Hires steps: 4, \
                    Hires upscaler: Lanczos, Emphasis: No norm, Eta: 0.5, Tiling: True";
        let mut s = synthetic_settings();
        let said = apply(&Infotext::parse(text), &mut s).unwrap();
        assert_eq!((s.prompts[0].as_str(), s.negatives[0].as_str()), ("a [cat|dog]", "bad"));
        assert_eq!((s.steps, s.cfg, s.seed, s.width, s.height), (9, 5.5, 77, 64, 96));
        assert_eq!((s.sampler, s.schedule), (SamplerKind::Dpmpp2MSde, Schedule::Karras));
        assert_eq!((s.variation, s.clip_skip), (Some((3, 0.25)), 2));
        assert_eq!((s.later_seed_delta, s.noise), (31337, NoiseKind::Nv));
        assert_eq!((s.emphasis, s.sampler_options.eta), (Emphasis::NoNorm, Some(0.5)));
        let hires = s.hires.unwrap();
        assert_eq!((hires.size, hires.steps), (HiresSize::Scale(1.5), Some(4)));
        assert_eq!((hires.denoise, hires.upscaler), (0.4, Upscaler::Lanczos));
        assert_eq!(hires.prompts, ["a, b"]);
        assert_eq!(said.denoise, None);
        let [left] = &said.warnings[..] else { panic!("{:?}", said.warnings) };
        assert!(left.message().contains("Tiling"));
    }

    #[test]
    fn what_is_unknown_is_named() {
        for (text, word) in [
            ("a\nSteps: many, Sampler: Euler, Seed: 1", "Steps"),
            ("a\nSteps: 1, Sampler: Magic, Seed: 1", "Sampler"),
            ("a\nSteps: 1, Seed: 1, Hires upscale: 2, Hires upscaler: ESRGAN_4x", "ESRGAN_4x"),
        ] {
            let error = apply(&Infotext::parse(text), &mut synthetic_settings()).unwrap_err();
            assert!(error.to_string().contains(word), "{error}");
        }
    }

    fn synthetic_settings() -> DrawSettings {
        DrawSettings::plain("", (64, 64))
    }

    #[test]
    fn other_ways_are_told() {
        for (more, word, old) in [
            ("Version: v1.5.2", "16 bits", true),
            ("Version: v1.7.0-224-gdeadbee", "16 bits", false),
            ("Pad conds: True", "Pad conds", false),
            ("Old prompt editing timelines: True", "", true),
            ("Version: v1.7.0-225-gdeadbee", "", false),
            ("Version: wayword 0.1.0", "", false),
            ("Version: f2.0.1", "", false),
        ] {
            let text = format!("a\nSteps: 8, Sampler: Euler, Seed: 1, RNG: CPU, {more}");
            let mut settings = synthetic_settings();
            let said = apply(&Infotext::parse(&text), &mut settings).unwrap().warnings;
            assert!(said.len() == usize::from(!word.is_empty()), "{more}: {said:?}");
            assert!(said.iter().all(|one| one.message().contains(word)), "{said:?}");
            assert_eq!(settings.old_timelines, old, "{more}");
        }
    }

    #[test]
    fn masks_are_told() {
        let text = "a\nSteps: 8, Sampler: Euler, Seed: 1, Denoising strength: 0.4, Mask blur: 4, \
                    Inpaint area: Only masked, Masked area padding: 16, Masked content: fill";
        let said = apply(&Infotext::parse(text), &mut synthetic_settings()).unwrap();
        let mask = said.mask.unwrap();
        assert_eq!((said.denoise, mask.blur, mask.padding), (Some(0.4), 4.0, 16));
        assert_eq!((mask.only_masked, mask.fill), (true, MaskFill::Fill));
    }

    #[test]
    fn the_source_of_noise_in_any_spelling() {
        for (value, kind, count) in [
            ("RNG: cpu", NoiseKind::Cpu, 0),
            ("RNG: CPU", NoiseKind::Cpu, 0),
            ("RNG: cuda", NoiseKind::Nv, 0),
            ("RNG: Nv", NoiseKind::Nv, 0),
            ("CFG scale: 7", NoiseKind::Nv, 1),
        ] {
            let text = format!("a\nSteps: 8, Sampler: dpm++2m, Seed: 1, {value}");
            let mut settings = DrawSettings::plain("", (64, 64));
            let out = apply(&Infotext::parse(&text), &mut settings).unwrap();
            assert_eq!(settings.noise, kind, "{value}");
            assert_eq!(settings.sampler, SamplerKind::Dpmpp2M);
            assert_eq!(out.warnings.len(), count, "{value}: {:?}", out.warnings);
        }
    }
}
